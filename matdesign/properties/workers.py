"""Jobs in worker processes."""

import functools
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError

T = TypeVar("T")


def parallel(jobs: Iterator[Callable[[], T]], processes: int, crashed: T) -> Iterator[T]:
    """What the jobs return, in their order, computed in `processes` processes; `crashed` for one that ended its own."""
    begun: list[Callable[[], T]] = []  # and not finished

    def begin() -> Iterator[Any]:
        for job in jobs:
            begun.append(job)
            yield delayed(_work)(job, os.getpid())

    while True:
        try:
            workers = Parallel(n_jobs=processes, return_as="generator", pre_dispatch=processes, batch_size=1)
            for outcome in workers(begin()):
                del begun[0]
                yield outcome
            return
        except TerminatedWorkerError:
            suspects = begun.copy()
            begun.clear()
            for job in suspects:  # alone, each shows whether it was the one
                try:
                    yield Parallel(n_jobs=2)([delayed(_work)(job, os.getpid())])[0]
                except TerminatedWorkerError:
                    yield crashed


def _work(job: Callable[[], T], parent: int) -> T:
    _end_with(parent)
    return job()


@functools.cache
def _end_with(parent: int) -> None:
    """Ends this worker soon after its parent was killed: nobody would take its results."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
