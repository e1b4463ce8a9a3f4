"""`Searcher`: proposes designs and is told how good they were."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from matdesign.design.ledger import Cost
from matdesign.design.spaces.space import Design, Space
from matdesign.errors import InputError


class Searcher(ABC):
    """A way to search a space of designs, by asking and telling.

    One `ask` is followed by one `tell` of the same designs in the same order. Scores are lower for better designs.
    What a searcher proposes depends on its seed and on what it was told, on nothing else.

    Attributes:
        name: on the command line.
        spaces: kinds of space that it can search.
        space: where it searches.
        rng: the source of all its randomness.
        cost: what it spent itself to propose designs, as by molecular dynamics; `search` takes the time.

    Args:
        space: see above.
        seed: of `rng`.

    Raises:
        InputError: it cannot search such a space.
    """

    name: ClassVar[str] = ""
    spaces: ClassVar[tuple[type[Space], ...]] = (Space,)

    def __init__(self, space: Space, *, seed: int) -> None:
        if not isinstance(space, self.spaces):
            kinds = " and ".join(kind.__name__.lower() for kind in self.spaces)
            raise InputError(f"{self.name} searches {kinds}, not {type(space).__name__.lower()}: take another search")
        self.space = space
        self.cost = Cost()
        self.rng = np.random.default_rng(seed)

    @abstractmethod
    def ask(self) -> list[Design]:
        """One or more designs to be measured next."""

    @abstractmethod
    def tell(self, designs: Sequence[Design], scores: Sequence[float]) -> None:
        """The scores of what was asked for."""
