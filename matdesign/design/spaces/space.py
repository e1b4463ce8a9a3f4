"""`Space`: the designs that a search may propose."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from matdesign.design.ledger import Cost

Design = NDArray[Any]


class Space(ABC):
    """A set of designs, each one array, and the moves by which searches get from one to another.

    Searchers know a space by these methods only, so each of them searches every space.
    """

    @property
    @abstractmethod
    def dimension(self) -> int:
        """How many numbers `decoded` takes."""

    @abstractmethod
    def random(self, rng: np.random.Generator) -> Design:
        """A design as a search without any knowledge would propose it."""

    @abstractmethod
    def changed(self, design: Design, rng: np.random.Generator) -> Design:
        """The design after one small random change, a new array."""

    def rearranged(self, design: Design, rng: np.random.Generator) -> Design:
        """The design after a random change of a large part of it, a new array; a small one where there is none."""
        return self.changed(design, rng)

    @abstractmethod
    def combined(self, mother: Design, father: Design, rng: np.random.Generator) -> Design:
        """A child of two designs, which has a part of either."""

    @abstractmethod
    def decoded(self, vector: NDArray[np.float64]) -> Design:
        """The design that a float64 vector [dimension] of numbers around 0 and of size 1 stands for."""

    @abstractmethod
    def structure(self, design: Design) -> Atoms:
        """Its atoms."""

    @abstractmethod
    def features(self, designs: Sequence[Design]) -> NDArray[np.float64]:
        """float64 [designs, features] for models that learn: equal for designs that are the same by symmetry."""

    @abstractmethod
    def name(self, design: Design) -> bytes:
        """What tells designs apart: equal for those that are the same by symmetry."""

    def canonical(self, design: Design) -> Design:
        """The one, of all designs of the same name, that is measured for them."""
        return design

    def settled(self, design: Design) -> tuple[Design, Cost]:
        """What becomes of the design by itself before it is measured, as by relaxation; and what that costs.

        Raises:
            SimulationError: it falls apart.
        """
        return design, Cost()
