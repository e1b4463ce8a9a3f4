"""How neighbours are laid out in a row of observations, and all that an atom sees."""

from dataclasses import dataclass

VECTORS = ("force", "velocity", "last action", "goal", "from centre of mass", "displacement")
ORDER_VECTORS = ("order gradient",)  # after those, where the atoms are rewarded for order


@dataclass(frozen=True, kw_only=True)
class NeighbourList:
    """Where an observation lists neighbours: `count` times `columns`, zeros where there is none.

    Attributes:
        first: column.
        count: neighbours listed.
        columns: of each.
    """

    first: int
    count: int
    columns: int

    @property
    def last(self) -> int:
        """Column behind the list."""
        return self.first + self.count * self.columns


@dataclass(frozen=True, kw_only=True)
class AtomsLayout:
    """Columns of one atom's observation: scalars, then vectors, then neighbours nearest first.

    A neighbour is its unit vector (3), its relative velocity (3) and `neighbour_scalars` numbers, of which the first
    is the distance in units of the length scale, clipped to 3, and the second is 1 where the neighbour exists.

    Attributes:
        scalars: rotation-invariant columns.
        vectors: vectors of three columns each, in the order of VECTORS, and ORDER_VECTORS where there are more.
        neighbours: neighbours listed, k.
        neighbour_scalars: rotation-invariant columns of each neighbour.
    """

    scalars: int
    vectors: int
    neighbours: int
    neighbour_scalars: int

    @property
    def features(self) -> int:
        """Columns of one row."""
        return self.scalars + 3 * self.vectors + self.neighbours * (6 + self.neighbour_scalars)
