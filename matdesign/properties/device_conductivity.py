"""What a device conducts: heat driven through a finite length between a hot and a cold reservoir."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from matdesign.errors import InputError
from matdesign.properties import dynamics
from matdesign.properties.conduction import (
    AXES,
    Axis,
    HeatConduction,
    check_axis,
    diffused,
    displacement,
    length_and_area,
    standard_error,
)
from matdesign.properties.measurement import Estimate
from matdesign.properties.property import Sample, System
from matdesign.typed import Range

SIDES = {"hot": 1, "cold": -1}
CENTRES = {"hot": 0.25, "cold": 0.75}  # of the reservoirs, in the ring
FEWEST_ATOMS = 8  # in a reservoir
IMBALANCE = 0.2  # between heat that entered and heat that left, over their mean: not steady


@dataclass(frozen=True, kw_only=True)
class DeviceConductivity(HeatConduction):
    """Heat that the given cell conducts from a hot to a cold reservoir, as a conductivity: that of a device.

    The heat crosses exactly one cell, contacts with the reservoirs included. This is not the bulk's conductivity
    (`thermal_conductivity_green_kubo`, `thermal_conductivity_mueller_plathe` extrapolated): carriers that would fly
    farther than the cell are stopped, and the two rank layered structures differently.

    Equation:
        kappa = (P / (2 A)) L / (T_hot - T_cold)

        Two copies of the cell close a ring; reservoirs (Langevin thermostats) half a ring apart, so that heat flows
        both ways. P: power from hot to cold, mean of what one gives and the other takes, A: cross-section, L: length
        of the cell, T: kinetic temperatures in the reservoirs. Where in the cell they sit is drawn by the seed.

    Attributes:
        temperature: mean of the two, in K (lj: epsilon/kB); must be given.
        equilibration: MD steps between the reservoirs before power and temperatures count.
        axis: cell vector along which heat flows, at right angles to the other two.
        difference: between the reservoirs, over the mean temperature.
        slab: width of a reservoir over the length of the cell.
        damping: relaxation time of the reservoirs, in MD steps.
        steps: MD steps that count.

    Value:
        W/(m K) (lj: kB/(sigma tau)).

    Details:
        length: A (lj: sigma). hot, cold: temperatures of the reservoirs. conductance: P / (2 A (T_hot - T_cold)), in
        the value's unit per A (lj: sigma).

    Assumptions:
        Classical; a solid, as the reservoirs are always the same atoms (a fluid is flagged). The difference is large
        to be seen in short runs: what is measured is an average over the temperatures between hot and cold.

    Finite size:
        Is the point: the value belongs to the length. It also depends a little on slab and damping.

    References:
        Li, Xiong, Sievers, Hu, Fan, Wei, Bao, Chen, Donadio and Ala-Nissila, J. Chem. Phys. 151, 234105 (2019),
        doi:10.1063/1.5132543.
    """

    name: ClassVar[str] = "device_conductivity"

    equilibration: Annotated[int, Range(0, 10**9)] = 5_000
    axis: Axis = "a"
    difference: Annotated[float, Range(0.01, 1.9)] = 0.8
    slab: Annotated[float, Range(0.01, 0.5)] = 0.125
    damping: Annotated[int, Range(1, 10**6)] = 50
    steps: Annotated[int, Range(1, 10**9)] = 20_000

    def check(self, system: System) -> None:
        """Reservoirs need atoms, and heat a direction."""
        super().check(system)
        check_axis(self.name, system.structure, self.axis)
        along = np.sort(system.structure.get_scaled_positions()[:, AXES.index(self.axis)])
        ends = np.searchsorted(np.append(along, along + 1), along + self.slab - 1e-9)
        least = int((ends - np.arange(len(along)) - 1).min())  # just after an atom, wherever the reservoir sits
        if least < FEWEST_ATOMS:
            raise InputError(
                f"{self.name}: a reservoir of property.slab={self.slab} of the cell can hold as few as {least} atoms, "
                f"of at least {FEWEST_ATOMS}: raise it or repeat the structure"
            )

    def sample(self, system: System, seed: int) -> Sample:
        """Power and temperatures of one run."""
        rng = np.random.default_rng(seed)
        index = AXES.index(self.axis)
        ring = system.structure.copy()
        ring.positions += rng.random() * ring.cell.array[index]
        ring.wrap()
        ring = ring.repeat([2 if i == index else 1 for i in range(3)])
        with system.simulation(ring) as simulation:
            dynamics.set_velocities(simulation, 2 * self.temperature, seed)
            low, edge = simulation.box()[0][index], simulation.box()[1][index, index]
            damping = self.damping * system.material.timestep
            for i, (name, side) in enumerate(SIDES.items()):
                ends = [low + edge * (CENTRES[name] + sign * self.slab / 4) for sign in (-1, 1)]
                bounds = " ".join("{:.17g} {:.17g}".format(*ends) if d == index else "INF INF" for d in range(3))
                target = self.temperature * (1 + side * self.difference / 2)
                number = dynamics.lammps_seed(seed + i)
                simulation.command(f"region matdesign_{name} block {bounds} units box")
                simulation.command(f"group matdesign_{name} region matdesign_{name}")
                simulation.command(
                    f"fix matdesign_{name} matdesign_{name} langevin {target:.17g} {target:.17g} {damping:.17g} "
                    f"{number} tally yes"
                )
                simulation.command(f"compute matdesign_{name} matdesign_{name} temp")
                simulation.command(f"compute_modify matdesign_{name} extra/dof 0")
            simulation.run(self.equilibration)
            start = simulation.positions
            before = {name: float(simulation.fix(f"matdesign_{name}")) for name in SIDES}
            for name in SIDES:
                simulation.command(f"fix matdesign_{name}_mean all ave/time 1 1 1 c_matdesign_{name} ave running")
            simulation.run(self.steps)
            time = self.steps * system.material.timestep
            sample = {
                f"power_{name}": np.array((before[name] - float(simulation.fix(f"matdesign_{name}"))) * side / time)
                for name, side in SIDES.items()
            }
            for name in SIDES:
                sample[name] = np.array(float(simulation.fix(f"matdesign_{name}_mean")))
            sample["displacement"] = displacement(system, start, simulation.positions)
        sample["temperature"] = (sample["hot"] + sample["cold"]) / 2
        return sample

    def detail_units(self, system: System) -> dict[str, str]:
        """Of those that are no plain numbers."""
        length, unit = system.units.length, system.units.conductivity_unit
        temperatures = dict.fromkeys(("hot", "cold"), system.units.temperature)
        return {**temperatures, "length": length, "conductance": f"{unit}/{length}"}

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Mean power over mean difference."""
        power = {name: np.array([sample[f"power_{name}"] for sample in samples]) for name in SIDES}
        hot, cold = (float(np.mean([sample[name] for sample in samples])) for name in SIDES)
        length, area = length_and_area(system.structure, self.axis)
        mean = (power["hot"].mean() + power["cold"].mean()) / 2
        conductance = float(mean / (2 * area * (hot - cold)) * system.units.conductivity)
        flags = self.doubts(system, samples)
        unequal = power["hot"] - power["cold"]
        if abs(unequal.mean()) > IMBALANCE * abs(mean) + 2 * standard_error(unequal):
            flags.append("more heat enters than leaves, or less: raise property.equilibration")
        if diffused(samples):
            flags.append("the atoms leave their sites, and with them the reservoirs: this needs a solid")
        return Estimate(
            value=conductance * length,
            details={"length": length, "hot": hot, "cold": cold, "conductance": conductance},
            flag="; ".join(flags),
        )
