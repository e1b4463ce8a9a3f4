"""Flying a trained policy: what is counted, and what it comes to."""

import json
import math

import numpy as np
import pytest
import torch

from matdesign.agents.actor import Actor
from matdesign.agents.policies import MLPPolicy
from matdesign.config import load
from matdesign.design.assembly import make_policy, open_vector
from matdesign.design.flight import fly, search_figures
from matdesign.design.job import check_train, evaluate, train
from matdesign.design.run import RunFolder
from matdesign.envs.atoms import AtomsResult
from matdesign.errors import InputError
from matdesign.vector import Vector

SMALL = (
    "agent.ppo.total_agent_steps=3000",
    "env.envs=8",
    "evaluation.episodes=16",
    "quiet=true",
)


def result(energy, evaluations):
    return AtomsResult(
        positions=np.zeros((1, 3)), energy=energy, evaluations=evaluations, failed=not math.isfinite(energy)
    )


def test_search_figures_by_hand():
    found = [result(-2.0, 100), result(-1.9, 300), result(math.nan, 50), result(-2.00004, 150)]
    figures = search_figures(found, energy_scale=0.5, reference=-4.0, tolerance=1e-3)
    assert figures.success[0] == 0.5
    assert figures.success[1] == pytest.approx(math.sqrt(0.25 / 4))
    assert figures.evaluations[0] == 150
    assert figures.evaluations[1] == pytest.approx(np.std([100, 300, 50, 150], ddof=1) / 2)
    assert figures.cost[0] == 300
    assert figures.cost[1] == pytest.approx(300 * math.hypot(figures.evaluations[1] / 150, 0.25 / 0.5))
    assert figures.best == pytest.approx(-4.00008)
    assert figures.failed == 1


def test_search_figures_without_a_success_and_without_a_reference():
    found = [result(-1.0, 10), result(-2.0, 10)]
    assert search_figures(found, energy_scale=1.0, reference=-3.0, tolerance=1e-3).cost[0] == math.inf
    assert search_figures(found, energy_scale=1.0, reference=None, tolerance=1e-3).success[0] == 0.5


def test_flights_are_reproducible_and_every_environment_counts_equally():
    config = load(SMALL)
    with open_vector(config) as vector:
        policy = make_policy(config, vector)
        first, again, other, sampled = (
            fly(vector, policy, episodes=20, seed=seed, deterministic=deterministic)
            for seed, deterministic in ((7, True), (7, True), (8, True), (7, False))
        )
    assert len(first.results) == 24  # rounded up to the same number in each of 8 environments
    assert [r.energy for r in first.results] == [r.energy for r in again.results]
    assert [r.energy for r in first.results] != [r.energy for r in other.results]
    assert [r.energy for r in first.results] != [r.energy for r in sampled.results]
    scale = config.material.energy_scale
    assert first.figures["energy"] == pytest.approx(np.mean([r.energy for r in first.results]) / 13 / scale, rel=1e-5)
    assert first.figures["evaluations"] == pytest.approx(np.mean([r.evaluations for r in first.results]), rel=1e-5)


def test_episodes_count_start_steering_and_relaxation():
    config = load([*SMALL, "env.settings.start_relax=0", "env.settings.relax_evaluations=0"])
    with open_vector(config) as vector:
        flight = fly(vector, make_policy(config, vector), episodes=8, seed=1, deterministic=True)
        again = fly(vector, make_policy(config, vector), episodes=8, seed=2, deterministic=True)
    # One evaluation enters the long run, once; then one places the atoms and 20 x 20 steer them.
    assert {r.evaluations for r in flight.results} == {402}
    assert {r.evaluations for r in again.results} == {401}


def test_flights_do_not_favour_agents_that_end_early():
    """Snakes end on their own: each must have ended before the figures count."""
    with Vector("snake", {"snakes": 4, "width": 16, "height": 16, "food": 20, "horizon": 200}, envs=2) as vector:
        policy = MLPPolicy(vector.features, vector.action_dims, vector.choices, hidden=[4], log_sigma=0.0, seed=0)
        flight = fly(vector, policy, episodes=2, seed=3, deterministic=False)
        vector.reset(3)
        generator, ended = torch.Generator().manual_seed(3), np.zeros(8, int)
        while ended.min() < 1:
            vector.actions[...] = Actor(policy, generator)(torch.from_numpy(vector.observations))
            vector.step()
            ended += vector.terminals | vector.truncations
    assert flight.figures["episodes"] >= 8
    assert ended.max() > 1


def test_a_trained_run_is_judged_by_the_known_ground_state(tmp_path):
    config = load([*SMALL, f"output={tmp_path / 'run'}"])
    with RunFolder.create(config, "train") as run:
        train(config, run)
    with RunFolder.open(run.path) as run:
        evaluate(config, run)
        figures = json.loads((run.path / "evaluation.json").read_text())
        assert figures["episodes"] == 16
        assert figures["evaluation"]["seed"] == config.evaluation.seed
        # Against its own lowest, each of 8 environments would count its first episode.
        assert figures["perf"] < 0.5
        with pytest.raises(InputError, match="not of this policy"):
            evaluate(load([*SMALL, "env.settings.neighbours=6"]), run)


def test_training_that_cannot_begin_is_refused():
    with pytest.raises(InputError, match="every simulation of material=argon_cluster fails in its first control step"):
        check_train(load([*SMALL, "material.masses=[1e-30]"]))
    wrong = load(["env=squared", "agent.policy.kind=equivariant"])
    with open_vector(wrong) as vector, pytest.raises(InputError, match="needs atoms"):
        make_policy(wrong, vector)
