"""`ThermalProperty`: what atoms do in motion at one temperature."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from matdesign.errors import InputError
from matdesign.properties.measurement import Array
from matdesign.properties.property import Property, Sample, System
from matdesign.typed import Range

MEMORY = 4.0  # GB of frames
WARM = 0.05  # a trajectory whose mean temperature is off by more is another experiment
DRIFT = 0.1  # halves of trajectories that differ by more, and by more than noise, are not in equilibrium


@dataclass(frozen=True, kw_only=True)
class ThermalProperty(Property):
    """A property of classical molecular dynamics at a temperature.

    Attributes:
        temperature: in K (lj: epsilon/kB). It must be given: no value suits every material.
        equilibration: MD steps at this temperature before anything is recorded.
    """

    temperature: Annotated[float, Range(0.0, 1e6)] = 0.0
    equilibration: Annotated[int, Range(0, 10**9)] = 2000

    def check(self, system: System) -> None:
        """Atoms must move, and against each other: the centre of mass is at rest."""
        unit = system.units.temperature
        if not self.temperature > 0:
            raise InputError(f"{self.name} at temperature {self.temperature:g}: give property.temperature in {unit}")
        if len(system.structure) < 2:
            raise InputError(f"{self.name} of one atom: its centre of mass is at rest, give at least two")

    def detail_units(self, system: System) -> dict[str, str]:
        """Most say which temperature there was."""
        return {"temperature": system.units.temperature}

    def check_memory(self, system: System, frames: int) -> None:
        """Positions or velocities of all frames must fit."""
        gigabytes = 24e-9 * frames * len(system.structure)
        if gigabytes > MEMORY:
            raise InputError(
                f"{self.name} with {frames} frames of {len(system.structure)} atoms takes {gigabytes:.3g} GB: "
                "lower property.steps, or raise property.every"
            )

    def warning(self, system: System, samples: Sequence[Sample]) -> str:
        """A flag where trajectories at constant energy, by their mean "temperature", were not at the one asked for."""
        found = float(np.mean([sample["temperature"] for sample in samples]))
        chance = 3.0 / math.sqrt(3 * len(system.structure) * len(samples))  # three standard deviations, a little more
        if abs(found / self.temperature - 1.0) <= max(WARM, chance):
            return ""
        return (
            f"not in equilibrium: the mean temperature was {found:.4g} {system.units.temperature} instead of "
            f"{self.temperature:g}, give more equilibration"
        )


def settled(halves: Array) -> str:
    """A flag where a property's values from the two halves of its trajectories [samples, 2] disagree."""
    changes = halves[:, 1] - halves[:, 0]
    error = changes.std(ddof=1) / math.sqrt(len(changes)) if len(changes) > 1 else 0.0
    if abs(changes.mean()) <= max(DRIFT * abs(halves.mean()), 4.0 * error):
        return ""
    first, second = halves.mean(axis=0)
    return (
        f"not in equilibrium: {first:.3g} from the first half of the trajectories, {second:.3g} from the second, "
        "give more equilibration"
    )
