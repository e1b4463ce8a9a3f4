"""Bayesian optimisation."""

from collections.abc import Sequence

import numpy as np

from matdesign.design.searchers.searcher import Searcher
from matdesign.design.searchers.surrogate import Surrogate
from matdesign.design.spaces.space import Design, Space


class Bayesian(Searcher):
    """Measures the candidate of largest expected improvement under a Gaussian process.

    Candidates are random designs and changes of the best ones, small and large, as the space is too large to look at
    all of it.

    Args:
        space: where to search.
        seed: of the candidates.
        first: random designs at the beginning.
        candidates: looked at for each proposal, half of each kind.
    """

    name = "bayesian"

    def __init__(self, space: Space, *, seed: int, first: int = 8, candidates: int = 512) -> None:
        super().__init__(space, seed=seed)
        self._first, self._candidates = first, candidates
        self._model = Surrogate(space)
        self._best: list[tuple[float, Design]] = []

    def ask(self) -> list[Design]:
        """The first designs at once, then one at a time."""
        if not len(self._model):
            return [self.space.random(self.rng) for _ in range(self._first)]
        candidates = [self.space.random(self.rng) for _ in range(self._candidates // 2)]
        while len(candidates) < self._candidates:
            parent = self._best[self.rng.integers(len(self._best))][1]
            for _ in range(1 + self.rng.poisson(1.0)):
                change = self.space.changed if self.rng.random() < 0.5 else self.space.rearranged
                parent = change(parent, self.rng)
            candidates.append(parent)
        for i in np.argsort(-self._model.improvement(candidates), kind="stable"):
            if not self._model.known(candidates[i]):
                return [candidates[i]]
        return [self.space.random(self.rng)]

    def tell(self, designs: Sequence[Design], scores: Sequence[float]) -> None:
        """Learns."""
        self._model.add(designs, scores)
        self._best = sorted([*self._best, *zip(scores, designs, strict=True)], key=lambda item: item[0])[:8]
