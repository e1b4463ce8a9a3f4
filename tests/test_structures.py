"""Starting structures: crystals against ASE's own builders, packings, alloys, and what is refused."""

import dataclasses

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list
from scipy.spatial.distance import pdist

from matdesign.errors import InputError
from matdesign.sim.material import Material, find_potential
from matdesign.sim.structure import StartingStructure, check_atoms, random_packing

MATERIAL = Material(
    name="test",
    species=["Si", "Ge"],
    masses=[28.0855, 72.63],
    units="metal",
    pair_style="lj/cut 5",
    pair_coeff=["* * 1 2"],
    timestep=0.001,
    skin=1,
    length_scale=2.0,
    energy_scale=1.0,
)

CRYSTAL = {"kind": "crystal", "lattice": "fcc", "a": 4.0}
PACKING = {"kind": "packing", "atoms": 10, "density": 0.01, "composition": {"Si": 1.0}}


def build(seed=0, **values):
    return StartingStructure(**values).build(MATERIAL, seed=seed)


def shells(atoms, cutoff):
    """How many pairs of which species there are at which distance: the same for the same crystal."""
    i, j, distance = neighbor_list("ijd", atoms, cutoff)
    pairs = zip(atoms.numbers[i], atoms.numbers[j], distance.round(6), strict=True)
    found, counts = np.unique(list(pairs), axis=0, return_counts=True)
    return found, counts / len(atoms)


@pytest.mark.parametrize(
    ("lattice", "oracle"),
    [
        ("sc", bulk("Si", "sc", a=4.0)),
        ("fcc", bulk("Si", "fcc", a=4.0)),
        ("bcc", bulk("Si", "bcc", a=4.0)),
        ("hcp", bulk("Si", "hcp", a=4.0, c=6.4)),
        ("diamond", bulk("Si", "diamond", a=4.0)),
        ("zincblende", bulk("SiGe", "zincblende", a=4.0)),
        ("rocksalt", bulk("SiGe", "rocksalt", a=4.0)),
        ("B2", bulk("SiGe", "cesiumchloride", a=4.0)),
        ("L1_2", Atoms("GeSi3", [[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0]], cell=[4, 4, 4], pbc=True)),
    ],
)
def test_crystals_are_those_of_ase(lattice, oracle):
    atoms = build(kind="crystal", lattice=lattice, a=4.0, c=6.4, repeat=[2, 1, 1])
    assert atoms.pbc.all()
    assert np.allclose(atoms.cell.angles(), 90)
    for found, expected in zip(shells(atoms, 9.0), shells(oracle, 9.0), strict=True):
        assert np.allclose(found, expected)


def test_crystal_without_boundaries_is_a_free_block():
    atoms = build(kind="crystal", lattice="fcc", a=4.0, repeat=[2, 2, 2], periodic=False)
    assert len(atoms) == 32
    assert not atoms.pbc.any()
    assert atoms.cell.rank == 0


def test_alloy_has_exact_numbers_at_random_places():
    values = CRYSTAL | {"repeat": [3, 3, 3], "lattice": "diamond", "a": 5.4, "composition": {"Si": 0.7, "Ge": 0.3}}
    atoms, again, other = build(1, **values), build(1, **values), build(2, **values)
    assert (atoms.symbols == "Ge").sum() == 65  # nearest to 0.3 * 216 = 64.8
    assert np.array_equal(atoms.numbers, again.numbers)
    assert not np.array_equal(atoms.numbers, other.numbers)
    # A random alloy: a Ge atom's neighbours are Ge as often as any atom is.
    i, j = neighbor_list("ij", atoms, 2.5)
    of_germanium = atoms.numbers[j[atoms.numbers[i] == 32]]
    assert (of_germanium == 32).mean() == pytest.approx(0.3, abs=0.15)


@pytest.mark.parametrize(("count", "packing_fraction"), [(1, 0.1), (13, 0.3), (500, 0.1), (500, 0.55)])
def test_periodic_packing_keeps_the_distance(count, packing_fraction):
    density = packing_fraction / (np.pi / 6 * 2.0**3)
    values = PACKING | {"atoms": count, "density": density, "min_distance": 2.0}
    atoms = build(3, **values)
    assert len(atoms) == count
    assert atoms.cell.volume == pytest.approx(count / density)
    assert len(neighbor_list("i", atoms, 2.0)) == 0
    assert (atoms.get_scaled_positions(wrap=False) >= 0).all()
    assert (atoms.get_scaled_positions(wrap=False) < 1).all()
    assert np.array_equal(atoms.positions, build(3, **values).positions)
    assert not np.array_equal(atoms.positions, build(4, **values).positions)


