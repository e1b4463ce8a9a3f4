import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.cluster import Icosahedron

from matdesign.errors import InputError
from matdesign.properties import measure
from matdesign.properties.measurement import Measurement
from matdesign.properties.stability import Stability, Verdict, verdict
from matdesign.sim.structure import StartingStructure
from tests.systems import material, shipped

LJ = material("lj")


def judged(atoms: Atoms, name: str = "lj", **fields) -> tuple[Measurement, Verdict]:
    found = measure(Stability(**fields), atoms, material(name), seeds=2 if "temperature" in fields else None)
    assert (found.value == 1.0) == verdict(found).stable == (not found.flag)
    return found, verdict(found)


@pytest.mark.parametrize(
    ("name", "temperature"), [("lj", 0.3), ("copper", 300.0), ("silicon", 300.0), ("nial", 300.0), ("sic", 300.0)]
)
def test_crystals_are_stable(name, temperature):
    _, structure = shipped(name)
    found, said = judged(structure.build(material(name)), name, temperature=temperature, equilibration=500, steps=1000)
    assert str(said) == "stable"
    assert found.details["bonds"] == 1.0
    assert 0 < found.details["lindemann"] < 0.1
    assert found.details["lowest_frequency"] > 0
    assert found.details["max_displacement"] < 1e-6


def test_argon_melts_at_200_kelvin_and_not_at_40():
    atoms = shipped("argon")[1].build(material("argon"))
    cold, _ = judged(atoms, "argon", temperature=40.0, steps=4000)
    hot, said = judged(atoms, "argon", temperature=200.0, steps=4000)
    assert cold.value == 1.0
    assert hot.value == 0.0
    assert hot.details["lindemann"] > 0.15
    assert hot.details["bonds"] < 0.5
    assert len(said.reasons) == 1
    assert "2 of 2 runs at 200 K failed" in said.reasons[0]


@pytest.mark.parametrize(("lattice", "a"), [("sc", 1.08), ("bcc", 1.23)])
def test_lattices_on_a_saddle_have_imaginary_frequencies_and_fall_apart(lattice, a):
    atoms = bulk("Ar", lattice, a=a, cubic=True) * (4, 4, 4)
    still, said = judged(atoms)
    assert still.stderr == 0.0
    assert still.details["lowest_frequency"] < 0
    assert ["imaginary" in reason for reason in said.reasons] == [True]
    assert said.untested == ("motion at a temperature",)
    moving, said = judged(atoms, temperature=0.1, steps=4000)
    assert moving.details["bonds"] < 0.9
    assert len(said.reasons) == 2


def test_an_expanded_crystal_shrinks_unless_its_cell_is_held():
    atoms = bulk("Ar", "fcc", a=1.1 * 1.5496, cubic=True) * (3, 3, 3)
    found, said = judged(atoms)
    assert found.details["strain"] == pytest.approx(1 - 1 / 1.1, abs=1e-3)
    assert any("strains the cell" in reason for reason in said.reasons)
    held, _ = judged(atoms, cell="fixed")
    assert held.details["strain"] == 0.0


def test_disorder_drifts():
    found, said = judged(StartingStructure(kind="packing", atoms=108, density=0.9, min_distance=0.8).build(LJ))
    assert found.details["max_displacement"] > 0.5
    assert found.details["energy_drop"] > 0.25
    assert any("moves an atom" in reason for reason in said.reasons)
    assert any("lowers the energy" in reason for reason in said.reasons)


def test_displacements_are_those_that_were_made():
    atoms = bulk("Ar", "fcc", a=1.5496, cubic=True) * (3, 3, 3)
    spacing = 1.5496 / np.sqrt(2)
    atoms.positions[17] += [0.2 * spacing, 0, 0]
    found, _ = judged(atoms, cell="fixed")
    assert found.details["max_displacement"] == pytest.approx(0.2 * (1 - 1 / 108), rel=0.02)  # d is the mean, moved too
    assert found.details["mean_displacement"] == pytest.approx(0.2 * 2 / 108, rel=0.05)


def test_atoms_too_close_and_atoms_too_far():
    squeezed, said = judged(bulk("Ar", "fcc", a=0.65 * 1.5496, cubic=True) * (3, 3, 3))
    assert squeezed.details["min_distance"] == pytest.approx(0.65 * 1.5496 / np.sqrt(2))
    assert "length scales apart" in said.reasons[0]
    _, said = judged(bulk("Ar", "fcc", a=2.5 * 1.5496, cubic=True) * (3, 3, 3))
    assert said.reasons == ("108 atoms have no neighbour within 2 length scales",)


def test_the_icosahedron_is_stable_until_it_melts():
    atoms = Icosahedron("Ar", 2, latticeconstant=5.4)
    atoms = Atoms(atoms.symbols, atoms.positions)
    _, said = judged(atoms, "argon_cluster", temperature=10.0, steps=5000)
    assert str(said) == "stable"
    hot, _ = judged(atoms, "argon_cluster", temperature=60.0, steps=5000)
    assert hot.value == 0.0


def test_frequencies_are_left_out_of_large_structures_and_that_is_said():
    atoms = shipped("lj")[1].build(LJ)
    found, said = judged(atoms, phonon_atoms=100)
    assert np.isnan(found.details["imaginary"])
    assert str(said) == "stable (not tested: frequencies, motion at a temperature)"


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(InputError, match="one atom"):
        measure(Stability(), bulk("Ar", a=1.55), LJ)
    with pytest.raises(InputError, match="fewer than two frames"):
        measure(Stability(steps=50), bulk("Ar", a=1.55, cubic=True), LJ)
