"""The worker process: `python -m matdesign.vector.worker SOCKET MEMORY` steps environments for a `Workers`.

Standard input is a pipe that only its owner holds: when that closes, the worker ends, whatever it is doing.
"""

import mmap
import os
import pickle
import sys
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matdesign.errors import MatdesignError
from matdesign.scene import Scene
from matdesign.vector import interface
from matdesign.vector.batch import Buffers, Saved
from matdesign.vector.recipe import CALL, GATE_BYTES, Host, Place, Recipe, WorkerError


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

    def save(self) -> Saved | None:
        """As for `Batch`."""
        return None if self._seed is not None else self._host.save()

    def load(self, environments: NDArray[np.uint8], sizes: NDArray[np.int64]) -> None:
        """As for `Batch`."""
        self._host.load(environments, sizes)
        self._seed = None

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
