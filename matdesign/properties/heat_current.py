"""Heat current between two ends of a structure that are held at different temperatures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from matdesign.errors import InputError
from matdesign.properties import dynamics
from matdesign.properties.conduction import AXES, Axis, check_axis
from matdesign.properties.measurement import Estimate
from matdesign.properties.property import Property, Sample, System
from matdesign.properties.units import Units
from matdesign.sim import Simulation
from matdesign.typed import Range

ENDS = ("hot", "cold")
UNBALANCED = 0.2  # of the current, beyond which what one bath gives and the other takes are not the same current
NOISE = 4.0  # standard errors that such a difference must exceed as well


@dataclass(frozen=True, kw_only=True)
class HeatCurrent(Property):
    """Steady heat current through whatever lies between two slabs, one hot and one cold.

    The outermost atoms of either end along the axis are fixed, those next to them are kept at their temperature by
    Langevin thermostats, and all others move freely. What the thermostats give and take is counted by LAMMPS.

    Equation:
        J = (E_hot - E_cold) / (2 t)

        E_hot, E_cold: energy that the thermostats of the hot end (low coordinate) and of the cold end (high coordinate)
        gave in time t, after the equilibration.

    Attributes:
        hot: temperature of the hot end, in K (lj: epsilon/kB); must be given.
        cold: temperature of the cold end; must be given.
        axis: cell vector from the hot to the cold end; not periodic, at right angles to the other two.
        fixed: thickness at either end whose atoms do not move, in length scales of the material.
        bath: thickness at either end, the fixed one included, beyond which no thermostat acts, in length scales.
        damping: relaxation time of the thermostats, in timesteps.
        equilibration: MD steps until the current is steady.
        steps: MD steps over which it is counted.

    Value:
        J, energy per time of the unit style (metal: eV/ps = 0.16 nW; lj: epsilon/tau).

    Details:
        hot, cold: what each thermostat gave per time, cold negative. kept: their sum, 0 where the state is steady.

    Assumptions:
        Classical. The current depends on how strongly the ends are coupled to their thermostats where what is between
        conducts as well as they do: compare values of one protocol.

    References:
        Two Langevin ends as in Lepri, Livi and Politi, Phys. Rep. 377, 1 (2003), doi:10.1016/S0370-1573(02)00558-6.
    """

    name: ClassVar[str] = "heat_current"
    seeds: ClassVar[int] = 4

    hot: Annotated[float, Range(1e-6, 1e6)] | None = None
    cold: Annotated[float, Range(1e-6, 1e6)] | None = None
    axis: Axis = "a"
    fixed: Annotated[float, Range(1e-3, 1e3)] = 0.4
    bath: Annotated[float, Range(1e-3, 1e3)] = 1.95
    damping: Annotated[int, Range(1, 10**6)] = 50
    equilibration: Annotated[int, Range(0, 10**9)] = 5_000
    steps: Annotated[int, Range(1, 10**9)] = 30_000

    def unit(self, units: Units) -> str:
        """Energy per time."""
        return f"{units.energy}/{units.time}"

    def detail_units(self, system: System) -> dict[str, str]:
        """All as the value."""
        return dict.fromkeys((*ENDS, "kept"), self.unit(system.units))

    def check(self, system: System) -> None:
        """Two ends with atoms in each part of them, and two temperatures."""
        if self.hot is None or self.cold is None or self.hot <= self.cold:
            raise InputError(
                f"property.hot={self.hot} and property.cold={self.cold}: give both in {system.units.temperature}, the "
                "hot one higher"
            )
        if system.structure.pbc[AXES.index(self.axis)]:
            raise InputError(f"{self.name} needs two ends: the structure must not be periodic along property.axis")
        if self.fixed >= self.bath:
            raise InputError(f"property.bath={self.bath} must exceed property.fixed={self.fixed}, which lies in it")
        check_axis(self.name, system.structure, self.axis)
        fixed, *baths = self.ends(system)
        if not all(part.any() for part in (fixed, *baths)) or (baths[0] & baths[1]).any():
            raise InputError(
                f"property.fixed={self.fixed} and property.bath={self.bath} length scales do not make two ends with "
                "atoms that are fixed and atoms that are kept at a temperature: give other thicknesses"
            )

    def ends(self, system: System) -> list[np.ndarray]:
        """Which atoms are fixed, hot and cold: three times bool [atoms]."""
        edge = system.structure.cell.array[AXES.index(self.axis)]
        along = system.structure.positions @ edge / np.linalg.norm(edge) / system.material.length_scale
        low, high = along - along.min(), along.max() - along
        fixed = np.minimum(low, high) <= self.fixed
        return [fixed, (low <= self.bath) & ~fixed, (high <= self.bath) & ~fixed]

    def sample(self, system: System, seed: int) -> Sample:
        """What the thermostats gave in one run, per time; the atoms start at rest where they are, relaxed."""
        fixed, *baths = self.ends(system)
        with system.simulation() as simulation:
            simulation.fix_atoms(fixed)
            simulation.minimize()
            time = self.damping * system.material.timestep
            for name, part, temperature in zip(ENDS, baths, (self.hot, self.cold), strict=True):
                atoms = " ".join(str(i + 1) for i in np.flatnonzero(part))
                noise = dynamics.lammps_seed(2 * seed + (name == "hot"))
                simulation.command(f"group {name} id {atoms}")
                simulation.command(f"fix {name} {name} langevin {temperature} {temperature} {time} {noise} tally yes")
            simulation.run(self.equilibration)
            before = given(simulation)
            simulation.run(self.steps)
            rate = (given(simulation) - before) / (self.steps * system.material.timestep)
        return dict(zip(ENDS, rate, strict=True))

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Mean of both thermostats and all samples."""
        rates = np.array([[sample[name] for name in ENDS] for sample in samples])
        hot, cold = rates.mean(axis=0)
        currents, kept = (rates[:, 0] - rates[:, 1]) / 2, rates.sum(axis=1)
        error = kept.std(ddof=1) / np.sqrt(len(kept)) if len(kept) > 1 else np.inf
        flag = ""
        if abs(kept.mean()) > max(UNBALANCED * abs(currents.mean()), NOISE * error):
            flag = "the two ends do not exchange the same current: give more equilibration or steps"
        details = {"hot": float(hot), "cold": float(cold), "kept": float(kept.mean())}
        return Estimate(value=float(currents.mean()), details=details, flag=flag)


def given(simulation: Simulation) -> np.ndarray:
    """Energy that the thermostats of the two ends gave so far; LAMMPS counts what it takes."""
    return -np.array([float(simulation.fix(name)) for name in ENDS])
