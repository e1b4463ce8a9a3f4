"""Heat conduction by molecular dynamics against published values, independent formulas and known trends."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from systems import fcc, material, shipped

from matdesign.errors import InputError
from matdesign.properties import Measurement, System, compare, measure
from matdesign.properties.approach_to_equilibrium import ApproachToEquilibrium
from matdesign.properties.device_conductivity import DeviceConductivity
from matdesign.properties.green_kubo import FLUX, GreenKubo, correlation
from matdesign.properties.heat_retention import HeatRetention
from matdesign.properties.mueller_plathe import Fit, MuellerPlathe, between_layers
from matdesign.properties.thermal_diffusivity import ThermalDiffusivity

FLUID = 3.4  # at density 0.6 and temperature 1.35: Evans, Phys. Rev. A 34, 1449 (1986)
ISOTOPES = material("argon_isotopes")
A = 5.35
EVERY_METHOD = [
    GreenKubo(temperature=1.0),
    MuellerPlathe(temperature=1.0),
    ApproachToEquilibrium(temperature=1.0),
    ThermalDiffusivity(temperature=1.0),
    HeatRetention(temperature=1.0),
    DeviceConductivity(temperature=1.0),
]


def named(method: object) -> str:
    return type(method).__name__


def fluid(*repeat: int) -> Atoms:
    return bulk("Ar", "fcc", a=(4 / 0.6) ** (1 / 3), cubic=True) * repeat


def stack(layers: str) -> Atoms:
    """Sixteen layers along a, light (0) or heavy (1), repeated as needed."""
    atoms = bulk("Ar", "fcc", a=A, cubic=True) * (8, 2, 2)
    index = np.round(atoms.positions[:, 0] / (A / 2)).astype(int)
    atoms.symbols = ["Ar" if layers[i % len(layers)] == "0" else "Kr" for i in index]
    return atoms


def alloy() -> Atoms:
    return shipped("argon_isotopes")[1].build(ISOTOPES, seed=3)


def agrees(found: Measurement, value: float, *, error: float) -> bool:
    """Within three standard errors, which are small enough to say something."""
    return not found.flag and found.stderr < error * value and abs(found.value - value) < 3 * found.stderr


# The Lennard-Jones liquid, by three methods that share nothing but the potential.


def test_green_kubo_gives_the_conductivity_of_the_fluid() -> None:
    measured = GreenKubo(temperature=1.35, equilibration=1500, steps=20_000, every=5, correlation=600)
    found = measure(measured, fluid(3, 3, 3), material("lj"), seeds=6)
    assert agrees(found, FLUID, error=0.15)
    assert found.unit == "kB/(sigma tau)"
    # All directions are alike, and the elements beside the diagonal vanish.
    assert np.all(np.abs(found.tensor - found.value * np.eye(3)) < 4 * found.tensor_stderr)


def test_mueller_plathe_gives_the_conductivity_of_the_fluid() -> None:
    measured = MuellerPlathe(
        temperature=1.35, equilibration=1500, settle=500, steps=12_000, swap=40, lengths=(2,), bins=6
    )
    found = measure(measured, fluid(4, 3, 3), material("lj"), seeds=6)
    assert agrees(found, FLUID, error=0.15)
    assert "slope" not in found.details


def test_approach_to_equilibrium_gives_the_conductivity_of_the_fluid() -> None:
    measured = ApproachToEquilibrium(temperature=1.35, equilibration=1500, steps=3_000, transient=200)
    found = measure(measured, fluid(8, 3, 3), material("lj"), seeds=8)
    assert agrees(found, FLUID, error=0.15)


# Parts against formulas of their own.


def test_heat_flux_is_that_of_a_pair_potential() -> None:
    atoms = fcc(4, rattle=0.1)  # half its edge is beyond the cutoff
    rng = np.random.default_rng(0)
    with System(atoms, material("lj")).simulation() as simulation:
        simulation.v = rng.normal(size=(len(atoms), 3))
        for line in FLUX:
            simulation.command(line)
        columns = " ".join(f"c_matdesign_flux[{i}]" for i in (1, 2, 3))
        simulation.command(f"fix flux all vector 1 {columns}")
        simulation.run(0)
        found = simulation.fix("flux")[0]
        v = simulation.v.copy()
    apart = atoms.get_all_distances(mic=True, vector=True)  # [i, j] from i to j
    r = np.linalg.norm(apart, axis=2) + 100 * np.eye(len(atoms))
    near = r < 2.5
    energy = np.where(near, 4 * (r**-12 - r**-6), 0).sum(axis=1) / 2 + (v**2).sum(axis=1) / 2
    push = np.where(near, 24 * (2 * r**-14 - r**-8), 0)  # force on j along `apart`
    together = np.einsum("ijk,ijk->ij", apart, v[:, None] + v[None]) * push
    expected = energy @ v + np.einsum("ij,ijk->k", together, apart) / 4  # each pair twice
    assert np.allclose(found, expected, rtol=1e-9)


def test_correlation_function_is_the_direct_sum() -> None:
    series = np.random.default_rng(0).normal(size=(50, 2)).cumsum(axis=0)
    found = correlation(series, 20)
    for lag in range(20):
        direct = sum(np.outer(series[t], series[t + lag]) for t in range(50 - lag)) / (50 - lag)
        assert np.allclose(found[..., lag], (direct + direct.T) / 2)


def test_tensor_is_in_the_frame_of_the_structure() -> None:
    measured = GreenKubo(temperature=30.0, equilibration=0, steps=200, every=2, correlation=40)
    atoms = stack("0011")
    turned = atoms.copy()
    turned.rotate(50, (1, 2, 3), rotate_cell=True)
    turn = np.linalg.solve(atoms.cell.array, turned.cell.array)
    straight, other = (measure(measured, each, ISOTOPES, seeds=1).tensor for each in (atoms, turned))
    assert np.allclose(other, turn.T @ straight @ turn, rtol=1e-5, atol=1e-5 * np.abs(straight).max())


def test_fit_of_a_straight_profile() -> None:
    bins = 16
    rise = 1 - np.abs(np.arange(bins) - bins / 2) / (bins / 2)
    profile = 50 + 20 * rise
    samples = [{"flux_1": np.array(3.0), "profile_1": profile + noise} for noise in (-1, 1)]
    fit = Fit.of(samples, 1, 40.0, 2.0)
    assert fit.kappa == pytest.approx(3.0 * 2.0 / (20 / 20.0))
    assert fit.difference == pytest.approx(20 / 60)
    assert fit.bend < 1e-12
    samples[0]["profile_1"] = samples[1]["profile_1"] = 50 + 20 * rise**2
    assert Fit.of(samples, 1, 40.0, 2.0).bend > 0.05


def test_borders_of_bins_lie_between_layers() -> None:
    atoms = stack("01")
    shifted = between_layers(atoms, "a", 8)
    inside = shifted.get_scaled_positions()[:, 0] * 8 % 1.0
    assert np.abs(inside - 0.5).max() == pytest.approx(0.25)
    assert np.bincount((shifted.get_scaled_positions()[:, 0] * 8).astype(int)).tolist() == [16] * 8


def test_crystal_has_about_the_heat_capacity_of_dulong_and_petit() -> None:
    measured = ApproachToEquilibrium(temperature=20.0, equilibration=0, steps=600, every=15, transient=150)
    found = measure(measured, stack("01"), ISOTOPES, seeds=8)
    assert found.details["heat_capacity"] == pytest.approx(3.1, rel=0.06)  # a little above 3, as the crystal expands
    # The same waves, read without a temperature.
    diffusivity = measure(
        ThermalDiffusivity(temperature=20.0, equilibration=0, steps=600, every=15, transient=150),
        stack("01"),
        ISOTOPES,
        seeds=8,
    )
    assert diffusivity.value == pytest.approx(found.details["diffusivity"])
    assert diffusivity.stderr == pytest.approx(found.details_stderr["diffusivity"])


# Solid argon and what its masses do.


def test_solid_argon_conducts_as_published_and_less_when_hot() -> None:
    # 0.29 W/(m K): the input for solid argon in LAMMPS' manual, compute heat/flux.
    argon = replace(
        material("argon"),
        units="real",
        pair_style="lj/cut 8.5125",
        pair_coeff=("1 1 0.2381 3.405",),
        timestep=4.0,
        energy_scale=0.2381,
    )
    atoms = bulk("Ar", "fcc", a=5.376, cubic=True) * (3, 3, 3)
    measured = GreenKubo(temperature=70.0, equilibration=1000, steps=12_000, correlation=1500)
    hot = measure(measured, atoms, argon, seeds=8)
    assert hot.unit == "W/(m K)"
    assert agrees(hot, 0.29, error=0.25)
    cold = measure(replace(measured, temperature=30.0), atoms, argon, seeds=8)
    assert cold.value / hot.value == pytest.approx(70 / 30, abs=3 * cold.stderr / hot.value + 0.5)


SHORT = DeviceConductivity(temperature=30.0, equilibration=1000, steps=4000)


def test_mass_disorder_lowers_the_conductivity() -> None:
    # Klemens, Proc. Phys. Soc. A 68, 1113 (1955); Abeles, Phys. Rev. 131, 1906 (1963). Below both pure crystals.
    mixed = measure(SHORT, alloy(), ISOTOPES, seeds=4)
    for pure in ("0", "1"):
        found = measure(SHORT, stack(pure), ISOTOPES, seeds=4)
        assert mixed.value + 3 * np.hypot(mixed.stderr, found.stderr) < found.value


def test_random_layers_conduct_worse_than_periodic_ones() -> None:
    # Wang, Huang and Ruan, Phys. Rev. B 90, 165406 (2014); Juntunen, Vanska and Tittonen, Phys. Rev. Lett. 122,
    # 105901 (2019).
    rng = np.random.default_rng(1)
    disordered = stack("".join(rng.permutation(list("0" * 8 + "1" * 8))))
    found = compare(SHORT, stack("01"), disordered, ISOTOPES, seeds=4)
    assert found.value < -3 * found.stderr
    retained = compare(HeatRetention(temperature=30.0), stack("01"), disordered, ISOTOPES, seeds=8)
    assert retained.value > 3 * retained.stderr


def test_device_is_not_bulk() -> None:
    # Long waves cross this cell without being scattered: the reservoirs stop them, the periodic cell does not.
    device = measure(SHORT, stack("0"), ISOTOPES, seeds=4)
    bulk_value = measure(
        GreenKubo(temperature=30.0, equilibration=1000, steps=10_000, every=5, correlation=600),
        stack("0"),
        ISOTOPES,
        seeds=4,
    )
    assert device.value < bulk_value.value - 2 * bulk_value.stderr


def test_reported_errors_are_the_observed_spread() -> None:
    measured = HeatRetention(temperature=30.0, waves=1, steps=300, every=20, transient=100)
    found = [measure(measured, alloy(), ISOTOPES, seed=seed, seeds=8) for seed in range(30)]
    observed = np.std([each.value for each in found], ddof=1)
    reported = np.sqrt(np.mean([each.stderr**2 for each in found]))
    assert reported == pytest.approx(observed, rel=0.3)


# What makes no sense.


@pytest.mark.parametrize("method", EVERY_METHOD, ids=named)
def test_nonsense_is_refused(method: GreenKubo) -> None:
    cluster = fcc(3)
    cluster.pbc = False
    slab = fcc(3)
    slab.pbc = (True, True, False)
    for atoms in (cluster, slab):
        with pytest.raises(InputError, match="periodic in three directions"):
            measure(method, atoms, material("lj"))
    with pytest.raises(InputError, match=r"give property\.temperature"):
        measure(replace(method, temperature=0.0), fcc(3), material("lj"))


@pytest.mark.parametrize("method", EVERY_METHOD[1:], ids=named)
def test_heat_flows_at_right_angles_to_the_cross_section(method: MuellerPlathe) -> None:
    with pytest.raises(InputError, match="right angles"):
        measure(method, bulk("Ar", "fcc", a=1.55) * (6, 6, 6), material("lj"))


@pytest.mark.parametrize("name", ["silicon", "sic"])
def test_potentials_without_centroid_stress_are_refused(name: str) -> None:
    given, structure = shipped(name)
    with pytest.raises(InputError, match="use thermal_conductivity_mueller_plathe"):
        measure(GreenKubo(temperature=300.0), structure.build(given), given)


def test_protocols_that_cannot_work_are_refused() -> None:
    atoms = fcc(3)
    for measured, match in (
        (GreenKubo(temperature=1.0, correlation=20), "fewer than 8 values"),
        (GreenKubo(temperature=1.0, steps=1000), "less than 4 times"),
        (MuellerPlathe(temperature=1.0, bins=3), "must be even"),
        (MuellerPlathe(temperature=1.0, bins=2), "no gradient"),
        (MuellerPlathe(temperature=1.0, bins=20), "too short or thin"),
        (MuellerPlathe(temperature=1.0, lengths=(2, 2)), "different positive"),
        (ApproachToEquilibrium(temperature=1.0, steps=300, transient=300), "fewer than 10 readings"),
        (DeviceConductivity(temperature=1.0, slab=0.02), "raise it or repeat"),
    ):
        with pytest.raises(InputError, match=match):
            measure(measured, atoms, material("lj"))
    with pytest.raises(InputError, match="too short for a wave"):
        measure(HeatRetention(temperature=1.0), fcc(1), material("lj"))


def test_what_cannot_be_trusted_is_flagged() -> None:
    lj, atoms = material("lj"), fluid(4, 2, 2)
    short = {"temperature": 1.35, "equilibration": 300}
    for measured, match in (
        (GreenKubo(temperature=1.35, equilibration=0, steps=2000, correlation=400), "not in equilibrium"),
        (MuellerPlathe(**short, steps=500, swap=1, lengths=(2,)), "beyond linear response"),
        (DeviceConductivity(**short, steps=5000, slab=0.3), "needs a solid"),
    ):
        assert match in measure(measured, atoms, lj, seeds=2).flag
    brief = ThermalDiffusivity(**short, steps=100, every=10, transient=0)
    assert "hardly decayed" in measure(brief, fluid(8, 2, 2), lj, seeds=2).flag
    solid = GreenKubo(temperature=30.0, equilibration=500, steps=4000, every=2, correlation=16)
    assert "no plateau" in measure(solid, stack("0"), ISOTOPES, seeds=2).flag
    mixture = fluid(4, 2, 2)
    mixture.positions *= 3.405
    mixture.cell *= 3.405
    mixture.symbols[::2] = "Kr"
    warm = GreenKubo(temperature=1.35 * 119.8, equilibration=300, steps=2000, correlation=200)
    assert "heat and mass" in measure(warm, mixture, ISOTOPES, seeds=2).flag
