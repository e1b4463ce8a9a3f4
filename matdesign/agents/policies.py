"""What PPO trains: networks from observations to an action distribution and a value."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import TypedDict, Unpack

import torch
from torch import Tensor, nn

from matdesign.agents.distributions import Distribution, Head
from matdesign.agents.memory import MEMORIES
from matdesign.agents.normalise import RunningStatistics
from matdesign.agents.perceptron import Dense, is_fused, perceptron
from matdesign.agents.team import normalised, with_summary

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


class Perceptron(nn.Sequential):
    """Linear layers, each with its activation behind it, or none behind the last; float32 on the CPU is done in C."""

    def layers(self) -> list[Dense]:
        """Weights and activations, as `perceptron` takes them."""
        names = {kind: name for name, kind in ACTIVATIONS.items()}
        layers: list[Dense] = []
        for module in self:
            if isinstance(module, nn.Linear):
                layers.append(Dense(module.weight, module.bias, "linear"))
            else:
                layers[-1] = layers[-1]._replace(activation=names[type(module)])
        return layers

    def forward(self, inputs: Tensor) -> Tensor:
        """Rows [n, inputs] -> [n, outputs]."""
        if len(self) and is_fused(inputs, next(self.parameters())):
            return perceptron(inputs, self.layers())
        for module in self:
            inputs = module(inputs)
        return inputs


def trunk(inputs: int, hidden: Sequence[int], activation: str, generator: torch.Generator) -> Perceptron:
    """Layers of `hidden` sizes, each with its activation behind it."""
    layers: list[nn.Module] = []
    for size, next_size in pairwise([inputs, *hidden]):
        linear = nn.Linear(size, next_size)
        orthogonal(linear, math.sqrt(2.0), generator)
        layers += [linear, ACTIVATIONS[activation]()]
    return Perceptron(*layers)


def mlp(
    inputs: int,
    hidden: Sequence[int],
    outputs: int,
    *,
    gain: float,
    generator: torch.Generator,
    activation: str = "tanh",
) -> Perceptron:
    """Hidden layers of these sizes, and an output of so many columns."""
    layers = trunk(inputs, hidden, activation, generator)
    return Perceptron(*layers, Output([inputs, *hidden][-1], outputs, gain=gain, generator=generator))


class Layers(TypedDict, total=False):
    """What the networks of a policy are made of; see `Policy`."""

    hidden: Sequence[int]
    activation: str
    shared: bool
    memory: str
    memory_size: int
    critic: str


class Policy(nn.Module, ABC):
    """A policy and its value function over rows of observations, one row an agent.

    Work is split in two. `encode` has no parameters, so PPO calls it once for each observation and keeps the result
    for all epochs. What remains is the same for all policies, apart from what the networks see and what the action
    makes of their output:

        encoded -> inputs -> trunk -> recurrent layer -> actor -> distribution
                                                      -> critic -> value

    Without memory there is no recurrent layer; without a shared trunk actor and critic have the hidden layers. The
    critic of a team (Yu et al. 2022, arXiv:2103.01955) sees a summary of the agents of its environment besides.
    `encode` appends that of an agent by itself, which is all that acting takes; a rollout puts the team's in its place.

    Args:
        inputs: columns of what the networks see.
        outputs: columns of the actor's output.
        generator: of the initial parameters.
        hidden: sizes of the hidden layers.
        activation: behind each of them, a name in ACTIVATIONS.
        shared: action and value share the hidden layers; with memory they always do.
        memory: kind of the recurrent layer, a name in MEMORIES, or "none".
        memory_size: outputs of the recurrent layer.
        critic: "own", or "team": sees the team's summary.
        summarised: leading columns of encoded rows that it is of, those that `statistics` normalises.

    Attributes:
        team: columns that are summarised, see `team.summarise`; 0 where the critic is not the team's.
    """

    statistics: RunningStatistics

    def __init__(
        self,
        inputs: int,
        outputs: int,
        generator: torch.Generator,
        *,
        hidden: Sequence[int] = (64, 64),
        activation: str = "tanh",
        shared: bool = False,
        memory: str = "none",
        memory_size: int = 64,
        critic: str = "own",
        summarised: int = 0,
    ) -> None:
        super().__init__()
        self.team = summarised if critic == "team" else 0
        in_common, own = (hidden, ()) if shared or memory != "none" else ((), hidden)
        self.trunk = trunk(inputs, in_common, activation, generator)
        seen = [inputs, *in_common][-1]
        self.recurrent = MEMORIES[memory](seen, memory_size, generator) if memory != "none" else None
        if self.recurrent is not None:
            seen = memory_size
        self.actor = mlp(seen, own, outputs, gain=0.01, generator=generator, activation=activation)
        self.critic = mlp(seen + 2 * self.team, own, 1, gain=1.0, generator=generator, activation=activation)

    @property
    def memory(self) -> int:
        """Columns, float32, of what an agent remembers from one step to the next; 0 of what has no memory."""
        return self.recurrent.columns if self.recurrent is not None else 0

    @property
    def parameter_count(self) -> int:
        """How many numbers are learned."""
        return sum(parameter.numel() for parameter in self.parameters())

    @abstractmethod
    def encode(self, observations: Tensor) -> Tensor:
        """Rows [n, features] as the vectorizer writes them -> rows [n, encoded features]."""

    @abstractmethod
    def inputs(self, encoded: Tensor) -> Tensor:
        """Encoded rows [n, encoded features] -> what the networks see [n, inputs], normalised."""

    @abstractmethod
    def distribution(self, output: Tensor, encoded: Tensor) -> Distribution:
        """The actor's output [n, outputs] for encoded rows [n, encoded features] -> action distribution of n rows."""

    @abstractmethod
    def update_statistics(self, encoded: Tensor) -> None:
        """Adds encoded rows [n, encoded features] to the statistics that normalise the network's input.

        They change nowhere else.
        """

    def forward(self, encoded: Tensor) -> tuple[Distribution, Tensor]:
        """Encoded rows [n, encoded features], each the first of its episode -> distribution of n rows, values [n]."""
        distribution, values, _ = self.step(encoded, encoded.new_zeros(len(encoded), self.memory, dtype=torch.float32))
        return distribution, values

    def step(self, encoded: Tensor, memory: Tensor) -> tuple[Distribution, Tensor, Tensor]:
        """One step of each row.

        Args:
            encoded: [n, encoded features].
            memory: [n, memory] as the step before left it, 0 at the start of an episode.

        Returns:
            Action distribution of n rows, values [n], memory [n, memory].
        """
        inputs = self.inputs(encoded)
        if self.recurrent is None:
            return *self._answer(self.trunk, inputs, encoded), memory
        nobody = torch.zeros(1, len(inputs), dtype=torch.bool, device=inputs.device)
        seen, memory = self.recurrent(self.trunk(inputs).unsqueeze(0), memory, nobody)
        return *self._answer(Perceptron(), seen.squeeze(0), encoded), memory

    def unroll(self, encoded: Tensor, memory: Tensor, fresh: Tensor) -> tuple[Distribution, Tensor]:
        """Several steps of each row.

        Args:
            encoded: [steps, n, encoded features].
            memory: [n, memory] before the first step.
            fresh: [steps, n] bool, where the memory is 0 before that step.

        Returns:
            Action distribution of steps * n rows, in that order, and their values [steps * n].
        """
        rows = encoded.flatten(0, 1)
        inputs = self.inputs(rows)
        if self.recurrent is None:
            return self._answer(self.trunk, inputs, rows)
        seen, _ = self.recurrent(self.trunk(inputs).unflatten(0, fresh.shape), memory, fresh)
        return self._answer(Perceptron(), seen.flatten(0, 1), rows)

    def _answer(self, shared: Perceptron, seen: Tensor, encoded: Tensor) -> tuple[Distribution, Tensor]:
        """Distribution and values from what comes behind `shared`, layers of actor and critic."""
        actor, critic = self.actor.layers(), self.critic.layers()
        if len(actor) == len(critic) == 1 and not self.team and is_fused(seen, actor[0].weight):
            # Both outputs are one layer: what is before them is read once.
            weight, bias = torch.cat([actor[0].weight, critic[0].weight]), torch.cat([actor[0].bias, critic[0].bias])
            outputs = perceptron(seen, [*shared.layers(), Dense(weight, bias, "linear")])
            return self.distribution(outputs[:, :-1].contiguous(), encoded), outputs[:, -1]
        seen = judged = shared(seen)
        if self.team:
            judged = torch.cat([seen, normalised(encoded[:, -2 * self.team :], self.statistics)], dim=1)
        return self.distribution(self.actor(seen), encoded), self.critic(judged).squeeze(-1)


