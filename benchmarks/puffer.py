"""PufferLib 3.0 as a peer, where benchmarks/peers.py installed it: its steps and its trainings, in its own Python."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
PYTHON = HERE / "peers" / "pufferlib" / "bin" / "python"


class UnavailableError(Exception):
    """PufferLib is not installed or failed; the message says what happened."""


class Training(NamedTuple):
    """Where a training ended: agent steps, wall-clock and CPU seconds, perf of the last iteration's episodes."""

    agent_steps: int
    wall: float
    cpu: float
    perf: float


def command(script: str, request: dict[str, Any]) -> list[str]:
    """Returns the command line that runs one of our scripts in PufferLib's Python; -P: our gym.py is not its gym."""
    if not PYTHON.exists():
        raise UnavailableError("PufferLib is not there: python benchmarks/peers.py installs it")
    return [str(PYTHON), "-P", "-W", "ignore", str(HERE / script), json.dumps(request)]


@contextmanager
def stepping(
    name: str, settings: dict[str, float], envs: int, *, steps: int, through: str = "binding"
) -> Iterator[Iterator[float]]:
    """Yields an iterator of agent steps per second, each measured over `steps` steps at the time it is asked for."""
    request = {"name": name, "settings": settings, "envs": envs, "steps": steps, "through": through}
    with subprocess.Popen(
        command("puffer_step.py", request),
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=HERE / "peers",  # it leaves its pictures where it runs
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None

        def rates(process: subprocess.Popen[str] = process) -> Iterator[float]:
            while True:
                print(file=process.stdin, flush=True)
                line = process.stdout.readline()
                if not line:
                    raise UnavailableError(process.stderr.read().strip().splitlines()[-1])
                yield float(line)

        try:
            yield rates()
        finally:
            process.kill()


def training(name: str, *, threshold: float, seconds: float, seed: int) -> Training:
    """Trains with PufferLib's sizes and hyperparameters until `threshold` or `seconds`, on one thread."""
    request = {"name": name, "threshold": threshold, "seconds": seconds, "seed": seed}
    run = subprocess.run(command("puffer_train.py", request), capture_output=True, text=True, cwd=HERE / "peers")
    if run.returncode != 0:
        raise UnavailableError(run.stderr.strip().splitlines()[-1])
    return Training(**json.loads(run.stdout))
