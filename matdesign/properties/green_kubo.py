"""Thermal conductivity of the bulk by Green and Kubo: from the fluctuations of the heat flux at equilibrium."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from scipy.integrate import cumulative_trapezoid

from matdesign.errors import InputError, SimulationError
from matdesign.properties import dynamics
from matdesign.properties.conduction import HeatConduction, displacement, standard_error
from matdesign.properties.measurement import Array, Estimate
from matdesign.properties.property import Sample, System
from matdesign.sim import Simulation
from matdesign.typed import Range

# Centroid stress is what the flux of many-body potentials takes; for pair potentials it is the usual one.
FLUX = (
    "compute matdesign_kinetic all ke/atom",
    "compute matdesign_potential all pe/atom",
    "compute matdesign_stress all centroid/stress/atom NULL virial",
    "compute matdesign_flux all heat/flux matdesign_kinetic matdesign_potential matdesign_stress",
    "compute matdesign_ke all ke",
)
REFUSAL = "does not support compute centroid/stress/atom"
RISING = 0.1  # relative change of the running integral within its window that is no plateau


@dataclass(frozen=True, kw_only=True)
class GreenKubo(HeatConduction):
    """Thermal conductivity of the bulk, from equilibrium fluctuations of the heat flux (Green and Kubo).

    This is the conductivity of the infinitely repeated cell. It ranks structures differently from
    `device_conductivity`, which is what a finite length conducts.

    Equation:
        kappa_ij = 1 / (V kB T^2) integral_0^tau <J_i(0) J_j(t)> dt
        J = sum_i e_i v_i - sum_i S_i v_i

        J: heat flux times volume, e_i: kinetic and potential energy of atom i, v_i: its velocity, S_i: its centroid
        virial (tensor), V: volume, T: temperature, kB: Boltzmann's constant, tau: upper limit of the integral.

    Attributes:
        temperature: in K (lj: epsilon/kB); must be given.
        equilibration: MD steps at constant temperature before the flux is recorded at constant energy.
        steps: MD steps recorded for each seed.
        every: MD steps between two recorded values; a tenth of the fastest vibration's period resolves it.
        correlation: MD steps up to which the correlation function is integrated. The plateau is the running
            integral's mean over the second half, tau from correlation/2 to correlation: the flux should have
            forgotten itself by correlation/2, and noise grows as the square root of correlation/steps.

    Value:
        Mean of the three diagonal elements at the plateau, of the mean over seeds, W/(m K) (lj: kB/(sigma tau)).

    Tensor:
        kappa_ij, symmetric [3, 3], in the structure's frame.

    Curves:
        time (ps, fs or tau); autocorrelation, mean of the three directions, in the value's unit per time;
        running_integral [3, times] of each direction, in the value's unit.

    Details:
        temperature: of the recorded run.

    Assumptions:
        Classical. For potentials of the embedded-atom type LAMMPS divides a pair's virial equally between its atoms,
        which is not exact. Energy per atom is that of the potential; in solids its choice does not matter. In a fluid
        of several species heat and mass flow together, which takes the species' enthalpies: flagged. Pair styles for
        which LAMMPS has no centroid stress (sw, tersoff, meam) are refused: use `thermal_conductivity_mueller_plathe`.

    Finite size:
        Small for fluids; a crystal needs a cell longer than the waves that carry its heat. Compare two cells.

    References:
        Green, J. Chem. Phys. 22, 398 (1954), doi:10.1063/1.1740082. Kubo, J. Phys. Soc. Jpn. 12, 570 (1957),
        doi:10.1143/JPSJ.12.570. Centroid stress: Surblys, Matsubara, Kikugawa and Ohara, Phys. Rev. E 99, 051301
        (2019), doi:10.1103/PhysRevE.99.051301. Solids: Schelling, Phillpot and Keblinski, Phys. Rev. B 65, 144306
        (2002), doi:10.1103/PhysRevB.65.144306.
    """

    name: ClassVar[str] = "thermal_conductivity_green_kubo"

    steps: Annotated[int, Range(1, 10**9)] = 100_000
    every: Annotated[int, Range(1, 10_000)] = 10
    correlation: Annotated[int, Range(1, 10**8)] = 5_000

    def check(self, system: System) -> None:
        """The run must hold several windows, and the pair style must have a centroid stress."""
        super().check(system)
        if self.correlation < 8 * self.every:
            raise InputError(
                f"property.correlation={self.correlation} holds fewer than 8 values, one every {self.every} steps: "
                "raise it or lower property.every"
            )
        if self.steps < 4 * self.correlation:
            raise InputError(
                f"property.steps={self.steps} is less than 4 times property.correlation={self.correlation}: raise it"
            )
        with system.simulation() as simulation:
            try:
                self._series(simulation, 0)
            except SimulationError as error:
                if REFUSAL not in str(error):
                    raise
                raise InputError(
                    f"{self.name}: LAMMPS knows no centroid stress, and so no right heat flux, for pair style "
                    f"{system.material.pair_style!r}: use thermal_conductivity_mueller_plathe"
                ) from None

    def sample(self, system: System, seed: int) -> Sample:
        """Correlation function of one run, scaled so that its integral is the conductivity."""
        with system.simulation() as simulation:
            dynamics.equilibrate(simulation, temperature=self.temperature, steps=self.equilibration, seed=seed)
            start = simulation.positions
            series = self._series(simulation, self.steps)
            moved = displacement(system, start, simulation.positions)
            _, cell, _ = simulation.box()
        flux = series[:, :3] @ np.linalg.solve(cell, system.structure.cell.array)  # out of LAMMPS' frame
        freedom = 3 * len(system.structure) - 3
        temperature = 2 * series[:, 3].mean() / (system.units.boltzmann * freedom)
        volume = system.structure.get_volume()
        scale = system.units.conductivity / (volume * system.units.boltzmann * temperature**2)
        return {
            "correlation": scale * correlation(flux, self.correlation // self.every),
            "temperature": temperature,
            "displacement": moved,
        }

    def _series(self, simulation: Simulation, steps: int) -> Array:
        """Heat flux times volume in LAMMPS' frame, and kinetic energy, [times, 4]."""
        for line in FLUX:
            simulation.command(line)
        columns = "c_matdesign_flux[1] c_matdesign_flux[2] c_matdesign_flux[3] c_matdesign_ke"
        return dynamics.series(simulation, columns, every=self.every, steps=steps)

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """The plateau of the mean over samples."""
        interval = self.every * system.material.timestep
        mean = np.mean([sample["correlation"] for sample in samples], axis=0)
        running = _running(mean, interval)
        tensor = _window(running, 0.5, 1.0)
        value = float(np.trace(tensor) / 3)
        flags = self.doubts(system, samples)
        runs = [_running(np.trace(sample["correlation"]) / 3, interval) for sample in samples]
        rises = np.array([_window(run, 0.75, 1.0) - _window(run, 0.5, 0.75) for run in runs])
        if abs(rises.mean()) > max(RISING * abs(value), 2 * standard_error(rises)):
            flags.append("the running integral has no plateau: raise property.correlation")
        return Estimate(
            value=value,
            tensor=tensor,
            curves={
                "time": np.arange(mean.shape[-1]) * interval,
                "autocorrelation": np.trace(mean) / 3,
                "running_integral": np.array([running[i, i] for i in range(3)]),
            },
            details={"temperature": float(np.mean([sample["temperature"] for sample in samples]))},
            flag="; ".join(flags),
        )


def correlation(series: Array, count: int) -> Array:
    """<x_i(0) x_j(t)> of a series [times, n] for the first `count` lags: [n, n, count], symmetric in i and j."""
    times = len(series)
    spectrum = np.fft.rfft(series, 2 * times, axis=0)  # padded: without wrap-around
    product = np.einsum("ti,tj->ijt", spectrum.conj(), spectrum)
    lags = np.fft.irfft(product, 2 * times)[..., :count] / (times - np.arange(count))
    return np.asarray((lags + lags.transpose(1, 0, 2)) / 2)


def _running(values: Array, interval: float) -> Array:
    return np.asarray(cumulative_trapezoid(values, dx=interval, initial=0.0))


def _window(running: Array, begin: float, end: float) -> Array:
    """Mean of a running integral over a part of its times."""
    count = running.shape[-1]
    return np.asarray(running[..., int(begin * count) : int(end * count)].mean(axis=-1))
