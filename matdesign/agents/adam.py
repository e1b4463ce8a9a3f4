"""AdamW on the CPU in one call to C (adam.c), for parameters in float32."""

from collections.abc import Mapping, Sequence
from ctypes import POINTER, Structure, c_double, c_float, c_int64, c_void_p
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor

from matdesign.native import LIBRARY


class _Parameter(Structure):
    _fields_ = (("size", c_int64), *((name, c_void_p) for name in ("values", "means", "squares", "steps")))


_ARGUMENTS: list[Any] = [c_int64, POINTER(_Parameter), c_void_p]
LIBRARY.adam_norm.argtypes, LIBRARY.adam_norm.restype = _ARGUMENTS, c_double
LIBRARY.adam_scale.argtypes, LIBRARY.adam_scale.restype = [*_ARGUMENTS, c_float], None
LIBRARY.adam_step.argtypes, LIBRARY.adam_step.restype = [*_ARGUMENTS, c_double, c_double, c_double], None


class Adam:
    """Steps as `torch.optim.AdamW` makes them, to rounding.

    Args:
        parameters: contiguous float32 on the CPU; they may change in place, but not move.
        state: what `torch.optim.AdamW` remembers of each: step, exp_avg, exp_avg_sq.
        epsilon: added to the root of the mean square.
        weight_decay: share of each parameter taken off in a step, over the learning rate.
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        state: Mapping[Tensor, Mapping[str, Tensor]],
        *,
        epsilon: float,
        weight_decay: float,
    ) -> None:
        self._parameters, self._epsilon, self._weight_decay = parameters, epsilon, weight_decay
        names = ("exp_avg", "exp_avg_sq", "step")
        self._described = (_Parameter * len(parameters))(
            *(_Parameter(p.numel(), p.data_ptr(), *(state[p][name].data_ptr() for name in names)) for p in parameters)
        )
        self._gradients: list[Tensor | None] = []
        self._addresses = (c_void_p * len(parameters))()

    def norm(self) -> float:
        """Euclidean norm of all gradients together."""
        norm: float = LIBRARY.adam_norm(len(self._parameters), self._described, self._gradients_in_c())
        return norm

    def scale(self, factor: float) -> None:
        """Multiplies all gradients."""
        LIBRARY.adam_scale(len(self._parameters), self._described, self._gradients_in_c(), factor)

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """One step down the gradients; parameters without one stay as they are."""
        numbers = (learning_rate, self._epsilon, self._weight_decay)
        LIBRARY.adam_step(len(self._parameters), self._described, self._gradients_in_c(), *numbers)
        torch.autograd.graph.increment_version(self._parameters)

    def _gradients_in_c(self) -> Any:
        """Addresses of the gradients, found anew where they are other ones than the last time."""
        gradients = [parameter.grad for parameter in self._parameters]
        if any(a is not b for a, b in zip_longest(gradients, self._gradients)):
            for index, parameter in enumerate(self._parameters):
                if parameter.grad is not None:
                    parameter.grad = parameter.grad.contiguous()
                self._addresses[index] = None if parameter.grad is None else parameter.grad.data_ptr()
            self._gradients = [parameter.grad for parameter in self._parameters]
        return self._addresses
