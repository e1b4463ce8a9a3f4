"""Heat conduction of the Lennard-Jones fluid and of solid argon, and protocols whose errors `honesty.py` checks."""

from collections.abc import Callable

from ase import Atoms
from ase.build import bulk

from cases.case import Case
from matdesign.config import load
from matdesign.properties import Property
from matdesign.properties.approach_to_equilibrium import ApproachToEquilibrium
from matdesign.properties.device_conductivity import DeviceConductivity
from matdesign.properties.green_kubo import GreenKubo
from matdesign.properties.heat_retention import HeatRetention
from matdesign.properties.mueller_plathe import MuellerPlathe
from matdesign.sim import Material

EVANS = "about 3.4 in figure 1 of Evans, Phys. Rev. A 34, 1449 (1986), as in LAMMPS' examples/KAPPA: 3.39 to 3.78"
ARGON = "LAMMPS manual, compute heat/flux, input for solid Ar at 70 K (a 5.376 A, cutoff 13 A)"
FLUID = 3.4  # kB/(sigma tau)
SOLID = 0.29  # W/(m K) at 70 K
# The edge of the cubic cell with four atoms at density 0.6.
EDGE = (4 / 0.6) ** (1 / 3)


def fluid(*repeat: int) -> Callable[[], tuple[Atoms, Material]]:
    """The fluid, to be melted out of a crystal."""
    return lambda: (bulk("Ar", "fcc", a=EDGE, cubic=True) * repeat, load(["material=lj"]).material)


def argon() -> tuple[Atoms, Material]:
    """Solid argon as in LAMMPS' manual."""
    material = Material(
        name="argon_real",
        species=["Ar"],
        masses=[39.948],
        units="real",
        pair_style="lj/cut 13.0",
        pair_coeff=["1 1 0.2381 3.405"],
        timestep=4.0,
        skin=1.0,
        length_scale=3.405,
        energy_scale=0.2381,
    )
    return bulk("Ar", "fcc", a=5.376, cubic=True) * (4, 4, 4), material


def alloy() -> tuple[Atoms, Material]:
    """Light and heavy argon at random."""
    config = load(["material=argon_isotopes"]).material
    return config.structure.build(config), config


CASES = [
    Case(
        label="fluid, Green-Kubo",
        measured=GreenKubo(temperature=1.35, equilibration=4_000, steps=60_000, every=5, correlation=800),
        build=fluid(4, 4, 4),
        reference=FLUID,
        source=EVANS,
    ),
    Case(
        label="fluid, Mueller-Plathe, 15 sigma",
        measured=MuellerPlathe(
            temperature=1.35, equilibration=4_000, settle=2_000, steps=20_000, swap=20, lengths=(2,), bins=8
        ),
        build=fluid(4, 4, 4),
        reference=FLUID,
        source=EVANS,
    ),
    Case(
        label="fluid, Mueller-Plathe, extrapolated",
        measured=MuellerPlathe(
            temperature=1.35, equilibration=4_000, settle=2_000, steps=20_000, swap=40, lengths=(2, 3, 4), bins=6
        ),
        build=fluid(4, 3, 3),
        reference=FLUID,
        source=EVANS,
    ),
    Case(
        label="fluid, approach to equilibrium, 23 sigma",
        measured=ApproachToEquilibrium(temperature=1.35, equilibration=3_000, steps=6_000, transient=200),
        build=fluid(12, 4, 4),
        reference=FLUID,
        source=EVANS,
    ),
    Case(
        label="fluid, approach to equilibrium, 15 sigma, short",
        measured=ApproachToEquilibrium(temperature=1.35, equilibration=1_500, steps=3_000, transient=200),
        build=fluid(8, 3, 3),
        reference=FLUID,
        source=EVANS,
        quick=True,
    ),
    Case(
        label="solid argon at 70 K, Green-Kubo",
        measured=GreenKubo(temperature=70.0, equilibration=4_000, steps=40_000, correlation=2_000),
        build=argon,
        reference=SOLID,
        source=ARGON,
    ),
    Case(
        label="solid argon at 35 K, Green-Kubo",
        measured=GreenKubo(temperature=35.0, equilibration=4_000, steps=40_000, correlation=3_000),
        build=argon,
        reference=2 * SOLID,
        source="twice the value at 70 K, as 1/T: Peierls, Ann. Phys. 395, 1055 (1929)",
        tolerance=0.15,
    ),
]

# Cheap protocols of which thirty measurements of eight samples each take a minute or two.
HONEST: list[tuple[Property, Callable[[], tuple[Atoms, Material]]]] = [
    (GreenKubo(temperature=1.35, equilibration=1_000, steps=8_000, every=5, correlation=400), fluid(3, 3, 3)),
    (
        MuellerPlathe(temperature=1.35, equilibration=1_000, settle=500, steps=8_000, swap=40, lengths=(1,), bins=8),
        fluid(5, 3, 3),
    ),
    (ApproachToEquilibrium(temperature=1.35, equilibration=1_000, steps=1_000, transient=60, waves=1), fluid(5, 3, 3)),
    (HeatRetention(temperature=30.0, waves=1, steps=300, every=20, transient=100), alloy),
    (DeviceConductivity(temperature=30.0, equilibration=500, steps=1_500), alloy),
]
