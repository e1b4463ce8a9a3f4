"""When atoms should care for each other: credit, neighbours and critic, one changed at a time, in equal agent-steps.

python benchmarks/coordination.py [--quick] [--json FILE] [--runs FOLDER]     half an hour of CPU time; quick: a minute

A policy is trained for each seed and then flown with sampled actions over starts it has not seen. `ground state` is the
share of random starts that 13 argon atoms relax from into their ground state; `order held` the share of time that 108
Lennard-Jones atoms are within 0.03 of an order that is another in each episode; `coordination` is by how much the mean
number of neighbours of 13 argon atoms misses 5 +- 0.1 after 100 MD steps without control, learned from that property
alone; `arrived` the share of 8 atoms at goals of their own, where nothing is to be won together. `while learning` is
the same over the second half of the training. References are what ships for the task, which comes first.

Credit difference is own where the property is a mean of atoms' parts, and left out there. With `one goal` the order is
0.3 in all of the training; `asked for 0.5` and the like tell how well a policy holds an order without more training.
What is finished is kept in FOLDER and not done again.
"""

import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import table
import torch
from joblib import Parallel, delayed

from matdesign.config import load
from matdesign.design.assembly import open_vector
from matdesign.design.flight import fly
from matdesign.design.training import make_trainer
from matdesign.properties.coordination import Coordination
from matdesign.rewards.measured import measured_settings
from matdesign.rewards.target import Target
from matdesign.sections import Config
from matdesign.sim import lammps

RUNS = Path("runs/coordination")
SEEDS = 3
STARTS = 1000  # seed of those flown
ONE_GOAL = "one goal"
Settings = tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """Something to learn.

    Attributes:
        figure: of an ended episode, that tells how well.
        sign: of the figure in the table.
        settings: the environment and budget.
        credit: that ships, or fits best by its own docs.
        same: credits that are the same as another one here, or between two others.
        episodes: flown.
        also: other settings, under which policies that learned with what ships, or for one goal, are flown.
    """

    figure: str
    sign: int
    settings: Settings
    credit: str
    same: tuple[str, ...] = ()
    episodes: int = 320
    also: Mapping[str, Settings] = field(default_factory=dict)


PROPERTY = {
    "control": "kick", "md_steps": 20, "horizon": 20, "strength": 1.0, "remove_drift": "true", "container": 4.0,
    "start_relax": 20, "reward": "property", "free_steps": 100, "relax_evaluations": 0,
}  # fmt: skip
TASKS = {
    "ground state": Task(
        "perf", 1, ("env=atoms/cluster", "agent.ppo.total_agent_steps=400_000"), "mix", same=("difference",)
    ),
    "order held": Task(
        "perf", 1, ("env=atoms/order", "agent.ppo.total_agent_steps=150_000"), "mix", episodes=32,
        also={f"asked for {goal}": (f"env.settings.goal={goal}",) for goal in (0.3, 0.5, 0.7)},
    ),
    "coordination": Task(
        "score", -1,
        ("env=atoms/cluster", "agent.ppo.total_agent_steps=200_000",
         *(f"env.settings.{name}={value}" for name, value in PROPERTY.items())),
        "team", episodes=128,
    ),
    "arrived": Task(
        "perf", 1, ("env=atoms/steer", "material.structure.atoms=8", "agent.ppo.total_agent_steps=120_000"),
        "own", same=("mix", "difference"), episodes=128,
    ),
}  # fmt: skip


def choices(task: Task) -> dict[str, Settings]:
    """What is trained for a task, what ships first."""
    credits_ = [name for name in ("own", "team", "mix", "difference") if name not in (*task.same, task.credit)]
    credited = {f"credit {name}": (f"env.settings.credit={name}",) for name in (task.credit, *credits_)}
    kinds = {f"neighbours {kind}": (f"agent.policy.neighbours={kind}",) for kind in ("attention", "none")}
    critic = {"critic team": ("agent.policy.critic=team",)}
    goal = {ONE_GOAL: ("env.settings.goal=0.3",)} if task.also else {}
    return {**credited, **kinds, **critic, **goal}


def measured(config: Config) -> dict[str, Any] | None:
    """Settings of the property, where the reward is one."""
    if config.env.settings["reward"] != "property":
        return None
    cutoff = 1.4 * config.material.length_scale
    target = Target(property=Coordination(cutoff=cutoff), goal="hit", value=5.0, tolerance=0.1)
    return measured_settings(target, config.material.structure.build(config.material), config.material)


def learn(task: Task, choice: str, seed: int, file: Path) -> dict[str, float]:
    """The figures of one training, unless they are in `file`."""
    settings = choices(task)[choice]
    if file.exists():
        found: dict[str, Any] = json.loads(file.read_text())
        return found
    torch.set_num_threads(1)
    lammps.bind()
    config = load([*task.settings, f"seed={seed}", *settings])
    total = config.agent.ppo.total_agent_steps
    met = []
    with open_vector(config, rewarded=measured(config)) as vector:
        ppo = make_trainer(config, vector)
        seconds = dict.fromkeys(("environment", "forward", "learn"), 0.0)
        while ppo.agent_steps < total:
            figures = ppo.iterate()
            for part in seconds:
                seconds[part] += figures[f"time/{part}"]
            if ppo.agent_steps > total / 2 and f"env/{task.figure}" in figures:
                met.append(task.sign * figures[f"env/{task.figure}"])
    found = {"while learning": statistics.fmean(met), **{f"time {part}": value for part, value in seconds.items()}}
    also = task.also if choice in (f"credit {task.credit}", ONE_GOAL) else {}
    for name, changes in {"": (), **also}.items():
        other = load([*task.settings, *(text for text in settings if "goal=" not in text), *changes])
        with open_vector(other, own_memory=True, rewarded=measured(other)) as vector:
            flight = fly(vector, ppo.policy, episodes=task.episodes, seed=STARTS + seed, deterministic=False)
        found[name] = task.sign * flight.figures[task.figure]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found))
    return found


def main() -> None:
    """All trainings, then the rows of each task."""
    arguments = table.arguments(__doc__, runs=RUNS)
    results = table.Table(arguments.json)
    tasks = {"arrived": TASKS["arrived"]} if arguments.quick else TASKS
    seeds = range(1 if arguments.quick else SEEDS)
    jobs = {
        (name, choice, seed): delayed(learn)(task, choice, seed, arguments.runs / name / choice / f"{seed}.json")
        for seed in seeds
        for name, task in tasks.items()
        for choice in choices(task)
    }
    done = dict(zip(jobs, Parallel(n_jobs=2)(jobs.values()), strict=True))
    for name, task in tasks.items():
        references: dict[str, float] = {}
        for choice in choices(task):
            found = [done[name, choice, seed] for seed in seeds]
            for what in ("", "while learning", *(name for name in task.also if name in found[0])):
                samples = [each[what] for each in found]
                label, reference = f"{name}: {choice}", references.get(what)
                value = results.add(label, what or "flown", samples, "", reference=reference)
                references.setdefault(what, value)
            results.add(label, "forward and learning", [r["time forward"] + r["time learn"] for r in found], "s")
    results.close()


if __name__ == "__main__":
    main()
