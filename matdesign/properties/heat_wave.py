"""Approach to equilibrium: a wave of temperature is imposed on a structure, and its decay tells how heat flows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from scipy.integrate import cumulative_trapezoid

from matdesign.errors import InputError
from matdesign.properties import dynamics
from matdesign.properties.conduction import (
    AXES,
    Axis,
    HeatConduction,
    check_axis,
    displacement,
    length_and_area,
)
from matdesign.properties.measurement import Array
from matdesign.properties.property import Sample, System
from matdesign.properties.units import UNITS
from matdesign.sim import Simulation
from matdesign.typed import Range

PRESSURE = "matdesign_pressure"
SHORTEST = 3.0  # cell for a wave, in length scales
UNDECAYED = 0.7  # of the wave at the end: too much to tell how fast it decays
LOST = 0.1  # of the wave where the reading begins: too little


@dataclass(frozen=True, kw_only=True)
class HeatWave(HeatConduction):
    """A wave of temperature decays: the experiment that three properties read differently.

    The wave spans the cell once. Each is run twice from the same positions and directions of the velocities, hot and
    cold exchanged; half the difference holds nothing but what the wave did. Waves follow each other by a quarter of
    their length, from a phase that the seed draws.
    """

    axis: Axis = "a"
    amplitude: Annotated[float, Range(0.01, 0.99)] = 0.6
    waves: Annotated[int, Range(1, 1000)] = 2
    steps: Annotated[int, Range(1, 10**8)] = 4_000
    every: Annotated[int, Range(1, 10**4)] = 20
    transient: Annotated[int, Range(0, 10**8)] = 1_000

    def check(self, system: System) -> None:
        """The wave needs a direction, and times at which to look at it."""
        super().check(system)
        check_axis(self.name, system.structure, self.axis)
        length, _ = length_and_area(system.structure, self.axis)
        if length < SHORTEST * system.material.length_scale:
            raise InputError(
                f"{self.name}: a cell of {length:.3g} {system.units.length} is too short for a wave of temperature: "
                f"repeat it to {SHORTEST * system.material.length_scale:.3g} at least along property.axis={self.axis}"
            )
        if self.transient + 10 * self.every > self.steps:
            raise InputError(
                f"property.steps={self.steps} leaves fewer than 10 readings, one every {self.every} steps, after "
                f"property.transient={self.transient}: raise it"
            )

    def sample(self, system: System, seed: int) -> Sample:
        """Amplitude of the heat (energy) and of the temperature over time, means over the waves."""
        rng = np.random.default_rng(seed)
        phase = rng.uniform(0, 2 * np.pi)
        series, ends = [], []
        with system.simulation() as simulation:
            if self.equilibration:
                dynamics.equilibrate(simulation, temperature=self.temperature, steps=self.equilibration, seed=seed)
            simulation.command(f"compute {PRESSURE} all pressure thermo_temp")
            simulation.command(f"fix {PRESSURE} all ave/time {self.every} 1 {self.every} c_{PRESSURE} ave running")
            start = simulation.positions
            for wave in range(self.waves):
                directions = rng.normal(size=start.shape)
                directions /= np.linalg.norm(directions, axis=1)[:, None]
                for sign in (1, -1):
                    series.append(self._decay(simulation, start, directions, phase + wave * np.pi / 2, sign))
                    ends.append(displacement(system, start, simulation.positions))
            pressure = float(simulation.fix(PRESSURE))
        atoms, units = len(system.structure), system.units
        work = pressure * units.lammps_pressure / units.pressure * system.structure.get_volume()
        energy, kinetic, numbers, whole, moving = np.mean(series, axis=0)
        enthalpy = (whole[0] + work) / atoms
        return {
            "heat": energy - enthalpy * numbers,
            "wave": kinetic * 4 / (3 * atoms * units.boltzmann),
            "temperature": 2 * moving[len(moving) // 2 :].mean() / (units.boltzmann * (3 * atoms - 3)),
            "displacement": np.mean(ends),
        }

    def _decay(self, simulation: Simulation, start: Array, directions: Array, phase: float, sign: int) -> Array:
        """Amplitudes of energy, kinetic energy and number of atoms, total and kinetic energy: [5, times].

        Amplitudes carry the sign of the wave, so that the mean over both signs is half their difference.
        """
        units = UNITS[simulation.material.units]
        masses = units.mvv2e * np.array(simulation.material.masses)[simulation.types - 1]
        index = AXES.index(self.axis)
        wave = 2 * np.pi / simulation.box()[1][index, index]
        # Half of what is given to a crystal at rest goes into its springs.
        target = self.temperature * (1 if self.equilibration else 2)
        profile = target * (1 + sign * self.amplitude * np.cos(wave * start[:, index] + phase))
        velocities = directions * np.sqrt(3 * units.boltzmann * profile / masses)[:, None]
        velocities -= (masses[:, None] * velocities).sum(axis=0) / masses.sum()
        simulation.place(start, velocities, energies=True)
        rows = []
        for frame in range(self.steps // self.every + 1):
            if frame:
                simulation.step(self.every, energies=True)
            kinetic = 0.5 * masses * (simulation.v**2).sum(axis=1)
            energies = simulation.energies + kinetic
            weights = np.cos(wave * simulation.x[:, index] + phase) * sign
            moving = kinetic.sum()
            amplitudes = (energies @ weights, (kinetic - moving / len(kinetic)) @ weights, weights.sum())
            rows.append((*amplitudes, energies.sum(), moving))
        return np.array(rows).T

    def remaining(self, samples: Sequence[Sample]) -> Array:
        """Heat of the wave over what it began with, mean over samples."""
        heat = np.mean([sample["heat"] for sample in samples], axis=0)
        return np.asarray(heat / heat[0])

    def detail_units(self, system: System) -> dict[str, str]:
        """Of those that are no plain numbers."""
        units = system.units
        read = {"diffusivity": units.diffusivity_unit, "relaxation_time": units.time, "heat_capacity": "kB/atom"}
        return {**super().detail_units(system), **read}

    def doubts(self, system: System, samples: Sequence[Sample]) -> list[str]:
        """Why the decay should not be read."""
        found = super().doubts(system, samples)
        remaining = self.remaining(samples)
        if remaining[-len(remaining) // 4 :].mean() > UNDECAYED:
            found.append("the wave has hardly decayed: raise property.steps")
        if remaining[self.transient // self.every] < LOST:
            found.append("the wave is gone before it is read: lower property.transient or give a longer cell")
        if self.diffusivity(system, samples) <= 0:
            found.append("the wave grows instead of decaying: it is noise, take more samples or a longer cell")
        return found

    def curves(self, system: System, samples: Sequence[Sample]) -> dict[str, Array]:
        """Times, heat that remains and amplitude of the temperature."""
        remaining = self.remaining(samples)
        return {
            "time": np.arange(len(remaining)) * self.every * system.material.timestep,
            "remaining": remaining,
            "amplitude": np.mean([sample["wave"] for sample in samples], axis=0),
        }

    def diffusivity(self, system: System, samples: Sequence[Sample]) -> float:
        """From the decay of the heat under its own integral, in length^2/time."""
        heat = np.mean([sample["heat"] for sample in samples], axis=0)
        return self._slope(system, heat, heat) / self.wavenumber(system) ** 2

    def conductivity(self, system: System, samples: Sequence[Sample]) -> float:
        """From the decay of the heat under the integral of the temperature, in energy/(time length temperature)."""
        heat, temperature = (np.mean([sample[name] for sample in samples], axis=0) for name in ("heat", "wave"))
        slope = self._slope(system, heat, temperature)
        return slope / (self.wavenumber(system) ** 2 * float(system.structure.get_volume()) / 2)

    def _slope(self, system: System, heat: Array, drive: Array) -> float:
        """-d(heat)/d(integral of the drive), a straight line through all readings after the transient."""
        integral = cumulative_trapezoid(drive, dx=self.every * system.material.timestep, initial=0.0)
        first = self.transient // self.every
        return -float(np.polyfit(integral[first:], heat[first:], 1)[0])

    def wavenumber(self, system: System) -> float:
        """2 pi over the length of the cell."""
        length, _ = length_and_area(system.structure, self.axis)
        return float(2 * np.pi / length)
