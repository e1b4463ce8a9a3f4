"""Training that was interrupted and resumed against training that was not: the same parameters and figures."""

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from matdesign import cli
from matdesign.agents.checkpoint import load_checkpoint
from matdesign.agents.ppo import PPO
from matdesign.agents.train import last_checkpoint, train
from matdesign.config import load
from matdesign.design.assembly import open_vector
from matdesign.design.training import make_trainer
from matdesign.errors import InputError

SMALL = ["agent.ppo.epochs=2", "agent.ppo.minibatch=64", "agent.policy.hidden=[8]"]
ATOMS = ["env.envs=2", "env.settings.md_steps=5", "env.settings.horizon=9", "agent.ppo.horizon=7"]
CASES = {
    "squared": ["env=squared", "env.settings.size=5", "env.envs=8", "agent.ppo.horizon=7"],
    "pong": ["env=pong", "env.settings.horizon=30", "env.envs=4", "agent.ppo.horizon=11"],
    "snake": ["env=snake", "env.settings.snakes=3", "env.settings.width=9", "env.settings.height=9",
              "env.settings.food=7", "env.envs=4", "agent.ppo.horizon=11"],
    "drones": ["env=drone_swarm", "env.settings.drones=5", "env.settings.horizon=19", "env.envs=2",
               "agent.ppo.horizon=11", "agent.ppo.common_noise=0.5"],
    "memory": ["env=cartpole", "env.envs=8", "agent.ppo.horizon=11", "agent.policy.memory=lstm"],
    "cluster": ["env=atoms/cluster", *ATOMS],
    "steer": ["env=atoms/steer", *ATOMS],
}  # fmt: skip


def open_trainer(name: str) -> PPO:
    config = load([*CASES[name], *SMALL, "agent.ppo.total_agent_steps=3000"])
    return make_trainer(config, open_vector(config))


def learn(ppo: PPO, folder: Path, agent_steps: int, *, checkpoint_every: float = 1e9) -> None:
    folder.mkdir(exist_ok=True)
    train(ppo, folder, total_agent_steps=agent_steps, checkpoint_every=checkpoint_every, show=lambda row: None)


def figures(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        timed = ("seconds", "time/")
        return [{k: v for k, v in row.items() if not k.startswith(timed)} for row in csv.DictReader(file)]


def require_same(left: Path, right: Path) -> None:
    one, other = (load_checkpoint(last_checkpoint(folder))[0] for folder in (left, right))
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name
    assert figures(left) == figures(right)


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", CASES)
def test_a_resumed_run_is_the_same_run(name: str, tmp_path: Path) -> None:
    """With checkpoints at other moments than the one that was not interrupted."""
    learn(open_trainer(name), tmp_path / "whole", 900, checkpoint_every=0)
    for agent_steps in (200, 500, 900):
        learn(open_trainer(name), tmp_path / "parts", agent_steps)
    require_same(tmp_path / "whole", tmp_path / "parts")


def test_a_killed_run_is_the_same_run(tmp_path: Path) -> None:
    """kill -9 in the middle of an iteration, after some that no checkpoint holds."""
    settings = [*CASES["cluster"], *SMALL, "agent.checkpoint_every=0.2"]
    # The budget is known only when the run was killed: nothing may depend on it.
    settings += ["agent.ppo.learning_rate_schedule=constant", "agent.ppo.entropy_schedule=constant"]
    settings += ["evaluation.training_share=0", "agent.threads=1", "quiet=true"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    command = [sys.executable, "-m", "matdesign", "train", *settings, f"output={killed}"]
    process = subprocess.Popen([*command, "agent.ppo.total_agent_steps=1e12"])
    try:
        while not last_checkpoint(killed).exists() or len(figures(killed)) < 6:
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    budget = f"agent.ppo.total_agent_steps={(len(figures(killed)) + 3) * 2 * 13 * 7}"
    assert cli.main(["train", "--resume", str(killed), budget]) == 0
    assert cli.main(["train", *settings, budget, f"output={whole}"]) == 0
    require_same(whole, killed)


def test_a_damaged_state_of_environments_is_refused(tmp_path: Path) -> None:
    ppo = open_trainer("squared")
    tensors, meta = ppo.state()
    for damage in (
        lambda: {**tensors, "environments.environments": tensors["environments.environments"][:-1]},
        lambda: {**tensors, "environments.environments": 255 - tensors["environments.environments"]},
        lambda: {**tensors, "environments.sizes": -tensors["environments.sizes"]},
        lambda: {name: tensor for name, tensor in tensors.items() if name != "environments.masks"},
    ):
        with pytest.raises(InputError, match="this state is damaged, or not of 8 environments squared"):
            open_trainer("squared").load_state(damage(), meta)
    with pytest.raises(InputError, match=r"the checkpoint lacks episodes\.encoded"):
        ppo.load_state({name: tensor for name, tensor in tensors.items() if name != "episodes.encoded"}, meta)


def test_without_the_environments_new_episodes_begin_and_are_told_of() -> None:
    ppo = open_trainer("squared")
    tensors, meta = ppo.state()
    ppo.load_state({k: v for k, v in tensors.items() if not k.startswith(("environments.", "episodes."))}, meta)
    assert ppo.iterate()["env/interrupted"] == 8
    assert "env/interrupted" not in ppo.iterate()
