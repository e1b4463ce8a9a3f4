"""cartpole against Gymnasium's own implementation."""

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.classic_control.cartpole import CartPoleEnv

from matdesign.vector import Vector


def balance(rows: np.ndarray) -> np.ndarray:
    """Pushes towards the side to which cart and pole are about to go: keeps most poles up."""
    return (rows @ [0.1, 0.3, 1.0, 0.4] > 0).astype(np.int32)


def test_every_step_equals_gymnasiums() -> None:
    count, random = 64, np.random.default_rng(0)
    with Vector("cartpole", {}, envs=count) as vector:
        assert (vector.features, vector.action_dims, vector.choices) == (4, 1, 2)
        vector.reset(1)
        oracle = CartPoleEnv()
        fresh, falls = np.ones(count, bool), 0
        for _ in range(400):
            before = vector.observations.copy()
            assert np.abs(before[fresh]).max(initial=0.0) <= 0.05
            # Half of them are pushed at random and fall soon, in every direction.
            actions = np.where(np.arange(count) % 2, balance(before), random.integers(0, 2, count))
            vector.actions[:, 0] = actions
            ended = vector.terminals | vector.truncations
            vector.step()
            assert (vector.masks == ~ended).all()
            assert (vector.rewards == vector.masks).all()
            for i in np.flatnonzero(vector.masks):
                oracle.state, oracle.steps_beyond_terminated = before[i].astype(float), None
                expected, _, terminal, _, _ = oracle.step(int(actions[i]))
                assert vector.observations[i] == pytest.approx(expected, rel=1e-6, abs=1e-6)
                assert vector.terminals[i] == terminal
            fresh = ended
            falls += vector.terminals.sum()
        assert falls > 100
        assert np.abs(vector.observations).max() < vector.high


def test_whole_episodes_are_as_long_as_gymnasiums() -> None:
    """From the same starts, with the same actions: rounding stays small over the falls of poles pushed at random."""
    count, random = 50, np.random.default_rng(3)
    pushes = random.integers(0, 2, (count, 200))
    theirs, starts = [], []
    with Vector("cartpole", {}, envs=count) as vector:
        vector.reset(2)
        starts = vector.observations.copy()
        oracle = CartPoleEnv()
        for start, actions in zip(starts, pushes, strict=True):
            oracle.state, oracle.steps_beyond_terminated = start.astype(float), None
            theirs.append(next(t for t, action in enumerate(actions, 1) if oracle.step(int(action))[2]))
        ours = np.zeros(count, int)
        for t in range(1, 200):
            vector.actions[:, 0] = pushes[:, t - 1]
            vector.step()
            ours[vector.terminals & (ours == 0)] = t
            pushes[vector.terminals] = 0
    assert ours.tolist() == theirs


def test_starts_are_uniform() -> None:
    with Vector("cartpole", {}, envs=20_000) as vector:
        vector.reset(0)
        starts = vector.observations
        assert starts.mean(0) == pytest.approx(np.zeros(4), abs=5 * 0.0289 / np.sqrt(20_000))
        assert starts.std(0) == pytest.approx(np.full(4, 0.1 / np.sqrt(12)), rel=0.02)
        assert np.corrcoef(starts.T) == pytest.approx(np.eye(4), abs=0.03)


def test_limit_truncates_and_figures_are_those_of_the_episodes() -> None:
    assert gymnasium.spec("CartPole-v1").max_episode_steps == 500
    with Vector("cartpole", {}, envs=32) as vector:
        vector.reset(0)
        for _ in range(500):
            vector.actions[:, 0] = balance(vector.observations)
            vector.step()
            assert not (vector.terminals & vector.truncations).any()
        standing = vector.truncations.copy()
        assert standing.sum() > 20
        log = vector.log()
        assert log["score"] == log["episode_return"] == log["episode_length"] == pytest.approx(500 * log["perf"])
        assert log["episodes"] >= 32
        vector.step()
        assert not vector.masks[standing].any()
        assert not vector.truncations.any()
    with Vector("cartpole", {"horizon": 7}, envs=4) as vector:
        vector.reset(0)
        for _ in range(7):
            assert not vector.truncations.any()
            vector.step()
        assert vector.truncations.all()
        assert vector.log() == pytest.approx(
            {"episodes": 4, "score": 7, "perf": 1, "episode_return": 7, "episode_length": 7}
        )


def test_hidden_velocities_change_nothing_else() -> None:
    with Vector("cartpole", {}, envs=64) as seen, Vector("cartpole", {"velocities": False}, envs=64) as hidden:
        assert (seen.features, hidden.features) == (4, 2)
        seen.reset(5), hidden.reset(5)
        for _ in range(80):
            assert np.array_equal(hidden.observations, seen.observations[:, ::2])
            seen.actions[:, 0] = hidden.actions[:, 0] = balance(seen.observations)
            seen.step(), hidden.step()
            assert np.array_equal(hidden.terminals, seen.terminals)


def test_scene_shows_the_pole_on_the_cart() -> None:
    with Vector("cartpole", {}, envs=1) as vector:
        vector.reset(0)
        for _ in range(8):
            vector.actions[:] = 1
            vector.step()
        scene = vector.scene(0)
        x, _, angle, _ = vector.observations[0]
    assert angle < -0.05
    assert scene.boxes[1, 0] == pytest.approx(x)
    assert scene.spheres[0, :3] == pytest.approx([x, 0.0, 0.0])
    assert scene.spheres[-1, :3] == pytest.approx([x + np.sin(angle), 0.0, np.cos(angle)], abs=1e-6)
