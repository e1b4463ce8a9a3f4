"""Gymnasium's and PettingZoo's environments as recipes for `Workers`."""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium
from gymnasium.vector import AutoresetMode

from matdesign.envs import Environment
from matdesign.errors import InputError, MatdesignError
from matdesign.vector.batch import Buffers, Rows
from matdesign.vector.hosts import (
    LOG_NAMES,
    ForeignHost,
    GymnasiumHost,
    GymnasiumVectorHost,
    PettingZooHost,
    Spaces,
)
from matdesign.vector.recipe import Description
from matdesign.vector.spaces import ActionLayout, Layout


@dataclass(kw_only=True)
class Foreign(ABC):
    """A third-party environment.

    Attributes:
        make: what makes one: a function, "module:function", or the name under which it is registered.
        settings: keyword arguments of that function.
    """

    make: str | Callable[..., Any]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def describe(self) -> Description:
        """As for `Recipe`."""
        env = self.made(self.first_settings())
        try:
            self.spaces = self.of(env)
        finally:
            env.close()
        observation, action = self.spaces.observation, self.spaces.action
        low, high = observation.bounds
        rows = Rows(
            agents=len(self.spaces.agents),
            features=observation.columns,
            observation_type=observation.dtype,
            low=low,
            high=high,
            action_dims=action.columns,
            action_type=action.dtype,
            choices=action.choices,
        )
        environment = Environment(
            name=self.name, summary="", settings=(), log_names=LOG_NAMES, built_in=False, pointer=None
        )
        return Description(environment=environment, rows=rows, observation_layout=observation, action_layout=action)

    def made(self, settings: Mapping[str, Any]) -> Any:
        """A new one with these keyword arguments."""
        try:
            if callable(self.make):
                return self.make(**settings)
            if ":" in self.make and self.make.rpartition(":")[2].isidentifier():
                return imported(self.make)(**settings)
            return self.registered(self.make, settings)
        except MatdesignError:
            raise
        except Exception as error:
            raise InputError(f"{self.name} cannot be made with {dict(settings)}: {error}") from error

    @property
    def name(self) -> str:
        """For people."""
        return self.make if isinstance(self.make, str) else getattr(self.make, "__name__", "environment")

    @abstractmethod
    def registered(self, name: str, settings: Mapping[str, Any]) -> Any:
        """The one that is registered under `name`."""

    def first_settings(self) -> Mapping[str, Any]:
        """Keyword arguments of the one whose spaces are looked at."""
        return self.settings

    @abstractmethod
    def of(self, env: Any) -> Spaces:
        """What is asked of every environment of the batch."""

    @abstractmethod
    def open(self, buffers: Buffers, *, envs: int, first: int) -> ForeignHost:
        """As for `Recipe`."""


class Gymnasium(Foreign):
    """One agent; a name is one that `gymnasium.make` takes."""

    def registered(self, name: str, settings: Mapping[str, Any]) -> Any:
        """As for `Foreign`."""
        return gymnasium.make(name, disable_env_checker=True, **settings)

    def of(self, env: Any) -> Spaces:
        """As for `Foreign`."""
        return Spaces(Layout(env.observation_space), ActionLayout(env.action_space))

    def open(self, buffers: Buffers, *, envs: int, first: int) -> GymnasiumHost:
        """As for `Recipe`."""
        made = [self.made(self.settings) for _ in range(envs)]
        for i, env in enumerate(made):
            self.spaces.observation.require(env.observation_space, f"observation space of environment {first + i}")
            self.spaces.action.require(env.action_space, f"action space of environment {first + i}")
        return GymnasiumHost(made, self.spaces, buffers, envs=envs, first=first)


class PettingZoo(Foreign):
    """Several agents with equal spaces, through PettingZoo's parallel interface; "module:function" makes one."""

    def registered(self, name: str, settings: Mapping[str, Any]) -> Any:
        """PettingZoo keeps no register."""
        raise InputError(
            f"{name!r} names no function: give module:function, such as pettingzoo.butterfly.pistonball_v6:parallel_env"
        )

    def of(self, env: Any) -> Spaces:
        """As for `Foreign`."""
        agents = getattr(env, "possible_agents", None)
        if not agents:
            raise InputError("this PettingZoo environment has no possible_agents: rows need a fixed number of agents")
        spaces = Spaces(
            Layout(env.observation_space(agents[0])), ActionLayout(env.action_space(agents[0])), tuple(agents)
        )
        self._require(env, spaces, "")
        return spaces

    def open(self, buffers: Buffers, *, envs: int, first: int) -> PettingZooHost:
        """As for `Recipe`."""
        made = [self.made(self.settings) for _ in range(envs)]
        for i, env in enumerate(made):
            if tuple(env.possible_agents) != self.spaces.agents:
                raise InputError(f"environment {first + i} has agents {env.possible_agents}, not {self.spaces.agents}")
            self._require(env, self.spaces, f" in environment {first + i}")
        return PettingZooHost(made, self.spaces, buffers, envs=envs, first=first)

    def _require(self, env: Any, spaces: Spaces, where: str) -> None:
        for agent in spaces.agents:
            spaces.observation.require(env.observation_space(agent), f"observation space of {agent}{where}")
            spaces.action.require(env.action_space(agent), f"action space of {agent}{where}")


class GymnasiumVector(Foreign):
    """Gymnasium's vector environments; the function that makes one takes `num_envs`, a name is for `make_vec`."""

    def registered(self, name: str, settings: Mapping[str, Any]) -> Any:
        """As for `Foreign`."""
        return gymnasium.make_vec(name, **settings)

    def first_settings(self) -> Mapping[str, Any]:
        """As for `Foreign`."""
        return {**self.settings, "num_envs": 1}

    def of(self, env: Any) -> Spaces:
        """As for `Foreign`."""
        mode = env.metadata.get("autoreset_mode")
        if mode != AutoresetMode.NEXT_STEP:
            raise InputError(
                f"autoreset_mode of this vector environment is {mode}: make it with AutoresetMode.NEXT_STEP, others "
                "hide the last observation of an episode"
            )
        return Spaces(Layout(env.single_observation_space), ActionLayout(env.single_action_space))

    def open(self, buffers: Buffers, *, envs: int, first: int) -> GymnasiumVectorHost:
        """As for `Recipe`."""
        env = self.made({**self.settings, "num_envs": envs})
        self.spaces.observation.require(env.single_observation_space, "observation space")
        self.spaces.action.require(env.single_action_space, "action space")
        return GymnasiumVectorHost([env], self.spaces, buffers, envs=envs, first=first)


def imported(name: str) -> Callable[..., Any]:
    """The function that "module:function" names.

    Raises:
        InputError: there is none.
    """
    module, _, function = name.partition(":")
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"environment {name!r} cannot be imported ({error}): give module:function") from error
    return found
