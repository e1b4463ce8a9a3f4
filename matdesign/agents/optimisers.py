"""What makes a step of the gradient, and how large steps are in the course of a training."""

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from matdesign.agents.adam import Adam
from matdesign.agents.perceptron import is_fused
from matdesign.agents.policies import Output

EPSILON = 1e-5  # of Adam
Schedule = Literal["constant", "linear", "cosine"]


def scheduled(value: float, schedule: Schedule, done: float) -> float:
    """`value` after the part `done` of a training, 0 to 1: constant, or falling to 0 linearly or as half a cosine."""
    done = min(max(done, 0.0), 1.0)
    factor = {"constant": 1.0, "linear": 1.0 - done, "cosine": 0.5 * (1.0 + math.cos(math.pi * done))}[schedule]
    return value * factor


class Optimiser:
    """Adam for every parameter; or Muon for the hidden matrices and AdamW for the rest.

    Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) makes the steps of a matrix orthogonal; they are scaled
    to the size that AdamW's would have (Liu et al. 2025, arXiv:2502.16982), so that one learning rate serves both.
    Matrices of output layers, vectors and filters are AdamW's.

    Args:
        network: whose parameters are changed.
        kind: "adam" or "muon".
        learning_rate: of the first step.
        weight_decay: share of each parameter that is taken off in a step, over the learning rate.
    """

    def __init__(
        self, network: nn.Module, kind: Literal["adam", "muon"], *, learning_rate: float, weight_decay: float
    ) -> None:
        self._names: dict[Tensor, str] = {parameter: name for name, parameter in network.named_parameters()}
        outputs = {layer.weight for layer in network.modules() if isinstance(layer, Output)}
        hidden = [p for p in self._names if p.ndim == 2 and p not in outputs] if kind == "muon" else []
        rest = [p for p in self._names if not any(p is matrix for matrix in hidden)]
        self._optimisers: list[torch.optim.Optimizer] = []
        if hidden:
            muon = torch.optim.Muon(hidden, lr=learning_rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
            for parameter in hidden:
                muon.state[parameter] = {"momentum_buffer": torch.zeros_like(parameter)}
            self._optimisers.append(muon)
        adam = torch.optim.AdamW(rest, lr=learning_rate, eps=EPSILON, weight_decay=weight_decay, fused=True)
        for parameter in rest:
            adam.state[parameter] = {
                "step": torch.zeros((), device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        self._optimisers.append(adam)
        self._parameters = list(self._names)
        # One call in place of a dozen operations, which are most of a small network's step.
        self._in_c: Adam | None = None
        if not hidden and is_fused(*rest) and all(parameter.is_contiguous() for parameter in rest):
            self._in_c = Adam(rest, adam.state, epsilon=EPSILON, weight_decay=weight_decay)

    def norm(self) -> float:
        """Euclidean norm of the gradients of all parameters together."""
        if self._in_c is not None:
            return self._in_c.norm()
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        return nn.utils.get_total_norm(gradients).item()

    def clip(self, norm: float, most: float) -> None:
        """Scales the gradients, whose norm is `norm`, so that it is at most `most`."""
        if norm <= most:
            return
        if self._in_c is not None:
            self._in_c.scale(most / norm)
        else:
            for parameter in self._parameters:
                if parameter.grad is not None:
                    parameter.grad.mul_(most / norm)

    def step(self, learning_rate: float) -> None:
        """One step down the gradients, which are then dropped."""
        if self._in_c is not None:
            self._in_c.step(learning_rate)
        else:
            for optimiser in self._optimisers:
                optimiser.param_groups[0]["lr"] = learning_rate
                optimiser.step()
        self.drop_gradients()

    def drop_gradients(self) -> None:
        """Forgets the gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    def tensors(self) -> Mapping[str, Tensor]:
        """What is remembered between steps, by parameter and kind; not copies."""
        return {
            f"{self._names[parameter]}.{kind}": tensor
            for optimiser in self._optimisers
            for parameter, state in optimiser.state.items()
            for kind, tensor in state.items()
        }
