"""Tension: the stress of a crystal that is pulled at a finite temperature until it yields."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from scipy.ndimage import uniform_filter1d

from matdesign.errors import InputError
from matdesign.properties import dynamics
from matdesign.properties.measurement import Array, Estimate
from matdesign.properties.neighbours import check_filled
from matdesign.properties.property import Property, Sample, System
from matdesign.properties.units import Units
from matdesign.sim import Simulation
from matdesign.typed import Range

POINTS = 100  # of the curve
SMOOTH = 3  # points whose mean is looked at, as a fluctuation is no yield
NOISE = 4.0  # differences between neighbouring points that the stress of a solid rises above
DROP = 0.2  # of the highest stress of the curve: a fall by it is yield
SMALLEST = 4.0  # edge in length scales below which slip has no room
ELASTIC = 0.02  # strain up to which the curve is fitted for the modulus
RIGHT_ANGLE = 1e-4  # degrees
HOTTEST = 1.0  # thermal energy in energy scales; Lennard-Jones crystals melt at 0.7


@dataclass(frozen=True, kw_only=True)
class YieldStress(Property):
    """Stress at which a structure yields when it is pulled along a cell edge at constant rate.

    Equation:
        sigma(e) = -P_xx(e),  e = L(t) / L(0) - 1 = rate t

        sigma: true stress along the edge (kinetic part included), e: engineering strain, L: length of the edge. Yield:
        the highest stress before it falls, for the first time, by a fifth of the highest stress of all.

    Attributes:
        temperature: in K (lj: epsilon/kB), by a Langevin thermostat.
        direction: edge that is pulled: "a", "b" or "c".
        lateral: "free": no stress across, as in a bar; "fixed": the cell keeps its width, uniaxial strain.
        strain: how far it is pulled (negative: pressed).
        steps: MD steps of the pulling; with strain and timestep they make the rate.
        equilibration: MD steps before, at zero pressure.

    Value:
        The stress of yield in GPa (lj: epsilon/sigma^3), positive under compression too; the mean over seeds. Flagged
        if it did not yield.

    Curves:
        strain; stress in the unit of the value: the mean over each hundredth of the strain, and over seeds.

    Details:
        strain: of yield. modulus: slope of a line through the first 2 % of strain (lateral free: about Young's modulus
        of that direction; fixed: about C11; up to a tenth off, as the curve bends). rate: in 1/ps (real: 1/fs,
        lj: 1/tau). yielded: the fraction of seeds.

    Assumptions:
        A perfect crystal yields near its ideal strength, a defect or a surface earlier. The stress rises with the rate
        (by default 1e10 per second in units metal; a testing machine has 1e-3): compare equal rates only.

    Finite size:
        Dislocations need room: small cells are too strong, and edges below four length scales are flagged. Repeat the
        cell until the stress no longer falls.

    References:
        Horstemeyer, Baskes and Plimpton, Acta Mater. 49, 4363 (2001), doi:10.1016/S1359-6454(01)00149-5, for rate and
        size.
    """

    name: ClassVar[str] = "yield_stress"

    temperature: Annotated[float, Range(1e-6, 1e6)] = 300.0
    direction: Literal["a", "b", "c"] = "a"
    lateral: Literal["free", "fixed"] = "free"
    strain: Annotated[float, Range(-0.5, 2.0)] = 0.3
    steps: Annotated[int, Range(1000, 10**9)] = 30_000
    equilibration: Annotated[int, Range(0, 10**9)] = 5_000

    def unit(self, units: Units) -> str:
        """That of pressure."""
        return units.pressure_unit

    def check(self, system: System) -> None:
        """A crystal whose edges are at right angles."""
        if not system.structure.pbc.all():
            raise InputError("yield_stress needs a structure that is periodic in three directions: repeat a unit cell")
        check_filled("yield_stress", system)
        if len(system.structure) < 2:
            raise InputError("yield_stress of one atom: it cannot slip past others, repeat the cell")
        if abs(system.structure.cell.angles() - 90.0).max() > RIGHT_ANGLE:
            angles = ", ".join(f"{angle:.4g}" for angle in system.structure.cell.angles())
            raise InputError(
                f"yield_stress pulls along a cell edge and the cell has angles {angles}: use a cell with right angles"
            )
        thermal = system.units.boltzmann * self.temperature / system.material.energy_scale
        if thermal > HOTTEST:
            raise InputError(
                f"yield_stress.temperature={self.temperature:g} {system.units.temperature} is {thermal:.3g} of the "
                f"material's energy scale, far above melting: lower it"
            )
        if self.strain == 0:
            raise InputError("yield_stress.strain=0 does not pull: give how far, such as 0.3")

    def sample(self, system: System, seed: int) -> Sample:
        """Stress [points] against the strain."""
        every = max(1, self.steps // (POINTS * 20))
        rate = self.strain / (self.steps * system.material.timestep)
        axis = "xyz"["abc".index(self.direction)]
        with system.simulation() as simulation:
            dynamics.set_velocities(simulation, 2.0 * self.temperature, seed)
            dynamics.thermostat(simulation, self.temperature, seed)
            dynamics.barostat(simulation, 0.0, coupling="aniso")
            simulation.run(self.equilibration)
            dynamics.release(simulation)
            dynamics.thermostat(simulation, self.temperature, seed + 1)
            if self.lateral == "free":
                _free_sides(simulation, axis)
            simulation.command("compute matdesign_pressure all pressure thermo_temp")
            component = 1 + "xyz".index(axis)
            simulation.command(f"fix matdesign_stress all vector {every} c_matdesign_pressure[{component}]")
            simulation.command(f"fix matdesign_pull all deform 1 {axis} erate {rate:.17g} remap x units box")
            simulation.run(self.steps)
            pressure = np.ravel(simulation.fix("matdesign_stress"))
        stress = -system.units.lammps_pressure * pressure[1:]
        return {"stress": np.array([block.mean() for block in np.array_split(stress, POINTS)])}

    def detail_units(self, system: System) -> dict[str, str]:
        """Of those that are no plain numbers."""
        return {"modulus": system.units.pressure_unit, "rate": f"1/{system.units.time}"}

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Means over seeds of yield, its strain and the modulus; the curve averaged over seeds."""
        sign = np.sign(self.strain)
        strain = (np.arange(POINTS) + 0.5) / POINTS * self.strain
        curves = np.array([sample["stress"] for sample in samples])
        curve, smooth = curves.mean(axis=0), sign * uniform_filter1d(curves, SMOOTH, mode="nearest")
        found = [_yield(stress) for stress in smooth]
        last = np.array([index for index, _ in found])
        yielded = np.array([fell for _, fell in found])
        peaks = smooth[np.arange(len(last)), last]
        noise = np.median(abs(np.diff(curves)))
        first = max(4, int((abs(strain) < ELASTIC).sum()))
        edge = min(system.structure.cell.lengths()) / system.material.length_scale
        reasons = [
            ("the stress does not rise above its fluctuations, as in a liquid", peaks.mean() < NOISE * noise),
            (f"{(~yielded).sum()} of {len(samples)} did not yield: raise strain={self.strain:g}", not yielded.all()),
            (f"the shortest edge is {edge:.2g} length scales, too short for slip: repeat the cell", edge < SMALLEST),
        ]
        return Estimate(
            value=float(peaks.mean()),
            curves={"strain": strain, "stress": curve},
            details={
                "strain": float(strain[last].mean()),
                "modulus": float(np.polyfit(strain[:first], curve[:first], 1)[0]),
                "rate": self.strain / (self.steps * system.material.timestep),
                "yielded": float(yielded.mean()),
            },
            flag="; ".join(text for text, applies in reasons if applies),
        )


def _free_sides(simulation: Simulation, pulled: str) -> None:
    """No stress across the pulled edge, in place of constant volume."""
    period = dynamics.BAROSTAT * simulation.material.timestep
    sides = " ".join(f"{axis} 0 0 {period:.17g}" for axis in "xyz" if axis != pulled)
    simulation.command("unfix matdesign_nve")
    simulation.command(f"fix matdesign_sides all nph {sides}")


def _yield(stress: Array) -> tuple[int, bool]:
    """Where the stress was highest before it first fell by `DROP`, and whether it fell."""
    fallen = np.flatnonzero(np.maximum.accumulate(stress) - stress > DROP * stress.max())
    end = int(fallen[0]) if len(fallen) and stress.max() > 0 else len(stress)
    return int(np.argmax(stress[:end])), end < len(stress)
