"""Hill climbing by swaps, with restarts."""

from collections.abc import Sequence

import numpy as np

from matdesign.design.searchers.searcher import Searcher
from matdesign.design.spaces.space import Design, Space


class HillClimbing(Searcher):
    """Swaps two unlike groups and keeps what is better; begins anew where `patience` swaps in a row were not.

    Args:
        space: where to search.
        seed: of the swaps and starts.
        patience: swaps without success after which the present design counts as a summit; default: two for each group.
    """

    name = "hill_climbing"

    def __init__(self, space: Space, *, seed: int, patience: int | None = None) -> None:
        super().__init__(space, seed=seed)
        self._patience = 2 * space.dimension if patience is None else patience
        self._present: Design | None = None
        self._score = np.inf
        self._tried: set[bytes] = set()
        self._failures = 0

    def ask(self) -> list[Design]:
        """The present design with one swap that was not tried since it became the present one."""
        if self._present is not None:
            while self._failures < self._patience:
                proposal = self.space.changed(self._present, self.rng)
                if self.space.name(proposal) not in self._tried:
                    return [proposal]
                self._failures += 1
            self._present = None
        return [self.space.random(self.rng)]

    def tell(self, designs: Sequence[Design], scores: Sequence[float]) -> None:
        """Climbs, or counts a failure."""
        (proposal,), (score,) = designs, scores
        self._tried.add(self.space.name(proposal))
        if self._present is None or score < self._score:
            self._present, self._score = proposal, score
            self._tried, self._failures = {self.space.name(proposal)}, 0
        else:
            self._failures += 1
