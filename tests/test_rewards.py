"""Rewards recomputed from positions and energies, and the tricks they must not pay for."""

import numpy as np
import pytest
from ase.cluster import Icosahedron
from systems import LJ, cluster, lennard_jones, material
from test_atoms_env import ByHand, goals_of, open_vector, random_actions

from matdesign.envs.atoms import atoms_result

LJ13 = -44.326801
ARGON = material("argon_cluster")


def icosahedron(scale: float = 1.0) -> np.ndarray:
    """LJ13 near its ground state, in sigma."""
    x = Icosahedron("Ar", 2, latticeconstant=1.55).positions
    return scale * (x - x.mean(axis=0))


# -------------------------------------------------------------------------------------------------------------- energy


@pytest.mark.parametrize("own_share", [0.0, 0.3, 1.0])
def test_energy_reward_is_the_drop_of_own_and_team_energy(own_share):
    atoms = cluster(13)
    atoms.positions *= ARGON.length_scale
    start = atoms.positions
    options = {"control": "kick", "md_steps": 5}
    rng = np.random.default_rng(0)
    with open_vector(atoms, ARGON, starts=start, horizon=10, own_share=own_share, **options) as vector:
        vector.reset(seed=0)
        by_hand = ByHand(atoms, ARGON, start, **options)
        total = 0.0
        for _ in range(9):
            vector.actions[:] = random_actions(rng, vector, 0.5)
            vector.step()
            by_hand.step(vector.actions)
            drop = (by_hand.energies_before - by_hand.energies) / ARGON.energy_scale
            expected = own_share * drop + (1 - own_share) * drop.mean()
            np.testing.assert_allclose(vector.rewards, expected, atol=2e-3, rtol=1e-4)
            assert vector.observations[0, 9] == pytest.approx(
                by_hand.energies.mean() / ARGON.energy_scale / 3, rel=1e-4
            )
            total += vector.rewards.mean()
        descent = (lennard_jones(start / 3.405)[0].sum() / 13) - by_hand.energies.sum() / ARGON.energy_scale / 13
        assert total == pytest.approx(descent, abs=1e-3)


@pytest.mark.parametrize(("tolerance", "reached"), [(0.5, True), (1e-9, False)])
def test_final_energy_reward(tolerance, reached):
    """At the horizon the atoms are relaxed and the rest of the way to the reference is settled."""
    reference, weight, bonus = LJ13 + 1e-6, 3.0, 5.0
    start = icosahedron(1.02)
    if not reached:
        reference = LJ13 - 1.0
    with open_vector(
        cluster(13), LJ, starts=start, horizon=2, md_steps=1, control="displacement", strength=0.0, own_share=0.4,
        reference=reference, tolerance=tolerance, final_weight=weight, bonus=bonus, relax_tolerance=1e-6,
    ) as vector:  # fmt: skip
        vector.reset(seed=0)
        np.testing.assert_allclose(vector.observations[:, 8], reference / 13 / 3, rtol=1e-6)
        vector.step()
        assert np.abs(vector.rewards).max() < 1e-6
        vector.step()
        assert vector.terminals.all()
        assert not vector.truncations.any()
        result = atoms_result(vector, 0)
        assert result.energy == pytest.approx(LJ13, abs=1e-5)
        assert lennard_jones(result.positions)[0].sum() == pytest.approx(result.energy, abs=1e-9)
        expected = -weight * (LJ13 - reference) / 13 + bonus * reached
        np.testing.assert_allclose(vector.rewards, expected, atol=1e-4)
        np.testing.assert_allclose(
            vector.observations[:, 1].mean() * 3, LJ13 / 13, rtol=1e-4
        )  # shows the relaxed atoms
        figures = vector.log()
        assert figures["perf"] == reached
        assert figures["score"] == pytest.approx(-LJ13 / 13, rel=1e-5)
        assert figures["evaluations"] == result.evaluations > 5


