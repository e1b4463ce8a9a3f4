"""Relaxation, elastic constants, hardness and yield against lattice sums, ASE, pymatgen and published values."""

import itertools

import numpy as np
import pytest
import systems
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones
from pymatgen.analysis.elasticity.elastic import ElasticTensor as Pymatgen

from matdesign.errors import InputError, SimulationError
from matdesign.properties import System, measure
from matdesign.properties.elasticity import ElasticTensor
from matdesign.properties.hardness import Hardness, vickers
from matdesign.properties.moduli import BulkModulus, ElasticStability, PoissonRatio, ShearModulus, YoungModulus
from matdesign.properties.relaxation import Relaxation, relax, settle, strained
from matdesign.properties.tension import YieldStress
from matdesign.sim import Material
from matdesign.sim.structure import StartingStructure

LJ = systems.material("lj")
COPPER = systems.material("copper")
SILICON = systems.material("silicon")
KCAL_PER_EV = 23.060549
ARGON_REAL = Material(
    name="argon_real", species=["Ar"], masses=[39.948], units="real", pair_style="lj/cut 8.5125",
    pair_coeff=[f"1 1 {0.010323565 * KCAL_PER_EV:.12g} 3.405"], timestep=2.0, skin=1.0, length_scale=3.405,
    energy_scale=0.238067,
)  # fmt: skip
TURNED = 40.0, (1, 2, 3)


def skewed(atoms: Atoms, rattle: float, seed: int = 0) -> Atoms:
    """Atoms and cell away from their minimum."""
    copy = atoms.copy()
    copy.rattle(rattle, seed=seed)
    return strained(copy, np.array([[0.01, 0.004, 0.0], [0.004, -0.01, 0.006], [0.0, 0.006, 0.005]]))


# ---------------------------------------------------------------------------------------------------- relaxation


@pytest.mark.parametrize("build", [systems.fcc, systems.tilted])
def test_ase_finds_no_force_and_no_stress_left(build):
    atoms = build(3)
    del atoms[0]  # forces that symmetry does not forbid
    relaxed = relax(System(skewed(atoms, 0.02), LJ), cell="full")
    relaxed.calc = LennardJones(sigma=1.0, epsilon=1.0, rc=2.5)
    assert abs(relaxed.get_forces()).max() < 3e-7
    assert abs(relaxed.get_stress()).max() < 3e-6


@pytest.mark.parametrize(
    ("name", "a", "energy"),
    # Foiles 1986; Stillinger 1985; the Lennard-Jones crystal at this cutoff, from its lattice sum.
    [("copper", 3.615, -3.54), ("silicon", 5.43095, -4.3366), ("lj", 1.5496, -8.0996)],
)
def test_crystals_relax_to_their_published_lattice(name, a, energy):
    material, structure = systems.shipped(name)
    atoms = skewed(structure.build(material), 0.02 * material.length_scale)
    found = measure(Relaxation(cell="full"), atoms, material)
    assert not found.flag
    assert found.value == pytest.approx(energy, abs=1e-4)
    volume = found.details["volume_ratio"] * atoms.get_volume()
    assert volume ** (1 / 3) == pytest.approx(3 * a, rel=2e-5)
    assert found.details["largest_stress"] < 1e-4
    assert found.steps < 200


def test_a_triclinic_turned_cell_relaxes_like_the_cube():
    tilted = bulk("Cu", "fcc", a=3.7) * (2, 2, 2)
    tilted.rotate(*TURNED, rotate_cell=True)
    left_handed = bulk("Cu", "fcc", a=3.7)
    left_handed.set_cell(-left_handed.cell.array, scale_atoms=True)
    for atoms in (tilted, left_handed, bulk("Cu", "fcc", a=3.7)):
        relaxed = relax(System(atoms, COPPER), cell="full")
        assert relaxed.get_volume() / len(atoms) == pytest.approx(3.615**3 / 4, rel=1e-5)
        assert relaxed.cell.array == pytest.approx(atoms.cell.array * 3.615 / 3.7, abs=1e-4)  # it did not turn


