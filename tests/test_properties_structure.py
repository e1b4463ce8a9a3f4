"""Energy, pressure, radial functions, coordination and space group against LAMMPS, ASE, sums and published values."""

import dataclasses

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.cluster import Icosahedron, Octahedron
from ase.neighborlist import neighbor_list
from systems import LJ, cluster, fcc, material, shipped, tilted

from matdesign.errors import InputError, SimulationError
from matdesign.properties import StructuralProperty, System, measure
from matdesign.properties.coordination import Coordination
from matdesign.properties.energy import CohesiveEnergy, EnergyAboveReference, PotentialEnergy
from matdesign.properties.neighbours import first_shell, nearest, within
from matdesign.properties.pressure import Pressure, Stress
from matdesign.properties.radial import RadialDistribution, StructureFactor
from matdesign.properties.symmetry import SpaceGroup
from matdesign.sim import Simulation, StartingStructure
from matdesign.sim.structure import LATTICES


def melt(atoms, of, temperature, steps=1500):
    """Atoms after MD at a temperature."""
    with Simulation(atoms, of) as simulation:
        simulation.command(f"velocity all create {2 * temperature} 4711")
        simulation.command(f"fix bath all langevin {temperature} {temperature} {100 * of.timestep} 815")
        simulation.run(steps)
        return simulation.structure()


@pytest.fixture(scope="module")
def liquid():
    """256 Lennard-Jones atoms near the triple point."""
    return melt(fcc(4, a=(4 / 0.8442) ** (1 / 3)), material("lj"), 0.8)


# Neighbours


@pytest.mark.parametrize("seed", range(12))
def test_neighbours_are_those_of_ase_in_any_cell(seed):
    rng = np.random.default_rng(seed)
    cell = rng.normal(size=(3, 3)) + rng.uniform(1, 3) * np.eye(3)
    count = int(rng.integers(1, 8))
    atoms = Atoms("H" * count, 5 * rng.normal(size=(count, 3)), cell=cell, pbc=rng.random(3) < 0.6)
    i, j, vectors, distances = neighbor_list("ijDd", atoms, 3.0)
    found = within(atoms, 3.0)
    rows = [
        np.array(sorted(zip(*each, strict=True)))
        for each in ((i, j, *vectors.T.round(8)), (found.centres, found.others, *found.vectors.T.round(8)))
    ]
    np.testing.assert_allclose(*rows, atol=1e-7)
    if atoms.pbc.any():
        closest = nearest(atoms, 4)
        for atom in range(count):
            known = np.sort(distances[i == atom])[:4]
            np.testing.assert_allclose(closest.distances[atom, : len(known)], known)


def test_a_lone_atom_has_no_neighbours():
    assert len(within(Atoms("H"), 5.0).centres) == 0
    with pytest.raises(InputError, match=r"1 neighbours.*cluster has 1 atoms"):
        nearest(Atoms("H"), 1)


@pytest.mark.parametrize(
    ("lattice", "shells"), [("fcc", (1, 2**0.5)), ("bcc", (0.75**0.5, 1)), ("sc", (1, 2**0.5)), ("diamond", (1, 1.633))]
)
def test_first_shell_ends_between_first_and_second(lattice, shells):
    atoms = bulk("X", lattice, a={"fcc": 2**0.5, "bcc": 1, "sc": 1, "diamond": 4 / 3**0.5}[lattice])
    assert first_shell(atoms) == pytest.approx(np.mean(shells), abs=0.01)


# Energies


def test_first_step_of_the_lammps_benchmark_in_lj():
    """Energy and pressure that LAMMPS' bench/in.lj (32000 atoms at T* = 1.44) prints for step 0."""
    atoms = bulk("Ar", "fcc", a=(4 / 0.8442) ** (1 / 3), cubic=True) * (10, 10, 10)
    assert measure(PotentialEnergy(), atoms, material("lj")).value == pytest.approx(-6.7733681, abs=5e-8)
    static = measure(Pressure(), atoms, material("lj"))
    kinetic = 0.8442 * 1.44 * (1 - 1 / 32000)  # that benchmark's velocities have 3N - 3 degrees of freedom
    assert static.value + kinetic == pytest.approx(-5.0197073, abs=1e-7)
    assert static.unit == "epsilon/sigma^3"


