"""Structure and trajectory files: what was written is read, and what is damaged says so."""

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from matdesign.config import load
from matdesign.errors import InputError
from matdesign.sim import Simulation, trajectory
from matdesign.sim.trajectory import read_trajectory, trajectory_labels

DUMP = """\
ITEM: TIMESTEP
{step}
ITEM: NUMBER OF ATOMS
3
ITEM: BOX BOUNDS pp pp ff
-1.0 9.0
0.0 10.0
-5.0 5.0
ITEM: ATOMS id type x y z c_pe
2 1 1.5 2.0 {z} -3.5
1 2 -0.5 0.0 0.0 -4.25
3 1 4.0 5.0 -4.0 -1.0
"""
DATA = """\
silicon and germanium

3 atoms
2 atom types
-1.0 9.0 xlo xhi
0.0 10.0 ylo yhi
0.0 10.0 zlo zhi
{masses}
Atoms # atomic

2 1 1.5 2.0 3.0
1 2 -0.5 0.0 0.0
3 1 4.0 5.0 6.0
"""
MASSES = "\nMasses\n\n1 {0}\n2 {1}\n"


@pytest.fixture
def rattled():
    frames = []
    for seed in range(4):
        atoms = bulk("SiC", "zincblende", 4.36, cubic=True)
        atoms.rattle(0.1, seed=seed)
        atoms.new_array("strain", np.linspace(-1, 1, 8) * seed)
        atoms.info["temperature (K)"] = 300.0 + seed
        atoms.calc = SinglePointCalculator(atoms, energy=-10.0 - seed)
        frames.append(atoms)
    return frames


@pytest.mark.parametrize(("name", "precision"), [("a.extxyz", 1e-7), ("a.xyz", 1e-7), ("a.traj", 1e-14)])
def test_trajectories_come_back(tmp_path, rattled, name, precision):
    ase.io.write(tmp_path / name, rattled, format="traj" if name.endswith("traj") else "extxyz")
    found = read_trajectory(tmp_path / name)
    assert len(found) == 4
    for atoms, expected in zip(found, rattled, strict=True):
        assert atoms.get_chemical_symbols() == expected.get_chemical_symbols()
        assert atoms.positions == pytest.approx(expected.positions, abs=precision)
        assert atoms.cell.array == pytest.approx(expected.cell.array, abs=1e-9)
        if not name.endswith("traj"):  # ASE keeps no arrays of others in it
            assert atoms.arrays["strain"] == pytest.approx(expected.arrays["strain"], abs=1e-7)
    some = read_trajectory(tmp_path / name, frames=slice(3, None, -2))
    assert [atoms.info["temperature (K)"] for atoms in some] == [303.0, 301.0]
    labels = trajectory_labels(found)
    assert labels["temperature (K)"].tolist() == [300, 301, 302, 303]
    assert labels["energy"].tolist() == [-10, -11, -12, -13]


@pytest.mark.parametrize(("name", "form"), [("POSCAR", "vasp"), ("a.cif", "cif"), ("a.vasp", "vasp"), ("a.xyz", "xyz")])
def test_structures_come_back(tmp_path, rattled, name, form):
    ase.io.write(tmp_path / name, rattled[1], format=form)
    (atoms,) = read_trajectory(tmp_path / name)
    assert sorted(atoms.symbols) == sorted(rattled[1].symbols)
    mic = form != "xyz"  # which has no cell
    distances = [np.sort(one.get_all_distances(mic=mic).ravel()) for one in (atoms, rattled[1])]
    assert distances[0] == pytest.approx(distances[1], abs=1e-4)
    assert trajectory_labels([atoms]) == {}


def test_lammps_dump(tmp_path):
    path = tmp_path / "melt.lammpstrj"
    path.write_text("".join(DUMP.format(step=100 * i, z=0.5 * i) for i in range(3)))
    found = read_trajectory(path, species=["Si", "Ge"])
    assert len(found) == 3
    assert list(found[2].symbols) == ["Ge", "Si", "Si"]  # in the order of the ids
    assert found[2].positions.tolist() == [[0.5, 0, 5], [2.5, 2, 6], [5, 5, 1]]  # from the corner of the cell
    assert found[0].pbc.tolist() == [True, True, False]
    assert found[0].cell.lengths().tolist() == [10, 10, 10]
    assert found[1].arrays["c_pe"].tolist() == [-4.25, -3.5, -1]
    assert trajectory_labels(found)["timestep"].tolist() == [0, 100, 200]


def test_lammps_dump_of_elements(tmp_path):
    text = DUMP.format(step=0, z=1).replace("id type", "id element")
    for row, element in (("2 1", "2 H"), ("1 2", "1 He"), ("3 1", "3 H")):
        text = text.replace(f"\n{row} ", f"\n{element} ")
    (tmp_path / "dump.melt").write_text(text)
    (atoms,) = read_trajectory(tmp_path / "dump.melt")
    assert list(atoms.symbols) == ["He", "H", "H"]


