"""Chemical short-range order."""

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


@dataclass(frozen=True, kw_only=True)
class WarrenCowley(StructuralProperty):
    """Warren-Cowley parameter of the first shell: whether unlike atoms prefer each other as neighbours.

    Equation:
        alpha_ab = (p_ab - c_b) / (delta_ab - c_b);  for a != b: alpha_ab = 1 - p_ab / c_b

        p_ab: probability that a neighbour of an atom of species a is of species b, c_b: fraction of atoms of species b,
        delta_ab: 1 for a = b, else 0.

    Attributes:
        first: species a; default: the first species of the material that the structure has.
        second: species b; default: the next one.
        cutoff: end of the first shell, in A (lj: sigma); default the first minimum of the radial distribution of the
            arrangement (in MD of each frame).

    Value:
        alpha_ab, a plain number: 0 for atoms at random, negative where a and b prefer each other (-1/3 for Ni and Al
        in L1_2, -1 in B2), positive where they avoid each other, 1 where they are apart.

    Tensor:
        alpha of all pairs of the structure's species in the material's order, rows a, columns b.

    Details:
        cutoff: A (lj: sigma).

    Assumptions:
        The shell is around a; alpha_ab = alpha_ba where all atoms have equally many neighbours. In body-centred cubic
        alloys the default cutoff falls between first shell (8) and second (14) at low temperature and beyond both
        where vibrations join them: give the cutoff.

    Finite size:
        In N atoms at random alpha_ab is about -1/(N - 1) on average, as an atom is not its own neighbour, and scatters
        by about sqrt(2/(N Z)) for Z neighbours at equal fractions.

    References:
        Cowley, Phys. Rev. 77, 669 (1950), doi 10.1103/PhysRev.77.669.
        de Fontaine, J. Appl. Cryst. 4, 15 (1971), doi 10.1107/S0021889871006174: several species.
    """

    name: ClassVar[str] = "warren_cowley"
    first: str | None = None
    second: str | None = None
    cutoff: Annotated[float, Range(1e-3, 1e3)] | None = None

    def unit(self, units: Units) -> str:
        """A plain number."""
        return "1"

    def check(self, system: System) -> None:
        """Two species are needed, and they must be there."""
        present = _species(system)
        if len(present) < 2:
            raise InputError(f"warren_cowley needs two species, the structure has only {', '.join(present)}")
        for field, symbol in (("first", self.first), ("second", self.second)):
            if symbol is not None and symbol not in present:
                raise InputError(f"warren_cowley.{field}={symbol}: the structure has only {', '.join(present)}")

    def of(self, system: System, atoms: Atoms) -> Sample:
        """Of this arrangement."""
        cutoff = first_shell(atoms) if self.cutoff is None else self.cutoff
        present = _species(system)
        kinds = np.array([present.index(symbol) for symbol in atoms.symbols])
        found = within(atoms, cutoff)
        counts = np.zeros((len(present), len(present)))
        np.add.at(counts, (kinds[found.centres], kinds[found.others]), 1)
        if not counts.sum(axis=1).all():
            lonely = present[int(np.argmin(counts.sum(axis=1)))]
            raise InputError(f"no atom of {lonely} has a neighbour within {cutoff:.4g}: raise property.cutoff")
        probability = counts / counts.sum(axis=1, keepdims=True)
        fraction = np.bincount(kinds) / len(atoms)
        return {"alpha": (probability - fraction) / (np.eye(len(present)) - fraction), "cutoff": np.array(cutoff)}

    def detail_units(self, system: System) -> dict[str, str]:
        """Of those that are no plain numbers."""
        return {"cutoff": system.units.length}

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Mean parameters."""
        present = _species(system)
        alpha = self.mean(samples, "alpha")
        first = present[0] if self.first is None else self.first
        second = next(symbol for symbol in present if symbol != first) if self.second is None else self.second
        return Estimate(
            value=float(alpha[present.index(first), present.index(second)]),
            tensor=alpha,
            details={"cutoff": float(self.mean(samples, "cutoff"))},
        )


def _species(system: System) -> list[str]:
    """The structure's species in the material's order."""
    return [symbol for symbol in system.material.species if symbol in system.structure.symbols]
