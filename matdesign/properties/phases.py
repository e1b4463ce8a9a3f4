"""Fractions of atoms in fcc, hcp, bcc, icosahedral and no such surroundings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from matdesign.errors import InputError
from matdesign.properties.measurement import Array, Estimate
from matdesign.properties.neighbours import nearest
from matdesign.properties.property import Sample, System
from matdesign.properties.structural import StructuralProperty
from matdesign.properties.units import Units

PHASES = ("fcc", "hcp", "bcc", "icosahedral", "disordered")
CLOSE, CENTRED = 12, 14  # neighbours of an atom in a close-packed and in a body-centred cubic crystal
BETWEEN = (1 + 2**0.5) / 2  # halfway between first and second shell (fcc), second and third (bcc)


@dataclass(frozen=True, kw_only=True)
class _PhaseFraction(StructuralProperty):
    """What the fractions share."""

    phase: ClassVar[str]

    def unit(self, units: Units) -> str:
        """A plain number."""
        return "1"

    def check(self, system: System) -> None:
        """An atom and its neighbours are needed."""
        if not system.structure.pbc.any() and len(system.structure) <= CLOSE:
            raise InputError(
                f"{self.name} looks at the {CLOSE} nearest neighbours of each atom, the cluster has only "
                f"{len(system.structure)} atoms"
            )

    def of(self, system: System, atoms: Atoms) -> Sample:
        """All fractions of this arrangement."""
        return {"fractions": np.bincount(classify(atoms), minlength=len(PHASES)) / len(atoms)}

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Mean fractions."""
        fractions = dict(zip(PHASES, self.mean(samples, "fractions").tolist(), strict=True))
        return Estimate(value=fractions[self.phase], details=fractions)


@dataclass(frozen=True, kw_only=True)
class FccFraction(_PhaseFraction):
    """Fraction of atoms with face-centred cubic surroundings, by adaptive common neighbour analysis.

    Equation:
        x = N_fcc / N

        N: atoms, N_fcc: atoms whose 12 nearest neighbours all have the signature 421. A signature (n, b, c) belongs to
        an atom and one neighbour: n neighbours they share, b bonds between those, c bonds in the longest chain of
        them. Atoms are bonded when closer than (1 + sqrt 2)/2 times the mean distance of the 12 nearest neighbours.

    Value:
        A plain number, 0 to 1.

    Details:
        fcc, hcp, bcc, icosahedral, disordered: the fractions, whose sum is 1.

    Assumptions:
        Species are ignored. Atoms at surfaces are disordered, as are those of a diamond lattice, whose surroundings
        are none of these. Vibrations make atoms look disordered: relax the structure first to see what lies below.

    References:
        Stukowski, Modelling Simul. Mater. Sci. Eng. 20, 045021 (2012), doi 10.1088/0965-0393/20/4/045021.
        Honeycutt and Andersen, J. Phys. Chem. 91, 4950 (1987), doi 10.1021/j100303a014: signatures.
    """

    name: ClassVar[str] = "fcc_fraction"
    phase: ClassVar[str] = "fcc"


@dataclass(frozen=True, kw_only=True)
class HcpFraction(_PhaseFraction):
    """Fraction of atoms with hexagonal close-packed surroundings, by adaptive common neighbour analysis.

    Equation:
        x = N_hcp / N

        N: atoms, N_hcp: atoms with six neighbours of signature 421 and six of 422; see `fcc_fraction`.

    Value:
        A plain number, 0 to 1. In an fcc crystal a stacking fault is two layers of hcp, a twin boundary one.

    Details:
        fcc, hcp, bcc, icosahedral, disordered: the fractions, whose sum is 1.

    Assumptions:
        As for `fcc_fraction`.

    References:
        Stukowski, Modelling Simul. Mater. Sci. Eng. 20, 045021 (2012), doi 10.1088/0965-0393/20/4/045021.
    """

    name: ClassVar[str] = "hcp_fraction"
    phase: ClassVar[str] = "hcp"


