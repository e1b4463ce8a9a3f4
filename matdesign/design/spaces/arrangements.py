"""`Arrangements`: the design space of where atoms are, free or in a periodic cell."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import numpy as np
from ase import Atoms
from ase.geometry import minkowski_reduce
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.spatial.transform import Rotation

from matdesign.design.ledger import Cost
from matdesign.design.spaces.fingerprints import Names, pair_distances
from matdesign.design.spaces.space import Space
from matdesign.design.spaces.symmetry import symmetric_cloud
from matdesign.errors import InputError, SimulationError
from matdesign.properties.neighbours import within
from matdesign.properties.property import System
from matdesign.properties.relaxation import Cell, Relaxation, from_mandel
from matdesign.sim import Material, Simulation
from matdesign.sim.structure import random_packing

Arrangement = NDArray[np.float64]  # positions of the atoms, then the cell's vectors where it may change
Array = NDArray[np.float64]

SAME = 0.2  # pairs by which a bin of the histogram of distances may differ in one and the same minimum
SWEEPS = 300  # of moving atoms apart
FILLED = 0.5  # of a cell, by balls of the minimum distance; more is hard to do at random
RATTLE = 0.01  # of symmetric clouds, in minimum distances: relaxation would end on saddles
STRAIN = 0.1  # standard deviation of the random strains of a cell
TOUCHING = 1.4  # length scales: atoms that are closer are neighbours


class Arrangements(Space):
    """Positions of the atoms of a free cluster, or of those in a periodic cell, which may change as well.

    An arrangement is float64 [atoms, 3], in the material's unit of length, and has three more rows, the cell's vectors,
    where the cell may change. Species belong to rows and never change. Every arrangement that is proposed keeps the
    minimum distance: atoms that are too close are moved apart. Before it is measured it is relaxed by L-BFGS in one
    LAMMPS instance, which stays open until `close`.

    Attributes:
        atoms: species and cell; a periodic cell is turned so that its vectors are lower triangular, as LAMMPS has it.
        material: how the atoms interact.
        free: whether it is a cluster without boundaries.
        radius: of the ball that holds a free cluster, in the material's unit of length.

    Args:
        atoms: see above; without boundaries or periodic along all three directions.
        material: see above.
        cell: "fixed", or what of it may change: "isotropic" its volume, "full" edges and angles, too.
        density: of random clouds of a free cluster, in atoms per cubed length scale.
        apart: minimum distance of two atoms, in length scales.
        step: largest move of an atom along each axis in `changed`, in length scales.
        symmetric: share of the random clouds of a cluster that have a random point group, `symmetry.symmetric_cloud`.
        surface: share of the changes of a cluster that move one atom along its surface.
        swaps: share of the changes that exchange two unlike atoms, where there are any.
        tolerance: largest force component that relaxation leaves, in energy scales per length scale.
        evaluations: most force evaluations of one relaxation.
        library: path of a liblammps.so.

    Raises:
        InputError: the atoms are periodic along some directions only, do not fit the material, or have no room.
    """

    def __init__(
        self,
        atoms: Atoms,
        material: Material,
        *,
        cell: Cell = "fixed",
        density: float = 0.35,
        apart: float = 0.8,
        step: float = 0.4,
        symmetric: float = 0.0,
        surface: float = 0.0,
        swaps: float = 0.5,
        tolerance: float = 1e-3,
        evaluations: int = 5000,
        library: str | None = None,
    ) -> None:
        if atoms.pbc.any() != atoms.pbc.all():
            raise InputError("arrangements are free or periodic along all three directions: set the structure so")
        self.material, self.free = material, not atoms.pbc.any()
        if self.free and cell != "fixed":
            raise InputError(f"cell={cell} needs a structure that is periodic: use cell=fixed for this one")
        length = material.length_scale
        self.atoms = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        if self.free:
            self.atoms.cell = None
        else:
            self.atoms.set_cell(atoms.cell.standard_form()[0], scale_atoms=True)
        self.radius = length * (3.0 * len(atoms) / (4.0 * np.pi * density)) ** (1 / 3)
        self._cell: Cell = cell
        self._apart, self._step = apart * length, step * length
        self._symmetric = symmetric if self.free else 0.0
        self._surface, self._swaps = surface if self.free and len(atoms) > 1 else 0.0, swaps
        self._tolerance, self._evaluations, self._library = tolerance, evaluations, library
        self._kinds = np.array([material.species.index(symbol) for symbol in self.atoms.symbols])
        if (self._kinds == self._kinds[0]).all():
            self._swaps = 0.0
        self._names = Names(SAME)
        self._opened: Simulation | None = None
        self.random(np.random.default_rng(0))  # is there room?

    @property
    def dimension(self) -> int:
        """Three numbers for each atom, and those of the cell's strain."""
        return 3 * len(self.atoms) + self._strains

    @property
    def _strains(self) -> int:
        return {"fixed": 0, "isotropic": 1, "full": 6}[self._cell]

    def close(self) -> None:
        """Closes the LAMMPS instance; it opens again when needed."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def random(self, rng: np.random.Generator) -> Arrangement:
        """A random cloud: in a ball at the given density, or anywhere in the cell, itself randomly strained."""
        if self._symmetric and rng.random() < self._symmetric:
            cloud = symmetric_cloud(self._kinds, self._apart, self.radius, rng)
            return self._joined(cloud + rng.normal(scale=RATTLE * self._apart, size=cloud.shape), self.atoms.cell.array)
        if self.free:
            return random_packing(len(self.atoms), self._apart, rng, radius=self.radius)
        cell = self._strained(self.atoms.cell.array, rng)
        return self._joined(rng.random((len(self.atoms), 3)) @ cell, cell)

    def changed(self, arrangement: Arrangement, rng: np.random.Generator) -> Arrangement:
        """The move of basin hopping: every coordinate by a uniform random number; or two unlike atoms change places.

        Wales and Doye, J. Phys. Chem. A 101, 5111 (1997), doi:10.1021/jp970984n, with their step of 0.36 to 0.4. Of the
        changes of a cluster a share is of another kind: one of the least bound atoms goes to a random place on the
        surface, as theirs do. A cell that may change is strained at random, and the atoms with it.
        """
        kind = rng.random()
        positions, cell = self._parts(arrangement)
        if kind < self._swaps:
            first = rng.integers(len(positions))
            second = rng.choice(np.flatnonzero(self._kinds != self._kinds[first]))
            positions[[first, second]] = positions[[second, first]]
        elif rng.random() < self._surface:
            self._resurface(positions, rng)
        else:
            positions += rng.uniform(-self._step, self._step, positions.shape)
        if self._strains:
            strained = self._strained(cell, rng)
            positions, cell = positions @ np.linalg.inv(cell) @ strained, strained
        return self._joined(positions, cell)

    def combined(self, mother: Arrangement, father: Arrangement, rng: np.random.Generator) -> Arrangement:
        """Cut and splice: one parent's atoms on one side of a plane, the other's on the other side.

        Deaven and Ho, Phys. Rev. Lett. 75, 288 (1995), doi:10.1103/PhysRevLett.75.288. Clusters are turned at random
        first. The other parent gives, of each species, as many atoms as there must be, those farthest on its side. In a
        cell the planes are two, at right angles to a reciprocal vector, and the child's cell is between the parents'.
        """
        count = int(rng.integers(1, max(2, len(self.atoms))))
        (one, cell), (other, second) = self._parts(mother), self._parts(father)
        if self.free:
            one, other = (Rotation.random(random_state=rng).apply(each - each.mean(axis=0)) for each in (one, other))
            axis = 2
        else:
            axis, shift = int(rng.integers(3)), rng.random()
            one, other = one @ np.linalg.inv(cell), other @ np.linalg.inv(second)
            for each in (one, other):
                each[:, axis] = (each[:, axis] + shift) % 1.0
            share = rng.random()
            cell = share * cell + (1.0 - share) * second
        order, backwards = np.argsort(one[:, axis]), np.argsort(other[:, axis])[::-1]  # ties fit together
        taken = order[:count]
        child = np.empty_like(one)
        if self.free:  # the cuts meet, wherever either parent must be cut
            one[:, axis] -= one[order[count - 1], axis]
            other[:, axis] -= other[backwards[len(other) - count - 1], axis] - self.material.length_scale / 2
        for kind in np.unique(self._kinds):
            rows = np.flatnonzero(self._kinds == kind)
            own = taken[self._kinds[taken] == kind]
            rest = backwards[self._kinds[backwards] == kind][: len(rows) - len(own)]
            child[rows] = np.concatenate([one[own], other[rest]])
        if not self.free:
            child = child % 1.0 @ cell
        return self._joined(child + self._apart * rng.normal(scale=1e-3, size=child.shape), cell)  # none coincide

    def decoded(self, vector: Array) -> Arrangement:
        """Coordinates in units of their standard deviation in a random cloud, then strains in units of `STRAIN`."""
        places = np.reshape(vector[: 3 * len(self.atoms)], (-1, 3))
        if self.free:
            return self._joined(places * self.radius / np.sqrt(5.0), self.atoms.cell.array)
        cell = self.atoms.cell.array
        if self._strains:
            cell = cell @ _stretch(STRAIN * np.asarray(vector[3 * len(self.atoms) :]))
        return self._joined((0.5 + places / np.sqrt(12.0)) @ cell, cell)

    def settled(self, arrangement: Arrangement) -> tuple[Arrangement, Cost]:
        """Relaxed, with the force evaluations of that; as it was where LAMMPS cannot relax it."""
        if self._strains:
            return self._settled_with_cell(arrangement)
        tolerance = self._tolerance * self.material.energy_scale / self.material.length_scale
        return self.simulated(
            arrangement, lambda simulation: simulation.relax(tolerance=tolerance, evaluations=self._evaluations)
        )

    def simulated(self, arrangement: Arrangement, motion: Callable[[Simulation], object]) -> tuple[Arrangement, Cost]:
        """Where the atoms are after `motion`, called with a simulation in which they rest there; and what it cost.

        The cell keeps its shape. As it was where LAMMPS fails. `motion` leaves no fix or compute behind.
        """
        begin = time.perf_counter()
        if self._opened is None or self._strains:
            self.close()
            start = arrangement if self._strains else self.random(np.random.default_rng(0))  # free of overlaps
            self._opened = Simulation(self.structure(start), self.material, library=self._library)
        simulation, positions = self._opened, arrangement[: len(self.atoms)]
        evaluations, md_steps = simulation.evaluations, simulation.md_steps
        try:
            if not self._strains:
                simulation.place(positions)
            motion(simulation)
            positions = simulation.structure().positions if self._strains else simulation.positions
        except SimulationError:
            simulation.rebuild()
        cost = Cost(
            evaluations=simulation.evaluations - evaluations,
            md_steps=simulation.md_steps - md_steps,
            seconds=time.perf_counter() - begin,
        )
        return np.concatenate([positions, arrangement[len(self.atoms) :]]), cost

    def structure(self, arrangement: Arrangement) -> Atoms:
        """The atoms there."""
        positions, cell = self._parts(arrangement)
        return Atoms(self.atoms.symbols, positions, cell=None if self.free else cell, pbc=not self.free)

    def features(self, arrangements: Sequence[Arrangement]) -> Array:
        """Histograms of the pair distances of each two species: `fingerprints.pair_distances`."""
        length, species = self.material.length_scale, sorted(set(self.atoms.symbols))
        return np.array([pair_distances(self.structure(each), species, length) for each in arrangements])

    def name(self, arrangement: Arrangement) -> bytes:
        """Equal for copies of one minimum, also moved, turned, mirrored ones, or with like atoms exchanged.

        Names of two instances do not compare.
        """
        return self._names(self.features([arrangement])[0])

    def _parts(self, arrangement: Arrangement) -> tuple[Array, Array]:
        """Positions and cell, copied."""
        if len(arrangement) == len(self.atoms):
            return arrangement.copy(), self.atoms.cell.array
        return arrangement[:-3].copy(), arrangement[-3:].copy()

    def _joined(self, positions: Array, cell: Array) -> Arrangement:
        """The arrangement, its atoms moved apart; a cell without room for that gives way."""
        if self._strains:
            roomy = cell
            if np.linalg.norm(minkowski_reduce(cell)[0], axis=1).min() < self._apart:
                roomy = self.atoms.cell.array
            filled = np.pi / 6.0 * len(self.atoms) * self._apart**3 / abs(np.linalg.det(roomy))
            roomy = roomy * max(1.0, filled / FILLED) ** (1 / 3)
            positions, cell = positions @ np.linalg.inv(cell) @ roomy, roomy
        positions = self._separated(positions, cell)
        return np.concatenate([positions, cell]) if self._strains else positions

    def _separated(self, positions: Array, cell: Array) -> Array:
        """Atoms that are too close moved apart, each half of the way, until none is; a cluster stays in its ball.

        Raises:
            InputError: there is no room for the atoms.
        """
        atoms = Atoms(self.atoms.symbols, positions, cell=cell, pbc=not self.free)
        for _ in range(SWEEPS):
            if self.free:
                atoms.positions -= atoms.positions.mean(axis=0)
                distance = np.linalg.norm(atoms.positions, axis=1, keepdims=True)
                atoms.positions /= np.maximum(1.0, distance / self.radius)
            pairs = within(atoms, self._apart)
            if not len(pairs.centres):
                return np.asarray(atoms.positions)
            distances = np.maximum(pairs.distances, 1e-9 * self._apart)[:, None]
            np.add.at(atoms.positions, pairs.centres, pairs.vectors * (0.5 - 0.505 * self._apart / distances))
        raise InputError(
            f"{len(self.atoms)} atoms do not find room at least {self._apart:.4g} apart: lower the density or the "
            "minimum distance"
        )

    def _strained(self, cell: Array, rng: np.random.Generator) -> Array:
        return cell if not self._strains else cell @ _stretch(STRAIN * rng.normal(size=self._strains))

    def _resurface(self, positions: Array, rng: np.random.Generator) -> None:
        """Puts one of the atoms with the fewest neighbours where a random ray from the centre leaves the others."""
        length = self.material.length_scale
        pairs = within(self.structure(positions), TOUCHING * length)
        neighbours = np.bincount(pairs.centres, minlength=len(positions))
        atom = rng.choice(np.flatnonzero(neighbours <= neighbours.min() + 1))
        others = np.delete(positions, atom, axis=0)
        centre = others.mean(axis=0)
        ray = rng.normal(size=3)
        ray /= np.linalg.norm(ray)
        along = (others - centre) @ ray
        square = length**2 + along**2 - ((others - centre) ** 2).sum(axis=1)  # of the way on to the ball around each
        positions[atom] = centre + ray * (along + np.sqrt(np.where(square > 0.0, square, 0.0)))[square > 0.0].max(
            initial=length
        )

    def _settled_with_cell(self, arrangement: Arrangement) -> tuple[Arrangement, Cost]:
        begin = time.perf_counter()
        system = System(self.structure(arrangement), self.material, library=self._library)
        relaxation = Relaxation(
            cell=self._cell,
            force_tolerance=self._tolerance,
            stress_tolerance=self._tolerance,
            evaluations=self._evaluations,
        )
        with suppress(SimulationError):
            sample = relaxation.sample(system, 0)
            arrangement = np.concatenate([sample["positions"], sample["cell"]])
        return arrangement, Cost(evaluations=system.evaluations, seconds=time.perf_counter() - begin)


def _stretch(strains: Array) -> Array:
    """The deformation, [3, 3] to be multiplied from the right, of one logarithmic strain of all edges, or of six."""
    exponent: Any = strains[0] * np.eye(3) if len(strains) == 1 else from_mandel(strains)
    return np.asarray(expm(exponent))
