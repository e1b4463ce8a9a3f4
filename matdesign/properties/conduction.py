"""What all measurements of heat conduction share: what they refuse, where the heat flows, what makes them doubtful."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from ase import Atoms

from matdesign.errors import InputError
from matdesign.properties.measurement import Array
from matdesign.properties.neighbours import check_filled
from matdesign.properties.property import Sample, System
from matdesign.properties.thermal import ThermalProperty
from matdesign.properties.units import Units
from matdesign.typed import Range

Axis = Literal["a", "b", "c"]
AXES: tuple[Axis, ...] = ("a", "b", "c")
LAMMPS_AXES = "xyz"

TILT = 1e-6  # cosine of the angle between two edges that still counts as a right angle
DIFFUSED = 0.5  # root mean square displacement, in length scales, beyond which atoms do not stay at their sites
MIXED = "in a fluid of several species heat and mass flow together: the value is not conduction alone"


@dataclass(frozen=True, kw_only=True)
class HeatConduction(ThermalProperty):
    """A coefficient of heat conduction in a periodic structure."""

    equilibration: Annotated[int, Range(0, 10**9)] = 5_000

    def unit(self, units: Units) -> str:
        """W/(m K), or reduced."""
        return units.conductivity_unit

    def check(self, system: System) -> None:
        """Heat needs a cross-section to flow through, and a way on."""
        super().check(system)
        if not system.structure.pbc.all():
            raise InputError(
                f"{self.name} needs a structure that is periodic in three directions: through a cluster or a slab in "
                "vacuum no heat flows on, and neither has a cross-section; give it a periodic cell"
            )
        check_filled(self.name, system)

    def doubts(self, system: System, samples: Sequence[Sample]) -> list[str]:
        """What speaks against samples that hold "temperature" and, unless atoms may wander, "displacement"."""
        found = [text for text in (self.warning(system, samples),) if text]
        if "displacement" in samples[0] and len(set(system.structure.symbols)) > 1 and diffused(samples):
            found.append(MIXED)
        return found


def diffused(samples: Sequence[Sample]) -> bool:
    """Whether the atoms left their sites, as they do in a fluid."""
    return bool(np.mean([sample["displacement"] for sample in samples]) > DIFFUSED)


def displacement(system: System, start: Array, end: Array) -> Array:
    """Root mean square displacement between two sets of unwrapped positions [atoms, 3], in length scales."""
    moved = end - start - (end - start).mean(axis=0)
    return np.array(np.sqrt((moved**2).sum(axis=1).mean()) / system.material.length_scale)


def standard_error(values: Array) -> float:
    """Of the mean of independent values; 0 of a single one."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def check_axis(name: str, atoms: Atoms, axis: Axis) -> None:
    """Heat that flows along a cell vector needs it at right angles to the two that span the cross-section.

    Raises:
        InputError: it is not.
    """
    index = AXES.index(axis)
    edges = atoms.cell.array / np.linalg.norm(atoms.cell.array, axis=1)[:, None]
    if max(abs(edges[index] @ edges[other]) for other in range(3) if other != index) > TILT:
        raise InputError(
            f"{name}: cell vector {axis} is not at right angles to the other two: give a cell where it is, such as the "
            "conventional one, or another property.axis"
        )


def length_and_area(atoms: Atoms, axis: Axis) -> tuple[float, float]:
    """Length of the cell along the axis, and its cross-section."""
    length = float(np.linalg.norm(atoms.cell.array[AXES.index(axis)]))
    return length, float(atoms.get_volume()) / length
