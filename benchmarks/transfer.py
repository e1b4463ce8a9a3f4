"""Size transfer: a policy trained on few atoms, flown on at least 8 and 30 times as many without retraining.

python benchmarks/transfer.py [--quick] [--json FILE] [--runs FOLDER]     eight minutes of one core; quick: one

`normalised score` is (score - untrained) / (best - untrained), all three at the same size: the score of the mean policy
over episodes that nothing was trained on, that of a policy that was not trained, and the best there is, which none
of these can quite reach (no error; no distance left; the energy of the ground state, an icosahedron of two, four or six
shells). Its reference is the normalised score at the size of the training, so that the ratio is what is kept. `trained
there` is a policy trained at that size with as many agent-steps, in one seed. Seconds are CPU time. Finished trainings
are kept in --runs and are not done again; a flight is what `matdesign evaluate RUN SETTINGS` flies.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import table
import torch

from matdesign.config import load
from matdesign.design.assembly import make_policy, open_vector, setting
from matdesign.design.flight import fly
from matdesign.design.training import trained_policy

RUNS = Path("runs/transfer")
SEEDS = 3
NO_EVALUATION = ("evaluation.training_share=0", "evaluation.episodes=1")  # the flights below examine the policies
STARTS = 1000  # seed


@dataclass(frozen=True)
class Size:
    """So many atoms: how to ask for them, environments (as many rows as at the other sizes), episodes, best score."""

    settings: tuple[str, ...]
    envs: int
    episodes: int
    best: float


@dataclass(frozen=True)
class Task:
    """What is trained at the first of the sizes, by number of atoms, and flown at all of them."""

    settings: tuple[str, ...]
    sizes: Mapping[int, Size]


def repeated(x: int, y: int, z: int) -> tuple[str, ...]:
    """So many fcc cells, periodic."""
    return (f"material.structure.repeat=[{x},{y},{z}]",)


def cluster(atoms: int, container: float) -> tuple[str, ...]:
    """A free cluster in a container that grows with it, l0."""
    return (f"material.structure.atoms={atoms}", f"env.settings.container={container}")


TASKS = {
    "order": Task(
        ("env=atoms/order", "agent.ppo.total_agent_steps=200_000"),
        {
            32: Size(repeated(2, 2, 2), 27, 27, 0.0),
            256: Size(repeated(4, 4, 4), 4, 12, 0.0),
            1024: Size(repeated(4, 8, 8), 1, 6, 0.0),
        },
    ),
    "cluster": Task(
        ("env=atoms/cluster", "agent.ppo.total_agent_steps=300_000"),
        {
            13: Size(cluster(13, 4), 16, 192, 44.326801 / 13),
            147: Size(cluster(147, 9), 2, 16, 876.461207 / 147),
            561: Size(cluster(561, 14), 1, 6, 3842.393626 / 561),
        },
    ),
    "steer": Task(
        ("env=atoms/steer", "env.settings.neighbours=4", "agent.ppo.total_agent_steps=300_000"),
        {
            16: Size(("material.structure.atoms=16",), 16, 64, 0.0),
            128: Size(("material.structure.atoms=128",), 2, 12, 0.0),
            512: Size(("material.structure.atoms=512",), 1, 6, 0.0),
        },
    ),
}


def train(folder: Path, *settings: str) -> float:
    """`matdesign train` into `folder`, unless it was finished there before; its CPU seconds."""
    spent = folder / "cpu_seconds"
    if not spent.exists():
        subprocess.run(["rm", "-rf", folder], check=True)
        command = [sys.executable, "-m", "matdesign", "train", f"output={folder}", "quiet=true", *settings]
        process = subprocess.Popen([*command, *NO_EVALUATION], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"training in {folder} failed")
        spent.write_text(str(usage.ru_utime))
    return float(spent.read_text())


def score(task: Task, atoms: int, seed: int, folder: Path | None, episodes: int) -> tuple[float, float]:
    """Mean score of the policy in `folder`, or of an untrained one, and agent-steps in a CPU second of the flight."""
    size = task.sizes[atoms]
    config = load([*task.settings, *size.settings, f"env.envs={min(episodes, size.envs)}", f"seed={seed}"])
    with open_vector(config, own_memory=True) as vector:
        policy = make_policy(config, vector)
        if folder is not None:
            policy = trained_policy(folder, policy)
        start = time.process_time()
        flight = fly(vector, policy, episodes=episodes, seed=STARTS, deterministic=True)
        steps = flight.figures["episodes"] * setting(config, "horizon") * atoms
        return flight.figures["score"], steps / (time.process_time() - start)


def main() -> None:
    """Trains at the smallest size of each task and flies at all of them."""
    arguments = table.arguments(__doc__, runs=RUNS)
    results = table.Table(arguments.json)
    torch.set_num_threads(1)
    tasks = {"order": TASKS["order"]} if arguments.quick else TASKS
    seeds = range(1 if arguments.quick else SEEDS)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for name, task in tasks.items():
            sizes = dict(list(task.sizes.items())[:2] if arguments.quick else task.sizes.items())
            small = next(iter(sizes))
            folders = {(atoms, seed): arguments.runs / name / f"{atoms}-{seed}" for atoms in sizes for seed in seeds}
            asked = [(small, seed) for seed in seeds]
            asked += [] if arguments.quick else [(atoms, 0) for atoms in sizes if atoms != small]
            jobs = {
                (atoms, seed): pool.submit(
                    train,
                    folders[atoms, seed],
                    *task.settings,
                    *sizes[atoms].settings,
                    f"env.envs={sizes[atoms].envs}",
                    f"seed={seed}",
                )
                for atoms, seed in asked
            }
            spent = {job: future.result() for job, future in jobs.items()}
            kept_from: float | None = None
            for atoms, size in sizes.items():
                case = f"{name}, {small} atoms on {atoms}"
                episodes = min(size.episodes, 4) if arguments.quick else size.episodes
                untrained, _ = score(task, atoms, 0, None, episodes)

                def normalised(value: float, nothing: float = untrained, best: float = size.best) -> float:
                    return (value - nothing) / (best - nothing)

                flown = [score(task, atoms, seed, folders[small, seed], episodes) for seed in seeds]
                results.add(case, "score, untrained", [untrained], "")
                results.add(case, "score", [value for value, _ in flown], "")
                shown = results.add(
                    case, "normalised score", [normalised(value) for value, _ in flown], "", reference=kept_from
                )
                kept_from = kept_from or shown
                results.add(case, "flown", [rate for _, rate in flown], "steps/s")
                if atoms == small:
                    results.add(case, "training", [spent[small, seed] for seed in seeds], "s")
                elif (atoms, 0) in spent:
                    there, _ = score(task, atoms, 0, folders[atoms, 0], episodes)
                    results.add(case, "trained there, normalised", [normalised(there)], "", reference=shown)
                    results.add(case, "trained there, training", [spent[atoms, 0]], "s")
    results.close()


if __name__ == "__main__":
    main()
