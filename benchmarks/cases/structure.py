"""Energies, pressure, order and the structure of liquids."""

from collections.abc import Callable
from dataclasses import replace
from math import pi

from ase import Atoms
from ase.build import bulk
from ase.cluster import Icosahedron, Octahedron

from cases.case import Case
from matdesign.config import load
from matdesign.properties import dynamics
from matdesign.properties.energy import CohesiveEnergy, PotentialEnergy
from matdesign.properties.measurement import Measurement
from matdesign.properties.order import GlobalQ4, GlobalQ6
from matdesign.properties.pressure import Pressure
from matdesign.properties.radial import RadialDistribution, StructureFactor
from matdesign.properties.short_range_order import WarrenCowley
from matdesign.properties.symmetry import SpaceGroup
from matdesign.sim import Material, Simulation, StartingStructure

LONG = {"equilibration": 4000, "frames": 500}  # steps, and frames of 40 steps
Build = Callable[[], tuple[Atoms, Material]]

BENCH = "LAMMPS, bench/in.lj and its logs, step 0"
CAMBRIDGE = "Cambridge Cluster Database; Wales and Doye, J. Phys. Chem. A 101, 5111 (1997)"
MICKEL = "Mickel et al., J. Chem. Phys. 138, 044501 (2013), table I"
TETRAHEDRON = "half of the corners of a cube: sqrt(7/27) and sqrt(32/81), as for bcc with 8 neighbours"
NIST = "NIST Standard Reference Simulation Website, Lennard-Jones fluid, NVT Monte Carlo, with its standard deviations"
TABLES = "International Tables for Crystallography, volume A"
COWLEY = "by definition: Cowley, Phys. Rev. 77, 669 (1950)"


def shipped(name: str) -> Build:
    """A material with its own structure."""

    def build() -> tuple[Atoms, Material]:
        config = load([f"material={name}"])
        return config.material.structure.build(config.material), config.material

    return build


def crystal(name: str, lattice: str, a: float, *sublattices: str, repeat: int = 1) -> Build:
    """Another crystal of a material."""
    c = a * (8 / 3) ** 0.5 if lattice == "hcp" else None

    def build() -> tuple[Atoms, Material]:
        chosen = load([f"material={name}"]).material
        structure = StartingStructure(
            kind="crystal", lattice=lattice, a=a, c=c, sublattices=sublattices or None, repeat=(repeat,) * 3
        )
        return structure.build(chosen), chosen

    return build


def lennard_jones(density: float) -> Build:
    """4000 atoms of an fcc crystal in reduced units."""

    def build() -> tuple[Atoms, Material]:
        return bulk("Ar", "fcc", a=(4 / density) ** (1 / 3), cubic=True) * (10, 10, 10), load(["material=lj"]).material

    return build


def molten(atoms: Atoms, chosen: Material, temperature: float) -> tuple[Atoms, Material]:
    """The crystal after hot MD; at the temperature of a liquid it could last."""
    with Simulation(atoms, chosen) as simulation:
        dynamics.equilibrate(simulation, temperature=temperature, steps=2000, seed=1)
        return simulation.structure(), chosen


def liquid(density: float) -> Build:
    """500 atoms of the liquid in reduced units, with a cutoff of 3."""

    def build() -> tuple[Atoms, Material]:
        chosen = replace(load(["material=lj"]).material, pair_style="lj/cut 3.0")
        return molten(bulk("Ar", "fcc", a=(4 / density) ** (1 / 3), cubic=True) * (5, 5, 5), chosen, 3.0)

    return build


def argon(density: float) -> Build:
    """500 atoms of liquid argon at a number density in 1/A^3."""

    def build() -> tuple[Atoms, Material]:
        atoms = bulk("Ar", "fcc", a=(4 / density) ** (1 / 3), cubic=True) * (5, 5, 5)
        return molten(atoms, load(["material=argon"]).material, 360.0)

    return build


def relaxed_cluster(start: Atoms) -> Build:
    """A cluster in reduced units at its nearest minimum."""

    def build() -> tuple[Atoms, Material]:
        chosen = replace(load(["material=lj"]).material, pair_style="lj/cut 20.0")
        with Simulation(Atoms(start.symbols, start.positions / 3.405), chosen) as simulation:
            simulation.minimize(force_tolerance=1e-9)
            return simulation.structure(), chosen

    return build


def plus(constant: float, factor: float = 1.0) -> Callable[[Measurement], tuple[float, float]]:
    """The value times a factor, with a constant added."""
    return lambda found: (factor * found.value + constant, factor * found.stderr)


def tail_energy(density: float, cutoff: float) -> float:
    """Energy per atom of the Lennard-Jones potential beyond the cutoff, where g(r) = 1."""
    return 8 / 3 * pi * density * (cutoff**-9 / 3 - cutoff**-3)


def tail_pressure(density: float, cutoff: float) -> float:
    """Its pressure."""
    return 16 / 3 * pi * density**2 * (2 / 3 * cutoff**-9 - cutoff**-3)