# Lowest known energies: Wales and Doye 1997, Cambridge Cluster Database.
@pytest.mark.parametrize(
    ("start", "energy"),
    [
        (Icosahedron("Ar", 2, latticeconstant=5.3 / 3.405), -44.326801),
        (Octahedron("Ar", 4, cutoff=1, latticeconstant=5.3 / 3.405), -173.928427),
        (Icosahedron("Ar", 3, latticeconstant=5.3 / 3.405), -279.248470),
    ],
    ids=["LJ13", "LJ38", "LJ55"],
)
def test_lennard_jones_clusters_have_their_known_energies(start, energy):
    atoms = Atoms(start.symbols, start.positions)
    with Simulation(atoms, LJ) as simulation:
        simulation.minimize(force_tolerance=1e-9)
        relaxed = simulation.structure()
    found = measure(PotentialEnergy(), relaxed, LJ)
    assert found.value * len(atoms) == pytest.approx(energy, abs=2e-6)
    assert measure(CohesiveEnergy(), relaxed, LJ).value == pytest.approx(-found.value)
    assert (found.stderr, found.unit) == (0, "epsilon/atom")


# Cohesive energies: those that the potentials were made for (sources in test_materials.py).
@pytest.mark.parametrize(
    ("name", "energy"), [("silicon", 2 * 2.1683), ("copper", 3.54), ("nickel", 4.45), ("sige", None)]
)
def test_cohesive_energy(name, energy):
    chosen, structure = shipped(name)
    atoms = structure.build(chosen, seed=1)
    found = measure(CohesiveEnergy(), atoms, chosen)
    if energy is None:  # free atoms have no energy here, so it is minus the potential energy
        energy = -measure(PotentialEnergy(), atoms, chosen).value
    assert found.value == pytest.approx(energy, rel=1e-5)
    assert found.unit == "eV/atom"


def test_energy_above_reference_is_the_formation_energy():
    nial = material("nial")
    alloy = StartingStructure(kind="crystal", lattice="L1_2", sublattices=["Ni", "Al"], a=3.5677).build(nial)
    references = {
        symbol: measure(PotentialEnergy(), bulk(symbol, "fcc", a=a), nial).value
        for symbol, a in (("Ni", 3.52), ("Al", 4.05))
    }
    found = measure(EnergyAboveReference(references=references), alloy, nial)
    energy = measure(PotentialEnergy(), alloy, nial).value
    assert found.value == pytest.approx(energy - 0.75 * references["Ni"] - 0.25 * references["Al"])
    assert -0.6 < found.value < -0.3  # the ordered alloy is stable, by about 0.4 eV in experiment
    with pytest.raises(InputError, match=r"no reference for Al: give property\.references\.Al"):
        measure(EnergyAboveReference(references={"Ni": -4.45}), alloy, nial)


def test_energy_of_a_hot_crystal_is_equipartition():
    copper, structure = shipped("copper")
    atoms = structure.build(copper)
    measured = PotentialEnergy(temperature=100.0, equilibration=1000, frames=100, every=20)
    found = measure(measured, atoms, copper, seeds=6)
    expected = -3.54 + 1.5 * 8.617343e-5 * 100 * (1 - 1 / len(atoms))
    assert found.stderr < 5e-4
    assert found.value == pytest.approx(expected, abs=3 * found.stderr + 5e-5)  # anharmonic at 100 K: below 1 %


def test_what_lammps_averages_is_what_frames_average():
    lj, atoms = material("lj"), fcc(3)
    settings = {"temperature": 0.3, "equilibration": 200, "frames": 40, "every": 5}
    for measured, name in ((PotentialEnergy(**settings), "value"), (Stress(**settings), "stress")):
        fast = measured.sample(System(atoms, lj), 3)[name]
        slow = _frame_by_frame(measured, System(atoms, lj), 3)[name]
        if name == "stress":  # frames are structures without velocities
            slow = slow - np.eye(3) * 0.3 * len(atoms) / atoms.get_volume()
        np.testing.assert_allclose(fast, slow, atol=0.15 if name == "stress" else 0.01)


def _frame_by_frame(measured, system, seed):
    kind = type(measured)
    plain = type(kind.__name__, (kind,), {"average": StructuralProperty.average})
    return plain(**dataclasses.asdict(measured)).sample(system, seed)


# Pressure and stress


