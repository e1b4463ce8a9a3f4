"""Rows of the atoms environment's observation as quantities with units, for people."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from matdesign.envs.layout import VECTORS, AtomsLayout
from matdesign.sim.material import ENERGY_UNITS, LENGTH_UNITS, Material

OWN_ENERGY = 1  # column, in units of 3 energy scales, as observation.c writes it
MEAN_ENERGY, TARGET, PRESENT = 3, 8, 9  # columns that all atoms share
CLIP = 10.0  # of every column
SOFT_FORCE = 5.0  # force scales: an observed force is f / (SOFT_FORCE f0 + |f|)


def atom_reading(row: NDArray[np.float32], layout: AtomsLayout, material: Material) -> Mapping[str, str]:
    """Energy, force and neighbours of one atom.

    Args:
        row: float32 [layout.features]. Values that were clipped at 10 are given as at most that.
        layout: of the row.
        material: whose scales the row is in.
    """
    length, energy = LENGTH_UNITS[material.units], ENERGY_UNITS[material.units]
    vectors = row[layout.scalars : layout.scalars + 3 * layout.vectors].reshape(layout.vectors, 3)
    seen = vectors[VECTORS.index("force")].astype(float)
    scale = SOFT_FORCE * material.energy_scale / material.length_scale
    force = seen * scale / max(1.0 - float(np.linalg.norm(seen)), 1e-7)
    neighbours = row[layout.scalars + 3 * layout.vectors :].reshape(layout.neighbours, -1)
    near = neighbours[neighbours[:, 7] > 0, 6] * material.length_scale
    return {
        f"energy ({energy})": f"{3.0 * material.energy_scale * row[OWN_ENERGY]:.4g}",
        f"force ({energy}/{length})": words(force),
        f"nearest neighbours ({length})": words(near[:4]),
    }


def system_reading(row: NDArray[np.float32], material: Material, *, order: bool) -> dict[str, float]:
    """Energy of an atom on average, and where the reward is for order, order and its target; NaN for what was clipped.

    Args:
        row: float32 [features] of any atom.
        material: whose scales the row is in.
        order: whether the reward is for order.
    """
    seen = np.where(np.abs(row) < CLIP, row, np.nan).astype(float)
    found = {f"energy ({ENERGY_UNITS[material.units]}/atom)": float(3.0 * material.energy_scale * seen[MEAN_ENERGY])}
    if order:
        found |= {"order": float(seen[PRESENT]), "target": float(seen[TARGET])}
    return found


def words(values: NDArray[np.floating]) -> str:
    """Numbers as people read them, in one line."""
    return "  ".join(f"{value:.3g}" for value in values)
