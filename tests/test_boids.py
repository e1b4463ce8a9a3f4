"""boids against plain NumPy, and what its rules promise."""

import numpy as np
import pytest
from boids_reference import Boids

from matdesign.errors import InputError
from matdesign.scene import Scene
from matdesign.vector import Vector

# One bird; all pairs; the smallest grid; many cells; a dense crowd in few cells.
CASES = [(1, 6.0), (9, 6.0), (18, 6.0), (150, 4.0), (60, 20.0)]


def take_over(reference: Boids, scene: Scene) -> None:
    """Puts the reference into the state that is drawn: a flock is chaotic, and floats differ from doubles."""
    reference.places = scene.spheres[:, :2].astype(float)
    reference.velocities = (reference.places - scene.lines[:, 3:5]) / 1.5
    reference.look()


@pytest.mark.parametrize(("birds", "crowd"), CASES)
@pytest.mark.parametrize("rules", [0, 1])
def test_equals_reference_of_all_pairs(birds: int, crowd: float, rules: int) -> None:
    count, steps, settings = 3, 45, {"birds": birds, "crowd": crowd, "horizon": 30, "rules": rules}
    random = np.random.default_rng(1)
    with Vector("boids", {**settings, "separation": 3.0}, envs=count) as vector:
        vector.reset(7)
        references = [Boids(7, i, weights=(1, 1, 3), **settings) for i in range(count)]
        history, returns = [], []
        for _ in range(steps):
            assert np.allclose(vector.observations, np.concatenate([r.observations for r in references]), atol=1e-3)
            actions = random.uniform(-1.5, 1.5, (count, birds, 2)).astype(np.float32)
            vector.actions[:] = actions.reshape(-1, 2)
            vector.step()
            for reference, own in zip(references, actions, strict=True):
                reference.step(own)
            assert np.allclose(vector.rewards, np.concatenate([r.rewards for r in references]), atol=1e-3)
            assert vector.truncations.tolist() == [r.truncation for r in references for _ in range(birds)]
            assert vector.masks.tolist() == [r.mask for r in references for _ in range(birds)]
            assert not vector.terminals.any()
            for i, reference in enumerate(references):
                take_over(reference, vector.scene(i))
            if references[0].truncation:
                history += [np.mean(r.history, axis=0) for r in references]
                returns += [np.sum(r.history, axis=0)[:3] @ r.weights for r in references]
        log = vector.log()
    assert log["episodes"] == len(history) == count
    terms = np.mean(history, axis=0)
    names = ["cohesion", "alignment", "separation", "polarisation"]
    assert [log[name] for name in names] == pytest.approx(terms, abs=1e-3)
    assert log["perf"] == log["score"] == pytest.approx(terms[:3].mean(), abs=1e-3)
    assert log["episode_return"] == pytest.approx(np.mean(returns), abs=1e-2)
    assert log["episode_length"] == 30


def test_rules_write_the_actions_and_make_a_flock() -> None:
    figures = []
    for rules in (0, 1):
        with Vector("boids", {"rules": rules, "birds": 200}, envs=2) as vector:
            vector.reset(0)
            for _ in range(500):
                vector.actions[:] = np.random.default_rng(0).uniform(-1, 1, vector.actions.shape) * (1 - rules)
                before = vector.observations.copy()
                vector.step()
            if rules:
                expected = 0.3 * before[:, 2:4] + 10 * before[:, 4:6] + 30 * before[:, 6:8]
                assert np.allclose(vector.actions, expected, atol=1e-6)
            figures.append(vector.log())
    assert figures[0]["polarisation"] < 0.3
    assert figures[1]["polarisation"] > 0.6


def test_weights_must_not_all_be_zero() -> None:
    with pytest.raises(InputError, match="cohesion, alignment and separation are all 0: give at least one"):
        Vector("boids", {"cohesion": 0, "alignment": 0, "separation": 0}, envs=1)


def test_scene_shows_every_bird() -> None:
    with Vector("boids", {"birds": 12}, envs=1) as vector:
        vector.reset(0)
        scene = vector.scene(0)
    assert scene.spheres.shape == (12, 8)
    assert scene.lines.shape == (12, 10)
    edge = np.sqrt(np.pi * 12 / 6)
    assert (scene.spheres[:, :2] >= 0).all()
    assert (scene.spheres[:, :2] <= edge).all()
