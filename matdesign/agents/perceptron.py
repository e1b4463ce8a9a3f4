"""Multilayer perceptrons on the CPU in C (perceptron.c)."""

from collections.abc import Sequence
from ctypes import POINTER, Array, Structure, c_int64, c_void_p
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from matdesign.native import LIBRARY

ACTIVATIONS = {"linear": 0, "tanh": 1, "relu": 2, "gelu": 3}  # as in perceptron.h


class Dense(NamedTuple):
    """Weight [outputs, inputs], bias [outputs], and a name in ACTIVATIONS; "linear" is for the last layer."""

    weight: Tensor
    bias: Tensor
    activation: str


class Layer(Structure):
    """One layer as C sees it, see perceptron.h."""

    _fields_ = (
        *(("inputs", c_int64), ("outputs", c_int64), ("activation", c_int64)),
        *(("weight", c_void_p), ("bias", c_void_p)),
    )


_LAYERS = (c_int64, POINTER(Layer))
for name in ("perceptron_scratch", "perceptron_weights"):
    function = getattr(LIBRARY, name)
    function.argtypes, function.restype = list(_LAYERS), c_int64
for name, pointers in (("perceptron_transpose", 1), ("perceptron_gradients", 2)):
    function = getattr(LIBRARY, name)
    function.argtypes, function.restype = [*_LAYERS, *[c_void_p] * pointers], None
for name, pointers in (("perceptron_forward", 5), ("perceptron_backward", 6)):
    function = getattr(LIBRARY, name)
    function.argtypes, function.restype = [c_int64, *_LAYERS, *[c_void_p] * pointers], None


def is_fused(*tensors: Tensor) -> bool:
    """Whether these are what `perceptron` computes with: float32 on the CPU, and nobody asked for less precision."""
    return not torch.is_autocast_enabled("cpu") and all(
        tensor.dtype == torch.float32 and tensor.device.type == "cpu" for tensor in tensors
    )


def perceptron(inputs: Tensor, layers: Sequence[Dense]) -> Tensor:
    """What these layers make of `inputs` [rows, inputs of the first layer]: [rows, outputs of the last one].

    All of it is float32 on the CPU, see `is_fused`.
    """
    if torch.is_grad_enabled():
        parameters = (parameter for layer in layers for parameter in (layer.weight, layer.bias))
        kinds = [layer.activation for layer in layers]
        return _Perceptron.apply(inputs, kinds, *parameters)  # type: ignore[no-any-return, no-untyped-call]  # torch's
    return _forward(inputs.contiguous(), layers, None)


def described(layers: Sequence[Dense]) -> "Array[Layer]":
    """Layers as C sees them; their parameters have to stay in their place."""
    return (Layer * len(layers))(
        *(
            Layer(*reversed(weight.shape), ACTIVATIONS[activation], weight.data_ptr(), bias.data_ptr())
            for weight, bias, activation in layers
        )
    )


def _forward(inputs: Tensor, layers: Sequence[Dense], kept: Tensor | None) -> Tensor:
    count, in_c = len(layers), described(layers)
    scratch = torch.empty(LIBRARY.perceptron_scratch(count, in_c))
    transposed = torch.empty(LIBRARY.perceptron_weights(count, in_c))
    outputs = inputs.new_empty(len(inputs), len(layers[-1].bias))
    keep = None if kept is None else kept.data_ptr()
    LIBRARY.perceptron_transpose(count, in_c, transposed.data_ptr())
    LIBRARY.perceptron_forward(
        *(len(inputs), count, in_c, transposed.data_ptr(), inputs.data_ptr()),
        *(keep, outputs.data_ptr(), scratch.data_ptr()),
    )
    return outputs


class _Perceptron(Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, kinds: Sequence[str], *parameters: Tensor) -> Tensor:
        inputs = inputs.contiguous()
        parameters = tuple(parameter.contiguous() for parameter in parameters)
        layers = [Dense(*of_layer) for of_layer in zip(parameters[::2], parameters[1::2], kinds, strict=True)]
        columns = sum(len(layer.bias) for layer in layers if layer.activation != "linear")
        kept = inputs.new_empty(len(inputs) * columns)
        outputs = _forward(inputs, layers, kept)
        ctx.kinds = kinds
        ctx.save_for_backward(inputs, kept, *parameters)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor) -> tuple[Tensor | None, ...]:
        inputs, kept, *parameters = ctx.saved_tensors
        in_c = described([Dense(*layer) for layer in zip(parameters[::2], parameters[1::2], ctx.kinds, strict=True)])
        count = len(in_c)
        scratch = torch.empty(LIBRARY.perceptron_scratch(count, in_c))
        d_outputs = d_outputs.contiguous()
        sums = inputs.new_zeros(sum(parameter.numel() for parameter in parameters))
        gradients = torch.empty_like(sums)
        d_inputs = torch.empty_like(inputs) if ctx.needs_input_grad[0] else None
        LIBRARY.perceptron_backward(
            *(len(inputs), count, in_c, inputs.data_ptr(), kept.data_ptr(), d_outputs.data_ptr()),
            *(sums.data_ptr(), None if d_inputs is None else d_inputs.data_ptr(), scratch.data_ptr()),
        )
        LIBRARY.perceptron_gradients(count, in_c, sums.data_ptr(), gradients.data_ptr())
        parts = torch.split(gradients, [parameter.numel() for parameter in parameters])
        return d_inputs, None, *(part.view_as(whole) for part, whole in zip(parts, parameters, strict=True))
