"""`Measurement`: a value with its error bar, its unit and what it cost."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ROUNDING = 1e-13  # relative errors below are those of arithmetic


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What samples say about a property.

    Attributes:
        value: the property.
        tensor: the tensor it is derived from or a component of, any shape; None where there is none.
        curves: named arrays, each of the same shape in every estimate of one property: r and g(r), running integrals.
        details: named numbers that come with it.
        flag: why the value cannot be trusted; empty where it can.
    """

    value: float
    tensor: Array | None = None
    curves: Mapping[str, Array] = field(default_factory=dict)
    details: Mapping[str, float] = field(default_factory=dict)
    flag: str = ""

    def flat(self) -> Array:
        """All numbers in one row."""
        parts: list[Any] = [self.value, *([] if self.tensor is None else [self.tensor])]
        parts += [*self.curves.values(), *self.details.values()]
        return np.concatenate([np.ravel(np.asarray(part, np.float64)) for part in parts])

    def filled(self, row: Array) -> "Estimate":
        """An estimate of this shape with the numbers of `row`, the inverse of `flat`."""
        position = 1

        def take(shape: tuple[int, ...]) -> Array:
            nonlocal position
            size = math.prod(shape)
            position += size
            return row[position - size : position].reshape(shape)

        tensor = None if self.tensor is None else take(np.shape(self.tensor))
        curves = {name: take(np.shape(curve)) for name, curve in self.curves.items()}
        details = {name: float(take(())) for name in self.details}
        return Estimate(value=float(row[0]), tensor=tensor, curves=curves, details=details, flag=self.flag)


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A property of a structure, measured.

    Attributes:
        name: of the property.
        value: in `unit`.
        stderr: standard error of `value` from independent seeds; 0 where nothing is random, NaN from a single seed.
        unit: of value and stderr, and of the tensor unless details_units says otherwise.
        steps: force evaluations of the whole structure, one for each MD step.
        md_steps: those of them that are MD steps.
        seconds: of computing, summed over processes.
        seeds: independent samples that went in.
        failed: samples that LAMMPS could not finish; they are left out.
        tensor: the tensor behind the value, None where there is none.
        tensor_stderr: its standard errors.
        curves: named arrays.
        curves_stderr: their standard errors.
        details: named numbers that come with it.
        details_stderr: their standard errors.
        details_units: of the details (plain numbers are missing), and of "tensor" where it is not `unit`.
        flag: why the value is not to be trusted; empty where nothing speaks against it.
        stopped: why no more samples were taken.
    """

    name: str
    value: float
    stderr: float
    unit: str
    steps: int
    seconds: float
    md_steps: int = 0
    seeds: int = 1
    failed: int = 0
    tensor: Array | None = None
    tensor_stderr: Array | None = None
    curves: Mapping[str, Array] = field(default_factory=dict)
    curves_stderr: Mapping[str, Array] = field(default_factory=dict)
    details: Mapping[str, float] = field(default_factory=dict)
    details_stderr: Mapping[str, float] = field(default_factory=dict)
    details_units: Mapping[str, str] = field(default_factory=dict)
    flag: str = ""
    stopped: str = ""

    def __str__(self) -> str:
        unit = "" if self.unit == "1" else f" {self.unit}"
        warning = f"  NOT TO BE TRUSTED: {self.flag}" if self.flag else ""
        return f"{self.name} = {number(self.value, self.stderr)}{unit}{warning}"

    def to_dict(self) -> dict[str, Any]:
        """Everything as numbers, text, lists and dictionaries, fit for JSON; numbers that are not finite are null."""
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self)}


def number(value: float, stderr: float) -> str:
    """A value with its error to two digits of the error: "0.293 +- 0.012"."""
    if not (math.isfinite(value) and math.isfinite(stderr)):
        return f"{value:.6g} (no error bar)" if math.isnan(stderr) else f"{value:.6g}"
    if stderr <= ROUNDING * abs(value):
        return f"{value:.8g}"
    largest = max(abs(value), stderr)
    power = math.floor(math.log10(largest)) if not 1e-3 <= largest < 1e7 else 0
    digits = min(max(0, 1 - math.floor(math.log10(stderr)) + power), 15)
    shown = f"{value / 10.0**power:.{digits}f} +- {stderr / 10.0**power:.{digits}f}"
    return f"({shown})e{power}" if power else shown


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
