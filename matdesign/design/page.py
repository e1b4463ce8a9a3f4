"""The report of a design: one HTML file that holds everything it shows, to be opened anywhere and mailed."""

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from matdesign.design.results import Candidate, Results
from matdesign.design.summary import conclusion
from matdesign.plots.comparison import comparison
from matdesign.plots.learning import learning_curve
from matdesign.plots.pareto import Objective, pareto
from matdesign.plots.progress import search_progress
from matdesign.plots.style import encoded, with_unit
from matdesign.properties.measurement import number
from matdesign.render.offline import viewers_html
from matdesign.render.recording import record_atoms

REPORT = "report.html"  # in the run's folder
METRICS = "metrics.csv"  # of training, there too
SHOWN = 3  # structures that can be turned
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c1f23; max-width: 1040px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.6em; margin-bottom: 0; } h2 { font-size: 1.2em; margin-top: 2em; border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; margin: 1em 0; } th, td { padding: 0.25em 0.8em; border-bottom: 1px solid #e4e6e8; }
th { text-align: left; font-weight: 600; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.passed { color: #1a7f37; } .failed { color: #b42318; } .quiet { color: #667; }
.viewers { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 1em; }
img { max-width: 100%; } pre { background: #f5f6f7; padding: 1em; overflow-x: auto; font-size: 12px; }
"""


def report_page(results: Results) -> str:
    """The whole page, from what is in the run's folder."""
    said = results.outcome
    parts = [
        f"<h1>{_text(_title(said))}</h1>",
        f'<p class="quiet">{_text(_provenance(results.folder).get("created", ""))} in {_text(results.folder)}</p>',
        "".join(f"<p>{_text(line)}</p>" for line in conclusion(said)),
        "<h2>Structures</h2>",
        _viewers(results),
        _verified(results),
        *(_figure(figure) for figure in verified_figures(results)),
        "<h2>Search</h2>",
        *(_figure(figure) for figure in search_figures(results)),
        _budget(said),
        "<h2>Where it comes from</h2>",
        _folded("Provenance", json.dumps(_provenance(results.folder), indent=2)),
        _folded("Configuration", _read(results.folder / "config.yaml")),
        _folded("Survey before the search", json.dumps(said["survey"], indent=2)),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{_text(_title(said))}</title>'
        f"<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )


def verified_figures(results: Results) -> list[Figure]:
    """Candidates beside references, one figure for each target; and candidates by value and stability.

    Energies per atom are shown of one composition: those of others are on another scale.
    """
    figures = []
    for target in results.outcome["targets"]:
        label = target["label"]
        groups = {
            group: {
                each.name: each.value(label)
                for each in members
                if label in each.record["measurements"]
                and (not target["verified_unit"].endswith("/atom") or _same_shares(each, results.best))
            }
            for group, members in (("candidates", results.candidates), ("references", results.references))
        }
        if any(groups.values()):
            name = with_unit(target["verified_by"], target["verified_unit"])
            figures.append(comparison(groups, label=name, target=target["value"]))
    judged = [each for each in results.candidates if _lindemann(each) is not None and each.record["measurements"]]
    if len(judged) > 1:
        target = results.outcome["targets"][0]
        values = [each.value(target["label"]) for each in judged]
        across = Objective(
            label=with_unit(target["verified_by"], target["verified_unit"]),
            values=[value for value, _ in values],
            stderr=[error for _, error in values],
            highest=target["goal"] == "maximise",
            target=target["value"],
        )
        up = Objective(label="Lindemann index", values=[_lindemann(each) or 0.0 for each in judged])
        figures.append(pareto(across, up, names=[each.name for each in judged]))
    return figures


def search_figures(results: Results) -> list[Figure]:
    """The best score against designs measured; of two goals, all designs with the Pareto front; what was learned."""
    designs, targets = results.designs, results.outcome["targets"]
    if designs.empty or "score" not in designs:
        return []
    curves = {
        method: [group.sort_values("index")["score"].to_numpy() for _, group in own.groupby("seed")]
        for method, own in designs.groupby("method")
        if own["score"].notna().any()
    }
    single = len(targets) == 1 and targets[0]["goal"] != "hit"
    label = with_unit(targets[0]["property"], targets[0]["unit"]) if single else "score"
    if single and targets[0]["goal"] == "maximise":
        curves = {method: [-scores for scores in runs] for method, runs in curves.items()}
    figures = [search_progress(curves, ylabel=label, lowest=not (single and targets[0]["goal"] == "maximise"))]
    columns = [target["label"].replace(" (", "_").replace(")", "") for target in targets[:2]]
    if len(columns) == 2 and set(columns) <= set(designs):
        scored = designs.dropna(subset=columns)
        axes = [
            Objective(
                label=with_unit(target["property"], target["unit"]),
                values=abs(scored[column] - target["value"]) if target["goal"] == "hit" else scored[column],
                highest=target["goal"] == "maximise",
            )
            for column, target in zip(columns, targets, strict=False)
        ]
        figures.append(pareto(axes[0], axes[1], groups=scored["method"].tolist()))
    if (results.folder / METRICS).is_file():  # a policy was trained here
        figures.append(learning_curve({"training": [results.folder]}, ylabel="score"))
    return figures


def _title(said: dict[str, Any]) -> str:
    goals = []
    for target in said["targets"]:
        value = "" if target["value"] is None else f" = {target['value']:g} {target['unit']}"
        goals.append(f"{target['goal']} {target['property']}{value}")
    formula = said["candidates"][0]["formula"] if said["candidates"] else "no design"
    return f"{formula}: {', '.join(goals)}"


def _viewers(results: Results) -> str:
    shown = [*results.candidates[:SHOWN], *results.references[:1]]
    recordings = {each.name: record_atoms([each.atoms]) for each in shown}
    return f'<div class="viewers">{viewers_html(recordings)}</div>' if recordings else ""


def _verified(results: Results) -> str:
    said = results.outcome
    heads = ["structure", *(with_unit(t["verified_by"], t["verified_unit"]) for t in said["targets"])]
    rows = []
    for each in (*results.candidates, *results.references):
        values = []
        for target in said["targets"]:
            measured = each.record["measurements"].get(target["label"])
            values.append("-" if measured is None else number(*each.value(target["label"])))
        found = each.record["found"]
        by = "reference" if found is None else f"{found['method']}, seed {found['seed']}, design {found['index'] + 1}"
        rows.append([each.name, *values, by, str(each.record["space_group"] or "-"), _verdict(each)])
    return _table([*heads, "found by", "space group", "verdict"], rows, numbers=range(1, len(heads)))


def _verdict(candidate: Candidate) -> str:
    if candidate.record["found"] is None:
        return ""
    return "; ".join(candidate.record["reasons"]) or "passed"


def _budget(said: dict[str, Any]) -> str:
    heads = ["search", "best score", "at design", "designs", "force evaluations", "of them MD steps", "seconds"]
    rows = [
        [f"{row['method']}, seed {row['seed']}", "-" if row["best_score"] is None else f"{row['best_score']:.7g}",
         str(row["best_at"]), str(row["measurements"]), str(row["evaluations"]), str(row["md_steps"]),
         f"{row['seconds']:.3g}"]
        for row in said["budget"]
    ]  # fmt: skip
    if said["training"]:
        spent = said["training"]
        rows.append(["training, once", "", "", "", str(spent["evaluations"]), "", f"{spent['seconds']:.3g}"])
    return _table(heads, rows, numbers=range(1, len(heads)))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: range) -> str:
    def cells(tag: str, row: Sequence[str]) -> str:
        kinds = ['class="number"' if i in numbers else _colour(text) for i, text in enumerate(row)]
        return "".join(f"<{tag} {kind}>{_text(text)}</{tag}>" for kind, text in zip(kinds, row, strict=True))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells('th', heads)}</tr></thead><tbody>{body}</tbody></table>"


def _colour(text: str) -> str:
    return 'class="passed"' if text == "passed" else ""


def _figure(figure: Figure) -> str:
    data = base64.b64encode(encoded(figure, "svg")).decode()
    return f'<p><img alt="{_text(figure.axes[0].get_xlabel())}" src="data:image/svg+xml;base64,{data}"></p>'


def _folded(title: str, text: str) -> str:
    return f"<details><summary>{_text(title)}</summary><pre>{_text(text)}</pre></details>"


def _same_shares(first: Candidate, second: Candidate) -> bool:
    formulas = [each.atoms.symbols.formula.reduce()[0].count() for each in (first, second)]
    return bool(formulas[0] == formulas[1])


def _lindemann(candidate: Candidate) -> float | None:
    stability = candidate.record["stability"]
    value = None if stability is None else stability["details"].get("lindemann")
    return None if value is None else float(value)


def _provenance(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(_read(folder / "provenance.json"))
    except ValueError:
        return {}
    return found


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _text(value: object) -> str:
    return html.escape(str(value))
