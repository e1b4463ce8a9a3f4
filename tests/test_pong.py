"""pong against plain Python, and what its rules promise."""

import numpy as np
import pytest
from pong_reference import Pong

from matdesign.vector import Vector


def follow(rows: np.ndarray) -> np.ndarray:
    """Actions that keep the paddle's middle near the ball's."""
    aim = (rows[:, 3] * 608 + 16) - (rows[:, 0] * 570 + 35)
    return np.where(aim > 8, 1, np.where(aim < -8, 2, 0))


@pytest.mark.parametrize("settings", [{}, {"frameskip": 1, "horizon": 300}, {"opponent_speed": 2}], ids=str)
@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_equals_python_reference(settings: dict[str, int], seed: int) -> None:
    count, steps = 6, 700
    random = np.random.default_rng(1)
    options = {"opponent" if name == "opponent_speed" else name: value for name, value in settings.items()}
    with Vector("pong", settings, envs=count) as vector:
        vector.reset(seed)
        references = [Pong(seed, i, **options) for i in range(count)]
        ended = []
        for _ in range(steps):
            assert np.allclose(vector.observations, [r.observation() for r in references], atol=1e-6)
            # Half of them play badly, the others well: long rallies and short matches.
            actions = np.where(np.arange(count) % 2, follow(vector.observations), random.integers(-1, 5, count))
            vector.actions[:, 0] = actions
            vector.step()
            for reference, action in zip(references, actions.tolist(), strict=True):
                reference.step(action)
            assert vector.rewards.tolist() == [r.reward for r in references]
            assert vector.terminals.tolist() == [r.terminal for r in references]
            assert vector.truncations.tolist() == [r.truncation for r in references]
            assert vector.masks.tolist() == [r.mask for r in references]
            ended += [(r.won - r.lost, r.ticks, r.hits) for r in references if r.terminal or r.truncation]
        log = vector.log()
    assert log["episodes"] == len(ended) >= 2
    score, ticks, hits = np.mean(ended, axis=0)
    assert log["score"] == log["episode_return"] == pytest.approx(score)
    assert log["perf"] == pytest.approx((21 + score) / 42)
    assert log["episode_length"] == pytest.approx(ticks)
    assert log["hits"] == pytest.approx(hits)


def test_who_stands_still_loses_and_who_follows_the_ball_does_not() -> None:
    with Vector("pong", {}, envs=64) as vector:
        for actions, worst, best in ((lambda rows: np.zeros(len(rows)), 0.0, 0.2), (follow, 0.45, 1.0)):
            vector.reset(0)
            for _ in range(5000):
                vector.actions[:, 0] = actions(vector.observations)
                vector.step()
            log = vector.log()
            assert log["episodes"] >= 64
            assert worst <= log["perf"] <= best


def test_scene_shows_court_paddles_ball_and_points() -> None:
    with Vector("pong", {}, envs=1) as vector:
        vector.reset(0)
        for _ in range(5):
            vector.step()
        scene = vector.scene(0)
        row = vector.observations[0]
    assert scene.boxes.shape == (4, 10)
    assert scene.boxes[3, :2] == pytest.approx([row[2] * 468 + 16, row[3] * 608 + 16], abs=1e-3)
    assert scene.boxes[2, 1] == pytest.approx(row[0] * 570 + 35, abs=1e-3)
    assert [text.text for text in scene.texts] == ["0 : 0"]
