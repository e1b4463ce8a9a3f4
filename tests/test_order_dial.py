"""Bond order and its gradient against NumPy, and the reward that steers it against the tricks it must not pay."""

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from systems import fcc, material
from test_atoms_env import open_vector, split

from matdesign.agents.actor import Actor
from matdesign.agents.equivariant import EquivariantPolicy
from matdesign.config import load
from matdesign.design import assembly
from matdesign.envs.atoms import atoms_layout
from matdesign.errors import InputError
from matdesign.properties import measure
from matdesign.properties.bond_order import BondOrder
from matdesign.properties.order import GlobalQ4, GlobalQ6
from matdesign.sim.simulation import setup
from matdesign.vector import Vector

DENSE = material("lj_dense")
# Nothing moves but what the actions move.
STILL = {"control": "displacement", "md_steps": 1, "reward": "order", "goal": 0.5}
S_I, ERROR, FINE_ERROR = 12, 13, 14  # columns; one species
TARGET, CURRENT = 8, 9
TO_GOAL, GRADIENT = 3, 6  # vectors


def local_order(atoms: Atoms) -> NDArray[np.float64]:
    """s_i by the property, which shares no code with the environment."""
    return measure(BondOrder(), atoms, DENSE, cache=None).curves["local"]


def steered(atoms: Atoms, **options: float | str | list[float]) -> Vector:
    """An environment that begins with these atoms where they are."""
    vector = open_vector(atoms, DENSE, starts=setup(atoms, DENSE).positions, **{**STILL, **options})
    vector.reset(seed=0)
    return vector


