"""What tells arrangements of atoms apart, wherever they are, however they are turned and whichever atom comes first."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from matdesign.properties.neighbours import within

Array = NDArray[np.float64]

REACH, WIDTH = 3.0, 0.1  # of the histogram and of its bins, in length scales
BINS = round(REACH / WIDTH)


def pair_distances(atoms: Atoms, species: Sequence[str], length: float) -> Array:
    """Histogram of the distances of each pair of species, float64 [species pairs x BINS], in numbers of pairs.

    The same for arrangements that are moved, turned, mirrored or whose like atoms are exchanged. A pair is shared by
    the two bins whose centres are nearest, so that the histogram is a continuous function of the positions. Longer
    distances than `REACH` times `length` are not seen.
    """
    pairs = within(atoms, REACH * length)
    kinds = np.array([species.index(symbol) for symbol in atoms.symbols])
    first, second = np.sort([kinds[pairs.centres], kinds[pairs.others]], axis=0)
    row = first * len(species) + second
    place = pairs.distances / (WIDTH * length)
    low = np.minimum(place.astype(int), BINS - 1)
    share = np.minimum(place - low, 1.0)
    shape = (len(species) ** 2, BINS + 1)
    counts = np.bincount(row * shape[1] + low, 1.0 - share, shape[0] * shape[1])
    counts += np.bincount(row * shape[1] + low + 1, share, shape[0] * shape[1])
    # Each pair was seen from both sides; the last bin would jump where a pair leaves.
    upper = [a * len(species) + b for a in range(len(species)) for b in range(a, len(species))]
    return np.asarray(0.5 * counts.reshape(shape)[upper, :BINS].ravel())


class Names:
    """Gives equal names to histograms that differ by no more than relaxation leaves open.

    Rounding would give two names to neighbours of a limit between two numbers; here each histogram has the name of the
    first that is like it, so a name tells apart what one instance has seen and nothing else.

    Args:
        tolerance: largest difference of two bins of what is the same.
    """

    def __init__(self, tolerance: float) -> None:
        self._tolerance = tolerance
        self._seen = np.zeros((0, 0))  # rows beyond `_count` are room for more
        self._count = 0

    def __call__(self, histogram: Array) -> bytes:
        """The name."""
        if not self._count:
            self._seen = np.zeros((64, len(histogram)))
        differences = np.abs(self._seen[: self._count] - histogram).max(axis=1)
        (same,) = np.nonzero(differences <= self._tolerance)
        if len(same):
            histogram = self._seen[same[0]]
            return histogram.tobytes()
        if self._count == len(self._seen):
            self._seen = np.concatenate([self._seen, np.zeros_like(self._seen)])
        self._seen[self._count] = histogram
        self._count += 1
        return histogram.tobytes()
