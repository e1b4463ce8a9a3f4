"""Moves of whole planes of a decorated lattice, and repairs that leave planes whole where they can."""

import numpy as np
from numpy.typing import NDArray

Decoration = NDArray[np.int64]
Integers = NDArray[np.int64]

SAME = 1e-4  # heights closer than this, in fractions of the cell, are one plane


class Planes:
    """Families of planes of a lattice, and changes of a decoration that move or blend whole ones.

    There is a family for each cell vector along which all planes hold equally many groups. All changes keep the
    composition.

    Attributes:
        families: for each, groups of each plane in one order within the plane, int64 [planes, groups].

    Args:
        places: float64 [groups, 3], fractions of the cell.
        counts: int64 [species], groups that each species has.
    """

    def __init__(self, places: NDArray[np.float64], counts: Integers) -> None:
        self._counts = counts
        self.families: list[Integers] = []
        rounded = np.round(places / SAME).astype(np.int64) % round(1 / SAME)
        for heights in rounded.T:
            _, plane, sizes = np.unique(heights, return_inverse=True, return_counts=True)
            if len(sizes) > 1 and np.ptp(sizes) == 0:
                order = np.lexsort((*rounded.T, plane))
                self.families.append(order.reshape(len(sizes), -1))

    def moved(self, decoration: Decoration, rng: np.random.Generator) -> Decoration:
        """Two planes exchanged, one copied onto another, a run of planes reversed, or two of them sorted by species."""
        planes = self._family(rng)
        changed = decoration.copy()
        first, second = rng.choice(len(planes), 2, replace=False)
        kind = rng.integers(4)
        if kind == 0:
            changed[planes[[first, second]]] = decoration[planes[[second, first]]]
        elif kind == 1:
            changed[planes[second]] = decoration[planes[first]]
            return self.repaired(changed, rng, planes)
        elif kind == 2:
            low, high = min(first, second), max(first, second)
            changed[planes[low : high + 1]] = decoration[planes[low : high + 1]][::-1]
        else:
            both = planes[[first, second]].ravel()
            changed[both] = np.sort(decoration[both])
        return changed

    def blended(self, mother: Decoration, father: Decoration, rng: np.random.Generator) -> Decoration:
        """Each plane of one random family from either parent: the father's between two heights, or by lot."""
        planes = self._family(rng)
        if rng.random() < 0.5:
            start, count = rng.integers(len(planes)), rng.integers(1, len(planes))
            taken = (np.arange(len(planes)) - start) % len(planes) < count
        else:
            taken = rng.random(len(planes)) < 0.5
        child = mother.copy()
        child[planes[taken]] = father[np.roll(planes, rng.integers(len(planes)), axis=0)[taken]]
        return self.repaired(child, rng, planes)

    def repaired(self, decoration: Decoration, rng: np.random.Generator, planes: Integers) -> Decoration:
        """The composition made exact by changing surplus species plane after plane, in random order."""
        order = rng.permuted(planes, axis=1)[rng.permutation(len(planes))].ravel()
        child = decoration.copy()
        excess = np.bincount(child, minlength=len(self._counts)) - self._counts
        missing = np.repeat(np.arange(len(excess)), np.maximum(-excess, 0))
        surplus = [order[child[order] == species][:count] for species, count in enumerate(excess) if count > 0]
        if len(missing):
            sites = np.concatenate(surplus)
            child[sites[np.argsort(np.argsort(order)[sites])]] = missing
        return child

    def _family(self, rng: np.random.Generator) -> Integers:
        return self.families[rng.integers(len(self.families))]
