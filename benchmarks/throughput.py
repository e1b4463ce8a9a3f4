"""Speed of training beside PufferLib 3.0's own loop: the same environment, network, horizon, batch and minibatch.

Both train 4096 agents, 64 steps a rollout, one epoch in minibatches of 32,768 transitions, on as many threads as there
are cores: PufferLib's Default policy (one hidden layer of 128, GELU, shared by action and value), and the same with its
LSTM of 128 behind it. Ours learns as PufferLib's does: Muon, V-trace before every minibatch, prioritised trajectories,
clipped values. Its settings stand in SETTINGS; the statistics of observations are not gathered, which PufferLib has
not. Ours, PufferLib's and the products of matrices that give the machine's peak take turns, so that what else
the machine does hits all of them; a sample is one iteration.

FLOPs are those of products of matrices for each agent step: forward in the rollout and in the learning, and backward
to all weights and to all inputs but the observations. Both libraries of torch multiply 2048 x 2048 float32 matrices on
all cores; the peak is the faster one's.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import puffer
import table
import torch
from torch import nn

from matdesign.agents.ppo import PPO
from matdesign.config import load
from matdesign.design.assembly import open_vector
from matdesign.design.training import make_trainer, use_cores

AGENTS, HORIZON, MINIBATCH, SIZE = 4096, 64, 32768, 128
SETTINGS = (
    f"agent.ppo.horizon={HORIZON}",
    f"agent.ppo.minibatch={MINIBATCH}",
    f"agent.policy.hidden=[{SIZE}]",
    f"agent.policy.memory_size={SIZE}",
    "agent.policy.shared=true",
    "agent.policy.activation=gelu",
    "agent.ppo.epochs=1",
    "agent.ppo.max_kl=1000",  # never stop early: PufferLib does not
    "agent.ppo.optimizer=muon",
    "agent.ppo.vtrace=true",
    "agent.ppo.priority=0.8",
    "agent.ppo.value_clip=0.2",
    "agent.ppo.normaliser_iterations=0",
)
THREADS = len(os.sched_getaffinity(0))
PEAK_EDGE = 2048


class Case(NamedTuple):
    """An environment under its name in both, PufferLib's settings and ours, and whether the policy remembers."""

    environment: str
    theirs: dict[str, float]
    ours: tuple[str, ...]
    memory: bool


CASES = (
    Case("squared", {}, (), False),
    Case("squared", {}, (), True),
    Case("breakout", {"frameskip": 4}, ("env.settings.frameskip=4",), False),
    Case("breakout", {"frameskip": 4}, ("env.settings.frameskip=4",), True),
)


class Sample(NamedTuple):
    """An iteration: agent steps per second, CPU seconds for each, and the part of the time that is learning."""

    rate: float
    cpu: float
    learning: float


@contextmanager
def ours(case: Case) -> Iterator[tuple[PPO, Callable[[], Sample]]]:
    """Yields our learner, and what trains it for an iteration."""
    memory = "lstm" if case.memory else "none"
    own = (f"env={case.environment}", f"env.envs={AGENTS}", f"agent.policy.memory={memory}", f"agent.threads={THREADS}")
    config = load([*own, *case.ours, *SETTINGS])
    use_cores(config)
    with open_vector(config) as vector:
        learner = make_trainer(config, vector)

        def iterate() -> Sample:
            torch.set_num_threads(1)
            start, cpu, before = time.perf_counter(), time.process_time(), learner.agent_steps
            figures = learner.iterate()
            seconds, steps = time.perf_counter() - start, learner.agent_steps - before
            return Sample(steps / seconds, (time.process_time() - cpu) / steps, figures["time/learn"] / seconds)

        yield learner, iterate


