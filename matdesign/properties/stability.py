"""Stability: whether a structure is one that can be believed."""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from ase import Atoms

from matdesign.errors import InputError, SimulationError
from matdesign.properties import dynamics
from matdesign.properties.harmonic_lattice import Mesh
from matdesign.properties.lindemann import MELTED, Fluctuations
from matdesign.properties.measurement import Array, Estimate, Measurement
from matdesign.properties.neighbours import nearest, within
from matdesign.properties.phonons import LowestFrequency
from matdesign.properties.property import Property, Sample, System
from matdesign.properties.relaxation import Cell, Relaxation, settle
from matdesign.properties.units import Units
from matdesign.typed import Range

BOND, BROKEN = 1.25, 1.35  # nearest distances: neighbours are closer before the run, and parted if farther after it
LONELY = 2.0  # length scales: an atom whose nearest neighbour is farther belongs to nothing
QUENCH_FORCE, QUENCH_EVALUATIONS = 1e-3, 2000  # energy scales per length scale: enough to tell who is next to whom
NUMBERS = {  # of a sample, by the stage that gives them; all are 0 where it was not reached
    "relaxed": ("relaxed", "lonely", "max_displacement", "mean_displacement", "energy_drop", "strain"),
    "vibrated": ("vibrated", "lowest_frequency", "imaginary"),
    "survived": ("survived", "lindemann", "bonds"),
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a measurement of stability comes to.

    Attributes:
        stable: whether nothing speaks against the structure.
        reasons: what does.
        untested: what was left out.
    """

    stable: bool
    reasons: tuple[str, ...]
    untested: tuple[str, ...]

    def __str__(self) -> str:
        said = "stable" if self.stable else f"unstable: {'; '.join(self.reasons)}"
        return said + (f" (not tested: {', '.join(self.untested)})" if self.untested else "")


def verdict(found: Measurement) -> Verdict:
    """A measurement of `Stability` in words."""
    reasons = tuple(text for text in found.flag.split("; ") if text)
    tests = {"max_displacement": "relaxation", "imaginary": "frequencies", "lindemann": "motion at a temperature"}
    untested = tuple(what for name, what in tests.items() if math.isnan(found.details[name]))
    return Verdict(stable=not reasons, reasons=reasons, untested=untested)


@dataclass(frozen=True, kw_only=True)
class Stability(Property):
    """Whether a structure is stable: at rest, against small displacements, and in motion at a temperature.

    The structure is relaxed; the relaxed one is tested for imaginary frequencies and, from every seed, run by molecular
    dynamics and quenched. `verdict` of the measurement puts it in words.

    Equation:
        value = part of the seeds in which all of this holds:
            r_min / l >= min_distance,   nearest distance of any atom < 2 l
            max u_i / d <= max_displacement,   mean u_i / d <= mean_displacement
            (E_0 - E_1) / (N e) <= energy_drop,   |strain| <= strain
            no frequency is imaginary
            delta <= lindemann,   bonds kept >= bonds

        r_min: shortest distance in the given structure; l, e: the material's length and energy scale; u_i: displacement
        of atom i in the relaxation, beyond what the cell and the whole did; d: mean distance of nearest neighbours;
        E_0, E_1: energy before and after; N: atoms; strain: the largest principal one of the cell; frequencies: of the
        relaxed structure; delta: Lindemann index of the run; bonds kept: of the pairs closer than 1.25 d before the
        run, those closer than 1.35 d after it and a quench.

    Attributes:
        temperature: of the run, in K (lj: epsilon/kB); None leaves it out, and nothing is random.
        cell: what relaxes besides the atoms, "fixed", "isotropic" or "full"; the run is at zero pressure unless it is
            "fixed". Where the structure is not periodic in three directions it is.
        equilibration: MD steps before delta is gathered.
        steps: MD steps that it must survive after them.
        every: MD steps between two frames.
        phonon_atoms: frequencies are computed up to this many atoms; their cost grows as the cube.
        mesh: wave vectors of the frequencies along the three reciprocal cell vectors.
        min_distance: least r_min, in l.
        max_displacement: largest of any atom, in d.
        mean_displacement: largest mean, in d.
        energy_drop: largest, in e for each atom.
        strain: largest of the cell.
        lindemann: largest index.
        bonds: least part that is kept.

    Value:
        1 stable, 0 unstable, between where only some seeds survive. Flagged with every reason against it.

    Details:
        min_distance, lonely (atoms without a neighbour within 2 l), max_displacement, mean_displacement, energy_drop,
        strain, lowest_frequency (THz, lj: 1/tau; an imaginary one negative), imaginary (part of all frequencies),
        lindemann, bonds, duration (of a run, in the material's time unit): as above; NaN what was not tested.

    Assumptions:
        A run shows what happens within its duration, not what would in years: a metastable structure passes if its
        barriers are high against kB T. Whether another structure of the same atoms has less energy is not asked.

    Finite size:
        Frequencies are those with the cell's periodicity, unless `mesh` is finer; so are changes during a run.
        A periodic crystal without surface or defect survives some 20 % beyond its melting temperature.

    References:
        Born, J. Chem. Phys. 7, 591 (1939), doi:10.1063/1.1750497; Lindemann, Phys. Z. 11, 609 (1910); quench to the
        inherent structure: Stillinger and Weber, Phys. Rev. A 25, 978 (1982), doi:10.1103/PhysRevA.25.978.
    """

    name: ClassVar[str] = "stability"
    seeds: ClassVar[int] = 4

    temperature: Annotated[float, Range(1e-6, 1e6)] | None = None
    cell: Cell = "full"
    equilibration: Annotated[int, Range(0, 10**9)] = 2000
    steps: Annotated[int, Range(2, 10**9)] = 20_000
    every: Annotated[int, Range(1, 10**6)] = 50
    phonon_atoms: Annotated[int, Range(0, 10**6)] = 500
    mesh: Mesh = (1, 1, 1)
    min_distance: Annotated[float, Range(0.0, 10.0)] = 0.75
    max_displacement: Annotated[float, Range(0.0, 100.0)] = 0.5
    mean_displacement: Annotated[float, Range(0.0, 100.0)] = 0.15
    energy_drop: Annotated[float, Range(0.0, 100.0)] = 0.25
    strain: Annotated[float, Range(0.0, 10.0)] = 0.05
    lindemann: Annotated[float, Range(0.0, 10.0)] = MELTED
    bonds: Annotated[float, Range(0.0, 1.0)] = 0.9

    @property
    def random(self) -> bool:
        """With a temperature it is."""
        return self.temperature is not None

    def unit(self, units: Units) -> str:
        """A plain number."""
        return "1"

    def check(self, system: System) -> None:
        """Atoms must have neighbours that move on their own."""
        if len(system.structure) < 2:
            raise InputError("stability of one atom: there is nothing to fall apart, repeat the cell or add atoms")
        if self.steps < 2 * self.every:
            raise InputError(f"stability.steps={self.steps} holds fewer than two frames: one in {self.every} steps")

    def sample(self, system: System, seed: int) -> Sample:
        """Every number that is judged."""
        found = {name: 0.0 for names in NUMBERS.values() for name in names}
        found["min_distance"] = float(nearest(system.structure, 1).distances.min()) / system.material.length_scale
        # No minimum nearby, or atoms that fly apart, are an answer rather than a failure.
        with suppress(SimulationError):
            resting = system.on(self._protocol(system).relaxed(system))
            found |= self._relaxation(system, resting.structure)
            with suppress(SimulationError):
                found |= self._vibration(resting)
            if self.temperature is not None:
                found |= self._run(resting, self.temperature, seed)
        return {name: np.array(value) for name, value in found.items()}

    def _cell(self, system: System) -> Cell:
        return self.cell if system.structure.pbc.all() else "fixed"

    def _protocol(self, system: System) -> Relaxation:
        return Relaxation(cell=self._cell(system))

    def _relaxation(self, system: System, relaxed: Atoms) -> dict[str, float]:
        start, material = system.structure, system.material
        sample = system.sample(self._protocol(system))
        there, strain = start.positions, np.zeros((3, 3))
        if self._cell(system) != "fixed":
            there = start.cell.scaled_positions(start.positions) @ relaxed.cell.array
            change = np.linalg.solve(start.cell.array, relaxed.cell.array)
            strain = (change + change.T) / 2 - np.eye(3)
        moved = relaxed.positions - there
        spacing = float(nearest(start, 1).distances.mean())
        displacements = np.linalg.norm(moved - moved.mean(axis=0), axis=1) / spacing
        return {
            "relaxed": 1.0,
            "lonely": float((nearest(relaxed, 1).distances > LONELY * material.length_scale).sum()),
            "max_displacement": float(displacements.max()),
            "mean_displacement": float(displacements.mean()),
            "energy_drop": float(sample["energy_before"] - sample["energy"]) / len(start) / material.energy_scale,
            "strain": float(np.abs(np.linalg.eigvalsh(strain)).max()),
        }

    def _vibration(self, resting: System) -> dict[str, float]:
        if len(resting.structure) > self.phonon_atoms:
            return {}
        measured = LowestFrequency(mesh=self.mesh)
        measured.check(resting)
        found = measured.estimate(resting, [resting.sample(measured)])
        return {"vibrated": 1.0, "lowest_frequency": found.value, "imaginary": found.details["imaginary"]}

    def _run(self, resting: System, temperature: float, seed: int) -> dict[str, float]:
        cell, start = self._cell(resting), resting.structure
        fluctuations = Fluctuations(start)
        with resting.simulation() as simulation:
            dynamics.set_velocities(simulation, 2.0 * temperature, seed)
            dynamics.thermostat(simulation, temperature, seed)
            if cell != "fixed":
                dynamics.barostat(simulation, 0.0, coupling="iso" if cell == "isotropic" else "aniso")
            simulation.step(self.equilibration)
            for _ in range(self.steps // self.every):
                simulation.step(self.every)
                now = simulation.structure()
                positions = now.positions
                if cell != "fixed":  # as if the cell had kept its size, and its centre its place
                    scaled = now.cell.scaled_positions(positions)
                    positions = (scaled - scaled.mean(axis=0)) @ start.cell.array
                fluctuations.add(positions)
        material = resting.material
        force = QUENCH_FORCE * material.energy_scale / material.length_scale
        end = settle(resting, now, tolerance=force, evaluations=QUENCH_EVALUATIONS).atoms
        return {"survived": 1.0, "lindemann": fluctuations.index(), "bonds": _kept(start, end)}

    def detail_units(self, system: System) -> dict[str, str]:
        """Of those that are no plain numbers."""
        return {"lowest_frequency": system.units.frequency_unit, "duration": system.units.time}

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """The limits, on every sample."""
        numbers = {name: np.array([sample[name] for sample in samples]) for name in samples[0]}
        reasons = self._against(system, {name: float(values[0]) for name, values in numbers.items()})
        still = not reasons
        survived = np.ones(len(samples), bool)
        if self.temperature is not None and numbers["relaxed"][0]:
            survived = (numbers["survived"] > 0) & (numbers["lindemann"] <= self.lindemann)
            survived &= numbers["bonds"] >= self.bonds
            if not survived.all():
                reasons.append(self._failure(system, numbers, int((~survived).sum())))
        details = {"min_distance": float(numbers["min_distance"][0])}
        for stage, names in NUMBERS.items():
            reached = numbers[stage] > 0
            for name in names[1:]:
                details[name] = float(numbers[name][reached].mean()) if reached.any() else math.nan
        run = 0 if self.temperature is None else self.equilibration + self.steps
        details["duration"] = run * system.material.timestep
        return Estimate(value=float(survived.mean()) * still, details=details, flag="; ".join(reasons))

    def _against(self, system: System, found: dict[str, float]) -> list[str]:
        """What the structure at rest fails."""
        reasons = []
        if found["min_distance"] < self.min_distance:
            gap = found["min_distance"]
            reasons.append(f"two atoms are {gap:.2f} length scales apart (at least {self.min_distance:g})")
        if not found["relaxed"]:
            return [*reasons, "relaxation finds no minimum nearby"]
        if found["lonely"]:
            reasons.append(f"{found['lonely']:.0f} atoms have no neighbour within {LONELY:g} length scales")
        for name, limit, what in (
            ("max_displacement", self.max_displacement, "moves an atom by {:.2f} nearest distances"),
            ("mean_displacement", self.mean_displacement, "moves atoms by {:.2f} nearest distances on average"),
            ("energy_drop", self.energy_drop, "lowers the energy by {:.2f} energy scales for each atom"),
            ("strain", self.strain, "strains the cell by {:.3f}"),
        ):
            if found[name] > limit:
                reasons.append(f"relaxation {what.format(found[name])} (at most {limit:g})")
        if found["imaginary"]:
            part, lowest = 100 * found["imaginary"], -found["lowest_frequency"]
            unit = system.units.frequency_unit
            reasons.append(f"{part:.2g} % of the frequencies are imaginary, up to {lowest:.3g}i {unit}")
        return reasons

    def _failure(self, system: System, numbers: dict[str, Array], failed: int) -> str:
        """How the run of some seeds went wrong."""
        said = f"{failed} of {len(numbers['survived'])} runs at {self.temperature:g} {system.units.temperature} failed"
        finished = numbers["survived"] > 0
        if not finished.any():
            return f"{said}: the atoms flew apart"
        index, kept = numbers["lindemann"][finished].max(), numbers["bonds"][finished].min()
        return (
            f"{said}: up to a Lindemann index of {index:.3f} (at most {self.lindemann:g}) and down to "
            f"{100 * kept:.0f} % of the bonds (at least {100 * self.bonds:g} %)"
        )


def _kept(before: Atoms, after: Atoms) -> float:
    """Part of the pairs of neighbours that still are; both have unwrapped positions."""
    limit = float(nearest(before, 1).distances.mean())
    pairs = within(before, BOND * limit)
    i, j = pairs.centres, pairs.others
    across = pairs.vectors - before.positions[j] + before.positions[i]  # whole cell vectors
    images = np.rint(before.cell.complete().scaled_positions(across)) * before.pbc
    vectors = after.positions[j] - after.positions[i] + images @ after.cell.array
    return float((np.linalg.norm(vectors, axis=1) < BROKEN * limit).mean())
