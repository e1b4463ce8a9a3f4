"""Order parameters, phases and short-range order against LAMMPS' computes and known crystals."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.cluster import Icosahedron
from scipy.spatial.transform import Rotation
from systems import LJ, cluster, fcc, material

from matdesign.errors import InputError
from matdesign.properties import measure
from matdesign.properties.order import AveragedQ4, AveragedQ6, GlobalQ4, GlobalQ6
from matdesign.properties.phases import PHASES, BccFraction, DisorderedFraction, FccFraction, HcpFraction, classify
from matdesign.properties.short_range_order import WarrenCowley
from matdesign.sim import Simulation, StartingStructure

HCP = bulk("X", "hcp", a=2.5, c=2.5 * (8 / 3) ** 0.5)
CRYSTALS = {
    "fcc": bulk("X", "fcc", a=3.6),
    "hcp": HCP,
    "bcc": bulk("X", "bcc", a=2.87),
    "sc": bulk("X", "sc", a=2.5),
    "diamond": bulk("X", "diamond", a=5.43),
}


def copper(atoms):
    """The same positions, of copper, for which there is a material."""
    return Atoms("Cu" * len(atoms), atoms.positions, cell=atoms.cell, pbc=atoms.pbc)


@pytest.fixture(scope="module")
def disordered():
    """256 Lennard-Jones atoms, liquid, in a skewed cell."""
    atoms = bulk("Ar", "fcc", a=(4 / 0.8442) ** (1 / 3)) * (7, 6, 6)
    atoms.set_cell(atoms.cell.array @ np.array([[1, 0.05, 0], [0, 1, 0.1], [0, 0, 1]]), scale_atoms=True)
    with Simulation(atoms, material("lj")) as simulation:
        simulation.command("velocity all create 3.0 4711")
        simulation.run(1000)
        return simulation.structure()


# Steinhardt order


# Mickel et al., J. Chem. Phys. 138, 044501 (2013), table I; diamond has half of the bonds of bcc with 8.
@pytest.mark.parametrize(
    ("lattice", "neighbours", "q4", "q6"),
    [
        ("fcc", 12, 0.19094, 0.57452),
        ("hcp", 12, 0.09722, 0.48476),
        ("bcc", 14, 0.03637, 0.51069),
        ("bcc", 8, 0.50918, 0.62854),
        ("sc", 6, 0.76376, 0.35355),
        ("diamond", 4, 0.50918, 0.62854),
    ],
)
def test_perfect_crystals_have_the_known_order(lattice, neighbours, q4, q6):
    atoms = copper(CRYSTALS[lattice] * (2, 3, 2))
    atoms.rotate(40, (1, 2, 3), rotate_cell=True)
    for kind, expected in ((GlobalQ4, q4), (GlobalQ6, q6), (AveragedQ4, q4), (AveragedQ6, q6)):
        found = measure(kind(neighbours=neighbours), atoms, material("copper"))
        assert found.value == pytest.approx(expected, abs=6e-6)
        assert not found.flag


@pytest.mark.parametrize("neighbours", [6, 12, 14])
def test_local_order_of_a_liquid_is_that_of_lammps(disordered, neighbours):
    lj = material("lj")
    averaged = [measure(kind(neighbours=neighbours), disordered, lj) for kind in (AveragedQ4, AveragedQ6)]
    with Simulation(disordered, lj) as simulation:
        simulation.command(f"compute order all orientorder/atom degrees 2 4 6 nnn {neighbours}")
        simulation.run(0)
        expected = simulation.compute("order")
    for column, found in enumerate(averaged):
        np.testing.assert_allclose(found.curves["local"], expected[:, column], atol=1e-9)
        assert found.details["local"] == pytest.approx(expected[:, column].mean())


@pytest.mark.parametrize(("degree", "average", "whole"), [(4, AveragedQ4, GlobalQ4), (6, AveragedQ6, GlobalQ6)])
def test_averaged_and_global_order_follow_from_the_components_of_lammps(disordered, degree, average, whole):
    lj = material("lj")
    with Simulation(disordered, lj) as simulation:
        simulation.command(f"compute order all orientorder/atom degrees 1 {degree} nnn 12 components {degree}")
        simulation.run(0)
        values = simulation.compute("order")
    # LAMMPS gives the components divided by their norm.
    components = (values[:, 1::2] + 1j * values[:, 2::2]) * values[:, :1]
    distances = disordered.get_all_distances(mic=True)
    others = np.argsort(distances, axis=1)[:, :13]  # the atom itself and 12 neighbours
    expected = np.linalg.norm(components[others].mean(axis=1), axis=-1)
    found = measure(average(), disordered, lj)
    np.testing.assert_allclose(found.curves["averaged"], expected, atol=1e-9)
    assert found.value == pytest.approx(expected.mean())
    assert measure(whole(), disordered, lj).value == pytest.approx(np.linalg.norm(components.mean(axis=0)), abs=1e-9)


def test_order_of_a_cluster_does_not_depend_on_its_orientation():
    atoms = cluster(40)
    turned = atoms.copy()
    turned.positions = Rotation.from_rotvec([0.3, -1.0, 2.0]).apply(atoms.positions) + 7
    for kind in (GlobalQ4, GlobalQ6, AveragedQ6):
        assert measure(kind(), atoms, LJ).value == pytest.approx(measure(kind(), turned, LJ).value, abs=1e-9)


def test_number_of_neighbours_that_cuts_a_shell_is_flagged():
    atoms = copper(CRYSTALS["bcc"] * (3, 3, 3))
    found = measure(GlobalQ6(neighbours=12), atoms, material("copper"))
    assert "neighbours 12 and 13 are equally far" in found.flag
    with pytest.raises(InputError, match=r"cluster has 8 atoms: lower property\.neighbours"):
        measure(GlobalQ6(), cluster(8), LJ)


def test_order_tells_crystal_from_liquid_in_md():
    lj = material("lj")
    settings = {"equilibration": 1000, "frames": 5, "every": 100}
    solid = measure(GlobalQ6(temperature=0.3, **settings), fcc(3), lj, seeds=2)
    liquid = measure(GlobalQ6(temperature=1.5, **settings), fcc(3, a=(4 / 0.8) ** (1 / 3)), lj, seeds=2)
    assert solid.value > 0.45
    assert liquid.value < 0.15
    assert 0 < solid.stderr < 0.05


# Phases


@pytest.mark.parametrize(
    ("lattice", "phase"),
    [("fcc", "fcc"), ("hcp", "hcp"), ("bcc", "bcc"), ("sc", "disordered"), ("diamond", "disordered")],
)
@pytest.mark.parametrize("noise", [0.0, 0.08])
def test_phases_of_crystals(lattice, phase, noise):
    atoms = copper(CRYSTALS[lattice] * (4, 4, 3))
    atoms.rattle(noise, seed=1)
    for kind in (FccFraction, HcpFraction, BccFraction, DisorderedFraction):
        found = measure(kind(), atoms, material("copper"))
        assert found.value == (1 if kind.phase == phase else 0)
        assert sum(found.details.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("lattice", "cutoff", "noise"), [("fcc", 3.073, 0.12), ("hcp", 3.018, 0.12), ("bcc", 3.464, 0.13)]
)
def test_phases_are_those_of_lammps_common_neighbour_analysis(lattice, cutoff, noise):
    """LAMMPS' cutoff is the same for all atoms: halfway between shells, so a few strongly displaced ones differ."""
    atoms = copper(CRYSTALS[lattice] * (6, 6, 6))
    atoms.rattle(noise, seed=2)
    with Simulation(atoms, material("copper")) as simulation:
        simulation.command(f"compute phase all cna/atom {cutoff}")
        simulation.run(0)
        theirs = simulation.compute("phase")
    names = {1: "fcc", 2: "hcp", 3: "bcc", 4: "icosahedral", 5: "disordered"}
    ours = [PHASES[index] for index in classify(atoms)]
    agree = np.mean([names[int(number)] == phase for number, phase in zip(theirs, ours, strict=True)])
    assert agree > 0.9
    assert 0.3 < np.mean([phase == lattice for phase in ours]) < 1


