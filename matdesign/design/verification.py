"""Verification: what a candidate is worth when it is measured again, independently, beside what it must beat."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from ase import Atoms

from matdesign.design.problem import Problem
from matdesign.design.searching import Found
from matdesign.design_sections import VerificationConfig
from matdesign.errors import SimulationError
from matdesign.properties import Cache, Measurement, measure
from matdesign.properties.property import System
from matdesign.properties.relaxation import Cell, relax
from matdesign.properties.stability import Stability, verdict
from matdesign.properties.symmetry import SpaceGroup
from matdesign.properties.units import UNITS
from matdesign.rewards.target import Target
from matdesign.sim.exchange import to_pymatgen

SURE = 2.0  # standard errors that a difference must exceed to be one
COLD = 0.02  # times energy scale / kB: the temperature of the stability run where nothing else says one
INDEPENDENT = 7919  # added to the run's seed: no sample of the search is used again
CELLS: tuple[Cell, ...] = get_args(Cell)  # the least free first


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A structure and what the verification protocol says of it.

    Attributes:
        name: "candidate 1" ..., or what the reference is called.
        structure: relaxed.
        found: how it was found; None for a reference.
        measurements: of the targets, by their labels; those that failed are missing.
        stability: of the structure; None for references, and where it could not be judged.
        temperature: of the stability's run; None without one.
        space_group: International number, None without a lattice.
        reasons: that speak against it; none for a structure that passed.
    """

    name: str
    structure: Atoms
    found: Found | None = None
    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    stability: Measurement | None = None
    temperature: float | None = None
    space_group: int | None = None
    reasons: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Advantage:
    """By how much a candidate is nearer to a target than a reference.

    Attributes:
        reference: its name.
        gain: in the property's unit; positive where the candidate is nearer.
        stderr: of the gain.
    """

    reference: str
    gain: float
    stderr: float

    @property
    def text(self) -> str:
        """The comparison in words; a difference within the errors is called that."""
        error = f" +- {self.stderr:.2g}" if self.stderr else ""
        size = f"by {abs(self.gain):.3g}{error}"
        if abs(self.gain) <= SURE * self.stderr or not math.isfinite(self.stderr):
            return f"not told apart from {self.reference} ({size})"
        return f"{'better' if self.gain > 0 else 'worse'} than {self.reference} {size}"


def select(found: Sequence[Found], problem: Problem, count: int) -> list[Found]:
    """The best designs that were found, each once whoever found it, the best one first."""
    names: set[bytes] = set()
    chosen: list[Found] = []
    for each in sorted(found, key=lambda each: (each.score, each.index)):
        name = problem.space.name(each.design)
        if math.isfinite(each.score) and name not in names:
            names.add(name)
            if not any(_same(problem.space.structure(each.design), problem.space.structure(other.design))
                       for other in chosen):  # fmt: skip
                chosen.append(each)
        if len(chosen) == count:
            break
    return chosen


