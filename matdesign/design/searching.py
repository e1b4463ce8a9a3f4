"""The searches of a design: each in a process of its own, its findings on disk line by line."""

import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

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


def run_searches(config: DesignConfig, methods: Sequence[str], folder: Path, scales: dict[str, float]) -> None:
    """Runs all methods with all seeds; what they find is read by `findings`, also while they run or after a stop.

    A search that was stopped goes on from the samples in the run's cache when it is run again: what it proposes depends
    on its seed and on what it is told alone.
    """
    (folder / SEARCHES).mkdir(exist_ok=True)
    jobs = [(method, config.seed + k) for k in range(config.search.repeats)
            for method in methods]  # fmt: skip
    paths = [_path(folder, method, seed) for method, seed in jobs]
    for path in paths:
        path.unlink(missing_ok=True)
    processes = min(config.processes or len(os.sched_getaffinity(0)), len(jobs))
    with _progress(config, paths):
        if processes == 1:
            errors = [_search(config, folder, scales, *job) for job in jobs]
        else:
            work = (partial(_search, config, folder, scales, *job) for job in jobs)
            errors = list(parallel(work, processes, "its process crashed"))
    if all(errors):
        raise MatdesignError(f"no search came to an end: {errors[0]}")
    for (method, seed), error in zip(jobs, errors, strict=True):
        if error:
            Console(stderr=True).print(f"search by {method}, seed {seed}, ended early: {error}", highlight=False)


def _search(config: DesignConfig, folder: Path, scales: dict[str, float], method: str, seed: int) -> str:
    """One search; returns what went wrong."""
    import torch

    torch.set_num_threads(1)
    try:
        problem = open_problem(config, scales=scales)
        searcher = open_searcher(config, problem, method, seed=seed, folder=folder)
        objective = problem.objective(seed=config.seed, cache=Cache(folder / CACHE))
        objective.cost = searcher.cost
        with _path(folder, method, seed).open("w", encoding="utf-8") as file:
            told = 0

            def tell(objective: Objective) -> None:
                nonlocal told
                for entry in objective.entries[told:]:
                    file.write(_line(entry) + "\n")
                file.flush()
                told = len(objective.entries)

            budget = config.search
            search(searcher, objective, budget=budget.designs, evaluations=budget.evaluations, show=tell)
    except MatdesignError as error:
        return str(error)
    return ""


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
        method, seed = path.stem.rsplit("-", 1)
        for index, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
            try:
                row = json.loads(line)
            except ValueError:  # the last line of a search that was killed
                break
            found.append(
                Found(
                    method=method,
                    seed=int(seed),
                    index=index,
                    design=np.array(row["design"]),
                    score=np.inf if row["score"] is None else row["score"],
                    values={label: (value, error) for label, (value, error) in row["values"].items()},
                    violation=row["violation"],
                    cost=Cost(**row["cost"]),
                )
            )
    return found


def _line(entry: Entry) -> str:
    return json.dumps(
        {
            "design": entry.design.tolist(),
            "score": entry.score if np.isfinite(entry.score) else None,
            "values": {label: [found.value, found.stderr] for label, found in entry.measurements.items()},
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
                lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
                scores = [row["score"] for row in map(json.loads, lines[:-1]) if row["score"] is not None]
                best = f"best {min(scores):.5g}" if scores else ""
                bars.update(task, completed=len(lines), best=best)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            look()
