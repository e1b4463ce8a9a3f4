"""Thermal expansion."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np

from matdesign.errors import InputError
from matdesign.properties import dynamics
from matdesign.properties.measurement import Array, Estimate
from matdesign.properties.neighbours import check_filled
from matdesign.properties.property import Sample, System
from matdesign.properties.thermal import ThermalProperty, settled
from matdesign.properties.units import Units
from matdesign.typed import Range


@dataclass(frozen=True, kw_only=True)
class ThermalExpansion(ThermalProperty):
    """Coefficient of linear thermal expansion at constant pressure.

    Equation:
        alpha_ab = strain_ab / (2 dT),   strain = (F + F^T) / 2 - 1,   F = h(T - dT)^-1 h(T + dT);   alpha = trace / 3

        h: matrix whose rows are the mean cell vectors at a temperature; T: temperature; dT = `difference` times T. Both
        temperatures have the same random numbers, so that their noise partly cancels.

    Attributes:
        temperature: T, in K (lj: epsilon/kB).
        equilibration: MD steps at either temperature before the means begin.
        difference: dT over T.
        steps: MD steps at either temperature.
        every: MD steps between two cells that are averaged.
        pressure: in GPa (lj: epsilon/sigma^3).
        coupling: what the barostat moves: "iso" one scale for all edges, as for liquids and cubic crystals, "aniso"
            each edge alone, "tri" the angles too.

    Value:
        alpha, in 1/K (lj: kB/epsilon); the volume expands by 3 alpha. Flagged if the first and the second half of the
        trajectories disagree, as when it melts.

    Tensor:
        alpha_ab, [3, 3], in the structure's frame.

    Assumptions:
        Classical: below about half of the Debye temperature (argon 40 K) the real one is lower and vanishes at 0 K.
        Langevin thermostat with a Nose-Hoover barostat.

    References:
        Martyna, Tobias and Klein, J. Chem. Phys. 101, 4177 (1994), doi:10.1063/1.467468 (barostat); Barron, Collins and
        White, Adv. Phys. 29, 609 (1980), doi:10.1080/00018738000101426.
    """

    name: ClassVar[str] = "thermal_expansion"

    equilibration: Annotated[int, Range(0, 10**9)] = 10_000
    difference: Annotated[float, Range(0.001, 0.5)] = 0.1
    steps: Annotated[int, Range(2, 10**9)] = 40_000
    every: Annotated[int, Range(1, 10**6)] = 40
    pressure: Annotated[float, Range(-1e4, 1e4)] = 0.0
    coupling: Literal["iso", "aniso", "tri"] = "iso"

    def unit(self, units: Units) -> str:
        """Inverse temperature."""
        return {"K": "1/K"}.get(units.temperature, "kB/epsilon")

    def check(self, system: System) -> None:
        """There must be a volume."""
        super().check(system)
        if not system.structure.pbc.all():
            raise InputError(
                f"{self.name} needs a structure that is periodic in three directions: a cluster has no volume"
            )
        check_filled(self.name, system)
        if self.steps < 2 * self.every:
            raise InputError(f"{self.name}.steps={self.steps} holds fewer than two cells: one in {self.every} steps")

    def sample(self, system: System, seed: int) -> Sample:
        """Mean cells at both temperatures [2], in each half of the trajectory [2], as [2, 2, 3, 3]."""
        change = self.difference * self.temperature
        cells = [self._cells(system, self.temperature + sign * change, seed) for sign in (-1, 1)]
        return {"cells": np.array([[half.mean(axis=0) for half in np.array_split(each, 2)] for each in cells])}

    def _cells(self, system: System, temperature: float, seed: int) -> Array:
        with system.simulation() as simulation:
            dynamics.set_velocities(simulation, 2.0 * temperature, seed)
            dynamics.thermostat(simulation, temperature, seed)
            dynamics.barostat(simulation, self.pressure, coupling=self.coupling)
            simulation.step(self.equilibration)
            cells = np.empty((self.steps // self.every, 3, 3))
            for frame in range(len(cells)):
                simulation.step(self.every)
                cells[frame] = simulation.structure().cell.array
        return cells

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """The strain between the mean cells."""
        cells = np.mean([sample["cells"] for sample in samples], axis=0)
        tensor = self._expansion(*cells.mean(axis=1))
        halves = [
            [np.trace(self._expansion(*half)) / 3 for half in sample["cells"].swapaxes(0, 1)] for sample in samples
        ]
        return Estimate(value=float(np.trace(tensor) / 3), tensor=tensor, flag=settled(np.array(halves)))

    def _expansion(self, cold: Array, hot: Array) -> Array:
        change = np.linalg.solve(cold, hot)
        strain = (change + change.T) / 2 - np.eye(3)
        return np.asarray(strain / (2.0 * self.difference * self.temperature))
