"""Environments of this package behind Gymnasium's interfaces, for tools that expect them.

Importing this module registers every built-in environment of one agent with Gymnasium, as matdesign/NAME-v0:

    import gymnasium
    env = gymnasium.make("matdesign.vector.gymnasium_adapter:matdesign/squared-v0", settings={"size": 5})

Both adapters copy what they return; training on the buffers of `Vector` itself is faster.
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import Env
from gymnasium.spaces import Box, Discrete, MultiDiscrete, Space
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from matdesign.envs import built_in
from matdesign.errors import InputError
from matdesign.vector.interface import SettingValues
from matdesign.vector.vector import Vector, described

Array = NDArray[Any]


def agent_spaces(vector: Vector) -> tuple[Box, Space[Any]]:
    """Return the observation and the action space of one agent."""
    observation = Box(vector.low, vector.high, (vector.features,), vector.observations.dtype.type)
    if vector.choices == 0:
        return observation, Box(-1.0, 1.0, (vector.action_dims,), np.float32)
    if vector.action_dims == 1:
        return observation, Discrete(vector.choices)
    return observation, MultiDiscrete([vector.choices] * vector.action_dims, dtype=np.int32)


class GymnasiumVectorEnv(VectorEnv[Array, Array, Array]):
    """A single-agent environment, many times, as a Gymnasium vector environment with next-step autoreset.

    Args:
        environment: as for `Vector`.
        settings: as for `Vector`.
        envs: number of environments.
        threads: threads that step them.

    Raises:
        InputError: as for `Vector`, or the environment has several agents.
    """

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.NEXT_STEP, "render_modes": []}  # noqa: RUF012

    def __init__(self, environment: str, settings: SettingValues, *, envs: int, threads: int = 1) -> None:
        self.vector = Vector(environment, settings, envs=envs, threads=threads)
        _require_one_agent(self.vector)
        self.num_envs = envs
        self.single_observation_space, self.single_action_space = agent_spaces(self.vector)
        self.observation_space = batch_space(self.single_observation_space, envs)
        self.action_space = batch_space(self.single_action_space, envs)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """Start new episodes everywhere; without a seed they follow from the last one given."""
        super().reset(seed=seed, options=options)
        self.vector.reset(int(self.np_random.integers(2**63)) if seed is None else seed)
        return self.vector.observations.copy(), {}

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Advance every environment; those that ended in the last step are reset instead.

        Args:
            actions: [envs] or [envs, action_dims].
        """
        vector = self.vector
        vector.actions[...] = np.reshape(actions, vector.actions.shape)
        vector.step()
        return (
            vector.observations.copy(),
            vector.rewards.copy(),
            vector.terminals.copy(),
            vector.truncations.copy(),
            {},
        )

    def close_extras(self, **_: Any) -> None:
        """Close the environments."""
        self.vector.close()


class GymnasiumEnv(Env[Array, Any]):
    """One single-agent environment as a Gymnasium environment.

    Args:
        environment: as for `Vector`.
        settings: as for `Vector`.

    Raises:
        InputError: as for `Vector`, or the environment has several agents.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(self, environment: str, settings: SettingValues | None = None) -> None:
        self.vector = Vector(environment, settings or {}, envs=1)
        _require_one_agent(self.vector)
        self.observation_space, self.action_space = agent_spaces(self.vector)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """Start a new episode; without a seed it follows from the last one given."""
        super().reset(seed=seed, options=options)
        self.vector.reset(int(self.np_random.integers(2**63)) if seed is None else seed)
        return self.vector.observations[0].copy(), {}

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Advance by one action: an integer, or [action_dims]."""
        vector = self.vector
        vector.actions[0] = action
        vector.step()
        return (
            vector.observations[0].copy(),
            float(vector.rewards[0]),
            bool(vector.terminals[0]),
            bool(vector.truncations[0]),
            {},
        )

    def close(self) -> None:
        """Close the environment."""
        self.vector.close()


def vector_env(
    environment: str, num_envs: int, settings: SettingValues | None = None, threads: int = 1
) -> GymnasiumVectorEnv:
    """What `gymnasium.make_vec` calls."""
    return GymnasiumVectorEnv(environment, settings or {}, envs=num_envs, threads=threads)


def _require_one_agent(vector: Vector) -> None:
    if vector.agents != 1:
        vector.close()
        raise InputError(
            f"{vector.environment.name} has {vector.agents} agents: use PettingZooEnv, or set it to one agent"
        )


def _register() -> None:
    for name in built_in():
        try:
            _, rows, _ = described(name, {})
        except InputError:  # it has settings without a default
            continue
        if rows.agents == 1:
            gymnasium.register(
                f"matdesign/{name}-v0",
                entry_point=f"{__name__}:GymnasiumEnv",
                vector_entry_point=f"{__name__}:vector_env",
                kwargs={"environment": name},
            )


_register()
