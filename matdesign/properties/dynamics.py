"""Molecular dynamics as properties use it: velocities, thermostats and barostats on a `Simulation`."""

import numpy as np

from matdesign.properties.measurement import Array
from matdesign.properties.units import UNITS
from matdesign.sim import Simulation

DAMPING = 100  # of the thermostat, in timesteps
BAROSTAT = 1000  # period of the barostat, in timesteps
THERMOSTAT = "matdesign_thermostat"
BAROSTAT_FIX = "matdesign_barostat"
SERIES = "matdesign_series"


def set_velocities(simulation: Simulation, temperature: float, seed: int) -> None:
    """Draws velocities from Maxwell and Boltzmann's distribution at `temperature`, without drift of the whole."""
    units = UNITS[simulation.material.units]
    masses = np.array(simulation.material.masses)[simulation.types - 1][:, None]
    rng = np.random.default_rng(seed)
    velocities = rng.normal(size=(simulation.atoms, 3)) * np.sqrt(
        units.boltzmann * temperature / (units.mvv2e * masses)
    )
    simulation.v[:] = velocities - (masses * velocities).sum(axis=0) / masses.sum()


def thermostat(
    simulation: Simulation, temperature: float, seed: int, *, end: float | None = None, damping: int = DAMPING
) -> None:
    """Langevin thermostat (no drift of the whole) with relaxation time `damping` timesteps, until `release`.

    With `end` the temperature changes linearly within the next `run`, and is `end` at its end.
    """
    time, end = damping * simulation.material.timestep, temperature if end is None else end
    simulation.command(
        f"fix {THERMOSTAT} all langevin {temperature:.17g} {end:.17g} {time:.17g} {lammps_seed(seed)} zero yes"
    )


def barostat(simulation: Simulation, pressure: float, *, coupling: str = "iso") -> None:
    """Nose-Hoover barostat (the thermostat stays Langevin's) in place of constant volume, until `release`.

    Args:
        simulation: periodic.
        pressure: in the unit style's `pressure_unit` (GPa, or epsilon/sigma^3).
        coupling: "iso" keeps the shape, "aniso" lets three edges go, "tri" all six.
    """
    value = pressure / UNITS[simulation.material.units].lammps_pressure
    period = BAROSTAT * simulation.material.timestep
    simulation.command("unfix matdesign_nve")
    simulation.command(f"fix {BAROSTAT_FIX} all nph {coupling} {value:.17g} {value:.17g} {period:.17g}")


def release(simulation: Simulation) -> None:
    """Ends thermostat and barostat: constant energy and volume from here on."""
    if simulation.has("fix", THERMOSTAT):
        simulation.command(f"unfix {THERMOSTAT}")
    if simulation.has("fix", BAROSTAT_FIX):
        simulation.command(f"unfix {BAROSTAT_FIX}")
        simulation.command("fix matdesign_nve all nve")


def equilibrate(simulation: Simulation, *, temperature: float, steps: int, seed: int) -> None:
    """`steps` MD steps at `temperature` and constant volume; afterwards nothing acts but the potential, without drift.

    Velocities begin at twice the temperature, as half of the energy of a crystal goes into its springs.
    """
    set_velocities(simulation, 2.0 * temperature, seed)
    thermostat(simulation, temperature, seed)
    simulation.run(steps)
    release(simulation)
    simulation.command("velocity all zero linear")


def series(simulation: Simulation, columns: str, *, every: int, steps: int) -> Array:
    """What LAMMPS computes hold every so many of the next `steps` MD steps (0: now), [samples] or [samples, columns].

    Args:
        simulation: to run.
        columns: LAMMPS names, such as "c_mine" or "c_mine[1] c_mine[2]", all extensive or all intensive.
        every: MD steps between two samples.
        steps: MD steps of the run.
    """
    simulation.command(f"fix {SERIES} all vector {every} {columns}")
    simulation.run(steps)
    values = simulation.fix(SERIES)
    simulation.command(f"unfix {SERIES}")
    return values


def temperature_of(simulation: Simulation) -> float:
    """Kinetic temperature of the present velocities, without the three degrees of freedom of the whole."""
    units = UNITS[simulation.material.units]
    masses = np.array(simulation.material.masses)[simulation.types - 1][:, None]
    energy = 0.5 * units.mvv2e * float((masses * simulation.v**2).sum())
    return 2.0 * energy / (units.boltzmann * max(3 * simulation.atoms - 3, 1))


def lammps_seed(seed: int) -> int:
    """A seed that LAMMPS takes (1 to 899,999,999) for any seed."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0]) % 899_999_999 + 1
