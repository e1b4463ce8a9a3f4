"""A NaN that comes up in a run: one line names it, and the run goes on from its last checkpoint."""

import itertools
import json
import math
import re
import signal
import subprocess
from functools import partial

import pytest
import torch
from test_first_environment import block

from matdesign import cli
from matdesign.agents import microbatches
from matdesign.agents.checkpoint import load_checkpoint
from matdesign.agents.metrics import read_metrics
from matdesign.agents.softexit import SIGNALS
from matdesign.envs import INCLUDE
from matdesign.vector import Vector


@pytest.fixture(autouse=True)
def own_signals():
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def break_environment(name):
    """After 3 rollouts of 8 steps, one value of that buffer is NaN."""
    step, calls = Vector.recv, itertools.count()

    def broken(self, part):
        step(self, part)
        if next(calls) == 30:
            getattr(self, name)[3, ...] = math.nan

    return Vector, "recv", broken


def break_loss():
    """The entropy of the fourth rollout is NaN."""
    terms, calls = microbatches.loss_terms, itertools.count()

    def broken(*arguments):
        sums, ratios = terms(*arguments)
        return (sums * torch.tensor([1.0, 1.0, math.nan, 1.0, 1.0]) if next(calls) == 3 else sums), ratios

    return microbatches, "loss_terms", broken


def break_gradient():
    """The gradient of the value of the fourth rollout is infinite, the value is not."""
    terms, calls = microbatches.loss_terms, itertools.count()

    def broken(batch, distribution, values, config):
        if next(calls) == 3:
            values.register_hook(lambda gradient: gradient * math.inf)
        return terms(batch, distribution, values, config)

    return microbatches, "loss_terms", broken


@pytest.mark.parametrize(
    ("breaking", "culprit"),
    [
        (partial(break_environment, "observations"), r"observation\[0\] of row 3 \(environment 3, agent 0\) is nan"),
        (partial(break_environment, "rewards"), r"reward of row 3 \(environment 3, agent 0\) is nan"),
        (break_loss, r"not finite after 1\d\d agent steps and was not taken \(entropy is nan"),
        (break_gradient, r"not finite after 1\d\d agent steps and was not taken \(the gradient of critic"),
    ],
)
def test_what_is_not_finite_ends_a_run_and_leaves_the_last_checkpoint(tmp_path, capsys, monkeypatch, breaking, culprit):
    run = tmp_path / "run"
    settings = ["env=cartpole", "env.envs=8", "agent.ppo.horizon=8", "agent.ppo.total_agent_steps=320", "quiet=true"]
    settings += ["agent.ppo.epochs=1", "agent.checkpoint_every=0", "evaluation.episodes=8", f"output={run}"]
    with monkeypatch.context() as patched:
        for room in ("policies", "fused"):  # C cannot be broken like this
            patched.setattr(f"matdesign.agents.{room}.is_fused", lambda *_: False)
        patched.setattr(*breaking())
        assert cli.main(["train", *settings]) == 1
    check_failure(run, capsys.readouterr().err, culprit)
    assert cli.main(["train", "--resume", str(run)]) == 0
    check_continuation(run)


@pytest.mark.parametrize(
    ("broken", "culprit"),
    [
        ("((float *)g->env.observations)[1] = NAN", r"observation\[1\] of row \d .* is nan"),
        ("g->env.rewards[0] = INFINITY", "reward of row .* is inf"),
    ],
)
def test_the_same_where_a_rollout_is_one_call_to_c(tmp_path, capsys, broken, culprit):
    run, library = tmp_path / "run", tmp_path / "gather.so"
    (tmp_path / "gather.c").write_text(
        block("c").replace(
            "    if (g->left == 0) {\n",
            f"    static int calls;\n    if (++calls == 210) {broken};\n    if (g->left == 0) {{\n",
        )
    )
    command = [
        "cc",
        "-O1",
        "-shared",
        "-fPIC",
        "-I",
        str(INCLUDE),
        str(tmp_path / "gather.c"),
        "-o",
        str(library),
        "-lm",
    ]
    subprocess.run(command, check=True)
    settings = ["env=squared", f"env.library={library}", "env.settings={}", "env.envs=8", "agent.ppo.horizon=8"]
    settings += ["agent.ppo.total_agent_steps=320", "agent.checkpoint_every=0", "evaluation.episodes=8", "quiet=true"]
    assert cli.main(["train", *settings, f"output={run}"]) == 1
    check_failure(run, capsys.readouterr().err, culprit)
    assert cli.main(["train", "--resume", str(run), f"env.library={library}"]) == 0
    check_continuation(run)


def check_failure(run, said, culprit):
    assert re.fullmatch(f"matdesign: PPO: .*{culprit}.*\n", said)
    status = json.loads((run / "status.json").read_text())
    assert status["state"] == "failed"
    assert "PPO: " in status["message"]
    tensors, _ = load_checkpoint(run / "checkpoints" / "last.safetensors")
    assert all(tensor.isfinite().all() for tensor in tensors.values())
    assert len(read_metrics(run / "metrics.csv")) == 3


def check_continuation(run):
    steps = [float(row["agent_steps"]) for row in read_metrics(run / "metrics.csv")]
    assert steps == sorted(set(steps))
    assert steps[-1] >= 320