def test_free_packing_stays_in_its_sphere():
    radius = 6.0
    density = 60 / (4 / 3 * np.pi * radius**3)
    atoms = build(kind="packing", atoms=60, density=density, min_distance=2.0, periodic=False, composition={"Si": 1})
    assert not atoms.pbc.any()
    assert pdist(atoms.positions).min() >= 2.0
    assert np.linalg.norm(atoms.positions, axis=1).max() <= radius * (1 + 1e-12)


def test_sparse_packing_is_uniform():
    """Of points uniform in a sphere half lie within half the volume."""
    positions = random_packing(4000, 1e-3, np.random.default_rng(0), radius=1.0)
    assert (np.linalg.norm(positions, axis=1) < 0.5 ** (1 / 3)).mean() == pytest.approx(0.5, abs=0.03)
    assert np.abs(positions.mean(axis=0)).max() < 0.03


@pytest.mark.parametrize("periodic", [True, False])
def test_impossible_packing_is_refused(periodic):
    with pytest.raises(InputError, match=r"cannot place 100 atoms at least 2 apart.*lower structure.density"):
        build(kind="packing", atoms=100, density=0.5, min_distance=2.0, periodic=periodic, composition={"Si": 1.0})


def write(path, atoms, **options):
    ase.io.write(path, atoms, **options)
    return str(path)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.cif", {}),
        ("a.xyz", {"format": "extxyz"}),
        ("POSCAR", {"format": "vasp", "sort": False}),
        ("a.vasp", {"format": "vasp", "sort": False}),
        ("a.data", {"format": "lammps-data", "specorder": ["Si", "Ge"]}),
    ],
)
def test_files_are_read(tmp_path, name, options):
    crystal = bulk("SiGe", "zincblende", a=5.5, cubic=True)
    crystal = crystal[crystal.numbers.argsort()]
    atoms = build(kind="file", path=write(tmp_path / name, crystal, **options), repeat=[1, 2, 1])
    expected = crystal * (1, 2, 1)
    assert (atoms.symbols == expected.symbols).all()
    assert np.allclose(atoms.cell, expected.cell)
    assert np.allclose(atoms.positions, expected.positions, atol=1e-6)
    assert atoms.pbc.all()


def test_plain_xyz_is_a_free_cluster(tmp_path):
    (tmp_path / "a.xyz").write_text("2\nwhatever\nSi 0 0 0\nGe 0 0 2.4\n")
    atoms = build(kind="file", path=str(tmp_path / "a.xyz"))
    assert not atoms.pbc.any()
    assert list(atoms.symbols) == ["Si", "Ge"]


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("0\n\n", {}, "zero atoms"),
        ("1\n\nSi nan 0 0\n", {}, "position of atom 1 is"),
        ("2\n\nSi 0 0 0\nSi 0 0 0.5\n", {}, "atoms 1 and 2 overlap: they are 0.5 A apart, less than 1.2"),
        ("1\n\nAr 0 0 0\n", {}, "species 'Ar', material 'test' is for Si, Ge"),
        ("1\n\nSi 0 0 0\n", {"periodic": True}, "periodic but has no cell"),
        ("1\n\nSi 0 0 0\n", {"repeat": [2, 1, 1]}, "needs a cell"),
        ("3\n\nSi 0 0 0\n", {}, "cannot be read as extxyz"),
    ],
)
def test_unusable_file_is_refused(tmp_path, text, values, message):
    (tmp_path / "a.xyz").write_text(text)
    with pytest.raises(InputError, match=message):
        build(kind="file", path=str(tmp_path / "a.xyz"), **values)


@pytest.mark.parametrize("edge", [np.nan, np.inf, 1e300])
def test_cell_beyond_measure_is_refused(edge):
    with pytest.raises(InputError, match="has no cell: give it one"):
        check_atoms(Atoms("Si", cell=[10, edge, 10], pbc=[False, True, True]), MATERIAL, 1.2)


