"""Where should light and heavy atoms sit so that a crystal conducts heat worst, best, or as asked? Every atom chooses.

python benchmarks/heat_atoms.py [--quick] [--json FILE]     two hours on two cores; quick: one seed, fewer designs

The lattice of `heat_stacks.py` with 128 sites, 64 of them heavy: about 2e37 designs. Every searcher measures 512 of
them by lattice dynamics; the best of each seed is then measured by non-equilibrium molecular dynamics, which no
searcher has seen, beside random alloys, the 1+1 and 2+2 superlattices and the pure crystals by the same protocol and
seeds. The median over a searcher's seeds is compared with the mean of as many alloys; standard errors of both come
from their spread, that of the measurements included. For a value to hit, what counts is how many designs that takes.
"""

import math
import statistics
from collections.abc import Iterable, Sequence

import numpy as np
import table
import torch
from ase import Atoms
from ase.build import bulk
from joblib import Parallel, delayed

from matdesign.config import load
from matdesign.design.objective import Objective, search
from matdesign.design.searchers import SEARCHERS
from matdesign.design.spaces import Decorations, layers
from matdesign.properties import Cache, find, measure
from matdesign.rewards.target import Target

AT = (100, 200, 512)  # designs after which the best is told
SAMPLES = 4  # of molecular dynamics for each structure
HIT = {"value": 0.10, "tolerance": 0.002}  # W/(m K)
STRIDE = 20  # designs between two looks whether it was hit; no searcher begins with more at once
MEDIAN = math.sqrt(math.pi / 2)  # standard error of a median over that of the mean, for normal noise
MATERIAL = load(["material=argon_isotopes"]).material
LATTICE = bulk("Ar", "fcc", a=5.35, cubic=True) * (8, 2, 2)
PROPERTY = find("device_conductivity_lattice_dynamics")(axis="a")


def space() -> Decorations:
    """All ways to put 64 heavy atoms."""
    return Decorations(LATTICE, MATERIAL.species, [64, 64], axis=0)


def run(name: str, goal: str, seed: int, budget: int) -> tuple[list[float], Atoms]:
    """Lowest score so far after every design, and the structure of the best of all."""
    torch.set_num_threads(1)
    sites = space()
    target = Target(property=PROPERTY, goal=goal, **(HIT if goal == "hit" else {}))
    objective, searcher = Objective(sites, target, MATERIAL, cache=Cache(None)), SEARCHERS[name](sites, seed=seed)
    asked = STRIDE if goal == "hit" else budget
    while search(searcher, objective, budget=asked) and asked < budget and objective.best.score > 0.0:
        asked += STRIDE
    lowest = np.minimum.accumulate([entry.score for entry in objective.entries])
    return lowest.tolist(), sites.structure(objective.best.design)


def verified(structure: Atoms, seed: int) -> float:
    """Conductivity by molecular dynamics, with samples of its own for each seed."""
    moving = find("device_conductivity")(temperature=30.0)
    return measure(moving, structure, MATERIAL, seed=seed, seeds=SAMPLES, cache=Cache(None)).value


def stack(pattern: str) -> Atoms:
    """A superlattice of light (0) and heavy (1) layers."""
    structure = LATTICE.copy()
    structure.symbols = [MATERIAL.species[int(pattern[i % len(pattern)])] for i in layers(LATTICE, 0)]
    return structure


def error(values: Sequence[float]) -> float:
    """Standard error of the mean."""
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def main(names: Iterable[str], *, seeds: int = 5, budget: int = 512, processes: int = 2) -> None:
    """All searchers, all goals."""
    arguments = table.arguments(__doc__)
    if arguments.quick:
        names, seeds, budget = ("policy", "random"), 1, 64
    results = table.Table(arguments.json)
    rng, sites = np.random.default_rng(0), space()
    with Parallel(n_jobs=processes) as workers:
        alloys = workers(delayed(verified)(sites.structure(sites.random(rng)), seed) for seed in range(seeds))
        alloy = statistics.mean(alloys)
        results.add("random alloys", f"by MD, mean +- {error(alloys):.4f}", alloys, "W/(m K)", reference=alloy)
        patterns = {"1+1": "01", "2+2": "0011", "light crystal": "0", "heavy crystal": "1"}
        found = workers(delayed(verified)(stack(pattern), 0) for pattern in patterns.values())
        for label, value in zip(patterns, found, strict=True):
            results.add(label, "by MD", [value], "W/(m K)", reference=alloy)
        for goal in ("minimise", "maximise", "hit"):
            for name in names:
                case = f"{goal}, {name}"
                runs = workers(delayed(run)(name, goal, seed, budget) for seed in range(seeds))
                if goal == "hit":
                    needed = [len(curve) if curve[-1] > 0.0 else curve.index(0.0) + 1 for curve, _ in runs]
                    missed = sum(curve[-1] > 0.0 for curve, _ in runs)
                    results.add(case, f"designs, {missed} of {seeds} missed", needed, "designs")
                    continue
                for count in AT:
                    if count <= budget:
                        best = [abs(curve[min(count, len(curve)) - 1]) for curve, _ in runs]
                        results.add(case, f"best of {count}", best, "W/(m K)")
                values = workers(delayed(verified)(best, seed) for seed, (_, best) in enumerate(runs))
                gap = abs(statistics.median(values) - alloy) / math.hypot(MEDIAN * error(values), error(alloys))
                results.add(case, f"by MD, {gap:.1f} st. errors", values, "W/(m K)", reference=alloy)
    results.close()


if __name__ == "__main__":
    main(name for name, kind in SEARCHERS.items() if issubclass(Decorations, kind.spaces))
