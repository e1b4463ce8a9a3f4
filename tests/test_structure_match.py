"""The distance between radial distribution functions against sums over ASE's neighbour list."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list
from systems import material

from matdesign.errors import InputError
from matdesign.properties import Cache, System, measure
from matdesign.properties.cache import key
from matdesign.properties.structure_match import RdfMatch
from matdesign.sim.structure import random_packing

LJ = material("lj")
CRYSTALS = {  # of nearest distance 1
    "fcc": bulk("Ar", "fcc", a=np.sqrt(2), cubic=True) * 3,
    "hcp": bulk("Ar", "hcp", a=1.0, c=np.sqrt(8 / 3)) * (4, 4, 3),
    "bcc": bulk("Ar", "bcc", a=2 / np.sqrt(3), cubic=True) * 3,
    "diamond": bulk("Ar", "diamond", a=4 / np.sqrt(3), cubic=True) * 2,
}


def value(structure: Atoms, *, of=LJ, **options) -> float:
    found = measure(RdfMatch(**options), structure, of, cache=Cache(None))
    assert found.stderr == 0
    return found.value


def smoothed(atoms: Atoms, r: np.ndarray, width: float, cutoff: float, a: str, b: str) -> np.ndarray:
    """The definition: a Gaussian for each pair, over the ideal number of pairs."""
    i, j, d = neighbor_list("ijd", atoms, cutoff)
    symbols = np.array(atoms.symbols)
    d = d[(symbols[i] == a) & (symbols[j] == b)]
    peaks = np.exp(-0.5 * ((r[:, None] - d) / width) ** 2) / (width * np.sqrt(2 * np.pi))
    pairs = (symbols == a).sum() * (symbols == b).sum()
    return (peaks / (4 * np.pi * d**2)).sum(axis=1) * atoms.get_volume() / pairs


@pytest.mark.parametrize("name", CRYSTALS)
@pytest.mark.parametrize("suffix", ["extxyz", "vasp", "cif"])
def test_a_structure_matches_itself_however_it_is_written(tmp_path, name, suffix):
    crystal = CRYSTALS[name]
    file = tmp_path / f"reference.{suffix}"
    crystal.write(file)
    assert value(crystal, file=str(file)) < 1e-4  # what the digits in the file leave
    turned = crystal.copy()
    turned.rotate(37, (1, 2, 3), rotate_cell=True)
    turned.positions += 0.3
    assert value(turned * (2, 1, 1), file=str(file)) < 1e-4  # nothing but the arrangement counts


def test_crystals_that_order_parameters_confuse_are_told_apart(tmp_path):
    for one, other in (("fcc", "hcp"), ("diamond", "bcc")):
        file = tmp_path / f"{one}.extxyz"
        CRYSTALS[one].write(file)
        assert value(CRYSTALS[other], file=str(file)) > 0.4


def test_the_distance_is_that_of_its_definition(tmp_path):
    """Of a disordered crystal and a packing, with another density; and it depends continuously on positions."""
    file = tmp_path / "reference.extxyz"
    one = CRYSTALS["fcc"].copy()
    one.rattle(0.05, seed=1)
    one.write(file)
    edge = 5.0
    other = Atoms(["Ar"] * 90, random_packing(90, 0.8, np.random.default_rng(0), edge=edge), cell=[edge] * 3, pbc=True)
    cutoff, width, bins = 2.7, 0.08, 900
    r = cutoff / bins * (0.5 + np.arange(bins))
    g, h = (smoothed(atoms, r, width, cutoff, "Ar", "Ar") for atoms in (other, one))
    expected = np.sqrt(np.mean((g - h) ** 2))
    options = {"file": str(file), "cutoff": cutoff, "width": width, "bins": bins}
    before = value(other, **options)
    assert before == pytest.approx(expected, rel=2e-3)
    other.positions[3] += 1e-6
    assert 0 < abs(value(other, **options) - before) < 1e-5


def test_pairs_of_species_are_compared_where_both_structures_have_them(tmp_path):
    """The same lattice, ordered and phase-separated: equal for the lattice, different for the pairs."""
    nial = material("nial")
    ordered = bulk("NiAl", "cesiumchloride", a=2.88) * 4
    apart = ordered.copy()
    apart.symbols = ["Ni" if z < 5.76 - 1e-9 else "Al" for z in apart.positions[:, 2]]
    file = tmp_path / "ordered.extxyz"
    ordered.write(file)
    cutoff, width, bins = 6.0, 0.15, 600
    r = cutoff / bins * (0.5 + np.arange(bins))
    square = [
        np.mean((smoothed(apart, r, width, cutoff, *ab) - smoothed(ordered, r, width, cutoff, *ab)) ** 2)
        for ab in (("Al", "Al"), ("Al", "Ni"), ("Ni", "Ni"))
    ]
    options = {"file": str(file), "cutoff": cutoff, "width": width, "bins": bins}
    assert value(apart, of=nial, **options) == pytest.approx(np.sqrt(np.mean(square)), rel=2e-3)
    pure = ordered.copy()
    pure.symbols = "Ni128"
    assert value(pure, of=nial, **options) < 1e-4


def test_a_sample_is_known_by_what_the_file_holds(tmp_path):
    first, second = tmp_path / "first.extxyz", tmp_path / "second.extxyz"
    CRYSTALS["fcc"].write(first)
    second.write_bytes(first.read_bytes())
    by_first = RdfMatch(file=str(first))
    known = key(by_first, CRYSTALS["bcc"], LJ, 0)
    assert key(RdfMatch(file=str(second)), CRYSTALS["bcc"], LJ, 0) == known
    assert key(RdfMatch(file=str(second), bins=300), CRYSTALS["bcc"], LJ, 0) != known
    CRYSTALS["hcp"].write(first)
    assert key(RdfMatch(file=str(first)), CRYSTALS["bcc"], LJ, 0) != known
    with pytest.raises(InputError, match="changed in the meantime"):
        by_first.check(System(CRYSTALS["bcc"], LJ))


def test_bad_references_are_refused_before_any_work(tmp_path):
    cluster = tmp_path / "cluster.xyz"
    Atoms("Ar2", [[0, 0, 0], [0, 0, 1]]).write(cluster)
    crystal = tmp_path / "crystal.extxyz"
    CRYSTALS["fcc"].write(crystal)
    with pytest.raises(InputError, match=r"give property\.file"):
        value(CRYSTALS["fcc"])
    with pytest.raises(InputError, match=r"nothing\.xyz.*No such file"):
        RdfMatch(file=str(tmp_path / "nothing.xyz"))
    with pytest.raises(InputError, match="not periodic"):
        value(CRYSTALS["fcc"], file=str(cluster))
    with pytest.raises(InputError, match="a cluster has no g"):
        value(Atoms("Ar2", [[0, 0, 0], [0, 0, 1]]), file=str(crystal))
    with pytest.raises(InputError, match=r"raise property\.bins"):
        value(CRYSTALS["fcc"], file=str(crystal), bins=20)
