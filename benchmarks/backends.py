"""What the backends of the vectorizer give: speed beside the serial one, and memory of 4096 environments of each kind.

Rounds are interleaved, so that what else the machine does hits all backends alike; ratios are to the serial backend.
Memory is what the process grows by on opening, starting and stepping them once, their buffers included. Atoms are left
out: each is a LAMMPS instance of about a megabyte.
"""

import subprocess
import sys
import time

import numpy as np
import table

from matdesign.envs import built_in
from matdesign.vector import Batch, Vector
from matdesign.vector.benchmark import random_actions
from matdesign.vector.recipe import Native
from matdesign.vector.workers import Workers

CASES = (("squared", 4096), ("breakout", 4096), ("drone_swarm", 64))
ENVIRONMENTS = 4096
MEMORY = """
import sys
from pathlib import Path
from matdesign.vector import Vector
def megabytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
Vector("squared", {}, envs=1).close()
before = megabytes()
vector = Vector(sys.argv[1], {}, envs=int(sys.argv[2]))
vector.reset(0)
vector.step()
print(megabytes() - before)
"""


def rate(batch: Batch, tape: list[np.ndarray], seconds: float) -> float:
    """Steps of live agents a second; only `step` is timed."""
    spent, live, i = 0.0, 0, 0
    while spent < seconds:
        batch.actions[:] = tape[i % len(tape)]
        start = time.perf_counter()
        batch.step()
        spent += time.perf_counter() - start
        live += int(np.count_nonzero(batch.masks))
        i += 1
    return live / spent


def main() -> None:
    """Print the table."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    rounds, seconds = (5, 0.2) if arguments.quick else (15, 1.0)
    for name, envs in CASES:
        backends: dict[str, Batch] = {
            "serial": Vector(name, {}, envs=envs),
            "2 threads": Vector(name, {}, envs=envs, threads=2),
            "2 processes": Workers(Native(environment=name, settings={}), envs=envs, workers=2),
        }
        tape = [random_actions(backends["serial"], np.random.default_rng(i)) for i in range(16)]
        samples: dict[str, list[float]] = {backend: [] for backend in backends}
        for batch in backends.values():
            batch.reset(0)
        for _ in range(rounds):
            for backend, batch in backends.items():
                samples[backend].append(rate(batch, tape, seconds))
        for batch in backends.values():
            batch.close()
        reference = None
        for backend, rates in samples.items():
            median = results.add(f"{name} {envs} envs {backend}", "agent steps", rates, "1/s", reference=reference)
            reference = reference or median
    for name in built_in():
        if name == "atoms":
            continue
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, name, str(ENVIRONMENTS)], capture_output=True, text=True, check=True
        )
        results.add(f"{name} {ENVIRONMENTS} envs", "memory", [float(done.stdout)], "MB", reference=200.0)
    results.close()


if __name__ == "__main__":
    main()
