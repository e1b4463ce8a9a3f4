"""Where should light and heavy atoms sit so that a crystal conducts heat worst, or best? Every atom is an agent.

python benchmarks/heat_atoms.py [--quick] [--json FILE]     half an hour on two cores; quick: one seed, fewer designs

The lattice of `heat_stacks.py` with 128 sites, 64 of them heavy: about 2e37 designs. Every searcher measures 512 of
them by lattice dynamics; the best of each seed is then measured by non-equilibrium molecular dynamics, which no
searcher has seen, beside random alloys and the 1+1 and 2+2 superlattices by the same protocol and seeds.
"""

import statistics

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
from matdesign.properties import Cache, Measurement, find, measure
from matdesign.rewards.target import Target

AT = (100, 200, 512)  # designs after which the best is told
VERIFIED = 8  # samples of molecular dynamics for each structure
BATCHES = {"policy": {"batch": 8}}  # designs proposed at a time, where that is a choice
MATERIAL = load(["material=argon_isotopes"]).material
LATTICE = bulk("Ar", "fcc", a=5.35, cubic=True) * (8, 2, 2)
SPACE = Decorations(LATTICE, MATERIAL.species, [64, 64], axis=0)


def run(name: str, goal: str, seed: int, budget: int) -> tuple[list[float], Atoms]:
    """Best conductivity so far after every design, and the structure of the best of all."""
    torch.set_num_threads(1)
    target = Target(property=find("device_conductivity_lattice_dynamics")(axis="a"), goal=goal)
    objective = Objective(SPACE, target, MATERIAL, cache=Cache(None))
    entries = search(SEARCHERS[name](SPACE, seed=seed, **BATCHES.get(name, {})), objective, budget=budget)
    lowest = np.minimum.accumulate([entry.score for entry in entries])
    best = SPACE.structure(objective.best.design)
    return np.abs(lowest).tolist(), best


def verified(structure: Atoms) -> Measurement:
    """By molecular dynamics."""
    return measure(
        find("device_conductivity")(temperature=30.0), structure, MATERIAL, seeds=VERIFIED, cache=Cache(None)
    )


def stack(pattern: str) -> Atoms:
    """A superlattice of light (0) and heavy (1) layers."""
    structure = LATTICE.copy()
    structure.symbols = ["ArKr"[2 * int(pattern[i % len(pattern)]) :][:2] for i in layers(LATTICE, 0)]
    return structure


def main() -> None:
    """All searchers, both goals."""
    arguments = table.arguments(__doc__)
    seeds, budget = (1, 64) if arguments.quick else (5, 512)
    names = ("policy", "random") if arguments.quick else tuple(SEARCHERS)
    results = table.Table(arguments.json)
    rng = np.random.default_rng(0)
    with Parallel(n_jobs=2) as workers:
        alloys = workers(delayed(verified)(SPACE.structure(SPACE.random(rng))) for _ in range(seeds))
        alloy = statistics.median(found.value for found in alloys)
        results.add("random alloys", "conductivity by MD", [found.value for found in alloys], "W/(m K)")
        for label, pattern in (("1+1", "01"), ("2+2", "0011"), ("light crystal", "0"), ("heavy crystal", "1")):
            found = verified(stack(pattern))
            results.add(label, f"conductivity by MD +- {found.stderr:.4f}", [found.value], "W/(m K)", reference=alloy)
        for goal in ("minimise", "maximise"):
            for name in names:
                runs = workers(delayed(run)(name, goal, seed, budget) for seed in range(seeds))
                for count in AT:
                    if count <= budget:
                        best = [curve[min(count, len(curve)) - 1] for curve, _ in runs]
                        results.add(f"{goal}, {name}", f"best of {count}", best, "W/(m K)")
                values = [found.value for found in workers(delayed(verified)(structure) for _, structure in runs)]
                results.add(f"{goal}, {name}", "conductivity by MD", values, "W/(m K)", reference=alloy)
    results.close()


if __name__ == "__main__":
    main()