def test_stress_is_the_derivative_of_the_energy_by_strain_in_the_axes_of_the_structure():
    lj, atoms = material("lj"), tilted(3)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.02 * np.random.default_rng(0).normal(size=(3, 3))), True)
    lj = dataclasses.replace(lj, pair_style="lj/smooth/linear 2.5")  # without a step at the cutoff

    def energy(a, b, strain):
        deformation = np.eye(3)
        deformation[a, b] += strain
        strained = atoms.copy()
        strained.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
        return measure(PotentialEnergy(), strained, lj).value * len(atoms)

    found = measure(Stress(), atoms, lj)
    h = 1e-5
    expected = [[(energy(a, b, h) - energy(a, b, -h)) / (2 * h) for b in range(3)] for a in range(3)]
    np.testing.assert_allclose(found.tensor, np.array(expected) / atoms.get_volume(), atol=1e-5)
    s = found.tensor - np.trace(found.tensor) / 3 * np.eye(3)
    assert found.value == pytest.approx(np.sqrt(1.5 * (s**2).sum()))
    pressure = measure(Pressure(), atoms, lj)
    assert pressure.value == pytest.approx(-found.details["hydrostatic"])
    np.testing.assert_allclose(pressure.tensor, -found.tensor)


def test_velocities_of_the_structure_add_their_pressure():
    copper, structure = shipped("copper")
    atoms = structure.build(copper)
    static = measure(Pressure(), atoms, copper)
    moving = atoms.copy()
    moving.set_momenta(np.random.default_rng(0).normal(size=(len(atoms), 3)))
    moving.set_momenta(moving.get_momenta() - moving.get_momenta().mean(axis=0))
    # ASE and the material differ in copper's mass: the momenta are turned into velocities with ASE's.
    kinetic = moving.get_kinetic_energy() * 63.55 / moving.get_masses()[0]
    expected = 2 / 3 * kinetic / atoms.get_volume() * 160.2176634
    assert measure(Pressure(), moving, copper).value - static.value == pytest.approx(expected, rel=1e-5)
    assert static.unit == "GPa"


def test_pressure_in_units_real_is_that_in_units_metal():
    kcal = 23.060548  # of one eV, in LAMMPS' constants to a few parts in 10^6
    argon = material("argon")
    real = dataclasses.replace(
        argon, units="real", pair_coeff=[f"1 1 {0.010323565 * kcal} 3.405"], timestep=2.0, energy_scale=0.238
    )
    atoms = fcc(3, a=5.1, rattle=0.1)
    found, other = (measure(Pressure(), atoms, each) for each in (argon, real))
    assert found.value == pytest.approx(other.value, rel=1e-5)
    assert (found.unit, other.unit) == ("GPa", "GPa")


def test_pressure_of_an_ideal_gas_in_md():
    ideal = dataclasses.replace(material("lj"), pair_coeff=["1 1 0.0 1.0"])
    atoms = bulk("Ar", "sc", a=2.0) * (4, 4, 4)
    found = measure(Pressure(temperature=1.5, equilibration=500, frames=50, every=40), atoms, ideal, seeds=6)
    expected = 63 * 1.5 / atoms.get_volume()
    assert found.value == pytest.approx(expected, abs=4 * found.stderr)
    assert found.stderr < 0.05 * expected


@pytest.mark.parametrize("measured", [Pressure(), Stress(), RadialDistribution(), SpaceGroup()])
def test_what_needs_a_lattice_or_volume_refuses_a_cluster(measured):
    with pytest.raises(InputError, match="periodic in three directions"):
        measure(measured, cluster(20), LJ)


@pytest.mark.parametrize("measured", [RadialDistribution(), Coordination(), SpaceGroup(), PotentialEnergy()])
def test_positions_that_are_not_numbers_and_unknown_species_are_refused(measured):
    atoms = bulk("Cu", cubic=True)
    with pytest.raises(InputError, match="material 'nickel' is for Ni"):
        measure(measured, atoms, material("nickel"))
    atoms.positions[1, 2] = np.nan
    with pytest.raises(InputError, match="position of atom 2"):
        measure(measured, atoms, material("copper"))


# Radial distribution and structure factor


