"""The drone swarm against plain NumPy, analytic mechanics and SciPy's integrator."""

from pathlib import Path

import numpy as np
import pytest
from drone_reference import (
    ANGULAR_DRAG,
    COLLISION,
    GRAVITY,
    INERTIA,
    LINEAR_DRAG,
    MASS,
    RANGE,
    TASKS,
    DroneSwarm,
    closeness,
    rotation,
    spin,
    wrench,
)
from numpy.typing import NDArray
from PIL import Image
from scipy.integrate import solve_ivp

from matdesign.envs.drones import FLAG, drone_settings, flag_colours, pilot, read_points
from matdesign.errors import InputError
from matdesign.vector import Vector
from matdesign.vector.interface import SettingValues

Array = NDArray[np.float64]
POINTS = np.array([[2.0 * i, -i, 0.5 * i - 1] for i in range(8)])


def settings(task: str, drones: int, **others: float | Array) -> SettingValues:
    if task == "points":
        return {"drones": drones, "points": POINTS[:drones].ravel(), **others}
    return {"drones": drones, **{name: float(name == task) for name in TASKS[:-1]}, **others}


def spheres(vector: Vector, index: int = 0) -> Array:
    """Centres [drones, 6, 3] in the scene: body, ends of the x axis, ends of the y axis, target."""
    return vector.scene(index).spheres.reshape(vector.agents, 6, 8)[:, :, :3].astype(float)


def attitudes(vector: Vector) -> Array:
    """Matrices [drones, 3, 3], body to world."""
    places = spheres(vector)
    x, y = (places[:, 2] - places[:, 1]) / 0.6, (places[:, 4] - places[:, 3]) / 0.6
    return np.stack([x, y, np.cross(x, y)], axis=2)


def rates(vector: Vector) -> Array:
    """Angular velocities [drones, 3] in the body's frame, rad/s."""
    return vector.observations[:, 12:15].astype(float) / 0.25


def lattice(drones: int) -> Array:
    """Targets [drones, 3] so dense that drones collide on their way."""
    edge = round(drones ** (1 / 3) + 0.499)
    return np.stack(np.unravel_index(np.arange(drones), (edge,) * 3), axis=1) - (edge - 1) / 2


def pairs(places: Array) -> Array:
    """Distances [n, n], infinite on the diagonal."""
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    return distances


@pytest.mark.parametrize("task", TASKS)
def test_equals_reference_step_for_step(task: str) -> None:
    """Observations, rewards and flags over two episodes, with crashes, gates and domain randomisation among them."""
    spreads = {"mass_spread": 0.2, "thrust_spread": 0.1, "drag_spread": 0.5, "start_tilt": 1.0}
    drones, horizon = 8, 130 if task == "race" else 90
    with Vector("drone_swarm", settings(task, drones, horizon=horizon, **spreads), envs=2) as vector:
        vector.reset(11)
        references = [
            DroneSwarm(
                11, i, task=task, drones=drones, horizon=horizon, spreads=(0.2, 0.1, 0.5), start_tilt=1.0, points=POINTS
            )
            for i in range(2)
        ]
        random = np.random.default_rng(0)
        drift, gates = np.zeros((vector.rows, 4)), 0
        for _ in range(horizon + 20):
            drift = 0.9 * drift + 0.15 * random.standard_normal((vector.rows, 4))
            vector.actions[:] = drift + 0.2 * random.standard_normal((vector.rows, 1))
            if task == "race":
                vector.actions[:] = pilot(vector.observations)
            rows = zip(references, vector.actions.reshape(2, drones, 4).copy(), strict=True)
            vector.step()
            for reference, actions in rows:
                reference.step(actions)
            expected = np.concatenate([r.observation() for r in references])
            np.testing.assert_allclose(vector.observations, expected, atol=3e-3)
            np.testing.assert_allclose(vector.rewards, np.concatenate([r.rewards for r in references]), atol=1e-4)
            assert np.array_equal(vector.masks, np.concatenate([r.masks for r in references]))
            assert np.array_equal(vector.truncations, np.repeat([r.truncated for r in references], drones))
            assert not vector.terminals.any()
            gates += sum(reference.gates.sum() for reference in references)
        assert gates or task != "race"