def test_real_units_relax_to_what_metal_units_do():
    atoms = skewed(bulk("Ar", "fcc", a=5.3, cubic=True) * 2, 0.05)
    real = measure(Relaxation(cell="full", pressure=0.1), atoms, ARGON_REAL)
    metal = measure(Relaxation(cell="full", pressure=0.1), atoms, systems.material("argon"))
    assert real.flag == metal.flag == ""
    assert real.value / KCAL_PER_EV == pytest.approx(metal.value, rel=1e-6)
    assert real.details["volume_ratio"] == pytest.approx(metal.details["volume_ratio"], rel=1e-6)


@pytest.mark.parametrize("cell", ["isotropic", "full"])
def test_the_pressure_asked_for_is_there(cell):
    atoms = bulk("Cu", "fcc", a=3.615, cubic=True) * 2
    found = System(atoms, COPPER).sample(Relaxation(cell=cell, pressure=5.0))
    assert found["stress"] == pytest.approx(-5.0 * np.eye(3), abs=1e-4)
    # Murnaghan's equation with K = 138.5 GPa and K' between 4 and 6.
    low, high = ((1 + slope * 5.0 / 138.5) ** (-1 / slope) for slope in (4.0, 6.0))
    assert low < abs(np.linalg.det(found["cell"])) / atoms.get_volume() < high


def test_stress_is_the_slope_of_the_energy():
    atoms = skewed(systems.tilted(3), 0.03)
    system, h = System(atoms, LJ), 1e-5

    def energy(strain: np.ndarray) -> float:
        return settle(system, strained(atoms, strain), tolerance=1e9, evaluations=1).start

    stress = settle(system, atoms, tolerance=1e9, evaluations=1).stress
    for i, j in itertools.combinations_with_replacement(range(3), 2):
        strain = np.zeros((3, 3))
        strain[i, j] += h / 2
        strain[j, i] += h / 2
        slope = (energy(strain) - energy(-strain)) / (2 * h * atoms.get_volume())
        assert stress[i, j] == pytest.approx(slope, abs=1e-6)


def test_a_cluster_relaxes_in_free_space_only():
    material, _ = systems.shipped("argon_cluster")
    icosahedron = np.array(
        [[0, 0, 0], *(np.roll([0, i, j * (1 + 5**0.5) / 2], k) for i in (1, -1) for j in (1, -1) for k in range(3))]
    )
    atoms = Atoms(["Ar"] * 13, icosahedron * 1.9)
    atoms.rattle(0.1, seed=1)
    found = measure(Relaxation(), atoms, material)
    # Cambridge Cluster Database: LJ13 has -44.326801 epsilon.
    assert found.value * 13 / material.energy_scale == pytest.approx(-44.326801, abs=1e-5)
    with pytest.raises(InputError, match="cell=fixed"):
        relax(System(atoms, material), cell="full")


def test_relaxation_is_cached_and_its_failures_are_not_hidden():
    atoms = skewed(bulk("Ar", "fcc", a=1.55, cubic=True) * 2, 0.02)
    system = System(atoms, LJ)
    first = relax(system, cell="full")
    spent = system.evaluations
    assert (relax(system, cell="full").positions == first.positions).all()
    assert system.evaluations == spent > 0
    stopped = Relaxation(evaluations=5)
    assert "not relaxed" in measure(stopped, atoms, LJ).flag
    with pytest.raises(SimulationError, match="not relaxed"):
        stopped.relaxed(system)
    with pytest.raises(SimulationError, match="no minimum nearby"):
        measure(Relaxation(cell="full", pressure=-50.0), atoms, LJ)
    with pytest.raises(InputError, match="fixed cell"):
        measure(Relaxation(pressure=1.0), atoms, LJ)


# ---------------------------------------------------------------------------------------------------- elasticity


