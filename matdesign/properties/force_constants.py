"""Force constants: the second derivatives of the potential energy, from forces of displaced atoms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from ase import Atoms
from ase.cell import Cell
from ase.geometry import find_mic
from numpy.typing import NDArray

from matdesign.errors import InputError, SimulationError
from matdesign.properties.measurement import Array, Estimate
from matdesign.properties.property import Property, Sample, System
from matdesign.properties.relaxation import relax
from matdesign.properties.units import Units
from matdesign.sim.simulation import setup
from matdesign.typed import Range

Integers = NDArray[np.int64]

NOISE = 1e-8  # of the largest block: a smaller one is rounding, not an interaction
NONLINEAR = 0.05  # change of the force constants over the displacement, relative to the largest, that is suspicious
LARGEST = 10_000_000  # blocks that are held in memory at once (72 bytes each)


@dataclass(frozen=True, kw_only=True)
class ForceConstants(Property):
    """Second derivatives of the potential energy with respect to the positions of all pairs of atoms.

    The value is the mean force constant of an atom held by all others at rest; the sample has every 3 x 3 block, from
    which phonons and lattice conductivities are made (`harmonic_lattice.HarmonicLattice`). Masses do not enter.

    Equation:
        Phi[ia, jLb] = d2U / (du_ia du_jLb) = -(F_jLb(u_ia = +d) - F_jLb(u_ia = -d)) / (2 d)

        value = sum_ia Phi[ia, i0a] / (3 N)

        U: potential energy, u_ia: displacement of atom i along axis a, j, L: atom j in the cell at lattice vector L,
        F: force on it, d: displacement, N: number of atoms.

        Phi is made symmetric under exchange of its two atoms, and the sum over all jL is made zero (a shift of the
        whole costs nothing) by way of the self term Phi[ia, i0b].

    Attributes:
        displacement: d in the material's length scales.

    Value:
        Force constant, in eV/A^2 (real: kcal/mol/A^2, lj: epsilon/sigma^2).

    Details:
        reach: distance of the farthest pair that interacts (not only directly: many-body potentials couple the
        neighbours of an atom with each other), in A (lj: sigma). asymmetry: largest difference of two elements that
        should be equal, and sum_rule: largest sum that should vanish, both before correction and relative to the
        largest element. nonlinearity: change of the force constants over the displacement, relative to the largest.
        largest_force: on the atoms at rest. cells: copies of the cell that the computation took.

    Assumptions:
        The positions are relaxed in the fixed cell first. The forces are smooth: a pair at the very cutoff of a
        potential that is not smooth there gives nonsense, which is flagged.

    Finite size:
        None. A cell thinner than twice the reach is repeated until every pair of atoms interacts through one image
        only, so that each block belongs to one vector; only the atoms of the original cell are displaced (6 N force
        evaluations).
    """

    name: ClassVar[str] = "force_constants"

    displacement: Annotated[float, Range(1e-7, 1e-2)] = 1e-4

    @property
    def random(self) -> bool:
        """It is not."""
        return False

    def unit(self, units: Units) -> str:
        """Energy per length squared."""
        return f"{units.energy}/{units.length}^2"

    def check(self, system: System) -> None:
        """Two atoms are needed, images included."""
        if len(system.structure) < 2 and not system.structure.pbc.any():
            raise InputError(f"{self.name} needs at least two atoms: a single one in free space has nothing to feel")

    def sample(self, system: System, seed: int) -> Sample:
        """The relaxed positions [n, 3], their cell [3, 3], and every pair that interacts.

        "pairs" [p, 5] holds its two atoms and the lattice vector to the second in cell vectors, "vectors" [p, 3] leads
        from one to the other, "blocks" [p, 3, 3] is Phi, in the structure's frame.
        """
        atoms = relax(system)
        turn = setup(atoms, system.material).prism.vector_to_ase(np.eye(3), wrap=False)  # LAMMPS' axes in ours
        reach, repeats = self._first_reach(system, atoms), np.zeros(3, np.int64)
        while (_repeats(atoms, reach) > repeats).any():  # again where other atoms reach farther than the first
            repeats = _repeats(atoms, reach)
            cells = int(np.prod(repeats))
            if cells * len(atoms) ** 2 > LARGEST:
                raise InputError(
                    f"{self.name}: forces reach {reach:.4g} {system.units.length}, for which {len(atoms)} atoms would "
                    f"be repeated {cells} times: use fewer atoms or a shorter cutoff"
                )
            raw, force, nonlinearity = self._differences(system, atoms, repeats, len(atoms))
            if not raw.any():
                raise SimulationError(f"{self.name}: no atom feels another, they are beyond the potential's cutoff")
            pairs, shifts, blocks, asymmetry, sum_rule = _corrected(raw, repeats)
            apart = np.diff(atoms.positions[pairs], axis=1)[:, 0]
            vectors = _nearest(apart + shifts @ _complete(atoms), atoms, repeats)
            reach = float(np.linalg.norm(vectors, axis=1).max())
        lattice = np.rint((vectors - apart) @ np.linalg.inv(_complete(atoms)))
        return {
            "positions": atoms.positions,
            "cell": atoms.cell.array,
            "pairs": np.column_stack([pairs, lattice]),
            "vectors": vectors,
            "blocks": turn.T @ blocks @ turn,
            "reach": np.array(reach),
            "asymmetry": np.array(asymmetry),
            "sum_rule": np.array(sum_rule),
            "nonlinearity": np.array(nonlinearity),
            "largest_force": np.array(force),
            "cells": np.array(float(cells)),
        }

    def detail_units(self, system: System) -> dict[str, str]:
        """Of those that are no plain numbers."""
        units = system.units
        return {"reach": units.length, "largest_force": f"{units.energy}/{units.length}"}

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Of the only sample there is."""
        sample = samples[0]
        first, second, *lattice = sample["pairs"].T
        own = (first == second) & ~np.any(lattice, axis=0)
        details = ("reach", "asymmetry", "sum_rule", "nonlinearity", "largest_force", "cells")
        return Estimate(
            value=float(np.trace(sample["blocks"][own], axis1=1, axis2=2).mean()) / 3,
            details={name: float(sample[name]) for name in details},
            flag=trouble(sample),
        )

    def _differences(self, system: System, atoms: Atoms, repeats: Integers, count: int) -> tuple[Array, float, float]:
        """Phi of the first `count` atoms of the repeated cell with all atoms, [count, 3, all, 3], in LAMMPS' frame.

        Also the largest force at rest, and by how much Phi changes over the displacement, relative to the largest.
        """
        width = self.displacement * system.material.length_scale
        with system.simulation(atoms.repeat(repeats)) as simulation:
            raw = np.empty((count, 3, simulation.atoms, 3))
            start = simulation.positions
            simulation.place(start)
            rest = simulation.f.copy()
            x, curved = start.copy(), 0.0
            for atom in range(count):
                for axis in range(3):
                    middle = start[atom, axis]
                    high, low = middle + width, middle - width
                    x[atom, axis] = high
                    simulation.place(x)
                    ahead = simulation.f.copy()
                    x[atom, axis] = low
                    simulation.place(x)
                    behind = simulation.f
                    np.subtract(behind, ahead, out=raw[atom, axis])
                    raw[atom, axis] /= high - low
                    curved = max(curved, float(np.abs(ahead + behind - 2 * rest).max()))
                    x[atom, axis] = middle
        largest = float(np.abs(raw).max())
        return raw, float(np.abs(rest).max()), curved / (width * largest) if largest else 0.0

    def _first_reach(self, system: System, atoms: Atoms) -> float:
        """How far from the first atom its displacement is felt, in a cell so large that no image can be mistaken."""
        repeats = np.ones(3, np.int64)
        while True:
            raw = self._differences(system, atoms, repeats, 1)[0][0]
            felt = np.flatnonzero(np.abs(raw).max(axis=(0, 2)) > NOISE * np.abs(raw).max())
            vectors = atoms.repeat(repeats).positions[felt] - atoms.positions[0]
            lengths = np.linalg.norm(_nearest(vectors, atoms, repeats), axis=1)
            reach = float(lengths.max(initial=0.0))
            # What reaches farther than half of the cell is felt by one of the atoms just short of that, too.
            needed = np.maximum(repeats, _repeats(atoms, reach + system.material.length_scale))
            if (needed == repeats).all():
                return reach
            if np.prod(needed) * len(atoms) > LARGEST // 100:
                raise InputError(
                    f"{self.name}: forces reach farther than {reach:.4g} {system.units.length}, which is too far for "
                    "this periodic cell: use a shorter cutoff or free boundaries"
                )
            repeats = needed


