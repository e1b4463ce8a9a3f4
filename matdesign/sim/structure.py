"""Starting structures: crystals, random packings and structure files, as checked ASE Atoms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.build import make_supercell
from ase.cell import Cell
from ase.geometry import minkowski_reduce
from ase.spacegroup import crystal
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from matdesign.errors import InputError
from matdesign.files import user_path
from matdesign.sim.exchange import read_structure
from matdesign.sim.material import LENGTH_UNITS, Material

# Prototype structures: number of the space group and one Wyckoff position for each sublattice.
LATTICES: dict[str, tuple[int, tuple[tuple[float, float, float], ...]]] = {
    "sc": (221, ((0, 0, 0),)),
    "fcc": (225, ((0, 0, 0),)),
    "bcc": (229, ((0, 0, 0),)),
    "hcp": (194, ((1 / 3, 2 / 3, 1 / 4),)),
    "diamond": (227, ((0, 0, 0),)),
    "zincblende": (216, ((0, 0, 0), (1 / 4, 1 / 4, 1 / 4))),
    "rocksalt": (225, ((0, 0, 0), (1 / 2, 1 / 2, 1 / 2))),
    "B2": (221, ((0, 0, 0), (1 / 2, 1 / 2, 1 / 2))),  # CsCl
    "L1_2": (221, ((0, 1 / 2, 1 / 2), (0, 0, 0))),  # Cu3Au: the majority species first
}

KINDS = ("crystal", "packing", "file")
MAX_ATOMS = 10_000_000
OVERLAP = 0.6  # atoms closer than this times the material's length scale are an error in the input
_SWEEPS = 2000  # of the overlap removal; packings that exist are found in far fewer


@dataclass(frozen=True, kw_only=True)
class StartingStructure:
    """Where the atoms are at the beginning; lengths in the material's unit (A, or sigma in units lj).

    Attributes:
        kind: "crystal", "packing" (random) or "file".
        lattice: a name in `LATTICES` (crystal).
        a: lattice constant (crystal).
        c: second lattice constant (crystal, hcp only).
        sublattices: chemical symbol on each sublattice (crystal); default: the material's species in order.
        repeat: how often the cell is repeated along its three vectors (crystal, file).
        atoms: how many (packing).
        density: atoms per volume (packing); the volume is a cubic cell, or a sphere if not periodic.
        min_distance: no two atoms are closer (packing); closer ones are an error (crystal, file).
            Default: `OVERLAP` times the material's length scale.
        periodic: whether the boundaries are; default: as in the file, else True. False removes the cell.
        path: structure file that ASE reads: CIF, XYZ, extended XYZ, POSCAR, LAMMPS data (file).
        composition: fraction of each species, put on the sites at random in exact numbers (crystal, packing).
    """

    kind: str
    lattice: str | None = None
    a: float | None = None
    c: float | None = None
    sublattices: Sequence[str] | None = None
    repeat: Sequence[int] = (1, 1, 1)
    atoms: int | None = None
    density: float | None = None
    min_distance: float | None = None
    periodic: bool | None = None
    path: str | None = None
    composition: Mapping[str, float] | None = None

    def build(self, material: Material, *, seed: int = 0) -> Atoms:
        """Return the atoms, free of overlaps and of species that the material lacks; the same seed gives the same.

        Raises:
            InputError: a value is missing or impossible, or the structure does not fit the material.
        """
        if self.kind not in KINDS:
            raise InputError(f"structure.kind {self.kind!r} is unknown: use {', '.join(KINDS)}")
        if self.min_distance is None:
            min_distance = OVERLAP * material.length_scale
        else:
            min_distance = _positive("min_distance", self.min_distance)
        rng = np.random.default_rng(seed)
        if self.kind == "file":
            atoms = self._repeated(self._read(material))
        elif self.kind == "crystal":
            atoms = self._repeated(self._cell(material))
        else:
            atoms = self._packing(material, min_distance, rng)
        if self.composition is not None:
            atoms.symbols = decorate(len(atoms), self.composition, rng)
        check_atoms(atoms, material, min_distance)
        return atoms

    def _read(self, material: Material) -> Atoms:
        if self.path is None:
            raise InputError("structure.path is not set: name a structure file (CIF, XYZ, POSCAR, LAMMPS data)")
        atoms = read_structure(user_path(self.path), species=material.species)
        if self.periodic is False:
            atoms.pbc, atoms.cell = False, None
        elif self.periodic is True:
            atoms.pbc = True
        return atoms

    def _cell(self, material: Material) -> Atoms:
        if self.lattice not in LATTICES:
            raise InputError(f"structure.lattice {self.lattice!r} is unknown: use {', '.join(LATTICES)}")
        group, sites = LATTICES[self.lattice]
        symbols = tuple(material.species[: len(sites)] if self.sublattices is None else self.sublattices)
        if len(symbols) != len(sites):
            raise InputError(
                f"structure.sublattices {list(symbols)}: one species for each of the {len(sites)} of {self.lattice}"
            )
        _known(symbols, material)
        a = _positive("a", self.a)
        if self.lattice == "hcp":
            c = _positive("c", self.c)
            cell = crystal(symbols, sites, spacegroup=group, cellpar=[a, a, c, 90, 90, 120])
            cell = make_supercell(cell, [[1, 0, 0], [1, 2, 0], [0, 0, 1]])  # right angles, 4 atoms
        else:
            cell = crystal(symbols, sites, spacegroup=group, cellpar=[a, a, a, 90, 90, 90])
        periodic = self.periodic is not False
        return Atoms(cell.symbols, cell.positions, cell=cell.cell, pbc=periodic)

    def _repeated(self, atoms: Atoms) -> Atoms:
        repeat = tuple(self.repeat)
        if len(repeat) != 3 or any(not isinstance(n, int) or n < 1 for n in repeat):
            raise InputError(f"structure.repeat {list(repeat)}: give three whole numbers of at least 1")
        if len(atoms) * repeat[0] * repeat[1] * repeat[2] > MAX_ATOMS:
            raise InputError(f"structure.repeat {list(repeat)} makes more than {MAX_ATOMS} atoms: lower it")
        if repeat != (1, 1, 1):
            if atoms.cell.rank < 3:
                raise InputError(f"structure.repeat {list(repeat)} needs a cell, there is none: set it to [1, 1, 1]")
            atoms = atoms * repeat
        if self.kind == "crystal" and self.periodic is False:
            atoms.cell = None
        return atoms

    def _packing(self, material: Material, min_distance: float, rng: np.random.Generator) -> Atoms:
        if not isinstance(self.atoms, int) or not 1 <= self.atoms <= MAX_ATOMS:
            raise InputError(f"structure.atoms is {self.atoms}: give a whole number from 1 to {MAX_ATOMS}")
        if self.composition is None and len(material.species) > 1:
            raise InputError(
                f"structure.composition is not set: material {material.name!r} has species {list(material.species)}, "
                "give the fraction of each"
            )
        volume = self.atoms / _positive("density", self.density)
        symbols = [material.species[0]] * self.atoms
        if self.periodic is False:
            radius = (3 * volume / (4 * np.pi)) ** (1 / 3)
            return Atoms(symbols, random_packing(self.atoms, min_distance, rng, radius=radius))
        edge = volume ** (1 / 3)
        return Atoms(symbols, random_packing(self.atoms, min_distance, rng, edge=edge), cell=[edge] * 3, pbc=True)


def random_packing(
    count: int,
    min_distance: float,
    rng: np.random.Generator,
    *,
    edge: float | None = None,
    radius: float | None = None,
) -> NDArray[np.float64]:
    """Return random positions [count, 3], no two closer than `min_distance`.

    Uniformly random points, whose overlaps are then removed by moving both atoms of each close pair apart, each half
    of what is missing (and a little more, so that it ends), in sweeps over all pairs.

    Args:
        count: number of atoms.
        min_distance: in the unit of `edge` or `radius`.
        rng: source of the randomness.
        edge: of a periodic cube with a corner at the origin.
        radius: of a free sphere about the origin; give this or `edge`.

    Raises:
        InputError: there is no room for the atoms.
    """
    if edge is not None:
        # Images must be closer to nobody, and spheres of that diameter fill at most 74 % (close packing).
        possible = edge >= min_distance and np.pi / 6 * count * min_distance**3 <= 0.7405 * edge**3
        positions = rng.uniform(0, edge, (count, 3))
    else:
        assert radius is not None
        possible = count * min_distance**3 <= 0.7405 * (2 * radius + min_distance) ** 3 or count == 1
        direction = rng.normal(size=(count, 3))
        positions = direction / np.linalg.norm(direction, axis=1, keepdims=True)
        positions *= radius * rng.uniform(size=(count, 1)) ** (1 / 3)
    for _ in range(_SWEEPS if possible else 0):
        pairs = cKDTree(positions, boxsize=edge).query_pairs(min_distance, output_type="ndarray")
        if len(pairs) == 0:
            return positions
        i, j = pairs.T
        apart = positions[i] - positions[j]
        if edge is not None:
            apart -= edge * np.round(apart / edge)
        distance = np.linalg.norm(apart, axis=1, keepdims=True)
        push = apart * (0.505 * min_distance / np.maximum(distance, 1e-9 * min_distance) - 0.5)
        np.add.at(positions, i, push)
        np.add.at(positions, j, -push)
        if edge is not None:
            positions %= edge
            positions[positions >= edge] = 0.0  # the remainder of a tiny negative number
        else:
            assert radius is not None
            positions /= np.maximum(1, np.linalg.norm(positions, axis=1, keepdims=True) / radius)
    room = f"a cube of edge {edge:.4g}" if edge is not None else f"a sphere of radius {radius:.4g}"
    raise InputError(
        f"cannot place {count} atoms at least {min_distance:.4g} apart in {room}: lower structure.density or "
        "structure.min_distance"
    )


def decorate(count: int, composition: Mapping[str, float], rng: np.random.Generator) -> list[str]:
    """Return `count` chemical symbols in random order, in numbers nearest to the fractions (largest remainders).

    Raises:
        InputError: the fractions are negative or do not add up to 1.
    """
    fractions = np.array(list(composition.values()), dtype=float)
    if not (np.all(fractions >= 0) and abs(fractions.sum() - 1) < 1e-6):
        raise InputError(f"structure.composition {dict(composition)}: give fractions that add up to 1")
    ideal = fractions * count
    numbers = np.floor(ideal + 1e-9).astype(int)
    for k in np.argsort(numbers - ideal, kind="stable")[: count - numbers.sum()]:
        numbers[k] += 1
    return list(rng.permutation(np.repeat(list(composition), numbers)))


def check_atoms(atoms: Atoms, material: Material, min_distance: float) -> None:
    """Raise InputError if the atoms cannot be simulated as this material.

    That is: no atoms, a position that is not finite, a species that the material lacks, a periodic direction without
    cell vector, or two atoms closer than `min_distance` (in the material's length unit).
    """
    if len(atoms) == 0:
        raise InputError("the structure has zero atoms: give at least one")
    bad = np.flatnonzero(~np.isfinite(atoms.positions).all(axis=1))
    if len(bad):
        raise InputError(f"the position of atom {bad[0] + 1} is {atoms.positions[bad[0]]}: it must be finite numbers")
    _known(sorted(set(atoms.symbols)), material)
    cell = _periodic_cell(atoms)
    missing = atoms.pbc & ~cell.array.any(axis=1)
    measured = (abs(cell.array) < 1e30).all()  # neither infinite nor NaN, and its volume neither
    if not measured or missing.any() or abs(cell.complete().volume) < 1e-9:
        raise InputError("the structure is periodic but has no cell: give it one, or set structure.periodic=false")
    i, j, distance = _closest(atoms, min_distance)
    if distance < min_distance:
        raise InputError(
            f"atoms {i + 1} and {j + 1} overlap: they are {distance:.4g} {LENGTH_UNITS[material.units]} "
            f"apart, less than {min_distance:.4g}; move them apart or lower structure.min_distance"
        )


def _periodic_cell(atoms: Atoms) -> Cell:
    """The cell without the vectors of free directions, which mean nothing."""
    return Cell(np.where(atoms.pbc[:, None], atoms.cell.array, 0.0))


def _closest(atoms: Atoms, reach: float) -> tuple[int, int, float]:
    """Return the closest two atoms, or an atom and its own image, and their distance: infinity if beyond `reach`."""
    # The shortest cell vectors there are, so that few images matter.
    cell = minkowski_reduce(_periodic_cell(atoms).complete(), pbc=atoms.pbc)[0]
    shortest = np.linalg.norm(cell[atoms.pbc], axis=1).min(initial=np.inf)
    if shortest < reach:
        return 0, 0, float(shortest)
    inverse = np.linalg.inv(cell)
    points = atoms.positions @ inverse  # in cell vectors
    points[:, atoms.pbc] %= 1.0
    owners = np.arange(len(atoms))
    for axis in np.flatnonzero(atoms.pbc):
        margin = reach * np.linalg.norm(inverse[:, axis])  # over the height of the cell
        layers = int(np.ceil(margin))
        # The atoms themselves stay first; images follow as far out as they may matter.
        shifts = sorted(range(-layers, layers + 1), key=abs)
        images = np.concatenate([points + shift * np.eye(3)[axis] for shift in shifts])
        near = (images[:, axis] >= -margin) & (images[:, axis] <= 1 + margin)
        points, owners = images[near], np.tile(owners, len(shifts))[near]
    points = points @ cell
    distance, index = cKDTree(points).query(points[: len(atoms)], k=2, distance_upper_bound=reach)
    i = int(np.argmin(distance[:, 1]))
    if not np.isfinite(distance[i, 1]):
        return i, i, np.inf
    other = int(owners[index[i, 1] if index[i, 1] != i else index[i, 0]])
    return min(i, other), max(i, other), float(distance[i, 1])


def _known(symbols: Sequence[str], material: Material) -> None:
    for symbol in symbols:
        if symbol not in material.species:
            raise InputError(
                f"the structure has species {symbol!r}, material {material.name!r} is for {', '.join(material.species)}"
            )


def _positive(name: str, value: float | None) -> float:
    if not isinstance(value, int | float) or not 1e-30 <= value <= 1e30:  # its cube is a number too
        raise InputError(f"structure.{name} is {value}: give a positive number from 1e-30 to 1e30")
    return float(value)