def test_lammps_data(tmp_path):
    path = tmp_path / "a.data"
    path.write_text(DATA.format(masses=""))
    (atoms,) = read_trajectory(path, species=["Si", "Ge"])
    assert list(atoms.symbols) == ["Ge", "Si", "Si"]
    assert atoms.positions[0].tolist() == [0.5, 0, 0]
    path.write_text(DATA.format(masses=MASSES.format(28.0855, 72.63)))
    (atoms,) = read_trajectory(path)
    assert list(atoms.symbols) == ["Ge", "Si", "Si"]


LAMMPS_WRITES = {
    "scaled.dump": "write_dump all atom {path}",
    "unscaled.lammpstrj": "write_dump all custom {path} id type xu yu zu vx",
    "elements.dump": "write_dump all custom {path} element id x y z modify element Si C",
    "all.data": "write_data {path} nocoeff",
}


@pytest.mark.parametrize("name", LAMMPS_WRITES)
def test_what_lammps_writes(tmp_path, name):
    """In a tilted cell, by a material whose masses say what its types are."""
    material = load(["material=sic"]).material
    cell = bulk("SiC", "zincblende", 4.36).repeat((3, 2, 2))
    cell.rattle(0.05, seed=1)
    with Simulation(cell, material) as simulation:
        simulation.command(LAMMPS_WRITES[name].format(path=tmp_path / name))
    (atoms,) = read_trajectory(tmp_path / name, species=() if name[0] in "ea" else material.species)
    assert list(atoms.symbols) == list(cell.symbols)
    assert atoms.cell.cellpar() == pytest.approx(cell.cell.cellpar(), abs=1e-4)
    assert atoms.pbc.all()
    found, expected = (one.get_all_distances(mic=True) for one in (atoms, cell))
    assert found == pytest.approx(expected, abs=1e-3)  # LAMMPS writes six digits


@pytest.mark.parametrize("masses", ["", MASSES.format(10.0, 40.0)])
def test_types_without_species(tmp_path, masses):
    (tmp_path / "a.data").write_text(DATA.format(masses=masses))
    with pytest.raises(InputError, match=r"a\.data' does not say which elements its 2 types are: add species="):
        read_trajectory(tmp_path / "a.data")
    (tmp_path / "a.dump").write_text(DUMP.format(step=0, z=0))
    with pytest.raises(InputError, match=r"a\.dump' does not say which elements"):
        read_trajectory(tmp_path / "a.dump")
    with pytest.raises(InputError, match="has types 1 to 2, species names 1: name each"):
        read_trajectory(tmp_path / "a.dump", species=["Si"])
    with pytest.raises(InputError, match="'Qq' is no chemical symbol"):
        read_trajectory(tmp_path / "a.dump", species=["Si", "Qq"])


@pytest.mark.parametrize("name", ["a.extxyz", "a.vasp", "a.data", "a.dump", "a.traj"])
@pytest.mark.parametrize("part", [0.0, 0.3, 0.6, 0.85])
def test_truncated_files(tmp_path, rattled, name, part):
    path = tmp_path / name
    if name == "a.data":
        path.write_text(DATA.format(masses=""))
    elif name == "a.dump":
        path.write_text("".join(DUMP.format(step=100 * i, z=0.5 * i) for i in range(3)))
    else:
        ase.io.write(path, rattled if name != "a.vasp" else rattled[0])
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(
        InputError, match=rf"structure file .*{name}' (cannot be read as|ends too early|holds no)"
    ) as caught:
        read_trajectory(path, species=["Si", "Ge"])
    assert "\n" not in str(caught.value)


def test_bad_files(tmp_path, monkeypatch):
    path = tmp_path / "a.extxyz"
    with pytest.raises(InputError, match="does not exist"):
        read_trajectory(path)
    with pytest.raises(InputError, match="is a folder"):
        read_trajectory(tmp_path)
    for text, message in {
        "1\n\nSi nan 0 0\n": r"position of atom 1 is \[nan",
        "2\n\nSi 1 0 0\nSi 0 inf 0\n": r"position of atom 2 is \[ ?0. inf",
        "0\n\n": "has zero atoms",
        "1\n\nZz 0 0 0\n": "'Zz' is no chemical symbol",
        "1\n\nX 0 0 0\n": "no known species",
        "hello\n": "cannot be read as extxyz",
        "-1\n\nSi 0 0 0\n": "extxyz",
    }.items():
        path.write_text(text)
        with pytest.raises(InputError, match=message) as caught:
            read_trajectory(path)
        assert "a.extxyz" in str(caught.value)
    path.write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="cannot be read"):
        read_trajectory(path)
    ase.io.write(path, [Atoms("Si")] * 3)
    with pytest.raises(InputError, match="none of the frames asked for"):
        read_trajectory(path, frames=slice(7, None))
    monkeypatch.setattr(trajectory, "MOST_BYTES", 10)
    with pytest.raises(InputError, match=r"GiB, at most 1 is read: keep fewer"):
        read_trajectory(path)


def test_a_frame_of_many_is_named(tmp_path):
    path = tmp_path / "a.xyz"
    path.write_text("1\n\nSi 0 0 0\n1\n\nSi 0 0 nan\n")
    with pytest.raises(InputError, match=r"a\.xyz', frame 1: position of atom 1 is"):
        read_trajectory(path)
