"""Recurrent layers over a sequence on the CPU: torch multiplies the matrices, the rest is C (recurrent.c).

They compute what `lstm` and `gru` of matdesign.agents.memory say, in float32, with gradients derived by hand.
"""

from ctypes import c_int64, c_void_p
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from matdesign.native import LIBRARY

for name, pointers in (("lstm_forward", 8), ("lstm_backward", 8), ("gru_forward", 8), ("gru_backward", 6)):
    function = getattr(LIBRARY, name)
    function.argtypes, function.restype = [c_int64, c_int64, *[c_void_p] * pointers], None


def is_fused(*tensors: Tensor) -> bool:
    """Whether these are what the functions below compute with: float32 on the CPU."""
    return all(tensor.dtype == torch.float32 and tensor.device.type == "cpu" for tensor in tensors)


def _steps(array: Tensor) -> list[int | None]:
    """Addresses of array[0], array[1], ..., and None for the step after the last one."""
    first, step = array.data_ptr(), array.stride(0) * array.element_size()
    return [*range(first, first + step * len(array), step), None]


class FusedLSTM(Function):
    """`lstm(inputs, memory, fresh, weight)`, float32."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, memory: Tensor, fresh: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """See `matdesign.agents.memory.lstm`."""
        inputs, fresh = inputs.contiguous(), fresh.contiguous()
        steps, rows, columns = inputs.shape
        size = columns // 4
        gates, outputs = torch.empty_like(inputs), inputs.new_empty(steps, rows, size)
        before, cells = torch.empty_like(outputs), inputs.new_empty(steps + 1, rows, size)
        hidden, cell = memory.chunk(2, -1)
        torch.mul(hidden, ~fresh[0].unsqueeze(-1), out=before[0])
        cells[0] = cell
        at_input, at_fresh, at_gates, at_cells, at_output, at_before = map(
            _steps, (inputs, fresh, gates, cells, outputs, before)
        )
        for t, (seen, into) in enumerate(zip(before.unbind(), gates.unbind(), strict=True)):
            torch.mm(seen, weight.mT, out=into)
            LIBRARY.lstm_forward(
                rows, size, at_input[t], at_fresh[t], at_fresh[t + 1], at_cells[t], at_gates[t], at_cells[t + 1],
                at_output[t], at_before[t + 1],
            )  # fmt: skip
        ctx.save_for_backward(fresh, weight, gates, before, cells)
        return outputs, torch.cat([outputs[-1], cells[-1]], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, d_memory: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of inputs, memory and weight; they take the place of the activations."""
        fresh, weight, gates, before, cells = ctx.saved_tensors
        torch.autograd.graph.increment_version(gates)
        steps, rows, size = before.shape
        d_outputs = d_outputs.contiguous()
        d_hidden, d_cell = (part.contiguous() for part in d_memory.chunk(2, -1))
        at_fresh, at_gates, at_cells, at_output = map(_steps, (fresh, gates, cells, d_outputs))
        into = gates.unbind()
        for t in range(steps - 1, -1, -1):
            LIBRARY.lstm_backward(
                rows, size, at_fresh[t], at_fresh[t + 1], at_cells[t], at_cells[t + 1], at_output[t],
                d_hidden.data_ptr(), at_gates[t], d_cell.data_ptr(),
            )  # fmt: skip
            d_hidden = torch.mm(into[t], weight)
        d_memory = torch.cat([d_hidden, d_cell], -1).mul_(~fresh[0].unsqueeze(-1))
        return gates, d_memory, None, gates.flatten(0, 1).mT @ before.flatten(0, 1)


class FusedGRU(Function):
    """`gru(inputs, memory, fresh, weight, bias)`, float32."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, memory: Tensor, fresh: Tensor, weight: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See `matdesign.agents.memory.gru`."""
        inputs, fresh = inputs.contiguous(), fresh.contiguous()
        steps, rows, columns = inputs.shape
        size = columns // 3
        gates, remembered = torch.empty_like(inputs), torch.empty_like(inputs)
        outputs, before = inputs.new_empty(2, steps, rows, size).unbind()
        torch.mul(memory, ~fresh[0].unsqueeze(-1), out=before[0])
        at_input, at_fresh, at_gates, at_remembered, at_output, at_before = map(
            _steps, (inputs, fresh, gates, remembered, outputs, before)
        )
        for t, (seen, into) in enumerate(zip(before.unbind(), remembered.unbind(), strict=True)):
            torch.mm(seen, weight.mT, out=into)
            LIBRARY.gru_forward(
                rows, size, at_input[t], at_fresh[t + 1], bias.data_ptr(), at_before[t], at_remembered[t], at_gates[t],
                at_output[t], at_before[t + 1],
            )  # fmt: skip
        ctx.save_for_backward(fresh, weight, gates, remembered, before)
        return outputs, outputs[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, d_memory: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of inputs, memory, weight and bias; they take the place of the activations."""
        fresh, weight, gates, remembered, before = ctx.saved_tensors
        torch.autograd.graph.increment_version(gates)
        steps, rows, size = before.shape
        d_outputs, d_hidden = d_outputs.contiguous(), d_memory.clone(memory_format=torch.contiguous_format)
        at_fresh, at_gates, at_remembered, at_output, at_before = map(
            _steps, (fresh, gates, remembered, d_outputs, before)
        )
        into = remembered.unbind()
        for t in range(steps - 1, -1, -1):
            LIBRARY.gru_backward(
                rows, size, at_fresh[t + 1], at_before[t], at_output[t], at_gates[t], at_remembered[t],
                d_hidden.data_ptr(),
            )  # fmt: skip
            d_hidden.addmm_(into[t], weight)
        d_hidden.mul_(~fresh[0].unsqueeze(-1))
        d_remembered = remembered.flatten(0, 1)
        return gates, d_hidden, None, d_remembered.mT @ before.flatten(0, 1), d_remembered[:, 2 * size :].sum(0)
