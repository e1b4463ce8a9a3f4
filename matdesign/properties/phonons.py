"""Harmonic phonons: frequencies, dynamical stability, density of states."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from matdesign.errors import InputError
from matdesign.properties.force_constants import ForceConstants, trouble
from matdesign.properties.harmonic_lattice import (
    HarmonicLattice,
    Mesh,
    atomic_masses,
    check_mesh,
    modes,
    unstable,
)
from matdesign.properties.measurement import Array, Estimate
from matdesign.properties.property import Property, Sample, System
from matdesign.properties.units import Units
from matdesign.typed import Range

POINTS = 401  # of a density of states


@dataclass(frozen=True, kw_only=True)
class Phonons(Property):
    """What follows from the frequencies of the normal modes.

    Attributes:
        mesh: wave vectors along the three reciprocal cell vectors, about q = 0; [1, 1, 1] takes the modes of the given
            cell alone, those with its periodicity.
    """

    mesh: Mesh = (1, 1, 1)

    @property
    def random(self) -> bool:
        """They are not."""
        return False

    def check(self, system: System) -> None:
        """Something must vibrate."""
        ForceConstants().check(system)
        check_mesh(self.name, self.mesh, system.structure)
        if len(system.structure) < 2 and max(self.mesh) == 1:
            raise InputError(f"{self.name} of one atom with mesh=[1, 1, 1]: all it does is move as a whole, raise mesh")

    def sample(self, system: System, seed: int) -> Sample:
        """Squared frequencies (radians per time, squared) and weights of all modes, which sum to 3 for each atom."""
        lattice = HarmonicLattice.of(system)
        masses = atomic_masses(system)
        squares, weights = [], []
        for bloch in lattice.mesh(self.mesh):
            found, _ = modes(bloch, masses, system.units, vectors=False)
            squares.append(found)
            weights.append(np.full(len(found), bloch.weight / len(masses)))
        order = np.argsort(np.concatenate(squares))
        return {
            "squares": np.concatenate(squares)[order],
            "weights": np.concatenate(weights)[order],
            "nonlinearity": lattice.nonlinearity,
        }

    def flag(self, system: System, sample: Sample) -> str:
        """What speaks against the frequencies."""
        return "; ".join(text for text in (imaginary(sample["squares"], system.units), trouble(sample)) if text)


@dataclass(frozen=True, kw_only=True)
class LowestFrequency(Phonons):
    """Lowest frequency of the normal modes, without the motions of the whole; negative where it is imaginary.

    Equation:
        D e = omega^2 e, D[ia, jb](q) = sum_L Phi[ia, jLb] exp(i q L) / sqrt(m_i m_j), value = omega_min / (2 pi)

        D: dynamical matrix, Phi: force constants, m_i: mass of atom i, L: lattice vector, q: wave vector, e:
        polarisation vector of the mode, omega: its frequency in radians per time. Shifts of the whole (at q = 0) are
        left out, and its rotations where free boundaries allow them.

    Attributes:
        mesh: wave vectors along the three reciprocal cell vectors, about q = 0; [1, 1, 1] takes the modes of the given
            cell alone, those with its periodicity.

    Value:
        Frequency in THz (lj: 1/tau), cycles per time; an imaginary i*nu is given as -nu and flagged: the structure is
        at a saddle, and leaves it when it is pushed along that mode.

    Details:
        imaginary: fraction of modes with an imaginary frequency, beyond noise (omega^2 below -1e-6 of the largest).
        highest: highest frequency, in the unit of the value.

    Assumptions:
        Harmonic, classical; the atoms are relaxed in the fixed cell first.

    Finite size:
        The modes of the given cell are those of an infinite crystal that have its periodicity. An instability of longer
        wavelength is seen on a finer mesh only.

    References:
        Born and Huang, Dynamical Theory of Crystal Lattices (Oxford, 1954).
    """

    name: ClassVar[str] = "lowest_frequency"

    def unit(self, units: Units) -> str:
        """Cycles per time."""
        return units.frequency_unit

    def detail_units(self, system: System) -> dict[str, str]:
        """Of those that are no plain numbers."""
        return {"highest": system.units.frequency_unit}

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Of the only sample there is."""
        squares, weights = samples[0]["squares"], samples[0]["weights"]
        found = frequencies(squares, system.units)
        details = {
            "imaginary": float(weights[unstable(squares)].sum() / weights.sum()),
            "highest": float(found[-1]),
        }
        return Estimate(value=float(found[0]), details=details, flag=self.flag(system, samples[0]))


@dataclass(frozen=True, kw_only=True)
class HarmonicDensityOfStates(Phonons):
    """Phonon density of states from the force constants.

    Equation:
        g(nu) = sum_n w_n G(nu - nu_n) / sum_n w_n, value = sum_n w_n nu_n / sum_n w_n

        nu_n: frequency of normal mode n, w_n: weight of its wave vector, G: Gaussian of unit area and standard
        deviation `width` times the highest frequency.

    Attributes:
        mesh: wave vectors along the three reciprocal cell vectors, about q = 0; [1, 1, 1] takes the modes of the given
            cell alone, those with its periodicity.
        width: of the Gaussian, as a fraction of the highest frequency.

    Value:
        Mean frequency in THz (lj: 1/tau), cycles per time.

    Curves:
        frequency: in the unit of the value; imaginary ones are negative. density_of_states: per unit of frequency, with
        unit area.

    Assumptions:
        Harmonic; the atoms are relaxed in the fixed cell first. Motions of the whole are left out.

    Finite size:
        A small cell has few modes: refine the mesh until nothing changes.

    References:
        Born and Huang, Dynamical Theory of Crystal Lattices (Oxford, 1954).
    """

    name: ClassVar[str] = "phonon_density_of_states_harmonic"

    width: Annotated[float, Range(1e-5, 0.5)] = 0.02

    def unit(self, units: Units) -> str:
        """Cycles per time."""
        return units.frequency_unit

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Of the only sample there is."""
        nu, weights = frequencies(samples[0]["squares"], system.units), samples[0]["weights"]
        weights = weights / weights.sum()
        width = self.width * np.abs(nu).max()
        grid = np.linspace(min(nu[0], 0.0) - 4 * width, nu[-1] + 4 * width, POINTS)
        density = np.zeros(POINTS)
        for place, weight in zip(nu, weights, strict=True):
            density += weight * np.exp(-0.5 * ((grid - place) / width) ** 2)
        curves = {"frequency": grid, "density_of_states": density / (np.sqrt(2 * np.pi) * width)}
        return Estimate(value=float(weights @ nu), curves=curves, flag=self.flag(system, samples[0]))


def frequencies(squares: Array, units: Units) -> Array:
    """In cycles (THz, or 1/tau); imaginary ones as negative numbers."""
    return np.asarray(np.sign(squares) * np.sqrt(np.abs(squares)) / (2 * np.pi) * units.frequency)


def imaginary(squares: Array, units: Units) -> str:
    """Why squared frequencies cannot be those of a stable structure; empty where they can."""
    below = squares[unstable(squares)]
    if len(below) == 0:
        return ""
    return (
        f"the structure is dynamically unstable: {len(below)} imaginary frequencies, the largest "
        f"{-frequencies(below, units)[0]:.4g}i {units.frequency_unit}"
    )
