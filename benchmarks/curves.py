"""Trains every task of CASES with five seeds and draws what they learn: docs/curves.json, docs/images/curves.png.

    python benchmarks/curves.py [CASE ...]

Two trainings run side by side, each `matdesign train` with the settings that ship, or as said in CASES. What
docs/curves.json has is not trained again; take a case out of it to have it anew. About twenty minutes of CPU in all.

A curve is the mean over the episodes that ended in each of 40 equal parts of the training, of the policy that trains,
whose actions are drawn at random; `last` the mean of its last 100 episodes, of which none is from before the last
eighth of the training; `evaluated` the mean over new episodes with the mean or most probable action.
"""

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from matdesign.files import replace_file
from matdesign.plots.style import REFERENCE, Plot, band, save_figure, styled

DOCS = Path(__file__).parents[1] / "docs"
DATA, PICTURE = DOCS / "curves.json", DOCS / "images" / "curves.png"
SEEDS, SIDE_BY_SIDE, PARTS, LAST = 5, 2, 40, 100
COLUMNS = 4  # panels beside each other
HOVER = [f"env.settings.{task}=0" for task in ("idle", "orbit", "follow", "cube", "congo", "flag", "plane", "race")]


@dataclass(frozen=True)
class Case:
    """A task to learn.

    Attributes:
        settings: of `matdesign train`.
        figure: of an ended episode, which the curve shows.
        label: of the vertical axis.
        reference: the line to reach.
        source: where it is from.
    """

    settings: tuple[str, ...]
    figure: str
    label: str
    reference: float
    source: str


CASES = {
    "CartPole": Case(("env=cartpole",), "episode_return", "return", 475.0, "Gymnasium: solved"),
    "Pong": Case(("env=pong",), "perf", "perf", 0.9, "21 to 4"),
    "CartPole-v1": Case(
        ("env=gymnasium", "env.name=CartPole-v1"), "episode_return", "return", 490.04, "CleanRL ppo, 0.5 M steps"
    ),
    "Pendulum-v1": Case(
        ("env=gymnasium", "env.name=Pendulum-v1", "agent=ppo_pendulum"),
        *("episode_return", "return", -151.08, "CleanRL rpo, 8 M steps"),
    ),
    "Atoms that fly to targets": Case(
        ("env=atoms/steer", "material.structure.atoms=8", "agent.ppo.total_agent_steps=300_000"),
        *("perf", "arrived", 0.9, "0.9"),
    ),
    "Drones that hover": Case(
        ("env=drone_swarm", "agent.ppo.total_agent_steps=4_000_000", *HOVER),
        *("perf", "perf", 0.9, "0.9"),
    ),
    "LunarLander-v3": Case(
        ("env=gymnasium", "env.name=LunarLander-v3", "agent=ppo_lunar_lander"),
        *("episode_return", "return", 200.0, "Gymnasium: solved"),
    ),
    "Breakout": Case(("env=breakout",), "perf", "perf", 0.9, "0.9 of all points"),
}


