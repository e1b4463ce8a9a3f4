"""Steinhardt's bond-orientational order parameters."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from ase import Atoms
from numpy.polynomial.legendre import Legendre
from numpy.typing import NDArray

from matdesign.errors import InputError
from matdesign.properties.measurement import Array, Estimate
from matdesign.properties.neighbours import nearest
from matdesign.properties.property import Sample, System
from matdesign.properties.structural import StructuralProperty
from matdesign.properties.units import Units
from matdesign.typed import Range

TIE = 1e-4  # relative difference of two distances that are the same
MOST_TIES = 0.5  # fraction of atoms whose neighbours may be chosen among equals


@dataclass(frozen=True, kw_only=True)
class _Steinhardt(StructuralProperty):
    """What the order parameters share: degree l, and which neighbours count."""

    degree: ClassVar[int]
    neighbours: Annotated[int, Range(1, 100)] = 12

    def unit(self, units: Units) -> str:
        """A plain number."""
        return "1"

    def check(self, system: System) -> None:
        """Enough atoms are needed."""
        if not system.structure.pbc.any() and len(system.structure) <= self.neighbours:
            raise InputError(
                f"{self.name} takes {self.neighbours} neighbours of each atom and the cluster has "
                f"{len(system.structure)} atoms: lower property.neighbours"
            )

    def moments(self, atoms: Atoms) -> tuple[Array, NDArray[np.complex128], NDArray[np.intp]]:
        """Fraction of atoms with ambiguous neighbours; q_lm of each atom; its neighbours."""
        more = self.neighbours + (1 if atoms.pbc.any() or len(atoms) > self.neighbours + 1 else 0)
        found = nearest(atoms, more)
        ties = np.array(0.0)
        if more > self.neighbours:
            last, next_one = found.distances[:, -2:].T
            ties = np.array((next_one - last < TIE * last).mean())
        q = harmonics(found.vectors[:, : self.neighbours], self.degree).mean(axis=1)
        return ties, q, found.others[:, : self.neighbours]

    def flag(self, samples: Sequence[Sample]) -> str:
        """Says so if the number of neighbours cuts through a shell."""
        if self.mean(samples, "ties") <= MOST_TIES:
            return ""
        return (
            f"neighbours {self.neighbours} and {self.neighbours + 1} are equally far, which of them counts is "
            "arbitrary: set property.neighbours to 12 (fcc, hcp), 14 or 8 (bcc), 6 (sc), 4 (diamond)"
        )


@dataclass(frozen=True, kw_only=True)
class _Global(_Steinhardt):
    """Steinhardt's global order parameter."""

    def of(self, system: System, atoms: Atoms) -> Sample:
        """Q_l of this arrangement."""
        ties, q, _ = self.moments(atoms)
        return {"value": np.array(norm(q.mean(axis=0), self.degree)), "ties": ties}

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Mean."""
        return Estimate(value=float(self.mean(samples, "value")), flag=self.flag(samples))


@dataclass(frozen=True, kw_only=True)
class GlobalQ4(_Global):
    """Steinhardt's global order parameter Q4: how far all bonds point along the same fourfold directions.

    Equation:
        Q_l = sqrt(4 pi/(2l+1) sum_m |1/N_b sum_bonds Y_lm(r)|^2),  l = 4, m = -l ... l

        Y_lm: spherical harmonics of the direction r of a bond, N_b: number of bonds.

    Attributes:
        neighbours: bonds of each atom, to its nearest neighbours. 12 for fcc and hcp, 14 or 8 for bcc, 6 for sc, 4 for
            diamond; the value is flagged where the number cuts through a shell.

    Value:
        A plain number: 0.19094 fcc, 0.09722 hcp, 0.03637 bcc (14), 0.76376 sc (6), 0.50918 diamond (4); falls as
        1/sqrt(N_b) where bonds point at random.

    Assumptions:
        One crystal: grains of different orientation cancel. In MD the mean of the frames' Q_l. It does not tell
        structures apart alone: bcc (8) and diamond (4) share Q4 and Q6.

    References:
        Steinhardt, Nelson and Ronchetti, Phys. Rev. B 28, 784 (1983), doi 10.1103/PhysRevB.28.784.
    """

    name: ClassVar[str] = "q4"
    degree: ClassVar[int] = 4


@dataclass(frozen=True, kw_only=True)
class GlobalQ6(_Global):
    """Steinhardt's global order parameter Q6: how far all bonds point along the same sixfold directions.

    Equation:
        Q_l = sqrt(4 pi/(2l+1) sum_m |1/N_b sum_bonds Y_lm(r)|^2),  l = 6, m = -l ... l

        Y_lm: spherical harmonics of the direction r of a bond, N_b: number of bonds.

    Attributes:
        neighbours: bonds of each atom, to its nearest neighbours. 12 for fcc and hcp, 14 or 8 for bcc, 6 for sc, 4 for
            diamond; the value is flagged where the number cuts through a shell.

    Value:
        A plain number: 0.57452 fcc, 0.48476 hcp, 0.51069 bcc (14), 0.35355 sc (6), 0.62854 diamond (4); falls as
        1/sqrt(N_b) where bonds point at random, so that it tells crystal from liquid.

    Assumptions:
        One crystal: grains of different orientation cancel. In MD the mean of the frames' Q_l. It does not tell
        structures apart alone: bcc (8) and diamond (4) share Q4 and Q6.

    References:
        Steinhardt, Nelson and Ronchetti, Phys. Rev. B 28, 784 (1983), doi 10.1103/PhysRevB.28.784.
    """

    name: ClassVar[str] = "q6"
    degree: ClassVar[int] = 6


@dataclass(frozen=True, kw_only=True)
class _Averaged(_Steinhardt):
    """Lechner and Dellago's order parameter."""

    local: ClassVar[bool] = True

    def of(self, system: System, atoms: Atoms) -> Sample:
        """Of this arrangement's atoms."""
        ties, q, others = self.moments(atoms)
        averaged = (q + q[others].sum(axis=1)) / (1 + self.neighbours)
        return {"local": norm(q, self.degree), "averaged": norm(averaged, self.degree), "ties": ties}

    def parts(self, system: System, samples: Sequence[Sample]) -> Array:
        """Of each atom."""
        return self.mean(samples, "averaged")

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Mean over atoms."""
        local, averaged = self.mean(samples, "local"), self.mean(samples, "averaged")
        return Estimate(
            value=float(averaged.mean()),
            curves={"averaged": averaged, "local": local},
            details={"local": float(local.mean())},
            flag=self.flag(samples),
        )


@dataclass(frozen=True, kw_only=True)
class AveragedQ4(_Averaged):
    """Neighbour-averaged local order parameter q4 of Lechner and Dellago, mean over atoms.

    Equation:
        qbar_l(i) = sqrt(4 pi/(2l+1) sum_m |1/(n+1) (q_lm(i) + sum_k q_lm(k))|^2)
        q_lm(i) = 1/n sum_k Y_lm(r_ik),  l = 4

        n: number of neighbours k of atom i, Y_lm: spherical harmonics of the direction of r_ik, m = -l ... l.

    Attributes:
        neighbours: n, the nearest ones: 12 for fcc and hcp, 14 or 8 for bcc, 6 for sc, 4 for diamond; the value is
            flagged where the number cuts through a shell.

    Value:
        A plain number, in a perfect fcc, bcc or sc crystal equal to q4; independent of the orientation of grains.

    Curves:
        averaged: qbar_l of each atom; local: q_l of each atom, without averaging.

    Details:
        local: mean of q_l over atoms.

    References:
        Lechner and Dellago, J. Chem. Phys. 129, 114707 (2008), doi 10.1063/1.2977970.
    """

    name: ClassVar[str] = "averaged_q4"
    degree: ClassVar[int] = 4


@dataclass(frozen=True, kw_only=True)
class AveragedQ6(_Averaged):
    """Neighbour-averaged local order parameter q6 of Lechner and Dellago, mean over atoms.

    Equation:
        qbar_l(i) = sqrt(4 pi/(2l+1) sum_m |1/(n+1) (q_lm(i) + sum_k q_lm(k))|^2)
        q_lm(i) = 1/n sum_k Y_lm(r_ik),  l = 6

        n: number of neighbours k of atom i, Y_lm: spherical harmonics of the direction of r_ik, m = -l ... l.

    Attributes:
        neighbours: n, the nearest ones: 12 for fcc and hcp, 14 or 8 for bcc, 6 for sc, 4 for diamond; the value is
            flagged where the number cuts through a shell.

    Value:
        A plain number, in a perfect fcc, bcc or sc crystal equal to q6; about 0.2 in liquids; independent of the
        orientation of grains.

    Curves:
        averaged: qbar_l of each atom; local: q_l of each atom, without averaging.

    Details:
        local: mean of q_l over atoms.

    References:
        Lechner and Dellago, J. Chem. Phys. 129, 114707 (2008), doi 10.1063/1.2977970.
    """

    name: ClassVar[str] = "averaged_q6"
    degree: ClassVar[int] = 6


def harmonics(vectors: Array, degree: int) -> NDArray[np.complex128]:
    """Y_lm of the directions [..., 3] for m = 0 ... l, those with m > 0 times sqrt(2): they stand for -m as well."""
    x, y, z = np.moveaxis(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), -1, 0)
    equator = x + 1j * y
    polynomial = Legendre.basis(degree)
    values = [
        math.sqrt((2 * degree + 1) / (4 * math.pi) * math.factorial(degree - m) / math.factorial(degree + m))
        * (math.sqrt(2) if m else 1)
        * (polynomial.deriv(m)(z) if m else polynomial(z))
        * equator**m
        for m in range(degree + 1)
    ]
    return np.stack(values, axis=-1)


def norm(q: NDArray[np.complex128], degree: int) -> Array:
    """sqrt(4 pi/(2l+1) sum_m |q_lm|^2), which no rotation changes."""
    return np.asarray(np.sqrt(4 * np.pi / (2 * degree + 1) * (np.abs(q) ** 2).sum(axis=-1)))
