"""What a class of a user's own does, as text: when it changes, what was measured with it is measured anew."""

import dis
import hashlib
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cached_property
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

_INSTALLED = tuple(f"{sysconfig.get_path(name)}/" for name in ("stdlib", "purelib", "platlib"))


def describe(thing: Any, seen: set[int] | None = None) -> Iterator[str]:
    """Everything that decides what `thing` does: bytecode, and in turn the functions and values that it refers to.

    Installed packages, and this one, count by name only.

    Args:
        thing: class, function, module or value.
        seen: what is described already.
    """
    seen = set() if seen is None else seen
    if isinstance(thing, (staticmethod, classmethod)):
        thing = thing.__func__
    elif isinstance(thing, cached_property):
        thing = thing.func
    if isinstance(thing, (FunctionType, type)):
        yield thing.__qualname__
        if id(thing) not in seen and _of_user(thing.__module__):
            seen.add(id(thing))
            yield from _function(thing, seen) if isinstance(thing, FunctionType) else _class(thing, seen)
    elif isinstance(thing, ModuleType):
        yield thing.__name__
        if _of_user(thing.__name__) and getattr(thing, "__file__", None):
            yield hashlib.sha256(Path(str(thing.__file__)).read_bytes()).hexdigest()
    elif isinstance(thing, property):
        for function in (thing.fget, thing.fset):
            yield from describe(function, seen)
    elif isinstance(thing, CodeType):
        yield thing.co_code.hex()
        yield from describe(thing.co_consts, seen)
    elif isinstance(thing, np.ndarray) and not thing.dtype.hasobject:
        yield f"{thing.dtype} {thing.shape} {hashlib.sha256(thing.tobytes()).hexdigest()}"
    elif isinstance(thing, (str, bytes, int, float, complex, Path, type(None), np.generic)):
        yield repr(thing)
    elif isinstance(thing, Set):
        yield from sorted("|".join(describe(item, seen)) for item in thing)
    elif isinstance(thing, (Mapping, Sequence)):
        yield type(thing).__qualname__
        for item in thing.items() if isinstance(thing, Mapping) else thing:
            yield from describe(item, seen)
    else:  # what else it holds is not known
        yield from describe(type(thing), seen)
        if id(thing) not in seen and _of_user(type(thing).__module__):
            seen.add(id(thing))
            yield from describe(getattr(thing, "__dict__", None), seen)


def _function(function: FunctionType, seen: set[int]) -> Iterator[str]:
    yield from describe([function.__code__, function.__defaults__, function.__kwdefaults__], seen)
    for cell in function.__closure__ or ():
        yield from describe(cell.cell_contents, seen)
    for name in sorted(_globals(function.__code__)):
        yield name
        if name in function.__globals__:
            yield from describe(function.__globals__[name], seen)


def _class(kind: type, seen: set[int]) -> Iterator[str]:
    for name, item in sorted(vars(kind).items()):
        # Of the dunder names, Python and dataclasses make most.
        if name == "__post_init__" or not name.startswith(("__", "_abc_")):
            yield name
            yield from describe(item, seen)
    for base in kind.__bases__:
        yield from describe(base, seen)


def _globals(code: CodeType) -> set[str]:
    """Names of globals that this code, or code within it, reads: what a process that it is sent to gets, too."""
    names = {str(each.argval) for each in dis.get_instructions(code) if each.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return names.union(*(_globals(constant) for constant in code.co_consts if isinstance(constant, CodeType)))


def _of_user(module: str | None) -> bool:
    """Whether that module is neither installed nor part of this package; so is a notebook, which has no file."""
    if module is None or module.split(".")[0] in ("matdesign", "builtins"):
        return False
    file = getattr(sys.modules.get(module), "__file__", None)
    return file is None or not str(file).startswith(_INSTALLED)
