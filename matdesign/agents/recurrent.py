"""Recurrent layers over a sequence on the CPU: C takes blocks of rows through all steps (recurrent.c).

They compute what `lstm` and `gru` of matdesign.agents.memory say, in float32, with gradients derived by hand.
"""

from ctypes import c_int64, c_void_p
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from matdesign.native import LIBRARY

for name, pointers in (("lstm_forward", 8), ("lstm_backward", 8), ("gru_forward", 9), ("gru_backward", 8)):
    function = getattr(LIBRARY, name)
    function.argtypes, function.restype = [*[c_int64] * 3, *[c_void_p] * pointers], None


def is_fused(*tensors: Tensor) -> bool:
    """Whether these are what the functions below compute with: float32 on the CPU."""
    return all(tensor.dtype == torch.float32 and tensor.device.type == "cpu" for tensor in tensors)


def _call(name: str, steps: int, rows: int, size: int, *arrays: Tensor) -> None:
    """Calls a function of recurrent.h; the scratch memory is made here."""
    scratch = torch.empty(4 * size * size)
    getattr(LIBRARY, name)(steps, rows, size, *(array.data_ptr() for array in (*arrays, scratch)))


class FusedLSTM(Function):
    """`lstm(inputs, memory, fresh, weight)`, float32."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, memory: Tensor, fresh: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """See `matdesign.agents.memory.lstm`."""
        inputs, fresh, weight = inputs.contiguous(), fresh.contiguous(), weight.contiguous()
        steps, rows, columns = inputs.shape
        size = columns // 4
        gates, outputs = torch.empty_like(inputs), inputs.new_empty(steps, rows, size)
        before, cells = torch.empty_like(outputs), inputs.new_empty(steps + 1, rows, size)
        hidden, cells[0] = memory.chunk(2, -1)
        torch.mul(hidden, ~fresh[0].unsqueeze(-1), out=before[0])
        _call("lstm_forward", steps, rows, size, inputs, fresh, weight, gates, cells, outputs, before)
        ctx.save_for_backward(fresh, weight, gates, before, cells)
        return outputs, torch.cat([outputs[-1], cells[-1]], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, d_memory: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of inputs, memory and weight; they take the place of the activations."""
        fresh, weight, gates, before, cells = ctx.saved_tensors
        torch.autograd.graph.increment_version(gates)
        d_hidden, d_cell = (part.clone(memory_format=torch.contiguous_format) for part in d_memory.chunk(2, -1))
        _call("lstm_backward", *before.shape, fresh, weight, cells, d_outputs.contiguous(), gates, d_hidden, d_cell)
        d_weight = gates.flatten(0, 1).mT @ before.flatten(0, 1)
        return gates, torch.cat([d_hidden, d_cell], -1), None, d_weight


class FusedGRU(Function):
    """`gru(inputs, memory, fresh, weight, bias)`, float32."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, memory: Tensor, fresh: Tensor, weight: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See `matdesign.agents.memory.gru`."""
        inputs, fresh, weight = inputs.contiguous(), fresh.contiguous(), weight.contiguous()
        steps, rows, columns = inputs.shape
        size = columns // 3
        gates, remembered = torch.empty_like(inputs), torch.empty_like(inputs)
        outputs, before = inputs.new_empty(2, steps, rows, size).unbind()
        torch.mul(memory, ~fresh[0].unsqueeze(-1), out=before[0])
        arrays = (inputs, fresh, weight, bias.contiguous(), remembered, gates, outputs, before)
        _call("gru_forward", steps, rows, size, *arrays)
        ctx.save_for_backward(fresh, weight, gates, remembered, before)
        return outputs, outputs[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, d_memory: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of inputs, memory, weight and bias; they take the place of the activations."""
        fresh, weight, gates, remembered, before = ctx.saved_tensors
        torch.autograd.graph.increment_version(gates)
        d_hidden = d_memory.clone(memory_format=torch.contiguous_format)
        _call("gru_backward", *before.shape, fresh, weight, before, d_outputs.contiguous(), gates, remembered, d_hidden)
        d_remembered = remembered.flatten(0, 1)
        d_weight = d_remembered.mT @ before.flatten(0, 1)
        return gates, d_hidden, None, d_weight, d_remembered[:, 2 * before.shape[-1] :].sum(0)
