"""Lindemann index."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from ase import Atoms
from scipy.spatial.distance import pdist

from matdesign.properties import dynamics
from matdesign.properties.measurement import Array, Estimate
from matdesign.properties.neighbours import nearest
from matdesign.properties.property import Sample, System
from matdesign.properties.thermal import ThermalProperty
from matdesign.properties.units import Units
from matdesign.typed import Range

MELTED = 0.15  # a solid's index is below, whichever of the two definitions


class Fluctuations:
    """Gathers the Lindemann index of one trajectory.

    Args:
        atoms: where it begins, or the crystal it belongs to.
    """

    def __init__(self, atoms: Atoms) -> None:
        self._cluster = not atoms.pbc.any()
        self._first: Array | None = None
        self._spacing = 1.0 if self._cluster else float(nearest(atoms, 1).distances.mean())
        self._frames = 0
        self._sum: Array = np.zeros(())
        self._squares: Array = np.zeros(())

    def add(self, positions: Array) -> None:
        """One frame: unwrapped positions [n, 3]."""
        if self._first is None:
            self._first = positions
        values = pdist(positions) if self._cluster else positions - self._first  # small numbers keep their digits
        self._frames += 1
        self._sum = self._sum + values
        self._squares = self._squares + values**2

    def index(self) -> float:
        """Of the frames so far."""
        mean = self._sum / self._frames
        variance = np.maximum(self._squares / self._frames - mean**2, 0.0)
        if self._cluster:
            return float((np.sqrt(variance) / mean).mean())
        return float(np.sqrt(variance.sum(axis=1).mean())) / self._spacing


@dataclass(frozen=True, kw_only=True)
class LindemannIndex(ThermalProperty):
    """Lindemann index: how far atoms swing, over how far apart they are.

    Equation:
        periodic: delta = sqrt(<u^2>) / d
        cluster: delta = 2 / (N (N - 1)) sum_(i<j) sqrt(<r_ij^2> - <r_ij>^2) / <r_ij>

        u: displacement of an atom from its mean position; <u^2>: its square's mean over time and atoms; d: mean
        distance of nearest neighbours in the given structure; N: number of atoms; r_ij: distance of atoms i and j;
        <>: mean over the frames of a seed.

    Attributes:
        temperature: in K (lj: epsilon/kB).
        equilibration: MD steps before the first frame.
        frames: how many are averaged over.
        every: MD steps between two frames.

    Value:
        A plain number: 0 at rest, 0.02-0.1 in a solid, above 0.15 once it has melted. At melting, crystals have about
        0.1 and clusters 0.1 to 0.15. Constant volume, Langevin thermostat.

    Assumptions:
        The window, `frames` times `every` steps, is long against the slowest vibration; in a liquid the value grows
        with it. A structure that is periodic in any direction counts as periodic.

    Finite size:
        Vibrations longer than the cell are missing: <u^2> of a crystal of N atoms is too small by a part of order
        N^(-1/3).

    References:
        Lindemann, Phys. Z. 11, 609 (1910); Gilvarry, Phys. Rev. 102, 308 (1956), doi:10.1103/PhysRev.102.308; clusters:
        Berry, Beck, Davis and Jellinek, Adv. Chem. Phys. 70B, 75 (1988), doi:10.1002/9780470122693.ch3.
    """

    name: ClassVar[str] = "lindemann_index"

    frames: Annotated[int, Range(2, 10**6)] = 400
    every: Annotated[int, Range(1, 10**6)] = 50

    def unit(self, units: Units) -> str:
        """A plain number."""
        return "1"

    def sample(self, system: System, seed: int) -> Sample:
        """The index of one trajectory."""
        with system.simulation() as simulation:
            dynamics.set_velocities(simulation, 2.0 * self.temperature, seed)
            dynamics.thermostat(simulation, self.temperature, seed)
            simulation.step(self.equilibration)
            found = Fluctuations(system.structure)
            for _ in range(self.frames):
                simulation.step(self.every)
                found.add(simulation.positions)
        return {"value": np.array(found.index())}

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """The mean over seeds."""
        return Estimate(value=float(np.mean([sample["value"] for sample in samples])))
