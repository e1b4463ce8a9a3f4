"""snake against plain Python, and what its rules promise."""

import numpy as np
import pytest
from snake_reference import BODY, EMPTY, FOOD, WALL, Board

from matdesign.errors import InputError
from matdesign.vector import Vector

SMALL = {"snakes": 5, "width": 14, "height": 12, "food": 8, "vision": 3, "corpses": 1, "horizon": 150}
# So crowded that no cell is empty at times.
FULL = {"snakes": 12, "width": 9, "height": 9, "food": 4, "vision": 2, "corpses": 1, "horizon": 120}
WIDE = {"snakes": 3, "width": 20, "height": 7, "food": 5, "vision": 9, "corpses": 0, "horizon": 90}


def sensible(rows: np.ndarray, headings: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Mostly the first safe direction of a random order, food before all others; sometimes anything."""
    edge = int(np.sqrt(rows.shape[1]))
    middle = edge // 2
    grids = rows.reshape(-1, edge, edge)
    ahead = np.stack([grids[:, middle + dr, middle + dc] for dr, dc in ((1, 0), (-1, 0), (0, -1), (0, 1))], axis=1)
    choice = (ahead + random.uniform(0, 0.9, ahead.shape)).argmin(axis=1)
    return np.where(random.random(len(rows)) < 0.1, random.integers(-1, 6, len(rows)), choice)


@pytest.mark.parametrize("settings", [SMALL, FULL, WIDE], ids=["small", "full", "wide"])
@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_equals_python_reference(settings: dict[str, int], seed: int) -> None:
    count, steps, snakes = 3, 320, settings["snakes"]
    random = np.random.default_rng(2)
    with Vector("snake", {**settings, "reward_food": 1.0}, envs=count) as vector:
        vector.reset(seed)
        references = [Board(seed, i, **settings) for i in range(count)]
        for _ in range(steps):
            assert np.array_equal(vector.observations, np.concatenate([r.observations() for r in references]))
            actions = sensible(vector.observations, vector.actions[:, 0], random)
            vector.actions[:, 0] = actions
            vector.step()
            for reference, own in zip(references, actions.reshape(count, snakes).tolist(), strict=True):
                reference.step(own)
            assert vector.rewards.tolist() == [reward for r in references for reward in r.rewards]
            assert vector.terminals.tolist() == [terminal for r in references for terminal in r.terminals]
            assert vector.truncations.tolist() == [r.truncation for r in references for _ in range(snakes)]
            assert vector.masks.tolist() == [mask for r in references for mask in r.masks]
        log = vector.log()
    lives = np.array([life for r in references for life in r.lives])
    assert log["episodes"] == len(lives) > 20
    assert log["score"] == pytest.approx(lives[:, 0].mean())
    assert log["perf"] == pytest.approx(np.minimum(1, lives[:, 0] / 30).mean())
    assert log["episode_return"] == pytest.approx((lives[:, 0] - (lives[:, 2] > 0)).mean())
    assert log["episode_length"] == pytest.approx(lives[:, 1].mean())
    assert log["died_on_wall"] == pytest.approx((lives[:, 2] == WALL).mean())
    assert log["died_on_body"] == pytest.approx((lives[:, 2] == BODY).mean())


def test_turning_back_goes_straight_on() -> None:
    """A lone snake told to turn back and forth runs straight into a wall."""
    with Vector("snake", {"snakes": 1, "width": 40, "height": 40, "food": 0}, envs=8) as vector:
        vector.reset(0)
        alive = np.ones(8, bool)
        for step in range(41):
            vector.actions[:, 0] = 0 if step == 0 else step % 2  # 0 down, 1 up
            vector.step()
            alive &= ~vector.terminals
        assert not alive.any()
        assert vector.log()["died_on_wall"] == 1.0


def test_dead_snakes_become_food_or_nothing() -> None:
    for corpses, left in ((1, FOOD), (0, EMPTY)):
        settings = {"snakes": 1, "width": 4, "height": 4, "food": 0, "corpses": corpses, "vision": 4}
        with Vector("snake", settings, envs=1) as vector:
            vector.reset(1)
            vector.actions[:] = 3
            while not vector.terminals[0]:
                vector.step()
            grid = vector.observations.reshape(9, 9)
        assert grid[4, 4] == left  # where the head was
        assert not (grid == BODY).any()


def test_board_too_small_for_what_lives_on_it() -> None:
    with pytest.raises(InputError, match=r"64 snakes and 200 food need more than the 256 cells there are: give 784"):
        Vector("snake", {"snakes": 64, "food": 200, "width": 16, "height": 16}, envs=1)


def test_scene_shows_every_cell_of_every_snake() -> None:
    with Vector("snake", {"vision": 8, "width": 8, "height": 8, "snakes": 1, "food": 6}, envs=1) as vector:
        vector.reset(5)
        for _ in range(3):
            vector.actions[:] = sensible(vector.observations, vector.actions[:, 0], np.random.default_rng(0))[:, None]
            vector.step()
        scene = vector.scene(0)
        grid = vector.observations.reshape(17, 17)
    assert len(scene.boxes) == 1 + (grid == BODY).sum()
    assert len(scene.spheres) == (grid == FOOD).sum()