def test_crashed_drones_are_put_back() -> None:
    """A drone that leaves loses all closeness, and is somewhere else after a step that counts for nobody."""
    with Vector("drone_swarm", settings("hover", 8), envs=1) as vector:
        vector.reset(2)
        reference = DroneSwarm(2, 0, task="hover", drones=8)
        crashes = 0
        for _ in range(150):
            vector.actions[:] = [[1, 1, 1, 1]] * 4 + [[-1, -1, -1, -1]] * 4
            before = reference.distance
            vector.step()
            reference.step(vector.actions)
            np.testing.assert_allclose(vector.rewards, reference.rewards, atol=1e-4)
            assert np.array_equal(vector.masks, reference.masks)
            assert (np.abs(spheres(vector)[~vector.masks, 0]) < 12).all()
            lost = (np.abs(reference.x) > 17).any(1) & vector.masks
            np.testing.assert_allclose(vector.rewards[lost], -closeness(before[lost], reference.span), atol=1e-4)
            crashes += lost.sum()
        assert crashes >= 4


def flown(actions: Array, timestep: float) -> tuple[Array, Array]:
    """Position and attitude of one drone after actions [steps, 4] of 0.08 s each."""
    with Vector("drone_swarm", settings("idle", 1, timestep=timestep, horizon=2000), envs=1) as vector:
        vector.reset(4)
        for action in actions:
            vector.actions[:] = action
            for _ in range(round(0.08 / timestep)):
                vector.step()
        return spheres(vector)[0, 0], attitudes(vector)[0]


def test_second_order_convergence_to_the_equations_of_motion() -> None:
    """Against SciPy's eighth-order integrator of the same rigid body."""
    actions = np.random.default_rng(1).uniform(-1, 1, (12, 4)) * [0.4, 0.4, 0.4, 0.4]

    def derivative(_: float, state: Array, thrust: float, torque: Array) -> Array:
        v, q, w = state[None, 3:6], state[None, 6:10], state[None, 10:]
        turn = 0.5 * np.concatenate([[-q[0, 1:] @ w[0]], q[0, 0] * w[0] + np.cross(q[0, 1:], w[0])])
        push = thrust / MASS * rotation(q)[0, :, 2] - [0, 0, GRAVITY] - LINEAR_DRAG * v[0]
        return np.concatenate([v[0], push, turn, spin(w, torque, np.ones(1))[0]])

    start = DroneSwarm(4, 0, task="idle", drones=1)
    state = np.concatenate([start.x[0], np.zeros(3), start.q[0], np.zeros(3)])
    for action in actions:
        thrust, torque = wrench(action[None])
        state = solve_ivp(
            derivative, (0, 0.08), state, args=(thrust[0], torque), method="DOP853", rtol=1e-10, atol=1e-12
        ).y[:, -1]
    attitude = rotation(state[None, 6:10])[0]
    assert np.arccos(attitude[2, 2]) > 0.3  # it has turned
    errors = []
    for timestep in (0.08, 0.04, 0.02, 0.01):
        x, r = flown(actions, timestep)
        errors.append([np.linalg.norm(x - state[:3]), np.linalg.norm(r - attitude)])
    ratios = np.array(errors[:-1]) / errors[1:]
    assert (ratios > 3.2).all(), errors
    assert (np.array(errors[1]) < 0.02).all()  # at the default timestep


def test_hover_thrust_holds_the_weight() -> None:
    with Vector("drone_swarm", settings("idle", 16), envs=1) as vector:
        vector.reset(0)
        before = spheres(vector)
        for _ in range(400):
            vector.step()
        assert np.abs(spheres(vector) - before).max() < 1e-4
        assert not vector.rewards.any()


def test_fall_at_half_thrust() -> None:
    """dv/dt = -g/2 - k v has the solution v = -g/2k (1 - exp(-k t))."""
    with Vector("drone_swarm", settings("idle", 1, timestep=0.01), envs=1) as vector:
        vector.reset(0)
        before = spheres(vector)[0, 0]
        vector.actions[:] = -1
        for _ in range(100):
            vector.step()
        k = LINEAR_DRAG
        fallen = GRAVITY / 2 / k * (1.0 - (1 - np.exp(-k)) / k)
        np.testing.assert_allclose(before - spheres(vector)[0, 0], [0, 0, fallen], atol=1e-4)
        np.testing.assert_allclose(
            vector.observations[0, 9:12] / 0.4, [0, 0, -GRAVITY / 2 / k * (1 - np.exp(-k))], atol=1e-4
        )


