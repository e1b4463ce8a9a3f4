"""Bond order and its gradient against NumPy, and the reward that steers it against the tricks it must not pay."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from systems import LJ, fcc, material
from test_atoms_env import open_vector, split

from matdesign.config import load
from matdesign.design.assembly import make_policy, open_vector as open_configured
from matdesign.envs.atoms import atoms_layout
from matdesign.errors import InputError
from matdesign.properties import measure
from matdesign.properties.bond_order import BondOrder
from matdesign.sim.simulation import setup
from matdesign.vector import Vector

DENSE = material("lj_dense")
# At rest and held there: an episode in which only the actions move the atoms.
STILL = {"control": "displacement", "md_steps": 1, "reward": "order", "remove_drift": 0}


def order(atoms: Atoms) -> NDArray[np.float64]:
    """s_i by the property, which shares no code with the environment."""
    return measure(BondOrder(), atoms, DENSE, cache=None).curves["local"]


def layout() -> tuple[int, int]:
    return 12, 7


def show(atoms: Atoms, **options: float) -> tuple[NDArray[np.float64], NDArray[np.float64], Vector]:
    """s_i and the gradient of their sum, as an environment shows them at its start; and the environment."""
    options = {**STILL, "goal": 0.5, **options}
    start = setup(atoms, DENSE).positions
    vector = open_vector(atoms, DENSE, starts=start, **options)
    vector.reset(seed=0)
    scalars, vectors, _ = split(vector.observations.astype(float), atoms_layout(DENSE, options))
    way = vectors[:, 6]
    return scalars[:, 12], way / (1.0 - np.linalg.norm(way, axis=1, keepdims=True)), vector


def liquid(seed: int = 0) -> Atoms:
    """A crystal so shaken that it is none; bonds of all kinds."""
    return fcc(3, a=1.56, seed=seed, rattle=0.15)


CRYSTALS = {
    "fcc": bulk("Ar", "fcc", a=2**0.5 * 1.1, cubic=True) * (3, 3, 3),
    "hcp": bulk("Ar", "hcp", a=1.1, c=1.1 * (8 / 3) ** 0.5) * (5, 5, 3),
    "bcc": bulk("Ar", "bcc", a=1.24, cubic=True) * (4, 4, 4),
}


@pytest.mark.parametrize("lattice", CRYSTALS)
def test_crystals_have_order_one(lattice):
    s, gradient, vector = show(CRYSTALS[lattice])
    vector.close()
    np.testing.assert_allclose(s, 1.0, atol=1e-5)
    np.testing.assert_allclose(order(CRYSTALS[lattice]), 1.0, atol=1e-9)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-3)  # nothing is more ordered


def test_order_is_that_of_the_property():
    atoms = liquid()
    s, _, vector = show(atoms)
    vector.close()
    np.testing.assert_allclose(s, order(atoms), atol=2e-5)
    assert 0.1 < s.mean() < 0.9


@pytest.mark.parametrize("make", [liquid, lambda: fcc(3, a=2.2, seed=3, rattle=0.2)], ids=["dense", "few bonds"])
def test_gradient_is_that_of_finite_differences(make):
    atoms, h = make(), 1e-4
    _, gradient, vector = show(atoms)
    vector.close()
    turn = np.linalg.lstsq(atoms.cell.array, setup(atoms, DENSE).atoms.cell.array if False else atoms.cell.array, rcond=None)[0]
    for atom in (0, 17, 50):
        for axis in range(3):
            sums = []
            for sign in (1, -1):
                moved = atoms.copy()
                moved.positions[atom, axis] += sign * h
                sums.append(order(moved).sum())
            assert (gradient @ turn.T)[atom, axis] == pytest.approx((sums[0] - sums[1]) / (2 * h), abs=2e-4, rel=2e-4)


def test_rotation_and_translation_change_nothing():
    atoms = liquid()
    turned = atoms.copy()
    rotation = Rotation.from_rotvec([0.3, -0.8, 0.5]).as_matrix()
    turned.set_cell(atoms.cell.array @ rotation.T)
    turned.positions = (atoms.positions + [0.4, -0.2, 3.0]) @ rotation.T
    np.testing.assert_allclose(order(turned), order(atoms), atol=1e-9)
    s, gradient, vector = show(turned)
    vector.close()
    plain_s, plain_gradient, vector = show(atoms)
    vector.close()
    np.testing.assert_allclose(s, plain_s, atol=2e-5)
    np.testing.assert_allclose(
        np.linalg.norm(gradient, axis=1), np.linalg.norm(plain_gradient, axis=1), atol=2e-3, rtol=1e-3
    )
    np.testing.assert_allclose(plain_gradient.sum(axis=0), 0.0, atol=1e-2)