def trouble(sample: Sample) -> str:
    """Why force constants cannot be trusted; empty where they can."""
    if sample["nonlinearity"] > NONLINEAR:
        return (
            f"forces are not linear over the displacement (they change by {float(sample['nonlinearity']):.2g} of the "
            "stiffest): atoms at the cutoff of the potential, or a soft structure"
        )
    return ""


def _complete(atoms: Atoms) -> Array:
    """The cell vectors as rows [3, 3], with unit vectors where the boundary is free."""
    return np.asarray(Cell(np.where(atoms.pbc[:, None], atoms.cell.array, 0.0)).complete().array)


def _repeats(atoms: Atoms, reach: float) -> Integers:
    """How often the cell must be repeated for two images of one atom to be more than twice the reach apart."""
    heights = 1.0 / np.linalg.norm(np.linalg.inv(_complete(atoms)), axis=0)
    return np.where(atoms.pbc, np.floor(2.0 * reach / heights).astype(np.int64) + 1, 1)


def _nearest(vectors: Array, atoms: Atoms, repeats: Integers) -> Array:
    """The shortest of all images of these vectors in the repeated cell."""
    if not atoms.pbc.any():
        return vectors
    return np.asarray(find_mic(vectors, _complete(atoms) * repeats[:, None], atoms.pbc)[0])