@pytest.mark.parametrize(
    ("action", "axis", "torque"),
    [
        ([0, 0.1, 0, -0.1], 0, 0.315 * 0.1 * MASS * GRAVITY / 4),
        ([-0.1, 0, 0.1, 0], 1, 0.315 * 0.1 * MASS * GRAVITY / 4),
        ([1, -1, 1, -1], 2, 8.004e-4 * 2 * MASS * GRAVITY / 4),
    ],
)
def test_torque_turns_about_its_axis(action: list[float], axis: int, torque: float) -> None:
    """J dw/dt = torque - J k w about a principal axis."""
    with Vector("drone_swarm", settings("idle", 1, timestep=0.01), envs=1) as vector:
        vector.reset(0)
        vector.actions[:] = action
        for _ in range(50):
            vector.step()
        expected = np.zeros(3)
        expected[axis] = torque / INERTIA[axis] / ANGULAR_DRAG * (1 - np.exp(-0.5 * ANGULAR_DRAG))
        np.testing.assert_allclose(rates(vector)[0], expected, rtol=1e-4, atol=1e-5)


def test_free_rotation_keeps_momentum_and_energy() -> None:
    """Without torque the drag, proportional to momentum, scales momentum by exp(-k t) and energy by exp(-2 k t)."""
    with Vector("drone_swarm", settings("idle", 16, timestep=0.002, horizon=2000), envs=1) as vector:
        vector.reset(0)
        vector.actions[:] = np.random.default_rng(0).uniform(-0.6, 0.6, (16, 4))
        for _ in range(150):
            vector.step()
        vector.actions[:] = 0

        def momentum_and_energy() -> tuple[Array, Array]:
            w = rates(vector)
            return np.einsum("nij,nj->ni", attitudes(vector), INERTIA * w), 0.5 * (INERTIA * w * w).sum(1)

        momentum, energy = momentum_and_energy()
        assert np.linalg.norm(rates(vector)[:, :2], axis=1).max() > 3
        for _ in range(500):
            vector.step()
        later, energy_later = momentum_and_energy()
        np.testing.assert_allclose(later * np.exp(ANGULAR_DRAG), momentum, atol=2e-3 * np.abs(momentum).max())
        np.testing.assert_allclose(energy_later * np.exp(2 * ANGULAR_DRAG), energy, rtol=2e-3)


@pytest.mark.parametrize("drones", [1, 64, 200, 1024])
def test_grid_finds_the_neighbours_of_all_pairs(drones: int) -> None:
    k = 5
    with Vector("drone_swarm", {"drones": drones, "neighbours": k, "points": lattice(drones)}, envs=1) as vector:
        vector.reset(1)
        for _ in range(120):
            vector.actions[:] = pilot(vector.observations)
            vector.step()
        x, turned = spheres(vector)[:, 0], attitudes(vector)
        v = np.einsum("nij,nj->ni", turned, vector.observations[:, 9:12].astype(float)) / 0.4
        distances = pairs(x)
        assert drones == 1 or (distances < RANGE).sum(1).max() > k
        order = np.argsort(distances, axis=1)[:, :k]
        for slot in range(min(k, drones - 1)):
            other = order[:, slot]
            d = distances[np.arange(drones), other][:, None]
            weight = np.maximum(1 - d / RANGE, 0)
            way = np.einsum("nji,nj->ni", turned, (x[other] - x) / d) * weight
            relative = 0.4 * np.einsum("nji,nj->ni", turned, v[other] - v) * weight
            seen = vector.observations[:, 20 + 6 * slot : 26 + 6 * slot]
            # Two neighbours at the same distance, to rounding, may stand in either order.
            gaps = np.abs(np.sort(distances, axis=1)[:, : k + 1, None] - d[:, None]).squeeze(-1)
            clear = (gaps < 1e-4).sum(1) == 1
            clear |= d[:, 0] > RANGE
            assert clear.mean() > 0.7
            np.testing.assert_allclose(seen[clear], np.concatenate([way, relative], 1)[clear], atol=2e-3)
        for slot in range(drones - 1, k):
            assert not vector.observations[:, 20 + 6 * slot :].any()


