"""One environment with its agents behind PettingZoo's parallel interface."""

from typing import Any

from gymnasium.utils import seeding
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from matdesign.vector.gymnasium_adapter import agent_spaces
from matdesign.vector.interface import SettingValues
from matdesign.vector.vector import Vector

Array = NDArray[Any]


class PettingZooEnv(ParallelEnv[str, Array, Any]):  # type: ignore[misc]
    """One environment as a PettingZoo parallel environment; agents are `agent_0`, `agent_1`, ...

    An agent whose row is terminal or truncated leaves until the next `reset`, even where its row comes back to life, as
    a snake does: PettingZoo knows no second life, so what follows in that row is steered by zeros and seen by nobody.
    `infos[agent]["mask"]` is False where a transition belongs to no live agent.

    PettingZoo knows environments by their modules: `parallel_env("boids")` of this one is its usual entrance.

    Args:
        environment: as for `Vector`.
        settings: as for `Vector`.

    Raises:
        InputError: as for `Vector`.
    """

    def __init__(self, environment: str, settings: SettingValues | None = None) -> None:
        self.vector = Vector(environment, settings or {}, envs=1)
        self.metadata = {"name": self.vector.environment.name, "render_modes": [], "is_parallelizable": True}
        self.render_mode = None
        self.possible_agents = [f"agent_{i}" for i in range(self.vector.agents)]
        self.agents: list[str] = []
        # One space object for each agent: each has its own random generator for sampling.
        spaces = [agent_spaces(self.vector) for _ in self.possible_agents]
        self.observation_spaces = {a: space for a, (space, _) in zip(self.possible_agents, spaces, strict=True)}
        self.action_spaces = {a: space for a, (_, space) in zip(self.possible_agents, spaces, strict=True)}
        self._random, _ = seeding.np_random()

    def observation_space(self, agent: str) -> Any:
        """Return the observation space of an agent, always the same object."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Any:
        """Return the action space of an agent, always the same object."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Array], dict[str, dict[str, Any]]]:
        """Start a new episode; without a seed it follows from the last one given."""
        if seed is not None:
            self._random, _ = seeding.np_random(seed)
        self.vector.reset(int(self._random.integers(2**63)) if seed is None else seed)
        self.agents = self.possible_agents[:]
        return self._rows(self.vector.observations.copy()), self._infos()

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Array], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Advance by one action for each agent; agents without one get zeros."""
        if not self.agents:
            return {}, {}, {}, {}, {}
        vector = self.vector
        vector.actions[...] = 0
        for row, agent in enumerate(self.possible_agents):
            if agent in actions:
                vector.actions[row] = actions[agent]
        vector.step()
        result = (
            self._rows(vector.observations.copy()),
            self._rows(vector.rewards.tolist()),
            self._rows(vector.terminals.tolist()),
            self._rows(vector.truncations.tolist()),
            self._infos(),
        )
        over = self._rows((vector.terminals | vector.truncations).tolist())
        self.agents = [agent for agent in self.agents if not over[agent]]
        return result

    def close(self) -> None:
        """Close the environment."""
        self.vector.close()

    def _rows(self, rows: Any) -> dict[str, Any]:
        """What belongs to the agents that are there."""
        every = dict(zip(self.possible_agents, rows, strict=True))
        return {agent: every[agent] for agent in self.agents}

    def _infos(self) -> dict[str, dict[str, Any]]:
        return self._rows([{"mask": mask} for mask in self.vector.masks.tolist()])


def parallel_env(environment: str, **settings: Any) -> PettingZooEnv:
    """The environment called `environment`; its own settings by keyword."""
    return PettingZooEnv(environment, settings)
