"""Elasticity: the stiffness tensor by finite strain, and the numbers that follow from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from matdesign.errors import InputError, SimulationError
from matdesign.properties.measurement import Array, Estimate
from matdesign.properties.property import Property, Sample, System
from matdesign.properties.relaxation import Cell, Relaxation, settle, strained
from matdesign.properties.units import Units
from matdesign.typed import Range

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
CURVATURE = 20.0  # stress even in the strain over stress odd in it, over the strain: 2 to 16 in crystals
KINK = 0.01  # that ratio beyond what curvature explains: atoms found other places under one of the two strains
ASYMMETRIC = 0.01  # largest |C_ij - C_ji| over the largest |C_ij|
STRESSED = 0.03  # largest stress before the strain over the largest |C_ij|
SOFT = 1e-4  # eigenvalues below this fraction of the largest are not told from zero


@dataclass(frozen=True, kw_only=True)
class Elastic(Property):
    """What follows from the stiffness tensor, which is measured once for all of it.

    Attributes:
        cell: how the cell is relaxed before: "full", "isotropic" or "fixed" (left as it is; it should be without
            stress).
        strain: largest component of each strain.
        chosen: which of `moduli` is the value.
    """

    chosen: ClassVar[str] = ""

    cell: Cell = "full"
    strain: Annotated[float, Range(1e-6, 0.05)] = 1e-3

    @property
    def random(self) -> bool:
        """It is not."""
        return False

    def unit(self, units: Units) -> str:
        """That of pressure."""
        return units.pressure_unit

    def check(self, system: System) -> None:
        """Stress needs a volume."""
        if not system.structure.pbc.all():
            raise InputError(
                f"{self.name} needs a structure that is periodic in three directions: a cluster or a slab has no volume"
            )

    def sample(self, system: System, seed: int) -> Sample:
        """The sample of `ElasticTensor`."""
        return system.sample(ElasticTensor(cell=self.cell, strain=self.strain))

    def detail_units(self, system: System) -> dict[str, str]:
        """Of those that are no plain numbers."""
        names = ("C11", "C12", "C44", "young", "smallest_eigenvalue", "stress")
        means = [f"{modulus}_{mean}" for modulus in ("bulk", "shear") for mean in ("voigt", "reuss", "hill")]
        return dict.fromkeys(["tensor", *names, *means], system.units.pressure_unit)

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Of the only sample there is."""
        sample = samples[0]
        raw = sample["stiffness"]
        stiffness, largest = 0.5 * (raw + raw.T), abs(raw).max()
        asymmetry, stress = abs(raw - raw.T).max() / max(largest, 1e-300), abs(sample["stress"]).max()
        details = {
            **moduli(stiffness),
            "nonlinearity": float(sample["even"].max()),
            "asymmetry": float(asymmetry),
            "stress": float(stress),
        }
        kink = details["nonlinearity"] > KINK + CURVATURE * self.strain
        reasons = [
            ("it is elastically unstable", details["smallest_eigenvalue"] <= 0 or np.isnan(details["bulk_hill"])),
            (f"a strain of {self.strain:g} rearranges atoms (or meets a kink of the potential)", kink),
            ("the tensor is not symmetric", asymmetry > ASYMMETRIC),
            (f"a stress of {stress:.3g} {system.units.pressure_unit} was there before", stress > STRESSED * largest),
        ]
        return Estimate(
            value=details[self.chosen],
            tensor=stiffness,
            details=details,
            flag="; ".join(text for text, applies in reasons if applies),
        )


