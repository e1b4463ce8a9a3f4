"""Policies for atoms whose action turns with the world."""

import math
from typing import Unpack

import torch
from torch import Tensor, nn

from matdesign.agents.attention import WIDTH, NeighbourAttention
from matdesign.agents.distributions import Gaussian
from matdesign.agents.invariants import Invariants
from matdesign.agents.normalise import RunningStatistics
from matdesign.agents.policies import Layers, Policy, orthogonal
from matdesign.agents.team import with_summary
from matdesign.envs.layout import AtomsLayout


class EquivariantPolicy(Policy):
    r"""Rotation- and reflection-equivariant policy over rows of `AtomsLayout`.

    The network sees invariants x of the observation only: scalars, lengths of vectors and dot products between them.
    Its outputs weigh vectors of the observation, so that a rotated world gives the rotated action:

        a ~ N(sum_b c_b(x) B_b, sigma(x)^2 I_3),    log sigma in (minimum, maximum)

    | symbol | meaning |
    |---|---|
    | B_b | own vectors; mean relative velocity of the neighbours; unit vectors u_j to the neighbours, times w_j |
    | w_j | clip(3 - d_j, 0, 1), d_j scaled distance: a neighbour fades out before it leaves the list; 0 where none |
    | c_b | weights, a tanh network's outputs, close to 0 at first |

    Only x is normalised, by running statistics; Cartesian components never are, that would break the symmetry. The
    network knows neighbours by their rank, the nearest first; `EquivariantAttentionPolicy` does not.

    Args:
        layout: columns of an observation, float32; those behind its last neighbour are not looked at.
        log_sigma: initial logarithm of sigma, in units of the action; between the two bounds.
        log_sigma_minimum: lower bound.
        log_sigma_maximum: upper bound.
        seed: of the initial parameters.
        layers: as for `Policy`; all of them, and the memory, see invariants only.
    """

    def __init__(
        self,
        layout: AtomsLayout,
        *,
        log_sigma: float = -1.5,
        log_sigma_minimum: float = -3.5,
        log_sigma_maximum: float = 0.0,
        seed: int = 0,
        **layers: Unpack[Layers],
    ) -> None:
        seen = Invariants(layout)
        self.basis = seen.vectors
        self.invariants = seen.own + layout.neighbours * seen.neighbour
        generator = torch.Generator().manual_seed(seed)
        super().__init__(self.invariants, self.basis + 1, generator, summarised=self.invariants, **layers)
        self.seen = seen
        self.statistics = RunningStatistics(self.invariants)
        self.log_sigma_bounds = (log_sigma_minimum, log_sigma_maximum)
        begin_with(self.actor, log_sigma, self.log_sigma_bounds)

    def encode(self, observations: Tensor) -> Tensor:
        """Observations [n, features] -> [n, invariants + 3 x basis vectors], and a summary."""
        seen = self.seen(observations)
        neighbours = [columns.flatten(1) for columns in seen.neighbours]
        return with_summary(torch.cat([seen.own, *neighbours, seen.vectors.flatten(1)], dim=1), self.team)

    def inputs(self, encoded: Tensor) -> Tensor:
        """The invariants of encoded rows, [n, invariants], normalised."""
        return self.statistics(encoded[:, : self.invariants])  # type: ignore[no-any-return]  # torch: a module gives Any

    def distribution(self, output: Tensor, encoded: Tensor) -> Gaussian:
        """Output [n, basis vectors + 1] for encoded rows -> Gaussian of [n, 3] actions."""
        basis = encoded[:, self.invariants : self.invariants + 3 * self.basis].view(-1, self.basis, 3)
        mean = torch.bmm(output[:, None, : self.basis], basis).squeeze(1)
        return Gaussian(mean, within(output[:, self.basis :], self.log_sigma_bounds))

    def update_statistics(self, encoded: Tensor) -> None:
        """Adds the invariants of encoded rows to the statistics of the input."""
        self.statistics.update(encoded[:, : self.invariants])


