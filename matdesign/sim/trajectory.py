"""Structures and trajectories from files: CIF, XYZ, extended XYZ, POSCAR, XDATCAR, LAMMPS dumps and data."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers
from numpy.typing import NDArray

from matdesign.errors import InputError

READERS = {
    ".cif": "cif",
    ".xyz": "extxyz",
    ".extxyz": "extxyz",
    ".vasp": "vasp",
    ".poscar": "vasp",
    ".data": "lammps-data",
    ".lmp": "lammps-data",
    ".dump": "lammps-dump-text",
    ".lammpstrj": "lammps-dump-text",
    ".traj": "traj",
}
# Files that have a name in place of a suffix.
NAMES = {"POSCAR": "vasp", "CONTCAR": "vasp", "XDATCAR": "vasp-xdatcar", "dump.": "lammps-dump-text"}
MOST_BYTES = 1 << 30  # of a file; in memory it is about as large
HEADER = 10_000  # characters of LAMMPS data within which the box is named
SAME_MASS = 0.1  # u; a LAMMPS type is taken for the element whose mass is as near


def read_trajectory(path: Path, *, species: Sequence[str] = (), frames: slice = slice(None)) -> list[Atoms]:
    """Read structures with what the file says of their atoms (`arrays`, `info`, calculator's results).

    The cell of a LAMMPS file is moved to the origin, its atoms with it.

    Args:
        path: the file; the format follows from its name, elsewhere from its content.
        species: chemical symbol of LAMMPS types 1, 2, ...; needed where the file itself does not name them.
        frames: which of the structures.

    Returns:
        at least one structure, each with at least one atom, finite positions and known species.

    Raises:
        InputError: the file is missing, too large, damaged or holds nothing that could be used.
    """
    name = f"structure file {str(path)!r}"
    if path.is_dir():
        raise InputError(f"{name} is a folder: name a file in it")
    if not path.is_file():
        raise InputError(f"{name} does not exist")
    if (size := path.stat().st_size) > MOST_BYTES:
        raise InputError(f"{name} has {size / 2**30:.1f} GiB, at most 1 is read: keep fewer frames or atoms in it")
    for symbol in species:
        if symbol not in atomic_numbers or symbol == "X":
            raise InputError(f"species {symbol!r} is no chemical symbol: use symbols such as Si or Ge")
    reader = _reader(path)
    columns = _dump_columns(path, name) if reader == "lammps-dump-text" else []
    origin = _data_origin(path) if reader == "lammps-data" else None
    try:
        found: Any = ase.io.read(path, index=frames, format=reader)
    except Exception as error:  # ASE's readers raise whatever the text made them stumble over
        reason = " ".join(str(error).split()) or "it ends too early"
        if isinstance(error, KeyError):
            reason = f"{reason} is no chemical symbol"
        raise InputError(f"{name} cannot be read as {reader or 'a structure'}: {reason}") from error
    if not found:
        raise InputError(
            f"{name} holds no structure, or none of the frames asked for: give another file, or other frames"
        )
    for number, atoms in enumerate(found):
        where = f"{name}, frame {number}" if len(found) > 1 else name
        if reader in ("lammps-dump-text", "lammps-data"):
            _name_types(atoms, species, "element" in columns or "mass" in columns or _known_masses(atoms), where)
            atoms.positions -= atoms.get_celldisp().ravel() if origin is None else origin
            atoms.set_celldisp(np.zeros(3))
        _check(atoms, where)
    return list(found)


def trajectory_labels(trajectory: Sequence[Atoms]) -> dict[str, NDArray[np.float64]]:
    """Numbers that every structure has and that differ among them: time step, energy, fields of `info`; [frames]."""
    rows = []
    for atoms in trajectory:
        row = {key: float(value) for key, value in atoms.info.items() if isinstance(value, int | float | np.number)}
        if atoms.calc is not None and "energy" in atoms.calc.results:
            row["energy"] = float(atoms.calc.results["energy"])
        rows.append(row)
    names = [name for name in rows[0] if all(name in row for row in rows)]
    columns = {name: np.array([row[name] for row in rows], np.float64) for name in names}
    return {name: values for name, values in columns.items() if np.ptp(values) > 0}


def _reader(path: Path) -> str | None:
    named = next((reader for part, reader in NAMES.items() if part in path.name), None)
    return READERS.get(path.suffix.lower(), named)


def _dump_columns(path: Path, name: str) -> list[str]:
    """Columns of a dump; InputError if a frame is not all there: NumPy would read what there is of it."""
    columns: list[str] = []
    rows, atoms, expected, line = 0, 0, 0, "\n"
    with path.open(errors="replace") as file:
        for line in file:
            if not line.startswith("ITEM:"):
                rows += 1
                continue
            if rows < expected:
                break
            rows, expected = 0, 0
            if line.startswith("ITEM: NUMBER OF ATOMS"):
                line = next(file, "")
                atoms = int(line) if line.strip().isdecimal() else 0
            elif line.startswith("ITEM: ATOMS"):
                columns, expected = line.split()[2:], atoms
    if rows < expected or not line.endswith("\n"):
        raise InputError(
            f"{name} ends too early ({rows} of {expected} atoms of a frame): write it again, or cut it there"
        )
    return columns


def _data_origin(path: Path) -> NDArray[np.float64] | None:
    """Lower corner of the box in LAMMPS data, which ASE does not tell; None where the box is given by vectors."""
    with path.open(errors="replace") as file:
        found = re.findall(r"^\s*(\S+)\s+\S+\s+[xyz]lo\s+[xyz]hi", file.read(HEADER), re.MULTILINE)
    try:
        return np.array(found, np.float64) if len(found) == 3 else None
    except ValueError:  # the reader says what is wrong
        return None


def _known_masses(atoms: Atoms) -> bool:
    """Whether LAMMPS data tells the elements, by labels of its types or by masses that are those of elements."""
    if atoms.has("masses"):
        return bool(np.abs(atoms.get_masses() - atomic_masses[atoms.numbers]).max(initial=0) < SAME_MASS)
    return not np.array_equal(atoms.numbers, atoms.arrays["type"])


def _name_types(atoms: Atoms, species: Sequence[str], named: bool, where: str) -> None:
    """Give the atoms of a LAMMPS file their species, where the file has types and no species of its own."""
    types = atoms.arrays.get("type")
    if types is None or len(types) == 0:
        return
    if species:
        if types.min() < 1 or types.max() > len(species):
            raise InputError(
                f"{where} has types {types.min()} to {types.max()}, species names {len(species)}: name each of them"
            )
        atoms.symbols = np.array(species)[types - 1]
    elif not named:
        count = len(np.unique(types))
        raise InputError(f"{where} does not say which elements its {count} types are: add species=[Si,Ge] or the like")


def _check(atoms: Atoms, where: str) -> None:
    if len(atoms) == 0:
        raise InputError(f"{where} has zero atoms: give one with at least one")
    if not np.isfinite(atoms.cell.array).all():
        raise InputError(f"{where}: the cell is {atoms.cell.array.tolist()}: give it in finite numbers")
    lost = np.flatnonzero(~np.isfinite(atoms.positions).all(axis=1))
    if len(lost):
        raise InputError(f"{where}: position of atom {lost[0] + 1} is {atoms.positions[lost[0]]}: give finite numbers")
    if (atoms.numbers == 0).any():
        raise InputError(f"{where} has atoms of no known species (X): name their chemical symbol")
