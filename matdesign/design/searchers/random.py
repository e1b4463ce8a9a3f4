"""Random search."""

from collections.abc import Sequence

from matdesign.design.searchers.searcher import Searcher
from matdesign.design.spaces.space import Design


class RandomSearch(Searcher):
    """Space drawn uniformly, whatever was measured: what any other searcher must beat."""

    name = "random"

    def ask(self) -> list[Design]:
        """One design."""
        return [self.space.random(self.rng)]

    def tell(self, designs: Sequence[Design], scores: Sequence[float]) -> None:
        """Nothing is learned."""