def _corrected(raw: Array, repeats: Integers) -> tuple[Integers, Integers, Array, float, float]:
    """What is not noise, made symmetric and free of sums: pairs [p, 2], cells [p, 3] and blocks [p, 3, 3].

    Also how far `raw` was from symmetric and from zero sums, relative to its largest element.
    """
    count = len(raw)
    phi = raw.reshape(count, 3, -1, count, 3).transpose(0, 2, 3, 1, 4)
    largest = float(np.abs(raw).max())
    shape = tuple(repeats.tolist())
    grid = np.indices(shape).reshape(3, -1)
    opposite = np.ravel_multi_index(tuple(-grid % repeats[:, None]), shape)
    felt = np.abs(phi).max(axis=(3, 4)) > NOISE * largest
    own = np.arange(count)
    felt[own, 0, own] = True
    first, cell, second = np.nonzero(felt | felt[:, opposite].transpose(2, 1, 0))
    blocks = phi[first, cell, second]
    reverse = phi[second, opposite[cell], first].transpose(0, 2, 1)
    asymmetry = float(np.abs(blocks - reverse).max()) / largest
    blocks = (blocks + reverse) / 2
    sums = np.zeros((count, 3, 3))
    np.add.at(sums, first, blocks)
    self_terms = (first == second) & (cell == 0)  # in the order of the atoms
    blocks[self_terms] -= (sums + sums.transpose(0, 2, 1)) / 2
    return np.stack([first, second], axis=1), grid.T[cell], blocks, asymmetry, float(np.abs(sums).max()) / largest