def test_radial_distribution_is_that_of_lammps(liquid):
    lj, bins, cutoff = material("lj"), 60, 3.0
    measured = measure(RadialDistribution(cutoff=cutoff, bins=bins), liquid, lj)
    with Simulation(liquid, lj) as simulation:
        simulation.command("comm_modify cutoff 4.0")
        simulation.command(f"compute rdf all rdf {bins} cutoff {cutoff}")
        simulation.command("fix rdf all ave/time 1 1 1 c_rdf[*] mode vector")
        simulation.run(0)
        r, g, coordination = simulation.compute("rdf").T
    count = len(liquid)
    np.testing.assert_allclose(measured.curves["r"], r)
    np.testing.assert_allclose(measured.curves["g"] * count / (count - 1), g, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(measured.curves["coordination"], coordination, rtol=1e-9, atol=1e-12)


def test_partial_radial_distributions_are_those_of_lammps():
    nial, structure = shipped("nial")
    atoms = structure.build(nial)
    atoms.rattle(0.1, seed=1)
    measured = measure(RadialDistribution(cutoff=5.0, bins=50), atoms, nial)
    with Simulation(atoms, nial) as simulation:
        simulation.command("compute rdf all rdf 50 1 1 1 2 2 2 cutoff 5.0")
        simulation.command("fix rdf all ave/time 1 1 1 c_rdf[*] mode vector")
        simulation.run(0)
        rdf = simulation.compute("rdf")
    n = {"Ni": 81, "Al": 27}
    for column, (a, b) in zip((1, 3, 5), (("Ni", "Ni"), ("Ni", "Al"), ("Al", "Al")), strict=True):
        ours = measured.curves[f"g_{a}_{b}"] * n[b] / (n[b] - (a == b))
        np.testing.assert_allclose(ours, rdf[:, column], rtol=1e-9, atol=1e-12)
    fraction = {symbol: count / 108 for symbol, count in n.items()}
    total = sum(
        (1 if a == b else 2) * fraction[a] * fraction[b] * measured.curves[f"g_{a}_{b}"]
        for a, b in (("Ni", "Ni"), ("Ni", "Al"), ("Al", "Al"))
    )
    np.testing.assert_allclose(total, measured.curves["g"], atol=1e-10)


def test_radial_distribution_of_a_primitive_cell_is_that_of_the_crystal():
    copper = material("copper")
    small, large = (
        measure(RadialDistribution(cutoff=9.05), atoms, copper)
        for atoms in (bulk("Cu", "fcc", a=3.615), bulk("Cu", "fcc", a=3.615, cubic=True) * (3, 3, 3))
    )
    np.testing.assert_allclose(small.curves["g"], large.curves["g"], atol=1e-9)
    assert small.value == pytest.approx(3.615 / 2**0.5, rel=1e-9)
    assert small.details["coordination"] == 12


def test_radial_distribution_of_random_points_is_one():
    rng = np.random.default_rng(0)
    atoms = Atoms("Ar" * 2000, rng.uniform(0, 20, (2000, 3)), cell=[20] * 3, pbc=True)
    found = measure(RadialDistribution(cutoff=6.0, bins=12), atoms, material("argon"))
    np.testing.assert_allclose(found.curves["g"][2:], 1, atol=0.05)
    assert "no first minimum" in found.flag


def test_liquid_at_its_triple_point_has_the_known_structure():
    lj, atoms = material("lj"), fcc(4, a=(4 / 0.8442) ** (1 / 3))
    settings = {"temperature": 0.8, "equilibration": 1000, "frames": 10, "every": 100}
    rdf = measure(RadialDistribution(**settings), atoms, lj, seeds=3)
    assert rdf.value == pytest.approx(1.09, abs=0.02)
    assert 12 < rdf.details["coordination"] < 13
    factor = measure(StructureFactor(**settings), atoms, lj, seeds=3)
    assert factor.value == pytest.approx(6.8, abs=0.15)
    assert 2.2 < factor.details["height"] < 3.1


def test_structure_factor_is_the_sum_over_wave_vectors():
    argon = material("argon")
    atoms = tilted(2)
    atoms.set_cell(atoms.cell.array * 3.405, scale_atoms=True)
    found = measure(StructureFactor(q_max=3.0, bins=40), atoms, argon)
    reciprocal = 2 * np.pi * atoms.cell.reciprocal().array
    h = np.stack(np.meshgrid(*[np.arange(-12, 13)] * 3), axis=-1).reshape(-1, 3)
    q = h @ reciprocal
    length = np.linalg.norm(q, axis=1)
    q, length = q[(length > 0) & (length <= 3.0)], length[(length > 0) & (length <= 3.0)]
    S = abs(np.exp(-1j * q @ atoms.positions.T).sum(axis=1)) ** 2 / len(atoms)
    bins = (length / 3.0 * 40).astype(int)
    expected = [S[bins == b].mean() for b in range(40) if (bins == b).any()]
    np.testing.assert_allclose(found.curves["S"], expected, rtol=1e-6)


def test_structure_factor_of_a_crystal_has_bragg_peaks():
    atoms = bulk("Cu", "fcc", a=3.615, cubic=True) * (3, 3, 3)
    found = measure(StructureFactor(), atoms, material("copper"))
    assert found.value == pytest.approx(2 * np.pi * 3**0.5 / 3.615, rel=1e-6)  # the (111) planes
    silicon = measure(StructureFactor(), bulk("Si", a=5.431) * (4, 4, 4), material("silicon"))
    assert silicon.value == pytest.approx(2 * np.pi * 3**0.5 / 5.431, rel=1e-6)
    assert "repeat it" in measure(StructureFactor(), bulk("Si", a=5.431), material("silicon")).flag


def test_structure_factor_of_a_cluster_is_debyes_sum():
    atoms = cluster(20)
    found = measure(StructureFactor(q_max=12.0, bins=50), atoms, LJ)
    d = atoms.get_all_distances()
    for q, S in zip(found.curves["q"][::7], found.curves["S"][::7], strict=True):
        assert pytest.approx(np.sinc(q * d / np.pi).sum() / 20) == S
    with pytest.raises(InputError, match="three directions or in none"):
        measure(StructureFactor(), Atoms("Ar2", [[0, 0, 0], [1, 0, 0]], cell=[5, 5, 5], pbc=[1, 1, 0]), LJ)


# Coordination


@pytest.mark.parametrize(("lattice", "number"), [("fcc", 12), ("bcc", 8), ("sc", 6), ("diamond", 4)])
def test_coordination_of_crystals(lattice, number):
    atoms = bulk("Cu", lattice, a=3.6)
    found = measure(Coordination(), atoms, material("copper"))
    assert found.value == number
    assert found.curves["fraction"][number] == 1
    assert measure(Coordination(cutoff=3.61), bulk("Cu", "bcc", a=3.6), material("copper")).value == 14


def test_coordination_is_that_of_lammps(liquid):
    lj = material("lj")
    found = measure(Coordination(cutoff=1.5), liquid, lj)
    with Simulation(liquid, lj) as simulation:
        simulation.command("compute number all coord/atom cutoff 1.5")
        simulation.run(0)
        numbers = simulation.compute("number")
    assert found.value == pytest.approx(numbers.mean())
    np.testing.assert_allclose(found.curves["fraction"], np.bincount(numbers.astype(int), minlength=25) / len(liquid))
    assert measure(Coordination(), liquid, lj).details["cutoff"] == pytest.approx(1.5, abs=0.15)


def test_coordination_of_a_cluster():
    found = measure(Coordination(), Icosahedron("Ar", 2, latticeconstant=1.55), LJ)
    assert found.value == pytest.approx((12 + 12 * 6) / 13)
    assert measure(Coordination(), Atoms("Ar2", [[0, 0, 0], [0, 0, 1.1]]), LJ).value == 1
    with pytest.raises(InputError, match="at least two atoms"):
        measure(Coordination(), Atoms("Ar"), LJ)


# Space group


@pytest.mark.parametrize("lattice", LATTICES)
def test_space_groups_of_the_prototypes(lattice):
    nial = material("nial")
    sublattices = ["Ni", "Al"][: len(LATTICES[lattice][1])]
    c = 2.6 * (8 / 3) ** 0.5 if lattice == "hcp" else None
    crystal = StartingStructure(
        kind="crystal", lattice=lattice, sublattices=sublattices, a=4.0 if c is None else 2.6, c=c, repeat=(2, 2, 2)
    )
    found = measure(SpaceGroup(), crystal.build(nial), nial)
    assert found.value == LATTICES[lattice][0]
    assert not found.flag
    assert found.details["point_group_order"] == {225: 48, 229: 48, 221: 48, 227: 48, 194: 24, 216: 24}[found.value]
    assert found.stderr == 0


def test_space_group_says_where_the_tolerance_decides():
    atoms = bulk("Si", cubic=True) * (2, 2, 2)
    atoms.rattle(0.003, seed=1)
    silicon = material("silicon")
    assert measure(SpaceGroup(tolerance=0.1), atoms, silicon).value == 227
    doubtful = measure(SpaceGroup(tolerance=0.01), atoms, silicon)
    assert "the tolerance 0.01 decides" in doubtful.flag
    assert measure(SpaceGroup(tolerance=1e-4), atoms, silicon).value == 1
    overlap = Atoms("Si2", [[0, 0, 0], [0, 0, 0.5]], cell=[3, 3, 3], pbc=True)
    with pytest.raises(SimulationError, match="no space group at tolerance"):
        measure(SpaceGroup(tolerance=0.8), overlap, silicon)
