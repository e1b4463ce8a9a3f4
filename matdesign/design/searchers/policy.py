"""A policy shared by all sites, trained by PPO inside a learned model that also screens what it proposes."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from matdesign.design.searchers.searcher import Searcher
from matdesign.design.searchers.surrogate import Surrogate
from matdesign.design.spaces.decorations import Decoration, Decorations, assigned

CLIP = 0.2  # of the probability ratio
HIDDEN = 64  # units of the network
ENTROPY = 1.2  # times the root of the number of groups: weight of the entropy in the loss
EPOCHS = 4  # passes over each imagined batch


class PolicySearch(Searcher):
    """Every group is an agent that chooses its species; one network, shared by all, sees where the group is.

    The policy learns by PPO (Schulman et al. 2017, arXiv:1707.06347) on designs of its own that a Gaussian process,
    learned from the measurements, scores (as in Dyna: Sutton, ACM SIGART Bulletin 2, 160 (1991)). Of many designs it
    then proposes, those of largest expected improvement are measured: the model screens, the policy proposes.

    A group's logits are perturbed with Gumbel noise, and the groups that want a species most get it until there is none
    left, so that the composition is exact; the probability ratio of PPO takes the groups as independent, which is an
    approximation.

    Args:
        space: where to search.
        seed: of network, noise and first designs.
        first: random designs at the beginning.
        batch: designs measured at a time.
        proposals: designs of the policy that are screened for them.
        imagined: designs of one update of the policy.
        updates: of the policy between two batches.
        learning_rate: of Adam.
        entropy: weight of the policy's entropy in its loss, which keeps the proposals apart; default 1.2 over the root
            of the number of groups, as what one group does to the score falls like that.
        patience: designs in a row without a better one after which the policy begins anew; the model stays.
        explore: share of the proposals that are swaps of the best designs instead of the policy's.
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
        proposals: int = 256,
        imagined: int = 64,
        updates: int = 8,
        learning_rate: float = 1e-2,
        explore: float = 0.1,
        entropy: float | None = None,
        patience: int = 64,
    ) -> None:
        super().__init__(space, seed=seed)
        self.space: Decorations = space
        self._first, self._batch, self._proposals = first, batch, proposals
        self._imagined, self._updates, self._explore = imagined, updates, explore
        self._model = Surrogate(space)
        self._entropy = ENTROPY / space.size**0.5 if entropy is None else entropy
        self._patience = patience
        self._best: list[tuple[float, Decoration]] = []
        self._places = torch.from_numpy(_fourier(space).astype(np.float32))
        self._network = nn.Sequential(
            nn.Linear(self._places.shape[1], HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, len(space.species))
        )
        self._learning_rate, self._idle = learning_rate, 0
        self._begin()

    def ask(self) -> list[Decoration]:
        """The first designs at once, then one batch at a time."""
        if not len(self._model):
            return [self.space.random(self.rng) for _ in range(self._first)]
        for _ in range(self._updates):
            self._imagine()
        proposals = self._draw(self._proposals - int(self._explore * self._proposals))
        while len(proposals) < self._proposals:
            proposals.append(self.space.changed(self._best[self.rng.integers(len(self._best))][1], self.rng))
        fresh: dict[bytes, Decoration] = {}
        for i in np.argsort(-self._model.improvement(proposals), kind="stable"):
            if not self._model.known(proposals[i]):
                fresh.setdefault(self.space.name(proposals[i]), proposals[i])
            if len(fresh) == self._batch:
                break
        return list(fresh.values()) or [self.space.random(self.rng)]

    def tell(self, decorations: Sequence[Decoration], scores: Sequence[float]) -> None:
        """The model learns; the policy follows in the next `ask`."""
        self._model.add(decorations, scores)
        lowest = self._best[0][0] if self._best else np.inf
        self._idle = 0 if min(scores) < lowest else self._idle + len(scores)
        if self._idle >= self._patience:
            self._begin()
        self._best = sorted([*self._best, *zip(scores, decorations, strict=True)], key=lambda item: item[0])[:8]

    def _begin(self) -> None:
        """A policy that knows nothing yet."""
        self._idle = 0
        for parameter in self._network.parameters():
            drawn = self.rng.normal(size=parameter.shape) * 0.3 / parameter.shape[-1] ** 0.5
            with torch.no_grad():
                parameter.copy_(torch.from_numpy(drawn))
        self._optimizer = torch.optim.Adam(self._network.parameters(), lr=self._learning_rate)

    def _logits(self) -> Tensor:
        return torch.log_softmax(self._network(self._places), dim=-1)

    def _draw(self, count: int) -> list[Decoration]:
        with torch.no_grad():
            logits = self._logits().numpy()
        noisy = logits + self.rng.gumbel(size=(count, *logits.shape))
        return list(assigned(noisy, self.space.counts))

    def _imagine(self) -> None:
        """One PPO update on designs that the model scores."""
        drawn = self._draw(self._imagined)
        mean, deviation = self._model.predict(drawn)
        gain = -(mean - deviation)  # what may be good is worth a look
        advantage = torch.from_numpy((gain - gain.mean()) / (gain.std() + 1e-9)).float()[:, None]
        chosen = torch.from_numpy(np.array(drawn))
        rows = torch.arange(self.space.size)
        with torch.no_grad():
            before = self._logits()[rows, chosen]
        for _ in range(EPOCHS):
            ratio = torch.exp(self._logits()[rows, chosen] - before)
            loss = -torch.minimum(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage).mean()
            logits = self._logits()
            loss = loss + self._entropy * (logits.exp() * logits).sum(dim=-1).mean()
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()


def _fourier(space: Decorations) -> NDArray[np.float64]:
    """Cosines and sines of each group's place along the three cell vectors, down to the distance of two planes."""
    places = space.places
    waves = []
    for axis in range(3):
        planes = len(np.unique(np.round(places[:, axis], 4)))
        for n in range(1, planes // 2 + 1):
            waves += [np.cos(2 * np.pi * n * places[:, axis]), np.sin(2 * np.pi * n * places[:, axis])]
    return np.stack(waves, axis=1) if waves else np.ones((space.size, 1))
