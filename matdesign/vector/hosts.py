"""Third-party environments in a worker process, stepped one after another into the rows of a `Batch`."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from numpy.typing import NDArray

from matdesign.errors import InputError, MatdesignError
from matdesign.scene import Scene
from matdesign.vector.batch import Buffers, Saved
from matdesign.vector.spaces import ActionLayout, Layout

LOG_NAMES = ("score", "episode_return", "episode_length")


class Tally:
    """Returns and lengths of running episodes, and the log of ended ones. The score of an episode is its return."""

    def __init__(self, envs: int) -> None:
        self._returns = [0.0] * envs
        self._lengths = [0] * envs
        self._ended = np.zeros((envs, 3))  # episodes, sum of returns, sum of lengths

    def note(self, index: int, reward: float, over: bool) -> None:
        """One step of one environment: the mean reward of its agents, and whether its episode ended."""
        self._returns[index] += reward
        self._lengths[index] += 1
        if over:
            self._ended[index] += (1, self._returns[index], self._lengths[index])
            self._returns[index] = 0.0
            self._lengths[index] = 0

    def log(self, index: int | None) -> dict[str, float]:
        """As for `Batch`."""
        own = self._ended if index is None else self._ended[index : index + 1]
        episodes, returns, lengths = own.sum(axis=0).tolist()
        own[:] = 0.0
        if not episodes:
            return {"episodes": 0.0}
        means = (returns / episodes, returns / episodes, lengths / episodes)
        return {**dict(zip(LOG_NAMES, means, strict=True)), "episodes": episodes}


@dataclass(frozen=True)
class Spaces:
    """What environments of a batch have in common: layouts of observation and action, names of the agents."""

    observation: Layout
    action: ActionLayout
    agents: tuple[str, ...] = ("",)


class ForeignHost(ABC):
    """Third-party environments on rows of their own.

    Args:
        made: the environments.
        spaces: what they have in common.
        buffers: their rows.
        envs: how many there are.
        first: number of the first among all environments.
    """

    def __init__(self, made: list[Any], spaces: Spaces, buffers: Buffers, *, envs: int, first: int) -> None:
        self.made = made
        self.observation = spaces.observation
        self.action = spaces.action
        self.agents = spaces.agents
        self.buffers = buffers
        self.views = self.observation.views(buffers.observations)
        self.envs = envs
        self.first = first
        self.over = [False] * envs  # the next step resets
        self.tally = Tally(envs)

    def reset(self, seed: int) -> None:
        """Start the first episode of every environment."""
        self.over = [False] * self.envs
        self.tally = Tally(self.envs)
        for flags, value in ((self.buffers.terminals, 0), (self.buffers.truncations, 0), (self.buffers.masks, 1)):
            flags[:] = value
        self.buffers.rewards[:] = 0.0
        self.start([int(np.random.SeedSequence((seed, self.first + i)).generate_state(1)[0]) for i in range(self.envs)])

    def log(self, index: int | None = None) -> dict[str, float]:
        """As for `Batch`."""
        return self.tally.log(index)

    def scene(self, index: int) -> Scene:
        """There is none."""
        raise MatdesignError(f"environment {index} is a third party's: it draws itself and has no scene")

    def save(self) -> Saved | None:
        """As for `Batch`: what a third party keeps cannot be saved."""
        return None

    def load(self, environments: NDArray[np.uint8], sizes: NDArray[np.int64]) -> None:
        """As for `Batch`."""
        raise InputError("third-party environments cannot go on from a saved state: begin anew")

    def close(self) -> None:
        """Close every environment."""
        for env in self.made:
            env.close()

    @abstractmethod
    def start(self, seeds: list[int]) -> None:
        """Reset every environment with a seed of its own and write what is observed."""

    @abstractmethod
    def step(self) -> None:
        """Step or reset every environment, and write all rows."""


class GymnasiumHost(ForeignHost):
    """Gymnasium environments."""

    def start(self, seeds: list[int]) -> None:
        """As for `ForeignHost`."""
        for i, (env, seed) in enumerate(zip(self.made, seeds, strict=True)):
            observation, _ = env.reset(seed=seed)
            self.observation.check(observation, "first observation")
            self.observation.store(observation, self.views, i)

    def step(self) -> None:
        """As for `ForeignHost`."""
        buffers, action = self.buffers, self.action.value
        buffers.masks[:] = True
        for i, env in enumerate(self.made):
            terminal = truncated = False
            reward = 0.0
            if self.over[i]:
                observation, _ = env.reset()
                buffers.masks[i] = False
            else:
                observation, reward, terminal, truncated, _ = env.step(action(buffers.actions[i]))
                self.tally.note(i, float(reward), terminal or truncated)
            self.observation.store(observation, self.views, i)
            buffers.rewards[i] = reward
            buffers.terminals[i] = terminal
            buffers.truncations[i] = truncated
            self.over[i] = terminal or truncated


class PettingZooHost(ForeignHost):
    """PettingZoo's parallel environments: one row for each possible agent, with mask 0 and zeros while it is away."""

    def start(self, seeds: list[int]) -> None:
        """As for `ForeignHost`."""
        for i, (env, seed) in enumerate(zip(self.made, seeds, strict=True)):
            observations, _ = env.reset(seed=seed)
            for agent, observation in observations.items():
                self.observation.check(observation, f"first observation of {agent}")
            self._observe(i, observations)
            rows = self._rows(i)
            self.buffers.masks[rows] = [agent in env.agents for agent in self.agents]

    def step(self) -> None:
        """As for `ForeignHost`."""
        buffers = self.buffers
        buffers.rewards[:] = 0.0
        for flags in (buffers.terminals, buffers.truncations, buffers.masks):
            flags[:] = False
        for i, env in enumerate(self.made):
            if self.over[i]:
                observations, _ = env.reset()
                self.over[i] = False
            else:
                observations = self._step(i, env)
            self._observe(i, observations)

    def _step(self, index: int, env: Any) -> dict[str, Any]:
        buffers, first, live = self.buffers, index * len(self.agents), set(env.agents)
        rows = {agent: first + k for k, agent in enumerate(self.agents) if agent in live}
        actions = {agent: self.action.value(buffers.actions[row]) for agent, row in rows.items()}
        observations, rewards, terminals, truncations, _ = env.step(actions)
        for agent, row in rows.items():
            buffers.masks[row] = True
            buffers.rewards[row] = rewards[agent]
            buffers.terminals[row] = terminals[agent]
            buffers.truncations[row] = truncations[agent]
        self.over[index] = not env.agents
        mean = float(buffers.rewards[self._rows(index)].mean())
        self.tally.note(index, mean, self.over[index])
        return dict(observations)

    def _observe(self, index: int, observations: dict[str, Any]) -> None:
        for k, agent in enumerate(self.agents):
            row = index * len(self.agents) + k
            if agent in observations:
                self.observation.store(observations[agent], self.views, row)
            else:
                self.buffers.observations[row] = 0

    def _rows(self, index: int) -> slice:
        return slice(index * len(self.agents), (index + 1) * len(self.agents))