def train(case: Case, seed: int) -> dict[str, Any]:
    """One training, and its evaluation."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sys.executable, "-m", "matdesign", "train", f"output={run}", f"seed={seed}", "quiet=true"]
        command += ["evaluation.episodes=100"]
        subprocess.run([*command, *case.settings], check=True, stdout=subprocess.DEVNULL)
        with (run / "metrics.csv").open() as file:
            rows = list(csv.DictReader(file))
        evaluation = json.loads((run / "evaluation.json").read_text())
    ended = [row for row in rows if float(row["env/episodes"]) > 0]
    steps, episodes, values = (
        np.array([float(row[name]) for row in ended]) for name in ("agent_steps", "env/episodes", f"env/{case.figure}")
    )
    total = float(rows[-1]["agent_steps"])
    part = np.minimum((PARTS * steps / total).astype(int), PARTS - 1)
    count = np.bincount(part, episodes, PARTS)
    mean = np.bincount(part, episodes * values, PARTS)[count > 0] / count[count > 0]
    since = max(0, len(ended) - 1 - int(np.searchsorted(np.cumsum(episodes[::-1]), LAST)))
    since = min(len(ended) - 1, max(since, int(np.searchsorted(steps, total * 7 / 8))))
    return {
        "agent_steps": [round(total * (i + 1) / PARTS) for i in np.flatnonzero(count)],
        "curve": [float(f"{value:.5g}") for value in mean],
        "last": float(np.average(values[since:], weights=episodes[since:])),
        "evaluated": evaluation[case.figure],
        "total": round(total),
        "seconds": float(rows[-1]["seconds"]),
    }


@styled
def figure(data: dict[str, dict[str, Any]]) -> Figure:
    """A panel for each case: mean and range over its seeds."""
    names = [name for name in CASES if data.get(name)]
    rows = -(-len(names) // COLUMNS)
    drawing = Plot(figsize=(3.0 * COLUMNS, 2.5 * rows), layout="constrained")
    for place, name in enumerate(names):
        case, runs = CASES[name], list(data[name].values())
        axes = drawing.add_subplot(rows, COLUMNS, place + 1)
        axes.set(title=name, xlabel="million agent steps", ylabel=case.label)
        start, end = max(run["agent_steps"][0] for run in runs), min(run["agent_steps"][-1] for run in runs)
        x = np.linspace(start, end, 4 * PARTS)
        curves = np.array([np.interp(x, run["agent_steps"], run["curve"]) for run in runs])
        axes.axhline(case.reference, color=REFERENCE, linestyle="--", linewidth=1, label=case.source)
        axes.plot(x / 1e6, curves.mean(axis=0), color="C0")
        band(axes, x / 1e6, curves.min(axis=0), curves.max(axis=0), "C0")
        axes.legend(loc="lower right", fontsize="small")
    return drawing


def table(data: dict[str, dict[str, Any]]) -> str:
    """Rows of Markdown: what is to be reached, and mean and standard error over seeds of what was."""
    lines = [
        "| task | agent steps | to reach | last 100 episodes | evaluated | wall clock |",
        "|---|---|---|---|---|---|",
    ]
    for name, case in CASES.items():
        runs = list(data.get(name, {}).values())
        if not runs:
            continue
        last, evaluated = (_mean([run[key] for run in runs]) for key in ("last", "evaluated"))
        steps, seconds = (np.median([run[key] for run in runs]) for key in ("total", "seconds"))
        target = f"{case.reference:g} ({case.source})"
        lines.append(f"| {name} | {steps / 1e6:.2g} M | {target} | {last} | {evaluated} | {seconds:.0f} s |")
    return "\n".join(lines)


def _mean(values: Sequence[float]) -> str:
    error = np.std(values, ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.nan
    return f"{np.mean(values):.4g} ± {error:.2g} (n={len(values)})"


def main() -> None:
    """Trains what is missing, and draws."""
    names = sys.argv[1:] or list(CASES)
    if unknown := set(names) - set(CASES):
        sys.exit(f"unknown cases {sorted(unknown)}: give some of {list(CASES)}")
    data = json.loads(DATA.read_text()) if DATA.exists() else {}
    lock = Lock()

    def finish(name: str, seed: int) -> None:
        result = train(CASES[name], seed)
        with lock:
            data.setdefault(name, {})[str(seed)] = result
            replace_file(DATA, (json.dumps(data, indent=1, sort_keys=True) + "\n").encode())
            print(f"{name}, seed {seed}: last {result['last']:.4g}, evaluated {result['evaluated']:.4g}", flush=True)

    missing = [(name, seed) for name in names for seed in range(SEEDS) if str(seed) not in data.get(name, {})]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for job in [pool.submit(finish, name, seed) for name, seed in missing]:
            job.result()
    save_figure(figure(data), PICTURE)
    print(table(data))


if __name__ == "__main__":
    main()
