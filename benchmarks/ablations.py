"""What each choice of the trainer is worth: one is changed at a time, in equal agent-steps, several seeds.

`perf while learning` is the mean of perf over the whole training: how soon and how steadily it is learned; `perf` that
of the last tenth. Both are of the training's own sampled actions. References are those of the first row,
the settings that ship for the environment. Each training runs on one thread; as many side by side as there are cores.
Finished trainings are kept in --runs and are not done again.
"""

import contextlib
import csv
import io
import multiprocessing
import os
import shutil
import statistics
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import table

from matdesign.cli import main
from matdesign.config import load

RUNS = Path("runs/ablations")
SEEDS = 3
# What is trained, and for how long: 5 to 15 CPU seconds each.
TASKS = {
    "cartpole": ("env=cartpole", "agent.ppo.total_agent_steps=100_000"),
    "squared 5x5": ("env=squared", "env.settings.size=5", "agent.ppo.total_agent_steps=300_000"),
    "atoms steer": ("env=atoms/steer", "material.structure.atoms=8", "agent.ppo.total_agent_steps=100_000"),
    "atoms cluster": ("env=atoms/cluster", "agent.ppo.total_agent_steps=400_000"),
}
CHOICES = {
    "as shipped": (),
    "muon": ("agent.ppo.optimizer=muon",),
    "muon, twice the rate": ("agent.ppo.optimizer=muon", "agent.ppo.learning_rate=*2"),
    "muon, five times the rate": ("agent.ppo.optimizer=muon", "agent.ppo.learning_rate=*5"),
    "adam, twice the rate": ("agent.ppo.learning_rate=*2",),
    "V-trace": ("agent.ppo.vtrace=true",),
    "priority 0.8": ("agent.ppo.priority=0.8",),
    "cosine": ("agent.ppo.learning_rate_schedule=cosine",),
    "value clip 0.2": ("agent.ppo.value_clip=0.2",),
    "normalised values": ("agent.ppo.normalise_values=true",),
    "shared layers": ("agent.policy.shared=true",),
    "bfloat16": ("agent.precision=bfloat16",),
    "V-trace, priority, muon": ("agent.ppo.vtrace=true", "agent.ppo.priority=0.8", "agent.ppo.optimizer=muon"),
}
OF_MLP = ("shared layers",)
NO_EVALUATION = ("evaluation.training_share=0", "evaluation.episodes=1")  # perf is the training's own


class Result(NamedTuple):
    """Perf over the whole training, perf over its last tenth, wall-clock seconds."""

    learning: float
    last: float
    seconds: float


def train(folder: Path, settings: Sequence[str]) -> Result:
    """`matdesign train` into `folder`, unless it was finished there before."""
    if not (folder / "metrics.csv").exists() or not (folder / "finished").exists():
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.redirect_stdout(io.StringIO()):
            if main(["train", f"output={folder}", "quiet=true", *NO_EVALUATION, *_resolved(settings)]):
                raise SystemExit(f"training in {folder} failed")
        (folder / "finished").touch()
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    steps = float(rows[-1]["agent_steps"])
    played = [(float(row["agent_steps"]) / steps, float(row["env/perf"])) for row in rows if row["env/perf"]]
    last = statistics.fmean(perf for part, perf in played if part > 0.9)
    return Result(statistics.fmean(perf for _, perf in played), last, float(rows[-1]["seconds"]))


def _resolved(settings: Sequence[str]) -> list[str]:
    """The settings, with =*N made into N times what ships for the environment."""
    factors = {text.split("=*")[0]: float(text.split("=*")[1]) for text in settings if "=*" in text}
    plain = [text for text in settings if "=*" not in text]
    if not factors:
        return plain
    rate = load([text for text in plain if text.startswith("env=")]).agent.ppo.learning_rate
    return [*plain, *(f"{name}={factor * rate}" for name, factor in factors.items())]


def compare() -> None:
    """Prints the rows of each task."""
    arguments = table.arguments(__doc__, runs=RUNS)
    results = table.Table(arguments.json)
    tasks = {"squared 5x5": TASKS["squared 5x5"]} if arguments.quick else TASKS
    choices = {name: CHOICES[name] for name in ("as shipped", "muon")} if arguments.quick else CHOICES
    seeds = range(1 if arguments.quick else SEEDS)
    workers = multiprocessing.get_context("fork")  # what is imported here need not be imported by each
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), workers) as pool:
        for task, settings in tasks.items():
            fitting = {n: c for n, c in choices.items() if not (n in OF_MLP and task.startswith("atoms"))}
            jobs = {
                name: [
                    pool.submit(
                        train,
                        arguments.runs / task.replace(" ", "_") / name.replace(" ", "_").replace(",", "") / str(seed),
                        [*settings, *choice, f"seed={seed}"],
                    )
                    for seed in seeds
                ]
                for name, choice in fitting.items()
            }
            shipped: Result | None = None
            for name, futures in jobs.items():
                found = [future.result() for future in futures]
                metrics = zip(
                    ("perf while learning", "perf", "wall clock"), ("", "", "s"), shipped or (None,) * 3, strict=True
                )
                medians = [
                    results.add(f"{task}: {name}", metric, samples, unit, reference=reference)
                    for (metric, unit, reference), samples in zip(metrics, zip(*found, strict=True), strict=True)
                ]
                shipped = shipped or Result(*medians)
    results.close()


if __name__ == "__main__":
    import matdesign.design.job  # noqa: F401 -- torch and all

    compare()
