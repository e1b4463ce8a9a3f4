"""`Searcher`: proposes designs and is told how good they were."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from matdesign.design.decorations import Decoration, Decorations


class Searcher(ABC):
    """A way to search a space of decorations, by asking and telling.

    One `ask` is followed by one `tell` of the same decorations in the same order. Scores are lower for better designs.
    What a searcher proposes depends on its seed and on what it was told, on nothing else.

    Attributes:
        name: on the command line.
        space: where it searches.
        rng: the source of all its randomness.

    Args:
        space: see above.
        seed: of `rng`.
    """

    name: ClassVar[str] = ""

    def __init__(self, space: Decorations, *, seed: int) -> None:
        self.space = space
        self.rng = np.random.default_rng(seed)

    @abstractmethod
    def ask(self) -> list[Decoration]:
        """One or more decorations to be measured next."""

    @abstractmethod
    def tell(self, decorations: Sequence[Decoration], scores: Sequence[float]) -> None:
        """The scores of what was asked for."""
