"""Space group."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import spglib

from matdesign.errors import InputError, SimulationError
from matdesign.properties.measurement import Estimate
from matdesign.properties.property import Property, Sample, System
from matdesign.properties.units import Units
from matdesign.typed import Range

DOUBT = 3.0  # the tolerance may be this much smaller or larger without changing a group that is beyond doubt


@dataclass(frozen=True, kw_only=True)
class SpaceGroup(Property):
    """Space group of the structure, by its number in the International Tables.

    Equation:
        G = {(R, t): R x_i + t = x_j for every atom i and some atom j of its species}

        R, t: rotation and translation, x: positions, all up to a tolerance. The group's type is one of 230.

    Attributes:
        tolerance: distance within which positions are the same, in A (lj: sigma).

    Value:
        International number, 1 (no symmetry) to 230: 225 fcc, 229 bcc, 194 hcp, 227 diamond, 221 B2 and L1_2. It is
        flagged where a tolerance three times smaller or larger gives another one.

    Details:
        point_group_order: rotations and reflections of the crystal class; primitive_atoms: atoms of a primitive cell;
        tighter, looser: the number at a third and at three times the tolerance.

    Assumptions:
        Periodic in three directions. The structure as it stands: relax it first, as vibrations leave group 1.

    References:
        Togo, Shinohara and Tanaka, Sci. Technol. Adv. Mater. Methods 4, 2384822 (2024),
        doi 10.1080/27660400.2024.2384822: spglib.
        International Tables for Crystallography, volume A (2016), doi 10.1107/97809553602060000114.
    """

    name: ClassVar[str] = "space_group"
    tolerance: Annotated[float, Range(1e-8, 1.0)] = 0.01

    @property
    def random(self) -> bool:
        """It is not."""
        return False

    def unit(self, units: Units) -> str:
        """A plain number."""
        return "1"

    def check(self, system: System) -> None:
        """A lattice is needed."""
        if not system.structure.pbc.all():
            raise InputError(
                "space_group needs a structure that is periodic in three directions: a cluster, a slab or a lone atom "
                "has none"
            )

    def sample(self, system: System, seed: int) -> Sample:
        """Numbers at three tolerances, and what else spglib says at the one asked for."""
        atoms = system.structure
        cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
        found = _dataset(cell, self.tolerance)
        numbers = [_dataset(cell, self.tolerance * factor).number for factor in (1 / DOUBT, DOUBT)]
        # The given cell hides rotations that do not take it to itself, as a rectangular one of hcp does.
        standard = _dataset((found.std_lattice, found.std_positions, found.std_types), self.tolerance)
        rotations = np.unique(standard.rotations, axis=0)
        primitive = len(np.unique(found.mapping_to_primitive))
        return {"found": np.array([found.number, len(rotations), primitive, *numbers], float)}

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """What the only sample says."""
        number, order, primitive, tighter, looser = samples[0]["found"].tolist()
        flag = ""
        if tighter != number or looser != number:
            flag = (
                f"the tolerance {self.tolerance:g} decides: it is {tighter:.0f} at {self.tolerance / DOUBT:.2g} and "
                f"{looser:.0f} at {self.tolerance * DOUBT:.2g}; relax the structure or give property.tolerance"
            )
        details = {
            "point_group_order": order,
            "primitive_atoms": primitive,
            "tighter": tighter,
            "looser": looser,
        }
        return Estimate(value=number, details=details, flag=flag)


def _dataset(cell: tuple[Any, Any, Any], tolerance: float) -> Any:
    """What spglib says; releases before 2.7 say None where later ones raise an error, and those in between warn."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            found = spglib.get_symmetry_dataset(cell, symprec=tolerance)
    except spglib.SpglibError as error:
        raise SimulationError(f"spglib finds no space group at tolerance {tolerance:g}: {error}") from None
    if found is None:
        raise SimulationError(f"spglib finds no space group at tolerance {tolerance:g}: atoms may overlap within it")
    return found
