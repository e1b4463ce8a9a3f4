"""`Case`: one number that somebody else published, and how it is measured here."""

from collections.abc import Callable
from dataclasses import dataclass

from ase import Atoms

from matdesign.properties import Measurement, Property
from matdesign.sim import Material


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row of the validation table.

    Attributes:
        label: what is measured on what, "C11 of silicon".
        measured: the property with its protocol.
        build: makes structure and material.
        reference: the published value, in the property's unit.
        source: where it is published, in one line; "second-hand" where the number was found neither there nor in a text
            that quotes it.
        reference_stderr: its standard error, 0 where none is given.
        tolerance: relative difference that model and rounding of the source explain (different potential, one digit);
            0 where only the standard errors count.
        read: the number in the measurement, with its standard error; default: value and stderr.
        seeds: independent samples; default the property's own.
        quick: whether `--quick` runs it too (a few seconds).
    """

    label: str
    measured: Property
    build: Callable[[], tuple[Atoms, Material]]
    reference: float
    source: str
    reference_stderr: float = 0.0
    tolerance: float = 0.0
    read: Callable[[Measurement], tuple[float, float]] = lambda found: (found.value, found.stderr)
    seeds: int | None = None
    quick: bool = False
