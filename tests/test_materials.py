"""Shipped materials against published values, and what a material refuses."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.calculators.eam import EAM
from ase.calculators.tersoff import Tersoff
from ase.cluster import Icosahedron, Octahedron
from scipy.optimize import minimize_scalar

from matdesign import typed
from matdesign.errors import InputError
from matdesign.sim.material import Material, find_potential, potential_directories
from matdesign.sim.simulation import Simulation
from matdesign.sim.structure import StartingStructure

CONF = Path(__file__).parent.parent / "conf" / "material"
EPSILON, SIGMA = 0.010323565, 3.405  # argon, eV and A
# Lattice sums of the fcc crystal over r^-12 and r^-6 (Kittel, Introduction to Solid State Physics, chapter 3).
SUM_12, SUM_6 = 12.13188, 14.45392


def shipped(name: str) -> tuple[Material, StartingStructure]:
    values = yaml.safe_load((CONF / f"{name}.yaml").read_text())
    structure = typed.build(StartingStructure, values.pop("structure"))
    return typed.build(Material, values), structure


def energy_per_atom(atoms: Atoms, material: Material) -> float:
    with Simulation(atoms, material) as simulation:
        return simulation.energy / len(atoms)


def equilibrium(material: Material, structure: StartingStructure) -> tuple[float, float]:
    """Lattice constant and energy per atom at the minimum of the energy."""

    def energy(a: float) -> float:
        cell = dataclasses.replace(structure, a=a, repeat=(1, 1, 1), composition=None)
        return energy_per_atom(cell.build(material), material)

    guess = structure.a
    found = minimize_scalar(energy, bounds=(0.97 * guess, 1.03 * guess), method="bounded", options={"xatol": 1e-6})
    return found.x, found.fun


# Material, lattice, species on the sublattices, published lattice constant (A) and cohesive energy (eV/atom) with
# relative tolerances, and where they are published.
PUBLISHED = [
    # Stillinger and Weber 1985: by construction the bonds have length 2^(1/6) sigma and the energy is -2 epsilon.
    ("silicon", "diamond", ["Si"], 4 / 3**0.5 * 2 ** (1 / 6) * 2.0951, 1e-5, 2 * 2.1683, 1e-6),
    # Foiles, Baskes and Daw 1986, values fitted.
    ("copper", "fcc", ["Cu"], 3.615, 1e-5, 3.54, 1e-5),
    ("nickel", "fcc", ["Ni"], 3.52, 1e-5, 4.45, 1e-5),
    # Lattice constant: header of the file by its authors. Energy: experiment (Kittel).
    ("aluminium", "fcc", ["Al"], 4.04527, 1e-5, 3.39, 1e-2),
    # Tersoff 1989: the elements are fitted to lattice constant and cohesive energy (Si 4.63 eV, Ge 3.85 eV).
    ("sige", "diamond", ["Si"], 5.432, 1e-4, 4.63, 2e-4),
    ("sige", "diamond", ["Ge"], 5.657, 1e-4, 3.85, 2e-4),
    # Tersoff 1989: lattice constant 4.32 A. Energy: experiment.
    ("sic", "zincblende", ["Si", "C"], 4.32, 5e-4, 6.34, 3e-2),
    # Voter and Chen 1987, whose Ni and Al this potential takes over, and the experimental values they fitted Ni3Al to.
    ("nial", "fcc", ["Ni"], 3.52, 1e-5, 4.45, 1e-5),
    ("nial", "fcc", ["Al"], 4.05, 1e-5, 3.36, 1e-5),
    ("nial", "L1_2", ["Ni", "Al"], 3.567, 5e-4, 4.57, 1e-2),
    ("nial", "B2", ["Ni", "Al"], 2.88, 1e-2, 4.51, 3e-2),
]


@pytest.mark.parametrize(("name", "lattice", "sublattices", "a", "a_tolerance", "energy", "tolerance"), PUBLISHED)
def test_lattice_constant_and_cohesive_energy_are_the_published_ones(
    name, lattice, sublattices, a, a_tolerance, energy, tolerance
):
    material, _ = shipped(name)
    structure = StartingStructure(kind="crystal", lattice=lattice, sublattices=sublattices, a=a)
    found_a, found_energy = equilibrium(material, structure)
    assert found_a == pytest.approx(a, rel=a_tolerance)
    assert -found_energy == pytest.approx(energy, rel=tolerance)


@pytest.mark.parametrize(("name", "sigma", "epsilon"), [("lj", 1.0, 1.0), ("argon", SIGMA, EPSILON)])
def test_lennard_jones_crystal_has_the_lattice_sums_of_the_textbook(name, sigma, epsilon):
    material, structure = shipped(name)
    cutoff = 7 * sigma
    material = dataclasses.replace(material, pair_style=f"lj/cut {cutoff}", skin=0.1 * sigma)
    a, energy = equilibrium(material, structure)
    # Beyond the cutoff the crystal is taken as homogeneous: -(8/3) pi epsilon N/V sigma^6 / cutoff^3.
    energy -= 8 / 3 * np.pi * epsilon * (4 / a**3) * sigma**6 / cutoff**3
    assert a == pytest.approx((2 * SUM_12 / SUM_6) ** (1 / 6) * 2**0.5 * sigma, rel=5e-4)
    assert energy == pytest.approx(-(SUM_6**2) / (2 * SUM_12) * epsilon, rel=5e-5)


@pytest.mark.parametrize("name", ["lj", "argon", "silicon", "sic", "copper", "nickel", "aluminium", "nial"])
def test_crystals_start_without_stress(name):
    material, structure = shipped(name)
    a, _ = equilibrium(material, structure)
    assert structure.a == pytest.approx(a, rel=5e-4)


# Lowest known energies of Lennard-Jones clusters: Wales and Doye 1997, Cambridge Cluster Database.
@pytest.mark.parametrize(
    ("cluster", "energy"),
    [
        (Icosahedron("Ar", 2, latticeconstant=5.3), -44.326801),
        (Octahedron("Ar", 4, cutoff=1, latticeconstant=5.3), -173.928427),
        (Icosahedron("Ar", 3, latticeconstant=5.3), -279.248470),
    ],
    ids=["LJ13", "LJ38", "LJ55"],
)
def test_argon_clusters_have_the_energies_of_the_cambridge_cluster_database(cluster, energy):
    material, _ = shipped("argon_cluster")
    cluster = Atoms(cluster.symbols, cluster.positions)
    with Simulation(cluster, material) as simulation:
        assert simulation.minimize().energy / EPSILON == pytest.approx(energy, abs=2e-6)


def test_silicon_germanium_alloy_agrees_with_another_implementation():
    material, structure = shipped("sige")
    atoms = dataclasses.replace(structure, repeat=(1, 1, 1)).build(material, seed=2)
    atoms.rattle(0.1, seed=1)
    # The file calls this silicon "Si(D)", ASE knows elements only.
    oracle = Tersoff.from_lammps(str(find_potential(material.potential)))
    names = {"Si(D)": "Si", "Ge": "Ge"}
    oracle.parameters = {
        tuple(names[label] for label in key): value
        for key, value in oracle.parameters.items()
        if set(key) <= set(names)
    }
    atoms.calc = oracle
    with Simulation(atoms, material) as simulation:
        assert simulation.energy == pytest.approx(atoms.get_potential_energy(), rel=1e-6)


@pytest.mark.parametrize(("name", "form"), [("nial", "alloy"), ("aluminium", "fs")])
@pytest.mark.filterwarnings("ignore")
def test_embedded_atom_energies_agree_with_another_implementation(name, form):
    material, structure = shipped(name)
    atoms = dataclasses.replace(structure, repeat=(2, 2, 2)).build(material)
    atoms.rattle(0.1, seed=1)
    atoms.calc = EAM(potential=str(find_potential(material.potential)), form=form)
    with Simulation(atoms, material) as simulation:
        assert simulation.energy == pytest.approx(atoms.get_potential_energy(), rel=1e-6)


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_material_can_be_simulated(path):
    if path.stem == "file":
        pytest.skip("has values that the user must give")
    material, structure = shipped(path.stem)
    assert material.name == path.stem
    assert material.reference
    atoms = structure.build(material, seed=1)
    with Simulation(atoms, material) as simulation:
        simulation.step(10)
        assert np.isfinite(simulation.x).all()


def copper(**changes):
    material, _ = shipped("copper")
    return dataclasses.replace(material, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": "si"}, "units 'si'.*metal, real, lj"),
        ({"species": ["Xy"]}, "'Xy' is not a chemical symbol"),
        ({"species": []}, "no species"),
        ({"species": ["Cu", "Cu"], "masses": [1.0, 1.0]}, "repeat"),
        ({"masses": [63.5, 1.0]}, "1 species but 2 masses"),
        ({"masses": [0.0]}, "mass 0.0"),
        ({"timestep": 1.0}, "timestep 1.0 ps is absurd"),
        ({"timestep": -0.001}, "timestep is -0.001"),
        ({"timestep": float("nan")}, "timestep is nan"),
        ({"skin": 0.0}, "skin is 0.0"),
        ({"species": ["Ni"]}, "'Cu' for Ni"),
        ({"potential": "Cu_u9.eam"}, "Cu_u9.eam.*similar:.*Cu_u3.eam"),
        ({"potential": None}, "potential is None"),
        ({"potential": "Cu_u3.eam\nshell rm"}, "control character"),
        ({"potential": "$HOME/Cu_u3.eam"}, "'\\$'"),
        ({"potential": "Si.sw"}, "not a file that pair style eam reads"),
        ({"pair_style": "eam\nshell touch x"}, "not the name of a LAMMPS pair style"),
        ({"pair_style": "eam ${x}"}, "not a plain LAMMPS argument"),
        ({"pair_style": ""}, "not the name"),
        ({"pair_coeff": ["* * {potential}\nshell ls"]}, "not a plain LAMMPS argument"),
        ({"pair_coeff": []}, "no pair_coeff"),
        ({"pair_coeff": ["* * {potential} Cu Cu"]}, "one entry of the potential file for each species"),
        ({"name": "a/../b"}, "material name"),
    ],
)
def test_material_refuses(changes, message):
    with pytest.raises(InputError, match=message):
        copper(**changes)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("silicon", {"species": ["Ge"], "pair_coeff": ["* * {potential} Ge"]}, "Si.sw is for Si"),
        ("silicon", {"units": "real", "timestep": 1.0}, "for units metal, material 'silicon' has units real"),
        ("sige", {"pair_coeff": ["* * {potential} Si Ge"]}, "is for Si.B., Si.C., C, Si.D., Ge"),
        ("nial", {"species": ["Ni", "Cu"], "pair_coeff": ["* * {potential} Ni Cu"]}, "is for Ni, Al, H"),
        ("nial", {"pair_coeff": ["* * {potential} Al Ni"]}, "'Al' for Ni"),
    ],
)
def test_potential_for_other_species_is_refused(name, changes, message):
    material, _ = shipped(name)
    with pytest.raises(InputError, match=message):
        dataclasses.replace(material, **changes)


def test_potential_directory_comes_first_from_the_environment(tmp_path, monkeypatch):
    folder = tmp_path / "with space"
    folder.mkdir()
    copy = folder / "Cu_u3.eam"
    copy.write_bytes(find_potential("Cu_u3.eam").read_bytes())
    monkeypatch.setenv("LAMMPS_POTENTIALS", str(folder))
    assert potential_directories()[0] == folder
    material = copper()
    assert material.potential_path == copy
    with Simulation(StartingStructure(kind="crystal", lattice="fcc", a=3.615).build(material), material) as simulation:
        assert simulation.energy == pytest.approx(-4 * 3.54, rel=1e-5)


def test_potential_hash_tells_files_apart(tmp_path):
    original = find_potential("Si.sw")
    changed = tmp_path / "mine.sw"
    changed.write_text(original.read_text().replace("2.1683", "2.1684"))
    material, _ = shipped("silicon")
    other = dataclasses.replace(material, potential=str(changed))
    assert len(material.potential_sha256) == 64
    assert other.potential_sha256 != material.potential_sha256
    assert shipped("lj")[0].potential_sha256 is None
