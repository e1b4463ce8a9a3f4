"""Atoms as a scene: Jmol's colours or those of a scalar, radii in proportion to the covalent ones, bonds, cell."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.data.colors import jmol_colors
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from matdesign.errors import InputError
from matdesign.render.colours import Scalar, by_species
from matdesign.scene import Legend, Scene, triple

CELL = (0.35, 0.38, 0.42, 1.0)
FILL, FILL_WITH_BONDS, BOND = 0.92, 0.6, 0.26
AXES = ("xyz", "abc")


@dataclass(frozen=True, kw_only=True)
class Bonds:
    """Which atoms are joined by a bond.

    Attributes:
        factor: those not farther apart than this times the sum of their covalent radii.
        cutoff: those not farther apart than this, in the atoms' unit, whatever their species; in place of `factor`.
        radius: of the bonds, in the atoms' unit; default: about a quarter of the smallest atom's.
    """

    factor: float = 1.2
    cutoff: float | None = None
    radius: float | None = None

    def __post_init__(self) -> None:
        for name in ("factor", "cutoff", "radius"):
            value = getattr(self, name)
            if value is not None and not 0 < value < np.inf:
                raise InputError(f"bonds: {name} is {value}: it must be a positive number")


@dataclass(frozen=True, kw_only=True)
class Slice:
    """The atoms between two parallel planes; those outside are not drawn.

    Attributes:
        normal: "x", "y", "z", or the Miller indices (h, k, l) of the planes.
        low, high: distance of the planes from the origin along the normal, in the atoms' unit.
    """

    normal: str | tuple[int, int, int]
    low: float = -np.inf
    high: float = np.inf

    def keeps(self, atoms: Atoms) -> NDArray[np.bool_]:
        """Which atoms lie between the planes, bool [atoms].

        Raises:
            InputError: a normal without direction, Miller indices without a cell, or low above high.
        """
        if isinstance(self.normal, str):
            if self.normal not in ("x", "y", "z"):
                raise InputError(f"slice normal to {self.normal!r}: use x, y, z or Miller indices")
            normal = np.eye(3)["xyz".index(self.normal)]
        else:
            if len(self.normal) != 3 or not any(self.normal) or atoms.cell.rank != 3:
                raise InputError(f"slice normal to {self.normal}: give three Miller indices and atoms in a cell")
            normal = np.array(self.normal, float) @ atoms.cell.reciprocal()
        if not self.low <= self.high:
            raise InputError(f"slice from {self.low} to {self.high}: the lower plane must be below the upper one")
        height = atoms.positions @ normal / np.linalg.norm(normal)
        kept: NDArray[np.bool_] = (height >= self.low) & (height <= self.high)
        return kept


def scene_from_atoms(
    atoms: Atoms,
    *,
    fill: float | None = None,
    radii: NDArray[Any] | None = None,
    cell: bool = True,
    colour: Scalar | None = None,
    bonds: Bonds | None = None,
    slices: Sequence[Slice] = (),
    axes: str | None = None,
    legend: bool = True,
) -> Scene:
    """Return spheres at the atoms, wrapped into the cell where it is periodic, and lines along the edges of the cell.

    Bonds are in the colours of their atoms. One that leaves the cell is drawn from both its atoms, half as long.

    Args:
        atoms: at least one, lengths in any unit.
        fill: radii of neighbours add up to this fraction of their distance, for the median atom; 1 means touching;
            default: 0.92, or 0.6 with bonds.
        radii: of the atoms, in their unit, [atoms], in place of `fill`; the frames of a video need the same:
            `0.92 * touching_radii(first)`.
        cell: whether to draw the cell.
        colour: a scalar that gives the atoms their colours; default: their species.
        bonds: which atoms have bonds; default: none.
        slices: planes between which atoms are drawn.
        axes: "xyz" for a triad of the axes, "abc" for one of the cell's vectors.
        legend: whether to say what the colours mean: a colour bar, or the names of several species.

    Raises:
        InputError: no atoms, or none between the planes; positions that are not finite; an unknown species; radii that
            are not positive; anything `Scalar`, `Bonds` and `Slice` refuse.
    """
    if len(atoms) == 0 or not np.isfinite(atoms.positions).all():
        raise InputError(f"cannot draw {len(atoms)} atoms: there must be at least one, at finite positions")
    unknown = np.flatnonzero((atoms.numbers < 1) | (atoms.numbers >= len(jmol_colors)))
    if len(unknown):
        number = atoms.numbers[unknown[0]]
        raise InputError(f"atom {unknown[0]} has no known species (atomic number {number}): name the atoms' species")
    if axes is not None and (axes not in AXES or (axes == "abc" and atoms.cell.rank != 3)):
        raise InputError(f"axes {axes!r}: use xyz, or abc for atoms in a cell")
    atoms = atoms.copy()
    if atoms.pbc.any():
        atoms.wrap()
    kept = np.logical_and.reduce([np.ones(len(atoms), bool), *(cut.keeps(atoms) for cut in slices)])
    if not kept.any():
        raise InputError(f"none of the {len(atoms)} atoms is between the planes of {', '.join(map(str, slices))}")
    if radii is None:
        radii = touching_radii(atoms) * (fill if fill is not None else FILL_WITH_BONDS if bonds else FILL)
    elif np.shape(radii) != (len(atoms),):
        raise InputError(f"radii of shape {np.shape(radii)} for {len(atoms)} atoms: give one for each")
    if not (np.isfinite(radii).all() and np.min(radii) > 0):
        raise InputError(f"an atom's radius is {np.min(radii)}: radii must be positive")
    if colour is None:
        colours, meaning = by_species(atoms)
    else:
        colours, bar = colour.painted(atoms)
        meaning = Legend(colour_bar=bar)
    spheres = np.ones((len(atoms), 8), np.float32)
    spheres[:, :3], spheres[:, 3], spheres[:, 4:7] = atoms.positions, radii, colours
    scene = Scene(spheres=spheres[kept], legend=meaning if legend else Legend())
    if bonds:
        scene.cylinders = _bonds(atoms, bonds, kept, spheres)
    if cell and atoms.pbc.any() and atoms.cell.rank == 3:
        scene.lines = _edges(atoms.cell.array)
    if axes is not None:
        directions = np.eye(3) if axes == "xyz" else atoms.cell.array
        triad = tuple((name, triple(vector)) for name, vector in zip(axes, directions, strict=True))
        scene.legend = replace(scene.legend, axes=triad)
    return scene


def touching_radii(atoms: Atoms) -> NDArray[np.float64]:
    """Radii [atoms], in proportion to the covalent ones, for which the median atom touches its nearest neighbour."""
    radii: NDArray[np.float64] = covalent_radii[atoms.numbers]
    if len(atoms) == 1:
        return radii
    if atoms.pbc.all():
        cutoff = 1.5 * (abs(atoms.cell.volume) / len(atoms)) ** (1 / 3)
    else:
        cutoff = 2.0 * np.ptp(atoms.positions, axis=0).max() / max(1.0, len(atoms) ** (1 / 3) - 1)
    i, j, distance = neighbor_list("ijd", atoms, cutoff)
    nearest = np.full(len(atoms), np.inf)
    np.minimum.at(nearest, i, distance / (radii[i] + radii[j]))
    apart = nearest[np.isfinite(nearest) & (nearest > 0)]
    return radii * np.median(apart) if len(apart) else radii


def _bonds(atoms: Atoms, bonds: Bonds, kept: NDArray[np.bool_], spheres: NDArray[np.float32]) -> NDArray[np.float32]:
    """Half a bond from each of its atoms, [halves, 11]: two of them meet, or end where the cell does."""
    cutoff = bonds.cutoff if bonds.cutoff is not None else bonds.factor * covalent_radii[atoms.numbers]
    i, j, vectors = neighbor_list("ijD", atoms, cutoff)
    seen = kept[i] & kept[j] & (np.linalg.norm(vectors, axis=1) > 0)
    i, vectors = i[seen], vectors[seen]
    rows = np.ones((len(i), 11), np.float32)
    rows[:, :3] = atoms.positions[i]
    rows[:, 3:6] = atoms.positions[i] + vectors / 2
    rows[:, 6] = bonds.radius if bonds.radius is not None else BOND * spheres[:, 3].min()
    rows[:, 7:10] = spheres[i, 4:7]
    return rows


def _edges(cell: NDArray[np.float64]) -> NDArray[np.float32]:
    """The twelve edges of a cell as lines, [12, 10]."""
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    edges = [(a, b) for a in corners for b in corners if (b - a).sum() == 1 and (b - a).min() == 0]
    return np.array([[*(a @ cell), *(b @ cell), *CELL] for a, b in edges], np.float32)