class GymnasiumVectorHost(ForeignHost):
    """One of Gymnasium's vector environments, with next-step autoreset."""

    def start(self, seeds: list[int]) -> None:
        """As for `ForeignHost`; a vector environment of another's make takes one seed for all."""
        env = self.made[0]
        each = isinstance(env.unwrapped, SyncVectorEnv | AsyncVectorEnv)
        observations, _ = env.reset(seed=seeds if each else seeds[0])
        self.observation.store(observations, self.views, slice(None))
        for i in range(self.envs):
            row = np.ascontiguousarray(self.buffers.observations[i])
            self.observation.check(self.observation.unflatten(row), f"first observation of environment {i}")

    def step(self) -> None:
        """As for `ForeignHost`."""
        buffers = self.buffers
        observations, rewards, terminals, truncations, _ = self.made[0].step(self.action.value(buffers.actions))
        self.observation.store(observations, self.views, slice(None))
        buffers.masks[:] = np.logical_not(self.over)
        buffers.rewards[:] = np.where(buffers.masks, rewards, 0.0)
        buffers.terminals[:] = terminals
        buffers.truncations[:] = truncations
        self.over = (buffers.terminals | buffers.truncations).tolist()
        for i, (reward, live) in enumerate(zip(buffers.rewards.tolist(), buffers.masks.tolist(), strict=True)):
            if live:
                self.tally.note(i, reward, self.over[i])
