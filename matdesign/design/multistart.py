"""Multi-start local minimization: random clouds, each relaxed, the classical way to compare with."""

import ctypes
from collections.abc import Callable
from typing import Literal

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from scipy.optimize import minimize

from matdesign.envs.atoms import AtomsResult
from matdesign.errors import SimulationError
from matdesign.native import LIBRARY
from matdesign.sim.material import Material
from matdesign.sim.simulation import Simulation

MOST_EVALUATIONS = 10_000  # of one relaxation

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


def _conjugate_gradients(simulation: Simulation, start: NDArray[np.float64], tolerance: float) -> None:
    """SciPy's nonlinear conjugate gradients in the material's scales, forces by LAMMPS."""
    length, energy = simulation.material.length_scale, simulation.material.energy_scale

    def energy_and_gradient(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        simulation.place(x.reshape(-1, 3) * length, energies=True)
        return simulation.energy / energy, -simulation.f.ravel() * length / energy

    options = {"gtol": tolerance, "norm": np.inf, "maxiter": MOST_EVALUATIONS}
    minimize(energy_and_gradient, start.ravel() / length, jac=True, method="CG", options=options)


def multistart(
    atoms: Atoms,
    material: Material,
    *,
    method: Literal["cg", "lbfgs"],
    starts: int,
    seed: int,
    density: float,
    apart: float,
    tolerance: float,
    library: str | None = None,
    show: Callable[[int], None] | None = None,
) -> list[AtomsResult]:
    """Relaxes `starts` random clouds; every force evaluation is counted.

    Args:
        atoms: a free cluster; its species count, its positions do not.
        material: potential.
        method: "cg", SciPy's conjugate gradients with line search, or "lbfgs", what relaxes a policy's episodes.
            (LAMMPS' own conjugate gradients limit a step to force times one unit of length squared per energy, which
            makes them ten times slower in units where bonds are weak: no fair comparison.)
        starts: how many.
        seed: of the clouds.
        density: atoms per cubed length scale.
        apart: smallest distance of two atoms, in length scales.
        tolerance: stops at this largest force component, in energy scale per length scale.
        library: path of a liblammps.so; default as for `Simulation`.
        show: called with the number of starts done so far.
    """
    force = tolerance * material.energy_scale / material.length_scale
    results = []
    with Simulation(atoms, material, library=library) as simulation:
        for index in range(starts):
            before = simulation.evaluations
            cloud = random_cloud(seed + index, len(atoms), density=density, apart=apart) * material.length_scale
            energy = np.nan
            try:
                if method == "lbfgs":
                    simulation.place(cloud)
                    simulation.relax(tolerance=force, evaluations=MOST_EVALUATIONS)
                else:
                    _conjugate_gradients(simulation, cloud, tolerance)
                spent = simulation.evaluations - before  # before `energy`, which may evaluate once more
                energy = simulation.energy
            except SimulationError:
                spent = simulation.evaluations - before
                simulation.rebuild()
            failed = not np.isfinite(energy)
            positions = simulation.positions
            results.append(AtomsResult(positions=positions, energy=energy, evaluations=spent, failed=failed))
            if show is not None:
                show(index + 1)
    return results
