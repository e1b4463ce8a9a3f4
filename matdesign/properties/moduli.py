"""Elastic moduli of a polycrystal and elastic stability: what the stiffness tensor says in one number."""

from dataclasses import dataclass
from typing import ClassVar

from matdesign.properties.elasticity import Elastic
from matdesign.properties.units import Units


@dataclass(frozen=True, kw_only=True)
class BulkModulus(Elastic):
    """Bulk modulus of a polycrystal: the mean of Voigt's and Reuss' bounds (Hill).

    Equation:
        K = (K_V + K_R) / 2
        9 K_V = C11 + C22 + C33 + 2 (C12 + C13 + C23);  1 / K_R = S11 + S22 + S33 + 2 (S12 + S13 + S23)

        C: stiffness tensor (see elastic_tensor), S: its inverse; in GPa and 1/GPa.

    Attributes:
        cell: how the cell is relaxed before: "full", "isotropic" or "fixed".
        strain: largest component of each strain.

    Value:
        K in GPa (lj: epsilon/sigma^3). Tensor and details are those of elastic_tensor.

    Assumptions:
        Zero temperature; grains of all orientations. Of a cubic crystal K_V = K_R: its own bulk modulus.

    References:
        Hill, Proc. Phys. Soc. A 65, 349 (1952), doi:10.1088/0370-1298/65/5/307.
    """

    name: ClassVar[str] = "bulk_modulus"
    chosen: ClassVar[str] = "bulk_hill"


@dataclass(frozen=True, kw_only=True)
class ShearModulus(Elastic):
    """Shear modulus of a polycrystal: the mean of Voigt's and Reuss' bounds (Hill).

    Equation:
        G = (G_V + G_R) / 2
        15 G_V = C11 + C22 + C33 - C12 - C13 - C23 + 3 (C44 + C55 + C66)
        15 / G_R = 4 (S11 + S22 + S33 - S12 - S13 - S23) + 3 (S44 + S55 + S66)

        C: stiffness tensor (see elastic_tensor), S: its inverse; in GPa and 1/GPa.

    Attributes:
        cell: how the cell is relaxed before: "full", "isotropic" or "fixed".
        strain: largest component of each strain.

    Value:
        G in GPa (lj: epsilon/sigma^3). Tensor and details are those of elastic_tensor.

    Assumptions:
        Zero temperature; grains of all orientations.

    References:
        Hill, Proc. Phys. Soc. A 65, 349 (1952), doi:10.1088/0370-1298/65/5/307.
    """

    name: ClassVar[str] = "shear_modulus"
    chosen: ClassVar[str] = "shear_hill"


@dataclass(frozen=True, kw_only=True)
class YoungModulus(Elastic):
    """Young's modulus of a polycrystal, from Hill's bulk and shear modulus.

    Equation:
        E = 9 K G / (3 K + G)

        K: bulk_modulus, G: shear_modulus; in GPa.

    Attributes:
        cell: how the cell is relaxed before: "full", "isotropic" or "fixed".
        strain: largest component of each strain.

    Value:
        E in GPa (lj: epsilon/sigma^3). Tensor and details are those of elastic_tensor.

    Assumptions:
        Zero temperature; grains of all orientations.

    References:
        Hill, Proc. Phys. Soc. A 65, 349 (1952), doi:10.1088/0370-1298/65/5/307.
    """

    name: ClassVar[str] = "young_modulus"
    chosen: ClassVar[str] = "young"


@dataclass(frozen=True, kw_only=True)
class PoissonRatio(Elastic):
    """Poisson's ratio of a polycrystal, from Hill's bulk and shear modulus.

    Equation:
        nu = (3 K - 2 G) / (6 K + 2 G)

        K: bulk_modulus, G: shear_modulus; in GPa.

    Attributes:
        cell: how the cell is relaxed before: "full", "isotropic" or "fixed".
        strain: largest component of each strain.

    Value:
        nu, a plain number. Tensor and details are those of elastic_tensor, in GPa (lj: epsilon/sigma^3).

    Assumptions:
        Zero temperature; grains of all orientations.

    References:
        Hill, Proc. Phys. Soc. A 65, 349 (1952), doi:10.1088/0370-1298/65/5/307.
    """

    name: ClassVar[str] = "poisson_ratio"
    chosen: ClassVar[str] = "poisson"

    def unit(self, units: Units) -> str:
        """A plain number."""
        return "1"


@dataclass(frozen=True, kw_only=True)
class ElasticStability(Elastic):
    """Born's criterion of elastic stability: the smallest eigenvalue of the stiffness tensor is positive.

    Equation:
        min over strains e with e : e = 1 of e : C : e

        C: stiffness tensor (see elastic_tensor). These are the eigenvalues of C as a 6 by 6 matrix in Kelvin's
        notation (shear entries times sqrt(2) and 2), which do not depend on the axes; cubic crystals have C11 - C12,
        2 C44 and C11 + 2 C12.

    Attributes:
        cell: how the cell is relaxed before: "full", "isotropic" or "fixed".
        strain: largest component of each strain.

    Value:
        The smallest eigenvalue, in GPa (lj: epsilon/sigma^3): twice the stiffness of the weakest shear. Flagged if it
        is not positive. Tensor and details are those of elastic_tensor.

    Assumptions:
        Zero temperature and pressure, strains that are homogeneous over the cell: phonons of shorter wavelength may
        still be unstable.

    References:
        Mouhat and Coudert, Phys. Rev. B 90, 224104 (2014), doi:10.1103/PhysRevB.90.224104.
    """

    name: ClassVar[str] = "elastic_stability"
    chosen: ClassVar[str] = "smallest_eigenvalue"
