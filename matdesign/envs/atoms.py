"""The atoms environment's Python side: from a structure and a material to its settings, and back from its results."""

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii
from ase.data.colors import jmol_colors
from numpy.typing import NDArray

from matdesign.envs.layout import ORDER_VECTORS, VECTORS, AtomsLayout
from matdesign.errors import InputError
from matdesign.native import LIBRARY, Function
from matdesign.sim.material import Material
from matdesign.sim.simulation import setup

if TYPE_CHECKING:
    from matdesign.vector import Vector

NEIGHBOURS = 12  # default of the environment's own table
SCALARS = 11  # without the species
ORDER_SCALARS = 3  # more where the atoms are rewarded for order
NEIGHBOUR_SCALARS = 3  # without the species

MEASURING = ("measurer", "samples", "parts", "reachable", "target_value")  # made by rewards/measured.py

SettingValue = bool | int | float | str | list[float] | NDArray[np.float64] | Function

_result = LIBRARY.atoms_result
_result.argtypes = (
    ctypes.c_void_p,
    np.ctypeslib.ndpointer(np.float64, flags="C"),
    ctypes.POINTER(ctypes.c_double),
    ctypes.POINTER(ctypes.c_int64),
)


def atoms_settings(atoms: Atoms, material: Material, options: Mapping[str, SettingValue]) -> dict[str, SettingValue]:
    """Settings of the atoms environment for this structure; `options` are those a user chose.

    Free atoms start every episode as another random cloud, atoms in a periodic cell in this structure.

    Raises:
        InputError: the structure does not fit the material, or an option would replace what follows from the two: the
            LAMMPS commands above all are built here from checked values and never taken from outside.
    """
    built = setup(atoms, material)
    numbers = [atomic_numbers[symbol] for symbol in material.species]
    derived: dict[str, SettingValue] = {
        "commands": "\n".join(built.commands),
        "types": built.types.astype(np.float64),
        "positions": built.positions.ravel(),
        "starts": built.positions.ravel() if atoms.pbc.any() else np.zeros(0),
        "species": len(material.species),
        "colours": jmol_colors[numbers].astype(np.float64).ravel(),
        "radii": 0.5 * material.length_scale * covalent_radii[numbers] / covalent_radii[numbers].max(),
        "length_scale": material.length_scale,
        "energy_scale": material.energy_scale,
    }
    for name in options:
        if name in derived:
            raise InputError(f"env.settings.{name} follows from the material: change the material instead")
        if name in MEASURING:
            raise InputError(f"env.settings.{name} follows from the target: change the target instead")
    return {**derived, **options}


def atoms_layout(material: Material, options: Mapping[str, SettingValue]) -> AtomsLayout:
    """Columns of an observation for these settings."""
    species = len(material.species)
    neighbours = options.get("neighbours", NEIGHBOURS)
    assert isinstance(neighbours, int | float)
    ordered = options.get("reward") == "order"
    return AtomsLayout(
        scalars=SCALARS + species + (ORDER_SCALARS if ordered else 0),
        vectors=len(VECTORS) + (len(ORDER_VECTORS) if ordered else 0),
        neighbours=int(neighbours),
        neighbour_scalars=NEIGHBOUR_SCALARS + species,
    )


@dataclass(frozen=True, kw_only=True)
class AtomsResult:
    """How the last episode of one environment ended.

    Attributes:
        positions: float64 [atoms, 3], unwrapped, in LAMMPS' frame; relaxed where the reward relaxes.
        energy: potential energy there, in the material's unit; NaN where the simulation failed.
        evaluations: force evaluations of the whole episode, start and relaxation included.
        failed: the simulation lost atoms or met a NaN.
    """

    positions: NDArray[np.float64]
    energy: float
    evaluations: int
    failed: bool


def atoms_result(vector: "Vector", index: int) -> AtomsResult:
    """The last ended episode of environment `index` of a vector of atoms."""
    positions, energy, evaluations = np.zeros((vector.agents, 3)), ctypes.c_double(), ctypes.c_int64()
    failed = _result(vector.pointer(index), positions, ctypes.byref(energy), ctypes.byref(evaluations))
    return AtomsResult(positions=positions, energy=energy.value, evaluations=evaluations.value, failed=bool(failed))
