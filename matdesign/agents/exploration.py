"""Exploration noise that the agents of an environment share for a whole episode."""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from matdesign.agents.distributions import Distribution, Gaussian
from matdesign.errors import InputError

if TYPE_CHECKING:
    from matdesign.vector import Batch


class CommonNoise:
    """Standard normal noise sqrt(share) c + sqrt(1 - share) w: c one vector an environment and episode, w white.

    Args:
        vector: environments, of continuous actions.
        share: of the variance, 0 to 1.

    Raises:
        InputError: actions are choices, which have no noise to share.
    """

    def __init__(self, vector: "Batch", share: float) -> None:
        if not torch.from_numpy(vector.actions).is_floating_point():
            raise InputError(f"PPO: common_noise = {share} is for continuous actions, leave it 0 here")
        self.share = share
        self.agents = vector.agents
        self.values = torch.zeros(len(vector.rewards), vector.actions.shape[1])  # rows of an environment agree

    def renew(self, over: Tensor, rows: slice, generator: torch.Generator) -> None:
        """Draws c anew for the environments among `rows` all of whose agents' episodes are over, bool [len(rows)]."""
        values = self.values[rows].view(-1, self.agents, self.values.shape[1])
        fresh = torch.randn(values.shape[0], 1, values.shape[2], generator=generator)
        values.copy_(torch.where(over.cpu().view(-1, self.agents).all(1)[:, None, None], fresh, values))

    def sample(self, distribution: Distribution, rows: slice, generator: torch.Generator) -> Tensor:
        """Actions [len(rows), action_dims] of the agents `rows`."""
        assert isinstance(distribution, Gaussian)
        common = self.values[rows]
        white = torch.randn(common.shape, generator=generator)
        return distribution.at(math.sqrt(self.share) * common + math.sqrt(1.0 - self.share) * white)
