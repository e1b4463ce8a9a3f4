"""Speed of the vectorizer on squared, the field's minimal environment, and of the other games, beside PufferLib's.

Actions are random and differ over agents and steps, as in a rollout. Only the step is timed; steps that reset an
environment are not counted as agent steps, though their time is (PufferLib's resets take no step of their own).

The reference of a row is PufferLib 3.0 on one core with the same rules or those nearest to them: measured in turn with
ours, through its C binding alone, where benchmarks/peers.py installed it, so that what else the machine does hits both
alike; or else what it does on the machine this project was begun on.
"""

import itertools
import statistics
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import puffer
import table

from matdesign.vector import Vector

TAPE = 64  # batches of actions prepared in advance


class Case(NamedTuple):
    """An environment of ours and the one of PufferLib's it is compared with, as many agents in each.

    Attributes:
        label: what the rows show.
        name, settings, envs: ours.
        agents: of each of our environments.
        peer, peer_settings, peer_envs: PufferLib's.
        reference: agent steps per second where PufferLib is not installed.
    """

    label: str
    name: str
    settings: dict[str, float]
    envs: int
    agents: int
    peer: str
    peer_settings: dict[str, float]
    peer_envs: int
    reference: float


def squared(envs: int) -> Case:
    """Squared: the same rules."""
    return Case(f"squared {envs} envs", "squared", {}, envs, 1, "squared", {}, envs, 95e6)


def pong(frameskip: int) -> Case:
    """Pong: the same rules."""
    settings = {"frameskip": frameskip}
    return Case(f"pong frameskip {frameskip}", "pong", settings, 1024, 1, "pong", settings, 1024, 45e6)


def snake(envs: int, snakes: int, width: int, height: int, food: int) -> Case:
    """Snakes: the same boards, food and sight."""
    board = {"width": width, "height": height}
    peer = {"num_snakes": snakes, "num_food": food, **board}
    ours = {"snakes": snakes, "food": food, **board}
    return Case(f"snake {snakes} on a board", "snake", ours, envs, snakes, "snake", peer, envs, 6.5e6)


def drones(drones: int, envs: int, neighbours: int) -> Case:
    """Drones: 20 floats observed and 6 more for each neighbour; the peer's fly alone and observe 16."""
    settings, label = {"drones": drones, "neighbours": neighbours}, f"drones {drones}, {neighbours} seen"
    return Case(label, "drone_swarm", settings, envs, drones, "drone", {}, envs * drones, 26e6)


def boids(birds: int, envs: int) -> Case:
    """Boids: 8 floats observed, from the birds in sight; the peer's observe 4 for every bird."""
    return Case(f"boids {birds}", "boids", {"birds": birds}, envs, birds, "boids", {"num_boids": birds}, envs, 17e6)


GAMES = (
    pong(1),
    pong(4),
    Case("breakout frameskip 4", "breakout", {"frameskip": 4}, 1024, 1, "breakout", {"frameskip": 4}, 1024, 5.9e6),
    snake(256, 16, 48, 48, 96),
    snake(4, 256, 640, 360, 4096),
    drones(1, 1024, 0),
    drones(64, 16, 0),
    drones(64, 16, 4),
    boids(1, 1024),
    boids(64, 64),
    boids(256, 16),
)


def rates(case: Case, threads: int, *, steps: int) -> Iterator[float]:
    """Yields agent steps per second of ours, each measured over `steps` steps at the time it is asked for."""
    random = np.random.default_rng(0)
    with Vector(case.name, case.settings, envs=case.envs, threads=threads) as vector:
        shape = (TAPE, *vector.actions.shape)
        tape = random.integers(0, vector.choices, shape) if vector.choices else random.uniform(-1, 1, shape)
        tape = tape.astype(vector.actions.dtype)
        vector.reset(0)
        while True:
            seconds, live = 0.0, 0
            for i in range(steps):
                vector.actions[:] = tape[i % TAPE]
                start = time.perf_counter()
                vector.step()
                seconds += time.perf_counter() - start
                live += int(np.count_nonzero(vector.masks))
            yield live / seconds


def compare(results: table.Table, case: Case, *, work: float, repeats: int, threads: tuple[int, ...] = (1,)) -> None:
    """Adds the rows of a case: ours on so many threads and PufferLib's, measured in turn, `work` agent steps a sample.

    The first sample of each is dropped.
    """
    steps = max(1, int(work / case.envs / case.agents))
    ours = [rates(case, count, steps=steps) for count in threads]
    reference, peers = case.reference, []
    try:
        with puffer.stepping(case.peer, case.peer_settings, case.peer_envs, steps=steps) as peer:
            rounds = [[next(rate) for rate in (peer, *ours)] for _ in range(repeats + 1)][1:]
        peers, *samples = zip(*rounds, strict=True)
        reference = statistics.median(peers)
    except puffer.UnavailableError as error:
        results.skip(f"{case.label} PufferLib", str(error))
        samples = [list(itertools.islice(rate, 1, repeats + 1)) for rate in ours]
    if peers:
        results.add(f"{case.label} PufferLib", "agent steps", peers, "1/s")
    for count, values in zip(threads, samples, strict=True):
        label = f"{case.label} {count} thread{'s' * (count > 1)}"
        results.add(label, "agent steps", values, "1/s", reference=reference)


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
    work = 5e6 if arguments.quick else 6e7  # agent steps in a sample of squared
    for envs in (1024, 4096) if arguments.quick else (256, 1024, 4096, 16384):
        compare(results, squared(envs), work=work, repeats=repeats, threads=(1, 2))
    for case in GAMES:
        compare(results, case, work=work / 20, repeats=repeats)
    results.add("step() of one environment", "time", call_overhead(repeats=repeats), "ns")
    results.close()


if __name__ == "__main__":
    main()
