"""`Target`: what a property should become."""

import math
from dataclasses import dataclass
from typing import Literal

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

    Raises:
        InputError: a value without "hit", "hit" without a value, a negative tolerance.
    """

    property: Property
    goal: Literal["minimise", "maximise", "hit"]
    value: float | None = None
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        if (self.goal == "hit") != (self.value is not None):
            raise InputError(f"target.goal={self.goal} with target.value={self.value}: only goal=hit has a value")
        if not (self.tolerance >= 0.0 and math.isfinite(self.tolerance)):
            raise InputError(f"target.tolerance={self.tolerance} must be a number that is not negative")

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
