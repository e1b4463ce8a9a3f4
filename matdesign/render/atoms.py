"""Atoms as a scene: Jmol's colours, radii in proportion to the covalent ones."""

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.data.colors import jmol_colors
from ase.neighborlist import neighbor_list

from matdesign.errors import InputError
from matdesign.scene import Scene

CELL = (0.35, 0.38, 0.42, 1.0)


def scene_from_atoms(atoms: Atoms, *, fill: float = 0.92, cell: bool = True) -> Scene:
    """Return spheres at the atoms, wrapped into the cell where it is periodic, and lines along the edges of the cell.

    Args:
        atoms: at least one, lengths in any unit.
        fill: radii of neighbours add up to this fraction of their distance, for the median atom; 1 means touching.
        cell: whether to draw the cell.

    Raises:
        InputError: no atoms, or positions that are not finite.
    """
    if len(atoms) == 0 or not np.isfinite(atoms.positions).all():
        raise InputError(f"cannot draw {len(atoms)} atoms: there must be at least one, at finite positions")
    radii = covalent_radii[atoms.numbers]
    spheres = np.empty((len(atoms), 8), np.float32)
    spheres[:, :3] = atoms.get_positions(wrap=bool(atoms.pbc.any()))
    spheres[:, 3] = radii * fill * _scale(atoms, radii)
    spheres[:, 4:7] = jmol_colors[atoms.numbers]
    spheres[:, 7] = 1.0
    if not (cell and atoms.pbc.any() and atoms.cell.rank == 3):
        return Scene(spheres=spheres)
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    edges = [(a, b) for a in corners for b in corners if (b - a).sum() == 1 and (b - a).min() == 0]
    lines = np.array([[*(a @ atoms.cell.array), *(b @ atoms.cell.array), *CELL] for a, b in edges], np.float32)
    return Scene(spheres=spheres, lines=lines)


def _scale(atoms: Atoms, radii: np.ndarray) -> float:
    """Factor that makes the nearest neighbours of the median atom touch; 1 for a single atom."""
    if len(atoms) == 1:
        return 1.0
    cutoff = 1.5 * (abs(atoms.cell.volume) / len(atoms)) ** (1 / 3) if atoms.pbc.all() else np.inf
    if np.isinf(cutoff):
        span = np.ptp(atoms.positions, axis=0).max()
        cutoff = 2.0 * span / max(1.0, len(atoms) ** (1 / 3) - 1)
    i, j, distance = neighbor_list("ijd", atoms, cutoff)
    if len(i) == 0:
        return 1.0
    nearest = np.full(len(atoms), np.inf)
    np.minimum.at(nearest, i, distance / (radii[i] + radii[j]))
    return float(np.median(nearest[np.isfinite(nearest)]))
