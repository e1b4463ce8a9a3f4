"""Classical heat capacity."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from matdesign.errors import InputError
from matdesign.properties import dynamics
from matdesign.properties.measurement import Array, Estimate
from matdesign.properties.property import Sample, System
from matdesign.properties.thermal import ThermalProperty, settled
from matdesign.properties.units import Units
from matdesign.typed import Range


@dataclass(frozen=True, kw_only=True)
class HeatCapacity(ThermalProperty):
    """Classical heat capacity per atom, at constant volume or at constant pressure.

    Equation:
        c = 3/2 + (<H>(T + dT) - <H>(T - dT)) / (2 dT N kB)

        H = U at constant volume, U + p V at constant pressure; U: potential energy, p: `pressure`, V: volume; N: number
        of atoms; dT = `difference` times T; <>: canonical mean. 3/2 is the kinetic part, known exactly. Both
        temperatures have the same random numbers, so that their noise partly cancels: this takes far fewer steps than
        the fluctuations of the energy at T.

    Attributes:
        temperature: T, in K (lj: epsilon/kB).
        equilibration: MD steps at either temperature before the means begin.
        difference: dT over T.
        steps: MD steps at either temperature.
        every: MD steps between two energies.
        pressure: p, in GPa (lj: epsilon/sigma^3); None keeps the volume.

    Value:
        In kB: multiply by 8.314 for J/(mol K). 3 for classical harmonic vibrations (Dulong and Petit). Flagged if the
        first and the second half of the trajectories disagree, as when it melts.

    Assumptions:
        Classical: below the Debye temperature (copper 343 K, silicon 645 K, argon 92 K) the real one is lower.
        c is smooth within T - dT and T + dT.

    Finite size:
        The centre of mass does not vibrate: a harmonic crystal has 3 - 3/(2 N), a cluster 3 - 3/N.

    References:
        Petit and Dulong, Ann. Chim. Phys. 10, 395 (1819); Allen and Tildesley, Computer Simulation of Liquids (Oxford,
        2017), section 2.5.
    """

    name: ClassVar[str] = "heat_capacity"

    difference: Annotated[float, Range(0.001, 0.5)] = 0.1
    steps: Annotated[int, Range(2, 10**9)] = 20_000
    every: Annotated[int, Range(1, 10**6)] = 10
    pressure: Annotated[float, Range(-1e4, 1e4)] | None = None

    def unit(self, units: Units) -> str:
        """Boltzmann's constant for each atom."""
        return "kB/atom"

    def check(self, system: System) -> None:
        """A pressure needs a cell."""
        super().check(system)
        if self.pressure is not None and not system.structure.pbc.all():
            raise InputError(f"{self.name}.pressure is set, but the structure is not periodic: leave it out")
        if self.steps < 2 * self.every:
            raise InputError(f"{self.name}.steps={self.steps} holds fewer than two energies: one in {self.every} steps")

    def sample(self, system: System, seed: int) -> Sample:
        """Mean energy or enthalpy at both temperatures [2] in each half of the trajectory [2]."""
        change = self.difference * self.temperature
        series = [self._enthalpies(system, self.temperature + sign * change, seed) for sign in (-1, 1)]
        return {"enthalpy": np.array([[half.mean() for half in np.array_split(each, 2)] for each in series])}

    def _enthalpies(self, system: System, temperature: float, seed: int) -> Array:
        with system.simulation() as simulation:
            dynamics.set_velocities(simulation, 2.0 * temperature, seed)
            dynamics.thermostat(simulation, temperature, seed)
            if self.pressure is not None:
                dynamics.barostat(simulation, self.pressure)
            simulation.run(self.equilibration)
            simulation.command("compute matdesign_pe all pe")
            pressure = (self.pressure or 0.0) / system.units.pressure
            simulation.command(f"variable matdesign_enthalpy equal c_matdesign_pe+({pressure:.17g})*vol")
            simulation.command(f"fix matdesign_series all vector {self.every} v_matdesign_enthalpy")
            simulation.run(self.steps)
            return simulation.fix("matdesign_series")

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """The central difference."""
        enthalpies = np.array([sample["enthalpy"] for sample in samples])
        width = 2.0 * self.difference * self.temperature * len(system.structure) * system.units.boltzmann
        halves = 1.5 + (enthalpies[:, 1] - enthalpies[:, 0]) / width
        return Estimate(value=float(halves.mean()), flag=settled(halves))
