"""A genetic algorithm that keeps the composition."""

from collections.abc import Sequence

import numpy as np

from matdesign.design.decorations import Decoration, Decorations
from matdesign.design.searchers.searcher import Searcher


class Genetic(Searcher):
    """Steady-state genetic algorithm: two parents by tournament, a child by cut and splice, swaps as mutations.

    The child takes one parent's species in a slab of the lattice between two heights along a random cell vector and
    the other's outside, as Deaven and Ho did with atoms (Phys. Rev. Lett. 75, 288 (1995),
    doi:10.1103/PhysRevLett.75.288); surplus species are then exchanged at random sites. With slabs along every axis it
    inherits layers where layers pay. It enters the population in place of the worst, if it is better and new.

    Args:
        space: where to search.
        seed: of everything random.
        population: designs kept.
        tournament: designs among which the better is taken as a parent.
        swaps: mean number of swaps in a child.
    """

    name = "genetic"

    def __init__(
        self, space: Decorations, *, seed: int, population: int = 20, tournament: int = 3, swaps: float = 1.0
    ) -> None:
        super().__init__(space, seed=seed)
        self._population, self._tournament, self._swaps = population, tournament, swaps
        self._members: list[tuple[float, Decoration, bytes]] = []
        places = space.lattice.get_scaled_positions(wrap=True)
        sites = np.array([np.flatnonzero(space.groups == group)[0] for group in range(space.size)])
        self._places = places[sites]  # of one site of each group

    def ask(self) -> list[Decoration]:
        """The first population, all at once, then one child at a time."""
        if not self._members:
            return [self.space.random(self.rng) for _ in range(self._population)]
        child = self._repaired(self._spliced(self._parent(), self._parent()))
        for _ in range(self.rng.poisson(self._swaps)):
            child = self.space.swapped(child, self.rng)
        return [child]

    def tell(self, decorations: Sequence[Decoration], scores: Sequence[float]) -> None:
        """Keeps the best of all."""
        known = {name for _, _, name in self._members}
        for decoration, score in zip(decorations, scores, strict=True):
            name = self.space.name(decoration)
            if name not in known:
                known.add(name)
                self._members.append((score, decoration, name))
        self._members.sort(key=lambda member: member[0])
        del self._members[self._population :]

    def _parent(self) -> Decoration:
        chosen = self.rng.integers(len(self._members), size=self._tournament)
        best: Decoration = self._members[int(chosen.min())][1]  # they are sorted
        return best

    def _spliced(self, mother: Decoration, father: Decoration) -> Decoration:
        axis = self.rng.integers(3)
        low, width = self.rng.random(2)
        inside = (self._places[:, axis] - low) % 1.0 < width
        return np.asarray(np.where(inside, mother, father))

    def _repaired(self, child: Decoration) -> Decoration:
        counts = np.bincount(child, minlength=len(self.space.counts))
        missing = np.repeat(np.arange(len(counts)), np.maximum(self.space.counts - counts, 0))
        for species in self.rng.permutation(missing):
            surplus = np.flatnonzero((counts - self.space.counts)[child] > 0)
            site = self.rng.choice(surplus)
            counts[child[site]] -= 1
            counts[species] += 1
            child[site] = species
        return child
