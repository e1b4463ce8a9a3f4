"""The k nearest neighbours against ASE's neighbour list."""

import ctypes
import subprocess

import numpy as np
import pytest
from ase import Atoms
from ase.geometry import cellpar_to_cell
from ase.neighborlist import neighbor_list

from matdesign.envs import INCLUDE

ROW = np.dtype([("atom", np.int32), ("vector", np.float32, 3), ("distance", np.float32)])


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """neighbours.c by itself: the package does not export it."""
    path = tmp_path_factory.mktemp("neighbours") / "neighbours.so"
    flags = ["-std=gnu11", "-O3", "-fno-math-errno", "-shared", "-fPIC"]
    subprocess.run(["cc", *flags, str(INCLUDE / "neighbours.c"), "-o", str(path), "-lm"], check=True)
    library = ctypes.CDLL(str(path))
    library.neighbours_open.restype = ctypes.c_void_p
    library.neighbours_open.argtypes = [ctypes.c_int, ctypes.c_int]
    library.neighbours_close.argtypes = [ctypes.c_void_p]
    array = np.ctypeslib.ndpointer
    library.neighbours_find.argtypes = [
        ctypes.c_void_p, array(np.float64), ctypes.c_int, array(np.float64), array(np.int32), ctypes.c_double,
        array(ROW),
    ]  # fmt: skip
    library.neighbours_find.restype = None
    return library


class Finder:
    """neighbours.h with NumPy arrays; rows of `x` may move between calls."""

    def __init__(self, library, atoms: int, count: int) -> None:
        self.library, self.atoms, self.count = library, atoms, count
        self.pointer = library.neighbours_open(atoms, count)

    def __call__(self, x, cell, periodic, cutoff):
        rows = np.zeros((self.atoms, self.count), ROW)
        x, cell = np.ascontiguousarray(x, float), np.ascontiguousarray(cell, float)
        self.library.neighbours_find(self.pointer, x, self.atoms, cell, np.array(periodic, np.int32), cutoff, rows)
        return rows

    def close(self) -> None:
        self.library.neighbours_close(self.pointer)


def check(rows, x, cell, periodic, cutoff):
    atoms, count = rows.shape
    i, j, d, vector = neighbor_list("ijdD", Atoms(positions=x, cell=cell, pbc=periodic), float(cutoff))
    nearest = np.argsort(-d, kind="stable")  # of a pair's images the nearest is written last
    distance, delta = np.full((atoms, atoms), np.inf), np.zeros((atoms, atoms, 3))
    distance[i[nearest], j[nearest]] = d[nearest]
    delta[i[nearest], j[nearest]] = vector[nearest]
    np.fill_diagonal(distance, np.inf)
    ordered = np.full((atoms, count), np.inf)
    ordered[:, : min(count, atoms)] = np.sort(distance, axis=1)[:, :count]

    tolerance = 5e-7 * (20 + np.abs(x).max())  # float32
    present = rows["atom"] >= 0
    listed = present.sum(axis=1)
    assert (present == (np.arange(count) < listed[:, None])).all()
    # Within a rounding of the cutoff both answers are right.
    assert ((ordered < cutoff - tolerance).sum(axis=1) <= listed).all()
    assert (listed <= (ordered < np.inf).sum(axis=1)).all()
    np.testing.assert_allclose(rows["distance"][present], ordered[present], atol=tolerance)
    atom, _ = np.nonzero(present)
    neighbour = rows["atom"][present]
    assert len({*zip(atom, neighbour, strict=True)}) == len(atom)
    np.testing.assert_allclose(rows["distance"][present], distance[atom, neighbour], atol=tolerance)
    np.testing.assert_allclose(rows["vector"][present], delta[atom, neighbour], atol=tolerance)
    assert (rows["atom"][~present] == -1).all()
    assert not rows["vector"][~present].any()


