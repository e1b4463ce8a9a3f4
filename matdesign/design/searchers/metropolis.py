"""`Metropolis`: what random walks between designs have in common."""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from matdesign.design.searchers.searcher import Searcher
from matdesign.design.spaces.space import Design, Space


class Metropolis(Searcher):
    """A walk of small changes, each accepted by the rule of Metropolis and co-workers.

    J. Chem. Phys. 21, 1087 (1953), doi:10.1063/1.1699114: a better design always, one that is worse by d with the
    probability exp(-d / T). The walk starts from the best of `warmup` random designs, whose scores' standard deviation,
    is the unit of T.

    Attributes:
        present: where the walk is; None before the first score.

    Args:
        space: where to search.
        seed: of the changes and decisions.
        warmup: random designs at the beginning.
    """

    def __init__(self, space: Space, *, seed: int, warmup: int) -> None:
        super().__init__(space, seed=seed)
        self._warmup = warmup
        self._first: list[float] = []
        self.present: Design | None = None
        self._score = np.inf
        self._best: Design | None = None
        self._lowest = np.inf

    @abstractmethod
    def temperature(self) -> float:
        """For the next decision, in standard deviations of the first scores; asked for once for each."""

    def ask(self) -> list[Design]:
        """A random design in the warm-up, then the present one with one change."""
        if self.present is None or len(self._first) < self._warmup:
            return [self.space.random(self.rng)]
        return [self.space.changed(self.present, self.rng)]

    def tell(self, designs: Sequence[Design], scores: Sequence[float]) -> None:
        """Accepts or refuses."""
        (proposal,), (score,) = designs, scores
        if score < self._lowest:
            self._best, self._lowest = proposal, score
        if len(self._first) < self._warmup:
            self._first.append(score)
            self.present, self._score = self._best, self._lowest
            return
        width = self.temperature() * (np.std(self._first) + 1e-300)
        if score <= self._score or self.rng.random() < np.exp((self._score - score) / width):
            self.present, self._score = proposal, score
