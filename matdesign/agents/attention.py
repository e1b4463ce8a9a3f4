"""Attention over the neighbours of an agent: their order does not matter, and those who are absent have no effect."""

from collections.abc import Sequence
from typing import Unpack

import torch
from torch import Tensor, nn

from matdesign.agents.distributions import Distribution, Head
from matdesign.agents.normalise import RunningStatistics
from matdesign.agents.policies import Layers, Output, Policy, orthogonal
from matdesign.agents.team import with_summary
from matdesign.envs.layout import NeighbourList

STEEPEST = 3.0  # largest score
WIDTH = 32  # of a message: neighbours are many, and what is done for each of them is most of the work


class NeighbourAttention(nn.Module):
    r"""What an agent makes of its neighbours, by additive attention (Brody et al. 2021, arXiv:2105.14491).

    A message depends on the neighbour and on the agent itself; the agent attends to messages by their weight:

        m_j = relu(W n_j + V x + b),    s_j = 3 tanh(v . m_j + c),    a_j = w_j exp(s_j) / (1 + sum_l w_l exp(s_l))

    The one in the denominator is nobody: with w_j -> 0 a neighbour fades out, be it the last one, and as scores are
    bounded it does so gently.

    Args:
        own: columns of the agent's own part x.
        columns: of a neighbour n_j.
        generator: of the initial parameters.
    """

    def __init__(self, own: int, columns: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.own = nn.Linear(own, WIDTH)
        self.neighbour = nn.Linear(columns, WIDTH, bias=False)
        self.score = Output(WIDTH, 1, gain=0.1, generator=generator)
        orthogonal(self.own, 1.0, generator)
        nn.init.orthogonal_(self.neighbour.weight, generator=generator)

    def forward(self, own: Tensor, neighbours: Tensor, presence: Tensor) -> Tensor:
        """Own part [n, own], neighbours [n, k, columns], presence w [n, k] -> sum a_j m_j, [n, WIDTH]."""
        messages = torch.relu(self.neighbour(neighbours) + self.own(own)[:, None])
        scores = STEEPEST * torch.tanh(self.score(messages).squeeze(2)) + presence.log()
        shares = torch.softmax(nn.functional.pad(scores, (1, 0)), dim=1)[:, 1:]
        return (shares[:, :, None] * messages).sum(1)


class AttentionPolicy(Policy):
    """A policy on the agent's own part of an observation and on what `NeighbourAttention` makes of its neighbours.

    A neighbour is present by the largest magnitude of its columns, 1 at most: environments show an absent one as zeros,
    and fade out one who leaves.

    Args:
        features: columns of an observation, float32.
        neighbours: where among them the neighbours are.
        action_dims: as for `MLPPolicy`.
        choices: as for `MLPPolicy`.
        log_sigma: as for `MLPPolicy`.
        seed: of the initial parameters.
        layers: as for `Policy`.
    """

    def __init__(
        self,
        features: int,
        neighbours: NeighbourList,
        action_dims: int,
        choices: int | Sequence[int],
        *,
        log_sigma: float = -0.5,
        seed: int = 0,
        **layers: Unpack[Layers],
    ) -> None:
        head = Head(action_dims, choices)
        own = features - neighbours.count * neighbours.columns
        generator = torch.Generator().manual_seed(seed)
        super().__init__(own + WIDTH, head.inputs, generator, summarised=own, **layers)
        self.neighbours = neighbours
        self.parts = [own, neighbours.count * neighbours.columns, 2 * self.team]
        self.head = head
        self.statistics = RunningStatistics(own)
        self.neighbour_statistics = RunningStatistics(neighbours.columns)
        self.attention = NeighbourAttention(own, neighbours.columns, generator=generator)
        self.log_sigma = head.log_sigma(log_sigma)

    def encode(self, observations: Tensor) -> Tensor:
        """Observations [n, features] -> [n, own columns + those of the neighbours], and a summary."""
        first, last = self.neighbours.first, self.neighbours.last
        parts = [observations[:, :first], observations[:, last:], observations[:, first:last]]
        return with_summary(torch.cat(parts, dim=1), self.team)

    def inputs(self, encoded: Tensor) -> Tensor:
        """Own columns, normalised, and what the agent attends to, [n, own columns + WIDTH]."""
        own, neighbours, presence = self._taken_apart(encoded)
        own = self.statistics(own)
        return torch.cat([own, self.attention(own, self.neighbour_statistics(neighbours), presence)], dim=1)

    def distribution(self, output: Tensor, encoded: Tensor) -> Distribution:
        """Output [n, outputs] -> action distribution of n rows."""
        return self.head(output, self.log_sigma)

    def update_statistics(self, encoded: Tensor) -> None:
        """Adds own columns, and those of all neighbours there are, to the statistics of the input."""
        own, neighbours, presence = self._taken_apart(encoded)
        self.statistics.update(own)
        self.neighbour_statistics.update(neighbours[presence > 0.0])

    def _taken_apart(self, encoded: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Own columns [n, own], neighbours [n, k, columns], their presence [n, k]."""
        own, neighbours, _ = torch.split(encoded, self.parts, dim=1)
        each = neighbours.reshape(len(encoded), self.neighbours.count, self.neighbours.columns)
        return own, each, each.abs().amax(2).clamp(max=1.0)
