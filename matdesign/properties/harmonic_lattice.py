"""`HarmonicLattice`: force constants and masses as matrices at wave vectors, and the normal modes they have."""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from scipy.linalg import eigh

from matdesign.errors import InputError
from matdesign.properties.force_constants import ForceConstants
from matdesign.properties.measurement import Array
from matdesign.properties.property import System
from matdesign.properties.units import Units

Mesh = tuple[int, int, int]
Matrix = NDArray[Any]  # float64 where all phases are 1 or -1, complex128 elsewhere

SOFT = 1e-6  # squared frequencies below this times the largest cannot be told from zero
MEMORY = 8.0  # GB of matrices
NOWHERE = np.empty((0, 3))
CARTESIAN = np.eye(3)


@dataclass(frozen=True, kw_only=True)
class Bloch:
    """The force constants at one wave vector, without masses.

    Attributes:
        weight: of the wave vector among those of its mesh, which sum to one.
        constants: sum over lattice vectors L of Phi[i, jL] exp(i q L), [3 n, 3 n].
        moments: the same with Phi[i, jL] times the component of the vector from i to jL along some directions,
            [directions, 3 n, 3 n].
        rigid: motions of the whole that cost no energy, without masses, [k, 3 n]; none except at q = 0.
    """

    weight: float
    constants: Matrix
    moments: Matrix
    rigid: Array


@dataclass(frozen=True, kw_only=True)
class HarmonicLattice:
    """A relaxed structure and its force constants.

    Attributes:
        atoms: the structure.
        units: of all numbers.
        pairs: first and second atom [p, 2] of each pair that interacts.
        cells: lattice vector to the second, in cell vectors, [p, 3].
        vectors: from the first to the second, [p, 3].
        blocks: Phi, [p, 3, 3].
        nonlinearity: of the forces, as `force_constants.trouble` judges it.
    """

    atoms: Atoms
    units: Units
    pairs: NDArray[np.int64]
    cells: NDArray[np.int64]
    vectors: Array
    blocks: Array
    nonlinearity: Array

    @classmethod
    def of(cls, system: System) -> Self:
        """The relaxed structure of the system with its force constants, from the cache if they are there."""
        ForceConstants().check(system)
        atoms = system.structure.copy()
        if system.material.isotopes:  # one computation serves all ways to put them on these positions
            atoms.symbols = [system.material.species[0]] * len(atoms)
        sample = system.on(atoms).sample(ForceConstants())
        atoms.symbols = system.structure.symbols
        atoms.positions = sample["positions"]
        pairs = sample["pairs"].astype(np.int64)
        return cls(
            atoms=atoms,
            units=system.units,
            pairs=pairs[:, :2],
            cells=pairs[:, 2:],
            vectors=sample["vectors"],
            blocks=sample["blocks"],
            nonlinearity=sample["nonlinearity"],
        )

    def at(self, q: Array, *, weight: float = 1.0, directions: Array = NOWHERE) -> Bloch:
        """Matrices at the wave vector `q`, in reciprocal cell vectors, with moments along `directions` [d, 3]."""
        phases: Matrix = np.exp(2j * np.pi * (self.cells @ q))
        if not np.any(np.mod(2 * q, 1.0)):
            phases = np.rint(phases.real)
        blocks = phases[:, None, None] * self.blocks
        along = (self.vectors @ directions.T).T[:, :, None, None]
        return Bloch(
            weight=weight,
            constants=self._summed(blocks),
            moments=np.array([self._summed(length * blocks) for length in along]).reshape(
                len(directions), *[3 * len(self.atoms)] * 2
            ),
            rigid=np.empty((0, 3 * len(self.atoms))) if np.any(q) else _rigid(self.atoms),
        )

    def mesh(self, mesh: Mesh = (1, 1, 1), *, directions: Array = NOWHERE) -> list[Bloch]:
        """Matrices on a regular mesh of wave vectors about q = 0, of which q and -q are one.

        A mesh (n, 1, 1) holds the modes of the cell repeated n times along its first vector.
        """
        gigabytes = 8e-9 * math.prod(mesh) * (1 + len(directions)) * (3 * len(self.atoms)) ** 2
        if gigabytes > MEMORY:
            raise InputError(f"mesh={list(mesh)} of {len(self.atoms)} atoms takes {gigabytes:.3g} GB: lower it")
        index = np.indices(mesh).reshape(3, -1)
        opposite = np.ravel_multi_index(tuple(-index % np.array(mesh)[:, None]), mesh)
        return [
            self.at(index[:, i] / mesh, weight=(1 if i == j else 2) / len(opposite), directions=directions)
            for i, j in enumerate(opposite)
            if i <= j
        ]

    def _summed(self, blocks: Matrix) -> Matrix:
        count = len(self.atoms)
        matrix = np.zeros((count * count, 3, 3), blocks.dtype)
        np.add.at(matrix, self.pairs[:, 0] * count + self.pairs[:, 1], blocks)
        return matrix.reshape(count, count, 3, 3).transpose(0, 2, 1, 3).reshape(3 * count, 3 * count)