def lattice_sum(a: float, cutoff: float) -> np.ndarray:
    """C_ijkl of the fcc Lennard-Jones crystal at rest: sum of (phi'' - phi'/R) R_i R_j R_k R_l / R^2 over 2 Omega."""
    n = int(np.ceil(2 * cutoff / a)) + 1
    grid = np.array([r for r in itertools.product(range(-n, n + 1), repeat=3) if sum(r) % 2 == 0]) * a / 2
    r = np.linalg.norm(grid, axis=1)
    keep = (r > 0) & (r < cutoff)
    grid, r = grid[keep], r[keep]
    first = 4 * (-12 * r**-13 + 6 * r**-7)
    second = 4 * (156 * r**-14 - 42 * r**-8)
    weight = (second - first / r) / r**2
    return np.einsum("n,ni,nj,nk,nl->ijkl", weight, grid, grid, grid, grid) / (2 * a**3 / 4)


def test_lennard_jones_constants_are_the_lattice_sum():
    found = measure(ElasticTensor(strain=1e-4), bulk("Ar", "fcc", a=1.5496, cubic=True), LJ)
    a = relax(System(bulk("Ar", "fcc", a=1.5496, cubic=True), LJ), cell="full").cell[0, 0]
    expected = lattice_sum(a, 2.5)
    assert not found.flag
    assert found.details["C11"] == pytest.approx(expected[0, 0, 0, 0], rel=1e-5)
    assert found.details["C12"] == pytest.approx(expected[0, 0, 1, 1], rel=1e-5)
    assert found.details["C44"] == pytest.approx(expected[1, 2, 1, 2], rel=1e-5)
    assert found.details["C12"] == pytest.approx(found.details["C44"], rel=1e-5)  # Cauchy: central forces, no pressure


@pytest.mark.parametrize(
    ("name", "expected", "rel"),
    [
        ("silicon", (151.4, 76.4, 56.4), 1e-3),  # Cowley, Phys. Rev. Lett. 60, 2379 (1988): atoms relaxed
        ("copper", (167, 124, 76), 0.006),  # Foiles, Baskes and Daw, Phys. Rev. B 33, 7983 (1986)
        ("nickel", (233, 154, 128), 0.006),  # the same
    ],
)
def test_published_elastic_constants(name, expected, rel):
    material, structure = systems.shipped(name)
    found = measure(ElasticTensor(), structure.build(material), material)
    assert not found.flag
    assert [found.details[c] for c in ("C11", "C12", "C44")] == pytest.approx(expected, rel=rel)
    assert found.details["asymmetry"] < 1e-6


def test_moduli_are_those_of_pymatgen():
    atoms = bulk("Cu", "hcp", a=2.556, c=4.17)
    tensor = measure(ElasticTensor(), atoms, COPPER)
    oracle = Pymatgen.from_voigt(tensor.tensor)
    expected = {
        BulkModulus: oracle.k_vrh,
        ShearModulus: oracle.g_vrh,
        YoungModulus: oracle.y_mod / 1e9,
        PoissonRatio: oracle.homogeneous_poisson,
    }
    for kind, value in expected.items():
        assert measure(kind(), atoms, COPPER).value == pytest.approx(value, rel=1e-9)
    assert tensor.details["anisotropy"] == pytest.approx(oracle.universal_anisotropy, rel=1e-9)
    assert tensor.details["bulk_reuss"] == pytest.approx(oracle.k_reuss, rel=1e-9)
    assert tensor.details["shear_voigt"] == pytest.approx(oracle.g_voigt, rel=1e-9)
    assert measure(PoissonRatio(), atoms, COPPER).unit == "1"


def test_the_tensor_is_measured_once_for_all_of_it():
    system = System(bulk("Cu", "fcc", a=3.615), COPPER)
    system.sample(BulkModulus())
    spent = system.evaluations
    for kind in (ElasticTensor, YoungModulus, ElasticStability, Hardness):
        system.sample(kind())
    assert system.evaluations == spent


