"""A trained policy at work in its environments, as a player's source."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from matdesign.agents.actor import Actor
from matdesign.agents.policies import Policy
from matdesign.design.keyboard import KEYS, STEPS_A_SECOND
from matdesign.envs.atoms import atoms_layout
from matdesign.envs.goals import SPHERES, move_goal
from matdesign.envs.reading import atom_reading, words
from matdesign.render.player import Source
from matdesign.scene import Scene
from matdesign.sections import Config
from matdesign.vector import Batch, Vector

RATE = 20.0  # steps a second
OF_SPHERES = ("atoms", "boids", "drone_swarm")  # environments that draw every agent by equally many spheres, in order
MOST_SHOWN = 24  # columns of an observation


class Live(Source):
    """Steps environments under a policy and shows one of them; looking changes nothing.

    Args:
        config: of the environments.
        vector: the environments; reset with `seed`.
        policy: on the CPU.
        title: one line.
        seed: of the starts, and of the sampled actions.
        deterministic: the mean (or most probable) action instead of a sampled one.
    """

    def __init__(
        self, config: Config, vector: Batch, policy: Policy, *, title: str, seed: int, deterministic: bool = True
    ) -> None:
        self.title = title
        self.rate = STEPS_A_SECOND.get(vector.environment.name, RATE)
        self.agents = vector.agents
        self.environments = vector.envs
        self._config, self._vector, self._policy = config, vector, policy
        self._seed, self._deterministic = seed, deterministic
        self._index = 0
        self._game = KEYS.get(vector.environment.name, ({}, 0)) if vector.environment.built_in else ({}, 0)
        self.keys = "".join(self._game[0])
        self._steered: tuple[int, int] | None = None  # row and action of the next step
        self._of_spheres = (
            isinstance(vector, Vector) and vector.environment.built_in and vector.environment.name in OF_SPHERES
        )
        self.reset()

    def reset(self) -> None:
        """Start all environments again, as they started the first time."""
        self._vector.reset(self._seed)
        generator = None if self._deterministic else torch.Generator().manual_seed(self._seed)
        self._act = Actor(self._policy, generator)
        self._steps = np.zeros(self._vector.envs, int)
        self._returns = np.zeros(self._vector.rows)
        self._figures: dict[int, Mapping[str, float]] = {}
        self.frame = 0

    def step(self) -> None:
        """As for `Source`."""
        vector = self._vector
        actions = self._act(torch.from_numpy(vector.observations), torch.from_numpy(vector.masks))
        torch.from_numpy(vector.actions).copy_(actions)
        if self._steered is not None:
            row, vector.actions[row] = self._steered
            self._steered = None
        vector.step()
        self.frame += 1
        begun = ~vector.masks  # the step after an episode's end starts the next one
        self._returns = np.where(begun, 0.0, self._returns + vector.rewards)
        self._steps = np.where(begun.reshape(vector.envs, -1).all(axis=1), 0, self._steps + 1)
        ended = (vector.terminals | vector.truncations).reshape(vector.envs, -1).any(axis=1)
        for index in map(int, np.flatnonzero(ended)):
            self._figures[index] = vector.log(index)

    def scene(self) -> Scene:
        """As for `Source`."""
        return self._vector.scene(self._index)

    def look_at(self, environment: int) -> None:
        """As for `Source`."""
        self._index = environment

    def caption(self) -> str:
        """As for `Source`."""
        parts = [f"environment {self._index}"] if self.environments > 1 else []
        parts += [f"step {self._steps[self._index]}", f"mean return {self._returns[self._rows()].mean():.3g}"]
        last = self._figures.get(self._index, {})
        known = [f"{name} {last[name]:.3g}" for name in ("score", "perf") if name in last]
        parts += [f"last episode: {' '.join(known)}"] if known else []
        return ", ".join(parts)

    def sphere(self, agent: int) -> int | None:
        """As for `Source`."""
        each = self._spheres_each()
        return agent * each if each else None

    def agent(self, sphere: int) -> int | None:
        """As for `Source`."""
        each = self._spheres_each()
        return sphere // each if each and sphere < each * self.agents else None

    def goal(self, sphere: int) -> int | None:
        """As for `Source`."""
        each = self._spheres_each()
        of_goals = each and each == SPHERES.get(self._vector.environment.name)
        return self.agent(sphere) if of_goals and sphere % each == each - 1 else None

    def move_goal(self, agent: int, point: Sequence[float]) -> None:
        """As for `Source`."""
        assert isinstance(self._vector, Vector)  # only ours draw spheres for agents
        move_goal(self._vector, self._index, agent, point)

    def steer(self, agent: int, key: str) -> None:
        """As for `Source`."""
        keys, idle = self._game
        self._steered = self._index * self.agents + agent, keys.get(key, idle)

    def reading(self, agent: int) -> Mapping[str, str]:
        """Action, reward and observation of an agent; of an atom energy and force, too."""
        vector, row = self._vector, self._index * self.agents + agent
        seen = vector.observations[row]
        found = {"reward": f"{vector.rewards[row]:.4g}", "return": f"{self._returns[row]:.4g}"}
        found["action"] = words(vector.actions[row].astype(float))
        if self._config.env.of_atoms:
            layout = atoms_layout(self._config.material, self._config.env.settings)
            if layout.features == vector.features:
                found |= atom_reading(seen, layout, self._config.material)
        more = f"  ... ({len(seen)} in all)" if len(seen) > MOST_SHOWN else ""
        found["observation"] = words(seen[:MOST_SHOWN].astype(float)) + more
        return found

    def _rows(self) -> slice:
        return slice(self._index * self.agents, (self._index + 1) * self.agents)

    def _spheres_each(self) -> int:
        """Spheres that each agent is drawn by; 0 where spheres are not agents."""
        if not self._of_spheres:
            return 0
        count = len(self.scene().spheres)
        return count // self.agents if count % self.agents == 0 else 0
