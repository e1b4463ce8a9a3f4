"""`Objective`: measures proposed designs against targets and keeps the ledger of what that cost."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

from matdesign.design.ledger import Cost
from matdesign.design.searchers.searcher import Searcher
from matdesign.design.spaces.space import Design, Space
from matdesign.errors import SimulationError
from matdesign.properties import Cache, Measurement, measure
from matdesign.rewards.target import Constraint, Target, labels
from matdesign.sim import Material

IDLE = 1000  # questions without a new design after which a search is over


@dataclass(frozen=True, kw_only=True, eq=False)
class Entry:
    """One design that was proposed.

    Attributes:
        design: the canonical one of its name, settled.
        score: lower is better: the distance from the target in its property's unit, or the weighted sum of the scaled
            distances from several; infinite where it could not be measured or breaks a constraint.
        measurements: of targets and constraints, by their labels; none where it failed.
        violation: by how much it breaks constraints, in their scales; 0 where it keeps them.
        cost: of the whole search up to and including this design.
    """

    design: Design
    score: float
    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    violation: float = 0.0
    cost: Cost = field(default_factory=Cost)


class Objective:
    """Scores designs; those that are the same by symmetry are one design, the canonical one, measured once.

    All designs are measured with the same seed: common random numbers. Constraints are measured first, and a design
    that breaks one is not measured any further.

    Attributes:
        space: of the designs.
        targets: what they are for.
        entries: designs in the order in which they were first asked for.
        cost: of all of them, and of what the searcher spent to propose them.

    Args:
        space: see above.
        targets: one or several.
        material: how their atoms interact.
        constraints: hard ones.
        minimum_distance: hard, too: smallest allowed distance of two atoms, in the material's unit.
        seed: of the measurements.
        seeds: samples of each measurement; default: the property's own.
        cache: of samples; default: in memory. What comes from it counts all the same.
        library: path of a liblammps.so.
    """

    def __init__(
        self,
        space: Space,
        targets: Target | Sequence[Target],
        material: Material,
        *,
        constraints: Sequence[Constraint] = (),
        minimum_distance: float = 0.0,
        seed: int = 0,
        seeds: int | None = None,
        cache: Cache | None = None,
        library: str | None = None,
    ) -> None:
        self.space = space
        self.targets = labels([targets] if isinstance(targets, Target) else targets)
        self.constraints = labels(constraints, self.targets)
        self.entries: list[Entry] = []
        self.cost = Cost()
        self._known: dict[bytes, Entry] = {}
        self._minimum_distance = minimum_distance
        self._material, self._seed, self._seeds, self._library = material, seed, seeds, library
        self._cache = cache or Cache(None)

    def __call__(self, design: Design) -> Entry:
        """What is known of it, measured if it is new.

        Raises:
            InputError: a property makes no sense for such a structure.
        """
        name = self.space.name(design)
        if name not in self._known:
            self._known[name] = self._measured(self.space.canonical(design))
            self.entries.append(self._known[name])
        return self._known[name]

    def settled(self, design: Design) -> Design:
        """The design after it was left to itself; as it was, if it falls apart."""
        try:
            design, cost = self.space.settled(design)
        except SimulationError:
            return design
        self.cost += cost
        return design

    @property
    def best(self) -> Entry:
        """The entry of lowest score, the first of equals."""
        return min(self.entries, key=lambda entry: (entry.score, entry.violation))

    @property
    def front(self) -> list[Entry]:
        """Entries that none beats in all targets at once: the Pareto front."""
        scored = [entry for entry in self.entries if np.isfinite(entry.score)]
        rows = np.array([[self.targets[key].distance(entry.measurements[key].value) for key in self.targets]
                         for entry in scored])  # fmt: skip
        return [
            entry
            for entry, row in zip(scored, rows, strict=True)
            if not ((rows <= row).all(axis=1) & (rows < row).any(axis=1)).any()
        ]

    def _measured(self, design: Design) -> Entry:
        found: dict[str, Measurement] = {}
        violation = score = 0.0
        self.cost += Cost(measurements=1)
        structure = self.space.structure(design)
        try:
            violation = self._overlap(structure)
            for label, constraint in self.constraints.items():
                if not violation:
                    found[label] = self._measure(constraint, structure)
                    violation += constraint.violation(found[label].value)
            for label, target in self.targets.items():
                if not violation:
                    found[label] = self._measure(target, structure)
                    distance = target.distance(found[label].value)
                    score += distance if len(self.targets) == 1 else target.weight * distance / target.scale
        except SimulationError:
            found, score = {}, np.inf
        usable = not violation and np.isfinite(score)
        return Entry(
            design=design,
            score=score if usable else np.inf,
            measurements=found,
            violation=violation,
            cost=self.cost,
        )

    def _overlap(self, structure: Atoms) -> float:
        """By how much the closest pair is nearer than the minimum distance, as a share of that."""
        if not self._minimum_distance:
            return 0.0
        distances = neighbor_list("d", structure, self._minimum_distance)
        return 1.0 - float(distances.min()) / self._minimum_distance if len(distances) else 0.0

    def _measure(self, asked: Target | Constraint, structure: Atoms) -> Measurement:
        found = measure(
            asked.property,
            structure,
            self._material,
            seed=self._seed,
            seeds=self._seeds,
            cache=self._cache,
            library=self._library,
        )
        self.cost += Cost.of(found)
        if not math.isfinite(found.value):
            raise SimulationError(f"{asked.property.name} is {found.value}")
        return found


def search(
    searcher: Searcher,
    objective: Objective,
    *,
    budget: int,
    evaluations: int | None = None,
    show: Callable[[Objective], None] | None = None,
) -> Sequence[Entry]:
    """Lets a searcher ask and be told until its budget is spent, or it proposes nothing new any more.

    A searcher is told finite scores only: what could not be measured or breaks a constraint is told as worse than
    everything measured so far, by what it breaks the constraints.

    Args:
        searcher: who asks.
        objective: who measures; it may hold entries from before.
        budget: designs measured.
        evaluations: force evaluations of all kinds, after which no more is asked; default: no limit.
        show: called after each round.

    Returns:
        the entries of the objective, at most `budget`.
    """
    idle = 0
    while len(objective.entries) < budget and idle < IDLE:
        if evaluations is not None and objective.cost.evaluations >= evaluations:
            break
        before = len(objective.entries)
        spent, start = searcher.cost, time.perf_counter()
        asked = searcher.ask()[: budget - before]
        objective.cost += searcher.cost - spent + Cost(seconds=time.perf_counter() - start)
        designs = [objective.settled(design) for design in asked]
        entries = [objective(design) for design in designs]
        worst = max((entry.score for entry in objective.entries if np.isfinite(entry.score)), default=1.0)
        scores = [
            entry.score if np.isfinite(entry.score) else worst + (abs(worst) or 1.0) * (0.1 + entry.violation)
            for entry in entries
        ]
        start = time.perf_counter()
        searcher.tell(designs, scores)
        objective.cost += Cost(seconds=time.perf_counter() - start)
        idle = idle + 1 if len(objective.entries) == before else 0
        if show is not None:
            show(objective)
    return objective.entries