@pytest.mark.parametrize("near_share", [0.0, 0.2, 1.0])
def test_collision_factor_never_makes_a_gain(near_share: float) -> None:
    """A reward is the change of closeness, or less and of no other sign; it is less only in collision."""
    random, collisions = np.random.default_rng(0), 0
    with Vector("drone_swarm", {"drones": 200, "points": lattice(200), "near_share": near_share}, envs=1) as vector:
        vector.reset(3)
        span = 2 * np.sqrt(3) * (3 * 200 ** (1 / 3) + 5)
        places = spheres(vector)
        for _ in range(120):
            vector.actions[:] = pilot(vector.observations) + random.normal(0, 0.2, (200, 4))
            vector.step()
            before, places = places, spheres(vector)
            change = closeness(np.linalg.norm(places[:, 5] - places[:, 0], axis=1), span, near_share)
            change -= closeness(np.linalg.norm(before[:, 5] - before[:, 0], axis=1), span, near_share)
            collides = (pairs(places[:, 0]) < COLLISION).any(1)
            assert (vector.rewards <= change + 1e-6).all()
            assert (vector.rewards * change >= -1e-9).all()
            np.testing.assert_allclose(vector.rewards[~collides], change[~collides], atol=1e-6)
            np.testing.assert_allclose(vector.rewards[collides], np.minimum(2 * change, 0)[collides], atol=2e-6)
            collisions += collides.sum()
    assert collisions > 100


@pytest.mark.parametrize("drones", [2, 7, 64, 200, 1024])
@pytest.mark.parametrize("task", TASKS[:-1])
def test_targets_are_farther_apart_than_drones_collide(task: str, drones: int) -> None:
    """All of them inside the space to fly in, at any time; in race also when drones are at different gates."""
    steps = 500 if drones <= 64 else 20
    with Vector("drone_swarm", settings(task, drones, timestep=0.1, horizon=2000), envs=2) as vector:
        vector.reset(0)
        for step in range(steps):
            if task == "race":
                vector.actions[:] = pilot(vector.observations)
            vector.step()
            if step % 20:
                continue
            for index in range(2):
                targets = spheres(vector, index)[:, 5]
                assert pairs(targets).min() > COLLISION
                assert np.abs(targets).max() < max(12.0, 3 * drones ** (1 / 3)) + 5


def test_starts_are_exchanged_until_paths_part() -> None:
    """No exchange of two starts would shorten the flights in sum of squares, and all starts are apart."""
    with Vector("drone_swarm", settings("flag", 64), envs=4) as vector:
        vector.reset(0)
        for index in range(4):
            places = spheres(vector, index)
            starts, targets = places[:, 0], places[:, 5]
            products = np.einsum("ijd,ijd->ij", starts[:, None] - starts, targets[:, None] - targets)
            assert products.min() > -1e-4
            assert pairs(starts).min() > 1.3 - 1e-5


def test_same_run_for_any_number_of_threads() -> None:
    random = np.random.default_rng(0)
    with (
        Vector("drone_swarm", {"horizon": 40}, envs=7) as one,
        Vector("drone_swarm", {"horizon": 40}, envs=7, threads=3) as more,
    ):
        one.reset(5)
        more.reset(5)
        for _ in range(100):
            one.actions[:] = more.actions[:] = random.uniform(-1, 1, one.actions.shape)
            one.step()
            more.step()
            assert np.array_equal(one.observations, more.observations)
            assert np.array_equal(one.rewards, more.rewards)
        assert one.log() == more.log()


@pytest.mark.parametrize("task", ["idle", "hover", "cube", "flag", "plane"])
def test_scripted_pilot_arrives(task: str) -> None:
    with Vector("drone_swarm", settings(task, 64), envs=2) as vector:
        vector.reset(0)
        for _ in range(500):
            vector.actions[:] = pilot(vector.observations)
            vector.step()
        log = vector.log()
    assert log["episodes"] == 2
    assert log["perf"] >= 0.98
    assert log["distance"] <= 0.1
    assert log["collision_rate"] < 0.01
    assert log[f"score_{task}"] == log["score"] > 0.95
    assert log[f"collision_rate_{task}"] == log["collision_rate"]


