"""The short text at the end of a design: what was found, what it is worth, what it cost."""

import io
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from matdesign.design.survey import SURVEYED
from matdesign.design.verification import SURE
from matdesign.properties.measurement import number

SUMMARY = "summary.txt"  # in the run's folder
WIDTH = 120  # of a table in a file: no line of it is broken


def summary(said: Mapping[str, Any], files: Mapping[str, Path]) -> Group:
    """Tables of what was verified and what was spent, with the conclusion below.

    Args:
        said: the outcome, see `matdesign.design.outcome`.
        files: where to look, by what it is.
    """
    parts: list[Any] = [_verified(said), _budget(said)]
    parts += [Text(line) for line in conclusion(said)]
    width = max((len(name) for name in files), default=0) + 2
    parts += [Text(f"{name + ':':<{width}}{path}") for name, path in files.items()]
    return Group(*parts)


def show(parts: Group) -> None:
    """Prints it on standard output; lines are as long as they are."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = WIDTH
    console.print(parts)


def as_text(parts: Group) -> str:
    """The same for a file."""
    console = Console(width=WIDTH, file=io.StringIO(), highlight=False, soft_wrap=True)
    with console.capture() as captured:
        console.print(parts)
    return captured.get()


def conclusion(said: Mapping[str, Any]) -> list[str]:
    """What it comes to, in sentences."""
    lines = [f"Warning: {warning}." for warning in said["warnings"]]
    if said["stopped"]:
        lines.append(f"Ended early ({said['stopped']}): the candidates are what was found until then, not verified.")
        return lines
    if not said["candidates"]:
        return [*lines, "No design that keeps the constraints was found."]
    best = said["candidates"][0]
    if not best["passed"]:
        lines.append(f"No candidate passed: {best['name']}: {'; '.join(best['reasons'])}.")
    for target in said["targets"]:
        measured = best["measurements"].get(target["label"])
        if measured is None:
            continue
        unit = "" if target["verified_unit"] == "1" else f" {target['verified_unit']}"
        value = number(measured["value"], _float(measured["stderr"]))
        lines.append(f"{best['name']}: {target['verified_by']} = {value}{unit}.")
        lines += [f"  {text}." for text in (*_miss(target, measured, unit), *_random(said, target, unit))]
        lines += [f"  It is {each['text']}." for each in best["advantages"][target["label"]]]
    return [*lines, *_stability(best)]


def _miss(target: Mapping[str, Any], measured: Mapping[str, Any], unit: str) -> list[str]:
    """How far from the value that was to be hit."""
    if target["value"] is None:
        return []
    stderr = _float(measured["stderr"])
    away, tolerance = abs(measured["value"] - target["value"]), target["tolerance"]
    if away <= tolerance:
        return [f"It hits {target['value']:g}{unit} within the tolerance of {tolerance:g}"]
    judged = "within the error" if away - tolerance <= SURE * stderr else f"the tolerance is {tolerance:g}"
    return [f"It misses {target['value']:g}{unit} by {number(away, stderr)}; {judged}"]


def _random(said: Mapping[str, Any], target: Mapping[str, Any], unit: str) -> list[str]:
    """What random designs have, where they were measured by the same protocol."""
    names = ("property", "verified_by"), ("protocol", "verified_protocol")
    survey = said["survey"].get(target["label"], {})
    values = [value for name, value in survey.items() if name.startswith(SURVEYED)]
    if len(values) < 2 or any(target[one] != target[other] for one, other in names):
        return []
    mean, spread = statistics.mean(values), statistics.stdev(values)
    return [f"{len(values)} random designs have {mean:.7g}{unit} on average, standard deviation {spread:.2g}"]


def _stability(best: Mapping[str, Any]) -> list[str]:
    """What the structure outlived."""
    found = best["stability"]
    if found is None or not best["passed"]:
        return []
    details, units = found["details"], found["details_units"]
    lines = []
    if details["duration"] is not None:
        lines.append(
            f"{best['name']} outlives {found['seeds']} runs of {details['duration']:g} {units['duration']} at "
            f"{best['temperature']:.3g} {best['temperature_unit']}, Lindemann index {details['lindemann']:.2g}."
        )
    if details["lowest_frequency"] is not None:
        lines.append(f"  Its lowest frequency is {details['lowest_frequency']:.3g} {units['lowest_frequency']}.")
    return lines


def _verified(said: Mapping[str, Any]) -> Table:
    table = Table(title="Measured again, independently", title_justify="left")
    table.add_column("structure")
    for target in said["targets"]:
        unit = "" if target["verified_unit"] == "1" else f", {target['verified_unit']}"
        table.add_column(f"{target['verified_by']}{unit}", justify="right")
    for column in ("found by", "space group", "verdict"):
        table.add_column(column)
    for row in (*said["candidates"], *said["references"]):
        values = []
        for target in said["targets"]:
            measured = row["measurements"].get(target["label"])
            values.append("-" if measured is None else number(measured["value"], _float(measured["stderr"])))
        found = row["found"]
        by = "reference" if found is None else f"{found['method']}, design {found['index'] + 1}"
        verdict = "; ".join(row["reasons"]) or ("" if found is None else "passed")
        table.add_row(row["name"], *values, by, str(row["space_group"] or "-"), verdict)
    return table


def _budget(said: Mapping[str, Any]) -> Table:
    table = Table(title="What it took", title_justify="left")
    columns = ("search", "best score", "at design", "designs", "force evaluations", "of them MD steps", "seconds")
    for column in columns:
        table.add_column(column, justify="left" if column == "search" else "right")
    for row in said["budget"]:
        best = "-" if row["best_score"] is None else f"{row['best_score']:.7g}"
        table.add_row(
            f"{row['method']}, seed {row['seed']}", best, str(row["best_at"]), str(row["measurements"]),
            str(row["evaluations"]), str(row["md_steps"]), f"{row['seconds']:.3g}",
        )  # fmt: skip
    if said["training"]:
        spent = said["training"]
        table.add_row("training, once", "", "", "", str(spent["evaluations"]), "", f"{spent['seconds']:.3g}")
    return table


def _float(value: float | None) -> float:
    return float("nan") if value is None else value