@contextmanager
def theirs(case: Case) -> Iterator[Callable[[], Sample]]:
    """Yields what trains PufferLib's learner for an iteration, in its own process."""
    request = {
        "name": case.environment,
        "settings": case.theirs,
        "agents": AGENTS,
        "memory": case.memory,
        "horizon": HORIZON,
        "minibatch": MINIBATCH,
        "threads": THREADS,
    }
    with subprocess.Popen(
        puffer.command("puffer_throughput.py", request),
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=puffer.HERE / "peers",
        env=os.environ | {"OMP_NUM_THREADS": str(THREADS)},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None

        def iterate(process: subprocess.Popen[str] = process) -> Sample:
            print(file=process.stdin, flush=True)
            line = process.stdout.readline()
            if not line:
                raise puffer.UnavailableError(process.stderr.read().strip().splitlines()[-1])
            figures: dict[str, Any] = json.loads(line)
            seconds, steps = figures["rollout"] + figures["learn"], figures["agent_steps"]
            return Sample(steps / seconds, figures["cpu"] / steps, figures["learn"] / seconds)

        try:
            yield iterate
        finally:
            process.kill()


def peak(precision: str) -> float:
    """Returns FLOP/s of a product of float32 matrices on all cores, in the library that torch takes for `precision`."""
    before = torch.backends.mkldnn.matmul.fp32_precision
    torch.set_num_threads(THREADS)
    torch.backends.mkldnn.matmul.fp32_precision = precision
    one, other = torch.rand(2, PEAK_EDGE, PEAK_EDGE)
    seconds = min(table.seconds(lambda: one @ other, repeats=3))
    torch.backends.mkldnn.matmul.fp32_precision = before
    return 2 * PEAK_EDGE**3 / seconds


def flops(policy: nn.Module) -> float:
    """Returns the FLOPs of an agent step, acting and learning; the observations are the input of the first layer."""
    matrices = [parameter.numel() for parameter in policy.parameters() if parameter.ndim == 2]
    return 8 * sum(matrices) - 2 * matrices[0]


def measure(results: table.Table, case: Case, rounds: int) -> None:
    """Adds the rows of a case."""
    label = f"{case.environment} {'LSTM' if case.memory else 'MLP'}"
    mine: list[Sample] = []
    peer: list[Sample] = []
    peaks: dict[str, list[float]] = {"MKL": [], "oneDNN": []}
    with ours(case) as (learner, iterate), theirs(case) as iterate_peer:
        for warm in range(rounds + 1):
            samples = iterate(), iterate_peer()
            if warm:
                mine.append(samples[0])
                peer.append(samples[1])
            peaks["MKL"].append(peak("none"))
            peaks["oneDNN"].append(peak("bf16"))
        policy = learner.policy
    results.add(label, "parameters", [sum(parameter.numel() for parameter in policy.parameters())], "")
    names = ("agent steps", "CPU of an agent step", "share of learning")
    units, factors = ("1/s", "us", "%"), (1.0, 1e6, 100.0)
    for name, unit, factor, own, other in zip(
        names, units, factors, zip(*mine, strict=True), zip(*peer, strict=True), strict=True
    ):
        reference = results.add(f"{label}, PufferLib", name, [factor * value for value in other], unit)
        results.add(label, name, [factor * value for value in own], unit, reference=reference)
    for library, values in peaks.items():
        results.add(label, f"peak of {library}", [1e-9 * value for value in values], "GFLOP/s")
    results.add(label, "FLOPs of an agent step", [flops(policy)], "")
    best = max(sum(values) / len(values) for values in peaks.values())
    results.add(label, "share of the peak", [100 * flops(policy) * sample.rate / best for sample in mine], "%")


def main() -> None:
    """Prints the rows of every case; with --quick those of squared, from fewer rounds."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    for case in CASES[:2] if arguments.quick else CASES:
        try:
            measure(results, case, rounds=3 if arguments.quick else 5)
        except puffer.UnavailableError as error:
            results.skip(f"{case.environment} beside PufferLib", str(error))
    results.close()


if __name__ == "__main__":
    main()
