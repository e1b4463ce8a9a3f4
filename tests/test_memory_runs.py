"""Policies with memory outside of training: every verb acts as the policy would step by step, episode by episode."""

import numpy as np
import pytest
import torch
from test_memory import loud

from matdesign.agents.actor import Actor
from matdesign.cli import main
from matdesign.config import load
from matdesign.design.assembly import make_policy, open_vector
from matdesign.design.flight import fly
from matdesign.design.live import Live
from matdesign.design.play import act
from matdesign.design.rollout import rollout
from matdesign.design.training import trained_policy
from matdesign.errors import InputError

SMALL = {"snakes": 3, "width": 8, "height": 8, "food": 4}
SNAKES = ["env=snake", "env.envs=2", *(f"env.settings.{name}={value}" for name, value in SMALL.items())]
MEMORY = ["agent.policy.memory=gru", "agent.policy.memory_size=8", "agent.policy.hidden=[16]", "quiet=true"]
STEPS = 60


def by_hand(vector, policy, *, seed, steps, forget=False):
    """What is seen before each step, all actions being the most probable ones."""
    vector.reset(seed)
    remembered = np.zeros((vector.rows, policy.memory), np.float32)
    seen = []
    with torch.no_grad():
        for _ in range(steps):
            seen.append(vector.observations.copy())
            encoded = policy.encode(torch.from_numpy(vector.observations))
            distribution, _, after = policy.step(encoded, torch.from_numpy(remembered))
            vector.actions[:] = distribution.mode().numpy()
            vector.step()
            remembered = np.where(vector.masks[:, None] & (not forget), after.numpy(), 0)
    return np.stack(seen)


@pytest.fixture(scope="module")
def snakes():
    """Snakes that die all the time, their policy, and what they see by hand."""
    config = load([*SNAKES, *MEMORY])
    with open_vector(config) as vector:
        policy = loud(make_policy(config, vector))
        seen = by_hand(vector, policy, seed=3, steps=STEPS)
        died = vector.log()["episodes"]
        forgetful = by_hand(vector, policy, seed=3, steps=STEPS, forget=True)
    assert died > 20
    assert not np.array_equal(seen, forgetful)
    return config, policy, seen


def test_looking_on(snakes):
    config, policy, seen = snakes
    with open_vector(config) as vector:
        live = Live(config, vector, policy, title="", seed=3)
        for _ in range(2):  # from the start, and started again
            for expected in seen:
                assert np.array_equal(vector.observations, expected)
                live.step()
            live.reset()


def test_recording(snakes):
    config, policy, seen = snakes
    with open_vector(config) as vector:
        frames = rollout(vector, policy, seed=3, frames=STEPS)
        for expected in seen:
            next(frames)
            assert np.array_equal(vector.observations, expected)


def test_playing_beside_it(snakes):
    config, policy, seen = snakes
    with open_vector(config) as vector:
        vector.reset(3)
        actor, twin = Actor(policy), Actor(policy)
        for expected in seen:
            assert np.array_equal(vector.observations, expected)
            own = twin(torch.from_numpy(vector.observations), torch.from_numpy(vector.masks))[0]
            act(vector, actor, np.random.default_rng(0), int(own))
            vector.step()


def test_flights_of_atoms():
    config = load(["env=atoms/cluster", "env.envs=2", "env.settings.horizon=6", *MEMORY])
    with open_vector(config, own_memory=True) as vector:
        policy = loud(make_policy(config, vector))
        flight, again = (fly(vector, policy, episodes=4, seed=5, deterministic=True) for _ in range(2))
        by_hand(vector, policy, seed=5, steps=13)  # two episodes of six steps, and the reset between them
        figures = vector.log()
    assert [result.energy for result in flight.results] == [result.energy for result in again.results]
    assert flight.figures["score"] == pytest.approx(figures["score"], rel=1e-6)
    assert figures["episodes"] == flight.figures["episodes"] == 4


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("memory") / "run"
    short = ["env=squared", "env.envs=16", "agent.ppo.total_agent_steps=2048", "evaluation.episodes=16"]
    assert main(["train", *short, *MEMORY, f"output={folder}"]) == 0
    return folder


def test_verbs(run, tmp_path):
    assert main(["evaluate", str(run)]) == 0
    assert main(["render", str(run), f"output={tmp_path / 'film.gif'}", "frames=:5", "size=64x48"]) == 0
    assert main(["view", str(run), "--export", str(tmp_path / "page.html")]) == 0
    assert (tmp_path / "film.gif").stat().st_size > 100
    assert (tmp_path / "page.html").stat().st_size > 1000


@pytest.mark.parametrize("memory", ["none", "lstm"])
def test_a_checkpoint_is_of_its_kind_of_memory(run, memory):
    config = load(["env=squared", *MEMORY, f"agent.policy.memory={memory}"])
    with open_vector(config) as vector, pytest.raises(InputError, match="is not of this policy"):
        trained_policy(run, make_policy(config, vector))
