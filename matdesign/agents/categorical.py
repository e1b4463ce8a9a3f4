"""Choices by their logits on the CPU, each question answered in one pass (categorical.c)."""

from ctypes import c_int64, c_void_p
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from matdesign.native import LIBRARY

for name, pointers in (("categorical_sample", 4), ("categorical_forward", 5), ("categorical_backward", 6)):
    function = getattr(LIBRARY, name)
    function.argtypes, function.restype = [c_int64, c_int64, *[c_void_p] * pointers], None


def sample(logits: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """Choices int64 [n] and their log-probabilities [n], for logits [n, choices] and uniform numbers [n] below 1."""
    rows, choices = logits.shape
    logits, uniform = logits.detach().contiguous(), uniform.contiguous()
    actions, log_probs = torch.empty(rows, dtype=torch.int64), torch.empty(rows)
    addresses = (array.data_ptr() for array in (logits, uniform, actions, log_probs))
    LIBRARY.categorical_sample(rows, choices, *addresses)
    return actions, log_probs


class Evaluation(Function):
    """Log-probabilities [n] of actions int64 [n], and entropies [n], for float32 logits [n, choices]."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        rows, choices = logits.shape
        logits, actions = logits.contiguous(), actions.contiguous()
        log_p, log_probs, entropies = torch.empty_like(logits), torch.empty(rows), torch.empty(rows)
        addresses = (array.data_ptr() for array in (logits, actions, log_p, log_probs, entropies))
        LIBRARY.categorical_forward(rows, choices, *addresses)
        ctx.save_for_backward(log_p, actions, entropies)
        return log_probs, entropies

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_log_probs: Tensor, d_entropies: Tensor) -> tuple[Tensor, None]:
        """The gradient of the logits."""
        log_p, actions, entropies = ctx.saved_tensors
        gradients = (d_log_probs.contiguous(), d_entropies.contiguous())
        d_logits = torch.empty_like(log_p)
        addresses = (array.data_ptr() for array in (log_p, actions, entropies, *gradients, d_logits))
        LIBRARY.categorical_backward(*log_p.shape, *addresses)
        return d_logits, None
