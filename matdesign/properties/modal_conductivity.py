"""`quasi_harmonic_green_kubo`: the heat that normal modes conduct, a plain function of force constants and masses."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from matdesign.properties.harmonic_lattice import Bloch, modes, stable
from matdesign.properties.measurement import Array
from matdesign.properties.units import Units


@dataclass(frozen=True, kw_only=True)
class Linewidths:
    """How fast normal modes decay: gamma_n = anharmonic omega_n^2 sqrt(sum_i |e_ni|^2 m_i / mass) + constant.

    Attributes:
        anharmonic: in units of time (radians).
        constant: in radians per time.
        mass: for which `anharmonic` holds.
    """

    anharmonic: float
    constant: float
    mass: float = 1.0


@dataclass(frozen=True, kw_only=True)
class ModalConductivity:
    """A conductivity and the modes that it is made of.

    Attributes:
        tensor: [d, d] along the directions, in the unit style's `conductivity_unit`.
        squares: squared frequencies of all modes [m], radians per time squared.
        contributions: of each mode to the tensor, [m, d, d]; zero for modes that are not stable.
    """

    tensor: Array
    squares: Array
    contributions: Array


def quasi_harmonic_green_kubo(
    lattice: Sequence[Bloch], masses: Array, *, volume: float, units: Units, linewidths: Linewidths
) -> ModalConductivity:
    """Thermal conductivity of classical normal modes with given linewidths.

    Force constants do not depend on masses: one `lattice` serves all ways to put isotopes on its sites, at the cost of
    one diagonalization for each of its wave vectors.

    Args:
        lattice: `HarmonicLattice.mesh` with moments along the directions wanted.
        masses: of the atoms, [n].
        volume: of the cell.
        units: of all numbers.
        linewidths: of the modes.
    """
    root = np.sqrt(np.repeat(masses, 3) * units.mvv2e)
    scale = units.boltzmann / volume * units.conductivity
    squares, contributions = [], []
    for bloch in lattice:
        square, vectors = modes(bloch, masses, units)
        good = stable(square)
        omega, vectors = np.sqrt(square[good]), vectors[:, good]
        weighted = vectors / root[:, None]
        velocities = (vectors.conj() / root[:, None]).T @ (bloch.moments @ weighted)
        velocities /= 2 * np.sqrt(np.outer(omega, omega))
        mass = np.repeat(masses, 3) @ (vectors.real**2 + vectors.imag**2)
        gamma = linewidths.anharmonic * omega**2 * np.sqrt(mass / linewidths.mass) + linewidths.constant
        width = gamma[:, None] + gamma
        lifetimes = width / (width**2 + (omega[:, None] - omega) ** 2)
        part = np.zeros((len(square), len(velocities), len(velocities)))
        rows = velocities.transpose(1, 0, 2)  # [n, direction, m]
        part[good] = ((rows * lifetimes[:, None]) @ rows.conj().transpose(0, 2, 1)).real
        squares.append(square)
        contributions.append(bloch.weight * scale * part)
    return ModalConductivity(
        tensor=np.sum([part.sum(axis=0) for part in contributions], axis=0),
        squares=np.concatenate(squares),
        contributions=np.concatenate(contributions),
    )
