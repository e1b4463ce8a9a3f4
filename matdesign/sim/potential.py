"""What a LAMMPS potential file says about itself: its units and the elements it was made for."""

import re
from pathlib import Path

from ase.data import chemical_symbols

from matdesign.errors import InputError

_SETFL = {"eam/alloy", "eam/fs", "eam/he", "eam/cd", "adp"}  # elements on line 4
_ENTRIES = {"sw", "sw/mod", "tersoff", "tersoff/mod", "tersoff/mod/c", "tersoff/zbl", "vashishta", "edip"}
_ACCELERATED = re.compile(r"/(omp|opt|gpu|intel|kk)$")


def potential_units(path: Path) -> str | None:
    """Return the LAMMPS unit style in the first line of a potential file, None if it names none."""
    found = re.search(r"UNITS: *(\w+)", _lines(path, 1)[0])
    return found.group(1) if found else None


def potential_labels(path: Path, style: str) -> list[str] | None:
    """Return the names of the elements (or entries, "Si(D)") that a potential file holds.

    Args:
        path: the file.
        style: LAMMPS pair style that reads it.

    Returns:
        names in the order of the file, None for a format that is not known here.

    Raises:
        InputError: the file is not of the format that the style reads.
    """
    style = _ACCELERATED.sub("", style)
    try:
        if style == "eam":  # funcfl: atomic number first on line 2
            return [str(chemical_symbols[int(_lines(path, 2)[1].split()[0])])]
        if style in _SETFL:
            count, *labels = _lines(path, 4)[3].split()
            if len(labels) != int(count):
                raise ValueError
            return labels
        if style in _ENTRIES:  # everything that is not a number names an element
            words = [word for line in _lines(path) for word in line.split("#")[0].split()]
            labels = list(dict.fromkeys(word for word in words if word[0].isalpha()))
            if not labels or len(labels) == len(words):
                raise ValueError
            return labels
    except (ValueError, IndexError):
        raise InputError(f"potential {path} is not a file that pair style {style} reads") from None
    return None


def _lines(path: Path, count: int | None = None) -> list[str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read().splitlines() if count is None else [file.readline() for _ in range(count)]
    except OSError as error:
        raise InputError(f"potential {path} cannot be read: {error.strerror}") from None