class MLPPolicy(Policy):
    """Multilayer perceptrons on the normalised observation: one for the action and one for the value, or both in one.

    Args:
        features: columns of an observation, float32 or uint8.
        action_dims: columns of an action.
        choices: discrete actions are 0 .. choices-1 in each column, or in column i 0 .. choices[i]-1; 0 or none:
            continuous, Gaussian with one trained standard deviation for each column.
        log_sigma: initial logarithm of that standard deviation, in units of the action.
        seed: of the initial parameters.
        layers: as for `Policy`.
    """

    def __init__(
        self,
        features: int,
        action_dims: int,
        choices: int | Sequence[int],
        *,
        log_sigma: float = -0.5,
        seed: int = 0,
        **layers: Unpack[Layers],
    ) -> None:
        head = Head(action_dims, choices)
        generator = torch.Generator().manual_seed(seed)
        super().__init__(features, head.inputs, generator, summarised=features, **layers)
        self.features = features
        self.head = head
        self.statistics = RunningStatistics(features)
        self.log_sigma = head.log_sigma(log_sigma)

    def encode(self, observations: Tensor) -> Tensor:
        """The observations as they are, and a summary: bytes stay bytes until the network needs numbers."""
        return with_summary(observations, self.team)

    def inputs(self, encoded: Tensor) -> Tensor:
        """Observations [n, features], normalised."""
        return self.statistics(encoded[:, : self.features])  # type: ignore[no-any-return]  # torch: a module gives Any

    def distribution(self, output: Tensor, encoded: Tensor) -> Distribution:
        """Output [n, outputs] -> action distribution of n rows."""
        return self.head(output, self.log_sigma)

    def update_statistics(self, encoded: Tensor) -> None:
        """Adds observations [n, features] to the statistics of the input."""
        self.statistics.update(encoded[:, : self.features])
