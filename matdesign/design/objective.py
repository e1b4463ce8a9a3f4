"""`Objective`: measures proposed designs against a target and keeps the ledger of what that cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from matdesign.design.decorations import Decoration, Decorations
from matdesign.design.searchers.searcher import Searcher
from matdesign.errors import SimulationError
from matdesign.properties import Cache, Measurement, measure
from matdesign.rewards.target import Target
from matdesign.sim import Material

IDLE = 1000  # questions without a new design after which a search is over


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One design that was measured.

    Attributes:
        decoration: the design.
        score: its distance from the target; infinite where it could not be measured.
        measurement: of the target's property, None where it failed.
    """

    decoration: Decoration
    score: float
    measurement: Measurement | None


class Objective:
    """Scores decorations; those that are the same by symmetry are one design, the canonical one, measured once.

    All designs are measured with the same seed: common random numbers.

    Attributes:
        entries: designs in the order in which they were first asked for.

    Args:
        space: of the designs.
        target: what they are for.
        material: how their atoms interact.
        seed: of the measurements.
        seeds: samples of each measurement; default: the property's own.
        cache: of samples; default: in memory. What comes from it counts all the same.
        library: path of a liblammps.so.
    """

    def __init__(
        self,
        space: Decorations,
        target: Target,
        material: Material,
        *,
        seed: int = 0,
        seeds: int | None = None,
        cache: Cache | None = None,
        library: str | None = None,
    ) -> None:
        self.space, self.target = space, target
        self.entries: list[Entry] = []
        self._known: dict[bytes, Entry] = {}
        self._material, self._seed, self._seeds, self._library = material, seed, seeds, library
        self._cache = cache or Cache(None)

    def __call__(self, decoration: Decoration) -> float:
        """Its score.

        Raises:
            InputError: the property makes no sense for such a structure.
        """
        name = self.space.name(decoration)
        if name not in self._known:
            self._known[name] = self._measured(self.space.canonical(decoration))
            self.entries.append(self._known[name])
        return self._known[name].score

    @property
    def evaluations(self) -> int:
        """Property evaluations: designs measured."""
        return len(self.entries)

    @property
    def steps(self) -> int:
        """Force evaluations spent on all of them, one for each MD step."""
        return sum(entry.measurement.steps for entry in self.entries if entry.measurement)

    @property
    def seconds(self) -> float:
        """Spent on measuring."""
        return sum(entry.measurement.seconds for entry in self.entries if entry.measurement)

    @property
    def best(self) -> Entry:
        """The entry of lowest score, the first of equals."""
        return min(self.entries, key=lambda entry: entry.score)

    def _measured(self, decoration: Decoration) -> Entry:
        try:
            found = measure(
                self.target.property,
                self.space.structure(decoration),
                self._material,
                seed=self._seed,
                seeds=self._seeds,
                cache=self._cache,
                library=self._library,
            )
        except SimulationError:
            return Entry(decoration=decoration, score=np.inf, measurement=None)
        score = self.target.distance(found.value)
        return Entry(decoration=decoration, score=score if np.isfinite(score) else np.inf, measurement=found)


def search(
    searcher: Searcher, objective: Objective, *, budget: int, show: Callable[[Objective], None] | None = None
) -> Sequence[Entry]:
    """Lets a searcher ask and be told until `budget` designs were measured, or it proposes nothing new any more.

    Returns:
        the entries of the objective, at most `budget`.
    """
    idle = 0
    while objective.evaluations < budget and idle < IDLE:
        before = objective.evaluations
        decorations = searcher.ask()[: budget - before]
        scores = [objective(decoration) for decoration in decorations]
        searcher.tell(decorations, scores)
        idle = idle + 1 if objective.evaluations == before else 0
        if show is not None:
            show(objective)
    return objective.entries
