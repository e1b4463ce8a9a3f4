"""Simulated annealing by swap Monte Carlo."""

from collections.abc import Sequence

import numpy as np

from matdesign.design.searchers.searcher import Searcher
from matdesign.design.spaces.space import Design, Space


class Annealing(Searcher):
    """Swap Monte Carlo with Metropolis' rule at a falling temperature.

    Kirkpatrick, Gelatt and Vecchi, Science 220, 671 (1983), doi:10.1126/science.220.4598.671. The temperature starts
    at the standard deviation of the first `warmup` random designs' scores and falls geometrically to a hundredth of it
    within `length` proposals; then it starts again from the best design.

    Args:
        space: where to search.
        seed: of the swaps and decisions.
        warmup: random designs at the beginning.
        length: proposals of one cooling.
    """

    name = "annealing"

    def __init__(self, space: Space, *, seed: int, warmup: int = 8, length: int = 256) -> None:
        super().__init__(space, seed=seed)
        self._warmup, self._length = warmup, length
        self._first: list[float] = []
        self._present: Design | None = None
        self._score = np.inf
        self._best: Design | None = None
        self._lowest = np.inf
        self._step = 0

    def ask(self) -> list[Design]:
        """A random design in the warm-up, then the present one with one swap."""
        if self._present is None or len(self._first) < self._warmup:
            return [self.space.random(self.rng)]
        return [self.space.changed(self._present, self.rng)]

    def tell(self, designs: Sequence[Design], scores: Sequence[float]) -> None:
        """Accepts or refuses."""
        (proposal,), (score,) = designs, scores
        if score < self._lowest:
            self._best, self._lowest = proposal, score
        if len(self._first) < self._warmup:
            self._first.append(score)
            self._present, self._score = self._best, self._lowest
            return
        temperature = (np.std(self._first) + 1e-300) * 100.0 ** (-self._step / self._length)
        if score <= self._score or self.rng.random() < np.exp((self._score - score) / temperature):
            self._present, self._score = proposal, score
        self._step += 1
        if self._step == self._length:
            self._step, self._present, self._score = 0, self._best, self._lowest
