"""Mass density."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from ase import Atoms

from matdesign.errors import InputError
from matdesign.properties.neighbours import check_filled
from matdesign.properties.property import Sample, System
from matdesign.properties.structural import StructuralProperty
from matdesign.properties.units import Units


@dataclass(frozen=True, kw_only=True)
class Density(StructuralProperty):
    """Mass per volume of the cell.

    Equation:
        rho = sum_i m_i / V

        m_i: mass of atom i, V: volume of the cell.

    Value:
        g/cm^3 (lj: m/sigma^3). Give `temperature` and `pressure` for the density under those conditions.

    Assumptions:
        Periodic in three directions; a cluster or a slab has no volume of its own and is refused, in a cell with vacuum
        too.
    """

    name: ClassVar[str] = "density"

    def unit(self, units: Units) -> str:
        """g/cm^3, or reduced."""
        return units.density_unit

    def check(self, system: System) -> None:
        """A volume is needed."""
        if not system.structure.pbc.all():
            raise InputError("density needs a structure that is periodic in three directions: a cluster has no volume")
        check_filled("density", system)

    def of(self, system: System, atoms: Atoms) -> Sample:
        """Density of this arrangement."""
        masses = dict(zip(system.material.species, system.material.masses, strict=True))
        total = sum(masses[symbol] for symbol in atoms.symbols)
        return {"value": np.array(total / atoms.get_volume() * system.units.density)}
