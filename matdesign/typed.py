"""Plain mappings to dataclasses, checked field by field, with messages for the person who wrote the mapping."""

import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from matdesign.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True)
class Range:
    """Bounds of a number, both included: `Annotated[int, Range(1, 64)]`."""

    low: float
    high: float


def closest(name: str, known: Sequence[str]) -> str:
    """The end of a message, `; did you mean NAME?`, for the most similar of `known`, or nothing."""
    similar = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {similar[0]}?" if similar else ""


def keys(cls: type, prefix: str = "") -> list[str]:
    """Dotted names of all fields of a dataclass, nested ones after the one that holds them."""
    names = []
    for name, hint in get_type_hints(cls).items():
        names.append(prefix + name)
        for inner in (hint, *get_args(hint)):
            if is_dataclass(inner) and isinstance(inner, type):
                names += keys(inner, f"{prefix}{name}.")
    return names


def build(cls: type[T], values: object, where: str = "") -> T:
    """An instance of dataclass `cls` from a mapping whose values have the types of its fields.

    Understands bool, int, float, str, None, Literal, Union, list, tuple, Sequence, dict, Mapping, nested dataclasses
    and numbers annotated with a `Range`. A whole float counts as an int, numbers must be finite.

    Args:
        cls: the dataclass.
        values: the mapping.
        where: dotted name of the mapping, for messages.

    Raises:
        InputError: unknown or missing keys, a value of another type, out of range or refused by the dataclass itself.
    """
    dot = f"{where}." if where else ""
    if not isinstance(values, Mapping):
        raise InputError(f"{where} must be a group of settings, not {values!r}")
    hints = get_type_hints(cls, include_extras=True)
    for name in values:
        if name not in hints:
            raise InputError(f"unknown setting {dot}{name}{closest(str(name), list(hints))}")
    built = {name: convert(hints[name], value, dot + name) for name, value in values.items()}
    for field in fields(cls):  # type: ignore[arg-type]  # a dataclass
        if field.name not in built and field.default is MISSING and field.default_factory is MISSING:
            raise InputError(f"{dot}{field.name} has no value: give {dot}{field.name}=VALUE")
    try:
        return cls(**built)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error


def convert(hint: Any, value: Any, where: str) -> Any:
    """`value` as the type `hint`; see `build`."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _in_range(convert(arguments[0], value, where), arguments[1], where)
    if origin is Literal:
        if value not in arguments:
            names = [str(name) for name in arguments]
            raise InputError(f"{where}={value} must be one of {', '.join(names)}{closest(str(value), names)}")
        return value
    if origin in (Union, types.UnionType):
        return _any_of(arguments, value, where)
    if is_dataclass(hint) and isinstance(hint, type):
        return value if isinstance(value, hint) else build(hint, value, where)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise InputError(f"{where} must be a group of settings, not {value!r}")
        return {str(name): convert(arguments[1], item, f"{where}.{name}") for name, item in value.items()}
    if origin is not None and issubclass(origin, Sequence):
        return _sequence(origin, arguments, value, where)
    return _plain(hint, value, where)


def _in_range(value: Any, bounds: Range, where: str) -> Any:
    if value is not None and not bounds.low <= value <= bounds.high:
        raise InputError(f"{where}={value} must lie between {bounds.low:g} and {bounds.high:g}")
    return value


def _any_of(arguments: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in arguments:
        return None
    rest = [argument for argument in arguments if argument is not type(None)]
    if len(rest) == 1:  # its own message says more
        return convert(rest[0], value, where)
    for argument in rest:
        try:
            return convert(argument, value, where)
        except InputError:
            continue
    raise InputError(f"{where}={value!r} must be {' or '.join(_name(argument) for argument in rest)}")


def _sequence(origin: type, arguments: tuple[Any, ...], value: Any, where: str) -> Any:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise InputError(f"{where}={value!r} must be a list, such as {where}=[...]")
    if origin is tuple and Ellipsis not in arguments:
        if len(value) != len(arguments):
            raise InputError(f"{where}={list(value)} must have {len(arguments)} values")
        hints = list(arguments)
    else:
        hints = [arguments[0]] * len(value)
    items = [convert(hint, item, f"{where}[{i}]") for i, (hint, item) in enumerate(zip(hints, value, strict=True))]
    return tuple(items) if origin is tuple else items


def _plain(hint: Any, value: Any, where: str) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and not math.isfinite(value):
        raise InputError(f"{where}={value} must be a finite number")
    if hint is float and number:
        return float(value)
    if hint is int and number and value == int(value):
        return int(value)
    if hint in (bool, str) and isinstance(value, hint):
        return value
    raise InputError(f"{where}={value!r} must be {_name(hint)}")


def _name(hint: Any) -> str:
    if get_origin(hint) is Annotated:
        return _name(get_args(hint)[0])
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return names.get(hint, "a list" if get_origin(hint) else "null")
