"""CMA-ES."""

from collections.abc import Sequence

import cma
import numpy as np
from numpy.typing import NDArray

from matdesign.design.searchers.searcher import Searcher
from matdesign.design.spaces.space import Design, Space


class CMAES(Searcher):
    """Evolution strategy that adapts the covariance of its steps, in the numbers that `Space.decoded` takes.

    Hansen and Ostermeier, Evol. Comput. 9, 159 (2001), doi:10.1162/106365601750190398, by the package `cma`. What is
    converged begins anew with twice the population (Auger and Hansen, Proc. IEEE CEC 2005, 1769,
    doi:10.1109/CEC.2005.1554902). A design's score is that of the vector it came from, relaxed or not.

    Attributes:
        population: designs of one generation.

    Args:
        space: where to search.
        seed: of its samples.
        population: designs of the first generations; default: the package's, 4 + 3 ln(dimension).
        sigma: standard deviation of the first samples, about the vector of zeros.
    """

    name = "cma_es"

    def __init__(self, space: Space, *, seed: int, population: int | None = None, sigma: float = 1.0) -> None:
        super().__init__(space, seed=seed)
        self._sigma = sigma
        self.population = population or 4 + int(3 * np.log(space.dimension))
        self._vectors: list[NDArray[np.float64]] = []
        self._scores: list[float] = []
        self._begin()

    def ask(self) -> list[Design]:
        """One member of the present generation."""
        if len(self._scores) == len(self._vectors):
            self._vectors, self._scores = self._strategy.ask(), []
        return [self.space.decoded(self._vectors[len(self._scores)])]

    def tell(self, designs: Sequence[Design], scores: Sequence[float]) -> None:
        """After the last member the strategy moves on."""
        self._scores.extend(scores)
        if len(self._scores) == len(self._vectors):
            self._strategy.tell(self._vectors, self._scores)
            if self._strategy.stop():
                self.population *= 2
                self._begin()

    def _begin(self) -> None:
        """A strategy that knows nothing yet."""
        options = {
            "popsize": self.population,
            "randn": lambda *shape: self.rng.standard_normal(shape),
            "seed": np.nan,  # leaves NumPy's own generator alone
            "verbose": -9,
        }
        start = np.zeros(max(2, self.space.dimension))  # the package has no strategy of one dimension
        self._strategy = cma.CMAEvolutionStrategy(start, self._sigma, options)
        self._vectors, self._scores = [], []
