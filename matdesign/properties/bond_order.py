"""How alike the surroundings of bonded atoms are: the order that the order dial steers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from ase import Atoms

from matdesign.errors import InputError
from matdesign.properties.measurement import Estimate
from matdesign.properties.neighbours import within
from matdesign.properties.order import harmonics
from matdesign.properties.property import Sample, System
from matdesign.properties.structural import StructuralProperty
from matdesign.properties.units import Units
from matdesign.typed import Range

DEGREE = 6
LEAST_BONDS = 8


@dataclass(frozen=True, kw_only=True)
class BondOrder(StructuralProperty):
    """Bond order S: how alike the sixfold surroundings of bonded atoms are, mean over atoms.

    Equation:
        S = 1/N sum_i s_i,  s_i = 1/max(n_i, 8) sum_j w(r_ij) Re(q_i . q_j*) / (|q_i| |q_j|)
        q_i = sum_j w(r_ij) Y_6m(r_ij),  n_i = sum_j w(r_ij),  w = 1 - t^3 (10 - 15 t + 6 t^2)

        t = (r - bonded)/(apart - bonded), kept between 0 and 1; Y_6m: spherical harmonics, m = -6 ... 6.

    Attributes:
        bonded: distance up to which two atoms are wholly bonded, in the material's length scale.
        apart: distance from which on they are not, in the material's length scale.

    Value:
        A plain number, 1 in a crystal whose atoms all have the same surroundings and at least 8 bonds (fcc, hcp, bcc),
        about 0.2 to 0.4 in liquids and glasses; independent of the orientation of grains.

    Curves:
        local: s_i of each atom.

    Assumptions:
        It does not tell fcc, hcp and bcc apart. The length scale is about the distance of nearest neighbours, so that
        the default bonds hold the first shell. Without the least number of bonds two atoms alone would be perfect.

    References:
        ten Wolde, Ruiz-Montero and Frenkel, J. Chem. Phys. 104, 9932 (1996), doi 10.1063/1.471721, for the product of
        bond orders.
    """

    name: ClassVar[str] = "bond_order"
    bonded: Annotated[float, Range(0.1, 10)] = 1.2
    apart: Annotated[float, Range(0.1, 10)] = 1.5

    def unit(self, units: Units) -> str:
        """A plain number."""
        return "1"

    def check(self, system: System) -> None:
        """Bonds must fade over some distance."""
        if not self.bonded < self.apart:
            raise InputError(f"property.bonded={self.bonded} must be less than property.apart={self.apart}")

    def of(self, system: System, atoms: Atoms) -> Sample:
        """s_i of this arrangement."""
        length, n = system.material.length_scale, len(atoms)
        pairs = within(atoms, self.apart * length)
        t = np.clip((pairs.distances / length - self.bonded) / (self.apart - self.bonded), 0.0, 1.0)
        w = 1.0 - t**3 * (10.0 - 15.0 * t + 6.0 * t**2)
        q = np.zeros((n, DEGREE + 1), complex)
        np.add.at(q, pairs.centres, w[:, None] * harmonics(pairs.vectors, DEGREE))
        q /= np.maximum(np.linalg.norm(q, axis=1, keepdims=True), 1e-12)  # no bonds, no direction
        products = (q[pairs.centres] * q[pairs.others].conj()).real.sum(axis=1)
        bonds = np.maximum(np.bincount(pairs.centres, w, n), LEAST_BONDS)
        return {"local": np.bincount(pairs.centres, w * products, n) / bonds}

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Mean over atoms."""
        local = self.mean(samples, "local")
        return Estimate(value=float(local.mean()), curves={"local": local})
