"""Policies shared by all sites, trained by PPO inside a learned model that also screens what they propose."""

from collections.abc import Sequence

import numpy as np

from matdesign.design.searchers.fields import Fields
from matdesign.design.searchers.searcher import Searcher
from matdesign.design.searchers.surrogate import Surrogate
from matdesign.design.spaces.decorations import Decoration, Decorations

ENTROPY = 1.2  # times the root of the number of groups: weight of the entropy in the loss
LIFE = 64  # rounds after which a policy begins anew
LARGE = 0.25  # share of large changes among those of the best designs
BEST = 8  # designs that are changed


class PolicySearch(Searcher):
    """Every group is an agent that chooses its species; one network, shared by all, sees where the group is.

    Several such policies (`Fields`) learn by PPO on designs of their own that a Gaussian process, learned from the
    measurements, scores (as in Dyna: Sutton, ACM SIGART Bulletin 2, 160 (1991)). One after the other begins anew, as a
    policy that has converged explores no more. Of what the policies, new untrained ones and small changes of the best
    designs propose, the designs of largest expected improvement are measured: the model screens.

    Args:
        space: where to search.
        seed: of networks, noise and first designs.
        first: designs at the beginning, half of them random and half of untrained policies.
        batch: designs measured at a time.
        policies: that learn side by side.
        draws: proposals of each policy.
        untrained: proposals of untrained policies.
        changes: proposals that are changes of the best designs.
        imagined: designs of each policy in one update.
        updates: of the policies between two batches.
        learning_rate: of Adam.
        entropy: weight of the policies' entropy in their loss, which keeps the proposals apart; default 1.2 over the
            root of the number of groups, as what one group does to the score falls like that.
    """

    name = "policy"
    spaces = (Decorations,)

    def __init__(
        self,
        space: Decorations,
        *,
        seed: int,
        first: int = 8,
        batch: int = 1,
        policies: int = 4,
        draws: int = 48,
        untrained: int = 64,
        changes: int = 64,
        imagined: int = 32,
        updates: int = 4,
        learning_rate: float = 1e-2,
        entropy: float | None = None,
    ) -> None:
        super().__init__(space, seed=seed)
        self.space: Decorations = space
        self._first, self._batch, self._policies = first, batch, policies
        self._draws, self._untrained, self._changes = draws, untrained, changes
        self._imagined, self._updates = imagined, updates
        self._model = Surrogate(space)
        weight = ENTROPY / space.size**0.5 if entropy is None else entropy
        self._fields = Fields(space, self.rng, count=policies, learning_rate=learning_rate, entropy=weight)
        self._best: list[tuple[float, Decoration]] = []
        self._rounds = 0

    def ask(self) -> list[Decoration]:
        """The first designs at once, then one batch at a time."""
        if not len(self._model):
            half = self._first // 2
            return self._fields.untrained(self._first - half) + [self.space.random(self.rng) for _ in range(half)]
        self._rounds += 1
        for policy in range(self._policies):  # at different times
            if self._rounds % LIFE == LIFE * policy // self._policies:
                self._fields.begin(policy)
        for _ in range(self._updates):
            self._imagine()
        proposals = list(self._fields.draw(self._draws).reshape(-1, self.space.size))
        proposals += self._fields.untrained(self._untrained) + [self._changed() for _ in range(self._changes)]
        proposals = list(np.unique(proposals, axis=0))
        fresh: dict[bytes, Decoration] = {}
        for i in np.argsort(-self._model.improvement(proposals), kind="stable"):
            if not self._model.known(proposals[i]):
                fresh.setdefault(self.space.name(proposals[i]), proposals[i])
            if len(fresh) == self._batch:
                break
        return list(fresh.values()) or [self.space.random(self.rng)]

    def tell(self, designs: Sequence[Decoration], scores: Sequence[float]) -> None:
        """The model learns; the policies follow in the next `ask`."""
        self._model.add(designs, scores)
        self._best = sorted([*self._best, *zip(scores, designs, strict=True)], key=lambda item: item[0])[:BEST]

    def _changed(self) -> Decoration:
        design = self._best[self.rng.integers(len(self._best))][1]
        for _ in range(1 + self.rng.poisson(1.0)):
            change = self.space.rearranged if self.rng.random() < LARGE else self.space.changed
            design = change(design, self.rng)
        return design

    def _imagine(self) -> None:
        """One update of the policies on designs that the model scores."""
        drawn = self._fields.draw(self._imagined)
        mean, deviation = self._model.predict(list(drawn.reshape(-1, self.space.size)))
        gains = deviation - mean  # what may be good is worth a look
        self._fields.learn(drawn, gains.reshape(self._policies, self._imagined))
