"""Neighbours of every atom, for any cell and boundaries: all pairs within a distance, or the nearest ones."""

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.cell import Cell
from ase.geometry import minkowski_reduce
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks
from scipy.spatial import cKDTree

from matdesign.errors import InputError
from matdesign.properties.measurement import Array
from matdesign.properties.property import System

PROMINENCE = 0.1  # of the first peak: smaller bumps of a radial distribution are noise
WIDTH = 0.04  # of the Gaussian that smooths it, in shortest distances
EXTENT = 2.5  # mean nearest distances within which the first shell ends
# An empty layer is vacuum if it is wider than so many length scales and, in a gas, so many mean spacings.
VACUUM, SPARSE = 3.0, 1.5
MOST_IMAGES, MOST_PAIRS = 2 * 10**7, 3 * 10**7  # a few gigabytes


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Neighbours of atoms, in rows [pairs] or [atoms, neighbours].

    Attributes:
        centres: atom at the centre; each pair of atoms occurs twice, once from either side.
        others: its neighbour; an atom is its own neighbour where one of its images is.
        vectors: from centre to neighbour [..., 3].
        distances: their lengths.
    """

    centres: NDArray[np.intp]
    others: NDArray[np.intp]
    vectors: Array
    distances: Array


def within(atoms: Atoms, cutoff: float) -> Neighbours:
    """All pairs of atoms and images no farther apart than `cutoff`, in no particular order.

    Raises:
        InputError: they are too many.
    """
    points, owners = _images(atoms, cutoff)
    centres, others = cKDTree(points[: len(atoms)]), cKDTree(points)
    if len(atoms) * len(points) > MOST_PAIRS and centres.count_neighbors(others, cutoff) > MOST_PAIRS:
        raise InputError(f"more than {MOST_PAIRS:.0e} pairs of atoms are closer than {cutoff:g}: lower the cutoff")
    found = centres.sparse_distance_matrix(others, cutoff, output_type="ndarray")
    found = found[found["i"] != found["j"]]  # images of an atom come after all atoms
    i, j = found["i"], found["j"]
    return Neighbours(centres=i, others=owners[j], vectors=points[j] - points[i], distances=found["v"])


def nearest(atoms: Atoms, count: int) -> Neighbours:
    """The `count` nearest neighbours of each atom, nearest first: arrays [atoms, count].

    Raises:
        InputError: there are no boundaries and too few atoms.
    """
    if not atoms.pbc.any() and len(atoms) <= count:
        raise InputError(f"{count} neighbours of each atom are asked for, but the cluster has {len(atoms)} atoms")
    reach = float((count * _cell(atoms).volume / len(atoms)) ** (1 / 3))
    while True:
        points, owners = _images(atoms, reach)
        limit = reach if atoms.pbc.any() else np.inf
        distances, index = cKDTree(points).query(points[: len(atoms)], k=count + 1, distance_upper_bound=limit)
        if np.isfinite(distances).all():
            break
        reach *= 1.5
    centres, index = np.arange(len(atoms))[:, None], index[:, 1:]
    return Neighbours(
        centres=np.broadcast_to(centres, index.shape),
        others=owners[index],
        vectors=points[index] - points[centres],
        distances=distances[:, 1:],
    )


def first_shell(atoms: Atoms) -> float:
    """The distance at which the first shell of neighbours ends: the first minimum of the radial distribution.

    Raises:
        InputError: there are fewer than two atoms, or the distances form no shell.
    """
    bond = bond_length(atoms)
    counts, edges = np.histogram(within(atoms, EXTENT * bond).distances, bins=500, range=(0, EXTENT * bond))
    r = 0.5 * (edges[1:] + edges[:-1])
    end = first_minimum(r, counts / r**2)
    if end is None:
        raise InputError("the distances of the atoms form no first shell, as in a gas: give property.cutoff")
    return end


def first_minimum(r: Array, g: Array) -> float | None:
    """Where a radial distribution g(r) on an even grid has its first minimum after its first peak; None without one."""
    smooth = gaussian_filter1d(g, WIDTH * r[np.argmax(g > 0)] / (r[1] - r[0]), mode="constant")
    # What lies beyond the grid counts as high, so that a distance after which there is nothing is a minimum.
    smooth = np.append(smooth, smooth.max())
    peaks, _ = find_peaks(smooth[:-1], prominence=PROMINENCE * smooth.max())
    if len(peaks) == 0:
        return None
    minima, _ = find_peaks(-smooth, prominence=PROMINENCE * smooth[peaks[0]])
    after = minima[minima > peaks[0]]
    return float(r[after[0]]) if len(after) else None


def bond_length(atoms: Atoms) -> float:
    """Mean distance of the nearest neighbour."""
    return float(nearest(atoms, 1).distances.mean())


def mean_spacing(atoms: Atoms) -> float:
    """Edge of a cube with the volume of one atom, (V/N)^(1/3), of a structure that is periodic in three directions."""
    return float((atoms.get_volume() / len(atoms)) ** (1 / 3))


def check_filled(name: str, system: System) -> None:
    """For what needs matter all through a cell that is periodic in three directions.

    Raises:
        InputError: a layer across the cell is empty, as around a cluster or a slab.
    """
    atoms = system.structure
    widest = max(VACUUM * system.material.length_scale, SPARSE * mean_spacing(atoms))
    for axis, column in enumerate(atoms.cell.reciprocal().array):
        places = np.sort(atoms.positions @ column % 1.0)
        gap = np.diff(places, append=places[0] + 1.0).max() / np.linalg.norm(column)
        if gap > widest:
            raise InputError(
                f"{name} needs atoms all through the cell: {gap:.4g} {system.units.length} of it along {'abc'[axis]} "
                "are empty, as around a cluster or a slab; use a cell that the atoms fill"
            )


def _cell(atoms: Atoms) -> Cell:
    """The cell without what free directions hold: there it is one unit of length."""
    periodic: Cell = Cell(np.where(atoms.pbc[:, None], atoms.cell.array, 0.0)).complete()
    return periodic


def _images(atoms: Atoms, reach: float) -> tuple[Array, NDArray[np.intp]]:
    """Positions of the atoms, wrapped, then those of all images closer than `reach` to the cell; and whose they are."""
    # The shortest cell vectors there are, so that few images matter.
    cell = minkowski_reduce(_cell(atoms), pbc=atoms.pbc)[0]
    inverse = np.linalg.inv(cell)
    layers = 1 + 2 * reach * np.linalg.norm(inverse, axis=0)[atoms.pbc]
    if len(atoms) * np.prod(layers) > MOST_IMAGES:
        raise InputError(f"more than {MOST_IMAGES:.0e} images of atoms are closer than {reach:g}: lower the cutoff")
    points = atoms.positions @ inverse
    points[:, atoms.pbc] %= 1.0
    owners = np.arange(len(atoms))
    for axis in np.flatnonzero(atoms.pbc):
        margin = reach * np.linalg.norm(inverse[:, axis])  # in heights of the cell
        layers = int(np.ceil(margin))
        shifts = np.array(sorted(range(-layers, layers + 1), key=abs))
        copies = (points + shifts[:, None, None] * np.eye(3)[axis]).reshape(-1, 3)
        near = (copies[:, axis] >= -margin) & (copies[:, axis] <= 1 + margin)
        points, owners = copies[near], np.tile(owners, len(shifts))[near]
    return points @ cell, owners