def shown(vector: Vector) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scalars and vectors of the observation."""
    scalars, vectors, _ = split(vector.observations.astype(float), atoms_layout(DENSE, STILL))
    return scalars, vectors


def order_and_gradient(atoms: Atoms) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """s_i and the gradient of their sum as the environment shows them."""
    with steered(atoms) as vector:
        scalars, vectors = shown(vector)
    way = vectors[:, GRADIENT]
    return scalars[:, S_I], way / (1.0 - np.linalg.norm(way, axis=1, keepdims=True))


def shaken(seed: int = 0) -> Atoms:
    """A crystal so shaken that it is none any more."""
    return fcc(3, a=1.56, seed=seed, rattle=0.12)


CRYSTALS = {
    "fcc": bulk("Ar", "fcc", a=2**0.5 * 1.1, cubic=True) * (3, 3, 3),
    "hcp": bulk("Ar", "hcp", a=1.1, c=1.1 * (8 / 3) ** 0.5) * (5, 5, 3),
    "bcc": bulk("Ar", "bcc", a=1.24, cubic=True) * (4, 4, 4),
}


# --------------------------------------------------------------------------------------------------- order parameter


@pytest.mark.parametrize("lattice", CRYSTALS)
def test_crystals_have_order_one(lattice):
    s, gradient = order_and_gradient(CRYSTALS[lattice])
    np.testing.assert_allclose(s, 1.0, atol=1e-5)
    np.testing.assert_allclose(local_order(CRYSTALS[lattice]), 1.0, atol=1e-9)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-3)  # nothing is more ordered


def test_order_is_that_of_the_property():
    s, _ = order_and_gradient(shaken())
    np.testing.assert_allclose(s, local_order(shaken()), atol=2e-5)
    assert 0.1 < s.mean() < 0.9


def test_order_of_seven_atoms_by_hand():
    """An octahedron about an atom: the centre has 6 bonds, which counts as 8, the others one each."""
    arms = 1.1 * np.concatenate([np.eye(3), -np.eye(3)])
    atoms = Atoms("Ar7", np.concatenate([np.zeros((1, 3)), arms]))
    # The addition theorem: q_i . q_j is the sum over both atoms' bonds of P_6 of the angles between them.
    p6 = {1.0: 1.0, 0.0: -5 / 16}
    centre = 6 * (p6[1.0] * 2 + p6[0.0] * 4)  # |q|^2
    product = (2 * p6[1.0] + 4 * p6[0.0]) / np.sqrt(centre)
    np.testing.assert_allclose(local_order(atoms), [6 / 8 * product] + [product / 8] * 6, rtol=1e-9)


@pytest.mark.parametrize(
    "atoms", [shaken(), fcc(3, a=2.0, seed=3, rattle=0.2)], ids=["dense", "with fewer than 8 bonds"]
)
def test_gradient_is_that_of_finite_differences(atoms):
    _, gradient = order_and_gradient(atoms)
    h = 1e-4
    for atom in (0, 17, 50):
        for axis in range(3):
            sums = []
            for sign in (1, -1):
                moved = atoms.copy()
                moved.positions[atom, axis] += sign * h
                sums.append(local_order(moved).sum())
            assert gradient[atom, axis] == pytest.approx((sums[0] - sums[1]) / (2 * h), abs=2e-4, rel=2e-4)


def test_rotation_and_translation_change_nothing():
    atoms, turned = shaken(), shaken()
    rotation = Rotation.from_rotvec([0.3, -0.8, 0.5]).as_matrix()
    turned.set_cell(atoms.cell.array @ rotation.T)
    turned.positions = (atoms.positions + np.array([0.4, -0.2, 3.0])) @ rotation.T
    np.testing.assert_allclose(local_order(turned), local_order(atoms), atol=1e-9)
    s, gradient = order_and_gradient(atoms)
    turned_s, turned_gradient = order_and_gradient(turned)
    np.testing.assert_allclose(turned_s, s, atol=2e-5)
    # LAMMPS turns the cell back into its own frame, so only lengths are the same in it.
    lengths = [np.linalg.norm(g, axis=1) for g in (gradient, turned_gradient)]
    np.testing.assert_allclose(*lengths, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(gradient.sum(axis=0), 0.0, atol=1e-2)


# ------------------------------------------------------------------------------------------------------- observation


def test_what_the_atoms_see():
    atoms = shaken()
    s = local_order(atoms)
    with steered(atoms, goal=s.mean() + 0.03, goal_scale=0.1) as vector:
        scalars, vectors = shown(vector)
        assert vector.features == atoms_layout(DENSE, STILL).features
        np.testing.assert_allclose(scalars[:, TARGET], s.mean() + 0.03, atol=1e-5)
        np.testing.assert_allclose(scalars[:, CURRENT], s.mean(), atol=1e-5)
        np.testing.assert_allclose(scalars[:, ERROR], -0.3, atol=1e-3)
        np.testing.assert_allclose(scalars[:, FINE_ERROR], -2.4, atol=1e-2)
        np.testing.assert_allclose(vectors[:, TO_GOAL], 0.3 * vectors[:, GRADIENT], atol=1e-3)
    with steered(atoms, goal=-1.0, goal_scale=0.01) as vector:
        scalars, vectors = shown(vector)
        assert (scalars[:, ERROR] == 5).all()
        assert (scalars[:, FINE_ERROR] == 3).all()
        np.testing.assert_allclose(vectors[:, TO_GOAL], -2.0 * vectors[:, GRADIENT], atol=1e-6)


def test_policy_turns_with_the_world():
    with steered(shaken()) as vector:
        rows = torch.from_numpy(vector.observations.copy())
    layout = atoms_layout(DENSE, STILL)
    policy = EquivariantPolicy(layout, seed=1)
    rotation = torch.from_numpy(Rotation.from_rotvec([0.3, -0.8, 0.5]).as_matrix().astype(np.float32))
    turned = rows.clone()
    begin, end = layout.scalars, layout.scalars + 3 * layout.vectors
    turned[:, begin:end] = (rows[:, begin:end].view(-1, layout.vectors, 3) @ rotation.T).flatten(1)
    near = rows[:, end:].view(len(rows), layout.neighbours, -1).clone()
    near[..., :3], near[..., 3:6] = near[..., :3] @ rotation.T, near[..., 3:6] @ rotation.T
    turned[:, end:] = near.flatten(1)
    expected = Actor(policy)(rows) @ rotation.T
    assert expected.abs().max() > 1e-4
    torch.testing.assert_close(Actor(policy)(turned), expected, atol=1e-5, rtol=1e-3)


# ------------------------------------------------------------------------------------------------------------ reward


def potential(error: NDArray[np.float64]) -> NDArray[np.float64]:
    error = np.abs(error)
    return np.where(error < 1, -(error**2) / 2, 0.5 - error)


@pytest.mark.parametrize("credit", ["team", "own", "mix", "difference"])
def test_reward_is_the_change_of_the_potential_and_the_bonus(credit):
    """Recomputed from the atoms' order; the goal lies close, so that the way leads to it and beyond."""
    atoms = shaken()
    goal, scale, tolerance, bonus = local_order(atoms).mean() + 0.02, 0.05, 0.02, 0.3
    with steered(
        atoms, goal=goal, goal_scale=scale, tolerance=tolerance, goal_bonus=bonus, credit=credit, own_share=0.3,
        strength=0.004, horizon=9,
    ) as vector:  # fmt: skip
        scalars, vectors = shown(vector)
        first = s = scalars[:, S_I]
        credited, sides = np.zeros(len(s)), set()
        for _ in range(8):
            vector.actions[:] = vectors[:, GRADIENT]
            vector.step()
            scalars, vectors = shown(vector)
            s, before = scalars[:, S_I], s
            error, error_before = (s.mean() - goal) / scale, (before.mean() - goal) / scale
            team = potential(error) - potential(error_before)
            own = team / (error - error_before) * (s - before) / scale
            now = len(s) * (potential(error) - potential(error - (s - first) / len(s) / scale))
            difference, credited = now - credited, now
            expected = {"team": team, "own": own, "mix": 0.3 * own + 0.7 * team, "difference": difference}[credit]
            there = bonus * np.exp(-((error * scale / tolerance) ** 2))
            np.testing.assert_allclose(vector.rewards, expected + there, atol=5e-3)
            if credit != "difference":
                assert vector.rewards.mean() == pytest.approx(team + there, abs=2e-3)
            sides.add(error > 0)
        assert sides == {True, False}


