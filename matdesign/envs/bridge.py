"""The heat bridge's Python side: two slabs and what is between them, cut out of a crystal; results of an episode."""

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from matdesign.envs.atoms import SettingValue
from matdesign.errors import InputError
from matdesign.native import LIBRARY
from matdesign.sim.material import Material
from matdesign.sim.simulation import setup

if TYPE_CHECKING:
    from matdesign.vector import Vector

SLAB_LAYERS = 3  # of each slab, the outermost of which is fixed
FREE_ATOMS = 36
FREE, HOT, COLD, WALL = range(4)  # roles, as in bridge.h
HandBuilt = Literal["none", "pillar", "sheet", "full"]

_result = LIBRARY.bridge_result
_result.argtypes = (
    ctypes.c_void_p,
    np.ctypeslib.ndpointer(np.float64, flags="C"),
    *[ctypes.POINTER(ctypes.c_double)] * 2,
    ctypes.POINTER(ctypes.c_int64),
)


@dataclass(frozen=True, kw_only=True)
class Slabs:
    """A hot and a cold slab, and the sites of the crystal that was between them.

    Attributes:
        crystal: what they were cut out of.
        hot: rows of the crystal, by layer, of the slab at low x; the outermost layer first.
        between: rows of the layers between.
        cold: rows of the slab at high x, the outermost layer last.
    """

    crystal: Atoms
    hot: list[NDArray[np.int64]]
    between: list[NDArray[np.int64]]
    cold: list[NDArray[np.int64]]

    @classmethod
    def cut(cls, crystal: Atoms, layers: int = SLAB_LAYERS) -> "Slabs":
        """Slabs of so many layers, at right angles to x, from both ends of a crystal.

        Raises:
            InputError: fewer than two layers a slab, or none left between them.
        """
        x = crystal.positions[:, 0]
        order = np.argsort(x, kind="stable")
        ends = np.flatnonzero(np.diff(x[order]) > 0.05 * np.ptp(x) / len(x) ** (1 / 3)) + 1
        found = [np.sort(part) for part in np.split(order, ends)]
        if layers < 2 or len(found) < 2 * layers + 1:
            raise InputError(
                f"two slabs of {layers} layers cannot be cut out of {len(found)}: give at least 2 a slab, and a longer "
                "material.structure.repeat"
            )
        return cls(crystal=crystal, hot=found[:layers], between=found[layers:-layers], cold=found[-layers:])

    def with_atoms(self, positions: NDArray[np.float64], species: tuple[str, ...]) -> tuple[Atoms, NDArray[np.int64]]:
        """Free atoms at `positions` [n, 3] and the slabs, periodic but along x; the role of each atom."""
        rows = [*self.hot, *self.cold]
        roles = [FREE] * len(positions)
        roles += [WALL] * len(self.hot[0]) + [HOT] * sum(map(len, self.hot[1:]))
        roles += [COLD] * sum(map(len, self.cold[:-1])) + [WALL] * len(self.cold[-1])
        slabs = self.crystal.positions[np.concatenate(rows)]
        symbols = [species[0]] * len(positions) + [species[-1]] * len(slabs)
        atoms = Atoms(symbols, np.concatenate([positions, slabs]), cell=self.crystal.cell, pbc=[False, True, True])
        return atoms, np.array(roles)

    def built(self, kind: HandBuilt, atoms: int = FREE_ATOMS) -> NDArray[np.float64]:
        """Positions [n, 3] of a bridge built by hand on the crystal's sites, the same number of atoms in each layer.

        "none" has no atoms, "pillar" the sites nearest to an axis, "sheet" those nearest to a plane, "full" all.

        Raises:
            InputError: `atoms` is not a multiple of the number of layers between.
        """
        if kind == "none":
            return np.zeros((0, 3))
        each, rest = divmod(atoms, len(self.between))
        if rest and kind != "full":
            raise InputError(f"{atoms} atoms do not fill {len(self.between)} layers evenly: give a multiple")
        middle = self.crystal.cell.lengths() / 2
        spacing = np.diff(np.unique(self.crystal.positions[:, 1].round(6))).min()
        chosen = []
        for layer in self.between:
            x = self.crystal.positions[layer]
            away = np.abs(x - middle + 0.5 * spacing)
            away[:, 0] = 0.0
            if kind == "sheet":
                away[:, 1] = 0.0
            # Ties, which half of the sites of a layer are, go to lower coordinates.
            nearest = np.argsort((away**2).sum(axis=1) + 1e-6 * (x[:, 1] + 2 * x[:, 2]), kind="stable")
            chosen.append(x if kind == "full" else x[nearest[:each]])
        return np.concatenate(chosen)


def bridge_settings(crystal: Atoms, material: Material, options: Mapping[str, SettingValue]) -> dict[str, SettingValue]:
    """Settings of the heat bridge between slabs cut out of `crystal`; `options` are those a user chose.

    Among them are `free`, the number of free atoms, and `slab_layers`, the layers of each slab.

    Raises:
        InputError: the crystal is too short, or an option would replace what follows from it.
    """
    given = dict(options)
    layers, free = given.pop("slab_layers", SLAB_LAYERS), given.pop("free", FREE_ATOMS)
    if not isinstance(layers, int) or not isinstance(free, int) or free < 1:
        raise InputError(f"env.settings.free={free} and slab_layers={layers} must be positive whole numbers")
    slabs = Slabs.cut(crystal, layers)
    sites = np.concatenate(slabs.between)
    if free > len(sites):
        raise InputError(f"env.settings.free={free} atoms do not fit into a gap of {len(sites)} sites: give fewer")
    atoms, roles = slabs.with_atoms(crystal.positions[sites[:free]], tuple(material.species))
    built = setup(atoms, material)
    derived: dict[str, SettingValue] = {
        "commands": "\n".join(built.commands),
        "types": built.types.astype(np.float64),
        "positions": built.positions.ravel(),
        "roles": roles.astype(np.float64),
        "low": float(built.positions[roles == HOT, 0].max()),
        "high": float(built.positions[roles == COLD, 0].min()),
        "length_scale": material.length_scale,
        "energy_scale": material.energy_scale,
    }
    for name in given:
        if name in derived:
            raise InputError(f"env.settings.{name} follows from the material: change the material instead")
    return {**derived, **given}


@dataclass(frozen=True, kw_only=True)
class BridgeResult:
    """How the last episode of one environment ended.

    Attributes:
        positions: float64 [atoms, 3], relaxed, free atoms first, unwrapped.
        heat: fraction Q of the hot slab's heat that arrived in the cold one, see rewards/heat.c.
        energy: potential energy there, in the material's unit; NaN where the simulation failed.
        evaluations: force evaluations of the whole episode, measurement included.
        failed: the simulation lost atoms or met a NaN.
    """

    positions: NDArray[np.float64]
    heat: float
    energy: float
    evaluations: int
    failed: bool


def bridge_result(vector: "Vector", index: int, atoms: int) -> BridgeResult:
    """The last ended episode of environment `index` of a vector of bridges with so many atoms, slabs included."""
    positions, heat, energy, evaluations = np.zeros((atoms, 3)), ctypes.c_double(), ctypes.c_double(), ctypes.c_int64()
    pointers = [ctypes.byref(number) for number in (heat, energy, evaluations)]
    failed = _result(vector.pointer(index), positions, *pointers)
    return BridgeResult(
        positions=positions, heat=heat.value, energy=energy.value, evaluations=evaluations.value, failed=bool(failed)
    )