ORTHOGONAL = np.diag([9.0, 7.5, 11.0])
TILTED = cellpar_to_cell([9, 10, 11, 75, 68, 80])
CASES = {
    "periodic": (ORTHOGONAL, (1, 1, 1)),
    "tilted": (TILTED, (1, 1, 1)),
    "slab": (ORTHOGONAL, (1, 1, 0)),
    "rod": (ORTHOGONAL, (0, 0, 1)),
    "tilted slab": (np.array([[9, 0, 0], [3, 8.5, 0], [0, 0, 20.0]]), (1, 1, 0)),
    "free": (ORTHOGONAL, (0, 0, 0)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("atoms", [1, 2, 5, 60, 400, 401, 1000])
def test_agrees_with_ase(library, name, atoms):
    cell, periodic = CASES[name]
    scale = max(1.0, (atoms / 300) ** (1 / 3))
    cell = cell * scale
    rng = np.random.default_rng(atoms)
    x = rng.uniform(-0.5, 1.5, (atoms, 3)) @ cell  # also outside the cell
    for count, cutoff in [(12, 3.0), (1, 3.0), (40, 2.7)]:
        finder = Finder(library, atoms, count)
        for _ in range(3):  # it remembers how far it had to look the last time
            check(finder(x, cell, periodic, cutoff), x, cell, periodic, cutoff)
            x = x + rng.normal(scale=0.3, size=x.shape)
        finder.close()


@pytest.mark.parametrize("atoms", [450, 1000])
@pytest.mark.parametrize("name", ["periodic", "tilted", "slab", "free"])
def test_cells_in_large_and_uneven_systems(library, atoms, name):
    """Density fluctuates by orders of magnitude, the free system is much longer in one direction."""
    cell, periodic = CASES[name]
    cell = 2.5 * cell
    rng = np.random.default_rng(1)
    x = rng.beta(0.8, 1.3, (atoms, 3)) @ cell
    if name == "free":
        x[:, 1] *= 40
    finder = Finder(library, atoms, 16)
    check(finder(x, cell, periodic, 3.0), x, cell, periodic, 3.0)
    x = x[::-1] * 0.9
    check(finder(x, cell, periodic, 2.0), x, cell, periodic, 2.0)
    finder.close()


def test_cells_and_all_pairs_agree(library):
    """400 atoms are searched in all pairs; the same and a far one more by cells."""
    rng = np.random.default_rng(5)
    x = rng.uniform(0, 9, (400, 3))
    more = np.vstack([x, [[100.0, 100.0, 100.0]]])
    cell = np.diag([9.0, 9.0, 9.0])
    few, many = Finder(library, 400, 10), Finder(library, 401, 10)
    a, b = few(x, cell, (0, 0, 0), 2.0), many(more, cell, (0, 0, 0), 2.0)
    np.testing.assert_array_equal(np.sort(a["atom"], axis=1), np.sort(b["atom"][:400], axis=1))
    np.testing.assert_allclose(a["distance"], b["distance"][:400], atol=1e-5)
    assert (b["atom"][400] == -1).all()
    few.close()
    many.close()


def test_small_cell_with_a_cutoff_beyond_half_of_it(library):
    """In a right-angled cell the minimum image is right at any distance; a pair counts once, an atom not itself."""
    cell, x = np.diag([3.0, 3.0, 3.0]), np.random.default_rng(2).uniform(0, 3, (6, 3))
    finder = Finder(library, 6, 8)
    rows = finder(x, cell, (1, 1, 1), 5.0)
    delta = x[None] - x[:, None]
    delta -= 3 * np.round(delta / 3)
    distance = np.linalg.norm(delta, axis=2)
    assert (rows["atom"][:, 5:] == -1).all()
    np.testing.assert_allclose(rows["distance"][:, :5], np.sort(distance, axis=1)[:, 1:], atol=1e-5)
    finder.close()


def test_ties_are_listed_once_each_and_in_the_same_order_again(library):
    cell = np.diag([4.0, 4.0, 4.0])
    x = np.stack(np.meshgrid(*[np.arange(4.0)] * 3), axis=-1).reshape(-1, 3)
    finder = Finder(library, 64, 18)
    rows = finder(x, cell, (1, 1, 1), 1.9)
    np.testing.assert_allclose(rows["distance"], [[1.0] * 6 + [2**0.5] * 12] * 64, atol=1e-6)
    assert all(len(set(row)) == 18 for row in rows["atom"])
    np.testing.assert_array_equal(rows, finder(x, cell, (1, 1, 1), 1.9))
    finder.close()
    fewer = Finder(library, 64, 4)
    assert all(len(set(row)) == 4 for row in fewer(x, cell, (1, 1, 1), 1.9)["atom"])
    fewer.close()


@pytest.mark.parametrize("atoms", [2, 30, 500])
def test_atoms_in_one_place_are_neighbours_without_a_direction(library, atoms):
    finder = Finder(library, atoms, 4)
    x = np.full((atoms, 3), 1.25)
    rows = finder(x, np.diag([9.0, 9.0, 9.0]), (1, 1, 1), 3.0)
    listed = min(4, atoms - 1)
    assert (rows["atom"][:, :listed] >= 0).all()
    assert (rows["atom"] != np.arange(atoms)[:, None]).all()
    assert not rows["distance"].any()
    assert np.isfinite(rows["vector"]).all()
    finder.close()
