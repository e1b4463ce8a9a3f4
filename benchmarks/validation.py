"""Every property against a number that somebody else published: the table in docs/properties.md.

python benchmarks/validation.py [--quick] [--json FILE]     all cases, about an hour on two cores; quick: seconds each;
                                                            stopped, it goes on from the samples in the cache
python benchmarks/validation.py --json docs/validation.json; python docs/properties.py     the page anew
"""

import importlib
import json
import math
import os
import pkgutil
from collections.abc import Iterator

import cases
import table
from cases.case import Case

from matdesign.errors import MatdesignError
from matdesign.properties import measure
from matdesign.properties.measurement import number

LINE = "{:<58} {:>24} {:>20} {:>12}  {}"


def all_cases() -> Iterator[Case]:
    """The cases of every module in benchmarks/cases."""
    for module in pkgutil.iter_modules(cases.__path__):
        yield from getattr(importlib.import_module(f"cases.{module.name}"), "CASES", [])


def row(case: Case) -> dict[str, str | float | bool | None]:
    """Measures one case."""
    structure, material = case.build()
    found = measure(
        case.measured,
        structure,
        material,
        seeds=case.seeds,
        processes=len(os.sched_getaffinity(0)),
    )
    value, stderr = case.read(found)
    error = math.hypot(stderr, case.reference_stderr)
    apart = value - case.reference
    relative = apart / case.reference if case.reference else math.nan
    return {
        "case": case.label,
        "metric": case.measured.name,
        "value": value,
        "spread": stderr,
        "unit": found.unit,
        "reference": case.reference,
        "ratio": value / case.reference if case.reference else None,
        "source": case.source,
        "agrees": bool(abs(apart) <= 3 * error + case.tolerance * abs(case.reference) + 1e-12),
        "shown": number(value, stderr),
        "shown_reference": number(case.reference, case.reference_stderr),
        "difference": difference(apart / error if error > 0 else None, relative, case.tolerance),
        "flag": found.flag,
        "seconds": found.seconds,
    }


def difference(errors: float | None, relative: float, tolerance: float) -> str:
    """In standard errors, and relative where that matters: without an error, or where some is to be expected."""
    share = f"{100 * relative:+.2g} %" + (f" of {100 * tolerance:.3g} %" if tolerance else "")
    if errors is None:
        return share
    return f"{errors:+.1f} s.e." + (f", {share}" if tolerance else "")


def main() -> None:
    """Measure, print, write."""
    arguments = table.arguments(__doc__)
    print(table.machine())
    print(LINE.format("case", "ours", "reference", "difference", ""), flush=True)
    rows = []
    for case in all_cases():
        if arguments.quick and not case.quick:
            continue
        try:
            rows.append(row(case))
        except MatdesignError as error:
            print(f"{case.label:<58} failed: {error}", flush=True)
            continue
        last = rows[-1]
        remark = "" if last["agrees"] else "DIFFERS "
        remark += f"({last['flag']})" if last["flag"] else ""
        print(LINE.format(last["case"], last["shown"], last["shown_reference"], last["difference"], remark), flush=True)
        if arguments.json is not None:
            arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
    print(f"{sum(bool(each['agrees']) for each in rows)} of {len(rows)} agree")


if __name__ == "__main__":
    main()
