"""Random search."""

from collections.abc import Sequence

from matdesign.design.decorations import Decoration
from matdesign.design.searchers.searcher import Searcher


class RandomSearch(Searcher):
    """Decorations drawn uniformly, whatever was measured: what any other searcher must beat."""

    name = "random"

    def ask(self) -> list[Decoration]:
        """One decoration."""
        return [self.space.random(self.rng)]

    def tell(self, decorations: Sequence[Decoration], scores: Sequence[float]) -> None:
        """Nothing is learned."""
