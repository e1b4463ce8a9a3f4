"""Random clusters that have a point group."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]

ROTATIONS = ("C2", "C3", "C4", "C5", "C6", "D2", "D3", "D4", "D5", "D6", "T", "O", "I")
INVERSION, MIRROR = np.diag([-1.0, -1.0, -1.0]), np.diag([1.0, -1.0, 1.0])  # the plane holds the axes of Cn
ORDER = 60  # a multiple of that of every operation
TRIES = 25  # to place an orbit
SAME = 1e-6


@dataclass(frozen=True)
class PointGroup:
    """Operations, and where a point may be so that some of them leave it there.

    Attributes:
        operations: float64 [operations, 3, 3].
        places: kinds of place, each a list of projections [3, 3] onto planes, axes or the centre (or of the identity),
            by the number of points in an orbit.
    """

    operations: Array
    places: dict[int, list[Array]]


@cache
def point_groups() -> list[PointGroup]:
    """Rotations alone, with the inversion, and with a mirror."""
    groups = []
    for name in ROTATIONS:
        rotations = Rotation.create_group(name).as_matrix()
        for added in (None, INVERSION, MIRROR):
            operations = rotations if added is None else np.concatenate([rotations, rotations @ added])
            products = np.einsum("aij,bjk->abik", operations, operations).reshape(-1, 9)
            if cdist(products, operations.reshape(-1, 9)).min(axis=1).max() < SAME:
                groups.append(PointGroup(operations, _places(operations)))
    return groups


def _places(operations: Array) -> dict[int, list[Array]]:
    places: dict[int, list[Array]] = {1: [np.zeros((3, 3))]}
    point = np.array([0.6, 0.48, 0.64])  # nothing special
    for operation in operations:
        projection = np.mean([np.linalg.matrix_power(operation, k) for k in range(ORDER)], axis=0)
        if np.abs(projection).max() > SAME:
            size = len(_orbit(operations, projection @ point))
            places.setdefault(size, []).append(projection)
    return places


def _orbit(operations: Array, point: Array) -> Array:
    images = operations @ point
    first = np.argmax(cdist(images, images) < SAME * (1.0 + np.abs(point).max()), axis=1)
    return np.asarray(images[np.unique(first)])


def symmetric_cloud(kinds: NDArray[np.int64], apart: float, radius: float, rng: np.random.Generator) -> Array:
    """Positions of atoms in a ball, none closer than `apart`, that a random point group about its centre leaves alone.

    Low minima of clusters are often symmetric (Wales, Chem. Phys. Lett. 285, 330 (1998),
    doi:10.1016/S0009-2614(98)00044-X), and a symmetric start is one of few degrees of freedom; random searches for
    crystals start so, too (Pickard and Needs, J. Phys.: Condens. Matter 23, 053201 (2011),
    doi:10.1088/0953-8984/23/5/053201). Orbits of random points are added, some of them on axes and planes, until
    no atom is left; a group for which that does not come out gives way to another.

    Args:
        kinds: int64 [atoms], species of each.
        apart: minimum distance, in the unit of `radius`.
        radius: of the ball.
        rng: source of the randomness.
    """
    groups = point_groups()
    while True:
        group, positions = groups[rng.integers(len(groups))], np.full((len(kinds), 3), np.inf)
        free = np.ones(len(kinds), bool)
        for _ in range(TRIES):
            kind = rng.choice(kinds[free])
            rows = np.flatnonzero(free & (kinds == kind))
            sizes = [size for size in group.places if size <= len(rows)]
            places = group.places[sizes[rng.integers(len(sizes))]]
            point = rng.normal(size=3)
            point *= radius * rng.random() ** (1 / 3) / np.linalg.norm(point)
            point = places[rng.integers(len(places))] @ point
            # As everything is symmetric, one point of the orbit is as near to all others as any other point of it.
            images = np.linalg.norm(group.operations @ point - point, axis=1)
            others = np.linalg.norm(positions[~free] - point, axis=1)
            nearest = min(images[images > SAME * radius].min(initial=np.inf), others.min(initial=np.inf))
            if nearest < apart:
                continue
            orbit = _orbit(group.operations, point)
            if len(orbit) <= len(rows):
                positions[rows[: len(orbit)]], free[rows[: len(orbit)]] = orbit, False
            if not free.any():
                return positions
