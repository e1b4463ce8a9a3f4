"""The survey before a search: what random and ordered structures reach, so that targets are judged before any work."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from matdesign.design.problem import Problem
from matdesign.errors import InputError, SimulationError
from matdesign.properties import Cache, Measurement, measure
from matdesign.rewards.target import labels

RANDOM = 6  # designs
SURVEYED = "random design "  # and a number: what they are called
BEYOND = 1.0  # times the range seen: a value farther outside is out of reach


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Values of the targets' properties, as the search measures them.

    Attributes:
        values: by label of the target, then by name of the structure.
        scales: by label: standard deviation of the random designs, or the range of all where they are alike.
        warnings: what a person should know before the search.
    """

    values: Mapping[str, Mapping[str, float]]
    scales: Mapping[str, float]
    warnings: tuple[str, ...]


def survey(problem: Problem, references: Mapping[str, Atoms], *, seed: int, cache: Cache) -> Survey:
    """Measures random designs and the references.

    Raises:
        InputError: no structure at all could be measured, or none of the random designs keeps the constraints and
            they cannot differ in them.
    """
    rng = np.random.default_rng([seed, 2])
    objective = problem.objective(seed=seed, cache=cache)
    entries = [objective(objective.settled(problem.space.random(rng))) for _ in range(RANDOM)]
    _check_reachable(problem, [dict(entry.measurements) for entry in entries])
    composition = sorted(problem.space.structure(entries[0].design).numbers)
    values: dict[str, dict[str, float]] = {}
    scales: dict[str, float] = {}
    warnings = []
    for label, target in problem.targets.items():
        measured = [entry.measurements[label].value for entry in entries if label in entry.measurements]
        drawn = {f"{SURVEYED}{i + 1}": value for i, value in enumerate(measured)}
        known = {}
        for name, structure in references.items():
            try:
                found = measure(target.property, structure, problem.material, seed=seed, cache=cache,
                                library=problem.library)  # fmt: skip
            except (InputError, SimulationError):
                continue  # a reference that the property makes no sense for
            known[name] = found.value
        values[label] = drawn | known
        # What a pure crystal has says nothing of what an alloy can have.
        numbers = list(drawn.values())
        numbers += [known[name] for name in known if sorted(references[name].numbers) == composition]
        if not numbers:
            raise InputError(
                f"{label} could not be measured on any of {RANDOM} random designs: check the target, the constraints "
                "and the material's structure"
            )
        spread = float(np.std(list(drawn.values()))) if len(drawn) > 1 else 0.0
        width = max(numbers) - min(numbers)
        scales[label] = spread or width or max(abs(numbers[0]), 1.0)
        if target.value is not None and not (
            min(numbers) - BEYOND * width <= target.value <= max(numbers) + BEYOND * width
        ):
            warnings.append(
                f"target.value={target.value:g} of {label} is far outside of what {len(numbers)} reference structures "
                f"reach, {min(numbers):.4g} to {max(numbers):.4g}: it may not exist"
            )
    return Survey(values=values, scales=scales, warnings=tuple(warnings))


def _check_reachable(problem: Problem, measured: list[dict[str, Measurement]]) -> None:
    """Refuses a bound on what every design of this space has alike, where that value breaks it."""
    for label, constraint in labels(problem.constraints, problem.targets).items():
        values = [found[label].value for found in measured if label in found]
        if len(values) == len(measured) > 1 and np.ptp(values) <= 1e-9 * max(1.0, abs(values[0])) and math.isfinite(
            values[0]
        ) and constraint.violation(values[0]):  # fmt: skip
            raise InputError(
                f"target.constraints on {label} cannot be kept: every design of this space has {values[0]:.6g}; change "
                "the bound, the composition or the cell"
            )
