"""`Cost`: what a search spends, counted alike for all of them."""

from dataclasses import dataclass
from typing import Self

from matdesign.properties import Measurement


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What was spent.

    Attributes:
        measurements: property evaluations: designs that were measured, those of a policy's training included.
        evaluations: force evaluations of the whole structure, each MD step and each step of a relaxation being one.
        md_steps: those of them that are MD steps.
        seconds: of computing.
    """

    measurements: int = 0
    evaluations: int = 0
    md_steps: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, measurement: Measurement) -> Self:
        """What measuring one property of a design took; the design itself is not counted."""
        return cls(evaluations=measurement.steps, md_steps=measurement.md_steps, seconds=measurement.seconds)

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            measurements=self.measurements + other.measurements,
            evaluations=self.evaluations + other.evaluations,
            md_steps=self.md_steps + other.md_steps,
            seconds=self.seconds + other.seconds,
        )

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(
            measurements=self.measurements - other.measurements,
            evaluations=self.evaluations - other.evaluations,
            md_steps=self.md_steps - other.md_steps,
            seconds=self.seconds - other.seconds,
        )
