"""Training the games: speed, time to a perf worth having, and what the trained policy is worth; several seeds each.

Every run is `matdesign train` with the settings that ship for the game, on one thread. `training` counts agent steps by
the wall clock of the training alone. A threshold is reached when the mean perf over the last ten iterations that ended
episodes is above it, training's sampled actions and all; agent steps, wall-clock and CPU seconds until then are those
of the runs that reached it (the CPU time takes the share of a core that the whole command had). `perf` is that of
evaluation: the policy's most probable or mean actions over episodes it has not seen.

PufferLib 3.0's breakout, where benchmarks/peers.py installed it, trains beside ours with the sizes and hyperparameters
it ships, on one thread too, until it reaches the threshold or its time is over. Rules and perf (points / 864) are the
same but for its sixth ball. The references of ours are where PufferLib's training ended, at the threshold or not.
"""

import csv
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import puffer
import table

WINDOW = 10  # iterations
# Game, settings, and the perf to reach: 0.9 where perf is a share of what can be had; snakes that eat 15 times in a
# life; birds that flock almost as well as Reynolds' rules make them (0.875).
CASES: tuple[tuple[str, tuple[str, ...], float], ...] = (
    ("squared 5x5", ("env=squared", "env.settings.size=5"), 0.9),
    ("pong", ("env=pong",), 0.9),
    ("breakout", ("env=breakout",), 0.9),
    ("snake", ("env=snake",), 0.5),
    ("boids", ("env=boids",), 0.85),
    ("drones", ("env=drone_swarm",), 0.8),
)
PEER_SECONDS = 1800.0


class Training(NamedTuple):
    """What one training came to.

    Attributes:
        rate: agent steps per second of wall clock.
        perf: of the evaluation.
        reached: agent steps, wall-clock and CPU seconds to the threshold; None if it was not reached.
    """

    rate: float
    perf: float
    reached: tuple[float, float, float] | None


def cpu_seconds() -> float:
    """Returns the CPU time of all programs that this one has run so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def train(settings: Sequence[str], threshold: float) -> Training:
    """`matdesign train` in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        command = [sys.executable, "-m", "matdesign", "train", f"output={path}", "quiet=true", *settings]
        before, start = cpu_seconds(), time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        share = (cpu_seconds() - before) / (time.perf_counter() - start)
        with (path / "metrics.csv").open() as file:
            rows = list(csv.DictReader(file))
        perf = json.loads((path / "evaluation.json").read_text())["perf"]
    steps, seconds = float(rows[-1]["agent_steps"]), float(rows[-1]["seconds"])
    played = [row for row in rows if row["env/perf"]]
    for last in range(1, len(played) + 1):
        if statistics.fmean(float(row["env/perf"]) for row in played[max(0, last - WINDOW) : last]) >= threshold:
            wall = float(played[last - 1]["seconds"])
            return Training(steps / seconds, perf, (float(played[last - 1]["agent_steps"]), wall, share * wall))
    return Training(steps / seconds, perf, None)


def report(results: table.Table, label: str, runs: Sequence[Training], peer: puffer.Training | None = None) -> None:
    """Adds the rows of a game: one sample is one seed."""
    results.add(label, "training", [run.rate for run in runs], "1/s", reference=peer and peer.agent_steps / peer.wall)
    results.add(label, "perf", [run.perf for run in runs], "", reference=peer and peer.perf)
    results.add(label, "reached", [100 * statistics.fmean(run.reached is not None for run in runs)], "%")
    reached = [run.reached for run in runs if run.reached is not None]
    if not reached:
        return
    names, units = ("agent steps to it", "wall clock to it", "CPU to it"), ("", "s", "s")
    limits = (peer.agent_steps, peer.wall, peer.cpu) if peer else (None, None, None)
    for name, unit, samples, limit in zip(names, units, zip(*reached, strict=True), limits, strict=True):
        results.add(label, name, samples, unit, reference=limit)


def main() -> None:
    """Prints the rows of each game, and PufferLib's breakout before ours."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    seeds = range(1 if arguments.quick else 3)
    for game, settings, threshold in CASES[:1] if arguments.quick else CASES:
        peer = None
        if game == "breakout":
            try:
                peer = puffer.training(game, threshold=threshold, seconds=PEER_SECONDS, seed=0)
                case = "breakout PufferLib"
                results.add(case, "training", [peer.agent_steps / peer.wall], "1/s")
                results.add(case, "perf", [peer.perf], "")
                results.add(case, "agent steps", [peer.agent_steps], "")
                results.add(case, "wall clock", [peer.wall], "s")
                results.add(case, "CPU", [peer.cpu], "s")
            except puffer.UnavailableError as error:
                results.skip("breakout PufferLib", str(error))
        report(
            results, f"{game} to {threshold}", [train([f"seed={seed}", *settings], threshold) for seed in seeds], peer
        )
    results.close()


if __name__ == "__main__":
    main()
