"""Multi-start local minimization: random clouds relaxed by conjugate gradients, the classical way to compare with."""

import ctypes
from collections.abc import Callable

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from matdesign.envs.atoms import AtomsResult
from matdesign.errors import SimulationError
from matdesign.native import LIBRARY
from matdesign.sim.material import Material
from matdesign.sim.simulation import Simulation

_cloud = LIBRARY.atoms_random_cloud
_cloud.argtypes = (
    ctypes.c_uint64,
    ctypes.c_int,
    ctypes.c_double,
    ctypes.c_double,
    np.ctypeslib.ndpointer(np.float64, flags="C"),
)
_cloud.restype = None


def random_cloud(seed: int, atoms: int, *, density: float, apart: float) -> NDArray[np.float64]:
    """Atoms at random in a ball, as the atoms environment starts its episodes; float64 [atoms, 3] in length scales."""
    positions = np.zeros((atoms, 3))
    _cloud(seed, atoms, density, apart, positions)
    return positions


def multistart(
    atoms: Atoms,
    material: Material,
    *,
    starts: int,
    seed: int,
    density: float,
    apart: float,
    tolerance: float,
    show: Callable[[int], None] | None = None,
) -> list[AtomsResult]:
    """Relaxes `starts` random clouds by LAMMPS' conjugate gradients; every force evaluation is counted.

    Args:
        atoms: a free cluster; its species count, its positions do not.
        material: potential.
        starts: how many.
        seed: of the clouds.
        density: atoms per cubed length scale.
        apart: smallest distance of two atoms, in length scales.
        tolerance: stops at this largest force component, in energy scale per length scale.
        show: called with the number of starts done so far.
    """
    force = tolerance * material.energy_scale / material.length_scale
    results = []
    with Simulation(atoms, material) as simulation:
        for index in range(starts):
            before = simulation.evaluations
            cloud = random_cloud(seed + index, len(atoms), density=density, apart=apart)
            try:
                simulation.x[:] = cloud * material.length_scale
                simulation.v[:] = 0.0
                simulation.command(f"minimize 0 {force:.17g} 10000 100000")
                spent = simulation.evaluations - before  # before `energy`, which evaluates once more
                results.append(
                    AtomsResult(
                        positions=simulation.positions, energy=simulation.energy, evaluations=spent, failed=False
                    )
                )
            except SimulationError:
                spent = simulation.evaluations - before
                results.append(
                    AtomsResult(positions=simulation.positions, energy=np.nan, evaluations=spent, failed=True)
                )
                simulation.rebuild()
            if show is not None:
                show(index + 1)
    return results
