"""Hardness from the elastic moduli."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from matdesign.errors import InputError
from matdesign.properties.elasticity import Elastic
from matdesign.properties.measurement import Estimate
from matdesign.properties.property import Sample, System
from matdesign.properties.units import Units

SOFTEST = 5.0  # GPa; below, the model's own offset of -3 GPa decides
DUCTILE = 0.571  # Pugh's ratio G/K below which crystals are ductile


@dataclass(frozen=True, kw_only=True)
class Hardness(Elastic):
    """Vickers hardness from bulk and shear modulus by the model of Chen, Niu, Li and Li.

    Equation:
        H = 2 (k^2 G)^0.585 - 3,  k = G / K

        H: Vickers hardness in GPa, G: shear_modulus and K: bulk_modulus in GPa (Hill), k: Pugh's ratio.

    Attributes:
        cell: how the cell is relaxed before: "full", "isotropic" or "fixed".
        strain: largest component of each strain.

    Value:
        H in GPa. Tensor and details are those of elastic_tensor.

    Details:
        pugh: k.

    Assumptions:
        A fit to hard, brittle crystals and to metallic glasses. It does not know dislocations, which decide in ductile
        crystals: flagged below Pugh's limit of ductility, k = 0.571, where pure metals come out several times too hard,
        and below H = 5 GPa, where the offset of -3 GPa decides. Refused in units lj, as the fit holds in GPa.

    References:
        Chen, Niu, Li and Li, Intermetallics 19, 1275 (2011), doi:10.1016/j.intermet.2011.03.026; Pugh, Philos. Mag. 45,
        823 (1954), doi:10.1080/14786440808520496.
    """

    name: ClassVar[str] = "hardness"
    chosen: ClassVar[str] = "shear_hill"

    def unit(self, units: Units) -> str:
        """The fit's."""
        return "GPa"

    def check(self, system: System) -> None:
        """The fit holds in GPa."""
        super().check(system)
        if system.material.units == "lj":
            raise InputError("hardness is a fit in GPa and units lj have none: use a material in units metal or real")

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """The fit at the moduli of the only sample there is."""
        elastic = super().estimate(system, samples)
        bulk, shear = elastic.details["bulk_hill"], elastic.details["shear_hill"]
        hardness, pugh = vickers(bulk, shear), shear / bulk
        flags = [elastic.flag]
        if hardness < SOFTEST:
            flags.append(f"the model is for hard materials and this one has less than {SOFTEST:g} GPa")
        if pugh < DUCTILE:
            flags.append(
                f"G/K = {pugh:.3f} is below {DUCTILE:g}: ductile, so that dislocations decide, unless it is a glass"
            )
        return replace(
            elastic,
            value=hardness,
            details={"pugh": pugh, **elastic.details},
            flag="; ".join(text for text in flags if text),
        )


def vickers(bulk: float, shear: float) -> float:
    """Chen's fit: all in GPa; NaN where the moduli are none of a stable material."""
    return float(2.0 * ((shear / bulk) ** 2 * shear) ** 0.585 - 3.0) if shear > 0 else float("nan")
