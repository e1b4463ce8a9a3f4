"""A policy for atoms whose action turns with the world."""

import math
from typing import Unpack

import torch
from torch import Tensor, nn

from matdesign.agents.distributions import Gaussian
from matdesign.agents.normalise import RunningStatistics
from matdesign.agents.policies import Layers, Policy
from matdesign.envs.layout import VECTORS, AtomsLayout

# Own vectors whose component along each neighbour's direction the network sees.
ALONG_NEIGHBOURS = [VECTORS.index(name) for name in ("force", "velocity", "goal")]


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

    Only x is normalised, by running statistics; Cartesian components never are, that would break the symmetry.

    Args:
        layout: columns of an observation, float32.
        log_sigma: initial logarithm of sigma, in units of the action; between the two bounds.
        log_sigma_minimum: lower bound.
        log_sigma_maximum: upper bound.
        seed: of the initial parameters.
        layers: as for `Policy`; all of them, and the memory, see invariants only.
    """

    pairs: Tensor

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
        self.layout = layout
        self.log_sigma_bounds = (log_sigma_minimum, log_sigma_maximum)
        self.along = [index for index in ALONG_NEIGHBOURS if index < layout.vectors]
        own, k = layout.vectors + 1, layout.neighbours  # the neighbours' mean relative velocity counts as an own vector
        self.basis = own + k
        self.invariants = (
            layout.scalars + 2 * own + own * (own - 1) // 2 + k * (layout.neighbour_scalars + len(self.along) + 1)
        )
        super().__init__(self.invariants, self.basis + 1, torch.Generator().manual_seed(seed), **layers)
        self.register_buffer("pairs", torch.triu_indices(own, own, 1), persistent=False)
        self.statistics = RunningStatistics(self.invariants)
        share = (log_sigma - log_sigma_minimum) / (log_sigma_maximum - log_sigma_minimum)
        head = self.actor[-1]
        assert isinstance(head, nn.Linear)
        with torch.no_grad():
            head.bias[-1] = math.log(share / (1.0 - share))

    def encode(self, observations: Tensor) -> Tensor:
        """Observations [n, features] -> [n, invariants + 3 x basis vectors]."""
        layout, n = self.layout, observations.shape[0]
        first_neighbour = layout.scalars + 3 * layout.vectors
        scalars = observations[:, : layout.scalars]
        own = observations[:, layout.scalars : first_neighbour].view(n, layout.vectors, 3)
        neighbours = observations[:, first_neighbour:].view(n, layout.neighbours, 6 + layout.neighbour_scalars)
        distance, exists = neighbours[..., 6:7], neighbours[..., 7:8]
        # Whatever stands in the columns of a missing neighbour has no effect, apart from its distance.
        present = neighbours * exists
        unit, relative_velocity = present[..., :3], present[..., 3:6]
        weight = (3.0 - distance).clamp(0.0, 1.0) * exists

        mean_velocity = (weight * relative_velocity).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp(min=1.0)
        own = torch.cat([own, mean_velocity], dim=1)
        length = torch.linalg.vector_norm(own, dim=2, keepdim=True)
        direction = own / (length + 0.01)  # softened: the direction of a vanishing vector is noise
        cosines = torch.bmm(direction, direction.mT)[:, self.pairs[0], self.pairs[1]]
        length = length.squeeze(2)
        along = torch.bmm(unit, own[:, self.along].mT)
        approach = (unit * relative_velocity).sum(2)
        return torch.cat(
            [
                scalars,
                length,
                torch.log10(length + 1e-3),
                cosines,
                distance.squeeze(2),
                present[..., 7:].flatten(1),
                along.flatten(1),
                approach,
                own.flatten(1),
                (weight * unit).flatten(1),
            ],
            dim=1,
        )

    def inputs(self, encoded: Tensor) -> Tensor:
        """The invariants of encoded rows, [n, invariants], normalised."""
        return self.statistics(encoded[:, : self.invariants])  # type: ignore[no-any-return]

    def distribution(self, output: Tensor, encoded: Tensor) -> Gaussian:
        """Output [n, basis vectors + 1] for encoded rows -> Gaussian of [n, 3] actions."""
        basis = encoded[:, self.invariants :].view(-1, self.basis, 3)
        mean = torch.bmm(output[:, None, : self.basis], basis).squeeze(1)
        low, high = self.log_sigma_bounds
        return Gaussian(mean, low + (high - low) * torch.sigmoid(output[:, self.basis :]))

    def update_statistics(self, encoded: Tensor) -> None:
        """Adds the invariants of encoded rows to the statistics of the input."""
        self.statistics.update(encoded[:, : self.invariants])
