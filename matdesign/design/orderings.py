"""Ordered alloys on a lattice: every way to put the species that repeats after a few atoms, under its usual name."""

from collections.abc import Iterator
from itertools import permutations, product
from typing import Any

import numpy as np
import spglib
from numpy.typing import NDArray

from matdesign.design.spaces.decorations import Decoration, Decorations

ATOMS = 4  # in the primitive cell of an ordered alloy, at most
SIZE = 1000  # sites of a lattice whose orderings are looked for, at most
SAME = 1e-3  # fractions of a cell
# Names by space group and atoms in the primitive cell of the bare lattice, then by those of the ordered alloy.
NAMES = {
    (221, 1): {(225, 2): "rocksalt"},
    (225, 1): {(123, 2): "L1_0", (166, 2): "L1_1", (221, 4): "L1_2", (139, 4): "D0_22"},
    (227, 2): {(216, 2): "zincblende"},
    (229, 1): {(221, 2): "B2", (227, 4): "B32", (225, 4): "D0_3"},
}

Integers = NDArray[np.int64]


def orderings(space: Decorations) -> dict[str, Decoration]:
    """Those of the space's composition that fit its cell, by name: "L1_0", "space group 51, 4 atoms"; small ones first.

    All superlattices of the bare lattice whose cell has up to `ATOMS` sites are gone through, with all ways to fill
    them: Hart and Forcade, Phys. Rev. B 77, 224115 (2008), doi:10.1103/PhysRevB.77.224115. None for a space whose
    groups are more than single sites, and for one of more than `SIZE`.
    """
    lattice = space.lattice
    if not space.size == len(lattice) <= SIZE:
        return {}
    bare = _dataset(space, np.ones(space.size))
    basis = np.asarray(bare.mapping_to_primitive, np.int64)
    firsts = np.array([np.flatnonzero(basis == each)[0] for each in basis])
    inverse = np.linalg.inv(bare.primitive_lattice)
    offsets = np.rint((lattice.positions - lattice.positions[firsts]) @ inverse).astype(np.int64)
    supercell = np.rint(lattice.cell.array @ inverse).astype(np.int64)
    each_cell = int(basis.max()) + 1
    known: set[bytes] = set()
    found: dict[str, Decoration] = {}
    for cells in range(1, ATOMS // each_cell + 1):
        atoms = cells * each_cell
        counts = space.counts * atoms
        if (counts % space.size).any():
            continue
        for filled in _filled(basis, offsets, supercell, cells, counts // space.size):
            name = space.name(filled)
            if name not in known:
                known.add(name)
                label = _label(space, filled, NAMES.get((bare.number, each_cell), {}))
                several = 1 + sum(other.split(" (")[0] == label for other in found)
                found[label if several == 1 else f"{label} ({several})"] = space.canonical(filled)
    return found


def _filled(
    basis: Integers, offsets: Integers, supercell: Integers, cells: int, counts: Integers
) -> Iterator[Decoration]:
    """Decorations that repeat after so many primitive cells, some of them the same by symmetry.

    Args:
        basis: [sites], atom of the primitive cell.
        offsets: [sites, 3], primitive cell it is in.
        supercell: [3, 3], vectors of the space's cell in those of the primitive cell.
        cells: primitive cells in one of the ordering.
        counts: [species], atoms in one cell of the ordering.
    """
    ways = set(permutations(np.repeat(np.arange(len(counts)), counts).tolist()))
    for vectors in _sublattices(cells):
        inverse = np.linalg.inv(vectors)
        turns = supercell @ inverse
        if np.abs(turns - np.rint(turns)).max() > SAME:
            continue  # the space's cell does not repeat it
        parts = np.rint(offsets @ inverse * cells).astype(np.int64) % cells
        _, groups = np.unique(np.column_stack([basis, parts]), axis=0, return_inverse=True)
        for way in sorted(ways):
            yield np.array(way)[groups.ravel()]


def _sublattices(cells: int) -> Iterator[Integers]:
    """Row vectors [3, 3] of every sublattice of so many cells, once: Hermite's normal forms."""
    for a, b in product(range(1, cells + 1), repeat=2):
        if cells % (a * b) == 0:
            c = cells // (a * b)
            for x, y, z in product(range(b), range(c), range(c)):
                yield np.array([[a, x, y], [0, b, z], [0, 0, c]])


def _dataset(space: Decorations, kinds: NDArray[Any]) -> Any:
    """Symmetry of the sites with these kinds on them."""
    crystal: Any = (space.lattice.cell.array, space.lattice.get_scaled_positions(), kinds)
    found = spglib.get_symmetry_dataset(crystal)
    assert found is not None  # the space has found symmetries before
    return found


def _label(space: Decorations, decoration: Decoration, names: dict[tuple[int, int], str]) -> str:
    ordered = _dataset(space, decoration + 1)
    kind = (int(ordered.number), int(max(ordered.mapping_to_primitive)) + 1)
    return names.get(kind, f"space group {kind[0]}, {kind[1]} atoms")
