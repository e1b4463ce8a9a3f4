"""What worker processes and their owner tell each other: how environments are made, and what they are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from matdesign.envs import Environment
from matdesign.errors import MatdesignError
from matdesign.scene import Scene
from matdesign.vector.batch import MOST_PARTS, Buffers, Rows, Saved
from matdesign.vector.interface import SettingValues
from matdesign.vector.vector import Vector, described

if TYPE_CHECKING:
    from matdesign.vector.spaces import ActionLayout, Layout

GATE_BYTES = 128  # sizeof(Gate)
CALL = MOST_PARTS  # the lane of everything but steps


class WorkerError(MatdesignError):
    """A worker will never answer; the message says what became of it."""


class Host(Protocol):
    """Environments in a worker process; `Vector` is one. Its methods are those of `Batch`."""

    def reset(self, seed: int) -> None:
        """Start the first episodes."""

    def step(self) -> None:
        """Advance every environment."""

    def log(self, index: int | None = None) -> dict[str, float]:
        """Means over ended episodes."""

    def scene(self, index: int) -> Scene:
        """What an environment looks like."""

    def save(self) -> Saved | None:
        """Their states."""

    def load(self, environments: NDArray[np.uint8], sizes: NDArray[np.int64]) -> None:
        """Go on from these."""

    def close(self) -> None:
        """End."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a worker says of its environments before any buffer exists; those of all workers must be equal.

    Attributes:
        environment: name, log names.
        rows: shapes.
        observation_layout: what a row of observations holds, in a third-party environment; None in ours.
        action_layout: the same for actions.
    """

    environment: Environment
    rows: Rows
    observation_layout: "Layout | None" = None
    action_layout: "ActionLayout | None" = None


def require_same(expected: Description, actual: Description) -> None:
    """Refuse environments that differ from others of the same batch, with InputError."""
    for one, other, what in (
        (expected.observation_layout, actual.observation_layout, "observation space"),
        (expected.action_layout, actual.action_layout, "action space"),
    ):
        if one is not None and other is not None:
            one.require(other.space, f"{what} of another worker")


class Recipe(Protocol):
    """How a worker makes its environments; sent to it once."""

    def describe(self) -> Description:
        """What they are; may already open one."""

    def open(self, buffers: Buffers, *, envs: int, first: int) -> Host:
        """`envs` environments in these buffers, of which the first is number `first` of all."""


@dataclass(frozen=True, kw_only=True)
class Native:
    """Environments in C, as for `Vector`.

    Attributes:
        environment: built-in name or path of a library.
        settings: values for the environment's own settings.
        prepare: called in the worker before anything else; None for nothing.
    """

    environment: str
    settings: SettingValues
    prepare: Callable[[], object] | None = None

    def describe(self) -> Description:
        """As for `Recipe`."""
        if self.prepare is not None:
            self.prepare()
        environment, rows, _ = described(self.environment, self.settings)
        named = Environment(**{**vars(environment), "pointer": None})  # an address means nothing elsewhere
        return Description(environment=named, rows=rows)

    def open(self, buffers: Buffers, *, envs: int, first: int) -> Vector:
        """As for `Recipe`."""
        return Vector(self.environment, self.settings, envs=envs, first=first, buffers=buffers)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A worker's place among all of them.

    Attributes:
        index: of its gate.
        workers: how many there are.
        envs: environments of all of them.
        pieces: its own environments in each part: number of the first, and how many.
        seed: None for a worker that begins with the others; for one that takes the place of another, what its first
            episodes begin from.
    """

    index: int
    workers: int
    envs: int
    pieces: tuple[tuple[int, int], ...]
    seed: int | None