@dataclass(frozen=True, kw_only=True)
class BccFraction(_PhaseFraction):
    """Fraction of atoms with body-centred cubic surroundings, by adaptive common neighbour analysis.

    Equation:
        x = N_bcc / N

        N: atoms, N_bcc: atoms with eight neighbours of signature 666 and six of 444 among the 14 nearest, of which
        those closer than (1 + sqrt 2)/2 a are bonded; a = (2/sqrt 3 d_8 + d_6)/2, where d_8 and d_6 are the mean
        distances of the 8 nearest and of the next 6; see `fcc_fraction`.

    Value:
        A plain number, 0 to 1.

    Details:
        fcc, hcp, bcc, icosahedral, disordered: the fractions, whose sum is 1.

    Assumptions:
        As for `fcc_fraction`. B2 alloys count as bcc.

    References:
        Stukowski, Modelling Simul. Mater. Sci. Eng. 20, 045021 (2012), doi 10.1088/0965-0393/20/4/045021.
    """

    name: ClassVar[str] = "bcc_fraction"
    phase: ClassVar[str] = "bcc"


@dataclass(frozen=True, kw_only=True)
class DisorderedFraction(_PhaseFraction):
    """Fraction of atoms whose surroundings are neither fcc, hcp, bcc nor icosahedral.

    Equation:
        x = 1 - (N_fcc + N_hcp + N_bcc + N_ico) / N

        N: atoms, N_fcc, N_hcp, N_bcc: see `fcc_fraction`, `hcp_fraction`, `bcc_fraction`, N_ico: atoms with twelve
        neighbours of signature 555.

    Value:
        A plain number, 0 to 1.

    Details:
        fcc, hcp, bcc, icosahedral, disordered: the fractions, whose sum is 1.

    Assumptions:
        As for `fcc_fraction`: surfaces and diamond lattices count as disordered.

    References:
        Stukowski, Modelling Simul. Mater. Sci. Eng. 20, 045021 (2012), doi 10.1088/0965-0393/20/4/045021.
    """

    name: ClassVar[str] = "disordered_fraction"
    phase: ClassVar[str] = "disordered"


def classify(atoms: Atoms) -> NDArray[np.intp]:
    """Index into `PHASES` of each atom's surroundings."""
    few = not atoms.pbc.any() and len(atoms) <= CENTRED  # too few for bcc
    found = nearest(atoms, CLOSE if few else CENTRED)
    phase = np.full(len(atoms), PHASES.index("disordered"))
    shared, bonds, chain = _signatures(found.vectors[:, :CLOSE], BETWEEN * found.distances[:, :CLOSE].mean(axis=1))
    like_421 = ((shared == 4) & (bonds == 2) & (chain == 1)).sum(axis=1)
    like_422 = ((shared == 4) & (bonds == 2) & (chain == 2)).sum(axis=1)
    like_555 = ((shared == 5) & (bonds == 5) & (chain == 5)).sum(axis=1)
    phase[like_421 == CLOSE] = PHASES.index("fcc")
    phase[(like_421 == 6) & (like_422 == 6)] = PHASES.index("hcp")
    phase[like_555 == CLOSE] = PHASES.index("icosahedral")
    if not few:
        a = (2 / 3**0.5 * found.distances[:, :8].mean(axis=1) + found.distances[:, 8:].mean(axis=1)) / 2
        shared, bonds, chain = _signatures(found.vectors, BETWEEN * a)
        like_666 = ((shared == 6) & (bonds == 6) & (chain == 6)).sum(axis=1)
        like_444 = ((shared == 4) & (bonds == 4) & (chain == 4)).sum(axis=1)
        phase[(like_666 == 8) & (like_444 == 6)] = PHASES.index("bcc")
    return phase


def _signatures(vectors: Array, cutoff: Array) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Shared neighbours, bonds between them and longest chain, [atoms, neighbours], from neighbours [atoms, n, 3]."""
    n = vectors.shape[1]
    apart = np.linalg.norm(vectors[:, :, None] - vectors[:, None], axis=-1)
    bonded = (apart < cutoff[:, None, None]) & ~np.eye(n, dtype=bool)
    # Bonds b-c between two that are both bonded to neighbour a.
    among = bonded[:, :, :, None] & bonded[:, :, None, :] & bonded[:, None]
    degree = among.sum(axis=-1)
    shared, bonds = bonded.sum(axis=-1), degree.sum(axis=-1) // 2
    # Of the bonds that meet at some shared neighbour all are in one chain in the signatures looked for: 422 is one
    # path, 444, 555 and 666 are rings, where each has two; single bonds make a chain of one.
    ring = (degree == 2).sum(axis=-1) == shared
    chain = np.where(ring, bonds, degree.max(axis=-1))
    return shared, bonds, chain
