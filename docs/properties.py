"""Writes docs/properties.md from what the properties say about themselves and from the last validation.

python benchmarks/validation.py --json docs/validation.json
python docs/properties.py
"""

import dataclasses
import inspect
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from matdesign.properties import Property, catalogue
from matdesign.properties.units import UNITS

FOLDER = Path(__file__).parent
PAGE = FOLDER / "properties.md"
VALIDATION = FOLDER / "validation.json"
HEAD = """\
# Properties and how they are measured

A property is measured on a structure and a material, through LAMMPS, and comes with a standard error:

```sh
matdesign measure material=silicon property=bulk_modulus
matdesign measure material=copper property=density property.temperature=300 property.pressure=0 rel_error=0.001
```

```python
from matdesign.config import load
from matdesign.properties import find, measure

material = load(["material=copper"]).material
found = measure(find("density")(temperature=300.0, pressure=0.0), material.structure.build(material), material)
print(found)  # value, stderr, unit, steps, seconds, tensor, curves, details, flag
```

**Errors.** What is random is sampled by complete experiments with seeds of their own, and every standard error, of
curves and tensors too, is the delete-one jackknife's over those samples. `rel_error` adds samples until the error is
small enough, `budget` (seconds) ends that; the measurement says which it was. The same `seed` gives the same samples
for every structure, so `matdesign.properties.compare` measures small differences sharply. What the numbers cannot
support is flagged, with the reason.

**Cache.** Finished samples are kept in `~/.cache/matdesign` (`MATDESIGN_CACHE`), known by structure, material,
potential file, protocol, seed, LAMMPS version and matdesign's own code: nothing is computed twice, and a measurement
that was stopped goes on.

**Units.** Those named here are for materials in `units metal` and `real`; in `lj` everything is in reduced units.
Settings are given as `property.NAME=VALUE`, or to the class.

**As a design target.** Any of them is what a search can be told to reach: to minimise, to maximise, or to hit a value.

```python
from matdesign.config import load
from matdesign.design.spaces import Decorations, layers
from matdesign.design.objective import Objective, search
from matdesign.design.searchers import PolicySearch
from matdesign.properties import find
from matdesign.rewards.target import Target
from matdesign.sim import StartingStructure

material = load(["material=argon_isotopes"]).material
lattice = StartingStructure(kind="crystal", lattice="fcc", a=5.35, sublattices=["Ar"], repeat=(4, 2, 2)).build(material)
space = Decorations(lattice, material.species, [4, 4], groups=layers(lattice, 0), axis=0)  # 4 light and 4 heavy layers
target = Target(property=find("device_conductivity_lattice_dynamics")(), goal="minimise")
objective = Objective(space, target, material)
search(PolicySearch(space, seed=0), objective, budget=8)
print(objective.best.design, objective.best.measurements)
```

This page is written by `docs/properties.py` from the docstrings in `matdesign/properties/`.
"""
SECTIONS = re.compile(r"^([A-Z][A-Za-z -]*):\n((?:[ ]{4}.*\n|\n)+)", re.MULTILINE)


def sections(kind: type) -> tuple[str, dict[str, str]]:
    """The description of a class and the sections below it, by their titles."""
    text = inspect.cleandoc(kind.__doc__ or "") + "\n"
    found = {title: inspect.cleandoc(body) for title, body in SECTIONS.findall(text)}
    first = SECTIONS.search(text)
    return text[: first.start() if first else None].strip(), found


def attributes(kind: type) -> dict[str, str]:
    """What the class and those it derives from say about their fields, without the units of the class itself."""
    found: dict[str, str] = {}
    for owner in reversed(kind.__mro__):
        if owner.__module__.startswith("matdesign"):
            listed = sections(owner)[1].get("Attributes", "")
            for name, text in re.findall(r"^(\w+(?:, \w+)*): (.*(?:\n +.*)*)", listed, re.MULTILINE):
                for each in name.split(", "):
                    found[each] = " ".join(text.split())
    return found


def settings(kind: type[Property]) -> list[str]:
    """The table of a property's protocol."""
    said = attributes(kind)
    rows = []
    for field in dataclasses.fields(kind):
        default = field.default_factory() if field.default is dataclasses.MISSING else field.default  # type: ignore[misc]
        shown = "none" if default is None else default
        rows.append(f"| `{field.name}` | {shown} | {said.get(field.name, '')} |\n".replace("{}", "none"))
    return ["\n| setting | default | what it is |\n|---|---|---|\n", *rows] if rows else []


def described(kind: type[Property]) -> str:
    """One property."""
    text, parts = sections(kind)
    # What a family of properties shares is said by the class they derive from.
    for owner in kind.__mro__[1:]:
        if owner.__module__ == kind.__module__:
            parts = {**sections(owner)[1], **parts}
    unit = kind().unit(UNITS["metal"])
    page = [f"\n### {kind.name}\n\n{text}\n", f"\nUnit: {'none' if unit == '1' else unit}.\n"]
    for title, body in parts.items():
        if title == "Attributes":
            continue
        if title == "Equation":
            page.append(f"\n```\n{body}\n```\n")
        else:
            page.append(f"\n**{title}.** {body}\n")
    return "".join([*page, *settings(kind)])


def rooms() -> list[tuple[ModuleType, list[type[Property]]]]:
    """The modules that define properties, with them."""
    found: dict[str, list[type[Property]]] = {}
    for kind in catalogue().values():
        found.setdefault(kind.__module__, []).append(kind)
    return [(sys.modules[name], found[name]) for name in sorted(found)]


def table(rows: list[dict[str, Any]]) -> str:
    """The validation table."""
    lines = [
        "\n## Validation\n\nOurs, by `python benchmarks/validation.py`, against numbers somebody else published. The "
        "difference is in standard\nerrors (s.e., both added in quadrature); where nothing is random, or where another "
        "model, a rounded number or the\nsize of the cell explains some of it, it is given in per cent, beside what "
        "is explained so. A second-hand\nnumber was found neither in its source nor in a text that quotes it.\n\n",
        "| what | ours | reference | difference | source |\n|---|---|---|---|---|\n",
    ]
    for row in rows:
        lines.append(
            f"| {row['case']} | {row['shown']} | {row['shown_reference']} | {row['difference']} | {row['source']} |\n"
        )
    return "".join(lines)


def page() -> str:
    """The whole page."""
    parts = [HEAD, "\n| property | what it is |\n|---|---|\n"]
    for name, kind in catalogue().items():
        parts.append(f"| [`{name}`](#{name}) | {sections(kind)[0].splitlines()[0]} |\n")
    for module, kinds in rooms():
        parts.append(f"\n## {(module.__doc__ or '').splitlines()[0].rstrip('.')}\n")
        parts += [described(kind) for kind in kinds]
    if VALIDATION.exists():
        parts.append(table(json.loads(VALIDATION.read_text())))
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
    print(PAGE)
