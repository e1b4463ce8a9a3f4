"""Relaxed lattices, elastic constants, hardness and the pulling of crystals."""

from collections.abc import Callable
from dataclasses import replace

from ase import Atoms

from cases.case import Case
from matdesign.config import load
from matdesign.properties.elasticity import ElasticTensor
from matdesign.properties.hardness import Hardness
from matdesign.properties.measurement import Measurement
from matdesign.properties.moduli import BulkModulus
from matdesign.properties.relaxation import Relaxation
from matdesign.properties.tension import YieldStress
from matdesign.sim import Material

COWLEY = "Cowley, Phys. Rev. Lett. 60, 2379 (1988), as in LAMMPS' examples/ELASTIC"
FOILES = "Foiles, Baskes and Daw, Phys. Rev. B 33, 7983 (1986)"
CONSTANTS = f"second-hand: {FOILES}"
SIMMONS = "experiment near 0 K, second-hand: Simmons and Wang (MIT Press, 1971)"
A12, A6 = 12.13188, 14.45392  # lattice sums of fcc
FULL = "lattice sums of fcc: Kittel, Introduction to Solid State Physics, chapter 3"


def crystal(name: str) -> Callable[[], tuple[Atoms, Material]]:
    """The shipped material with its own structure."""

    def build() -> tuple[Atoms, Material]:
        config = load([f"material={name}"])
        return config.material.structure.build(config.material), config.material

    return build


SHORT = 0.97  # of the edges, before relaxation


def edge(name: str) -> Callable[[Measurement], tuple[float, float]]:
    """The lattice constant after relaxation, from the change of the volume."""
    start = SHORT * load([f"material={name}"]).material.structure.a
    return lambda found: (start * found.details["volume_ratio"] ** (1 / 3), 0.0)


def compressed(name: str) -> Callable[[], tuple[Atoms, Material]]:
    """A crystal whose edges are too short."""

    def build() -> tuple[Atoms, Material]:
        atoms, material = uncut() if name == "lj" else crystal(name)()
        atoms.set_cell(SHORT * atoms.cell, scale_atoms=True)
        return atoms, material

    return build


def uncut() -> tuple[Atoms, Material]:
    """The Lennard-Jones crystal with a cutoff so far out that it matters little."""
    atoms, material = crystal("lj")()
    return atoms, replace(material, pair_style="lj/cut 7.0")


def detail(name: str) -> Callable[[Measurement], tuple[float, float]]:
    """One of the details, with its standard error."""
    return lambda found: (found.details[name], found.details_stderr[name])


def constants(name: str, values: tuple[float, float, float], source: str, tolerance: float) -> list[Case]:
    """C11, C12 and C44 of a cubic crystal."""
    return [
        Case(
            label=f"{constant} of {name}",
            measured=ElasticTensor(),
            build=crystal(name),
            reference=value,
            source=source,
            tolerance=tolerance,
            read=detail(constant),
            quick=True,
        )
        for constant, value in zip(("C11", "C12", "C44"), values, strict=True)
    ]


def along_cube(c11: float, c12: float) -> float:
    """Young's modulus along a cube edge."""
    return (c11 - c12) * (c11 + 2 * c12) / (c11 + c12)


CASES = [
    *constants("silicon", (151.4, 76.4, 56.4), COWLEY, 0.001),  # a digit in the last place
    *constants("copper", (167, 124, 76), CONSTANTS, 0.007),  # the same
    *constants("nickel", (233, 154, 128), CONSTANTS, 0.005),  # the same
    *constants("aluminium", (114, 61.9, 31.6), SIMMONS, 0.04),  # the potential's own
    Case(
        label="energy of relaxed silicon",
        measured=Relaxation(cell="full"),
        build=crystal("silicon"),
        reference=-4.3366,
        source="Stillinger and Weber, Phys. Rev. B 31, 5262 (1985), two epsilon with epsilon = 2.1683 eV",
        tolerance=1e-5,
        quick=True,
    ),
    *(
        Case(
            label=f"lattice constant of {label}",
            measured=Relaxation(cell="isotropic"),
            build=compressed(name),
            reference=reference,
            source=source,
            read=edge(name),
            tolerance=tolerance,
            quick=True,
        )
        for label, name, reference, source, tolerance in (
            (
                "silicon",
                "silicon",
                4 / 3**0.5 * 2 ** (1 / 6) * 2.0951,
                "bonds of 2^(1/6) sigma: Stillinger and Weber 1985",
                1e-5,
            ),
            ("copper", "copper", 3.615, FOILES, 1e-4),
            ("nickel", "nickel", 3.52, FOILES, 1e-4),
            ("aluminium", "aluminium", 4.04527, "header of the potential file, by its authors", 1e-4),
            ("the Lennard-Jones crystal", "lj", 2**0.5 * (2 * A12 / A6) ** (1 / 6), FULL, 1e-3),
        )
    ),
    Case(
        label="energy of the relaxed Lennard-Jones crystal",
        measured=Relaxation(cell="full"),
        build=uncut,
        reference=-(A6**2) / (2 * A12),
        source=FULL,
        tolerance=0.004,  # what lies beyond the cutoff
        quick=True,
    ),
    Case(
        label="bulk modulus of the Lennard-Jones crystal",
        measured=BulkModulus(),
        build=uncut,
        reference=4 * A12 * (A6 / A12) ** 2.5,
        source=FULL,
        tolerance=0.01,  # the same
        quick=True,
    ),
    Case(
        label="hardness of 3C silicon carbide",
        measured=Hardness(),
        build=crystal("sic"),
        reference=34.0,
        source="experiment, second-hand: Chen, Niu, Li and Li, Intermetallics 19, 1275 (2011)",
        tolerance=0.2,  # the potential's C11 is a tenth too large
        quick=True,
    ),
    Case(
        label="slope of silicon pulled along [100] at 10 K",
        measured=YieldStress(temperature=10.0, strain=0.25),
        build=crystal("silicon"),
        reference=along_cube(151.4, 76.4),
        source=COWLEY,
        tolerance=0.02,  # over 2 % of strain the curve bends
        read=detail("modulus"),
        seeds=4,
    ),
]
