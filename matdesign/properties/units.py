"""What the numbers of a LAMMPS unit style become in a measurement: the units people read, and the factors to them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Units:
    """One unit style.

    Attributes:
        boltzmann: Boltzmann's constant in energy per temperature, as LAMMPS has it, so that temperatures agree.
        mvv2e: mass times velocity squared to energy, as LAMMPS has it.
        hbar: Planck's constant over 2 pi in energy times time; None in reduced units, which leave it open.
        length, energy, time, temperature: names of LAMMPS' own units.
        pressure: energy per volume to `pressure_unit`.
        lammps_pressure: LAMMPS' pressure to `pressure_unit`.
        density: mass per volume to `density_unit`.
        conductivity: energy per time, length and temperature to `conductivity_unit`.
        diffusivity: length squared per time to `diffusivity_unit`.
        frequency: inverse time to `frequency_unit` (cycles, not radians).
    """

    boltzmann: float
    mvv2e: float
    hbar: float | None
    length: str
    energy: str
    time: str
    temperature: str
    pressure: float
    lammps_pressure: float
    pressure_unit: str
    density: float
    density_unit: str
    conductivity: float
    conductivity_unit: str
    diffusivity: float
    diffusivity_unit: str
    frequency: float
    frequency_unit: str


KCAL = 4184.0 / 6.02214076e23  # J, of one particle
EV = 1.602176634e-19  # J
HBAR = 1.054571817e-34  # J s
AMU = 1.66053906660  # g/mol per A^3 to g/cm^3

UNITS = {
    "metal": Units(
        boltzmann=8.617343e-5,
        mvv2e=1.0364269e-4,
        hbar=HBAR / EV / 1e-12,
        length="A",
        energy="eV",
        time="ps",
        temperature="K",
        pressure=160.2176634,
        lammps_pressure=1e-4,
        pressure_unit="GPa",
        density=AMU,
        density_unit="g/cm^3",
        conductivity=EV / 1e-12 / 1e-10,
        conductivity_unit="W/(m K)",
        diffusivity=1e-8,
        diffusivity_unit="m^2/s",
        frequency=1.0,
        frequency_unit="THz",
    ),
    "real": Units(
        boltzmann=0.0019872067,
        mvv2e=48.88821291 * 48.88821291,
        hbar=HBAR / KCAL / 1e-15,
        length="A",
        energy="kcal/mol",
        time="fs",
        temperature="K",
        pressure=KCAL / 1e-30 * 1e-9,
        lammps_pressure=1.01325e-4,
        pressure_unit="GPa",
        density=AMU,
        density_unit="g/cm^3",
        conductivity=KCAL / 1e-15 / 1e-10,
        conductivity_unit="W/(m K)",
        diffusivity=1e-5,
        diffusivity_unit="m^2/s",
        frequency=1e3,
        frequency_unit="THz",
    ),
    "lj": Units(
        boltzmann=1.0,
        mvv2e=1.0,
        hbar=None,
        length="sigma",
        energy="epsilon",
        time="tau",
        temperature="epsilon/kB",
        pressure=1.0,
        lammps_pressure=1.0,
        pressure_unit="epsilon/sigma^3",
        density=1.0,
        density_unit="m/sigma^3",
        conductivity=1.0,
        conductivity_unit="kB/(sigma tau)",
        diffusivity=1.0,
        diffusivity_unit="sigma^2/tau",
        frequency=1.0,
        frequency_unit="1/tau",
    ),
}
