"""What watching a training costs: the clock that splits an iteration's time, its row of metrics, the dashboard.

Each figure is CPU time as a share of an iteration's. The clock's: iterations whose clock is read 20 times for once are
compared with ordinary ones, in turns; the difference over 20 is what reading it once takes there, in the loop, with
whatever it does to caches. The dashboard's: it draws once a second.
"""

import io
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import table
import torch
from rich.console import Console

from matdesign.agents import ppo, rollout
from matdesign.agents.dashboard import PANEL_EVERY, Dashboard
from matdesign.agents.metrics import Metrics
from matdesign.config import load
from matdesign.design.assembly import open_vector
from matdesign.design.training import make_trainer

READINGS = 20
CASES = {
    "squared, 256 environments": ["env=squared"],
    "cartpole, 64 environments": ["env=cartpole"],
    "squared, 8 environments": ["env=squared", "env.envs=8"],
    "squared, 256 environments, gru": ["env=squared", "agent.policy.memory=gru"],
    "squared, 8 environments, gru": ["env=squared", "env.envs=8", "agent.policy.memory=gru"],
}


def often() -> float:
    """The clock, read READINGS times more."""
    for _ in range(READINGS):
        time.perf_counter()
    return time.perf_counter()


def cpu(function: Callable[[], object], repeats: int) -> float:
    """CPU seconds of a call, mean over `repeats`."""
    start = time.process_time()
    for _ in range(repeats):
        function()
    return (time.process_time() - start) / repeats


def watch(results: table.Table, case: str, settings: list[str], *, repeats: int, turns: int) -> None:
    """Adds the rows of one case."""
    config = load([*settings, "agent.ppo.total_agent_steps=1000000000"])
    torch.set_num_threads(1)
    modules = (ppo, rollout)
    ordinary, slow = SimpleNamespace(perf_counter=time.perf_counter), SimpleNamespace(perf_counter=often)
    with open_vector(config) as vector, tempfile.TemporaryDirectory() as folder, Metrics(Path(folder)) as metrics:
        trainer = make_trainer(config, vector)
        figures = [trainer.iterate() for _ in range(3)][-1]
        row: Mapping[str, float] = {"iteration": 1, "agent_steps": 1, "seconds": 1.0, **figures}
        iteration, reading, written, drawn = [], [], [], []
        board = Dashboard("training", total_agent_steps=1, console=Console(file=io.StringIO(), force_terminal=True))
        for _ in range(turns):
            spent = []
            for clock in (ordinary, slow):
                for module in modules:
                    module.time = clock  # type: ignore[attr-defined]  # what the module imported
                spent.append(cpu(trainer.iterate, repeats))
            iteration.append(spent[0])
            reading.append((spent[1] - spent[0]) / READINGS / spent[0])
            written.append(cpu(lambda: metrics.write(row), 20) / spent[0])
            with board:
                board(row)
                drawn.append(cpu(board._draw, 5) / PANEL_EVERY)
        for module in modules:
            module.time = time  # type: ignore[attr-defined]  # what the module imported
    results.add(case, "iteration", [1e3 * seconds for seconds in iteration], "ms")
    for name, shares in (("clock", reading), ("row of metrics", written), ("dashboard", drawn)):
        results.add(case, name, [100.0 * share for share in shares], "%")


def main() -> None:
    """Prints the table."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    for case, settings in list(CASES.items())[: 1 if arguments.quick else None]:
        watch(results, case, settings, repeats=5 if arguments.quick else 20, turns=5 if arguments.quick else 9)
    results.close()


if __name__ == "__main__":
    main()
