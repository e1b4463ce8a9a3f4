"""Minima hopping."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from matdesign.design.searchers.searcher import Searcher
from matdesign.design.spaces.arrangements import Arrangement, Arrangements
from matdesign.properties import dynamics
from matdesign.properties.units import UNITS
from matdesign.sim import Simulation

LONGEST = 1000  # MD steps of one escape


class MinimaHopping(Searcher):
    """Molecular dynamics out of each minimum, as hot as needed, and relaxation into the next one.

    Goedecker, J. Chem. Phys. 120, 9911 (2004), doi:10.1063/1.1724816. An escape is a short trajectory from random
    velocities, which ends at a minimum of the potential energy along it. Its temperature rises where it led back or to
    a minimum seen before, and falls where that is new. The new minimum is accepted if its score is less than
    `threshold` above the present one; the threshold falls with each acceptance and rises with each refusal, so that
    half are accepted. Velocities are not softened.

    Args:
        space: where to search.
        seed: of the velocities.
        temperature: of the first escape, kB T in energy scales.
        same: factor of the temperature where the escape failed.
        seen: where it led to a minimum that is known.
        new: where it did not.
        threshold: of the first acceptance, in the score's unit; default: the difference of the first two minima.
        accepted: factor of the threshold after an acceptance.
        refused: after a refusal.
        minima: of the potential energy along the trajectory, the last of which is its end.
    """

    name = "minima_hopping"
    spaces = (Arrangements,)

    def __init__(
        self,
        space: Arrangements,
        *,
        seed: int,
        temperature: float = 0.5,
        same: float = 1.1,
        seen: float = 1.1,
        new: float = 1 / 1.1,
        threshold: float | None = None,
        accepted: float = 0.98,
        refused: float = 1 / 0.98,
        minima: int = 2,
    ) -> None:
        super().__init__(space, seed=seed)
        self.space: Arrangements = space
        self.temperature, self.threshold = temperature, threshold
        self._same, self._seen, self._new = same, seen, new
        self._accepted, self._refused, self._minima = accepted, refused, minima
        self._present: Arrangement | None = None
        self._score = np.inf
        self._known: set[bytes] = set()

    def ask(self) -> list[Arrangement]:
        """A random arrangement, then the end of an escape from the present one."""
        if self._present is None:
            return [self.space.random(self.rng)]
        escaped, cost = self.space.simulated(self._present, self._escape)
        self.cost += replace(cost, seconds=0.0)
        return [escaped]

    def tell(self, designs: Sequence[Arrangement], scores: Sequence[float]) -> None:
        """Feedback on temperature and threshold."""
        (proposal,), (score,) = designs, scores
        name = self.space.name(proposal)
        known = name in self._known
        self._known.add(name)
        if self._present is None:
            self._present, self._score = proposal, score
        elif name == self.space.name(self._present):
            self.temperature *= self._same
        else:
            self.temperature *= self._seen if known else self._new
            if self.threshold is None:
                self.threshold = abs(score - self._score)
            if score - self._score < self.threshold:
                self._present, self._score = proposal, score
                self.threshold *= self._accepted
            else:
                self.threshold *= self._refused

    def _escape(self, simulation: Simulation) -> None:
        temperature = self.temperature * simulation.material.energy_scale / UNITS[simulation.material.units].boltzmann
        dynamics.set_velocities(simulation, temperature, int(self.rng.integers(2**31)))
        before, last, left = -np.inf, -np.inf, self._minima  # the start is none of them
        for _ in range(LONGEST):
            simulation.step(1, energies=True)
            energy = simulation.energy
            left -= before > last < energy
            if not left:
                break
            before, last = last, energy
