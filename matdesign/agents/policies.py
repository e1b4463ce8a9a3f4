"""What PPO trains: networks from observations to an action distribution and a value."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from matdesign.agents.distributions import Distribution, Head
from matdesign.agents.normalise import RunningStatistics


class Policy(nn.Module, ABC):
    """A policy and its value function over rows of observations, one row an agent.

    Work is split in two. `encode` has no parameters, so PPO calls it once for each observation and keeps the result
    for all epochs; calling the policy maps encoded rows to a distribution and a value. The statistics that normalise
    the network's input change only in `update_statistics`.
    """

    @abstractmethod
    def encode(self, observations: Tensor) -> Tensor:
        """Rows [n, features] as the vectorizer writes them -> rows [n, encoded features]."""

    @abstractmethod
    def forward(self, encoded: Tensor) -> tuple[Distribution, Tensor]:
        """Encoded rows [n, encoded features] -> action distribution of n rows, values [n]."""

    @abstractmethod
    def update_statistics(self, encoded: Tensor) -> None:
        """Adds encoded rows [n, encoded features] to the statistics that normalise the network's input."""

    @torch.no_grad()
    def act(self, observations: Tensor, generator: torch.Generator | None) -> Tensor:
        """Actions [n, action_dims] for observations [n, features]: sampled, or the mode where `generator` is None."""
        distribution, _ = self.forward(self.encode(observations))
        return distribution.mode() if generator is None else distribution.sample(generator)


def mlp(inputs: int, hidden: Sequence[int], outputs: int, *, gain: float, generator: torch.Generator) -> nn.Sequential:
    """Tanh layers of `hidden` sizes and a linear head whose orthogonal initial weights are scaled by `gain`."""
    sizes = [inputs, *hidden, outputs]
    gains = [math.sqrt(2.0)] * len(hidden) + [gain]
    layers: list[nn.Module] = []
    for size, next_size, layer_gain in zip(sizes[:-1], sizes[1:], gains, strict=True):
        linear = nn.Linear(size, next_size)
        nn.init.orthogonal_(linear.weight, layer_gain, generator=generator)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


class MLPPolicy(Policy):
    """Two multilayer perceptrons on the normalised observation: one for the action, one for the value.

    Args:
        features: columns of an observation, float32 or uint8.
        action_dims: columns of an action.
        choices: discrete actions are 0 .. choices-1 in each column, or in column i 0 .. choices[i]-1; 0 or none:
            continuous, Gaussian with one trained standard deviation for each column.
        hidden: sizes of the tanh layers of either network.
        log_sigma: initial logarithm of that standard deviation, in units of the action.
        seed: of the initial parameters.
    """

    def __init__(
        self,
        features: int,
        action_dims: int,
        choices: int | Sequence[int],
        *,
        hidden: Sequence[int] = (64, 64),
        log_sigma: float = -0.5,
        seed: int = 0,
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.head = Head(action_dims, choices)
        self.statistics = RunningStatistics(features)
        self.actor = mlp(features, hidden, self.head.inputs, gain=0.01, generator=generator)
        self.critic = mlp(features, hidden, 1, gain=1.0, generator=generator)
        self.log_sigma = self.head.log_sigma(log_sigma)

    def encode(self, observations: Tensor) -> Tensor:
        """The observations as they are: bytes stay bytes until the network needs numbers."""
        return observations

    def forward(self, encoded: Tensor) -> tuple[Distribution, Tensor]:
        """Observations [n, features] -> action distribution of n rows, values [n]."""
        inputs = self.statistics(encoded)
        return self.head(self.actor(inputs), self.log_sigma), self.critic(inputs).squeeze(-1)

    def update_statistics(self, encoded: Tensor) -> None:
        """Adds observations [n, features] to the statistics of the input."""
        self.statistics.update(encoded)
