"""Which order of light and heavy layers conducts heat worst? All 440 answers are known, so every searcher's rank is.

python benchmarks/heat_stacks.py [--quick] [--json FILE]     about ten minutes on one core; quick: fewer seeds

Argon of two masses (40 and 160), fcc, a = 5.35 A, 30 K: 16 layers, half of them heavy, 2 x 2 cells across. A stack and
those that are the same by shift and reversal are one design: 440 of them. Each is measured by the deterministic
lattice-dynamics estimate of the conductivity across the whole stack. Distinct designs are counted.

A searcher of your own goes through the same: derive it from `matdesign.design.searchers.Searcher` and call
`run(MySearcher, stacks(), seeds=20)`.
"""

import statistics
from dataclasses import dataclass

import numpy as np
import table
from ase.build import bulk

from matdesign.config import load
from matdesign.design.objective import Objective, search
from matdesign.design.searchers import SEARCHERS, Searcher, suited
from matdesign.design.spaces import Decorations, layers
from matdesign.properties import Cache, find
from matdesign.rewards.target import Target
from matdesign.sim import Material

STRIDE = 20  # designs between two looks whether the optimum was found
AT = (25, 50, 100, 200)  # evaluations at which ranks are told
PUBLISHED = {"bayesian": 37, "hill_climbing": 60, "genetic": 102, "policy": 111}  # of the study that set the problem


@dataclass(frozen=True)
class Problem:
    """The space with every design's score, and samples that were measured for that."""

    space: Decorations
    target: Target
    material: Material
    scores: np.ndarray
    cache: Cache

    def objective(self) -> Objective:
        """A new ledger."""
        return Objective(self.space, self.target, self.material, cache=self.cache)


def stacks() -> Problem:
    """Measures all 440."""
    material = load(["material=argon_isotopes"]).material
    lattice = bulk("Ar", "fcc", a=5.35, cubic=True) * (8, 2, 2)
    space = Decorations(lattice, material.species, [8, 8], groups=layers(lattice, 0), axis=0)
    target = Target(property=find("device_conductivity_lattice_dynamics")(axis="a"), goal="minimise")
    cache = Cache(None)
    objective = Objective(space, target, material, cache=cache)
    scores = np.sort([objective(decoration).score for decoration in space.all()])
    return Problem(space, target, material, scores, cache)


def run(kind: type[Searcher], problem: Problem, *, seeds: int) -> tuple[list[int], dict[int, list[int]]]:
    """Evaluations to the optimum, and the true rank of the best after some, for each seed."""
    needed, ranks = [], {count: [] for count in AT}
    for seed in range(seeds):
        searcher, objective, asked = kind(problem.space, seed=seed), problem.objective(), 0
        while asked < len(problem.scores) and (not asked or objective.best.score > problem.scores[0]):
            asked += STRIDE
            search(searcher, objective, budget=min(asked, len(problem.scores)))
        lowest = np.minimum.accumulate([entry.score for entry in objective.entries])
        reached = np.flatnonzero(lowest <= problem.scores[0])
        needed.append(int(reached[0]) + 1 if len(reached) else len(problem.scores))
        for count in AT:
            best = lowest[min(count, len(lowest)) - 1]
            ranks[count].append(int(np.searchsorted(problem.scores, best - 1e-12)) + 1)
    return needed, ranks


def main() -> None:
    """All searchers."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    problem = stacks()
    for place, rank in (("best", 0), ("median", len(problem.scores) // 2), ("worst", -1)):
        results.add(f"{len(problem.scores)} stacks", f"{place} conductivity", [problem.scores[rank]], "W/(m K)")
    for name in suited(problem.space):
        needed, ranks = run(SEARCHERS[name], problem, seeds=3 if arguments.quick else 20)
        results.add(name, "to the optimum", needed, "designs", reference=PUBLISHED.get(name))
        for count, found in ranks.items():
            results.add(name, f"mean rank at {count}", [statistics.mean(found)], "")
    results.close()


if __name__ == "__main__":
    main()
