"""Multilayer perceptrons on the CPU in C (perceptron.c): layers of tanh and a linear one behind them."""

from collections.abc import Sequence
from ctypes import POINTER, Array, Structure, c_int64, c_void_p
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from matdesign.native import LIBRARY


class Layer(Structure):
    """One layer as C sees it, see perceptron.h."""

    _fields_ = (("inputs", c_int64), ("outputs", c_int64), ("weight", c_void_p), ("bias", c_void_p))


_LAYERS = (c_int64, POINTER(Layer))
LIBRARY.perceptron_scratch.argtypes, LIBRARY.perceptron_scratch.restype = list(_LAYERS), c_int64
for name, pointers in (("perceptron_forward", 4), ("perceptron_backward", 6)):
    function = getattr(LIBRARY, name)
    function.argtypes, function.restype = [c_int64, *_LAYERS, *[c_void_p] * pointers], None


def is_fused(*tensors: Tensor) -> bool:
    """Whether these are what `perceptron` computes with: float32 on the CPU, and nobody asked for less precision."""
    return not torch.is_autocast_enabled("cpu") and all(
        tensor.dtype == torch.float32 and tensor.device.type == "cpu" for tensor in tensors
    )


def perceptron(inputs: Tensor, layers: Sequence[nn.Linear]) -> Tensor:
    """Linear layers with tanh between them.

    Args:
        inputs: [rows, inputs of the first layer]; `is_fused`, as the layers' parameters are.
        layers: one or more, with biases.

    Returns:
        [rows, outputs of the last layer].
    """
    parameters = [parameter for layer in layers for parameter in (layer.weight, layer.bias)]
    if torch.is_grad_enabled():
        return _Perceptron.apply(inputs, *parameters)  # type: ignore[no-any-return, no-untyped-call]
    return _forward(inputs.contiguous(), parameters, None)


def described(parameters: Sequence[Tensor]) -> "Array[Layer]":
    """Layers as C sees them; weight and bias of each are given, and have to stay in their place."""
    return (Layer * (len(parameters) // 2))(
        *(
            Layer(weight.shape[1], weight.shape[0], weight.data_ptr(), bias.data_ptr())
            for weight, bias in zip(parameters[::2], parameters[1::2], strict=True)
        )
    )


def _forward(inputs: Tensor, parameters: Sequence[Tensor], activations: Tensor | None) -> Tensor:
    layers = described(parameters)
    scratch = torch.empty(LIBRARY.perceptron_scratch(len(layers), layers))
    outputs = inputs.new_empty(len(inputs), len(parameters[-1]))
    kept = None if activations is None else activations.data_ptr()
    LIBRARY.perceptron_forward(
        len(inputs), len(layers), layers, inputs.data_ptr(), kept, outputs.data_ptr(), scratch.data_ptr()
    )
    return outputs


class _Perceptron(Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, *parameters: Tensor) -> Tensor:
        inputs = inputs.contiguous()
        parameters = tuple(parameter.contiguous() for parameter in parameters)
        activations = inputs.new_empty(len(inputs) * sum(len(bias) for bias in parameters[1:-1:2]))
        outputs = _forward(inputs, parameters, activations)
        ctx.save_for_backward(inputs, activations, *parameters)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor) -> tuple[Tensor | None, ...]:
        inputs, activations, *parameters = ctx.saved_tensors
        layers = described(parameters)
        scratch = torch.empty(LIBRARY.perceptron_scratch(len(layers), layers))
        d_outputs = d_outputs.contiguous()
        gradients = inputs.new_empty(sum(parameter.numel() for parameter in parameters))
        d_inputs = torch.empty_like(inputs) if ctx.needs_input_grad[0] else None
        LIBRARY.perceptron_backward(
            *(len(inputs), len(layers), layers, inputs.data_ptr(), activations.data_ptr(), d_outputs.data_ptr()),
            *(gradients.data_ptr(), None if d_inputs is None else d_inputs.data_ptr(), scratch.data_ptr()),
        )
        parts = gradients.split([parameter.numel() for parameter in parameters])
        return d_inputs, *(part.view_as(whole) for part, whole in zip(parts, parameters, strict=True))
