"""Drones: one policy trained on all tasks together, against the scripted pilot, task by task.

Both fly the same 16 starts of every task with 64 drones: `on target` is the share of drones within 0.45 m of their
targets when the episode ends (in race: gates passed over those at 2 m/s), `distance` the median over drones,
`collisions` the share of steps in which a drone is within 0.9 m of another. `letter` is a formation the policy never
saw, given as target points alone. A sample is one training seed; the policy flies the mean of its actions.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import table

from matdesign.envs.drones import pilot
from matdesign.vector import Vector

TASKS = ("idle", "hover", "orbit", "follow", "cube", "congo", "flag", "plane", "race")
FIGURES = (("on target", "perf", "%"), ("distance", "distance", "m"), ("collisions", "collision_rate", "%"))
STARTS, SEED, STEPS = 16, 7, 500


def letter() -> list[float]:
    """An upright M of 64 points, more than 1.1 m apart."""
    legs = [(12.0, z) for z in np.linspace(-10, 10, 15)]
    middle = list(zip(np.linspace(10.5, 0.7, 17), np.linspace(9, -7, 17), strict=True))
    return [float(number) for x, z in legs + middle for sign in (1, -1) for number in (sign * x, 0, z)]


def chosen(task: str) -> dict[str, float | list[float]]:
    """Settings that fly one task, from level starts."""
    flown = {"points": letter()} if task == "letter" else {name: float(name == task) for name in TASKS}
    return {"start_tilt": 0.0, **flown}


def of_pilot(task: str) -> dict[str, float]:
    """Figures of the scripted pilot."""
    with Vector("drone_swarm", chosen(task), envs=STARTS) as vector:
        vector.reset(SEED)
        for _ in range(STEPS):
            vector.actions[:] = pilot(vector.observations)
            vector.step()
        return vector.log()


def of_policy(run: Path, task: str) -> dict[str, float]:
    """Figures of a run's policy."""
    settings = [f"env.settings.{name}={value}" for name, value in chosen(task).items()]
    settings += [f"env.envs={STARTS}", f"evaluation.episodes={STARTS}", f"evaluation.seed={SEED}"]
    _matdesign("evaluate", str(run), *settings)
    figures: dict[str, float] = json.loads((run / "evaluation.json").read_text())
    return figures


def _matdesign(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "matdesign", *arguments], check=True, capture_output=True)


def main() -> None:
    """Prints three rows for each task and pilot."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    tasks = ("hover", "cube", "flag") if arguments.quick else (*TASKS, "letter")
    scripted = {task: of_pilot(task) for task in tasks}
    with tempfile.TemporaryDirectory() as folder:
        runs = [Path(folder) / str(seed) for seed in range(1 if arguments.quick else 3)]
        for seed, run in enumerate(runs):
            budget = ["agent.time_limit=30"] if arguments.quick else []
            _matdesign("train", "env=drone_swarm", f"seed={seed}", f"output={run}", "quiet=true", *budget)
        for task in tasks:
            flown = [of_policy(run, task) for run in runs]
            for metric, name, unit in FIGURES:
                scale = 100 if unit == "%" else 1
                results.add(f"{task} pilot", metric, [scale * scripted[task][name]], unit)
                results.add(f"{task} policy", metric, [scale * figures[name] for figures in flown], unit)
    results.close()


if __name__ == "__main__":
    main()
