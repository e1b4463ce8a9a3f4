"""Samples known by their content: structure, material, protocol, code, seed and LAMMPS version."""

import functools
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from matdesign.errors import InputError
from matdesign.files import replace_file, user_path
from matdesign.native import LIBRARY, PACKAGE
from matdesign.properties.code import describe
from matdesign.properties.measurement import Array
from matdesign.sim.lammps import library_info
from matdesign.sim.material import Material

VARIABLE = "MATDESIGN_CACHE"
_UNPHYSICAL = ("name", "reference", "potential", "length_scale", "energy_scale")  # the potential's hash says more


def default_folder() -> Path:
    """MATDESIGN_CACHE, or else the user's cache folder.

    Raises:
        InputError: MATDESIGN_CACHE is no path.
    """
    given = os.environ.get(VARIABLE)
    if given:
        if not given.isprintable():
            raise InputError(f"{VARIABLE}={given!r} has a control character in it: name a folder you may write to")
        return user_path(given)
    return user_path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "matdesign"


def key(protocol: Any, atoms: Atoms, material: Material, seed: int, *, library: str | None = None) -> str:
    """The SHA-256 of everything a sample depends on, in hexadecimal.

    Args:
        protocol: a Property; its class, the code that measures and its `identity` count.
        atoms: species, positions, cell, boundaries and momenta count.
        material: what LAMMPS is told counts, and the content of the potential file; names and references do not.
        seed: of the sample; a protocol that is not random should be asked with 0.
        library: path of the liblammps.so; its version counts.
    """
    physics = {item.name: getattr(material, item.name) for item in fields(Material) if item.name not in _UNPHYSICAL}
    said = {
        "protocol": [type(protocol).__qualname__, _code_of(type(protocol)), protocol.identity()],
        "material": physics,
        "potential": material.potential_sha256,
        "lammps": library_info(library).version,
        "seed": seed,
        "pbc": atoms.pbc.tolist(),
    }
    text = json.dumps(said, sort_keys=True, default=lambda value: list(describe(value)))  # fields of any type
    digest = hashlib.sha256(text.encode())
    for array in (atoms.numbers, atoms.positions, atoms.cell.array, atoms.arrays.get("momenta")):
        if array is not None:
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(b"|")
    return digest.hexdigest()


@functools.cache
def _package() -> str:
    """Digest of all code that a measurement may run through: what changed is measured anew."""
    digest = hashlib.sha256()
    for room in ("properties", "sim"):
        for path in sorted((PACKAGE / room).glob("*.py")):
            digest.update(path.read_bytes())
    digest.update(Path(LIBRARY._name).read_bytes())
    return digest.hexdigest()


def _code_of(kind: type) -> str:
    """Digest of the package's code and, for a class from elsewhere, of its own and all that it refers to."""
    return hashlib.sha256("|".join([_package(), *describe(kind)]).encode()).hexdigest()


class Cache:
    """Samples by key, in memory and, given a folder, on disk, where they outlive the process.

    Args:
        folder: made if missing; None keeps them in memory only.

    Raises:
        InputError: the folder cannot be made or written.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._memory: dict[str, dict[str, Array]] = {}
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(f"cache {str(folder)!r}: {error.strerror}; name a folder you may write to") from None
            if not os.access(folder, os.W_OK | os.X_OK):
                raise InputError(f"cache {str(folder)!r} is not writable: name a folder you may write to")

    def get(self, where: str) -> dict[str, Array] | None:
        """The sample, or None; a file that cannot be read counts as none."""
        if where in self._memory:
            return dict(self._memory[where])
        if self.folder is None:
            return None
        try:
            with np.load(self._path(where), allow_pickle=False) as file:
                sample = {name: np.asarray(file[name], np.float64) for name in file.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None
        if sample.get("_cost", np.empty(0)).shape != (3,):
            return None
        self._memory[where] = sample
        return dict(sample)

    def put(self, where: str, sample: Mapping[str, Array]) -> None:
        """Keeps a sample.

        Raises:
            InputError: the disk is full, or the folder was taken away or holds something else.
        """
        self._memory[where] = {name: np.asarray(values, np.float64) for name, values in sample.items()}
        if self.folder is not None:
            file = io.BytesIO()
            np.savez(file, **self._memory[where])  # type: ignore[arg-type]  # arrays are what it takes
            path = self._path(where)
            try:
                path.parent.mkdir(exist_ok=True)
                replace_file(path, file.getvalue())
            except OSError as error:
                raise InputError(
                    f"cannot write {str(path)!r}: {error.strerror}; name another folder as cache"
                ) from None

    def _path(self, where: str) -> Path:
        assert self.folder is not None
        return self.folder / where[:2] / f"{where}.npz"
