"""The worker process: `python -m matdesign.vector.worker SOCKET MEMORY` steps environments for a `Workers`.

Standard input is a pipe that only its owner holds: when that closes, the worker ends, whatever it is doing.
"""

import mmap
import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from matdesign.envs import Environment
from matdesign.errors import MatdesignError
from matdesign.scene import Scene
from matdesign.vector import interface
from matdesign.vector.batch import MOST_PARTS, Buffers, Rows
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
    prepare: Callable[[], None] | None = None

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


class Piece:
    """The environments of one part in this worker.

    A worker that takes the place of another answers the first step by starting new episodes: truncations are set, for
    the old episodes ended there, masks are not, for nobody knows what came of the actions.
    """

    def __init__(self, host: Host, buffers: Buffers, seed: int | None) -> None:
        self._host = host
        self._buffers = buffers
        self._seed = seed

    def step(self) -> None:
        """Advance every environment."""
        if self._seed is None:
            self._host.step()
            return
        self.reset(self._seed)
        self._buffers.rewards[:] = 0.0
        self._buffers.terminals[:] = False
        self._buffers.truncations[:] = True
        self._buffers.masks[:] = False

    def reset(self, seed: int) -> None:
        """Start the first episodes."""
        self._host.reset(seed)
        self._seed = None

    def log(self, index: int | None) -> dict[str, float]:
        """As for `Batch`; nothing has ended before the first episodes begin."""
        return {"episodes": 0.0} if self._seed is not None else self._host.log(index)

    def scene(self, index: int) -> Scene:
        """As for `Batch`."""
        if self._seed is not None:
            raise MatdesignError("this environment's worker was started again: its next episode begins with a step")
        return self._host.scene(index)

    def close(self) -> None:
        """As for `Batch`."""
        self._host.close()


def serve(connection: Connection, memory_file: int) -> None:
    """Open the environments that the other side asks for and step them until it asks for no more."""
    recipe: Recipe = pickle.loads(connection.recv())  # noqa: S301 from the process that started this one
    description = recipe.describe()
    connection.send(description)
    place: Place | None = connection.recv()
    if place is None:
        return
    memory = np.frombuffer(mmap.mmap(memory_file, 0), np.uint8)
    buffers = Buffers.carved(memory[GATE_BYTES * place.workers :], description.rows, place.envs)
    agents = description.rows.agents
    pieces = []
    for first, count in place.pieces:
        own = buffers.part(slice(first * agents, (first + count) * agents))
        pieces.append(Piece(recipe.open(own, envs=count, first=first), own, place.seed))
    connection.send(None)
    gate = memory.ctypes.data + GATE_BYTES * place.index
    while True:
        lane = interface.gate_next(gate)
        if lane != CALL:
            pieces[lane].step()
        elif (message := connection.recv()) is not None:
            _answer(connection, pieces, *message)
        else:
            break
        interface.gate_done(gate, lane)
    for piece in pieces:
        piece.close()


def _answer(
    connection: Connection, pieces: list[Piece], method: str, arguments: tuple[Any, ...], part: int | None
) -> None:
    asked = pieces if part is None else [pieces[part]]
    try:
        answer: object = [getattr(piece, method)(*arguments) for piece in asked]
    except MatdesignError as error:
        answer = error
    connection.send(answer)


def main() -> None:
    """Serve, and tell the owner what went wrong."""
    if interface.worker_tie(sys.stdin.fileno()) != 0:
        raise MatdesignError("a worker got no thread: ask for fewer workers")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what an environment prints is no output of the program
    connection = Connection(int(sys.argv[1]))
    try:
        serve(connection, int(sys.argv[2]))
    except MatdesignError as error:
        connection.send(error)
    except Exception as error:
        connection.send(WorkerError(f"raised {type(error).__name__}: {error}"))
        raise


if __name__ == "__main__":
    main()
