"""Vibrational density of states of atoms in motion."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from scipy import fft
from scipy.integrate import trapezoid

from matdesign.errors import InputError
from matdesign.properties import dynamics
from matdesign.properties.correlation import autocorrelation
from matdesign.properties.measurement import Array, Estimate
from matdesign.properties.property import Sample, System
from matdesign.properties.thermal import ThermalProperty
from matdesign.properties.units import Units
from matdesign.typed import Range

WIDTH = 1 / 3  # of the Gaussian window, in longest lags
ALIASED = 0.01  # largest part of the density in the upper fifth of the frequencies that the frames resolve


@dataclass(frozen=True, kw_only=True)
class VibrationalDensityOfStates(ThermalProperty):
    """Vibrational density of states from the velocity autocorrelation: which frequencies the moving atoms have.

    Equation:
        C(t) = sum_i m_i <v_i(t0) . v_i(t0 + t)> / sum_i m_i <v_i^2>
        g(f) = 4 integral_0^t_max C(t) w(t) cos(2 pi f t) dt,   integral_0^inf g(f) df = 1

        m_i, v_i: mass and velocity of atom i; <>: mean over time origins t0; f: frequency; t_max = `correlation`;
        w(t) = exp(-(3 t / t_max)^2 / 2): window. In a harmonic solid every mode has the same part, as each has the
        kinetic energy kB T / 2.

    Attributes:
        temperature: in K (lj: epsilon/kB).
        equilibration: MD steps with a thermostat, before. The trajectory itself is at constant energy.
        steps: of the trajectory, in MD steps.
        every: MD steps between two frames; frequencies up to 1 / (2 every timestep) are resolved.
        correlation: longest time of C, in MD steps; the longer, the finer the frequencies.

    Value:
        Mean frequency, integral of f g(f), in THz (lj: 1/tau), cycles rather than radians.

    Curves:
        frequency: f. density_of_states: g(f), in its inverse. time: t, in the material's time unit.
        autocorrelation: C(t).

    Details:
        resolution: standard deviation of the Gaussian that the window makes of a sharp frequency. temperature: mean of
        the trajectory.

    Assumptions:
        Classical motion, anharmonic as it is; towards 0 K it becomes that of the harmonic phonons. In a liquid g(0) is
        4 m D / (kB T), with D the diffusion coefficient; a free cluster's rotation appears there too.

    Finite size:
        The frequencies of a periodic cell are those of the wave vectors that fit into it.

    References:
        Dickey and Paskin, Phys. Rev. 188, 1407 (1969), doi:10.1103/PhysRev.188.1407.
    """

    name: ClassVar[str] = "vibrational_density_of_states"

    steps: Annotated[int, Range(2, 10**9)] = 20_000
    every: Annotated[int, Range(1, 10**6)] = 5
    correlation: Annotated[int, Range(2, 10**9)] = 4000

    def unit(self, units: Units) -> str:
        """THz, or reduced."""
        return units.frequency_unit

    def check(self, system: System) -> None:
        """The trajectory must be longer than the correlation, and that several frames."""
        super().check(system)
        self.check_memory(system, self.steps // self.every + 1)
        if self.correlation > self.steps or self.correlation < 10 * self.every:
            raise InputError(
                f"{self.name}.correlation={self.correlation} must lie between ten frames ({10 * self.every} MD steps) "
                f"and the whole trajectory ({self.steps} MD steps)"
            )

    def sample(self, system: System, seed: int) -> Sample:
        """C(t) and the mean temperature."""
        with system.simulation() as simulation:
            dynamics.equilibrate(simulation, temperature=self.temperature, steps=self.equilibration, seed=seed)
            weights = np.sqrt(np.array(simulation.material.masses)[simulation.types - 1])[:, None]
            count = self.steps // self.every + 1
            frames = np.empty((count, simulation.atoms, 3))
            for frame in range(count):
                if frame:
                    simulation.step(self.every)
                np.multiply(weights, simulation.v, out=frames[frame])
        correlation = autocorrelation(frames, self.correlation // self.every + 1)
        units, freedom = system.units, max(3 * len(system.structure) - 3, 1)
        temperature = units.mvv2e * float((frames**2).sum()) / count / (freedom * units.boltzmann)
        return {"autocorrelation": correlation / correlation[0], "temperature": np.array(temperature)}

    def detail_units(self, system: System) -> dict[str, str]:
        """Of those that are no plain numbers."""
        return {**super().detail_units(system), "resolution": system.units.frequency_unit}

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """The cosine transform of the mean C(t)."""
        correlation: Array = np.mean([sample["autocorrelation"] for sample in samples], axis=0)
        time = np.asarray(np.arange(len(correlation)) * self.every * system.material.timestep, np.float64)
        dos, frequency = _density(correlation, time[1])
        unit = system.units.frequency
        aliased = trapezoid(dos * (frequency > 0.8 * frequency[-1]), frequency)
        flags = [self.warning(system, samples)]
        if aliased > ALIASED:
            flags.append(f"there are frequencies near the highest that frames resolve: lower every={self.every}")
        return Estimate(
            value=float(trapezoid(frequency * dos, frequency)) * unit,
            curves={
                "frequency": frequency * unit,
                "density_of_states": dos / unit,
                "time": time,
                "autocorrelation": correlation,
            },
            details={
                "resolution": unit / (2 * np.pi * WIDTH * time[-1]),
                "temperature": float(np.mean([sample["temperature"] for sample in samples])),
            },
            flag="; ".join(flag for flag in flags if flag),
        )


def _density(correlation: Array, interval: float) -> tuple[Array, Array]:
    """g(f) and f, whose sum by the trapezoidal rule is C(0) exactly."""
    lags = np.arange(len(correlation))
    window = np.exp(-0.5 * (lags / (WIDTH * lags[-1])) ** 2)
    density = 2.0 * interval * fft.dct(correlation * window, type=1)
    return np.asarray(density), lags / (2.0 * lags[-1] * interval)
