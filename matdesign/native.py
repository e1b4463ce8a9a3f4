"""The package's C library, loaded once; each room declares the functions it calls."""

import ctypes
from pathlib import Path
from typing import Protocol, runtime_checkable

from matdesign.errors import MatdesignError

PACKAGE = Path(__file__).parent
ERROR_BYTES = 1024  # room for one error sentence in calls that fill a buffer


@runtime_checkable
class Function(Protocol):
    """A Python function that an environment in C calls, from any thread; a vector opened with it keeps it alive."""

    @property
    def address(self) -> int:
        """Of the C function, in this process."""

    def check(self) -> None:
        """Raises what was raised inside the function since the last check: C code lets no exception through."""


def _load() -> ctypes.CDLL:
    path = PACKAGE / "libmatdesign.so"
    if not path.exists():
        raise MatdesignError(f"{path} is not there: build it with `make` or reinstall matdesign")
    return ctypes.CDLL(str(path))


LIBRARY = _load()