def test_without_a_reference_the_lowest_energy_seen_stands_in_for_it():
    defect = icosahedron(1.05)
    surface = np.argmax(np.linalg.norm(defect, axis=1))
    defect[surface] *= [-1.7, -1.75, -1.8]  # an atom of the shell sits upon the other side
    starts = np.array([defect, icosahedron(1.05), icosahedron(1.1)])
    with open_vector(
        cluster(13), LJ, starts=starts, horizon=1, md_steps=1, control="displacement", strength=0.0,
        tolerance=1e-3, final_weight=3.0, bonus=5.0, relax_evaluations=3000, relax_tolerance=1e-5,
    ) as vector:  # fmt: skip
        vector.reset(seed=0)
        best, seen = np.inf, set()
        for _ in range(12):
            np.testing.assert_allclose(vector.observations[:, 8], 0 if np.isinf(best) else best / 39, rtol=1e-5)
            vector.step()
            assert vector.terminals.all()
            energy = atoms_result(vector, 0).energy
            best = min(best, energy)
            expected = -3.0 * (energy - best) / 13 + 5.0 * (energy < best + 1e-3)
            np.testing.assert_allclose(vector.rewards, expected, atol=1e-3)
            assert vector.log()["perf"] == (energy < best + 1e-3)
            seen.add(round(energy, 2))
            vector.step()
        assert best == pytest.approx(LJ13, abs=1e-4)
        assert len(seen) > 1


def test_relaxation_of_the_final_reward_is_bounded():
    with open_vector(cluster(13), LJ, horizon=1, md_steps=3, relax_evaluations=7, relax_tolerance=1e-12) as vector:
        vector.reset(seed=0)
        vector.step()
        assert atoms_result(vector, 0).evaluations == 2 + 3 + 7


@pytest.mark.parametrize("own_share", [0.0, 1.0])
def test_going_up_and_down_again_gains_nothing(own_share):
    """Stretching and pressing the cluster in turn: the sum of the rewards is the energy difference of its ends."""
    start = icosahedron()
    outwards = start / np.linalg.norm(start, axis=1, keepdims=True).max()
    with open_vector(
        cluster(13), LJ, starts=start, horizon=1000, md_steps=1, control="displacement", strength=0.1,
        own_share=own_share,
    ) as vector:  # fmt: skip
        vector.reset(seed=0)
        first = vector.observations[:, 1].copy()
        total, paid = np.zeros(13), 0.0
        for step in range(100):
            vector.actions[:] = outwards if step % 2 == 0 else -outwards
            vector.step()
            total += vector.rewards
            paid += np.abs(vector.rewards).mean()
        assert paid > 30  # there was something to gain
        np.testing.assert_allclose(vector.observations[:, 1], first, atol=1e-4)
        np.testing.assert_allclose(total, 0.0, atol=1e-3)


def test_crowding_the_neighbours_pays_one_atom_but_not_the_team():
    """What the header says can be gamed: with own_share 1 an atom gains by what its neighbours lose."""
    start = icosahedron()
    rewards = {}
    for own_share in (1.0, 0.0):
        with open_vector(
            cluster(13), LJ, starts=start, horizon=5, md_steps=1, control="displacement", strength=0.2,
            own_share=own_share,
        ) as vector:  # fmt: skip
            vector.reset(seed=0)
            vector.actions[:] = 0
            vector.actions[1:] = -start[1:]  # all but the centre press inwards
            vector.step()
            rewards[own_share] = vector.rewards.copy()
    assert np.ptp(rewards[1.0]) > 0.1
    assert np.ptp(rewards[0.0]) < 1e-6
    np.testing.assert_allclose(rewards[1.0].mean(), rewards[0.0].mean(), rtol=1e-4)
    assert rewards[0.0][0] < 0


# ---------------------------------------------------------------------------------------------------------------- goal


