"""`Fields`: policies that give every group of a lattice its species by where it is."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from matdesign.design.spaces.decorations import Decoration, Decorations, assigned

CLIP = 0.2  # of the probability ratio
EPOCHS = 4  # passes over the designs of one update
HIDDEN = 32  # units of a network
QUIET = 0.3  # standard deviation of a new policy's logits
LOUD = 3.0  # that of fields which nobody trains


class Fields:
    """Independent policies side by side, each a network shared by all groups: place in, logits of the species out.

    A place is given as waves along the three cell vectors. Each policy sees a random choice of the vectors and is blind
    to the others, so that some begin as stacks, columns or blocks: structures that vary along a few directions only.

    A group's logits are perturbed with Gumbel noise, and the groups that want a species most get it until there is none
    left, so that the composition is exact; the probability ratio of PPO takes the groups as independent, which is an
    approximation.

    Args:
        space: of the designs.
        rng: of networks and noise.
        count: policies.
        learning_rate: of Adam.
        entropy: weight of the policies' entropy in the loss.
    """

    def __init__(
        self, space: Decorations, rng: np.random.Generator, *, count: int, learning_rate: float, entropy: float
    ) -> None:
        self._rng, self._count, self._entropy = rng, count, entropy
        self._counts = space.counts
        self._waves, self._axes = _waves(space.places)
        inputs, outputs = self._waves.shape[1], len(space.species)
        self._seen = torch.zeros(count, 1, inputs)
        shapes = ((inputs, HIDDEN), (1, HIDDEN), (HIDDEN, outputs))
        self._weights = [torch.zeros(count, *shape, requires_grad=True) for shape in shapes]
        self._optimizer = torch.optim.Adam(self._weights, lr=learning_rate)
        for policy in range(count):
            self.begin(policy)

    def begin(self, policy: int) -> None:
        """Another policy, which knows nothing yet, in place of this one."""
        seen = self._directions(1)[0]
        self._seen[policy, 0] = torch.from_numpy(seen)
        scales = (1.0 / max(seen.sum(), 1.0) ** 0.5, 0.0, QUIET / HIDDEN**0.5)
        with torch.no_grad():
            for weights, scale in zip(self._weights, scales, strict=True):
                weights[policy] = torch.from_numpy(self._rng.normal(size=weights.shape[1:]) * scale)
                for moment in self._optimizer.state.get(weights, {}).values():
                    if moment.ndim:
                        moment[policy] = 0.0

    def untrained(self, count: int) -> list[Decoration]:
        """Designs of as many new policies with large logits: random patterns, smooth along some of the directions."""
        seen = self._directions(count)
        first = self._rng.normal(size=(count, self._waves.shape[1], 8))
        first *= 2.0 * (seen / np.maximum(seen.sum(axis=1, keepdims=True), 1.0) ** 0.5)[:, :, None]
        second = self._rng.normal(size=(count, 8, len(self._counts))) * LOUD / 8**0.5
        logits = np.tanh(self._waves @ first + self._rng.normal(size=(count, 1, 8))) @ second
        noise = self._rng.gumbel(size=logits.shape) * self._rng.random((count, 1, 1))
        return list(assigned(logits + noise, self._counts))

    def draw(self, count: int) -> NDArray[np.int64]:
        """Designs of each policy, int64 [policies, count, groups]."""
        with torch.no_grad():
            logits = self._logits().numpy()
        wishes = logits[:, None] + self._rng.gumbel(size=(self._count, count, *logits.shape[1:]))
        designs = assigned(wishes.reshape(-1, *logits.shape[1:]), self._counts)
        return designs.reshape(self._count, count, -1)

    def learn(self, designs: NDArray[np.int64], gains: NDArray[np.float64]) -> None:
        """One update by PPO (Schulman et al. 2017, arXiv:1707.06347), all groups of a design sharing its advantage.

        Args:
            designs: of each policy, as drawn.
            gains: how good they are, [policies, count]; more is better.
        """
        spread = gains.std(axis=1, keepdims=True) + 1e-9
        advantages = torch.from_numpy((gains - gains.mean(axis=1, keepdims=True)) / spread).float()[:, None]
        chosen = torch.from_numpy(designs).transpose(1, 2)
        with torch.no_grad():
            before = self._logits().gather(2, chosen)
        for _ in range(EPOCHS):
            logits = self._logits()
            loss = clipped(logits.gather(2, chosen) - before, advantages).mean(dim=(1, 2)).sum()
            loss = loss + self._entropy * (logits.exp() * logits).sum(dim=2).mean(dim=1).sum()
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()

    def _logits(self) -> Tensor:
        first, shift, second = self._weights
        places = torch.from_numpy(self._waves.astype(np.float32)) * self._seen
        return torch.log_softmax(torch.bmm(torch.tanh(torch.baddbmm(shift, places, first)), second), dim=2)

    def _directions(self, count: int) -> NDArray[np.float64]:
        """Which waves are seen, 1.0 or 0.0, [count, waves]: all those along a random choice of directions."""
        there = np.isin(np.arange(3), self._axes)
        chosen = self._rng.random((count, 3)) < 0.5
        while not (good := (chosen & there).any(axis=1)).all():
            chosen[~good] = self._rng.random((int((~good).sum()), 3)) < 0.5
        return chosen[:, self._axes].astype(float)


def clipped(change: Tensor, advantages: Tensor) -> Tensor:
    """PPO's loss of each choice, from the change of its log-probability."""
    ratio = torch.exp(change)
    return -torch.minimum(ratio * advantages, ratio.clamp(1 - CLIP, 1 + CLIP) * advantages)


def _waves(places: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Cosines and sines of the places along the cell vectors, down to the distance of two planes; vector of each."""
    waves, axes = [], []
    for axis in range(3):
        planes = len(np.unique(np.round(places[:, axis], 4)))
        for n in range(1, planes // 2 + 1):
            waves += [np.cos(2 * np.pi * n * places[:, axis]), np.sin(2 * np.pi * n * places[:, axis])]
            axes += [axis, axis]
    if not waves:
        return np.ones((len(places), 1)), np.zeros(1, np.int64)
    return np.stack(waves, axis=1), np.array(axes)