@dataclass(frozen=True, kw_only=True)
class ElasticTensor(Elastic):
    """Stiffness tensor of the relaxed crystal at zero temperature, by finite strain.

    Equation:
        C_ij = [sigma_i(+e_j) - sigma_i(-e_j)] / (2 e)

        sigma_i: stress with all atoms relaxed, in Voigt's order xx, yy, zz, yz, xz, xy; e_j: that strain alone, of size
        e = `strain` (shear: engineering strain, twice the tensor's component).

    Attributes:
        cell: how the cell is relaxed before: "full", "isotropic" or "fixed" (left as it is; it should be without
            stress).
        strain: largest component of each strain.

    Value:
        C11, in GPa (lj: epsilon/sigma^3).

    Tensor:
        C, 6 by 6 in Voigt's notation, made symmetric, in the axes of the structure as it was given (x, y and z of its
        positions, wherever its cell vectors point).

    Details:
        C11, C12, C44 and the moduli of the other elastic properties: Voigt's, Reuss' and Hill's bulk and shear modulus,
        young, poisson (Hill), smallest_eigenvalue. anisotropy: 5 G_V/G_R + K_V/K_R - 6, 0 where isotropic.
        nonlinearity: the stress that is even in the strain over that which is odd. asymmetry of C before it is made
        symmetric, over its largest entry. stress: largest component before the strain. What has no meaning in an
        unstable structure is not a number.

    Assumptions:
        Zero temperature. Flagged where the strain rearranges atoms (in a glass a smaller one helps; for a tabulated
        potential it must move neighbours by more than the table's spacing), under stress, and if the structure is
        unstable.

    Finite size:
        None for a perfect crystal: one unit cell is enough. A disordered one needs as many atoms as make it isotropic.

    References:
        Ranganathan and Ostoja-Starzewski, Phys. Rev. Lett. 101, 055504 (2008), doi:10.1103/PhysRevLett.101.055504, for
        the anisotropy.
    """

    name: ClassVar[str] = "elastic_tensor"
    chosen: ClassVar[str] = "C11"

    def sample(self, system: System, seed: int) -> Sample:
        """The stiffness as measured, how far each stress is even in the strain, and the stress before."""
        relaxation = Relaxation(cell=self.cell)
        atoms = relaxation.relaxed(system)
        rest = _voigt(system.sample(relaxation)["stress"])
        stiffness, even = np.zeros((6, 6)), np.zeros(6)
        for column, (i, j) in enumerate(VOIGT):
            strain = np.zeros((3, 3))
            strain[i, j] += 0.5 * self.strain
            strain[j, i] += 0.5 * self.strain
            stresses = []
            for sign in (1.0, -1.0):
                tolerance, moved = relaxation.force(system), strained(atoms, sign * strain)
                settled = settle(system, moved, tolerance=tolerance, evaluations=relaxation.evaluations)
                if settled.force > tolerance:
                    raise SimulationError(f"{relaxation.evaluations} evaluations did not relax the strained structure")
                stresses.append(_voigt(settled.stress) - rest)
            forth, back = stresses
            stiffness[:, column] = (forth - back) / (2.0 * self.strain)
            even[column] = np.linalg.norm(forth + back) / max(float(np.linalg.norm(forth - back)), 1e-300)
        return {"stiffness": stiffness, "even": even, "stress": rest}


def moduli(stiffness: Array) -> Mapping[str, float]:
    """Constants, averages and eigenvalue of a symmetric stiffness [6, 6]; NaN where an unstable one has none."""
    kelvin = np.array([1.0, 1.0, 1.0, *[np.sqrt(2.0)] * 3])
    eigenvalues = np.linalg.eigvalsh(stiffness * np.outer(kelvin, kelvin))
    stable = eigenvalues[0] > SOFT * eigenvalues[-1]
    c = stiffness
    s = np.linalg.inv(c) if stable else np.full((6, 6), np.nan)
    bulk_voigt, bulk_reuss = c[:3, :3].sum() / 9, 1 / s[:3, :3].sum()
    shear_voigt = (1.5 * np.trace(c[:3, :3]) - 0.5 * c[:3, :3].sum() + 3 * np.trace(c[3:, 3:])) / 15
    shear_reuss = 15 / (6 * np.trace(s[:3, :3]) - 2 * s[:3, :3].sum() + 3 * np.trace(s[3:, 3:]))
    bulk, shear = (bulk_voigt + bulk_reuss) / 2, (shear_voigt + shear_reuss) / 2
    found = {
        "C11": c[0, 0],
        "C12": c[0, 1],
        "C44": c[3, 3],
        "bulk_voigt": bulk_voigt,
        "bulk_reuss": bulk_reuss,
        "bulk_hill": bulk,
        "shear_voigt": shear_voigt,
        "shear_reuss": shear_reuss,
        "shear_hill": shear,
        "young": 9 * bulk * shear / (3 * bulk + shear),
        "poisson": (3 * bulk - 2 * shear) / (6 * bulk + 2 * shear),
        "anisotropy": 5 * shear_voigt / shear_reuss + bulk_voigt / bulk_reuss - 6,
        "smallest_eigenvalue": eigenvalues[0],
    }
    return {name: float(value) for name, value in found.items()}


def _voigt(tensor: Array) -> Array:
    return np.array([tensor[i, j] for i, j in VOIGT])
