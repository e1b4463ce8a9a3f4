"""A genetic algorithm."""

from collections.abc import Sequence

from matdesign.design.searchers.searcher import Searcher
from matdesign.design.spaces.space import Design, Space


class Genetic(Searcher):
    """Steady-state genetic algorithm: two parents by tournament, a child of both, changes of all sizes as mutations.

    The child (`Space.combined`) enters the population in place of the worst, if it is better and new.

    Args:
        space: where to search.
        seed: of everything random.
        population: designs kept.
        tournament: designs among which the better is taken as a parent.
        changes: mean number of changes of a child, half of them small (`Space.changed`) and half large
            (`Space.rearranged`).
    """

    name = "genetic"

    def __init__(
        self, space: Space, *, seed: int, population: int = 20, tournament: int = 3, changes: float = 1.0
    ) -> None:
        super().__init__(space, seed=seed)
        self._population, self._tournament, self._changes = population, tournament, changes
        self._members: list[tuple[float, Design, bytes]] = []

    def ask(self) -> list[Design]:
        """The first population, all at once, then one child at a time."""
        if not self._members:
            return [self.space.random(self.rng) for _ in range(self._population)]
        child = self.space.combined(self._parent(), self._parent(), self.rng)
        for _ in range(self.rng.poisson(self._changes)):
            change = self.space.changed if self.rng.random() < 0.5 else self.space.rearranged
            child = change(child, self.rng)
        return [child]

    def tell(self, designs: Sequence[Design], scores: Sequence[float]) -> None:
        """Keeps the best of all."""
        known = {name for _, _, name in self._members}
        for design, score in zip(designs, scores, strict=True):
            name = self.space.name(design)
            if name not in known:
                known.add(name)
                self._members.append((score, design, name))
        self._members.sort(key=lambda member: member[0])
        del self._members[self._population :]

    def _parent(self) -> Design:
        chosen = self.rng.integers(len(self._members), size=self._tournament)
        best: Design = self._members[int(chosen.min())][1]  # they are sorted
        return best