def verify(
    name: str,
    structure: Atoms,
    problem: Problem,
    config: VerificationConfig,
    *,
    seed: int,
    cache: Cache,
    processes: int,
    found: Found | None = None,
    cell: Cell = "fixed",
    tell: Callable[[Measurement, int], None] | None = None,
) -> Verified:
    """Relaxes a structure, measures it with seeds that no search has used, and judges its stability.

    References go through the same measurements; whether they are stable is their own affair. Where a measurement
    relaxes the cell as well, the structure that is reported is relaxed as much: it is the one that was measured.

    Args:
        name: see `Verified`.
        structure: as it was found.
        problem: what it was designed for.
        config: protocol.
        seed: of the run.
        cache: of samples.
        processes: worked in side by side.
        found: how it was found; None for a reference.
        cell: what relaxes besides the atoms, at least.
        tell: called with each measurement as it grows.
    """
    system = System(structure, problem.material, library=problem.library, cache=cache)
    options: dict[str, Any] = {
        "seed": seed + INDEPENDENT,
        "processes": processes,
        "cache": cache,
        "library": problem.library,
        "budget": config.budget,
        "progress": tell,
    }
    cell = max((cell, *(getattr(asked, "cell", cell) for asked in problem.verified_by.values())), key=CELLS.index)
    try:
        relaxed = relax(system, cell)
    except SimulationError as error:
        return Verified(name=name, structure=structure, found=found, reasons=[f"no minimum nearby: {error}"])
    reasons, measurements = [], {}
    for label, asked in problem.verified_by.items():
        try:
            seeds = None if config.rel_error is not None else config.seeds
            measured = measure(asked, relaxed, problem.material, seeds=seeds, rel_error=config.rel_error, **options)
        except SimulationError as error:
            reasons.append(f"{label} cannot be measured: {error}")
            continue
        measurements[label] = measured
        if measured.flag:
            reasons.append(f"{label}: {measured.flag}")
    stability = temperature = None
    if found is not None:
        temperature = stability_temperature(problem, config)
        judged = Stability(temperature=temperature, steps=config.steps, cell=cell)
        stability = measure(judged, relaxed, problem.material, **options)
        reasons += verdict(stability).reasons
    group = None
    if relaxed.pbc.all():
        group = round(measure(SpaceGroup(), relaxed, problem.material, cache=cache).value)
    return Verified(
        name=name,
        structure=relaxed,
        found=found,
        measurements=measurements,
        stability=stability,
        temperature=temperature,
        space_group=group,
        reasons=reasons,
    )


def stability_temperature(problem: Problem, config: VerificationConfig) -> float:
    """The one of the configuration, or else that of a target's measurement, or else a low one."""
    if config.temperature is not None:
        return config.temperature
    for asked in (*problem.verified_by.values(), *(target.property for target in problem.targets.values())):
        temperature = getattr(asked, "temperature", None)
        if temperature:
            return float(temperature)
    return COLD * problem.material.energy_scale / UNITS[problem.material.units].boltzmann


def advantages(candidate: Verified, references: Sequence[Verified], label: str, target: Target) -> list[Advantage]:
    """The candidate beside every reference that could be measured, in one target.

    Energies per atom of other compositions say nothing; those of the pure crystals are added up in the candidate's
    composition: what its species have apart.
    """
    own = candidate.measurements.get(label)
    if own is None:
        return []
    beside = {each.name: each.measurements[label] for each in references if label in each.measurements}
    if own.unit.endswith("/atom"):
        shares, pure = _shares(candidate.structure), {}
        for each in references:
            if each.name in beside and _shares(each.structure) != shares:
                found = beside.pop(each.name)
                if len(set(each.structure.symbols)) == 1:
                    pure[each.structure.symbols[0]] = found
        if len(shares) > 1 and set(shares) <= set(pure):
            value = sum(share * pure[symbol].value for symbol, share in shares.items())
            stderr = math.hypot(*(share * pure[symbol].stderr for symbol, share in shares.items()))
            beside[f"{' and '.join(sorted(shares))} apart"] = replace(own, value=value, stderr=stderr)
    gains = {name: target.advantage(own, other) for name, other in beside.items()}
    return [Advantage(reference=name, gain=gain, stderr=stderr) for name, (gain, stderr) in gains.items()]


def _shares(structure: Atoms) -> dict[str, float]:
    """Of each species in the atoms."""
    return {symbol: count / len(structure) for symbol, count in Counter(structure.symbols).items()}


def _same(first: Atoms, second: Atoms) -> bool:
    """Whether two crystals are the same up to what relaxation would change (pymatgen's StructureMatcher).

    Free clusters are told apart by their space's names alone: the matcher's tolerance grows with the empty cell.
    """
    if not first.pbc.all():
        return False
    from pymatgen.analysis.structure_matcher import StructureMatcher

    matcher = StructureMatcher(primitive_cell=False, scale=False, attempt_supercell=False)
    return bool(matcher.fit(to_pymatgen(first), to_pymatgen(second)))