def test_turned_and_larger_cells_have_the_same_moduli():
    cube = bulk("Si", "diamond", a=5.431, cubic=True)
    reference = measure(ElasticTensor(), cube, SILICON)
    turned = bulk("Si", "diamond", a=5.431)
    turned.rotate(*TURNED, rotate_cell=True)
    rotation = np.linalg.solve(bulk("Si", "diamond", a=5.431).cell.array, turned.cell.array)  # rows turn with it
    expected = Pymatgen.from_voigt(reference.tensor).rotate(rotation.T, tol=1e-6).voigt
    for atoms in (turned, turned * (2, 1, 3)):
        found = measure(ElasticTensor(), atoms, SILICON)
        assert found.tensor == pytest.approx(np.asarray(expected), abs=0.01)
        for name in ("bulk_hill", "shear_hill", "young", "anisotropy", "smallest_eigenvalue"):
            assert found.details[name] == pytest.approx(reference.details[name], rel=1e-4)
    assert measure(ElasticTensor(), cube * (2, 1, 2), SILICON).tensor == pytest.approx(reference.tensor, abs=0.01)


def test_stability_tells_stable_from_unstable_crystals():
    stable = measure(ElasticStability(), bulk("Ar", "fcc", a=1.55, cubic=True), LJ)
    assert not stable.flag
    assert stable.value == pytest.approx(stable.details["C11"] - stable.details["C12"], rel=1e-9)
    for lattice, a in (("sc", 1.07), ("bcc", 1.23)):  # neither is a minimum of central forces with so few bonds
        atoms = bulk("Ar", lattice, a=a, cubic=True)
        found = measure(ElasticStability(), atoms, LJ)
        assert found.value < 0
        assert "unstable" in found.flag
        assert "unstable" in measure(BulkModulus(), atoms, LJ).flag
        assert np.isnan(measure(YoungModulus(), atoms, LJ).value)


def test_doubtful_elastic_constants_are_flagged():
    glass = StartingStructure(kind="packing", atoms=108, density=1.0, min_distance=0.85).build(LJ, seed=2)
    rearranged = measure(ElasticTensor(strain=0.01), glass, LJ)
    assert "rearranges" in rearranged.flag
    assert "not symmetric" in rearranged.flag
    assert not measure(ElasticTensor(strain=1e-5), glass, LJ).flag
    squeezed = measure(ElasticTensor(cell="fixed"), bulk("Cu", "fcc", a=3.5, cubic=True), COPPER)
    assert "stress of" in squeezed.flag
    slab = bulk("Cu", "fcc", a=3.615, cubic=True) * (2, 2, 3)
    slab.center(vacuum=8.0, axis=2)
    assert "unstable" in measure(ElasticTensor(), slab, COPPER).flag  # vacuum resists nothing
    slab.pbc = (True, True, False)
    with pytest.raises(InputError, match="periodic in three"):
        measure(BulkModulus(), slab, COPPER)


# ------------------------------------------------------------------------------------------------------ hardness


@pytest.mark.parametrize(
    ("bulk_modulus", "shear_modulus", "measured"),
    # Moduli and Vickers hardness of experiments: diamond and cubic boron nitride, silicon, as in the paper's fit.
    [(442, 536, 96), (400, 409, 66), (97.9, 66.6, 12)],
)
def test_hardness_of_known_materials(bulk_modulus, shear_modulus, measured):
    assert vickers(bulk_modulus, shear_modulus) == pytest.approx(measured, rel=0.05)


def test_hardness_says_where_the_fit_does_not_hold():
    carbide, structure = systems.shipped("sic")
    hard = measure(Hardness(), structure.build(carbide), carbide)
    assert not hard.flag
    assert hard.unit == "GPa"
    assert hard.value == pytest.approx(vickers(hard.details["bulk_hill"], hard.details["shear_hill"]))
    soft = measure(Hardness(), bulk("Cu", "fcc", a=3.615), COPPER)
    assert "ductile" in soft.flag
    with pytest.raises(InputError, match="GPa"):
        measure(Hardness(), bulk("Ar", "fcc", a=1.55, cubic=True), LJ)


