"""What a policy's network says about the action: one distribution for each row."""

import math
from typing import Protocol

import torch
from torch import Tensor


class Distribution(Protocol):
    """A batch of action distributions."""

    def sample(self, generator: torch.Generator) -> Tensor:
        """Actions [rows, action_dims], drawn on the generator's device whatever the device of the parameters.

        A CPU generator therefore gives the same stream to a run on any device.
        """

    def mode(self) -> Tensor:
        """The most probable actions [rows, action_dims]."""

    def log_prob(self, actions: Tensor) -> Tensor:
        """Logarithm of the probability (density) of `actions` [rows, action_dims], [rows]."""

    def entropy(self) -> Tensor:
        """Entropy in nats, [rows]."""


class Gaussian:
    """Independent normal components; never squashed, the environment clips what it executes.

    Args:
        mean: [rows, action_dims].
        log_sigma: logarithm of the standard deviation, broadcastable to the shape of `mean`.
    """

    def __init__(self, mean: Tensor, log_sigma: Tensor) -> None:
        self.mean = mean
        self.log_sigma = log_sigma.expand_as(mean)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Actions [rows, action_dims], float."""
        noise = torch.randn(self.mean.shape, dtype=self.mean.dtype, device=generator.device, generator=generator)
        return torch.addcmul(self.mean, noise.to(self.mean.device), self.log_sigma.exp())

    def mode(self) -> Tensor:
        """The mean [rows, action_dims]."""
        return self.mean

    def log_prob(self, actions: Tensor) -> Tensor:
        """Logarithm of the density at `actions` [rows, action_dims], [rows]."""
        z = (actions - self.mean) * (-self.log_sigma).exp()
        return -(0.5 * z * z + self.log_sigma).sum(-1) - 0.5 * math.log(2 * math.pi) * self.mean.shape[-1]

    def entropy(self) -> Tensor:
        """Differential entropy in nats, [rows]."""
        return self.log_sigma.sum(-1) + 0.5 * math.log(2 * math.pi * math.e) * self.mean.shape[-1]


class Categorical:
    """Independent choices, one for each action column.

    Args:
        logits: [rows, action_dims, choices], unnormalised.
    """

    def __init__(self, logits: Tensor) -> None:
        self.log_p = logits.log_softmax(-1)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Choices [rows, action_dims], int64 (the Gumbel-max trick)."""
        exponential = torch.empty(self.log_p.shape, dtype=self.log_p.dtype, device=generator.device)
        exponential.exponential_(generator=generator)
        return (self.log_p - exponential.log_().to(self.log_p.device)).argmax(-1)

    def mode(self) -> Tensor:
        """The most probable choices [rows, action_dims], int64."""
        return self.log_p.argmax(-1)

    def log_prob(self, actions: Tensor) -> Tensor:
        """Logarithm of the probability of `actions` [rows, action_dims] int64, [rows]."""
        return self.log_p.gather(-1, actions.unsqueeze(-1)).squeeze(-1).sum(-1)

    def entropy(self) -> Tensor:
        """Entropy in nats, [rows]."""
        return -(self.log_p.exp() * self.log_p).sum((-1, -2))