def test_goal_reward_is_the_way_made_and_the_bonus_for_being_there():
    start = cluster(6, spacing=4.0).positions
    options = {"control": "displacement", "md_steps": 1, "strength": 0.3}
    density = 0.01  # far apart, so that nobody flies through anybody
    with open_vector(
        cluster(6),
        LJ,
        starts=start,
        reward="goal",
        horizon=60,
        tolerance=0.4,
        goal_bonus=0.25,
        start_density=density,
        **options,
    ) as vector:
        vector.reset(seed=4)
        goals = goals_of(vector)
        by_hand = ByHand(cluster(6), LJ, start, **options)
        distance = np.linalg.norm(goals - start, axis=1)
        arrived_once = 0
        for step in range(60):
            vector.actions[:] = (goals - by_hand.x) * 3
            vector.step()
            by_hand.step(vector.actions)
            now = np.linalg.norm(goals - by_hand.x, axis=1)
            np.testing.assert_allclose(vector.rewards, distance - now + 0.25 * (now < 0.4), atol=1e-5)
            assert vector.observations[0, 9] == 0  # the team's mean distance grows with its size: it is not shown
            arrived_once += (now < 0.4).sum()
            distance = now
            assert vector.truncations.all() == (step == 59)
        assert not vector.terminals.any()
        assert arrived_once > 60
        figures = vector.log()
        assert figures["perf"] == pytest.approx((now < 0.4).mean())
        assert figures["score"] == pytest.approx(-now.mean(), abs=1e-5)


def test_flying_away_and_back_pays_nothing():
    start = cluster(2, spacing=4.0).positions
    with open_vector(
        cluster(2), LJ, starts=start, reward="goal", horizon=100, control="displacement", md_steps=1, strength=0.2,
        tolerance=0.0,
    ) as vector:  # fmt: skip
        vector.reset(seed=1)
        total, paid = np.zeros(2), 0.0
        for step in range(40):
            vector.actions[:] = [1, 0, 0] if step % 20 < 10 else [-1, 0, 0]
            vector.step()
            total += vector.rewards
            paid += np.abs(vector.rewards).mean()
        assert paid > 1
        np.testing.assert_allclose(total, 0.0, atol=1e-5)


def test_passing_through_the_goal_pays_the_bonus_only_while_there():
    start = np.array([[0.0, 0.0, 0.0]])
    with open_vector(
        cluster(1), LJ, starts=start, reward="goal", horizon=100, control="displacement", md_steps=1, strength=0.25,
        tolerance=0.3, goal_bonus=1.0,
    ) as vector:  # fmt: skip
        vector.reset(seed=1)
        goal = goals_of(vector)[0]
        way = np.linalg.norm(goal)
        bonuses, x = 0, 0.0
        for _ in range(40):
            vector.actions[:] = goal / way
            vector.step()
            x += 0.25
            bonuses += round(float(vector.rewards[0]) - (abs(x - 0.25 - way) - abs(x - way)))
        assert 1 <= bonuses <= 3


@pytest.mark.parametrize("common", [0, 1])
def test_goals_lie_in_the_ball_and_apart(common):
    n, density = 12, 0.2
    with open_vector(
        cluster(n), LJ, envs=200, reward="goal", start_density=density, common_goal=common, horizon=2, md_steps=1
    ) as vector:
        vector.reset(seed=2)
        goals = np.array([goals_of(vector, i) for i in range(200)])
        radius = (n / density * 3 / (4 * np.pi)) ** (1 / 3)
        distance = np.linalg.norm(goals, axis=2)
        assert distance.max() <= radius * (1 + 1e-6)
        between = np.linalg.norm(goals[:, :, None] - goals[:, None], axis=3)
        if common:
            assert not between.any()
            assert ((distance / radius) ** 3).mean() == pytest.approx(0.5, abs=0.08)  # uniform in the ball
        else:
            between[:, range(n), range(n)] = np.inf
            assert between.min() >= 1.0 - 1e-6
            assert ((distance / radius) ** 3).mean() == pytest.approx(0.53, abs=0.06)
        for _ in range(3):
            vector.step()
        assert not np.allclose(goals_of(vector), goals[0])  # another episode, other goals


def test_goals_too_many_for_their_ball_are_found_all_the_same():
    with open_vector(cluster(30), LJ, reward="goal", start_density=1.2, start_distance=0.5) as vector:
        vector.reset(seed=0)
        assert np.isfinite(goals_of(vector)).all()