def test_figures_of_an_episode() -> None:
    """Against what was seen of it, in a mix of tasks; those of a task stay until its next episode."""
    names = ["hover", "cube", "orbit"]
    mix = {name: float(name in names) for name in TASKS[:-1]}
    with Vector("drone_swarm", {"drones": 8, "horizon": 120, **mix}, envs=1) as vector:
        vector.reset(0)
        known = dict.fromkeys(TASKS, 0.0)
        for _ in range(12):
            total = 0.0
            for _ in range(120):
                vector.actions[:] = pilot(vector.observations)
                vector.step()
                total += vector.rewards.sum()
            task = vector.scene(0).texts[0].text
            assert task in names
            places = spheres(vector)
            distance = np.linalg.norm(places[:, 5] - places[:, 0], axis=1)
            log = vector.log()
            known[task] = log["score"]
            assert log["episode_return"] == pytest.approx(total / 8, abs=1e-6)
            assert log["episode_length"] == 120
            assert log["distance"] == pytest.approx(np.median(distance), abs=1e-5)
            assert log["perf"] == pytest.approx((distance < 0.45).mean())
            assert log["score"] == pytest.approx(
                np.maximum(1 - distance, 0).mean() * (1 - log["collision_rate"]), abs=1e-5
            )
            assert {name: log[f"score_{name}"] for name in TASKS} == known
            vector.step()  # the reset
        assert all(known[name] > 0 for name in names)


def test_points_are_the_targets() -> None:
    with Vector("drone_swarm", settings("points", 8), envs=1) as vector:
        vector.reset(0)
        np.testing.assert_allclose(spheres(vector)[:, 5], POINTS, atol=1e-6)
        assert vector.scene(0).texts[0].text == "points"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"points": [0.0] * 9}, "points has 9 numbers: give 3 for each of 2 drones"),
        ({"points": [0, 0, 0, 0.5, 0, 0]}, r"points 0 and 1 are 0\.5 m apart, drones collide at 0\.9 m: scale them up"),
        ({"points": [0, 0, 0, 99, 0, 0]}, r"point 1 has a coordinate of 99 m: give -16 to 16 m"),
        ({"colours": [0.5] * 3}, "colours has 3 numbers"),
        (dict.fromkeys(TASKS[:-1], 0), "weights of all tasks are 0"),
        ({"drones": 2000}, "give a number from 1 to 1024"),
    ],
)
def test_wrong_settings_are_named(wrong: SettingValues, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Vector("drone_swarm", {"drones": 2, **wrong}, envs=1)


def test_flag_shows_the_picture(tmp_path: Path) -> None:
    picture = Image.new("RGB", (30, 20), (255, 0, 0))
    picture.paste((0, 0, 255), (0, 10, 30, 20))
    picture.save(tmp_path / "two.png")
    chosen = drone_settings({**settings("flag", 24), "flag_image": str(tmp_path / "two.png")})
    with Vector("drone_swarm", chosen, envs=1) as vector:
        vector.reset(0)
        rows = vector.scene(0).spheres.reshape(24, 6, 8)[:, 5]
    top = rows[:, 2] > rows[:, 2].mean()
    assert len(set(rows[:, 2].round(3))) == 4  # 4 rows of 6
    np.testing.assert_allclose(rows[top, 4:7], [[1, 0, 0]] * 12, atol=1e-6)
    np.testing.assert_allclose(rows[~top, 4:7], [[0, 0, 1]] * 12, atol=1e-6)
    assert flag_colours(FLAG, 64).shape == (64, 3)
    with pytest.raises(InputError, match="no picture"):
        drone_settings({"flag_image": str(tmp_path / "none.png")})


def test_formations_from_files(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "points.csv", POINTS, delimiter=",")
    read = drone_settings({"drones": 8, "points_file": str(tmp_path / "points.csv")})
    np.testing.assert_allclose(read["points"], POINTS.ravel())
    with pytest.raises(InputError, match="has shape"):
        drone_settings({"drones": 9, "points_file": str(tmp_path / "points.csv")})
    letter = Image.new("RGBA", (40, 60))
    letter.paste((0, 0, 0, 255), (0, 0, 10, 60))
    letter.paste((0, 0, 0, 255), (0, 50, 40, 60))
    letter.save(tmp_path / "l.png")
    points = read_points(tmp_path / "l.png", 64)
    assert pairs(points).min() >= 1.5
    upper = points[points[:, 2] > 0]
    assert upper[:, 0].max() < 0 < points[:, 0].max()  # an L
    Vector("drone_swarm", {"points": points.ravel()}, envs=1).close()
