"""What PPO trains: networks from observations to an action distribution and a value."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from matdesign.agents.distributions import Distribution, Head
from matdesign.agents.normalise import RunningStatistics


class Policy(nn.Module, ABC):
    """A policy and its value function over rows of observations, one row an agent.

    Work is split in two. `encode` has no parameters, so PPO calls it once for each observation and keeps the result
    for all epochs; calling the policy maps encoded rows to a distribution and a value. The statistics that normalise
    the network's input change only in `update_statistics`.

    A policy with memory overrides `memory`, `step` and `unroll`; others map each row by itself, in `forward`.
    """

    memory: int = 0
    """Columns, float32, of what an agent remembers from one step to the next; 0 of what has no memory."""

    @abstractmethod
    def encode(self, observations: Tensor) -> Tensor:
        """Rows [n, features] as the vectorizer writes them -> rows [n, encoded features]."""

    @abstractmethod
    def forward(self, encoded: Tensor) -> tuple[Distribution, Tensor]:
        """Encoded rows [n, encoded features] -> action distribution of n rows, values [n]."""

    @abstractmethod
    def update_statistics(self, encoded: Tensor) -> None:
        """Adds encoded rows [n, encoded features] to the statistics that normalise the network's input."""

    def step(self, encoded: Tensor, memory: Tensor) -> tuple[Distribution, Tensor, Tensor]:
        """One step of each row.

        Args:
            encoded: [n, encoded features].
            memory: [n, memory] as the step before left it, 0 at the start of an episode.

        Returns:
            Action distribution of n rows, values [n], memory [n, memory].
        """
        return *self(encoded), memory

    def unroll(self, encoded: Tensor, memory: Tensor, fresh: Tensor) -> tuple[Distribution, Tensor]:
        """Several steps of each row.

        Args:
            encoded: [steps, n, encoded features].
            memory: [n, memory] before the first step.
            fresh: [steps, n] bool, where the memory is 0 before that step.

        Returns:
            Action distribution of steps * n rows, in that order, and their values [steps * n].
        """
        result: tuple[Distribution, Tensor] = self(encoded.flatten(0, 1))
        return result


ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "gelu": nn.GELU, "relu": nn.ReLU}


class Output(nn.Linear):
    """The last layer of a network: its orthogonal initial weights are scaled by `gain`."""

    def __init__(self, inputs: int, outputs: int, *, gain: float, generator: torch.Generator) -> None:
        super().__init__(inputs, outputs)
        orthogonal(self, gain, generator)


def orthogonal(layer: nn.Linear | nn.Conv2d, gain: float, generator: torch.Generator) -> None:
    """Initial weights of a layer: orthogonal, scaled by `gain`; biases 0."""
    nn.init.orthogonal_(layer.weight, gain, generator=generator)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)


def trunk(inputs: int, hidden: Sequence[int], activation: str, generator: torch.Generator) -> nn.Sequential:
    """Layers of `hidden` sizes, each with its activation behind it."""
    layers: list[nn.Module] = []
    for size, next_size in pairwise([inputs, *hidden]):
        linear = nn.Linear(size, next_size)
        orthogonal(linear, math.sqrt(2.0), generator)
        layers += [linear, ACTIVATIONS[activation]()]
    return nn.Sequential(*layers)


def mlp(
    inputs: int,
    hidden: Sequence[int],
    outputs: int,
    *,
    gain: float,
    generator: torch.Generator,
    activation: str = "tanh",
) -> nn.Sequential:
    """`trunk` and a linear `Output`."""
    layers = trunk(inputs, hidden, activation, generator)
    layers.append(Output([inputs, *hidden][-1], outputs, gain=gain, generator=generator))
    return layers


class MLPPolicy(Policy):
    """Multilayer perceptrons on the normalised observation: one for the action and one for the value, or both in one.

    Args:
        features: columns of an observation, float32 or uint8.
        action_dims: columns of an action.
        choices: discrete actions are 0 .. choices-1 in each column, or in column i 0 .. choices[i]-1; 0 or none:
            continuous, Gaussian with one trained standard deviation for each column.
        hidden: sizes of the hidden layers of either network.
        activation: behind each of them, a name in ACTIVATIONS.
        shared: action and value share the hidden layers.
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
        activation: str = "tanh",
        shared: bool = False,
        log_sigma: float = -0.5,
        seed: int = 0,
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.head = Head(action_dims, choices)
        self.statistics = RunningStatistics(features)
        self.trunk = trunk(features, hidden if shared else (), activation, generator)
        inputs, own = ([features, *hidden][-1], ()) if shared else (features, hidden)
        self.actor = mlp(inputs, own, self.head.inputs, gain=0.01, generator=generator, activation=activation)
        self.critic = mlp(inputs, own, 1, gain=1.0, generator=generator, activation=activation)
        self.log_sigma = self.head.log_sigma(log_sigma)

    def encode(self, observations: Tensor) -> Tensor:
        """The observations as they are: bytes stay bytes until the network needs numbers."""
        return observations

    def forward(self, encoded: Tensor) -> tuple[Distribution, Tensor]:
        """Observations [n, features] -> action distribution of n rows, values [n]."""
        inputs = self.trunk(self.statistics(encoded))
        return self.head(self.actor(inputs), self.log_sigma), self.critic(inputs).squeeze(-1)

    def update_statistics(self, encoded: Tensor) -> None:
        """Adds observations [n, features] to the statistics of the input."""
        self.statistics.update(encoded)
