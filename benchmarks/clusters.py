"""Ground states of Lennard-Jones clusters from random starts: force evaluations per success, for every way to search.

python benchmarks/clusters.py [--quick] [--json FILE]     half an hour of CPU time; quick: a minute

Every search spends the same number of force evaluations on each seed, relaxations and molecular dynamics included; one
that found the ground state begins anew with another seed. `evaluations per success` has the spread of the seeds that
had any, `pooled` are those of all seeds over all successes. `gap` is the energy of the best that a seed found, above
the ground state. Multi-start relaxes random clouds, or random clouds that have a point group. The policy is trained on
13 atoms, once for each seed, and flown on all sizes; what its training took is told apart.

A searcher of your own goes through the same: derive it from `matdesign.design.searchers.Searcher` and call
`run(MySearcher, atoms=38, seed=0, budget=500_000)`.
"""

import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import table
from ase import Atoms
from joblib import Parallel, delayed

from matdesign.config import load
from matdesign.design.assembly import make_policy, open_vector
from matdesign.design.ledger import Cost
from matdesign.design.searchers import SEARCHERS, Searcher
from matdesign.design.searchers.steering import Steering
from matdesign.design.spaces.arrangements import Arrangement, Arrangements
from matdesign.design.training import trained_policy, training_evaluations

MATERIAL = load(["material=argon_cluster"]).material
REFERENCES = {13: -44.326801, 19: -72.659782, 38: -173.928427}  # epsilon: Cambridge Cluster Database
BUDGETS = {13: 20_000, 19: 100_000, 38: 500_000}  # force evaluations of one seed
REACHED = 1e-3  # epsilon above the reference
METHODS: dict[str, tuple[str, dict[str, Any]]] = {  # searcher, and options of the space
    "multi-start": ("random", {}),
    "symmetric multi-start": ("random", {"symmetric": 1.0}),
    "basin hopping": ("basin_hopping", {}),
    "minima hopping": ("minima_hopping", {}),
    "genetic": ("genetic", {}),
    "MD annealing": ("md_annealing", {}),
    "CMA-ES": ("cma_es", {}),
}
INDEPENDENT = ("random", "md_annealing")  # do not learn from one design to the next
TRAINING = ("env=atoms/cluster", "material=argon_cluster", "quiet=true")

Make = Callable[..., Searcher]


@dataclass(frozen=True)
class Outcome:
    """What one seed came to: force evaluations spent, successes, and the lowest energy above the reference, epsilon."""

    evaluations: int
    successes: int
    gap: float


def run(make: Make, *, atoms: int, seed: int, budget: int, repeats: bool = False, **options: Any) -> Outcome:
    """Searches until the budget is spent.

    Energies are read in the simulation that relaxes, one force evaluation each, as an `Objective` counts them too: to
    open another LAMMPS for each would take longer than all else.

    Args:
        make: called with a space and a seed.
        atoms: how many.
        seed: of everything random.
        budget: force evaluations.
        repeats: whether designs do not depend on each other, so that each counts and nothing begins anew.
        options: of the space.
    """
    cost, successes, lowest = Cost(), 0, math.inf
    with Arrangements(Atoms(["Ar"] * atoms), MATERIAL, **options) as space:
        seeds = np.random.SeedSequence(seed)
        while cost.evaluations < budget:
            searcher, found = make(space, seed=int(seeds.spawn(1)[0].generate_state(1)[0])), 0
            while cost.evaluations < budget and (repeats or not found):
                spent = searcher.cost
                designs = searcher.ask()
                cost += searcher.cost - spent
                settled, energies = [], []
                for design in designs:
                    relaxed, relaxing = space.settled(design)
                    energy, reading = read(space, relaxed)
                    settled.append(relaxed)
                    energies.append(energy)
                    cost += relaxing + reading
                above = np.array(energies) / MATERIAL.energy_scale - REFERENCES[atoms]
                searcher.tell(settled, energies)
                found += int((above < REACHED).sum()) if repeats else int((above < REACHED).any())
                lowest = min(lowest, float(above.min()))
            successes += found
    return Outcome(cost.evaluations, successes, max(lowest, 0.0))


def read(space: Arrangements, arrangement: Arrangement) -> tuple[float, Cost]:
    """Its potential energy."""
    energies: list[float] = []
    _, cost = space.simulated(arrangement, lambda simulation: energies.append(simulation.energy))
    return (energies or [math.inf])[0], cost


def fly(folder: Path, *, atoms: int, seed: int, budget: int) -> Outcome:
    """The same for the policy in a folder."""
    config = load([*TRAINING, f"material.structure.atoms={atoms}"])
    with open_vector(config, own_memory=True) as vector:
        policy = trained_policy(folder, make_policy(config, vector))
        make = partial(Steering, policy=policy, vector=vector)
        return run(make, atoms=atoms, seed=seed, budget=budget, repeats=True)


def train(folder: Path, seed: int, settings: Sequence[str]) -> int:
    """Trains a policy on 13 atoms into the folder, unless one is there; its force evaluations."""
    if not (folder / "metrics.csv").exists():
        command = [sys.executable, "-m", "matdesign", "train", *TRAINING, f"seed={seed}", f"output={folder}", *settings]
        subprocess.run(command, check=True, capture_output=True)
    return training_evaluations(folder)


def show(results: table.Table, case: str, outcomes: Sequence[Outcome]) -> None:
    """The rows of one method and size."""
    successes = [outcome.successes for outcome in outcomes]
    results.add(case, "successes of a seed", successes, "")
    results.add(case, "seeds with a success", [sum(count > 0 for count in successes)], f"of {len(outcomes)}")
    if any(successes):
        costs = [outcome.evaluations / outcome.successes for outcome in outcomes if outcome.successes]
        results.add(case, "evaluations per success", costs, "")
        total = sum(outcome.evaluations for outcome in outcomes)
        results.add(case, "pooled", [total / sum(successes)], "")
    results.add(case, "gap", [outcome.gap for outcome in outcomes], "epsilon")


def main(folder: Path, *, seeds: int = 5, processes: int = 2) -> None:
    """All searches on all sizes.

    Args:
        folder: for the policies.
        seeds: of each search.
        processes: side by side.
    """
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    sizes, settings = tuple(REFERENCES), []
    if arguments.quick:
        seeds, sizes, settings = 2, (13,), ["agent.ppo.total_agent_steps=200000"]
    folders = [folder / str(seed) for seed in range(seeds)]
    with Parallel(n_jobs=processes) as parallel:
        spent = parallel(delayed(train)(path, seed, settings) for seed, path in enumerate(folders))
        results.add("policy", "training evaluations", spent, "")
        for atoms in sizes:
            budget = BUDGETS[atoms]
            flights = (delayed(fly)(path, atoms=atoms, seed=k, budget=budget) for k, path in enumerate(folders))
            show(results, f"{atoms} policy", parallel(flights))
            for name, (method, options) in METHODS.items():
                repeats = method in INDEPENDENT
                work = partial(run, SEARCHERS[method], atoms=atoms, budget=budget, repeats=repeats, **options)
                show(results, f"{atoms} {name}", parallel(delayed(work)(seed=seed) for seed in range(seeds)))
    results.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(temporary))
