"""Whether reported standard errors are the spread that repeated measurements show.

python benchmarks/honesty.py [--quick] [--json FILE]     quick: one property only

Thirty measurements of eight samples each, by the cheap protocols in `cases/*.py` named HONEST: the root mean square of
their standard errors over the standard deviation of their values. That ratio itself is known to about 13 %.
"""

import importlib
import os
import pkgutil

import cases
import numpy as np
import table
from ase import Atoms

from matdesign.properties import Cache, Property, measure
from matdesign.sim import Material

REPEATS = 30
SEEDS = 8


def ratio(measured: Property, atoms: Atoms, material: Material) -> float:
    """Reported over observed error."""
    found = [
        measure(
            measured,
            atoms,
            material,
            seed=repeat,
            seeds=SEEDS,
            processes=len(os.sched_getaffinity(0)),
            cache=Cache(None),
        )
        for repeat in range(REPEATS)
    ]
    observed = np.std([each.value for each in found], ddof=1)
    return float(np.sqrt(np.mean([each.stderr**2 for each in found])) / observed)


def main() -> None:
    """Measure and print."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    modules = [importlib.import_module(f"cases.{module.name}") for module in pkgutil.iter_modules(cases.__path__)]
    for measured, build in [case for module in modules for case in getattr(module, "HONEST", [])]:
        if arguments.quick and measured.name != "density":
            continue
        results.add(measured.name, "reported error", [ratio(measured, *build())], "observed", reference=1.0)
    results.close()


if __name__ == "__main__":
    main()
