"""Exploration noise that the agents of an environment share for a whole episode."""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

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

    def renew(self, over: Tensor, rows: slice, fresh: Tensor) -> None:
        """Takes a new c for the environments among `rows` all of whose agents' episodes are over.

        Args:
            over: bool [len(rows)].
            rows: whole environments.
            fresh: standard normal [environments among the rows, action_dims].
        """
        values = self.values[rows].view(-1, self.agents, self.values.shape[1])
        values.copy_(torch.where(over.cpu().view(-1, self.agents).all(1)[:, None, None], fresh.unsqueeze(1), values))

    def mixed(self, white: Tensor, rows: slice) -> Tensor:
        """The noise of the agents `rows` for `white` noise [len(rows), action_dims]."""
        return math.sqrt(self.share) * self.values[rows] + math.sqrt(1.0 - self.share) * white
