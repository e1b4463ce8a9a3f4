"""What a policy's network says about the action: one distribution for each row."""

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

IMPOSSIBLE = -1e9  # logit of a choice that a column does not have; its probability is 0, and nothing becomes NaN


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
        return self.at(
            torch.randn(self.mean.shape, dtype=self.mean.dtype, device=generator.device, generator=generator)
        )

    def at(self, noise: Tensor) -> Tensor:
        """The actions [rows, action_dims] for this standard normal noise [rows, action_dims]."""
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


class Head:
    """Makes the distribution of actions from a network's output.

    Args:
        action_dims: columns of an action.
        choices: of each column, one number for all or one for each; 0 or none: continuous.

    Attributes:
        inputs: columns of the network's output.
    """

    def __init__(self, action_dims: int, choices: int | Sequence[int]) -> None:
        columns = [choices] * action_dims if isinstance(choices, int) else list(choices)
        self._most = max(columns, default=0)
        self._shape = (-1, action_dims, self._most)
        self._missing = torch.arange(self._most) >= torch.tensor(columns, dtype=torch.int64).unsqueeze(-1)
        self.inputs = action_dims * max(self._most, 1)

    def log_sigma(self, value: float) -> nn.Parameter | None:
        """Logarithm of the standard deviation of each column, to be trained; None where actions are choices."""
        return None if self._most else nn.Parameter(torch.full((self.inputs,), value))

    def __call__(self, output: Tensor, log_sigma: Tensor | None) -> Distribution:
        """Output [n, inputs] -> distribution of n rows."""
        if log_sigma is not None:
            return Gaussian(output, log_sigma)
        logits = output.view(self._shape)
        if self._missing.any():
            logits = logits.masked_fill(self._missing.to(output.device), IMPOSSIBLE)
        return Categorical(logits)
