"""Thermal conductivity from the approach to equilibrium."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from matdesign.properties.heat_wave import HeatWave
from matdesign.properties.measurement import Estimate
from matdesign.properties.property import Sample, System


@dataclass(frozen=True, kw_only=True)
class ApproachToEquilibrium(HeatWave):
    """Thermal conductivity over the length of the cell, from the decay of an imposed temperature wave (AEMD).

    It is that of a finite length, half the cell, and becomes the bulk's as the cell grows.

    Equation:
        H(t) = H(0) - kappa q^2 (V/2) integral_0^t T_q dt',  q = 2 pi / L
        T_q = 4 / (3 N kB) sum_i k_i cos(q x_i + phase)

        H: heat of the wave as in `heat_retention`, T_q: amplitude of the temperature, k_i: kinetic energy of atom i
        less the mean, L, V: length and volume of the cell, N: number of atoms, kB: Boltzmann's constant. kappa is a
        straight line's slope over all readings after the transient. No heat capacity enters: the decay itself gives it.

    Attributes:
        temperature: in K (lj: epsilon/kB); must be given.
        equilibration: MD steps at constant temperature before the wave is imposed; 0 starts from a crystal at rest.
        axis: cell vector along which the wave runs, at right angles to the other two.
        amplitude: of the wave in kinetic energy, relative to the mean; a crystal's springs take half of it.
        waves: for each seed, a quarter of their length apart in phase.
        steps: MD steps of each decay; one to three relaxation times are best.
        every: MD steps between two readings.
        transient: MD steps before the first reading that counts.

    Value:
        W/(m K) (lj: kB/(sigma tau)).

    Curves:
        time (ps, fs or tau); remaining, H(t)/H(0); amplitude of the temperature (K, epsilon/kB).

    Details:
        diffusivity: m^2/s (lj: sigma^2/tau). relaxation_time: of the wave (ps, fs or tau). heat_capacity: c of
        kappa = D c N / V in kB per atom, at constant pressure in a fluid and at constant stress along the wave in a
        crystal, where it is somewhat above 3. temperature: mean over the second half.

    Assumptions:
        Classical; small amplitude (the signs' difference cancels the first correction). In a fluid of several species
        heat and mass flow together: flagged.

    Finite size:
        A crystal's waves fly farther than a short cell: 1/kappa falls with 1/L. Fluids hardly depend on length.

    References:
        Lampin, Palla, Francioso and Cleri, J. Appl. Phys. 114, 033525 (2013), doi:10.1063/1.4815945. Melis, Dettori,
        Vandermeulen and Colombo, Eur. Phys. J. B 87, 96 (2014), doi:10.1140/epjb/e2014-50119-0.
    """

    name: ClassVar[str] = "thermal_conductivity_aemd"

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Slope of the heat over the integral of the temperature."""
        conductivity = self.conductivity(system, samples)
        diffusivity = self.diffusivity(system, samples)
        volume = system.structure.get_volume() / len(system.structure)
        return Estimate(
            value=conductivity * system.units.conductivity,
            curves=self.curves(system, samples),
            details={
                "diffusivity": diffusivity * system.units.diffusivity,
                "relaxation_time": 1 / (diffusivity * self.wavenumber(system) ** 2),
                "heat_capacity": conductivity * volume / (diffusivity * system.units.boltzmann),
                "temperature": float(np.mean([sample["temperature"] for sample in samples])),
            },
            flag="; ".join(self.doubts(system, samples)),
        )
