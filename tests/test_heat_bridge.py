"""The heat bridge: flux and heat of bridges built by hand, the tricks its reward must not pay for, common noise."""

import numpy as np
import pytest
import torch
from systems import shipped

from matdesign.agents.exploration import CommonNoise
from matdesign.envs.bridge import COLD, HOT, WALL, Slabs, bridge_result, bridge_settings
from matdesign.errors import InputError
from matdesign.properties import measure
from matdesign.properties.heat_current import HeatCurrent
from matdesign.sim import Simulation, lammps
from matdesign.vector import Vector

MATERIAL, STRUCTURE = shipped("heat_bridge")
CRYSTAL = STRUCTURE.build(MATERIAL)
SLABS = Slabs.cut(CRYSTAL)
CURRENT = HeatCurrent(hot=0.25, cold=0.05)
X, CROWDING, PLANE, AXIS, FORCE, VELOCITY, NEAR, FAR, TEMPERATURE = range(9)


def open_bridge(*, envs=1, **options):
    lammps.bind()
    return Vector("bridge", bridge_settings(CRYSTAL, MATERIAL, options), envs=envs, threads=1)


def episode(vector, actions, seed=0):
    """Flies one episode of constant actions in every environment; rewards of all steps [steps, rows], results."""
    vector.reset(seed)
    rewards = []
    while not vector.terminals.any():
        vector.actions[:] = actions
        vector.step()
        rewards.append(vector.rewards.copy())
    atoms = sum(map(len, [*SLABS.hot, *SLABS.cold])) + vector.agents
    return np.array(rewards), [bridge_result(vector, index, atoms) for index in range(vector.envs)]


def by_hand(kind, seed=0):
    """Free atoms of a bridge built by hand, a little off their sites, where symmetry would keep them on a saddle."""
    positions = SLABS.built(kind)
    return positions + np.random.default_rng(seed).normal(scale=0.02, size=positions.shape)


def heat_of(kind, seed, **options):
    """What the environment measures for a bridge built by hand."""
    still = {"horizon": 1, "md_steps": 1, "strength": 0.0, "kt": 0.0, "heat_steps": 600, **options}
    with open_bridge(starts=by_hand(kind, seed).ravel(), heat_seed=seed, **still) as vector:
        return episode(vector, 0.0)[1][0].heat


