"""A trained policy that steers the atoms, as a search."""

from collections.abc import Sequence

import numpy as np

from matdesign.agents.policies import Policy
from matdesign.design.flight import fly
from matdesign.design.ledger import Cost
from matdesign.design.searchers.searcher import Searcher
from matdesign.design.spaces.arrangements import Arrangement, Arrangements
from matdesign.errors import InputError
from matdesign.vector import Vector


class Steering(Searcher):
    """Episodes of a policy that steers every atom by what it sees around it; where they end is what is proposed.

    The policy may have been trained on another number of atoms. It learns nothing here, and what its training cost is
    not counted here either. All force evaluations of an episode are, those of its start and relaxation included; which
    of them are MD steps is not told apart.

    Args:
        space: where to search.
        seed: of the episodes' starts.
        policy: trained, on the CPU.
        vector: environments of the same atoms in this process; it stays open.
        deterministic: the policy's mean action instead of a sampled one.

    Raises:
        InputError: the environments have another number of atoms.
    """

    name = "steering"
    spaces = (Arrangements,)

    def __init__(
        self, space: Arrangements, *, seed: int, policy: Policy, vector: Vector, deterministic: bool = True
    ) -> None:
        super().__init__(space, seed=seed)
        if vector.agents != len(space.atoms):
            raise InputError(
                f"the environments steer {vector.agents} atoms, the space has {len(space.atoms)}: open them for those"
            )
        self.space: Arrangements = space
        self._policy, self._vector, self._deterministic = policy, vector, deterministic

    def ask(self) -> list[Arrangement]:
        """One episode in each environment; those in which the simulation failed cost, but propose nothing."""
        flight = fly(
            self._vector,
            self._policy,
            episodes=self._vector.envs,
            seed=int(self.rng.integers(2**31)),
            deterministic=self._deterministic,
        )
        self.cost += Cost(evaluations=sum(result.evaluations for result in flight.results))
        cell = self.space.atoms.cell.array if self.space.dimension > 3 * len(self.space.atoms) else np.zeros((0, 3))
        return [np.concatenate([result.positions, cell]) for result in flight.results if not result.failed]

    def tell(self, designs: Sequence[Arrangement], scores: Sequence[float]) -> None:
        """Nothing is learned."""
