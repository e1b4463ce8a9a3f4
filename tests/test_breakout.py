"""breakout against plain Python, and what its rules promise."""

import numpy as np
import pytest
from breakout_reference import Breakout

from matdesign.vector import Vector


def follow(rows: np.ndarray) -> np.ndarray:
    """Actions that keep the paddle under the ball, a little off its middle so that it flies at an angle."""
    off = rows[:, 5] * 576 + 12 * np.sin(40 * rows[:, 2])
    return np.where(off > 8, 2, np.where(off < -8, 1, 0))


def compare(settings: dict[str, int], seed: int, *, count: int, steps: int) -> list[tuple[int, int, int]]:
    """Score, steps and lost balls of each game that ended."""
    random = np.random.default_rng(1)
    with Vector("breakout", settings, envs=count) as vector:
        vector.reset(seed)
        references = [Breakout(seed, i, **settings) for i in range(count)]
        ended = []
        for _ in range(steps):
            assert np.allclose(vector.observations, [r.observation() for r in references], atol=1e-6)
            actions = np.where(np.arange(count) % 4, follow(vector.observations), random.integers(-1, 5, count))
            vector.actions[:, 0] = actions
            vector.step()
            for reference, action in zip(references, actions.tolist(), strict=True):
                reference.step(action)
            assert vector.rewards.tolist() == [r.reward for r in references]
            assert vector.terminals.tolist() == [r.terminal for r in references]
            assert vector.truncations.tolist() == [r.truncation for r in references]
            assert vector.masks.tolist() == [r.mask for r in references]
            ended += [(r.score, r.ticks, r.lost) for r in references if r.terminal or r.truncation]
        log = vector.log()
    score, ticks, lost = np.mean(ended, axis=0)
    assert log["episodes"] == len(ended)
    assert log["score"] == log["episode_return"] == pytest.approx(score)
    assert log["perf"] == pytest.approx(score / 864)
    assert log["episode_length"] == pytest.approx(ticks)
    assert log["balls"] == pytest.approx(lost)
    return ended


@pytest.mark.parametrize("settings", [{}, {"frameskip": 1, "balls": 1}, {"horizon": 90, "balls": 2}], ids=str)
@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_equals_python_reference(settings: dict[str, int], seed: int) -> None:
    assert len(compare(settings, seed, count=4, steps=400)) >= 2


def test_equals_python_reference_through_both_walls() -> None:
    games = compare({"frameskip": 6, "balls": 100}, 3, count=3, steps=4500)
    assert sum(score == 864 for score, *_ in games) >= 2


def test_scene_shows_court_wall_paddle_and_ball() -> None:
    with Vector("breakout", {}, envs=1) as vector:
        vector.reset(0)
        for _ in range(60):
            vector.actions[:, 0] = follow(vector.observations)
            vector.step()
        scene = vector.scene(0)
        row = vector.observations[0]
        score = vector.rewards.sum()
    standing = int(row[10:].sum())
    assert standing < 108 or score == 0
    assert scene.boxes.shape == (1 + standing + 2, 10)
    assert scene.boxes[-1, :2] == pytest.approx([row[1] * 576, 330 - row[2] * 330], abs=1e-2)
    assert scene.boxes[-2, 0] == pytest.approx(row[0] * 576, abs=1e-2)