def test_a_stacking_fault_is_two_layers_of_hcp():
    # Close-packed layers A, B, C of 3 x 3 atoms; ABC ABC AB | ABC lacks one C.
    layers = [0, 1, 2, 0, 1, 2, 0, 1, 0, 1, 2]
    a, height = 2.556, 2.556 * (2 / 3) ** 0.5
    lateral = np.array([[a, 0, 0], [a / 2, a * 0.75**0.5, 0]])
    shift = (lateral[0] + lateral[1]) / 3
    positions = [
        i * lateral[0] + j * lateral[1] + kind * shift + [0, 0, level * height]
        for level, kind in enumerate(layers)
        for i in range(3)
        for j in range(3)
    ]
    cell = [3 * lateral[0], 3 * lateral[1], [0, 0, len(layers) * height]]
    atoms = Atoms("Cu" * len(positions), positions, cell=cell, pbc=True)
    found = measure(HcpFraction(), atoms, material("copper"))
    assert found.value == pytest.approx(2 / 11)
    assert found.details["fcc"] == pytest.approx(9 / 11)


def test_icosahedral_cluster_and_too_small_ones():
    found = measure(DisorderedFraction(), Icosahedron("Ar", 2, latticeconstant=1.55), LJ)
    assert found.details["icosahedral"] == pytest.approx(1 / 13)
    with pytest.raises(InputError, match=r"12 nearest neighbours.*only 12 atoms"):
        measure(FccFraction(), cluster(12), LJ)


