"""Heat capacity and vibrational free energy of the harmonic solid, with quantum mechanics."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from matdesign.errors import InputError
from matdesign.properties.harmonic_lattice import stable
from matdesign.properties.measurement import Estimate
from matdesign.properties.phonons import Phonons
from matdesign.properties.property import Sample, System
from matdesign.properties.units import Units
from matdesign.typed import Range


@dataclass(frozen=True, kw_only=True)
class HarmonicHeatCapacity(Phonons):
    """Heat capacity at constant volume of the quantum-mechanical harmonic solid.

    Equation:
        C = (kB / N) sum_n (x_n / 2)^2 / sinh(x_n / 2)^2, x_n = hbar omega_n / (kB T)

        F = (1 / N) sum_n (hbar omega_n / 2 + kB T ln(1 - exp(-x_n)))

        omega_n: frequency of normal mode n in radians per time (means over the mesh), T: temperature, N: atoms, hbar,
        kB: Planck's (over 2 pi) and Boltzmann's constants.

    Attributes:
        mesh: wave vectors along the three reciprocal cell vectors, about q = 0; [1, 1, 1] takes the modes of the given
            cell alone, those with its periodicity.
        temperature: T in K; must be given.

    Value:
        C per atom in kB. Classically it is 3 at every temperature (Dulong and Petit).

    Details:
        classical: the classical value, 3 less the motions of the whole. free_energy: F per atom and zero_point_energy:
        its first term alone, both in eV (real: kcal/mol).

    Assumptions:
        Harmonic; the atoms are relaxed in the fixed cell first. Motions of the whole are left out.

    Finite size:
        The longest waves are missing, which matters at low temperatures and in small cells: refine the mesh until
        nothing changes.

    References:
        Born and Huang, Dynamical Theory of Crystal Lattices (Oxford, 1954).
    """

    name: ClassVar[str] = "heat_capacity_harmonic"

    temperature: Annotated[float, Range(0, 1e6)] = 0.0

    def unit(self, units: Units) -> str:
        """Boltzmann's constant for each atom."""
        return "kB/atom"

    def check(self, system: System) -> None:
        """Quantum mechanics needs a temperature and Planck's constant."""
        super().check(system)
        if not self.temperature > 0:
            raise InputError(
                f"{self.name} needs a temperature above zero, not {self.temperature:g}: give property.temperature"
            )
        if system.units.hbar is None:
            raise InputError(f"{self.name} needs Planck's constant, which units lj leave open: use units metal or real")

    def detail_units(self, system: System) -> dict[str, str]:
        """Of those that are no plain numbers."""
        energy = f"{system.units.energy}/atom"
        return {"classical": "kB/atom", "free_energy": energy, "zero_point_energy": energy}

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Of the only sample there is."""
        assert system.units.hbar is not None
        squares, weights = samples[0]["squares"], samples[0]["weights"]
        real = stable(squares)
        quantum, weights = system.units.hbar * np.sqrt(squares[real]), weights[real]
        thermal = system.units.boltzmann * self.temperature
        x = quantum / thermal
        details = {
            "classical": float(weights.sum()),
            "free_energy": float(weights @ (quantum / 2 + thermal * np.log1p(-np.exp(-x)))),
            "zero_point_energy": float(weights @ quantum / 2),
        }
        # x / 2 / sinh(x / 2), of which the numerator's exponential would overflow at low temperature.
        capacity = weights @ (x * np.exp(-x / 2) / -np.expm1(-x)) ** 2
        return Estimate(value=float(capacity), details=details, flag=self.flag(system, samples[0]))
