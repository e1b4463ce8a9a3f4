"""What an atom sees that does not turn with the world, and the vectors that do."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from matdesign.envs.layout import VECTORS, AtomsLayout

# Own vectors whose component along each neighbour's direction is an invariant.
ALONG_NEIGHBOURS = [VECTORS.index(name) for name in ("force", "velocity", "goal")]


class Surroundings(NamedTuple):
    """Rows of observations, taken apart; k neighbours of each.

    Attributes:
        own: invariants of the atom's own scalars and vectors, [n, own invariants].
        neighbours: invariants of the neighbours, [n, k, columns] each.
        presence: w_j = clip(3 - d_j, 0, 1), d_j scaled distance: a neighbour fades out before it leaves the list; 0
            where none is. [n, k].
        vectors: own ones; mean relative velocity of the neighbours; w_j times the unit vectors to the neighbours,
            [n, own vectors + 1 + k, 3].
    """

    own: Tensor
    neighbours: tuple[Tensor, ...]
    presence: Tensor
    vectors: Tensor


class Invariants(nn.Module):
    """Takes rows of `AtomsLayout` apart; no parameters.

    Args:
        layout: columns of an observation; columns behind its last neighbour are not looked at.

    Attributes:
        own: invariants of the atom itself.
        neighbour: invariants of each neighbour.
        vectors: vectors, of which the last are those to the neighbours.
    """

    pairs: Tensor

    def __init__(self, layout: AtomsLayout) -> None:
        super().__init__()
        self.layout = layout
        self.along = [index for index in ALONG_NEIGHBOURS if index < layout.vectors]
        vectors = layout.vectors + 1  # the neighbours' mean relative velocity counts as an own vector
        self.own = layout.scalars + 2 * vectors + vectors * (vectors - 1) // 2
        self.neighbour = layout.neighbour_scalars + len(self.along) + 1
        self.vectors = vectors + layout.neighbours
        self.register_buffer("pairs", torch.triu_indices(vectors, vectors, 1), persistent=False)

    def forward(self, observations: Tensor) -> Surroundings:
        """Observations [n, features] -> what is in them."""
        layout, n = self.layout, observations.shape[0]
        first_neighbour = layout.scalars + 3 * layout.vectors
        scalars = observations[:, : layout.scalars]
        own = observations[:, layout.scalars : first_neighbour].view(n, layout.vectors, 3)
        neighbours = observations[:, first_neighbour : layout.features].view(
            n, layout.neighbours, 6 + layout.neighbour_scalars
        )
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
        approach = (unit * relative_velocity).sum(2, keepdim=True)
        return Surroundings(
            own=torch.cat([scalars, length, torch.log10(length + 1e-3), cosines], dim=1),
            neighbours=(distance, present[..., 7:], along, approach),
            presence=weight.squeeze(2),
            vectors=torch.cat([own, weight * unit], dim=1),
        )
