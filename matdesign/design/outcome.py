"""What a design came to, as plain values: written into the run folder once, read by reports, exports and notebooks."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from matdesign.design.problem import Problem
from matdesign.design.searching import Found
from matdesign.design.survey import Survey
from matdesign.design.verification import Verified, advantages
from matdesign.properties.units import UNITS

OUTCOME = "outcome.json"  # in the run's folder


def ranked(candidates: Sequence[Verified], problem: Problem) -> list[Verified]:
    """Candidates that passed first, then by their verified distance from the targets."""

    def distance(candidate: Verified) -> float:
        total = 0.0
        for label, target in problem.targets.items():
            found = candidate.measurements.get(label)
            total += math.inf if found is None else target.weight * target.distance(found.value) / target.scale
        return total

    return sorted(candidates, key=lambda candidate: (bool(candidate.reasons), distance(candidate)))


def outcome(
    problem: Problem,
    surveyed: Survey,
    found: Sequence[Found],
    candidates: Sequence[Verified],
    references: Sequence[Verified],
    *,
    training: Mapping[str, float],
    stopped: str,
) -> dict[str, Any]:
    """Everything as JSON values.

    Args:
        problem: what was asked.
        surveyed: what random and ordered structures reach by the search's measurement.
        found: by the searches.
        candidates: verified, best first.
        references: measured alike.
        training: what a policy's training cost, beside the searches.
        stopped: why the job ended early; empty where it did not.
    """
    units = UNITS[problem.material.units]
    targets = [
        {
            "label": label,
            "goal": target.goal,
            "value": target.value,
            "tolerance": target.tolerance,
            "weight": target.weight,
            "scale": target.scale,
            "property": target.property.name,
            "unit": target.property.unit(units),
            "protocol": asdict(target.property),
            "verified_by": problem.verified_by[label].name,
            "verified_unit": problem.verified_by[label].unit(units),
            "verified_protocol": asdict(problem.verified_by[label]),
        }
        for label, target in problem.targets.items()
    ]
    return {
        "stopped": stopped,
        "targets": targets,
        "survey": {label: dict(values) for label, values in surveyed.values.items()},
        "warnings": list(surveyed.warnings),
        "budget": _budget(found),
        "training": dict(training),
        "candidates": [_record(each, references, problem) for each in candidates],
        "references": [_record(each, (), problem) for each in references],
    }


def _budget(found: Sequence[Found]) -> list[dict[str, Any]]:
    """One row for each search: what it spent, and the best it found."""
    rows = []
    for method, seed in dict.fromkeys((each.method, each.seed) for each in found):
        own = [each for each in found if (each.method, each.seed) == (method, seed)]
        best = min(own, key=lambda each: each.score)
        rows.append(
            {
                "method": method,
                "seed": seed,
                "best_score": best.score if math.isfinite(best.score) else None,
                "best_values": {label: value for label, (value, _) in best.values.items()},
                "best_at": best.index + 1,
                **asdict(own[-1].cost),
            }
        )
    return rows


def _record(verified: Verified, references: Sequence[Verified], problem: Problem) -> dict[str, Any]:
    found = verified.found
    beside = {
        label: [{**asdict(each), "text": each.text} for each in advantages(verified, references, label, target)]
        for label, target in problem.targets.items()
    }
    return {
        "name": verified.name,
        "formula": str(verified.structure.symbols.formula.format("hill")),
        "found": None
        if found is None
        else {"method": found.method, "seed": found.seed, "index": found.index, "score": found.score,
              "values": {label: [value, error if math.isfinite(error) else None]
                         for label, (value, error) in found.values.items()}},
        "measurements": {label: each.to_dict() for label, each in verified.measurements.items()},
        "stability": None if verified.stability is None else verified.stability.to_dict(),
        "temperature": verified.temperature,
        "temperature_unit": UNITS[problem.material.units].temperature,
        "space_group": verified.space_group,
        "passed": not verified.reasons and bool(verified.measurements),
        "reasons": list(verified.reasons),
        "advantages": beside,
    }  # fmt: skip
