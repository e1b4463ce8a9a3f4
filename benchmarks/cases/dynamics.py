"""Diffusion, heat capacity and thermal expansion."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from ase import Atoms
from ase.build import bulk
from scipy.optimize import brentq

from cases.case import Case
from matdesign.config import load
from matdesign.properties import Property, find
from matdesign.properties.diffusion import DiffusionCoefficient
from matdesign.properties.heat_capacity import HeatCapacity
from matdesign.properties.thermal_expansion import ThermalExpansion
from matdesign.sim import Material

RAHMAN = "Rahman, Phys. Rev. 136, A405 (1964): 864 atoms, cut at 2.25 sigma"
DULONG_PETIT = "Dulong and Petit's law with the centre of mass at rest, 3 - 3/(2 N)"
HOEF = "equation of state of the Lennard-Jones crystal: van der Hoef, J. Chem. Phys. 113, 8142 (2000)"
PETERSON = "experiment, 1.75e-3 /K of volume, second-hand: Peterson et al., Phys. Rev. 150, 703 (1966)"

# Van der Hoef's free energy, in epsilon, sigma and epsilon/kB: static lattice, powers of the density and of density
# and temperature.
STATIC = {2: -14.45392093, 4: 6.065940096}
POWERS = (69.833875, -132.86963, 97.438593, -25.848057)
ANHARMONIC = (
    (-8.2151768, 12.070686, -6.6594615, 1.3211582),
    (13.404069, -20.632066, 11.564825, -2.3064801),
    (-5.5481261, 8.8465978, -5.0258631, 1.0070066),
)


def compressibility(density: float, temperature: float) -> float:
    """Pressure over density and temperature."""
    static = sum(n * c * density**n for n, c in STATIC.items()) / temperature
    powers = sum(b * density ** (n + 1) for n, b in enumerate(POWERS))
    mixed = sum(
        n * a * density**n * temperature ** (m + 1) / (m + 1)
        for n, row in enumerate(ANHARMONIC)
        for m, a in enumerate(row)
    )
    return 1.0 + static + powers - mixed


def energy(density: float, temperature: float) -> float:
    """Of one atom, kinetic and potential."""
    static = sum(c * density**n for n, c in STATIC.items())
    mixed = sum(a * density**n * temperature ** (m + 2) for n, row in enumerate(ANHARMONIC) for m, a in enumerate(row))
    return static + 3.0 * temperature + mixed


def free_density(temperature: float) -> float:
    """At zero pressure."""
    return float(brentq(compressibility, 0.9, 1.3, args=(temperature,)))


def slope(function, temperature: float, step: float = 1e-4) -> float:  # type: ignore[no-untyped-def]
    """Central difference."""
    return (function(temperature + step) - function(temperature - step)) / (2 * step)


def expansion(temperature: float) -> float:
    """Linear coefficient at zero pressure."""
    return -slope(lambda T: np.log(free_density(T)), temperature) / 3


def uncut(name: str, repeat: int, temperature: float) -> tuple[Atoms, Material]:
    """The Lennard-Jones crystal at its free density, with a cutoff so far out that it matters little."""
    material = load([f"material={name}"]).material
    sigma = material.length_scale
    a = sigma * (4 / free_density(temperature)) ** (1 / 3)
    return bulk("Ar", "fcc", a=a, cubic=True) * (repeat, repeat, repeat), replace(
        material, pair_style=f"lj/cut {5 * sigma}"
    )


def shipped(name: str) -> tuple[Atoms, Material]:
    """The shipped material with its own structure."""
    material = load([f"material={name}"]).material
    return material.structure.build(material), material


def rahman() -> tuple[Atoms, Material]:
    """His argon (epsilon/kB = 120 K, sigma = 3.4 A) at 1.374 g/cm^3, on the sites of a crystal that melts at once."""
    material = load(["material=argon"]).material
    coefficients = {"pair_style": f"lj/cut {2.25 * 3.4}", "pair_coeff": [f"1 1 {120 * 8.617343e-5} 3.4"]}
    a = (4 * 39.948 * 1.66053906660 / 1.374) ** (1 / 3)
    return bulk("Ar", "fcc", a=a, cubic=True) * (6, 6, 6), replace(material, **coefficients)


T = 0.3
KELVIN = 119.8  # epsilon/kB of argon
LENNARD_JONES = {"equilibration": 2000, "steps": 5000}

CASES = [
    Case(
        label="diffusion of liquid argon at 94.4 K",
        measured=DiffusionCoefficient(temperature=94.4, equilibration=20_000, steps=10_000, lag=4000),
        build=rahman,
        reference=2.43e-9,
        source=RAHMAN,
        tolerance=0.03,  # his own noise: one run of 10 ps
        seeds=8,
    ),
    Case(
        label="heat capacity of copper at 100 K",
        measured=HeatCapacity(temperature=100.0, steps=5000),
        build=lambda: shipped("copper"),
        reference=3 - 1.5 / 108,
        source=DULONG_PETIT,
        tolerance=0.01,  # anharmonic
        seeds=4,
        quick=True,
    ),
    Case(
        label="heat capacity of silicon at 300 K",
        measured=HeatCapacity(temperature=300.0, steps=5000),
        build=lambda: shipped("silicon"),
        reference=3 - 1.5 / 216,
        source=DULONG_PETIT,
        tolerance=0.01,
        seeds=4,
    ),
    Case(
        label="heat capacity of the Lennard-Jones crystal at T* = 0.3",
        measured=HeatCapacity(temperature=T, **LENNARD_JONES),
        build=lambda: uncut("lj", 3, T),
        reference=slope(lambda t: energy(free_density(T), t), T) - 1.5 / 108,
        source=HOEF,
        seeds=8,
    ),
    Case(
        label="the same at zero pressure",
        measured=HeatCapacity(temperature=T, pressure=0.0, **LENNARD_JONES),
        build=lambda: uncut("lj", 3, T),
        reference=slope(lambda t: energy(free_density(t), t), T) - 1.5 / 108,
        source=HOEF,
        tolerance=0.01,  # finite size
        seeds=8,
    ),
    Case(
        label="thermal expansion of the Lennard-Jones crystal at T* = 0.3",
        measured=ThermalExpansion(temperature=T, **LENNARD_JONES),
        build=lambda: uncut("lj", 3, T),
        reference=expansion(T),
        source=HOEF,
        tolerance=0.02,  # finite size
        seeds=8,
    ),
    Case(
        label="thermal expansion of solid argon at 70 K",
        measured=ThermalExpansion(temperature=70.0, equilibration=4000, steps=10_000),
        build=lambda: uncut("argon", 3, 70.0 / KELVIN),
        reference=1.75e-3 / 3,
        source=PETERSON,
        tolerance=0.15,  # what is known of the reference, and the model: van der Hoef has 6.6e-4 /K
        seeds=6,
    ),
]


def small() -> tuple[Atoms, Material]:
    """Thirty-two argon atoms at rest."""
    return bulk("Ar", "fcc", a=5.3, cubic=True) * (2, 2, 2), load(["material=argon"]).material


def liquid() -> tuple[Atoms, Material]:
    """The lattice of a Lennard-Jones liquid that melts at once."""
    return bulk("Ar", "fcc", a=(4 / 0.6) ** (1 / 3), cubic=True) * (3, 3, 3), load(["material=lj"]).material


FRAMES: dict[str, float | int] = {"temperature": 40.0, "equilibration": 300, "frames": 5, "every": 50}
SOLID: dict[str, float | int] = {"temperature": 40.0, "equilibration": 300, "steps": 1000}

# Cheap protocols of which thirty measurements of eight samples each take less than a minute.
HONEST: list[tuple[Property, Callable[[], tuple[Atoms, Material]]]] = [
    (find("density")(**FRAMES, pressure=0.0), small),
    *((find(name)(**FRAMES), small) for name in ("potential_energy", "pressure", "q6", "averaged_q6", "rdf")),
    (find("lindemann_index")(temperature=40.0, equilibration=300, frames=20), small),
    (find("mean_square_displacement")(**SOLID, lag=200), small),
    (find("diffusion_coefficient")(temperature=1.35, equilibration=1000, steps=2000, lag=400), liquid),
    (find("heat_capacity")(**SOLID), small),
    (find("thermal_expansion")(**SOLID), small),
    (find("vibrational_density_of_states")(**SOLID, correlation=200), small),
    (find("yield_stress")(temperature=20.0, equilibration=300, steps=2000), small),
]
