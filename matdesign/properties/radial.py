"""Radial distribution function and structure factor."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Annotated, ClassVar

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from scipy.signal import find_peaks
from scipy.spatial.distance import pdist

from matdesign.errors import InputError
from matdesign.properties.measurement import Array, Estimate
from matdesign.properties.neighbours import bond_length, first_minimum, mean_spacing, within
from matdesign.properties.property import Sample, System
from matdesign.properties.structural import StructuralProperty
from matdesign.properties.units import Units
from matdesign.typed import Range

MOST_WAVES = 3e7  # a few seconds
TOP = 0.8  # of a peak's height: what is above it tells the peak's position
SMALLEST = 3.0  # height of a cell, in nearest distances, with wave vectors enough
SMOOTHING = 0.15  # of S(q), in inverse nearest distances; a liquid's first peak is six times as wide


@dataclass(frozen=True, kw_only=True)
class RadialDistribution(StructuralProperty):
    """Radial distribution function g(r), and the position of its first peak.

    Equation:
        g(r) = V/N n(r) / (4 pi r^2 dr),  g_ab(r) = V/N_b n_ab(r) / (4 pi r^2 dr)

        n(r): mean number of atoms in the shell of thickness dr at distance r from an atom, images counted; n_ab: of
        species b around species a; V: volume, N, N_b: atoms, atoms of species b.

    Attributes:
        cutoff: largest r, in A (lj: sigma); default four mean spacings (V/N)^(1/3). It may exceed the cell.
        bins: shells.

    Value:
        Centre of the first peak, A (lj: sigma): of what rises above 0.8 of its height. In a crystal that is the
        distance of nearest neighbours.

    Curves:
        r: centres of the shells, A (lj: sigma); g: g(r), 1 without order; coordination: mean number of atoms within the
        outer radius of each shell; g_A_B: of each pair of species, where there are several.

    Details:
        first_minimum: where the first shell ends, A (lj: sigma); coordination: mean number of atoms within it.

    Assumptions:
        Periodic in three directions. Pairs are counted against N atoms, images of the same atom included, which is
        exact for a crystal; LAMMPS' `compute rdf` counts against N - 1, a factor N/(N - 1).

    Finite size:
        Beyond half of the cell's smallest height a liquid's g(r) shows the periodicity of the cell.

    References:
        Allen and Tildesley, Computer Simulation of Liquids (Oxford, 2017), section 2.6.
    """

    name: ClassVar[str] = "rdf"
    cutoff: Annotated[float, Range(1e-3, 1e3)] | None = None
    bins: Annotated[int, Range(10, 100000)] = 200
    frames: Annotated[int, Range(1, 10**6)] = 20
    every: Annotated[int, Range(1, 10**6)] = 200

    def unit(self, units: Units) -> str:
        """Of length."""
        return units.length

    def check(self, system: System) -> None:
        """A density is needed."""
        if not system.structure.pbc.all():
            raise InputError("rdf needs a structure that is periodic in three directions: a cluster has no density")

    def of(self, system: System, atoms: Atoms) -> Sample:
        """Histograms of this arrangement."""
        edges = self._edges(system)
        found = within(atoms, edges[-1])
        shell = np.minimum((found.distances / edges[1]).astype(int), self.bins - 1)
        counts = np.bincount(shell, minlength=self.bins)
        centres = 0.5 * (edges[1:] + edges[:-1])
        lengths = np.bincount(shell, found.distances, minlength=self.bins)
        ideal = 4 / 3 * np.pi * np.diff(edges**3) / atoms.get_volume()
        sample = {
            "g": counts / (len(atoms) ** 2 * ideal),
            "coordination": np.cumsum(counts) / len(atoms),
            # An empty shell lies at its centre, any other where its pairs are: that makes crystals' peaks exact.
            "lengths": np.where(counts > 0, lengths / np.maximum(counts, 1), centres),
        }
        symbols = np.array(atoms.symbols)
        for a, b in self._pairs(system):
            of_pair = (symbols[found.centres] == a) & (symbols[found.others] == b)
            counts = np.bincount(shell[of_pair], minlength=self.bins)
            sample[f"g_{a}_{b}"] = counts / ((symbols == a).sum() * (symbols == b).sum() * ideal)
        return sample

    def detail_units(self, system: System) -> dict[str, str]:
        """Of those that are no plain numbers."""
        return {"first_minimum": system.units.length}

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Mean curves, and the first peak of the mean g."""
        edges = self._edges(system)
        r = 0.5 * (edges[1:] + edges[:-1])
        names = ["g", "coordination", *(f"g_{a}_{b}" for a, b in self._pairs(system))]
        curves = {"r": r, **{name: self.mean(samples, name) for name in names}}
        g = curves["g"]
        end = first_minimum(r, g)
        shell = r < (np.inf if end is None else end)
        return Estimate(
            value=centre(self.mean(samples, "lengths")[shell], g[shell]),
            curves=curves,
            details={
                "first_minimum": np.inf if end is None else end,
                "coordination": np.inf if end is None else float(np.interp(end, edges[1:], curves["coordination"])),
            },
            flag="g(r) has no first minimum: there is no shell of neighbours within the cutoff" if end is None else "",
        )

    def _edges(self, system: System) -> Array:
        cutoff = 4 * mean_spacing(system.structure) if self.cutoff is None else self.cutoff
        return np.linspace(0, cutoff, self.bins + 1)

    def _pairs(self, system: System) -> list[tuple[str, str]]:
        """Pairs of species that have a curve of their own."""
        present = [symbol for symbol in system.material.species if symbol in system.structure.symbols]
        return list(combinations_with_replacement(present, 2)) if len(present) > 1 else []


