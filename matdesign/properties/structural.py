"""`StructuralProperty`: what can be read off one arrangement of atoms, of the structure itself or averaged over MD."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from ase import Atoms

from matdesign.errors import InputError
from matdesign.properties import dynamics
from matdesign.properties.measurement import Array, Estimate
from matdesign.properties.property import Property, Sample, System
from matdesign.sim import Simulation
from matdesign.typed import Range


@dataclass(frozen=True, kw_only=True)
class StructuralProperty(Property):
    """A property of positions, cell and species.

    Without a temperature it is that of the structure as it stands, without error. With one, it is the mean over
    frames of molecular dynamics from independent seeds: at constant volume, or at `pressure` where one is given.

    Attributes:
        temperature: of the MD, in K (lj: epsilon/kB); None measures the structure itself.
        pressure: of the MD, in GPa (lj: epsilon/sigma^3), the cell's shape kept; None keeps the cell.
        equilibration: MD steps before the first frame.
        frames: how many are averaged for each seed.
        every: MD steps between two frames.
    """

    temperature: Annotated[float, Range(1e-6, 1e6)] | None = None
    pressure: Annotated[float, Range(-1e4, 1e4)] | None = None
    equilibration: Annotated[int, Range(0, 10**9)] = 2000
    frames: Annotated[int, Range(1, 10**6)] = 20
    every: Annotated[int, Range(1, 10**6)] = 200

    @property
    def random(self) -> bool:
        """With a temperature it is."""
        return self.temperature is not None

    @abstractmethod
    def of(self, system: System, atoms: Atoms) -> Sample:
        """What is averaged: arrays of this arrangement (whose cell may differ from the system's structure)."""

    def sample(self, system: System, seed: int) -> Sample:
        """That of the structure, or the average over the frames of one run."""
        if self.temperature is None:
            if self.pressure is not None:
                raise InputError(f"{self.name}.pressure needs property.temperature too: without, nothing moves")
            return self.of(system, system.structure)
        if self.pressure is not None and not system.structure.pbc.all():
            raise InputError(f"{self.name}.pressure is set, but the structure is not periodic: leave it out")
        with system.simulation() as simulation:
            dynamics.set_velocities(simulation, 2.0 * self.temperature, seed)
            dynamics.thermostat(simulation, self.temperature, seed)
            if self.pressure is not None:
                dynamics.barostat(simulation, self.pressure)
            simulation.step(self.equilibration)
            return self.average(system, simulation)

    def average(self, system: System, simulation: Simulation) -> Sample:
        """Mean of `of` over the frames of this run, which is at equilibrium; what LAMMPS sums itself is read there."""
        total: dict[str, Array] = {}
        for _ in range(self.frames):
            simulation.step(self.every)
            for name, values in self.of(system, simulation.structure()).items():
                total[name] = total.get(name, 0.0) + np.asarray(values, np.float64) / self.frames
        return total

    def mean(self, samples: Sequence[Sample], name: str) -> Array:
        """Mean of one array over samples."""
        return np.asarray(np.mean([sample[name] for sample in samples], axis=0))

    def parts(self, system: System, samples: Sequence[Sample]) -> Array:
        """The mean of "parts" over samples, where `of` tells them; properties that name them otherwise say so."""
        return self.mean(samples, "parts")

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """The mean of "value" over samples; properties with more to say say it themselves."""
        return Estimate(value=float(self.mean(samples, "value")))
