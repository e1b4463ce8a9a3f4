"""Recurrent layers in C: outputs, memory and gradients against plain torch in double precision."""

import pytest
import torch

from matdesign.agents.memory import gru, lstm
from matdesign.agents.recurrent import FusedGRU, FusedLSTM

LAYERS = {"lstm": (lstm, FusedLSTM, 4, 2), "gru": (gru, FusedGRU, 3, 1)}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(("steps", "rows", "size"), [(1, 1, 1), (1, 5, 16), (9, 13, 21), (33, 3, 64)])
def test_outputs_memory_and_gradients(layer, steps, rows, size):
    """Long memories, saturated gates, rows that begin anew at any step, a gradient through the last memory."""
    plain, fused, gates, parts = LAYERS[layer]
    generator = torch.Generator().manual_seed(steps)

    def normal(*shape):
        return torch.randn(shape, generator=generator)

    fresh = torch.rand(steps, rows, generator=generator) < 0.2
    arguments = [3 * normal(steps, rows, gates * size), normal(rows, parts * size), normal(gates * size, size) / 4]
    if layer == "gru":
        arguments.append(normal(size))
    weights = normal(steps, rows, size), normal(rows, parts * size)
    results = []
    for function, kind in ((plain, torch.float64), (fused.apply, torch.float32)):
        inputs, memory, *parameters = (a.to(kind, copy=True).requires_grad_() for a in arguments)
        outputs, last = function(inputs, memory, fresh, *parameters)
        loss = (outputs * weights[0]).sum() + (last * weights[1]).sum()
        results.append([outputs, last, *torch.autograd.grad(loss, [inputs, memory, *parameters])])
    for exact, ours in zip(*results, strict=True):
        assert exact.abs().max() > 1e-3 or steps == rows == 1
        assert torch.allclose(ours.double(), exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layer", LAYERS)
def test_extreme_gates_and_nan(layer):
    """Gates far beyond saturation stay finite; a NaN is not hidden."""
    _, fused, gates, parts = LAYERS[layer]
    parameters = [torch.zeros(gates * 4, 4)] + ([torch.zeros(4)] if layer == "gru" else [])
    inputs = torch.cat([torch.full((1, 1, gates * 4), value) for value in (1e30, -1e30, 300.0, -300.0)])
    inputs.requires_grad_()
    outputs, _ = fused.apply(inputs, torch.ones(1, parts * 4), torch.zeros(4, 1, dtype=torch.bool), *parameters)
    outputs.sum().backward()
    assert outputs.isfinite().all()
    assert inputs.grad.isfinite().all()
    broken = torch.full((1, 1, gates * 4), torch.nan)
    outputs, _ = fused.apply(broken, torch.ones(1, parts * 4), torch.zeros(1, 1, dtype=torch.bool), *parameters)
    assert outputs.isnan().all()


def test_activations_are_used_once():
    """The gradient takes their place, so a second one is refused, not wrong."""
    inputs = torch.randn(2, 3, 8, requires_grad=True)
    outputs, _ = FusedLSTM.apply(inputs, torch.zeros(3, 4), torch.zeros(2, 3, dtype=torch.bool), torch.randn(8, 2))
    outputs.sum().backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        outputs.sum().backward()
