"""A policy that acts, outside of training."""

import torch
from torch import Tensor

from matdesign.agents.policies import Policy


class Actor:
    """Acts for the agents of a batch of environments, and remembers for them what the policy wants remembered.

    Args:
        policy: on the CPU.
        generator: of sampled actions; None: the mode is taken, the mean or most probable action.
    """

    def __init__(self, policy: Policy, generator: torch.Generator | None = None) -> None:
        self._policy = policy
        self._generator = generator
        self._memory: Tensor | None = None

    @torch.no_grad()
    def __call__(self, observations: Tensor, masks: Tensor | None = None) -> Tensor:
        """Actions [rows, action_dims].

        Args:
            observations: [rows, features].
            masks: [rows] bool of the last step; an agent without a transition there begins anew. None: nobody does.
        """
        memory = self._memory
        if memory is None:
            memory = torch.zeros(len(observations), self._policy.memory)
        if masks is not None:
            memory = memory.masked_fill(~masks.unsqueeze(-1), 0.0)
        distribution, _, self._memory = self._policy.step(self._policy.encode(observations), memory)
        return distribution.mode() if self._generator is None else distribution.sample(self._generator)
