"""Environments: one C file each, behind `env.h`; this side finds them and reads what they say about themselves."""

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from matdesign.errors import InputError
from matdesign.native import LIBRARY

INCLUDE = Path(__file__).parent
"""Directory of env.h, which a user's own environment is compiled against."""

ABI = 3  # ENV_ABI of env.h
Kind = Literal["number", "array", "text", "integer"]
KINDS: dict[int, Kind] = {0: "number", -1: "array", -2: "text", -3: "integer"}


class _Setting(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("value", ctypes.c_double),
        ("low", ctypes.c_double),
        ("high", ctypes.c_double),
        ("help", ctypes.c_char_p),
        ("count", ctypes.c_int32),
    ]


class _Environment(ctypes.Structure):  # the functions that follow are called by the vectorizer alone
    _fields_ = [
        ("abi", ctypes.c_int32),
        ("struct_bytes", ctypes.c_int32),
        ("name", ctypes.c_char_p),
        ("summary", ctypes.c_char_p),
        ("log_names", ctypes.POINTER(ctypes.c_char_p)),
        ("settings", ctypes.POINTER(_Setting)),
    ]


_builtin = LIBRARY.environment_builtin
_builtin.argtypes = [ctypes.c_char_p]
_builtin.restype = ctypes.POINTER(_Environment)
_builtin_name = LIBRARY.environment_builtin_name
_builtin_name.argtypes = [ctypes.c_int]
_builtin_name.restype = ctypes.c_char_p


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One thing an environment can be told; numbers outside [low, high] are refused."""

    name: str
    kind: Kind
    default: float
    low: float
    high: float
    help: str


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A compiled environment.

    Attributes:
        name: what it calls itself.
        summary: one line for people.
        settings: what it can be told.
        log_names: figures it gives for each ended episode.
        built_in: whether it is one of the package's own, and not a user's, whatever its name.
        pointer: the C `Environment`; its library stays loaded for the life of the process.
    """

    name: str
    summary: str
    settings: tuple[Setting, ...]
    log_names: tuple[str, ...]
    built_in: bool
    pointer: Any


def built_in() -> list[str]:
    """Names of the environments compiled into the package."""
    names: list[str] = []
    while name := _builtin_name(len(names)):
        names.append(name.decode())
    return names


def load(environment: str) -> Environment:
    """Find an environment: a built-in name, or the path of a library compiled against env.h.

    Raises:
        InputError: the name is unknown, or the file is missing, is no shared library, exports no environment, or was
            compiled against another version of env.h.
    """
    if "/" in environment or environment.endswith(".so"):
        return _describe(_open(Path(environment)), built_in=False)
    pointer = _builtin(environment.encode()) if "\0" not in environment else None
    if not pointer:
        raise InputError(
            f"unknown environment {environment!r}: give one of {', '.join(built_in())}, or the path of a compiled .so"
        )
    return _describe(pointer, built_in=True)


def _open(path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"environment library {str(path)!r} is not a file: compile it first (see {INCLUDE / 'env.h'})")
    try:
        library = ctypes.CDLL(str(path.resolve()))
    except OSError as error:
        raise InputError(f"environment library {str(path)!r} does not load: {error}") from error
    try:
        found = _Environment.in_dll(library, "matdesign_environment")
    except ValueError as error:
        raise InputError(
            f"environment library {str(path)!r} exports no environment: end its C file with an ENVIRONMENT(...) line"
        ) from error
    if found.abi != ABI:
        raise InputError(
            f"environment library {str(path)!r} was compiled against version {found.abi} of env.h, this is version "
            f"{ABI}: compile it again with -I {INCLUDE}"
        )
    return ctypes.pointer(found)


def _describe(pointer: Any, *, built_in: bool) -> Environment:
    environment = pointer.contents
    settings: list[Setting] = []
    while (setting := environment.settings[len(settings)]).name:
        name = setting.name.decode()
        if setting.count not in KINDS:
            known = ", ".join(f"{count} ({kind})" for count, kind in KINDS.items())
            raise InputError(f"{environment.name.decode()}: setting {name!r} of count {setting.count}: use {known}")
        settings.append(
            Setting(
                name=name,
                kind=KINDS[setting.count],
                default=setting.value,
                low=setting.low,
                high=setting.high,
                help=(setting.help or b"").decode(),
            )
        )
    log_names: list[str] = []
    while log_name := environment.log_names[len(log_names)]:
        log_names.append(log_name.decode())
    return Environment(
        name=environment.name.decode(),
        summary=environment.summary.decode(),
        settings=tuple(settings),
        log_names=tuple(log_names),
        built_in=built_in,
        pointer=pointer,
    )
