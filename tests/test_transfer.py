"""More atoms than a policy was trained on: what an atom sees and earns does not depend on their number; evaluation."""

import json

import numpy as np
import pytest
from ase import Atoms
from systems import fcc, material
from test_atoms_env import open_vector

from matdesign import cli

STEPS, TARGET, CURRENT = 5, 8, 9


@pytest.mark.parametrize("credit", ["own", "team", "mix"])
@pytest.mark.parametrize("options", [{"reward": "order", "goal": 0.5}, {"reward": "energy"}], ids=["order", "energy"])
def test_an_atom_sees_and_earns_the_same_in_a_cell_eight_times_as_large(credit, options):
    dense = material("lj_dense")
    small = fcc(2, a=1.56181, rattle=0.05)
    large = small.repeat(2)  # every atom and its seven images have the same surroundings
    settings = {"md_steps": 5, "neighbours": 12, "horizon": STEPS + 1, "credit": credit, "strength": 0.5, **options}
    actions = np.random.default_rng(1).normal(scale=0.5, size=(STEPS, len(small), 3)).astype(np.float32)
    seen, earned = {}, {}
    for atoms in (small, large):
        copies = len(atoms) // len(small)
        with open_vector(atoms, dense, starts=atoms.positions.ravel(), **settings) as vector:
            vector.reset(seed=1)
            rows = [vector.observations.copy()]
            rewards = []
            for action in actions:
                vector.actions[:] = np.tile(action, (copies, 1))
                vector.step()
                rows.append(vector.observations.copy())
                rewards.append(vector.rewards.copy())
        seen[copies], earned[copies] = np.array(rows), np.array(rewards)
    assert np.abs(earned[1]).max() > 0.01
    np.testing.assert_allclose(seen[8], np.tile(seen[1], (1, 8, 1)), atol=2e-3)
    np.testing.assert_allclose(earned[8], np.tile(earned[1], (1, 8)), atol=2e-3)


def test_steering_shows_no_distance_of_all_atoms():
    free = material("lj")
    starts = np.random.default_rng(0).uniform(-3.0, 3.0, (9, 3))
    with open_vector(Atoms(["Ar"] * 9, starts), free, reward="goal", start_relax=20, start_density=0.1) as vector:
        vector.reset(seed=0)
        for _ in range(3):
            vector.actions[:] = 0.5
            vector.step()
            assert not vector.observations[:, [TARGET, CURRENT]].any()


def test_evaluate_flies_a_policy_among_more_atoms(tmp_path, capsys):
    run = tmp_path / "run"
    trained = ["env=atoms/steer", "material.structure.atoms=4", "env.settings.neighbours=3", "env.envs=4"]
    short = ["agent.ppo.total_agent_steps=512", "evaluation.training_share=0", "evaluation.episodes=4", "quiet=true"]
    assert cli.main(["train", *trained, *short, "env.settings.horizon=8", f"output={run}"]) == 0
    few = json.loads((run / "evaluation.json").read_text())
    assert cli.main(["evaluate", str(run), "material.structure.atoms=32", "env.envs=2"]) == 0
    many = json.loads((run / "evaluation.json").read_text())
    assert "score" in capsys.readouterr().out
    assert (few["structure"]["atoms"], many["structure"]["atoms"]) == (4, 32)
    assert many["score"] < few["score"] < 0.0  # goals are farther away in a larger cloud
    assert many["failures"] == 0.0
