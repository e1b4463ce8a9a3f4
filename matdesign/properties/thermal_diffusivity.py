"""Thermal diffusivity from the approach to equilibrium."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from matdesign.properties.heat_wave import HeatWave
from matdesign.properties.measurement import Estimate
from matdesign.properties.property import Sample, System
from matdesign.properties.units import Units


@dataclass(frozen=True, kw_only=True)
class ThermalDiffusivity(HeatWave):
    """Thermal diffusivity over the length of the cell, from the decay of an imposed temperature wave.

    It is that of a finite length, half the cell, and becomes the bulk's as the cell grows.

    Equation:
        H(t) = H(0) - D q^2 integral_0^t H dt',  relaxation time 1 / (D q^2),  q = 2 pi / L

        H: heat of the wave as in `heat_retention`, L: length of the cell, D: diffusivity. D is a straight line's slope
        over all readings after the transient.

    Attributes:
        temperature: in K (lj: epsilon/kB); must be given.
        equilibration: MD steps at constant temperature before the wave is imposed; 0 starts from a crystal at rest.
        axis: cell vector along which the wave runs, at right angles to the other two.
        amplitude: of the wave in kinetic energy, relative to the mean; a crystal's springs take half of it.
        waves: for each seed, a quarter of their length apart in phase.
        steps: MD steps of each decay; one to three relaxation times are best.
        every: MD steps between two readings.
        transient: MD steps before the first reading that counts, while heat still flows with the first sound.

    Value:
        m^2/s (lj: sigma^2/tau). Heat spreads at constant pressure (sound is faster), in a crystal at constant stress
        along the wave: kappa = D c_p / V.

    Curves:
        time (ps, fs or tau); remaining, H(t)/H(0); amplitude of the temperature (K, epsilon/kB).

    Details:
        relaxation_time: of the wave (ps, fs or tau). temperature: mean over the second half.

    Assumptions:
        Classical; small amplitude (the signs' difference cancels the first correction).

    Finite size:
        A crystal's waves fly farther than a short cell: D grows with the length, as 1/D over 1/L.

    References:
        Lampin, Palla, Francioso and Cleri, J. Appl. Phys. 114, 033525 (2013), doi:10.1063/1.4815945. Melis, Dettori,
        Vandermeulen and Colombo, Eur. Phys. J. B 87, 96 (2014), doi:10.1140/epjb/e2014-50119-0.
    """

    name: ClassVar[str] = "thermal_diffusivity"

    def unit(self, units: Units) -> str:
        """m^2/s, or reduced."""
        return units.diffusivity_unit

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Slope of the heat over its own integral."""
        diffusivity = self.diffusivity(system, samples)
        return Estimate(
            value=diffusivity * system.units.diffusivity,
            curves=self.curves(system, samples),
            details={
                "relaxation_time": 1 / (diffusivity * self.wavenumber(system) ** 2),
                "temperature": float(np.mean([sample["temperature"] for sample in samples])),
            },
            flag="; ".join(self.doubts(system, samples)),
        )
