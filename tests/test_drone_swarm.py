"""The drone swarm against plain NumPy, analytic mechanics and SciPy's integrator."""

import numpy as np
import pytest
from drone_reference import (
    ANGULAR_DRAG,
    COLLISION,
    GRAVITY,
    INERTIA,
    LINEAR_DRAG,
    MASS,
    TASKS,
    DroneSwarm,
    rotation,
    spin,
    wrench,
)
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from matdesign.errors import InputError
from matdesign.vector import Vector
from matdesign.vector.interface import SettingValues

Array = NDArray[np.float64]
POINTS = np.array([[2.0 * i, -i, 0.5 * i - 1] for i in range(8)])


def settings(task: str, drones: int, **others: float | Array) -> SettingValues:
    if task == "points":
        return {"drones": drones, "points": POINTS[:drones].ravel(), **others}
    return {"drones": drones, **{name: float(name == task) for name in TASKS[:-1]}, **others}


def positions(vector: Vector, index: int = 0) -> NDArray[np.float32]:
    """Of the drones, from the scene: four spheres of a drone (hub and two arms' ends ...) and one of its target."""
    return vector.scene(index).spheres.reshape(vector.agents, 6, 8)[:, 0, :3]


def targets(vector: Vector, index: int = 0) -> NDArray[np.float32]:
    return vector.scene(index).spheres.reshape(vector.agents, 6, 8)[:, 5, :3]


def smallest_distance(places: NDArray[np.floating]) -> float:
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    return float(distances.min())


@pytest.mark.parametrize("task", TASKS)
def test_equals_reference_step_for_step(task: str) -> None:
    """Observations, rewards and flags over two episodes, with crashes, gates and domain randomisation among them."""
    spreads = {"mass_spread": 0.2, "thrust_spread": 0.1, "drag_spread": 0.5}
    drones, horizon = 8, 90
    with Vector("drone_swarm", settings(task, drones, horizon=horizon, **spreads), envs=2) as vector:
        vector.reset(11)
        references = [
            DroneSwarm(11, i, task=task, drones=drones, horizon=horizon, spreads=(0.2, 0.1, 0.5), points=POINTS)
            for i in range(2)
        ]
        random = np.random.default_rng(0)
        drift = np.zeros((vector.rows, 4))
        for _ in range(horizon + 20):
            drift = 0.9 * drift + 0.15 * random.standard_normal((vector.rows, 4))
            vector.actions[:] = drift + 0.2 * random.standard_normal((vector.rows, 1))
            rows = zip(references, vector.actions.reshape(2, drones, 4).copy(), strict=True)
            vector.step()
            for reference, actions in rows:
                reference.step(actions)
            expected = np.concatenate([r.observation() for r in references])
            np.testing.assert_allclose(vector.observations, expected, atol=3e-3)
            np.testing.assert_allclose(vector.rewards, np.concatenate([r.rewards for r in references]), atol=3e-5)
            assert np.array_equal(vector.masks, np.concatenate([r.masks for r in references]))
            assert np.array_equal(vector.truncations, np.repeat([r.truncated for r in references], drones))
            assert not vector.terminals.any()
