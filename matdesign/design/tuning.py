"""`matdesign benchmark vector`: the fastest way to step the configured environments on this machine."""

import os
from dataclasses import replace

from rich.console import Console
from rich.table import Table

from matdesign.design.assembly import open_vector
from matdesign.errors import InputError
from matdesign.sections import Config
from matdesign.vector import Batch
from matdesign.vector.benchmark import Choice, Timing, choices, tune

SECONDS = 0.5  # of stepping, for each choice


def tune_job(config: Config) -> None:
    """Steps the environments with every backend in several sizes, prints a table and the settings of the fastest."""
    ours = config.env.interface == "matdesign"

    def opened(choice: Choice) -> Batch:
        env = replace(config.env, backend=choice.backend, envs=choice.envs, overlap=False)
        return open_vector(replace(config, env=replace(env, threads=choice.size, workers=choice.size)))

    cores = len(os.sched_getaffinity(0))
    table = Table("backend", "environments", "agent-steps/s", "spread", title=f"{config.env.name}, {cores} cores")
    timings: list[Timing] = []
    for timing in tune(opened, choices(config.env.envs, cores, in_process=ours), seconds=SECONDS):
        timings.append(timing)
        table.add_row(
            timing.choice.label, str(timing.choice.envs), f"{timing.rate:.3g}", f"{timing.spread / timing.rate:.0%}"
        )
    if not timings:
        open_vector(config).close()  # says why
        raise InputError(f"no backend steps {config.env.name}: try another number of env.envs")
    Console().print(table)
    best = max(timings, key=lambda timing: timing.rate)
    print(f"fastest: {best.choice.settings}")