def test_going_back_and_forth_through_the_goal_pays_nothing():
    atoms = shaken()
    with steered(
        atoms, goal=local_order(atoms).mean() + 0.02, goal_scale=0.05, goal_bonus=0, strength=0.02, horizon=100
    ) as vector:
        way = shown(vector)[1][:, GRADIENT]
        total, paid = np.zeros(len(atoms)), 0.0
        for step in range(40):
            vector.actions[:] = way * (1 if step % 2 == 0 else -1)
            vector.step()
            total += vector.rewards
            paid += np.abs(vector.rewards).mean()
        assert paid > 3  # there was something to gain
        np.testing.assert_allclose(total.mean(), 0.0, atol=1e-3)


def test_diamond_does_not_pass_for_bcc():
    """The two have the same Q4 and Q6, with 4 and with 8 neighbours; their bond order differs."""
    diamond = bulk("Ar", "diamond", a=1.1 * 4 / 3**0.5, cubic=True) * (3, 3, 3)
    bcc = bulk("Ar", "bcc", a=1.1 * 2 / 3**0.5, cubic=True) * (4, 4, 4)
    for kind in (GlobalQ4, GlobalQ6):
        values = [
            measure(kind(neighbours=count), atoms, DENSE, cache=None).value for atoms, count in ((diamond, 4), (bcc, 8))
        ]
        assert values[0] == pytest.approx(values[1], abs=1e-6)
    assert local_order(diamond).max() < 0.51
    assert local_order(bcc).min() == pytest.approx(1.0, abs=1e-9)


