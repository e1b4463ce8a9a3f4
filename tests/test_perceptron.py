"""Perceptrons in C against torch in double precision."""

from typing import Any

import pytest
import torch
from torch import nn

from matdesign.agents.perceptron import is_fused, perceptron
from matdesign.agents.policies import ACTIVATIONS, MLPPolicy, Perceptron, mlp

SHAPES = [(4, (64, 64), 2), (118, (64, 64), 3), (5, (20, 33), 17), (7, (128,), 1), (3, (), 4), (64, (16, 48, 80), 40)]


def network(inputs: int, hidden: tuple[int, ...], outputs: int, activation: str = "tanh") -> Perceptron:
    generator = torch.Generator().manual_seed(0)
    layers = mlp(inputs, hidden, outputs, gain=1.0, generator=generator, activation=activation)
    for parameter in layers.parameters():
        parameter.data.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return layers


@pytest.mark.parametrize("activated", [False, True])
@pytest.mark.parametrize("activation", ["tanh", "gelu", "relu"])
@pytest.mark.parametrize("rows", [0, 1, 63, 200])
@pytest.mark.parametrize(("inputs", "hidden", "outputs"), SHAPES)
def test_equals_torch(
    inputs: int, hidden: tuple[int, ...], outputs: int, rows: int, activation: str, activated: bool
) -> None:
    """With and without an activation behind the last layer."""
    layers = network(inputs, hidden, outputs, activation)
    if activated:
        layers.append(ACTIVATIONS[activation]())
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(rows, inputs, generator=generator).requires_grad_()
    weights = torch.randn(rows, outputs, generator=generator)
    result = perceptron(x, layers.layers())
    with torch.no_grad():
        assert torch.equal(result, layers(x))
    ours = torch.autograd.grad(result, [x, *layers.parameters()], weights)

    exact, y = nn.Sequential(*layers).double(), x.detach().double().requires_grad_()
    expected = exact(y)
    theirs = torch.autograd.grad(expected, [y, *exact.parameters()], weights.double())
    torch.testing.assert_close(result.double(), expected, rtol=1e-5, atol=1e-5)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=2e-5)


def test_a_row_gives_the_same_alone_and_in_a_batch() -> None:
    layers, x = network(9, (64, 32), 3), torch.randn(150, 9)
    together = layers(x)
    with torch.no_grad():
        assert torch.equal(together, layers(x))
        assert torch.equal(together, torch.cat([layers(part) for part in x.split([1, 2, 64, 83])]))


def test_where_it_stands_in_for_torch() -> None:
    layers, x = network(4, (64,), 2), torch.randn(3, 4)
    assert is_fused(x, *layers.parameters())
    assert "Perceptron" in type(layers(x).grad_fn).__name__
    assert not is_fused(x.double())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layers(x).dtype == torch.bfloat16


def test_what_is_not_a_number_stays_one() -> None:
    layers = network(4, (64, 64), 2)
    result = layers(torch.tensor([[1.0, float("nan"), 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]))
    assert result.isnan().tolist() == [[True, True], [False, False]]


def test_changed_parameters_are_noticed() -> None:
    layers, x = network(4, (64,), 2), torch.randn(3, 4)
    result = layers(x).sum()
    with torch.no_grad():
        layers[0].weight.mul_(2.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.backward()


@pytest.mark.parametrize("options", [{"shared": True}, {"memory": "lstm"}, {"shared": True, "hidden": ()}])
def test_two_outputs_in_one_layer(options: dict[str, Any]) -> None:
    """Actor and critic behind the same layers are computed together; in double precision they are not."""
    policy = MLPPolicy(6, 2, 3, seed=1, **{"hidden": (32,), "activation": "gelu"} | options)
    exact = MLPPolicy(6, 2, 3, seed=1, **{"hidden": (32,), "activation": "gelu"} | options).double()
    rows, actions = torch.randn(50, 6), torch.randint(3, (50, 2))
    gradients = []
    for network, encoded in ((policy, rows), (exact, rows.double())):
        memory = torch.zeros(10, network.memory, dtype=encoded.dtype)
        distribution, values = network.unroll(encoded.view(5, 10, 6), memory, torch.zeros(5, 10, dtype=torch.bool))
        loss = distribution.evaluate(actions)[0].sum() + values.square().sum()
        gradients.append([loss, *torch.autograd.grad(loss, list(network.parameters()))])
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=2e-5)
