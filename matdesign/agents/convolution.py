"""A policy that sees pictures."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from matdesign.agents.distributions import Distribution, Head
from matdesign.agents.policies import Policy, orthogonal
from matdesign.errors import InputError

LARGE = ((16, 8, 4), (32, 4, 2))  # filters, kernel, stride
SMALL = ((16, 3, 1), (32, 3, 1))
LEAST_LARGE, LEAST_SMALL = 20, 5  # pixels along an edge that these take


class ConvolutionalPolicy(Policy):
    """Two convolutions and a hidden layer shared by action and value, as in Mnih et al. 2013 (arXiv:1312.5602).

    Pictures too small for those filters, with an edge below 20 pixels, are seen by filters of 3 x 3 in steps of one.

    Args:
        shape: of a picture, (channels, height, width), bytes; an observation is one, flattened.
        action_dims: columns of an action.
        choices: as for `MLPPolicy`.
        hidden: sizes of the layers behind the convolutions.
        memory: as for `Policy`.
        memory_size: as for `Policy`.
        log_sigma: as for `MLPPolicy`.
        seed: of the initial parameters.

    Raises:
        InputError: a picture with an edge below 5 pixels.
    """

    def __init__(
        self,
        shape: Sequence[int],
        action_dims: int,
        choices: int | Sequence[int],
        *,
        hidden: Sequence[int] = (256,),
        memory: str = "none",
        memory_size: int = 64,
        log_sigma: float = -0.5,
        seed: int = 0,
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        channels, height, width = self.shape = tuple(shape)
        layers: list[nn.Module] = []
        if min(height, width) < LEAST_SMALL:
            raise InputError(f"a picture of {height} x {width} is too small for filters: use agent.policy.kind=mlp")
        for filters, kernel, stride in LARGE if min(height, width) >= LEAST_LARGE else SMALL:
            convolution = nn.Conv2d(channels, filters, kernel, stride)
            orthogonal(convolution, math.sqrt(2.0), generator)
            layers += [convolution, nn.ReLU()]
            channels, height, width = filters, (height - kernel) // stride + 1, (width - kernel) // stride + 1
        head = Head(action_dims, choices)
        super().__init__(
            channels * height * width,
            head.inputs,
            generator,
            hidden=hidden,
            activation="relu",
            shared=True,
            memory=memory,
            memory_size=memory_size,
        )
        self.head = head
        self.filters = nn.Sequential(*layers, nn.Flatten())
        self.log_sigma = head.log_sigma(log_sigma)

    def encode(self, observations: Tensor) -> Tensor:
        """The observations as they are, bytes."""
        return observations

    def inputs(self, encoded: Tensor) -> Tensor:
        """Observations [n, channels * height * width] uint8 -> what the filters see in them [n, inputs]."""
        return self.filters(encoded.view(-1, *self.shape).float() / 255.0)  # type: ignore[no-any-return]  # torch: a module gives Any

    def distribution(self, output: Tensor, encoded: Tensor) -> Distribution:
        """Output [n, outputs] -> action distribution of n rows."""
        return self.head(output, self.log_sigma)

    def update_statistics(self, encoded: Tensor) -> None:
        """Nothing: bytes have a known range."""
