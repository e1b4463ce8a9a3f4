"""Speed of the vectorizer on squared, the field's minimal environment, and of the other games.

Actions are random and differ over agents and steps, as in a rollout. Only `step` is timed; steps that reset an
environment are not counted as agent steps, though their time is. The reference is what PufferLib 3.0 does in plain C
with the same rules on one core of the machine this project was begun on. Where PufferLib is installed in
benchmarks/peers/pufferlib it runs here too, through its own binding (its resets take no step of their own):

    python -m venv benchmarks/peers/pufferlib
    benchmarks/peers/pufferlib/bin/pip install "pufferlib==3.0.*"
"""

import json
import subprocess
import time
from pathlib import Path

import numpy as np
import table

from matdesign.vector import Vector

REFERENCE = 95e6  # agent steps per second
# Settings, environments and the peer's figure for each other game. Observations have the same size (pong 8 floats,
# breakout 118 floats, snake 121 bytes), but for boids: 8 floats from the neighbours of 256 birds, where the peer's
# figure is for squares of one bird, which sees 4 floats; and for drones: 20 floats, or 44 with the nearest four of a
# swarm of 64, sought at every step either way.
GAMES: tuple[tuple[str, dict[str, float], int, float], ...] = (
    ("pong", {"frameskip": 1}, 1024, 45e6),
    ("pong", {"frameskip": 4}, 1024, 45e6),
    ("breakout", {"frameskip": 4}, 1024, 5.9e6),
    ("snake", {"snakes": 16}, 256, 6.5e6),
    ("drone_swarm", {"neighbours": 0}, 16, 26e6),
    ("drone_swarm", {"neighbours": 4}, 16, 26e6),
    ("snake", {"snakes": 256, "width": 640, "height": 360, "food": 4096}, 4, 6.5e6),
    ("boids", {"birds": 256}, 16, 17e6),
)
TAPE = 64  # batches of actions prepared in advance
PEER = Path(__file__).parent / "peers" / "pufferlib" / "bin" / "python"
PEER_PROGRAM = """
import json, sys, time
import numpy as np
from pufferlib.ocean.squared import binding
envs, repeats, steps = map(int, sys.argv[1:])
observations, actions = np.zeros((envs, 121), np.uint8), np.zeros(envs, np.int32)
rewards, terminals, truncations = np.zeros(envs, np.float32), np.zeros(envs, bool), np.zeros(envs, bool)
handle = binding.vec_init(observations, actions, rewards, terminals, truncations, envs, 0, size=11)
binding.vec_reset(handle, 0)
tape = np.random.default_rng(0).integers(0, 5, (64, envs), np.int32)
samples = []
for _ in range(repeats + 1):
    seconds = 0.0
    for i in range(steps):
        actions[:] = tape[i % 64]
        start = time.perf_counter()
        binding.vec_step(handle)
        seconds += time.perf_counter() - start
    samples.append(steps * envs / seconds)
print(json.dumps(samples[1:]))
"""


def agent_steps_per_second(
    name: str, settings: dict[str, float], envs: int, threads: int, *, repeats: int, steps: int
) -> list[float]:
    """Step an environment `steps` times for each sample, after one sample that is dropped."""
    random = np.random.default_rng(0)
    samples = []
    with Vector(name, settings, envs=envs, threads=threads) as vector:
        shape = (TAPE, *vector.actions.shape)
        tape = random.integers(0, vector.choices, shape) if vector.choices else random.uniform(-1, 1, shape)
        tape = tape.astype(vector.actions.dtype)
        vector.reset(0)
        for _ in range(repeats + 1):
            seconds, live = 0.0, 0
            for i in range(steps):
                vector.actions[:] = tape[i % TAPE]
                start = time.perf_counter()
                vector.step()
                seconds += time.perf_counter() - start
                live += int(np.count_nonzero(vector.masks))
            samples.append(live / seconds)
    return samples[1:]


def call_overhead(*, repeats: int, steps: int = 20000) -> list[float]:
    """Nanoseconds of `step` on a single environment: what a call costs before any work."""
    with Vector("squared", {}, envs=1) as vector:
        vector.reset(0)

        def loop() -> None:
            for _ in range(steps):
                vector.step()

        return [seconds / steps * 1e9 for seconds in table.seconds(loop, repeats=repeats)]


def main() -> None:
    """Print the table."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    repeats = 5 if arguments.quick else 15
    work = 2e7 if arguments.quick else 6e7  # agent steps in a sample
    sizes = (1024, 4096) if arguments.quick else (256, 1024, 4096, 16384)
    for envs in sizes:
        steps = int(work / envs)
        for threads in (1, 2):
            samples = agent_steps_per_second("squared", {}, envs, threads, repeats=repeats, steps=steps)
            case = f"squared {envs} envs {threads} thread{'s' * (threads > 1)}"
            results.add(case, "agent steps", samples, "1/s", reference=REFERENCE)
        peer = f"squared {envs} envs PufferLib 3.0"
        if not PEER.exists():
            results.skip(peer, f"{PEER} is not there")
            continue
        run = subprocess.run(
            [PEER, "-c", PEER_PROGRAM, str(envs), str(repeats), str(steps)], capture_output=True, text=True
        )
        if run.returncode != 0:
            results.skip(peer, run.stderr.strip().splitlines()[-1])
            continue
        results.add(peer, "agent steps", json.loads(run.stdout), "1/s", reference=REFERENCE)
    for name, settings, envs, reference in GAMES:
        steps = int(work / 20 / envs / settings.get("snakes", settings.get("birds", 1)))
        samples = agent_steps_per_second(name, settings, envs, 1, repeats=repeats, steps=steps)
        case = f"{name} {envs} envs " + " ".join(f"{key} {value:g}" for key, value in list(settings.items())[:1])
        results.add(case, "agent steps", samples, "1/s", reference=reference)
    results.add("step() of one environment", "time", call_overhead(repeats=repeats), "ns")
    results.close()


if __name__ == "__main__":
    main()