@dataclass(frozen=True, kw_only=True)
class StructureFactor(StructuralProperty):
    """Static structure factor S(q), averaged over directions, and the position of its first peak.

    Equation:
        periodic: S(q) = < |sum_i exp(-i q . r_i)|^2 > / N, mean over all wave vectors q of the cell with |q| in a bin
        cluster:  S(q) = 1 + 2/N sum_{i<j} sin(q r_ij) / (q r_ij)

        r_i: positions, r_ij: distances, N: number of atoms. Both are exact: the first takes only the wave vectors that
        the periodic cell admits, the second (Debye's formula) averages over all directions of q.

    Attributes:
        q_max: largest q, in 1/A (lj: 1/sigma); default 16 over the mean nearest distance.
        bins: of q; those without a wave vector of the cell are left out.

    Value:
        Centre of the first peak, 1/A (lj: 1/sigma): the first maximum, of at least half the highest one, of S smoothed
        by a Gaussian of width 0.15 over the mean nearest distance; and there the centre of what rises above 0.8 of the
        maximum.

    Curves:
        q: mean wave number of each bin, weighted with S, 1/A (lj: 1/sigma); S: S(q), 1 without order.

    Details:
        height: smoothed S at the first peak, in a simple liquid at freezing about 2.85 before smoothing.

    Assumptions:
        All species scatter alike (number-number structure factor). Periodic in three directions or in none.

    Finite size:
        No q smaller than 2 pi over the cell's largest height; Bragg peaks of a periodic crystal have no width and
        heights proportional to N; a cluster's peaks are as wide as 2 pi over its diameter.

    References:
        Debye, Ann. Phys. 351, 809 (1915), doi 10.1002/andp.19153510606: clusters.
        Hansen and Verlet, Phys. Rev. 184, 151 (1969), doi 10.1103/PhysRev.184.151: the height at freezing.
    """

    name: ClassVar[str] = "structure_factor"
    q_max: Annotated[float, Range(1e-3, 1e4)] | None = None
    bins: Annotated[int, Range(10, 10000)] = 200
    frames: Annotated[int, Range(1, 10**6)] = 20
    every: Annotated[int, Range(1, 10**6)] = 200

    def unit(self, units: Units) -> str:
        """Of inverse length."""
        return f"1/{units.length}"

    def check(self, system: System) -> None:
        """Wires and slabs have neither sum."""
        periodic = system.structure.pbc
        if periodic.any() != periodic.all():
            raise InputError("structure_factor needs a structure that is periodic in three directions or in none")
        if len(system.structure) < 2:
            raise InputError("structure_factor needs at least two atoms")
        if periodic.all():
            waves = 0.5 * np.prod(2.0 * self._reach(system.structure) + 1)
            if waves > MOST_WAVES:
                raise InputError(
                    f"structure_factor up to q = {self._largest(system.structure):.4g} takes {waves:.2g} wave vectors "
                    "of this cell: lower property.q_max"
                )

    def of(self, system: System, atoms: Atoms) -> Sample:
        """S of this arrangement."""
        if atoms.pbc.all():
            return self._of_crystal(system.structure, atoms)
        q_max = self._largest(system.structure)
        q = np.linspace(q_max / self.bins, q_max, self.bins)
        distances = pdist(atoms.positions)
        S = [1 + 2 / len(atoms) * np.sinc(each * distances / np.pi).sum() for each in q]
        return {"q": q, "S": np.array(S), "vectors": np.ones(self.bins)}

    def _of_crystal(self, start: Atoms, atoms: Atoms) -> Sample:
        """Bins are made for the starting cell, so that they are the same in every frame."""
        q_max, reach = self._largest(start), self._reach(start)
        position = atoms.cell.scaled_positions(atoms.positions)
        waves = [
            np.exp(-2j * np.pi * np.outer(np.arange(-m, m + 1), s)) for m, s in zip(reach, position.T, strict=True)
        ]
        wave_numbers, densities, bins = [], [], []
        for h in range(reach[0] + 1):  # of q and -q, which say the same, one
            amplitudes = (waves[0][reach[0] + h] * waves[1]) @ waves[2].T
            index = np.stack(np.broadcast_arrays(h, *np.ogrid[tuple(slice(-m, m + 1) for m in reach[1:])]), axis=-1)
            q = _lengths(index, start)
            wanted = (q <= q_max) & ((h > 0) | (index[..., 1] > 0) | (index[..., 1] == 0) & (index[..., 2] > 0))
            densities.append(np.abs(amplitudes[wanted]) ** 2 / len(atoms))
            bins.append(np.minimum(q[wanted] / q_max * self.bins, self.bins - 1).astype(int))
            wave_numbers.append(_lengths(index[wanted], atoms))
        where = np.concatenate(bins)
        counts = np.bincount(where, minlength=self.bins)
        density, q = np.concatenate(densities), np.concatenate(wave_numbers)
        weight = density + 1e-9  # in bins where S is zero all count alike
        total = np.bincount(where, weight, minlength=self.bins)
        used = counts > 0
        mean_q = np.bincount(where, q * weight, minlength=self.bins)[used] / total[used]
        S = np.bincount(where, density, minlength=self.bins)[used] / counts[used]
        return {"q": mean_q, "S": S, "vectors": counts[used].astype(float)}

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Mean S, and its first peak."""
        q, S, vectors = (self.mean(samples, name) for name in ("q", "S", "vectors"))
        bond = bond_length(system.structure)
        kernel = vectors * np.exp(-0.5 * ((q - q[:, None]) * bond / SMOOTHING) ** 2)
        smooth = (kernel * S).sum(axis=1) / kernel.sum(axis=1)
        smooth[q * bond < 2] = 0  # the outline of a cluster, not its structure
        peaks, _ = find_peaks(smooth)
        high = smooth[peaks]
        first = int(peaks[np.argmax(high >= 0.5 * high.max())]) if len(peaks) else int(np.argmax(smooth))
        low = np.flatnonzero(smooth <= TOP * smooth[first])
        around = slice(int(low[low < first].max(initial=-1)) + 1, int(low[low > first].min(initial=len(q))))
        flag = "" if len(peaks) else "S(q) has no peak below q_max"
        if SMALLEST * bond * np.linalg.norm(system.structure.cell.reciprocal().array, axis=1).max() > 1:
            flag = "the cell admits too few wave vectors to tell a peak: repeat it"
        return Estimate(
            value=centre(q[around], smooth[around]),
            curves={"q": q, "S": S},
            details={"height": float(smooth[first])},
            flag=flag,
        )

    def _reach(self, atoms: Atoms) -> NDArray[np.int_]:
        """Largest integer multiples of the reciprocal cell's vectors."""
        heights = self._largest(atoms) * np.linalg.norm(atoms.cell.array, axis=1) / (2 * np.pi)
        return np.asarray(np.ceil(heights), int)

    def _largest(self, atoms: Atoms) -> float:
        return 16 / bond_length(atoms) if self.q_max is None else self.q_max


def centre(x: Array, y: Array) -> float:
    """Mean x of what rises above `TOP` of the highest y, weighted with how far it does.

    Noise moves it continuously, unlike the highest point itself, so that its error can be told from samples.
    """
    return float(np.average(x, weights=np.maximum(y - TOP * y.max(), 0.0)))


def _lengths(index: NDArray[np.int_], atoms: Atoms) -> Array:
    """Wave numbers of integer multiples of the reciprocal cell's vectors."""
    return np.asarray(2 * np.pi * np.linalg.norm(index @ atoms.cell.reciprocal().array, axis=-1))
