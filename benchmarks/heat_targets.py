"""How many designs must be measured to come within 2 % of a conductivity that was never asked for before?

python benchmarks/heat_targets.py [--quick] [--json FILE]     ten minutes on two cores; quick: one seed, few searches

The 128 sites of `heat_atoms.py`, the conductivity by lattice dynamics. A policy that takes the wanted value as an input
is trained once for all values (its measurements are counted) and then answers eight new ones, spread over the range it
met, by drawing. Beside it: the policy search and the genetic algorithm from scratch for each value, and the nearest of
the structures measured in the training, which costs no more than one measurement to confirm. The same weights then
draw for larger cells, where the same value is another task: errors there are beside those of random alloys.
"""

import statistics

import numpy as np
import table
import torch
from ase import Atoms
from ase.build import bulk
from heat_atoms import LATTICE, MATERIAL, PROPERTY, STRIDE
from joblib import Parallel, delayed

from matdesign.design.conditioning import train_conditioned
from matdesign.design.objective import Objective, search
from matdesign.design.searchers import SEARCHERS, Searcher
from matdesign.design.searchers.conditioned import ConditionedPolicy, ConditionedSearch
from matdesign.design.spaces import Decorations
from matdesign.properties import Cache
from matdesign.rewards.target import Target

WITHIN = 0.02
CAP = 256  # designs after which a search is given up
ALLOYS = 8
LARGER = ((16, 2, 2), (8, 3, 3))
SCRATCH = ("policy", "genetic")


def space(lattice: Atoms) -> Decorations:
    """Half of the sites heavy."""
    return Decorations(lattice, MATERIAL.species, [len(lattice) // 2] * 2, axis=0)


def needed(searcher: Searcher, sites: Decorations, value: float) -> int:
    """Designs that a search measures until one is within; `CAP` where none of so many is."""
    target = Target(property=PROPERTY, goal="hit", value=value)
    objective, asked = Objective(sites, target, MATERIAL, cache=Cache(None)), 0
    while asked < CAP:
        asked = min(asked + STRIDE, CAP)
        for i, entry in enumerate(search(searcher, objective, budget=asked)):
            if entry.score <= WITHIN * value:
                return i + 1
    return CAP


def draws(policy: ConditionedPolicy, sites: Decorations, value: float, count: int, seed: int) -> list[float]:
    """Relative errors of some designs of the policy, with their signs."""
    objective = Objective(sites, Target(property=PROPERTY, goal="minimise"), MATERIAL, cache=Cache(None))
    drawn = policy.draw(sites, np.array([value]), count, np.random.default_rng(seed))[0]
    return [objective(design).score / value - 1.0 for design in drawn]


def trial(seed: int, quick: bool) -> dict[str, list[float]]:
    """Everything for one training seed; errors and numbers by row."""
    torch.set_num_threads(1)
    sites = space(LATTICE)
    policy, objective = train_conditioned(sites, PROPERTY, MATERIAL, seed=seed)
    archive = np.array([entry.score for entry in objective.entries])
    values = np.geomspace(policy.low, policy.high, 10)[1:-1].tolist()
    found: dict[str, list[float]] = {
        "training": [objective.cost.measurements],
        "lowest": [policy.low],
        "highest": [policy.high],
        "archive": [float(np.abs(archive / value - 1.0).min()) for value in values],
    }
    for i, value in enumerate(values):
        errors = np.abs(draws(policy, sites, value, 8, seed=100 * seed + i))
        found.setdefault("one draw", []).append(float(errors[0]))
        found.setdefault("best of 8", []).append(float(errors.min()))
        searchers: dict[str, Searcher] = {
            "conditioned": ConditionedSearch(sites, seed=100 * seed + i, policy=policy, value=value)
        }
        if not quick:
            searchers |= {name: SEARCHERS[name](sites, seed=100 * seed + i) for name in SCRATCH}
        for name, searcher in searchers.items():
            found.setdefault(name, []).append(needed(searcher, sites, value))
    for repeat in () if quick else LARGER:
        larger = space(bulk("Ar", "fcc", a=5.35, cubic=True) * repeat)
        rng, label = np.random.default_rng(seed), "x".join(map(str, repeat))
        plain = Objective(larger, Target(property=PROPERTY, goal="minimise"), MATERIAL, cache=Cache(None))
        alloys = np.array([plain(larger.random(rng)).score for _ in range(ALLOYS)])
        for i, value in enumerate(values[::2]):
            found.setdefault(f"{label} drawn", []).append(abs(draws(policy, larger, value, 1, seed=i)[0]))
            found.setdefault(f"{label} alloys", []).append(float(np.median(np.abs(alloys / value - 1.0))))
    return found


def main() -> None:
    """All seeds."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    trials = Parallel(n_jobs=2)(delayed(trial)(seed, arguments.quick) for seed in range(1 if arguments.quick else 5))
    rows = {name: [value for each in trials for value in each[name]] for name in trials[0]}
    results.add("training", "measurements", rows["training"], "designs")
    for name in ("lowest", "highest"):
        results.add("training", f"{name} value met", rows[name], "W/(m K)")
    for name in ("one draw", "best of 8"):
        results.add(f"conditioned policy, {name}", "relative error", rows[name], "")
    results.add("archive of the training", "relative error", rows["archive"], "")
    results.add("archive of the training", "within 2 %", [statistics.mean(e <= WITHIN for e in rows["archive"])], "")
    for name in ("conditioned", *(() if arguments.quick else SCRATCH)):
        results.add(name, "designs to 2 %", rows[name], "designs")
        results.add(name, "designs to 2 %, mean", [statistics.mean(rows[name])], "designs")
        results.add(name, "given up", [sum(count >= CAP for count in rows[name])], f"of {len(rows[name])}")
    for repeat in () if arguments.quick else LARGER:
        label = "x".join(map(str, repeat))
        results.add(f"{label} cells, one draw", "relative error", rows[f"{label} drawn"], "")
        results.add(f"{label} cells, random alloy", "relative error", rows[f"{label} alloys"], "")
    results.close()


if __name__ == "__main__":
    main()