def heat_by_definition(positions, roles, seed, relax=2000, steps=600):
    """Q as rewards/heat.c defines it, with velocities of our own."""
    atoms, _ = SLABS.with_atoms(positions, MATERIAL.species)
    with Simulation(atoms, MATERIAL) as simulation:
        simulation.fix_atoms(roles == WALL)
        simulation.relax(tolerance=0.02, evaluations=relax)
        velocities = np.zeros((len(atoms), 3))
        hot = np.random.default_rng(seed).normal(size=((roles == HOT).sum(), 3))
        velocities[roles == HOT] = hot * np.sqrt(3 * len(hot) * 0.4 / (hot**2).sum())
        simulation.v = velocities
        arrived = []
        for _ in range(steps // 5):
            simulation.step(5)
            arrived.append(0.5 * (simulation.v[roles == COLD] ** 2).sum())
    return 2 * np.mean(arrived[len(arrived) // 2 :]) / (0.5 * (velocities**2).sum())


# ------------------------------------------------------------------------------------------------------------- physics


@pytest.mark.parametrize(
    ("kind", "current", "error", "seeds"),
    [("none", -0.003, 0.006, 2), ("pillar", 0.69, 0.04, 4), ("sheet", 2.80, 0.03, 3), ("full", 8.6, 0.06, 3)],
)
def test_current_through_bridges_built_by_hand(kind, current, error, seeds):
    """Values and standard errors of the feasibility study, an independent code, over 300 tau: a pillar conducts better
    at first."""
    atoms, _ = SLABS.with_atoms(SLABS.built(kind), MATERIAL.species)
    found = measure(CURRENT, atoms, MATERIAL, seeds=seeds, processes=1)
    assert abs(found.value - current) < 3 * np.hypot(found.stderr, error)
    assert found.unit == "epsilon/tau"
    assert abs(found.details["kept"]) < 0.1 * max(found.value, 0.2)


@pytest.mark.parametrize(("kind", "heat", "tolerance"), [("pillar", 0.067, 0.015), ("sheet", 0.195, 0.015)])
def test_heat_through_bridges_built_by_hand(kind, heat, tolerance):
    """The study's values, to its spread over velocity seeds; and our own definition with other velocities."""
    found = np.array([heat_of(kind, seed) for seed in range(8)])
    _, roles = SLABS.with_atoms(SLABS.built(kind), MATERIAL.species)
    defined = np.array([heat_by_definition(by_hand(kind, seed), roles, 100 + seed) for seed in range(8)])
    error = np.hypot(found.std(ddof=1), defined.std(ddof=1)) / np.sqrt(8)
    assert abs(found.mean() - defined.mean()) < 3 * error
    assert found.mean() == pytest.approx(heat, abs=tolerance)


def test_without_a_bridge_no_heat_arrives():
    """All free atoms on the slabs: relaxed, heated, and nothing in the cold slab."""
    positions = np.concatenate([CRYSTAL.positions[SLABS.between[0]], CRYSTAL.positions[SLABS.between[-1]]])
    with open_bridge(starts=positions.ravel(), horizon=1, md_steps=1, strength=0.0, kt=0.0) as vector:
        assert abs(episode(vector, 0.0)[1][0].heat) < 1e-3


# --------------------------------------------------------------------------------------------------------------- reward


def test_all_are_paid_once_and_alike():
    with open_bridge(horizon=5, scale=0.02, heat_steps=100) as vector:
        rewards, (result,) = episode(vector, 0.0, seed=3)
        assert vector.terminals.all()
        assert not vector.truncations.any()
    assert not rewards[:-1].any()
    np.testing.assert_allclose(rewards[-1], result.heat / 0.02, rtol=1e-6)


def test_reward_of_a_goal_is_the_error():
    with open_bridge(horizon=2, goal_low=0.03, goal_high=0.09, heat_steps=100, scale=0.05) as vector:
        vector.reset(1)
        goal = 0.05 * vector.observations[0, 6]
        assert 0.03 <= goal <= 0.09
        rewards, (result,) = episode(vector, 0.0, seed=1)
    np.testing.assert_allclose(rewards[-1], -abs(result.heat - goal) / 0.05, rtol=1e-5)


def test_an_unquenched_gas_pays_nothing():
    """Binding energy that is released warms the cold slab: by definition heat, in the environment nothing."""
    with open_bridge(horizon=1, md_steps=1, strength=0.0, kt=0.0, relax_evaluations=0) as vector:
        _, (result,) = episode(vector, 0.0, seed=5)
    _, roles = SLABS.with_atoms(result.positions[:36], MATERIAL.species)
    assert heat_by_definition(result.positions[:36], roles, 1, relax=0) > 0.1
    assert result.heat == 0.0


@pytest.mark.parametrize("strength", [1.0, 8.0])
def test_ramming_the_slabs_pays_nothing(strength):
    """Hot atoms knocked over to the cold side would count as heat."""
    actions = np.zeros(9)
    actions[[X, TEMPERATURE]] = 1.0
    with open_bridge(envs=4, strength=strength, horizon=40) as vector:
        rewards, results = episode(vector, actions)
    assert max(result.heat for result in results) < 1e-3
    assert rewards[-1].max() < 1e-3 / 0.05


def test_the_slabs_stay_during_control():
    with open_bridge(horizon=30, relax_evaluations=0) as vector:
        _, (result,) = episode(vector, np.eye(9)[X], seed=2)
    atoms, roles = SLABS.with_atoms(result.positions[:36], MATERIAL.species)
    np.testing.assert_allclose(result.positions[roles > 0], atoms.positions[roles > 0], atol=1e-9)


# -------------------------------------------------------------------------------------------------------------- control


def width(x, edge):
    """Largest distance from the middle along a periodic direction."""
    phase = np.exp(2j * np.pi * x / edge)
    return np.abs(np.angle(phase / phase.mean())).max() * edge / (2 * np.pi)


@pytest.mark.parametrize(("columns", "narrow"), [([], 0), ([PLANE], 1)])
def test_the_plane_vector_presses_the_atoms_together(columns, narrow):
    edge = CRYSTAL.cell.lengths()[1]
    with open_bridge(strength=2.0) as vector:
        _, (result,) = episode(vector, np.eye(9)[columns].sum(axis=0))
    widths = [width(result.positions[:36, axis], edge) for axis in (1, 2)]
    assert sum(value < 1.5 for value in widths) == narrow  # a free gas fills +- 2.34


def test_same_seed_same_episode_and_every_evaluation_counts():
    results = []
    for _ in range(2):
        with open_bridge(horizon=4, relax_evaluations=9, relax_tolerance=1e-9) as vector:
            results.append(episode(vector, 0.1, seed=8)[1][0])
    np.testing.assert_array_equal(results[0].positions, results[1].positions)
    assert results[0].evaluations == 2 + 20 + 4 * 10 + 1 + 9  # set up and place, soften, control, let go, relax


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="109 atoms do not fit into a gap of 108 sites"):
        bridge_settings(CRYSTAL, MATERIAL, {"free": 109})
    with pytest.raises(InputError, match="cannot be cut out of 12"):
        bridge_settings(CRYSTAL, MATERIAL, {"slab_layers": 6})
    with pytest.raises(InputError, match="roles follows from the material"):
        bridge_settings(CRYSTAL, MATERIAL, {"roles": [0.0]})
    with pytest.raises(InputError, match="do not fill 6 layers evenly"):
        SLABS.built("pillar", 35)


def test_heat_current_refuses_what_has_no_two_ends():
    atoms, _ = SLABS.with_atoms(SLABS.built("sheet"), MATERIAL.species)
    with pytest.raises(InputError, match="give both"):
        measure(HeatCurrent(hot=0.1, cold=0.2), atoms, MATERIAL)
    with pytest.raises(InputError, match="must not be periodic"):
        measure(CURRENT, CRYSTAL, MATERIAL)
    with pytest.raises(InputError, match="do not make two ends"):
        measure(HeatCurrent(hot=0.2, cold=0.1, bath=50.0), atoms, MATERIAL)


# ---------------------------------------------------------------------------------------------------------- exploration


def test_common_noise_is_the_same_for_all_and_kept_for_the_episode():
    with Vector("squared", {}, envs=400, threads=1) as vector, pytest.raises(InputError, match="continuous"):
        CommonNoise(vector, 0.5)
    generator = torch.Generator().manual_seed(0)
    with open_bridge(envs=3, horizon=2) as vector:
        rows = slice(0, len(vector.rewards))
        noise = CommonNoise(vector, 0.75)
        everyone = torch.ones(len(vector.rewards), dtype=torch.bool)
        draws = []
        for _ in range(100):
            noise.renew(everyone, rows, torch.randn(3, 9, generator=generator))
            draws.append([noise.mixed(torch.randn(rows.stop, 9, generator=generator), rows) for _ in range(2)])
        values = torch.stack([torch.stack(pair) for pair in draws]).view(100, 2, 3, 36, 9)
        assert values.std().item() == pytest.approx(1.0, abs=0.05)
        for other in (values[:, 1, :, 3], values[:, 0, :, 7]):  # another step, another atom
            assert np.corrcoef(values[:, 0, :, 3].ravel(), other.ravel())[0, 1] == pytest.approx(0.75, abs=0.04)
        assert abs(np.corrcoef(values[:, 0, 0].ravel(), values[:, 0, 1].ravel())[0, 1]) < 0.05  # another environment
        before = noise.values.clone()
        over = everyone.clone()
        over[36:] = False
        over[36] = True  # one agent of the second environment ended alone
        noise.renew(over, rows, torch.randn(3, 9, generator=generator))
        assert not torch.equal(noise.values[:36], before[:36])
        torch.testing.assert_close(noise.values[36:], before[36:])
