"""The searches of a design: each in a process of its own, its findings on disk line by line."""

import json
import math
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from matdesign.agents.softexit import Interrupted
from matdesign.design.ledger import Cost
from matdesign.design.objective import Entry, Objective, search
from matdesign.design.problem import Problem, open_problem
from matdesign.design.searchers import make_searcher
from matdesign.design.searchers.searcher import Searcher
from matdesign.design.spaces.space import Design
from matdesign.design.trained import TRAINED, open_trained
from matdesign.design_sections import DesignConfig
from matdesign.errors import MatdesignError
from matdesign.properties import Cache
from matdesign.properties.workers import parallel

SEARCHES, CACHE = "searches", "cache"  # folders in the run's
GLANCE = 0.3  # seconds between two looks at how far the searches are


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """One design as a search left it on disk.

    Attributes:
        method: that proposed it.
        seed: of the search.
        index: how many the search had measured before it.
        design: of the space.
        score: lower is better; infinite where it breaks a constraint or could not be measured.
        values: of targets and constraints by label: value and standard error.
        violation: by how much it breaks constraints.
        cost: of the search so far.
    """

    method: str
    seed: int
    index: int
    design: Design
    score: float
    values: dict[str, tuple[float, float]]
    violation: float
    cost: Cost


def run_searches(config: DesignConfig, methods: Sequence[str], folder: Path, scales: dict[str, float]) -> list[str]:
    """Runs all methods with all seeds; what they find is read by `findings`, also while they run or after a stop.

    A search that was stopped goes on from the samples in the run's cache when it is run again: what it proposes depends
    on its seed and on what it is told alone. What it had found stays on disk until it has found as much again.

    Returns:
        a sentence for each search that ended early.

    Raises:
        MatdesignError: all of them did, and nothing was found.
    """
    (folder / SEARCHES).mkdir(exist_ok=True)
    jobs = [(method, config.seed + k) for k in range(config.search.repeats)
            for method in methods]  # fmt: skip
    paths = [_path(folder, method, seed) for method, seed in jobs]
    processes = min(config.processes or len(os.sched_getaffinity(0)), len(jobs))
    with _progress(config, paths):
        if processes == 1:
            errors = [_search(config, folder, scales, *job) for job in jobs]
        else:
            work = (partial(_search, config, folder, scales, *job) for job in jobs)
            errors = list(parallel(work, processes, "its process crashed"))
    if all(errors) and not findings(folder):
        raise MatdesignError(f"no search came to an end: {errors[0]}")
    early = zip(jobs, errors, strict=True)
    return [f"search by {method}, seed {seed}, ended early: {error}" for (method, seed), error in early if error]


def _search(config: DesignConfig, folder: Path, scales: dict[str, float], method: str, seed: int) -> str:
    """One search; returns what went wrong."""
    import torch

    torch.set_num_threads(1)
    try:
        problem = open_problem(config, scales=scales)
        searcher = open_searcher(config, problem, method, seed=seed, folder=folder)
        objective = problem.objective(seed=config.seed, cache=Cache(folder / CACHE))
        objective.cost = searcher.cost
        path, budget = _path(folder, method, seed), config.search
        with _Diary(path) as diary:
            try:
                search(searcher, objective, budget=budget.designs, evaluations=budget.evaluations, show=diary.write)
            finally:
                diary.write(objective)  # what was measured since the last round, however it ended
            diary.complete()
    except Interrupted:
        raise
    except Exception as error:  # a search that fails in its own way ends itself, and neither the others nor the run
        return str(error) if isinstance(error, MatdesignError) else f"{type(error).__name__}: {error}"
    return ""


class _Diary:
    """The file of a search, line by line; that of an earlier one gives way to it once it is as long."""

    def __init__(self, path: Path) -> None:
        self._path, self._fresh = path, path.with_suffix(".new")
        self._before = path.read_bytes().count(b"\n") if path.exists() else 0
        self._told = 0

    def __enter__(self) -> Self:
        self._file = self._fresh.open("w", encoding="utf-8")
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, objective: Objective) -> None:
        """Adds the entries that are not there yet."""
        self._file.writelines(_line(entry) + "\n" for entry in objective.entries[self._told :])
        self._file.flush()
        self._told = len(objective.entries)
        if self._told >= self._before:
            self.complete()

    def complete(self) -> None:
        """Puts it in the place of the earlier one."""
        if self._fresh.exists():
            self._fresh.replace(self._path)


def open_searcher(config: DesignConfig, problem: Problem, method: str, *, seed: int, folder: Path) -> Searcher:
    """The searcher, with the settings that the configuration has for it, and its policy from the run's folder."""
    if method in TRAINED:
        return open_trained(config, problem, method, seed=seed, folder=folder)
    settings: dict[str, Any] = dict(config.search.settings) if method == config.search.method else {}
    return make_searcher(method, problem.space, settings, seed=seed)


def findings(folder: Path) -> list[Found]:
    """All designs of all searches so far, search by search, in the order in which they were measured."""
    found = []
    for path in sorted((folder / SEARCHES).glob("*.jsonl")):
        found += _read(path)
    return found


def _read(path: Path) -> list[Found]:
    """Those of one search, up to a line that is cut off or damaged."""
    found: list[Found] = []
    method, _, seed = path.stem.rpartition("-")
    for index, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines()):
        try:
            row = json.loads(line)
            found.append(
                Found(
                    method=method,
                    seed=int(seed),
                    index=index,
                    design=np.array(row["design"]),
                    score=_number(row["score"], math.inf),
                    values={label: (float(value), _number(error, math.nan))
                            for label, (value, error) in row["values"].items()},
                    violation=float(row["violation"]),
                    cost=Cost(**row["cost"]),
                )
            )  # fmt: skip
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            break
    return found


def _number(value: float | None, missing: float) -> float:
    return missing if value is None else float(value)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _line(entry: Entry) -> str:
    return json.dumps(
        {
            "design": entry.design.tolist(),
            "score": _finite(entry.score),
            "values": {label: [found.value, _finite(found.stderr)] for label, found in entry.measurements.items()},
            "violation": entry.violation,
            "cost": asdict(entry.cost),
        }
    )


def _path(folder: Path, method: str, seed: int) -> Path:
    return folder / SEARCHES / f"{method}-{seed}.jsonl"


@contextmanager
def _progress(config: DesignConfig, paths: Sequence[Path]) -> Iterator[None]:
    """A bar for each search on a terminal, nothing elsewhere."""
    console = Console(stderr=True)
    if config.quiet or not console.is_terminal:
        yield
        return
    columns = (TextColumn("{task.description:<24}"), BarColumn(), TextColumn("{task.completed}/{task.total} designs"))
    done = threading.Event()
    with Progress(*columns, TextColumn("{task.fields[best]}"), TimeElapsedColumn(), console=console) as bars:
        tasks = [bars.add_task(path.stem, total=config.search.designs, best="") for path in paths]

        def watch() -> None:
            while not done.wait(GLANCE):
                look()

        def look() -> None:
            for task, path in zip(tasks, paths, strict=True):
                rows = _read(path) if path.exists() else []
                best = min((row.score for row in rows), default=math.inf)
                bars.update(task, completed=len(rows), best=f"best {best:.5g}" if math.isfinite(best) else "")

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            look()
