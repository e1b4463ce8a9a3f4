"""Third-party environments for the tests: everything they do can be told from what they are asked."""

import os
import signal
import time
from pathlib import Path

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from pettingzoo import ParallelEnv

HORIZON = 4


class Structured(gymnasium.Env):
    """Shows what it was asked to do, in spaces of every kind; ends after HORIZON steps, truncated if seeded odd."""

    action_space = spaces.Dict(
        go=spaces.Discrete(3, start=-1), keys=spaces.MultiBinary(2), gear=spaces.Tuple([spaces.MultiDiscrete([2, 4])])
    )

    def __init__(self, wide: bool = False, high: float = 1e6) -> None:
        self.observation_space = spaces.Dict(
            tick=spaces.Discrete(HORIZON + 1),
            number=spaces.Box(0, 2**62, (), np.int64),
            last=spaces.Box(-10, 10, (5,), np.float64 if not wide else np.float32),
            noise=spaces.Box(-high, high, (2, 2), np.float32),
        )

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if seed is not None:
            self.seeded = seed
        self.tick, self.last = 0, np.zeros(5)
        return self._observation(), {}

    def step(self, action):
        assert action in self.action_space
        self.tick += 1
        self.last = np.concatenate([[action["go"]], action["keys"], action["gear"][0]]).astype(float)
        over = self.tick == HORIZON
        odd = bool(self.seeded % 2)
        return self._observation(), float(self.last.sum()), over and not odd, over and odd, {}

    def _observation(self):
        noise = self.np_random.normal(size=(2, 2)).astype(np.float32)
        return {"tick": self.tick, "number": np.int64(self.seeded), "last": self.last.copy(), "noise": noise}


class Mixed(gymnasium.Env):
    """An action that no policy here can give: floats and choices at once."""

    observation_space = spaces.Box(-100, 100, (2,))
    action_space = spaces.Dict(force=spaces.Box(-100, 100, (1,), np.float64), jump=spaces.Discrete(2))

    def reset(self, *, seed=None, options=None):
        return np.zeros(2, np.float32), {}

    def step(self, action):
        assert action in self.action_space
        return np.float32([action["force"][0], action["jump"]]), 0.0, False, False, {}


class Wrong(gymnasium.Env):
    """Does not keep to its space."""

    observation_space = spaces.Box(-1, 1, (2,))
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return np.zeros(3), {}

    def step(self, action):
        return np.zeros(3), 0.0, False, False, {}


class Fragile(gymnasium.Env):
    """Fails as told by a file: the first environment that finds it removes it, and does what it says."""

    observation_space = spaces.Box(-1, 1e9, (1,))
    action_space = spaces.Discrete(2)

    def __init__(self, orders: str, always: bool = False) -> None:
        self.orders, self.always = Path(orders), always

    def reset(self, *, seed=None, options=None):
        self.tick = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.tick += 1
        try:
            order = self.orders.read_text()
            if not self.always:
                self.orders.unlink()
        except FileNotFoundError:
            order = ""
        if order == "hang":
            time.sleep(1000)
        elif order == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif order == "raise":
            raise ValueError("told so")
        return np.float32([self.tick]), 1.0, self.tick == 10, False, {}


class Patient(gymnasium.Env):
    """A step takes until a file is there."""

    observation_space = spaces.Box(0, 1e9, (1,))
    action_space = spaces.Discrete(2)

    def __init__(self, signal: str) -> None:
        self.signal = Path(signal)

    def reset(self, *, seed=None, options=None):
        return np.zeros(1, np.float32), {}

    def step(self, action):
        while not self.signal.exists():
            time.sleep(0.01)
        return np.ones(1, np.float32), float(action), False, False, {}


class Crowd(ParallelEnv):
    """Agent i leaves after i + 2 steps: terminated, the last one truncated. It sees its number, its age and its act."""

    metadata = {"name": "crowd"}  # noqa: RUF012

    def __init__(self, agents: int = 3, unequal: bool = False) -> None:
        self.possible_agents = [f"walker {i}" for i in range(agents)]
        self.unequal = unequal

    def observation_space(self, agent):
        return spaces.Box(-1, 100, (4 if self.unequal and agent == "walker 1" else 3,))

    def action_space(self, agent):
        return spaces.Discrete(5)

    def reset(self, seed=None, options=None):
        self.agents, self.age = self.possible_agents[:], 0
        return self._observations(dict.fromkeys(self.agents, -1)), {agent: {} for agent in self.agents}

    def step(self, actions):
        assert list(actions) == self.agents
        self.age += 1
        number = {agent: self.possible_agents.index(agent) for agent in self.agents}
        last = len(self.possible_agents) - 1
        leaving = {agent: self.age == i + 2 for agent, i in number.items()}
        result = (
            self._observations(actions),
            {agent: float(action) for agent, action in actions.items()},
            {agent: leaving[agent] and number[agent] < last for agent in self.agents},
            {agent: leaving[agent] and number[agent] == last for agent in self.agents},
            {agent: {} for agent in self.agents},
        )
        self.agents = [agent for agent in self.agents if not leaving[agent]]
        return result

    def _observations(self, acts):
        return {agent: np.float32([self.possible_agents.index(agent), self.age, acts[agent]]) for agent in self.agents}


def structured_vector(num_envs: int, mode: str = "NEXT_STEP") -> SyncVectorEnv:
    return SyncVectorEnv([Structured] * num_envs, autoreset_mode=AutoresetMode[mode])