def test_pairing_up_does_not_pay():
    """Without the least number of bonds, lone pairs and chains would be perfect: all their bonds are alike."""
    grid = np.stack(np.meshgrid(*[np.arange(3) * 3.0] * 3), axis=-1).reshape(-1, 3)
    pairs = Atoms("Ar54", np.concatenate([grid, grid + np.array([0.9, 0, 0])]), cell=[9.0] * 3, pbc=True)
    np.testing.assert_allclose(local_order(pairs), 1 / 8, atol=1e-6)
    s, _ = order_and_gradient(pairs)
    np.testing.assert_allclose(s, 1 / 8, atol=1e-5)


# ----------------------------------------------------------------------------------------------------------- episodes


def open_dial(*settings: str) -> Vector:
    config = load(["env=atoms/order", "env.envs=4", *settings])
    return assembly.open_vector(config)


def episode(vector: Vector, gain: float, seed: int) -> tuple[NDArray[np.float32], dict[str, float]]:
    """Order at the start and after each step of an episode in which atoms follow their way to the goal."""
    vector.reset(seed)
    orders = [vector.observations[:: vector.agents, CURRENT].copy()]
    while not vector.truncations.any():
        vector.actions[:] = gain * vector.observations[:, 15 + 3 * TO_GOAL : 18 + 3 * TO_GOAL]
        vector.step()
        orders.append(vector.observations[:: vector.agents, CURRENT].copy())
    return np.array(orders), vector.log()


def test_starts_are_glasses_and_the_gradient_leads_to_the_goal():
    with open_dial("env.settings.goal=0.6", "env.settings.horizon=40") as vector:
        orders, figures = episode(vector, 1.0, seed=3)
    assert (orders[0] < 0.55).all()
    assert np.ptp(orders[0]) > 0.01  # every one is another
    assert figures["failures"] == 0
    missed = np.abs(orders[21:] - 0.6)
    assert missed.mean() < 0.03
    assert figures["score"] == pytest.approx(-missed.mean(), abs=1e-5)
    assert figures["perf"] == pytest.approx((missed < 0.03).mean(), abs=1e-5)
    assert figures["evaluations"] == 2 + 400 + 50 + 40 * 10


def test_same_seed_same_run():
    with open_dial("env.settings.horizon=5") as vector:
        first, _ = episode(vector, 1.0, seed=3)
        again, _ = episode(vector, 1.0, seed=3)
        other, _ = episode(vector, 1.0, seed=4)
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_goals_come_from_their_ranges_in_proportion():
    with steered(shaken(), goal=[0.1, 0.2, 0.5, 0.8], horizon=1) as vector:
        goals = []
        for _ in range(300):
            goals.append(vector.observations[0, TARGET])
            vector.step()
            vector.step()
    low = np.array([goal for goal in goals if goal < 0.3])
    high = np.array([goal for goal in goals if goal > 0.3])
    assert 0.1 <= low.min() < 0.13
    assert 0.17 < low.max() <= 0.2
    assert 0.5 <= high.min() < 0.53
    assert 0.77 < high.max() <= 0.8
    assert len(low) / len(goals) == pytest.approx(0.25, abs=0.1)


@pytest.mark.parametrize("goal", [[], [0.1, 0.2, 0.3], [0.6, 0.4]])
def test_goals_that_cannot_be_used(goal):
    with pytest.raises(InputError, match=r"reward order needs a goal"):
        steered(shaken(), goal=np.array(goal))


def test_other_rewards_show_what_they_did():
    plain, ordered = atoms_layout(DENSE, {}), atoms_layout(DENSE, STILL)
    assert (ordered.scalars, ordered.vectors) == (plain.scalars + 3, plain.vectors + 1)
    with open_vector(shaken(), DENSE, reward="energy") as vector:
        assert vector.features == plain.features
