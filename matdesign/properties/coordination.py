"""Coordination numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from ase import Atoms

from matdesign.errors import InputError
from matdesign.properties.measurement import Estimate
from matdesign.properties.neighbours import first_shell, within
from matdesign.properties.property import Sample, System
from matdesign.properties.structural import StructuralProperty
from matdesign.properties.units import Units
from matdesign.typed import Range

MOST = 24  # neighbours that are told apart


@dataclass(frozen=True, kw_only=True)
class Coordination(StructuralProperty):
    """Coordination number: how many atoms are in the first shell around an atom, on average.

    Equation:
        Z = 1/N sum_i n_i,  n_i = number of j with 0 < r_ij < r_c

        n_i: coordination of atom i, images counted, r_ij: distances, r_c: cutoff, N: number of atoms.

    Attributes:
        cutoff: r_c, in A (lj: sigma); default the first minimum of the radial distribution of the arrangement (in MD
            of each frame), smoothed by a Gaussian of 4 % of the mean nearest distance.

    Value:
        Z, a plain number.

    Curves:
        coordination: 0 to 24; fraction: of atoms with that coordination, the last with 24 or more.

    Details:
        cutoff: r_c, A (lj: sigma).

    Assumptions:
        The first shell is separated. In a body-centred cubic crystal the default cutoff falls between the first shell
        (8) and the second (14) at low temperature and beyond both where vibrations join them: give the cutoff.

    Finite size:
        Atoms at surfaces have fewer neighbours, and count.
    """

    name: ClassVar[str] = "coordination"
    local: ClassVar[bool] = True
    cutoff: Annotated[float, Range(1e-3, 1e3)] | None = None

    def unit(self, units: Units) -> str:
        """A plain number."""
        return "1"

    def check(self, system: System) -> None:
        """One atom has no shell."""
        if not system.structure.pbc.any() and len(system.structure) < 2:
            raise InputError("coordination needs at least two atoms, or periodic boundaries")

    def of(self, system: System, atoms: Atoms) -> Sample:
        """Neighbours of this arrangement's atoms."""
        cutoff = first_shell(atoms) if self.cutoff is None else self.cutoff
        numbers = np.bincount(within(atoms, cutoff).centres, minlength=len(atoms))
        fraction = np.bincount(np.minimum(numbers, MOST), minlength=MOST + 1) / len(atoms)
        return {
            "value": np.array(numbers.mean()),
            "parts": numbers.astype(float),
            "fraction": fraction,
            "cutoff": np.array(cutoff),
        }

    def detail_units(self, system: System) -> dict[str, str]:
        """Of those that are no plain numbers."""
        return {"cutoff": system.units.length}

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Means."""
        return Estimate(
            value=float(self.mean(samples, "value")),
            curves={"coordination": np.arange(MOST + 1.0), "fraction": self.mean(samples, "fraction")},
            details={"cutoff": float(self.mean(samples, "cutoff"))},
        )