CASES = [
    Case(
        label="energy per atom of fcc at rho* = 0.8442",
        measured=PotentialEnergy(),
        build=lennard_jones(0.8442),
        reference=-6.7733681,
        source=BENCH,
        tolerance=1e-8,
        quick=True,
    ),
    Case(
        label="pressure of fcc at rho* = 0.8442, T* = 1.44",
        measured=Pressure(),
        build=lennard_jones(0.8442),
        reference=-5.0197073,
        source=BENCH,
        tolerance=2e-8,
        # That benchmark has velocities, of 3N - 3 degrees of freedom for 32000 atoms.
        read=plus(0.8442 * 1.44 * (1 - 1 / 32000)),
        quick=True,
    ),
]
CASES += [
    Case(
        label=f"energy of the Lennard-Jones cluster of {count} atoms",
        measured=PotentialEnergy(),
        build=relaxed_cluster(start),
        reference=energy,
        source=CAMBRIDGE,
        tolerance=1e-8,
        read=plus(0, count),
        quick=True,
    )
    for count, start, energy in (
        (13, Icosahedron("Ar", 2, latticeconstant=5.3), -44.326801),
        (38, Octahedron("Ar", 4, cutoff=1, latticeconstant=5.3), -173.928427),
        (55, Icosahedron("Ar", 3, latticeconstant=5.3), -279.248470),
    )
]
CASES += [
    Case(
        label=f"cohesive energy of {what}",
        measured=CohesiveEnergy(),
        build=build,
        reference=energy,
        source=source,
        tolerance=tolerance,
        quick=True,
    )
    for what, build, energy, tolerance, source in (
        ("silicon", shipped("silicon"), 4.3366, 1e-5, "2 epsilon: Stillinger and Weber, Phys. Rev. B 31, 5262 (1985)"),
        ("copper", shipped("copper"), 3.54, 1e-5, "Foiles, Baskes and Daw, Phys. Rev. B 33, 7983 (1986)"),
        ("nickel", shipped("nickel"), 4.45, 1e-5, "Foiles, Baskes and Daw, Phys. Rev. B 33, 7983 (1986)"),
        ("aluminium", shipped("aluminium"), 3.39, 1e-2, "experiment: Kittel, Introduction to Solid State Physics"),
        (
            "silicon (Tersoff)",
            crystal("sige", "diamond", 5.432, "Si"),
            4.63,
            2e-4,
            "Tersoff, Phys. Rev. B 39, 5566 (1989)",
        ),
        ("germanium", crystal("sige", "diamond", 5.657, "Ge"), 3.85, 2e-4, "Tersoff, Phys. Rev. B 39, 5566 (1989)"),
        (
            "silicon carbide",
            shipped("sic"),
            6.34,
            3e-2,
            "experiment, second-hand: Tersoff, Phys. Rev. B 39, 5566 (1989)",
        ),
        ("Ni3Al", shipped("nial"), 4.57, 1e-2, "experiment, second-hand: Voter and Chen, MRS Proc. 82, 175 (1987)"),
    )
]
CASES += [
    Case(
        label=f"{kind.name.upper()} of {lattice}, {neighbours} neighbours",
        measured=kind(neighbours=neighbours),
        build=crystal("copper", lattice, a, repeat=3),
        reference=value,
        source=source,
        tolerance=abs(0.5e-5 / value) * 1.01,  # five digits
        quick=True,
    )
    for lattice, neighbours, a, source, values in (
        ("fcc", 12, 3.6, MICKEL, (0.19094, 0.57452)),
        ("hcp", 12, 2.55, MICKEL, (0.09722, 0.48476)),
        ("bcc", 14, 2.9, MICKEL, (0.03637, 0.51069)),
        ("sc", 6, 2.5, MICKEL, (0.76376, 0.35355)),
        ("diamond", 4, 5.4, TETRAHEDRON, (0.50918, 0.62854)),
    )
    for kind, value in zip((GlobalQ4, GlobalQ6), values, strict=True)
]
CASES += [
    Case(
        label=f"alpha(Ni, Al) of {lattice}",
        measured=WarrenCowley(),
        build=crystal("nial", lattice, a, "Ni", "Al", repeat=2),
        reference=alpha,
        source=COWLEY,
        tolerance=1e-9,
        quick=True,
    )
    for lattice, a, alpha in (("L1_2", 3.5677, -1 / 3), ("B2", 2.88, -1.0))
]
CASES += [
    Case(
        label=f"space group of {what}",
        measured=SpaceGroup(),
        build=build,
        reference=number,
        source=TABLES,
        quick=True,
    )
    for what, build, number in (
        ("silicon", shipped("silicon"), 227),
        ("3C silicon carbide", shipped("sic"), 216),
        ("Ni3Al", shipped("nial"), 221),
        ("hcp", crystal("copper", "hcp", 2.55, repeat=2), 194),
    )
]
CASES += [
    Case(
        label=f"{what} of the Lennard-Jones liquid, rho* = {density}, T* = 0.85",
        measured=measured,
        build=liquid(density),
        reference=reference,
        reference_stderr=stderr,
        source=NIST,
        read=plus(tail(density, 3.0)),  # that liquid has the tail of the potential too
        seeds=6,
    )
    for what, measured, tail, density, reference, stderr in (
        ("energy", PotentialEnergy(temperature=0.85, **LONG), tail_energy, 0.776, -5.5121, 4.55e-4),
        ("energy", PotentialEnergy(temperature=0.85, **LONG), tail_energy, 0.86, -6.0305, 2.38e-3),
        ("pressure", Pressure(temperature=0.85, **LONG), tail_pressure, 0.86, 1.2660, 1.36e-2),
    )
]
CASES += [
    Case(
        label="first peak of g(r) of liquid argon at 94.4 K",
        measured=RadialDistribution(temperature=94.4, equilibration=5000, frames=50),
        build=argon(0.02072),
        reference=3.7,
        source="MD: Rahman, Phys. Rev. 136, A405 (1964)",
        tolerance=0.014,  # two digits
        seeds=4,
    ),
    Case(
        label="first peak of S(q) of liquid argon at 85 K",
        measured=StructureFactor(temperature=85.0, equilibration=5000, frames=50),
        build=argon(0.02125),
        reference=2.00,
        source="neutron scattering, second-hand: Yarnell et al., Phys. Rev. A 7, 2130 (1973)",
        tolerance=0.01,
        seeds=4,
    ),
]