class EquivariantAttentionPolicy(Policy):
    r"""`EquivariantPolicy` to which the order of the neighbours does not matter.

    The network sees own invariants x and, by `NeighbourAttention`, messages of the neighbours' invariants n_j. The
    weight of the vector to a neighbour follows from its own invariants and from what the network makes of all:

        a ~ N(sum_b c_b B_b + sum_j q . relu(W n_j + b) w_j u_j, sigma^2 I_3)

    with c, q and sigma the network's outputs. Symbols and arguments are those of `EquivariantPolicy`.
    """

    def __init__(
        self,
        layout: AtomsLayout,
        *,
        log_sigma: float = -1.5,
        log_sigma_minimum: float = -3.5,
        log_sigma_maximum: float = 0.0,
        seed: int = 0,
        **layers: Unpack[Layers],
    ) -> None:
        seen, k = Invariants(layout), layout.neighbours
        own_vectors = seen.vectors - k
        generator = torch.Generator().manual_seed(seed)
        super().__init__(seen.own + WIDTH, own_vectors + WIDTH + 1, generator, summarised=seen.own, **layers)
        self.seen = seen
        self.parts = [seen.own, k * seen.neighbour, k, 3 * seen.vectors, 2 * self.team]
        self.outputs = [own_vectors, WIDTH, 1]
        self.statistics = RunningStatistics(seen.own)
        self.neighbour_statistics = RunningStatistics(seen.neighbour)
        self.attention = NeighbourAttention(seen.own, seen.neighbour, generator=generator)
        self.weight = nn.Linear(seen.neighbour, WIDTH)
        orthogonal(self.weight, 1.0, generator)
        self.log_sigma_bounds = (log_sigma_minimum, log_sigma_maximum)
        begin_with(self.actor, log_sigma, self.log_sigma_bounds)

    def encode(self, observations: Tensor) -> Tensor:
        """Observations [n, features] -> [n, own invariants + those of neighbours + w + 3 x vectors], and a summary."""
        seen = self.seen(observations)
        neighbours = torch.cat(seen.neighbours, dim=2)
        columns = [seen.own, neighbours.flatten(1), seen.presence, seen.vectors.flatten(1)]
        return with_summary(torch.cat(columns, dim=1), self.team)

    def inputs(self, encoded: Tensor) -> Tensor:
        """Own invariants, normalised, and what the atom attends to, [n, own invariants + WIDTH]."""
        own, neighbours, presence, *_ = torch.split(encoded, self.parts, dim=1)
        own = self.statistics(own)
        return torch.cat([own, self.attention(own, self._normalised(neighbours), presence)], dim=1)

    def distribution(self, output: Tensor, encoded: Tensor) -> Gaussian:
        """Output [n, own vectors + WIDTH + 1] for encoded rows -> Gaussian of [n, 3] actions."""
        _, neighbours, _, vectors, _ = torch.split(encoded, self.parts, dim=1)
        own, query, sigma = torch.split(output, self.outputs, dim=1)
        to_neighbours = (torch.relu(self.weight(self._normalised(neighbours))) * query[:, None]).sum(2)
        weights = torch.cat([own, to_neighbours], dim=1)
        mean = torch.bmm(weights[:, None], vectors.reshape(len(encoded), -1, 3)).squeeze(1)
        return Gaussian(mean, within(sigma, self.log_sigma_bounds))

    def _normalised(self, neighbours: Tensor) -> Tensor:
        """Columns of the neighbours in encoded rows -> [n, k, columns of each], normalised."""
        each = neighbours.reshape(len(neighbours), -1, self.seen.neighbour)
        return self.neighbour_statistics(each)  # type: ignore[no-any-return]  # torch: a module gives Any

    def update_statistics(self, encoded: Tensor) -> None:
        """Adds own invariants, and those of all neighbours there are, to the statistics of the input."""
        own, neighbours, presence, *_ = torch.split(encoded, self.parts, dim=1)
        self.statistics.update(own)
        each = neighbours.reshape(len(encoded), -1, self.seen.neighbour)
        self.neighbour_statistics.update(each[presence > 0.0])


def begin_with(actor: nn.Sequential, log_sigma: float, bounds: tuple[float, float]) -> None:
    """Sets the bias of the network's last output so that `within` gives `log_sigma` at first."""
    low, high = bounds
    share = (log_sigma - low) / (high - low)
    head = actor[-1]
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.bias[-1] = math.log(share / (1.0 - share))


def within(output: Tensor, bounds: tuple[float, float]) -> Tensor:
    """Logarithm of sigma between the bounds."""
    low, high = bounds
    return low + (high - low) * torch.sigmoid(output)
