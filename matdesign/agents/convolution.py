"""A policy that sees pictures."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from matdesign.agents.distributions import Distribution, Head
from matdesign.agents.policies import Output, Policy, orthogonal

CHANNELS = ((16, 8, 4), (32, 4, 2))  # filters, kernel, stride


class ConvolutionalPolicy(Policy):
    """Two convolutions and a hidden layer shared by action and value, as in Mnih et al. 2013 (arXiv:1312.5602).

    Args:
        shape: of a picture, (channels, height, width), bytes; an observation is one, flattened.
        action_dims: columns of an action.
        choices: as for `MLPPolicy`.
        hidden: sizes of the layers behind the convolutions.
        log_sigma: as for `MLPPolicy`.
        seed: of the initial parameters.
    """

    def __init__(
        self,
        shape: Sequence[int],
        action_dims: int,
        choices: int | Sequence[int],
        *,
        hidden: Sequence[int] = (256,),
        log_sigma: float = -0.5,
        seed: int = 0,
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.shape = tuple(shape)
        self.head = Head(action_dims, choices)
        channels, height, width = self.shape
        layers: list[nn.Module] = []
        for filters, kernel, stride in CHANNELS:
            layers += [nn.Conv2d(channels, filters, kernel, stride), nn.ReLU()]
            channels, height, width = filters, (height - kernel) // stride + 1, (width - kernel) // stride + 1
        layers.append(nn.Flatten())
        size = channels * height * width
        for outputs in hidden:
            layers += [nn.Linear(size, outputs), nn.ReLU()]
            size = outputs
        self.trunk = nn.Sequential(*layers)
        for layer in layers:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                orthogonal(layer, math.sqrt(2.0), generator)
        self.actor = Output(size, self.head.inputs, gain=0.01, generator=generator)
        self.critic = Output(size, 1, gain=1.0, generator=generator)
        self.log_sigma = self.head.log_sigma(log_sigma)

    def encode(self, observations: Tensor) -> Tensor:
        """The observations as they are, bytes."""
        return observations

    def forward(self, encoded: Tensor) -> tuple[Distribution, Tensor]:
        """Observations [n, channels * height * width] uint8 -> action distribution of n rows, values [n]."""
        seen = self.trunk(encoded.view(-1, *self.shape).float() / 255.0)
        return self.head(self.actor(seen), self.log_sigma), self.critic(seen).squeeze(-1)

    def update_statistics(self, encoded: Tensor) -> None:
        """Nothing: bytes have a known range."""