@pytest.mark.parametrize("pbc", [False, [False, True, True]])
def test_cell_vectors_of_free_directions_mean_nothing(pbc):
    check_atoms(Atoms("Si", cell=[[10, 0, 0], [10, 0, 0], [0, 0, 10]], pbc=pbc), MATERIAL, 1.2)
    check_atoms(Atoms("Si", cell=[[np.nan, 0, 0], [0, 10, 0], [0, 0, 10]], pbc=pbc), MATERIAL, 1.2)


def test_overlap_in_a_cell_far_smaller_than_an_atom():
    for edges in (1e-3 * np.eye(3), [[10, 0, 0], [10, 1e-3, 0], [0, 0, 10]]):  # the second: by a difference of edges
        with pytest.raises(InputError, match=r"atoms 1 and 1 overlap: they are 0\.001 A apart"):
            check_atoms(Atoms("Si", cell=edges, pbc=True), MATERIAL, 1.2)


def test_paths_may_begin_with_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "one.xyz").write_text("1\n\nSi 0 0 0\n")
    assert len(build(kind="file", path="~/one.xyz")) == 1
    with pytest.raises(InputError, match=r"'~nobody-here/one\.xyz' does not exist"):
        build(kind="file", path="~nobody-here/one.xyz")
    with pytest.raises(InputError, match="potential '~nobody-here/one' is neither"):
        find_potential("~nobody-here/one")


def test_overlap_through_the_boundary_is_found(tmp_path):
    atoms = Atoms("Si2", [[0.1, 0, 0], [9.8, 0, 0]], cell=[10, 10, 10], pbc=True)
    with pytest.raises(InputError, match="overlap"):
        build(kind="file", path=write(tmp_path / "a.cif", atoms))
    assert len(build(kind="file", path=str(tmp_path / "a.cif"), min_distance=0.2)) == 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "glass"}, "kind 'glass'.*crystal, packing, file"),
        (CRYSTAL | {"lattice": "fcp"}, "lattice 'fcp'.*fcc"),
        (CRYSTAL | {"a": None}, "structure.a is None"),
        (CRYSTAL | {"a": -1.0}, "structure.a is -1.0"),
        (CRYSTAL | {"a": float("nan")}, "structure.a is nan"),
        (CRYSTAL | {"a": 0.5}, "overlap"),
        (CRYSTAL | {"repeat": [2, 2]}, "three whole numbers"),
        (CRYSTAL | {"repeat": [2, 2, 0]}, "three whole numbers"),
        (CRYSTAL | {"repeat": [1000, 1000, 1000]}, "more than"),
        (CRYSTAL | {"lattice": "hcp"}, "structure.c is None"),
        (CRYSTAL | {"sublattices": ["Si", "Ge"]}, "each of the 1 of fcc"),
        (CRYSTAL | {"sublattices": ["Cu"]}, "species 'Cu'"),
        (CRYSTAL | {"composition": {"Si": 0.5}}, "add up to 1"),
        (CRYSTAL | {"composition": {"Si": 1.5, "Ge": -0.5}}, "add up to 1"),
        (CRYSTAL | {"composition": {"Si": 0.5, "C": 0.5}}, "species 'C'"),
        (PACKING | {"atoms": 0}, "structure.atoms is 0"),
        (PACKING | {"atoms": None}, "structure.atoms is None"),
        (PACKING | {"density": float("inf")}, "structure.density is inf"),
        (PACKING | {"density": 1e-320}, "structure.density is 1e-320: give a positive number"),
        (PACKING | {"min_distance": 1e300}, "structure.min_distance is 1e\\+300: give"),
        (PACKING | {"min_distance": 0.0}, "structure.min_distance is 0.0"),
        (PACKING | {"composition": None}, "composition is not set"),
        ({"kind": "file"}, "structure.path is not set"),
        ({"kind": "file", "path": "nowhere.cif"}, "'nowhere.cif' does not exist"),
    ],
)
def test_impossible_structure_is_refused(values, message):
    with pytest.raises(InputError, match=message):
        build(**values)


def test_lengths_in_messages_have_the_unit_of_the_material():
    reduced = dataclasses.replace(MATERIAL, units="lj")
    with pytest.raises(InputError, match="sigma apart"):
        StartingStructure(**(CRYSTAL | {"a": 0.5})).build(reduced)
