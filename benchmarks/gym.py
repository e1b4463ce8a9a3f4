"""CartPole in two worker processes: ours, Gymnasium's AsyncVectorEnv and Stable-Baselines3's SubprocVecEnv.

The same environment (Gymnasium's CartPole-v1 with its time limit), the same number of processes. Theirs have one
environment in each process; ours is measured so, and with sixteen in each, which they would need sixteen times the
processes for. Rounds are interleaved, so that what else the machine does hits all of them alike; ratios are those of
the medians, to the first row. Stable-Baselines3 is measured where it is installed.
"""

import importlib.util
import time
from collections.abc import Callable
from functools import partial

import gymnasium
import numpy as np
import table
from gymnasium.vector import AsyncVectorEnv

from matdesign.vector.foreign import Gymnasium
from matdesign.vector.workers import Workers

PROCESSES = 2
FULL = 16  # environments in a process
NAME = "CartPole-v1"

Step = Callable[[np.ndarray], object]
make = partial(gymnasium.make, NAME, disable_env_checker=True)


def rate(step: Step, envs: int, tape: np.ndarray, steps: int) -> float:
    """Environment steps a second, resets included."""
    start = time.perf_counter()
    for i in range(steps):
        step(tape[i % len(tape), :envs])
    return steps * envs / (time.perf_counter() - start)


def ours(envs: int) -> tuple[Step, Callable[[], None]]:
    """Workers, of which actions are written into the shared buffer."""
    workers = Workers(Gymnasium(make=NAME), envs=envs, workers=PROCESSES)
    workers.reset(0)

    def step(actions: np.ndarray) -> None:
        workers.actions[:, 0] = actions
        workers.step()

    return step, workers.close


def gymnasiums(envs: int) -> tuple[Step, Callable[[], None]]:
    """AsyncVectorEnv with shared memory, its default."""
    vector = AsyncVectorEnv([make] * envs)
    vector.reset(seed=0)
    return vector.step, vector.close


def stable_baselines(envs: int) -> tuple[Step, Callable[[], None]]:
    """SubprocVecEnv with its default start method."""
    from stable_baselines3.common.vec_env import SubprocVecEnv

    vector = SubprocVecEnv([make] * envs)
    vector.seed(0)
    vector.reset()
    return vector.step, vector.close


def main() -> None:
    """Print the table."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    rounds = 7 if arguments.quick else 15
    seconds = 0.3 if arguments.quick else 1.0
    cases: dict[str, tuple[int, Callable[[int], tuple[Step, Callable[[], None]]]]] = {
        "Gymnasium AsyncVectorEnv": (PROCESSES, gymnasiums),
        "matdesign": (PROCESSES, ours),
        f"matdesign, {FULL} in each": (FULL * PROCESSES, ours),
    }
    if importlib.util.find_spec("stable_baselines3"):
        cases = {"Stable-Baselines3 SubprocVecEnv": (PROCESSES, stable_baselines), **cases}
    else:
        results.skip("Stable-Baselines3 SubprocVecEnv", "stable-baselines3 is not installed")
    tape = np.random.default_rng(0).integers(0, 2, (64, FULL * PROCESSES))
    opened = {case: (envs, *build(envs)) for case, (envs, build) in cases.items()}
    steps = {case: int(200 + seconds * rate(step, envs, tape, 200) / envs) for case, (envs, step, _) in opened.items()}
    samples: dict[str, list[float]] = {case: [] for case in cases}
    for _ in range(rounds):
        for case, (envs, step, _) in opened.items():
            samples[case].append(rate(step, envs, tape, steps[case]))
    for *_, close in opened.values():
        close()
    reference = None
    for case, rates in samples.items():
        median = results.add(case, "steps", rates, "1/s", reference=reference)
        reference = reference or median
    results.close()


if __name__ == "__main__":
    main()