def modes(bloch: Bloch, masses: Array, units: Units, *, vectors: bool = True) -> tuple[Array, Matrix]:
    """Squared frequencies in ascending order [m], in radians per time, squared, and polarisation vectors [3 n, m].

    Motions of the whole are left out. A negative square is an imaginary frequency: the structure is unstable.

    Args:
        bloch: force constants at a wave vector.
        masses: of the atoms, [n].
        units: of both.
        vectors: whether polarisation vectors are wanted; else there are none.
    """
    root = np.sqrt(np.repeat(masses, 3) * units.mvv2e)
    dynamical = bloch.constants / np.outer(root, root)
    whole = len(bloch.rigid)
    if whole:  # moved above all others
        still = np.linalg.qr((bloch.rigid * root).T)[0]
        pulled = dynamical @ still
        top = 2 * np.linalg.norm(dynamical)
        dynamical -= pulled @ still.T + still @ pulled.T - still @ (still.T @ pulled + top * np.eye(whole)) @ still.T
    if not vectors:
        squares = eigh(dynamical, eigvals_only=True, overwrite_a=True, check_finite=False)
        return squares[: len(squares) - whole], np.empty((len(root), 0))
    squares, polarisations = eigh(dynamical, overwrite_a=True, check_finite=False, driver="evd")
    kept = len(squares) - whole
    return squares[:kept], polarisations[:, :kept]


def stable(squares: Array) -> NDArray[np.bool_]:
    """Which of these squared frequencies are positive beyond numerical noise."""
    return np.asarray(squares > SOFT * np.abs(squares).max(initial=0.0))


def unstable(squares: Array) -> NDArray[np.bool_]:
    """Which of these squared frequencies are negative beyond numerical noise."""
    return np.asarray(squares < -SOFT * np.abs(squares).max(initial=0.0))


def atomic_masses(system: System) -> Array:
    """Masses of the atoms as the material has them, [n]."""
    masses = dict(zip(system.material.species, system.material.masses, strict=True))
    return np.array([masses[symbol] for symbol in system.structure.symbols])


def check_mesh(name: str, mesh: Mesh, atoms: Atoms) -> None:
    """Wave vectors need a periodic direction.

    Raises:
        InputError: there is none, or a number of the mesh is not positive.
    """
    for count, periodic in zip(mesh, atoms.pbc, strict=True):
        if count < 1 or (count > 1 and not periodic):
            raise InputError(
                f"{name}.mesh={list(mesh)}: give whole numbers of at least 1, and 1 where the structure is not periodic"
            )


def _rigid(atoms: Atoms) -> Array:
    """Shifts of the whole, and its rotations where the boundaries allow them, as independent rows [k, 3 n]."""
    rows = np.tile(CARTESIAN, len(atoms))
    free = int((~atoms.pbc).sum())
    if free >= 2:  # about every axis, or about the only periodic one
        axes = CARTESIAN if free == 3 else atoms.cell.array[atoms.pbc]
        centred = atoms.positions - atoms.positions.mean(axis=0)
        rows = np.vstack([rows, *(np.cross(axis, centred).reshape(1, -1) for axis in axes)])
    _, sizes, independent = np.linalg.svd(rows, full_matrices=False)
    return np.asarray(independent[sizes > 1e-6 * sizes[0]])  # a linear molecule has two rotations only
