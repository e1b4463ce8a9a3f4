"""`Decorations`: the design space of which species sits where on a given lattice."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import spglib
from ase import Atoms
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from matdesign.design.spaces.planes import Planes
from matdesign.design.spaces.space import Space
from matdesign.errors import InputError

Decoration = NDArray[np.int64]  # index of the species of each group
Integers = NDArray[np.int64]

SAME = 1e-4  # sites closer than this, in fractions of the cell, are one
MOST = 2_000_000  # decorations that are enumerated


class Decorations(Space):
    """Ways to put species, in fixed numbers, on the groups of a lattice's sites.

    A group is a set of sites that take the same species: a single site, or a whole layer. Decorations that a symmetry
    of the lattice turns into each other are one design; `canonical` names it.

    Attributes:
        lattice: the sites; its own species do not matter.
        species: that are put on them.
        counts: int64 [species], groups that each one gets.
        groups: int64 [sites], group of each site.
        places: float64 [groups, 3], where the first site of each group is, as fractions of the cell.
        axis: direction that symmetries keep.
        planes: moves of whole planes of groups.
        permutations: int64 [operations, groups], where each symmetry takes each group.
        orbits: int64 [groups, groups], class of each pair of groups under the symmetries.

    Args:
        lattice: see above; periodic.
        species: see above.
        counts: see above; they add up to the number of groups.
        groups: see above; default: every site is its own.
        axis: direction that symmetries must keep (0, 1, 2), as a property along it is not the same along another;
            None where the property has no direction.

    Raises:
        InputError: counts that do not add up, or groups that are not numbered from 0.
    """

    def __init__(
        self,
        lattice: Atoms,
        species: Sequence[str],
        counts: Sequence[int],
        *,
        groups: Sequence[int] | Integers | None = None,
        axis: int | None = None,
    ) -> None:
        self.lattice = lattice
        self.species = tuple(species)
        self.axis = axis
        self.counts = np.asarray(counts, np.int64)
        self.groups = np.arange(len(lattice)) if groups is None else np.asarray(groups, np.int64)
        if sorted(set(self.groups.tolist())) != list(range(self.size)) or len(self.groups) != len(lattice):
            raise InputError(f"groups of {len(lattice)} sites must be numbered from 0 without gaps, one for each site")
        if len(self.counts) != len(self.species) or (self.counts < 0).any() or self.counts.sum() != self.size:
            raise InputError(
                f"{list(counts)} groups of {', '.join(species)} do not add up to the {self.size} there are to fill"
            )
        firsts = np.unique(self.groups, return_index=True)[1]
        self.places = lattice.get_scaled_positions(wrap=True)[firsts]
        self.planes = Planes(self.places, self.counts)
        self.permutations = self._symmetries(axis)
        self.orbits = self._orbits()
        orbits, first, second = self.orbits.ravel(), *np.indices(self.orbits.shape).reshape(2, -1)
        shape = (self.size * (int(orbits.max()) + 1), self.size)
        self._pairs = csr_array((np.ones(len(orbits)), (orbits * self.size + first, second)), shape)

    @property
    def dimension(self) -> int:
        """One number for each group and species but one."""
        return self.size * (len(self.species) - 1)

    @property
    def size(self) -> int:
        """Number of groups."""
        return int(self.groups.max()) + 1

    def random(self, rng: np.random.Generator) -> Decoration:
        """One of all decorations, each as probable as any other."""
        return rng.permutation(np.repeat(np.arange(len(self.species)), self.counts))

    def changed(self, decoration: Decoration, rng: np.random.Generator) -> Decoration:
        """The species of two groups, unlike each other, are exchanged."""
        first = rng.integers(self.size)
        others = np.flatnonzero(decoration != decoration[first])
        if len(others) == 0:
            return decoration.copy()
        second = rng.choice(others)
        changed = decoration.copy()
        changed[[first, second]] = decoration[[second, first]]
        return changed

    def rearranged(self, decoration: Decoration, rng: np.random.Generator) -> Decoration:
        """Whole planes are exchanged, copied, reversed or sorted (`Planes.moved`)."""
        return self.planes.moved(decoration, rng) if self.planes.families else self.changed(decoration, rng)

    def combined(self, mother: Decoration, father: Decoration, rng: np.random.Generator) -> Decoration:
        """One parent's species between two heights along a random cell vector, and the other's elsewhere.

        Cut and splice as Deaven and Ho did it with atoms (Phys. Rev. Lett. 75, 288 (1995),
        doi:10.1103/PhysRevLett.75.288); surplus species are then exchanged at random sites. Every second child inherits
        whole planes instead (`Planes.blended`).
        """
        if self.planes.families and rng.random() < 0.5:
            return self.planes.blended(mother, father, rng)
        axis = rng.integers(3)
        low, width = rng.random(2)
        child = np.where((self.places[:, axis] - low) % 1.0 < width, mother, father)
        counts = np.bincount(child, minlength=len(self.counts))
        for species in rng.permutation(np.repeat(np.arange(len(counts)), np.maximum(self.counts - counts, 0))):
            group = rng.choice(np.flatnonzero((counts - self.counts)[child] > 0))
            counts[child[group]] -= 1
            counts[species] += 1
            child[group] = species
        return child

    def decoded(self, vector: NDArray[np.float64]) -> Decoration:
        """Groups of the largest numbers take the first species, and so on; the last one has the rest."""
        wishes = np.zeros((1, self.size, len(self.species)))
        wishes[0, :, :-1] = np.reshape(vector, (self.size, -1))
        return np.asarray(assigned(wishes, self.counts)[0])

    def canonical(self, decoration: Decoration) -> Decoration:
        """The first, in the order of a dictionary, of all decorations that are the same by symmetry."""
        left = self.permutations  # that give the smallest so far
        species = decoration.astype(np.uint8)
        for start in range(0, self.size, 8):  # eight groups at a time, as the digits of one number
            digits = np.zeros((len(left), 8), np.uint8)
            digits[:, : min(8, self.size - start)] = species[left[:, start : start + 8]]
            numbers = digits.view(">u8")[:, 0]
            left = left[numbers == numbers.min()]
            if len(left) == 1:
                break
        return np.asarray(decoration[left[0]])

    def name(self, decoration: Decoration) -> bytes:
        """What tells designs apart: equal for decorations that are the same by symmetry."""
        return self.canonical(decoration).astype(np.uint8).tobytes()

    def structure(self, decoration: Decoration) -> Atoms:
        """The lattice with these species."""
        atoms: Atoms = self.lattice.copy()
        atoms.symbols = [self.species[each] for each in decoration[self.groups]]
        return atoms

    def features(self, decorations: Sequence[Decoration]) -> NDArray[np.float64]:
        """Pair correlations, float64 [decorations, orbits x species pairs]: the share of unlike pairs in each orbit.

        The pair part of the cluster expansion: Sanchez, Ducastelle and Gratias, Physica A 128, 334 (1984),
        doi:10.1016/0378-4371(84)90096-7. They are the same for all decorations that are the same by symmetry.
        """
        designs = np.asarray(decorations)
        found = []
        for a, b in combinations(range(len(self.species)), 2):
            first, second = (designs == a).astype(float), (designs == b).astype(float)
            partners = (self._pairs @ second.T).reshape(-1, self.size, len(designs))  # of each group, in each orbit
            found.append(2.0 * np.einsum("ogd,dg->do", partners, first) / np.bincount(self.orbits.ravel()))
        return np.concatenate(found, axis=1) if found else np.zeros((len(designs), 1))

    def all(self) -> Iterator[Decoration]:
        """Every design once.

        Raises:
            InputError: there are too many decorations to look at.
        """
        ways, left = 1, self.size
        for count in self.counts.tolist():
            for i in range(count):
                ways = ways * (left - i) // (i + 1)
            left -= count
        if ways > MOST:
            raise InputError(f"there are {ways:.3g} decorations, too many to enumerate: use a search")
        seen: set[bytes] = set()
        for decoration in _arrangements(self.counts.tolist()):
            canonical = self.canonical(np.array(decoration))
            name = canonical.astype(np.uint8).tobytes()
            if name not in seen:
                seen.add(name)
                yield canonical

    def _symmetries(self, axis: int | None) -> Integers:
        lattice = self.lattice
        points = lattice.get_scaled_positions(wrap=True)
        plain: Any = (lattice.cell.array, points, np.ones(len(lattice)))
        found = spglib.get_symmetry(plain, symprec=1e-4)
        if found is None:
            raise InputError("the lattice has atoms on top of each other: give one without")
        tree = cKDTree((points + SAME) % 1.0, boxsize=1.0)
        permutations = set()
        for rotation, translation in zip(found["rotations"], found["translations"], strict=True):
            if axis is not None and abs(rotation[axis, axis]) != 1:
                continue
            moved = (points @ rotation.T + translation + SAME) % 1.0
            apart, image = tree.query(moved % 1.0)
            if apart.max() > SAME:
                continue
            target = np.full(self.size, -1)
            target[self.groups] = self.groups[image]
            if (target[self.groups] == self.groups[image]).all():  # whole groups go to whole groups
                permutations.add(tuple(target.tolist()))
        return np.array(sorted(permutations), np.int64)

    def _orbits(self) -> Integers:
        size = self.size
        codes = np.full((size, size), size * size, np.int64)
        for permutation in self.permutations:
            first, second = permutation[:, None], permutation[None]
            np.minimum(codes, np.minimum(first * size + second, second * size + first), out=codes)
        _, orbits = np.unique(codes, return_inverse=True)
        return np.asarray(orbits.reshape(size, size), np.int64)


def assigned(wishes: NDArray[np.float64], counts: Integers) -> Integers:
    """Species [designs, groups] in exact numbers, from how much each group wants each: [designs, groups, species].

    One species after the other takes the groups, of those left, where it is farthest ahead of those still to come.
    """
    decorations = np.full(wishes.shape[:2], len(counts) - 1)
    left = np.ones(wishes.shape[:2], bool)
    for species, count in enumerate(counts[:-1]):
        ahead = wishes[:, :, species] - wishes[:, :, species + 1 :].max(axis=2)
        ahead[~left] = -np.inf
        chosen = np.argsort(-ahead, axis=1, kind="stable")[:, :count]
        np.put_along_axis(decorations, chosen, species, axis=1)
        np.put_along_axis(left, chosen, False, axis=1)
    return decorations


def layers(lattice: Atoms, axis: int) -> Integers:
    """The layer of each site, counted along a cell vector that is at right angles to the layers, from 0."""
    heights = lattice.get_scaled_positions(wrap=True)[:, axis]
    heights = np.where(heights > 1.0 - SAME, 0.0, heights)
    _, groups = np.unique(np.round(heights / SAME).astype(np.int64), return_inverse=True)
    return np.asarray(groups, np.int64)


def _arrangements(counts: list[int]) -> Iterator[tuple[int, ...]]:
    if sum(counts) == 0:
        yield ()
        return
    for species, count in enumerate(counts):
        if count:
            rest = [*counts[:species], count - 1, *counts[species + 1 :]]
            for tail in _arrangements(rest):
                yield (species, *tail)
