"""Worker processes behind the interface of `Batch`: for environments that may crash, hang or keep Python busy.

Observations, actions and results lie in memory that all processes map; a step moves a few words through it and copies
nothing. That memory has no name, so nothing of it is left however the processes end.
"""

import mmap
import os
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import cloudpickle
import numpy as np
from numpy.typing import NDArray

from matdesign.errors import InputError, MatdesignError
from matdesign.scene import Scene
from matdesign.vector import interface
from matdesign.vector.batch import Batch, Buffers, Saved, checked_counts, mean_log
from matdesign.vector.process import GLANCE, Process
from matdesign.vector.recipe import CALL, GATE_BYTES, Description, Place, Recipe, WorkerError, require_same

MOST_FAILURES = 3  # of one worker in a row: then the environment itself is at fault
MOST_WORKERS = 1024
PATIENCE = 2.0  # seconds that a worker has to close its environments
START = 60.0  # seconds that importing and opening may take
SPINS = 1000  # looks before sleeping, as the thread pool's


class Workers(Batch):
    """Environments in worker processes.

    A worker that dies or takes longer than `timeout` is started again. The step it was at, or the next one, gives
    truncations True, masks False, rewards 0 and the first observation of a new episode in all its rows. `log` counts
    such ends as "interrupted" (environments), and the new processes as "restarts"; what the old one had logged since
    the last `log` is lost.

    Args:
        recipe: `matdesign.vector.recipe.Native`, or one of `matdesign.vector.foreign`.
        envs: number of environments.
        workers: processes; each steps an equal share of every part, one environment at least. Results do not depend on
            their number.
        parts: 1, or 2 to step one half while acting for the other.
        timeout: seconds that a step or a reset may take.

    Raises:
        InputError: as for `Vector`, a third-party environment that cannot be made, or spaces that differ.
        MatdesignError: a worker did not start, or failed several times in a row.
    """

    _owner = 0  # process that has to close what was opened; 0: none

    def __init__(self, recipe: Recipe, *, envs: int, workers: int, parts: int = 1, timeout: float = 60.0) -> None:
        checked_counts(envs, parts)
        most = min(envs // parts, MOST_WORKERS)
        if not 1 <= workers <= most:
            raise InputError(f"workers is {workers}: give 1 to {most} for {envs} environments in {parts} parts")
        if not timeout > 0:
            raise InputError(f"timeout is {timeout}: give more than 0 seconds")
        self._recipe = cloudpickle.dumps(recipe)
        self._timeout = timeout
        self._seed, self._started = 0, False
        self._flying: set[int] = set()
        self._failures = [0] * workers  # of each worker since its last good step
        self._unproven: dict[int, int] = {}  # steps that workers which were started again still have to do
        self._restarts = self._interrupted = self._restarts_ever = 0
        self._places = [_place(index, workers, envs, parts) for index in range(workers)]
        self._processes: list[Process] = []
        self._gates = 0  # address of the first, once there are any
        self._memory_file = os.memfd_create("matdesign")
        self._owner = os.getpid()
        try:
            self._open(envs, parts)
        except BaseException:
            self.close()
            raise

    def _open(self, envs: int, parts: int) -> None:
        self._processes = [self._launch() for _ in self._places]
        descriptions: list[Description] = [process.answer(START) for process in self._processes]
        description = descriptions[0]
        for other in descriptions[1:]:
            require_same(description, other)
        start = GATE_BYTES * len(self._places)  # whole cache lines
        try:
            os.ftruncate(self._memory_file, start + Buffers.size(description.rows, envs))
            memory = np.frombuffer(mmap.mmap(self._memory_file, 0), np.uint8)
        except (OSError, OverflowError, ValueError) as full:
            raise InputError(f"envs is {envs}: their buffers do not fit in memory, ask for fewer") from full
        self._gates = memory.ctypes.data
        for index in range(len(self._places)):
            self._open_gate(index)
        for process, place in zip(self._processes, self._places, strict=True):
            process.tell(place)
        for process in self._processes:
            process.answer(START)
        buffers = Buffers.carved(memory[start:], description.rows, envs)
        self._describe(description.environment, description.rows, buffers, envs=envs, parts=parts)
        self.observation_layout = description.observation_layout
        self.action_layout = description.action_layout

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [process.pid for process in self._processes]

    def reset(self, seed: int) -> None:
        """As for `Batch`."""
        if not self._owner:
            raise self._not_started()
        self._settle()
        self._seed, self._started = seed % 2**64, True
        self._call(range(len(self._places)), "reset", self._seed)
        self._restarts = self._interrupted = 0

    def send(self, part: int) -> None:
        """As for `Batch`."""
        if not self._started:
            raise self._not_started()
        if part in self._flying or not 0 <= part < len(self.parts):
            raise MatdesignError(f"part {part} cannot be sent: it is under way already, or there is no such part")
        self._flying.add(part)
        interface.gates_send(self._gates, len(self._places), part)

    def recv(self, part: int) -> None:
        """As for `Batch`."""
        if part not in self._flying:
            raise MatdesignError(f"part {part} cannot be received: send it first")
        begun = time.monotonic()
        while (late := interface.gates_wait(self._gates, len(self._places), part, int(1000 * GLANCE))) >= 0:
            try:
                self._processes[late].require_alive(begun, self._timeout)
            except WorkerError as lost:
                self._restart(late, lost)
                begun = time.monotonic()
        self._flying.discard(part)
        if self._unproven:
            self._note_good_step()

    def log(self, index: int | None = None) -> dict[str, float]:
        """As for `Batch`; over all environments it also has "restarts" and "interrupted"."""
        if not self._started:
            raise self._not_started()
        self._settle()
        if index is not None:
            worker, part, local = self._find(index)
            log: dict[str, float] = self._call([worker], "log", local)[0][part]
            return log
        answers = self._call(range(len(self._places)), "log", None)
        counts = {"restarts": float(self._restarts), "interrupted": float(self._interrupted)}
        self._restarts = self._interrupted = 0
        return mean_log([log for answer in answers for log in answer]) | counts

    def scene(self, index: int) -> Scene:
        """As for `Batch`."""
        if not self._started:
            raise self._not_started()
        self._settle()
        worker, part, local = self._find(index)
        scene: Scene = self._call([worker], "scene", local, part=part)[0][0]
        return scene

    def save(self) -> Saved | None:
        """As for `Batch`."""
        if not self._started:
            raise self._not_started()
        self._settle()
        saved: dict[int, Saved | None] = {}  # by the number of a piece's first environment
        answers = self._call(range(len(self._places)), "save")
        for place, answer in zip(self._places, answers, strict=True):
            saved.update(zip((first for first, _ in place.pieces), answer, strict=True))
        pieces = [piece for _, piece in sorted(saved.items()) if piece is not None]
        if len(pieces) < len(saved):
            return None
        environments, sizes = zip(*pieces, strict=True)
        return np.concatenate(environments), np.concatenate(sizes)

    def load(self, environments: NDArray[np.uint8], sizes: NDArray[np.int64]) -> None:
        """As for `Batch`."""
        if not self._owner:
            raise self._not_started()
        self._settle()
        self._started = False
        ends = [0, *np.cumsum(sizes).tolist()]
        for worker, place in enumerate(self._places):
            for part, (first, count) in enumerate(place.pieces):
                own = environments[ends[first] : ends[first + count]]
                self._call([worker], "load", own, sizes[first : first + count], part=part)
        self._started = True

    def close(self) -> None:
        """As for `Batch`."""
        if self._owner != os.getpid():  # closed, or a fork's copy
            return
        self._owner, self._started = 0, False
        for index in range(len(self._processes)):
            self._ask(index, None)
        deadline = time.monotonic() + PATIENCE
        for process in self._processes:
            process.end(max(0.0, deadline - time.monotonic()))
        os.close(self._memory_file)

    def _launch(self) -> Process:
        return Process(self._memory_file, self._recipe)

    def _gate(self, index: int) -> int:
        return self._gates + GATE_BYTES * index

    def _open_gate(self, index: int) -> None:
        # To spin is to take time from the others where there are more processes than cores.
        alone = len(self._places) < len(os.sched_getaffinity(0))
        interface.gates_open(self._gate(index), 1, SPINS if alone else 0)

    def _settle(self) -> None:
        """Waits for what is under way."""
        for part in sorted(self._flying):
            self.recv(part)

    def _find(self, index: int) -> tuple[int, int, int]:
        """Worker, part and number among its own of environment `index`."""
        for worker, place in enumerate(self._places):
            for part, (first, count) in enumerate(place.pieces):
                if first <= index < first + count:
                    return worker, part, index - first
        raise InputError(f"environment index is {index}: give 0 to {self.envs - 1}")

    def _call(self, workers: Iterable[int], method: str, *arguments: Any, part: int | None = None) -> list[list[Any]]:
        """Answers of these workers for each of their parts, or for one."""
        message = (method, arguments, part)
        for index in workers:
            self._ask(index, message)
        return [self._reply(index, message) for index in workers]

    def _ask(self, index: int, message: object) -> None:
        self._processes[index].tell(message)
        if self._gates:
            interface.gates_send(self._gate(index), 1, CALL)

    def _reply(self, index: int, message: object) -> list[Any]:
        while True:
            try:
                answers: list[Any] = self._processes[index].answer(self._timeout)
                return answers
            except WorkerError as lost:
                self._restart(index, lost)
                self._ask(index, message)

    def _restart(self, index: int, lost: WorkerError) -> None:
        """Another process in the place of one that failed, with new episodes; steps under way begin again there."""
        while True:
            self._failures[index] += 1
            self._restarts += 1
            self._restarts_ever += 1
            if self._failures[index] > MOST_FAILURES:
                raise MatdesignError(
                    f"{self.environment.name}: worker {index} failed {self._failures[index]} times in a row, the last "
                    f"time it {lost}: what it wrote is on standard error"
                ) from lost
            self._processes[index].end()
            self._open_gate(index)
            seed = np.random.SeedSequence((self._seed, index, self._restarts_ever)).generate_state(1)[0]
            self._processes[index] = process = self._launch()
            try:
                process.answer(START)
                process.tell(replace(self._places[index], seed=int(seed)))
                process.answer(START)
            except WorkerError as again:
                lost = again
                continue
            break
        self._interrupted += sum(count for _, count in self._places[index].pieces)
        self._unproven[index] = len(self.parts) + 1  # its first step of each part only starts episodes
        for part in self._flying:
            interface.gates_send(self._gate(index), 1, part)

    def _note_good_step(self) -> None:
        for index in list(self._unproven):
            self._unproven[index] -= 1
            if self._unproven[index] == 0:
                del self._unproven[index]
                self._failures[index] = 0

    def _not_started(self) -> MatdesignError:
        if not self._owner:
            return MatdesignError("these workers were closed: open others")
        return MatdesignError("these workers have no episode yet: call reset(seed) first")


def _place(index: int, workers: int, envs: int, parts: int) -> Place:
    """An even share of each part."""
    each = envs // parts
    begin, end = index * each // workers, (index + 1) * each // workers
    pieces = tuple((part * each + begin, end - begin) for part in range(parts))
    return Place(index=index, workers=workers, envs=envs, pieces=pieces, seed=None)
