"""Which backend and which sizes step an environment fastest on this machine."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from matdesign.errors import InputError
from matdesign.vector.batch import Batch

TAPE = 16  # batches of actions prepared in advance
REPEATS = 5


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One way to step environments.

    Attributes:
        backend: threads or worker processes.
        size: threads or worker processes.
        envs: environments stepped together.
    """

    backend: Literal["threads", "processes"]
    size: int
    envs: int

    @property
    def label(self) -> str:
        """For people."""
        if self.size > 1:
            return f"{self.size} {self.backend}"
        return "serial" if self.backend == "threads" else "1 process"

    @property
    def settings(self) -> str:
        """As the command line takes it."""
        sizes = f"env.threads={self.size}" if self.backend == "threads" else f"env.workers={self.size}"
        return f"env.backend={self.backend} {sizes} env.envs={self.envs}"


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What a choice achieved.

    Attributes:
        choice: the choice.
        rate: steps of live agents a second, median of the repeats.
        spread: between the slowest and the fastest repeat.
    """

    choice: Choice
    rate: float
    spread: float


def choices(envs: int, cores: int, *, in_process: bool) -> list[Choice]:
    """What is worth trying around `envs` environments on `cores` cores."""
    counts = sorted({max(1, envs // 4), envs, 4 * envs})
    sizes = sorted({2**i for i in range(cores.bit_length()) if 2**i <= cores} | {cores})
    backends: tuple[Literal["threads", "processes"], ...] = ("threads", "processes") if in_process else ("processes",)
    return [
        Choice(backend=backend, size=size, envs=count)
        for backend in backends
        for count in counts
        for size in sizes
        if size <= count
    ]


def tune(open_batch: Callable[[Choice], Batch], candidates: Sequence[Choice], *, seconds: float) -> Iterator[Timing]:
    """Measure each candidate for about `seconds`; those that cannot be opened are left out.

    Actions are random; what is timed is `step` alone, resets included.
    """
    for choice in candidates:
        try:
            batch = open_batch(choice)
        except InputError:
            continue
        with batch:
            batch.reset(0)
            rates = _rates(batch, seconds)
        spread = max(rates) - min(rates)
        yield Timing(choice=choice, rate=statistics.median(rates), spread=spread)


def random_actions(batch: Batch, random: np.random.Generator) -> Any:
    """Actions for every row, over the whole range."""
    shape = batch.actions.shape
    if batch.column_choices:
        return random.integers(0, batch.column_choices, shape).astype(batch.actions.dtype)
    if batch.actions.dtype == np.float32:
        return random.uniform(-1.0, 1.0, shape).astype(np.float32)
    space = batch.action_layout
    assert space is not None
    return np.stack([space.row(space.space.sample()) for _ in range(shape[0])])


def _rates(batch: Batch, seconds: float) -> list[float]:
    random = np.random.default_rng(0)
    tape = [random_actions(batch, random) for _ in range(TAPE)]
    rates: list[float] = []
    steps = 1
    while len(rates) < REPEATS:
        spent, live = 0.0, 0
        for i in range(steps):
            batch.actions[:] = tape[i % TAPE]
            start = time.perf_counter()
            batch.step()
            spent += time.perf_counter() - start
            live += int(np.count_nonzero(batch.masks))
        if spent < 0.5 * seconds / REPEATS:  # still too few to time
            steps = max(2 * steps, int(steps * 0.8 * seconds / REPEATS / max(spent, 1e-9)))
        else:
            rates.append(live / spent)
    return rates