def test_a_liquid_is_disordered(disordered):
    assert measure(DisorderedFraction(), disordered, material("lj")).value > 0.95


# Chemical short-range order


@pytest.mark.parametrize(("lattice", "a", "alpha"), [("L1_2", 3.5677, -1 / 3), ("B2", 2.88, -1), ("rocksalt", 5.0, -1)])
def test_ordered_alloys_have_the_known_short_range_order(lattice, a, alpha):
    nial = material("nial")
    crystal = StartingStructure(kind="crystal", lattice=lattice, sublattices=["Ni", "Al"], a=a, repeat=(3, 3, 3))
    atoms = crystal.build(nial)
    assert measure(WarrenCowley(), atoms, nial).value == pytest.approx(alpha)
    assert measure(WarrenCowley(first="Al", second="Ni"), atoms, nial).value == pytest.approx(alpha)


def test_random_alloys_have_no_short_range_order():
    nial = material("nial")
    values = []
    for seed in range(20):
        atoms = bulk("Ni", "fcc", a=3.6, cubic=True) * (4, 4, 4)
        atoms.symbols = np.random.default_rng(seed).permutation(["Ni", "Al"] * 128)
        found = measure(WarrenCowley(), atoms, nial)
        np.testing.assert_allclose(found.tensor, found.value)  # equal fractions leave one number
        values.append(found.value)
    expected = -1 / 255  # an atom is not its own neighbour
    assert np.mean(values) == pytest.approx(expected, abs=4 * np.std(values) / 20**0.5)
    assert np.std(values) == pytest.approx((2 / (256 * 12)) ** 0.5, rel=0.5)


def test_separated_species_avoid_each_other():
    nial = material("nial")
    atoms = bulk("Ni", "fcc", a=3.6, cubic=True) * (12, 2, 2)
    atoms.symbols = ["Ni" if x < 6 * 3.6 - 0.1 else "Al" for x in atoms.positions[:, 0]]
    # Of 12 neighbours 4 lie across, for the atoms of the two layers of 24 at either side of each species.
    assert measure(WarrenCowley(), atoms, nial).value == pytest.approx(1 - (2 / 12) * 4 / 12 / 0.5)


def test_short_range_order_of_one_species_or_unknown_ones_is_refused():
    nial = material("nial")
    with pytest.raises(InputError, match="two species, the structure has only Ni"):
        measure(WarrenCowley(), bulk("Ni"), nial)
    alloy = bulk("NiAl", "cesiumchloride", a=2.88)
    with pytest.raises(InputError, match=r"warren_cowley\.first=Cu: the structure has only Ni, Al"):
        measure(WarrenCowley(first="Cu"), alloy, nial)
    with pytest.raises(InputError, match=r"no atom of Ni has a neighbour within 1: raise property\.cutoff"):
        measure(WarrenCowley(cutoff=1.0), alloy, nial)
