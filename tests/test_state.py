"""State of environments: saved in the middle of episodes and loaded elsewhere they go on bit for bit."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from systems import LJ, cluster, shipped

from matdesign.envs.atoms import atoms_settings
from matdesign.envs.bridge import bridge_settings
from matdesign.properties.coordination import Coordination
from matdesign.rewards.measured import measured_settings
from matdesign.rewards.target import Target
from matdesign.sim import lammps
from matdesign.vector import Batch, Vector
from matdesign.vector.recipe import Native
from matdesign.vector.workers import Workers

ROWS = ("observations", "rewards", "terminals", "truncations", "masks")


def atoms(atoms=None, chosen=None, **options: Any) -> Mapping[str, Any]:
    material, structure = shipped("argon_cluster") if chosen is None else (chosen, None)
    given = structure.build(material) if atoms is None else atoms
    small = {"md_steps": 5, "start_relax": 5, "relax_evaluations": 20, "container": 4.0}
    return atoms_settings(given, material, {**small, **options})


def crystal(**options: Any) -> Mapping[str, Any]:
    material, structure = shipped("lj")
    return atoms_settings(structure.build(material), material, {"md_steps": 4, "relax_evaluations": 5, **options})


def measured() -> Mapping[str, Any]:
    structure = cluster(8)
    options = {"reward": "property", "measure_every": 2, "horizon": 5, "credit": "mix", "distance_penalty": 0.3}
    targets = [Target(property=Coordination(cutoff=1.4), goal="hit", value=5.0, scale=1.0)]
    return {**atoms(structure, LJ, **options), **measured_settings(targets, structure, LJ)}


def bridge() -> Mapping[str, Any]:
    material, structure = shipped("heat_bridge")
    options = {"md_steps": 3, "horizon": 5, "heat_steps": 20, "relax_evaluations": 30, "goal_high": 0.2}
    return bridge_settings(structure.build(material), material, options)


CASES: dict[str, tuple[str, Callable[[], Mapping[str, Any]]]] = {
    "squared": ("squared", lambda: {"size": 5}),
    "pong": ("pong", lambda: {"horizon": 17}),
    "breakout": ("breakout", lambda: {"horizon": 17, "frameskip": 32}),
    "cartpole": ("cartpole", dict),
    "snake": ("snake", lambda: {"snakes": 3, "width": 9, "height": 9, "food": 7, "horizon": 25}),
    "boids": ("boids", lambda: {"birds": 30, "crowd": 2, "horizon": 9}),
    "drones": ("drone_swarm", lambda: {"drones": 20, "horizon": 9, "mass_spread": 0.3}),
    "cluster": ("atoms", lambda: atoms(horizon=6)),
    "steer": ("atoms", lambda: atoms(horizon=12, md_steps=20, reward="goal", control="force", kt=0.1, friction=1.0)),
    "displacement": ("atoms", lambda: atoms(horizon=6, control="displacement", force_cap=0.1, strength=0.1)),
    "crystal": (
        "atoms",
        lambda: crystal(horizon=8, md_steps=20, reward="order", goal=[0.2, 0.8], melt_kt=2.0, melt_steps=90),
    ),
    "property": ("atoms", measured),
    "bridge": ("bridge", bridge),
}
ENVS = 4


def open_batch(name: str, backend: str = "serial") -> Batch:
    lammps.bind()
    environment, settings = CASES[name][0], CASES[name][1]()
    if backend == "processes":
        return Workers(Native(environment=environment, settings=settings, prepare=lammps.bind), envs=ENVS, workers=2)
    return Vector(environment, settings, envs=ENVS, threads=2 if backend == "threads" else 1, parts=2)


def act(batch: Batch, step: int) -> None:
    random = np.random.default_rng(step)
    if batch.choices:
        batch.actions[:] = random.integers(0, batch.choices, batch.actions.shape)
    else:
        batch.actions[:] = random.uniform(-1, 1, batch.actions.shape)


def fly(batch: Batch, steps: range) -> tuple[bytes, dict[str, float]]:
    """All rows after each of these steps, and the log of their episodes."""
    seen = b""
    for step in steps:
        act(batch, step)
        batch.step()
        seen += b"".join(getattr(batch, name).tobytes() for name in ROWS)
    return seen, {name: value for name, value in batch.log().items() if name not in ("restarts", "interrupted")}


@pytest.mark.parametrize(
    ("name", "backend"),
    [(name, backend) for name in CASES for backend in ("serial", "threads")]
    + [(name, "processes") for name in ("squared", "drones", "cluster", "property", "bridge")],
)
def test_environments_go_on_bit_for_bit(name: str, backend: str) -> None:
    """Saved at four moments of a flight, and loaded at each of them."""
    parts = [range(6), range(6, 13), range(13, 19), range(19, 29)]
    states, flown = [], []
    with open_batch(name) as batch:
        batch.reset(3)
        for steps in parts:
            states.append(batch.state())
            flown.append(fly(batch, steps))
    assert sum(log["episodes"] for _, log in flown) > 0
    with open_batch(name, backend) as other:
        for steps, state, (seen, log) in zip(parts, states, flown, strict=True):
            other.load_state(state)
            again, logged = fly(other, steps)
            assert again == seen
            assert logged == pytest.approx(log, rel=1e-6, nan_ok=True)  # workers add up their means in another order
