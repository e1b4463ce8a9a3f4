"""Lattice dynamics: force constants, phonons, heat capacity."""

import math

from ase import Atoms
from ase.build import bulk

from cases.case import Case
from matdesign.config import load
from matdesign.properties import Measurement
from matdesign.properties.force_constants import ForceConstants
from matdesign.properties.harmonic_heat_capacity import HarmonicHeatCapacity
from matdesign.properties.phonons import LowestFrequency
from matdesign.sim import Material

NEIGHBOUR = 1.0957  # sigma
SUM_8, SUM_14 = 12.80194, 12.05899  # of (neighbour distance / r)^n over the fcc lattice
COLD = 2.0  # K


def shipped(name: str, symbol: str, lattice: str, a: float) -> tuple[Atoms, Material]:
    """The primitive cell of a crystal and a material of `conf/material`."""
    return bulk(symbol, lattice, a=a), load([f"material={name}"]).material


def long_ranged() -> tuple[Atoms, Material]:
    """Lennard-Jones fcc with a cutoff of 6 sigma, in reduced units."""
    material = Material(
        name="lj_long", species=["Ar"], masses=[1.0], units="lj", pair_style="lj/cut 6.0", pair_coeff=["1 1 1.0 1.0"],
        timestep=0.005, skin=0.3, length_scale=1.0, energy_scale=1.0,
    )  # fmt: skip
    return bulk("Ar", "fcc", a=NEIGHBOUR * math.sqrt(2)), material


def debye_temperature(found: Measurement) -> tuple[float, float]:
    """Of a heat capacity per atom in kB at a low temperature."""
    return COLD * (12 * math.pi**4 / 5 / found.value) ** (1 / 3), 0.0


CASES = [
    Case(
        label="mean force constant of an atom in the LJ fcc crystal",
        measured=ForceConstants(),
        build=long_ranged,
        reference=4 / 3 * (132 * SUM_14 / NEIGHBOUR**14 - 30 * SUM_8 / NEIGHBOUR**8),
        tolerance=1e-4,
        source="lattice sums, by direct summation as in Jones and Ingham, Proc. R. Soc. Lond. A 107, 636 (1925)",
        quick=True,
    ),
    Case(
        label="optical phonon of silicon (SW) at q = 0",
        measured=LowestFrequency(),
        build=lambda: shipped("silicon", "Si", "diamond", 5.431),
        reference=17.83,
        tolerance=5e-4,
        source="closed form from the parameters of Stillinger and Weber, Phys. Rev. B 31, 5262 (1985)",
        quick=True,
    ),
    Case(
        label="highest phonon frequency of copper (EAM)",
        measured=LowestFrequency(mesh=(8, 8, 8)),
        build=lambda: shipped("copper", "Cu", "fcc", 3.615),
        read=lambda found: (found.details["highest"], 0.0),
        reference=7.30,
        tolerance=0.05,
        source="neutrons, L point at 296 K, second-hand: Svensson, Brockhouse and Rowe, Phys. Rev. 155, 619 (1967)",
        quick=True,
    ),
    Case(
        label="heat capacity of copper (EAM) at 298.15 K",
        measured=HarmonicHeatCapacity(temperature=298.15, mesh=(12, 12, 12)),
        build=lambda: shipped("copper", "Cu", "fcc", 3.615),
        reference=(24.44 - 0.71 - 0.21) / 8.314463,
        tolerance=0.01,  # the potential's highest frequencies are 4 % too high
        source="24.44 J/(mol K), second-hand: NIST-JANAF tables; less 0.71 of expansion and 0.21 of electrons",
        quick=True,
    ),
    Case(
        label="Debye temperature of argon (LJ) from the heat capacity at 2 K",
        measured=HarmonicHeatCapacity(temperature=COLD, mesh=(48, 48, 48)),
        build=lambda: shipped("argon", "Ar", "fcc", 5.2764),
        read=debye_temperature,
        reference=92.0,
        tolerance=0.04,
        source="calorimetry: Finegold and Phillips, Phys. Rev. 177, 1383 (1969)",
    ),
]
