"""Measuring what a material does: one module for each physical quantity.

>>> from matdesign.properties import measure
>>> from matdesign.properties.green_kubo import GreenKubo
>>> measure(GreenKubo(temperature=70.0), structure, material, rel_error=0.05)
"""

import functools
import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

from matdesign.errors import InputError
from matdesign.properties.cache import Cache
from matdesign.properties.measure import compare, measure
from matdesign.properties.measurement import Estimate, Measurement
from matdesign.properties.property import Property, Sample, System
from matdesign.properties.structural import StructuralProperty
from matdesign.typed import closest

__all__ = [
    "Cache",
    "Estimate",
    "Measurement",
    "Property",
    "Sample",
    "StructuralProperty",
    "System",
    "catalogue",
    "compare",
    "find",
    "measure",
]


@functools.cache
def catalogue() -> dict[str, type[Property]]:
    """Every property of this package by its name: all subclasses of `Property` with one, in any module here."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    ours = [kind for kind in _below(Property) if kind.name and kind.__module__.startswith(__name__)]
    return {kind.name: kind for kind in sorted(ours, key=lambda kind: kind.name)}


def _below(kind: type[Any]) -> Iterator[type[Any]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)


def find(name: str) -> type[Property]:
    """The property of that name.

    Raises:
        InputError: there is none.
    """
    known = catalogue()
    if name not in known:
        raise InputError(f"property {name!r} is unknown{closest(name, list(known))} (available: {', '.join(known)})")
    return known[name]
