"""How much of an imposed temperature wave remains: the cheap score of heat dissipation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from matdesign.properties.heat_wave import HeatWave
from matdesign.properties.measurement import Estimate
from matdesign.properties.property import Sample, System
from matdesign.properties.units import Units
from matdesign.typed import Range


@dataclass(frozen=True, kw_only=True)
class HeatRetention(HeatWave):
    """How much of an imposed temperature wave remains on average: a cheap score of how badly a structure conducts.

    It says how heat spreads across half the given cell, a finite length, and ranks structures as `device_conductivity`
    does (not as the bulk). At 128 atoms a wave costs some tens of milliseconds. Verify designs with a conductivity:
    structures with blocks as wide as the wave can score better than they conduct.

    Equation:
        R = mean of H(t) / H(0) over transient <= t <= steps
        H(t) = (H+(t) - H-(t)) / 2,  H+-(t) = sum_i (e_i - h) cos(q x_i + phase),  q = 2 pi / L

        e_i: energy of atom i, h: enthalpy per atom, x_i: its position, L: length of the cell. H+ and H-: runs from the
        same positions and directions of the velocities, with temperature T (1 +- amplitude cos(q x + phase)).

    Attributes:
        temperature: in K (lj: epsilon/kB); must be given.
        equilibration: MD steps at constant temperature before; 0 starts from the atoms as they are, a crystal at rest,
            and gives them twice the kinetic energy, half of which goes into its springs.
        axis: cell vector along which the wave runs, at right angles to the other two.
        amplitude: of the wave in kinetic energy, relative to the mean.
        waves: for each seed, a quarter of their length apart in phase.
        steps: MD steps of each decay.
        every: MD steps between two readings.
        transient: MD steps before the mean begins.

    Value:
        0 (all heat has spread) to 1 (none has), a plain number.

    Curves:
        time (ps, fs or tau); remaining, H(t)/H(0); amplitude of the temperature (K, epsilon/kB).

    Details:
        temperature: mean over the second half.

    Assumptions:
        Classical. Only structures of the same length, at the same temperature and protocol, can be compared.

    References:
        Lampin, Palla, Francioso and Cleri, J. Appl. Phys. 114, 033525 (2013), doi:10.1063/1.4815945.
    """

    name: ClassVar[str] = "heat_retention"

    equilibration: Annotated[int, Range(0, 10**9)] = 0
    amplitude: Annotated[float, Range(0.01, 0.99)] = 0.9
    steps: Annotated[int, Range(1, 10**8)] = 600
    every: Annotated[int, Range(1, 10**4)] = 25
    transient: Annotated[int, Range(0, 10**8)] = 150

    def unit(self, units: Units) -> str:
        """A plain number."""
        return "1"

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Mean over the readings."""
        return Estimate(
            value=float(self.remaining(samples)[self.transient // self.every :].mean()),
            curves=self.curves(system, samples),
            details={"temperature": float(np.mean([sample["temperature"] for sample in samples]))},
            flag="; ".join(self.doubts(system, samples)),
        )
