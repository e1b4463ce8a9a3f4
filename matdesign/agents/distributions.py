"""What a policy's network says about the action: one distribution for each row."""

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from matdesign.agents import categorical

IMPOSSIBLE = -1e9  # logit of a choice that a column does not have; its probability is 0, and nothing becomes NaN


class Distribution(Protocol):
    """A batch of action distributions."""

    def at(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """What `noise` of these rows draws: actions [rows, action_dims] and their log-probabilities [rows].

        Args:
            noise: [rows, action_dims] as `draw_noise` gives it.
        """

    def sample(self, generator: torch.Generator) -> Tensor:
        """Actions [rows, action_dims], drawn on the generator's device."""

    def mode(self) -> Tensor:
        """The most probable actions [rows, action_dims]."""

    def evaluate(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithm of the probability (density) of `actions` [rows, action_dims], and entropy in nats; [rows]."""


def draw_noise(*shape: int, discrete: bool, generator: torch.Generator) -> Tensor:
    """Numbers that make actions of a distribution: uniform from 0 to 1 for choices, else standard normal.

    They are drawn on the generator's device, whatever that of the distribution: a CPU generator gives the same stream
    to a run on any device.
    """
    make = torch.rand if discrete else torch.randn
    return make(shape, generator=generator, device=generator.device)


class Gaussian:
    """Independent normal components; never squashed, the environment clips what it executes.

    Args:
        mean: [rows, action_dims].
        log_sigma: logarithm of the standard deviation, broadcastable to the shape of `mean`.
    """

    def __init__(self, mean: Tensor, log_sigma: Tensor) -> None:
        self.mean = mean.to(torch.promote_types(mean.dtype, torch.float32))
        self.log_sigma = log_sigma.expand_as(mean)

    def at(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Actions [rows, action_dims], float, and their log-probabilities [rows]."""
        noise = noise.to(self.mean)
        actions = torch.addcmul(self.mean, noise, self.log_sigma.exp())
        return actions, self._log_prob(noise)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Actions [rows, action_dims], float."""
        return self.at(draw_noise(*self.mean.shape, discrete=False, generator=generator))[0]

    def mode(self) -> Tensor:
        """The mean [rows, action_dims]."""
        return self.mean

    def evaluate(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithm of the density at `actions` [rows, action_dims], and differential entropy in nats; [rows]."""
        entropy = self.log_sigma.sum(-1) + 0.5 * math.log(2 * math.pi * math.e) * self.mean.shape[-1]
        return self._log_prob((actions - self.mean) * (-self.log_sigma).exp()), entropy

    def _log_prob(self, z: Tensor) -> Tensor:
        """Of what lies `z` standard deviations from the mean."""
        return -(0.5 * z * z + self.log_sigma).sum(-1) - 0.5 * math.log(2 * math.pi) * self.mean.shape[-1]


class Categorical:
    """Independent choices, one for each action column.

    Args:
        logits: [rows, action_dims, choices], unnormalised; those of choices that a column lacks are IMPOSSIBLE.
    """

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        self._in_c = self.logits.dtype == torch.float32 and self.logits.device.type == "cpu"

    def at(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Choices [rows, action_dims], int64, by inversion of the distribution function; log-probabilities [rows]."""
        if self._in_c:
            actions, log_probs = categorical.sample(self.logits.flatten(0, 1), noise.flatten())
            return actions.view(noise.shape), log_probs.view(noise.shape).sum(-1)
        below = self.logits.softmax(-1).cumsum(-1)
        # Strictly less than the sum of all, so that no choice behind the last possible one is reached.
        limit = noise.to(below).unsqueeze(-1) * below[..., -1:] * (1.0 - 2e-7)
        actions = (below[..., :-1] <= limit).sum(-1)
        return actions, self.evaluate(actions)[0]

    def sample(self, generator: torch.Generator) -> Tensor:
        """Choices [rows, action_dims], int64."""
        return self.at(draw_noise(*self.logits.shape[:2], discrete=True, generator=generator))[0]

    def mode(self) -> Tensor:
        """The most probable choices [rows, action_dims], int64."""
        return self.logits.argmax(-1)

    def evaluate(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithm of the probability of `actions` [rows, action_dims] int64, and entropy in nats; [rows]."""
        if self._in_c:
            logits = self.logits.flatten(0, 1)
            both = categorical.Evaluation.apply(logits, actions.flatten())  # type: ignore[no-untyped-call]  # torch's
            log_probs, entropies = (figure.view(actions.shape).sum(-1) for figure in both)
            return log_probs, entropies
        log_p = self.logits.log_softmax(-1)
        log_probs = log_p.gather(-1, actions.unsqueeze(-1)).squeeze(-1).sum(-1)
        return log_probs, -(log_p.exp() * log_p).sum((-1, -2))


class Head:
    """Makes the distribution of actions from a network's output.

    Args:
        action_dims: columns of an action.
        choices: of each column, one number for all or one for each; 0 or none: continuous.

    Attributes:
        action_dims: as given.
        choices: most of a column; 0: continuous.
        is_even: all columns have as many.
        inputs: columns of the network's output.
    """

    def __init__(self, action_dims: int, choices: int | Sequence[int]) -> None:
        columns = [choices] * action_dims if isinstance(choices, int) else list(choices)
        self.action_dims, self.choices, self.is_even = action_dims, max(columns, default=0), len(set(columns)) <= 1
        self._shape = (-1, action_dims, self.choices)
        self._missing = torch.arange(self.choices) >= torch.tensor(columns, dtype=torch.int64).unsqueeze(-1)
        self.inputs = action_dims * max(self.choices, 1)

    def log_sigma(self, value: float) -> nn.Parameter | None:
        """Logarithm of the standard deviation of each column, to be trained; None where actions are choices."""
        return None if self.choices else nn.Parameter(torch.full((self.inputs,), value))

    def __call__(self, output: Tensor, log_sigma: Tensor | None) -> Distribution:
        """Output [n, inputs] -> distribution of n rows."""
        if log_sigma is not None:
            return Gaussian(output, log_sigma)
        logits = output.view(self._shape)
        if not self.is_even:
            logits = logits.masked_fill(self._missing.to(output.device), IMPOSSIBLE)
        return Categorical(logits)