# ------------------------------------------------------------------------------------------------------- tension


@pytest.mark.parametrize("direction", ["a", "c"])
def test_a_cold_crystal_begins_with_its_elastic_constants(direction):
    atoms = bulk("Ar", "fcc", a=1.5496, cubic=True) * (3, 4, 3)
    elastic = measure(ElasticTensor(), atoms, LJ)
    young = 1 / np.linalg.inv(elastic.tensor)[0, 0]
    protocol = {"temperature": 1e-3, "steps": 3000, "equilibration": 1000, "direction": direction}
    for strain, lateral, modulus in (
        (0.005, "free", young),
        (-0.005, "free", young),
        (0.005, "fixed", elastic.details["C11"]),
    ):
        found = measure(YieldStress(strain=strain, lateral=lateral, **protocol), atoms, LJ, seeds=2)
        assert found.details["modulus"] == pytest.approx(modulus, rel=0.04)
        assert found.details["rate"] == pytest.approx(strain / (3000 * LJ.timestep))
        assert found.value > 0
        assert "2 of 2 did not yield" in found.flag


def test_a_pulled_crystal_yields():
    atoms = bulk("Cu", "fcc", a=3.615, cubic=True) * 3
    found = measure(YieldStress(steps=6000, equilibration=1000, strain=0.2), atoms, COPPER, seeds=4)
    assert not found.flag
    assert 4 < found.value < 12  # GPa; between a tenth and a fifth of the modulus
    assert 0 < found.stderr < 0.1 * found.value
    assert 0.05 < found.details["strain"] < 0.15
    assert found.curves["stress"].shape == found.curves["strain"].shape == (100,)
    assert found.steps >= 4 * 7000


def test_a_liquid_does_not_seem_to_yield():
    atoms = bulk("Ar", "fcc", a=1.7, cubic=True) * 4
    found = measure(YieldStress(temperature=0.95, steps=5000, equilibration=2000), atoms, LJ, seeds=2)
    assert "liquid" in found.flag


def test_heat_weakens_and_other_units_agree():
    protocol = {"strain": 0.15, "steps": 4000, "equilibration": 500}
    argon, structure = systems.shipped("argon")
    atoms = structure.build(argon)
    cold, warm = (measure(YieldStress(temperature=t, **protocol), atoms, argon, seeds=3) for t in (1.0, 40.0))
    assert warm.value < cold.value - 3 * np.hypot(warm.stderr, cold.stderr)
    real = measure(YieldStress(temperature=1.0, **protocol), atoms, ARGON_REAL, seeds=3)
    assert real.unit == cold.unit == "GPa"
    assert real.value == pytest.approx(cold.value, rel=0.05)


def test_tension_refuses_what_it_cannot_pull():
    with pytest.raises(InputError, match="right angles"):
        measure(YieldStress(), bulk("Cu", "fcc", a=3.615) * 4, COPPER)
    with pytest.raises(InputError, match="above melting"):
        measure(YieldStress(), bulk("Ar", "fcc", a=1.55, cubic=True) * 3, LJ)
    with pytest.raises(InputError, match="periodic"):
        measure(YieldStress(), Atoms("Cu13", np.random.default_rng(0).normal(size=(13, 3)) * 20), COPPER)
    with pytest.raises(InputError, match="does not pull"):
        measure(YieldStress(strain=0.0), bulk("Cu", "fcc", a=3.615, cubic=True), COPPER)
    small = YieldStress(temperature=10.0, steps=1000, equilibration=100)
    assert "too short for slip" in measure(small, bulk("Cu", "fcc", a=3.615, cubic=True), COPPER, seeds=2).flag
