"""The database of a design: every structure that was measured, searchable by property, in ASE's format."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ase.db
import numpy as np

from matdesign.design.problem import Problem
from matdesign.design.searching import Found
from matdesign.design.verification import Verified

DATABASE = "designs.db"  # in the run's folder


def store(path: Path, problem: Problem, found: Sequence[Found], verified: Sequence[Verified]) -> None:
    """Writes the database anew, whole or not at all.

    Every design that a search measured is a row of kind "found", with method, seed, index (how many that search had
    measured before), score and, under its name, the value of each property; every candidate and reference is a row of
    kind "candidate" or "reference", relaxed, with the verified values, their standard errors and whether it passed.
    `ase db designs.db 'kind=candidate' -c name,device_conductivity` and `ase.db.connect` read it.

    Args:
        path: of the file.
        problem: whose designs they are.
        found: by the searches.
        verified: candidates and references.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        with ase.db.connect(temporary, type="db") as database:
            for each in found:
                values = {_key(label): value for label, (value, _) in each.values.items()}
                score = {"score": each.score} if np.isfinite(each.score) else {}
                database.write(
                    problem.space.structure(each.design),
                    key_value_pairs={"kind": "found", "method": each.method, "seed": each.seed, "index": each.index,
                                     "violation": each.violation, **score, **values},
                )  # fmt: skip
            for one in verified:
                database.write(one.structure, key_value_pairs=_pairs(one), data=_data(one))
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _pairs(verified: Verified) -> dict[str, Any]:
    pairs: dict[str, Any] = {
        "kind": "candidate" if verified.found else "reference",
        "name": verified.name,
        "passed": bool(verified.measurements) and not verified.reasons,
    }
    if verified.space_group is not None:
        pairs["space_group"] = verified.space_group
    if verified.stability is not None:
        pairs["stability"] = verified.stability.value
    if verified.found is not None:
        pairs |= {"method": verified.found.method, "seed": verified.found.seed, "index": verified.found.index}
    for label, measured in verified.measurements.items():
        key = _key(measured.name if measured.name not in pairs else label)
        pairs[key] = measured.value
        if np.isfinite(measured.stderr):
            pairs[f"{key}_stderr"] = measured.stderr
    return pairs


def _data(verified: Verified) -> dict[str, Any]:
    """All of the measurements, curves included, as ASE stores it."""
    measured = {label: each.to_dict() for label, each in verified.measurements.items()}
    data: dict[str, Any] = json.loads(json.dumps({"measurements": measured, "reasons": list(verified.reasons)}))
    return data


def _key(label: str) -> str:
    """A label as a key of ASE's: letters, digits and underscores."""
    return label.replace(" (", "_").replace(")", "")
