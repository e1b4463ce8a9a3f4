"""Pressure and stress."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from ase import Atoms

from matdesign.errors import InputError
from matdesign.properties import dynamics
from matdesign.properties.measurement import Array, Estimate
from matdesign.properties.property import Sample, System
from matdesign.properties.structural import StructuralProperty
from matdesign.properties.units import Units
from matdesign.sim import Simulation

VOIGT = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))  # LAMMPS' order of a symmetric tensor's components


@dataclass(frozen=True, kw_only=True)
class Stress(StructuralProperty):
    """Stress tensor, and its von Mises equivalent stress.

    Equation:
        sigma_ab = -1/V (sum_i m_i v_ia v_ib + sum_i r_ia f_ib)
        sigma_vM = sqrt(3/2 s_ab s_ab),  s_ab = sigma_ab - delta_ab (sigma_xx + sigma_yy + sigma_zz)/3

        V: volume, m_i, v_i, r_i, f_i: mass, velocity, position of atom i and the force on it (second term: the
        virial, over images too); s: deviatoric stress; sums over a, b = x, y, z.

    Value:
        Von Mises stress sigma_vM, GPa (lj: epsilon/sigma^3): 0 under pure pressure.

    Tensor:
        sigma [3, 3] in the axes of the structure, positive in tension, in the same unit.

    Details:
        hydrostatic: (sigma_xx + sigma_yy + sigma_zz)/3, minus the pressure.

    Assumptions:
        The kinetic term is there in MD, and where the structure has velocities (momenta); without, it is the static
        stress. sigma_vM is that of the mean tensor: where the stress is zero on average, noise makes it positive.

    References:
        Thompson, Plimpton and Mattson, J. Chem. Phys. 131, 154107 (2009), doi 10.1063/1.3245303: the virial.
    """

    name: ClassVar[str] = "stress"

    def unit(self, units: Units) -> str:
        """GPa, or reduced."""
        return units.pressure_unit

    def check(self, system: System) -> None:
        """A volume is needed."""
        if not system.structure.pbc.all():
            raise InputError(
                f"{self.name} needs a structure that is periodic in three directions: a cluster has no volume"
            )

    def of(self, system: System, atoms: Atoms) -> Sample:
        """Stress of this arrangement."""
        with system.simulation(atoms) as simulation:
            return {"stress": _mean_stress(system, simulation, every=1, steps=0)}

    def average(self, system: System, simulation: Simulation) -> Sample:
        """From LAMMPS' own tensor in the frames."""
        return {"stress": _mean_stress(system, simulation, every=self.every, steps=self.frames * self.every)}

    def detail_units(self, system: System) -> dict[str, str]:
        """Of those that are no plain numbers."""
        return {"hydrostatic": system.units.pressure_unit}

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Mean tensor and what follows from it."""
        stress = self.mean(samples, "stress")
        hydrostatic = float(np.trace(stress)) / 3
        deviatoric = stress - hydrostatic * np.eye(3)
        von_mises = float(np.sqrt(1.5 * (deviatoric**2).sum()))
        return Estimate(value=von_mises, tensor=stress, details={"hydrostatic": hydrostatic})


@dataclass(frozen=True, kw_only=True)
class Pressure(Stress):
    """Pressure.

    Equation:
        p = -(sigma_xx + sigma_yy + sigma_zz)/3 = (2 K + sum_i r_i . f_i) / (3 V)

        sigma: stress tensor, K: kinetic energy (of 3N - 3 degrees of freedom, drift is removed), V: volume, r_i, f_i:
        position of atom i and the force on it (the virial, over images too).

    Value:
        GPa (lj: epsilon/sigma^3), positive where the structure wants to expand.

    Tensor:
        -sigma [3, 3] in the axes of the structure: the pressure tensor.

    Assumptions:
        The kinetic term is there in MD, and where the structure has velocities (momenta); without, it is the static
        pressure.

    References:
        Thompson, Plimpton and Mattson, J. Chem. Phys. 131, 154107 (2009), doi 10.1063/1.3245303: the virial.
    """

    name: ClassVar[str] = "pressure"

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """A third of the mean tensor's trace."""
        tensor = -self.mean(samples, "stress")
        return Estimate(value=float(np.trace(tensor)) / 3, tensor=tensor)


def _mean_stress(system: System, simulation: Simulation, *, every: int, steps: int) -> Array:
    """Mean over a run (0 steps: as it is), in the structure's axes."""
    simulation.command("compute matdesign_pressure all pressure thermo_temp")
    columns = " ".join(f"c_matdesign_pressure[{component}]" for component in range(1, 7))
    mean = dynamics.series(simulation, columns, every=every, steps=steps).mean(axis=0)
    pressure = np.zeros((3, 3))
    for (a, b), value in zip(VOIGT, mean, strict=True):
        pressure[a, b] = pressure[b, a] = value * system.units.lammps_pressure
    _, cell, _ = simulation.box()
    turn = np.linalg.solve(cell, simulation.structure().cell.array)  # LAMMPS turns cells into lower triangular ones
    return np.asarray(-turn.T @ pressure @ turn)
