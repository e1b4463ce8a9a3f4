"""`Target`: what a property should become; `Constraint`: what it must keep."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from matdesign.errors import InputError
from matdesign.properties import Measurement, Property


@dataclass(frozen=True, kw_only=True)
class Target:
    """A property of the design and what it should be.

    Attributes:
        property: what is measured and how.
        goal: "minimise", "maximise", or "hit" a value.
        value: to hit, in the property's unit.
        tolerance: distance from `value` that is as good as none, in the property's unit.
        weight: beside other targets.
        scale: distance that counts as one beside other targets, in the property's unit.

    Raises:
        InputError: a value without "hit", "hit" without a value, a negative tolerance, a weight or scale that is not
            positive.
    """

    property: Property
    goal: Literal["minimise", "maximise", "hit"]
    value: float | None = None
    tolerance: float = 0.0
    weight: float = 1.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        if (self.goal == "hit") != (self.value is not None):
            raise InputError(f"target.goal={self.goal} with target.value={self.value}: only goal=hit has a value")
        if not (self.tolerance >= 0.0 and math.isfinite(self.tolerance)):
            raise InputError(f"target.tolerance={self.tolerance} must be a number that is not negative")
        for name, number in (("weight", self.weight), ("scale", self.scale)):
            if not (number > 0.0 and math.isfinite(number)):
                raise InputError(f"target.{name}={number} must be a positive number")

    def distance(self, value: float) -> float:
        """How far a value is from the target: lower is better, and 0 is there where a value is to be hit."""
        if self.value is not None:
            return max(0.0, abs(value - self.value) - self.tolerance)
        return value if self.goal == "minimise" else -value

    def advantage(self, design: Measurement, reference: Measurement) -> tuple[float, float]:
        """By how much the design is nearer to the target than a reference, and the standard error of that.

        Both in the property's unit. Errors of both are added in quadrature: the measurements must be independent.
        """
        gain = self.distance(reference.value) - self.distance(design.value)
        return gain, math.hypot(design.stderr, reference.stderr)


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """Bounds that a property of the design must keep.

    Attributes:
        property: what is measured and how.
        minimum: smallest allowed value, in the property's unit; None for no bound.
        maximum: largest allowed value.

    Raises:
        InputError: no bound, or a minimum above the maximum.
    """

    property: Property
    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self) -> None:
        name = self.property.name
        if self.minimum is None and self.maximum is None:
            raise InputError(f"the constraint on {name} has no bound: give it a minimum, a maximum or both")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise InputError(
                f"the constraint on {name} contradicts itself: minimum={self.minimum} is above maximum={self.maximum}"
            )

    def violation(self, value: float) -> float:
        """By how much a value breaks a bound, as a share of that bound (of 1 where it is smaller); 0 inside."""
        low = 0.0 if self.minimum is None else (self.minimum - value) / max(1.0, abs(self.minimum))
        high = 0.0 if self.maximum is None else (value - self.maximum) / max(1.0, abs(self.maximum))
        return max(0.0, low, high)


class Asked(Protocol):
    """Something that is asked of a property."""

    @property
    def property(self) -> Property:
        """Which one."""


T = TypeVar("T", bound=Asked)


def labels(asked: Sequence[T], taken: Collection[str] = ()) -> dict[str, T]:
    """Each under its property's name; where that is taken, as by one before it, with " (2)" behind it, and so on."""
    found: dict[str, T] = {}
    for each in asked:
        name, count = each.property.name, 1
        while (label := name if count == 1 else f"{name} ({count})") in {*found, *taken}:
            count += 1
        found[label] = each
    return found
