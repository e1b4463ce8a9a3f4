"""Memory: cells against torch's own, episode by episode; policies step by step against whole segments; recall."""

import itertools

import pytest
import torch

from matdesign.agents.memory import GRU, LSTM

STEPS, ROWS = 23, 7


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def oracle(layer, inputs):
    """torch's own layer with the same parameters."""
    theirs = {LSTM: torch.nn.LSTM, GRU: torch.nn.GRU}[type(layer)](inputs, layer.size).double()
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(layer.input.weight)
        theirs.bias_ih_l0.copy_(layer.input.bias)
        theirs.weight_hh_l0.copy_(layer.weight)
        theirs.bias_hh_l0.zero_()
        if isinstance(layer, GRU):
            theirs.bias_hh_l0[2 * layer.size :] = layer.bias
    return theirs


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_every_episode_is_a_sequence_of_its_own(kind):
    """Outputs, the last memory and all gradients against torch's layer, called for each episode of each row alone."""
    layer = kind(5, 6, generator()).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator(3)) * 0.6)
    theirs = oracle(layer, 5)
    x = torch.randn(STEPS, ROWS, 5, generator=generator(1), dtype=torch.float64, requires_grad=True)
    memory = torch.randn(ROWS, layer.columns, generator=generator(2), dtype=torch.float64, requires_grad=True)
    fresh = torch.rand(STEPS, ROWS, generator=generator(4)) < 0.2
    assert fresh[0].any()
    assert not fresh[0].all()
    weight = torch.randn(STEPS, ROWS, 6, generator=generator(5), dtype=torch.float64)

    outputs, last = layer(x, memory, fresh)
    expected, expected_last = torch.zeros_like(outputs), torch.zeros_like(last)
    for row in range(ROWS):
        begins = [0, *(t for t in range(1, STEPS) if fresh[t, row]), STEPS]
        for first, end in itertools.pairwise(begins):
            start = torch.zeros_like(memory[row]) if fresh[first, row] else memory[row]
            state = tuple(part.view(1, 1, 6) for part in start.chunk(layer.columns // 6))
            out, state = theirs(x[first:end, row, None], state if isinstance(layer, LSTM) else state[0])
            expected[first:end, row] = out[:, 0]
        expected_last[row] = torch.cat([part.flatten() for part in (state if isinstance(layer, LSTM) else [state])])
    assert torch.allclose(outputs, expected, rtol=0, atol=1e-12)
    assert torch.allclose(last, expected_last, rtol=0, atol=1e-12)

    names = {"input.weight": "weight_ih_l0", "input.bias": "bias_ih_l0", "weight": "weight_hh_l0"}
    loss, expected_loss = ((a * weight).sum() + b.sum() for a, b in ((outputs, last), (expected, expected_last)))
    ours = torch.autograd.grad(loss, [x, memory, *layer.parameters()])
    reference = torch.autograd.grad(expected_loss, [x, memory, *theirs.parameters()])
    gradients = dict(zip([name for name, _ in layer.named_parameters()], ours[2:], strict=True))
    their_gradients = dict(zip([name for name, _ in theirs.named_parameters()], reference[2:], strict=True))
    pairs = [*zip(ours[:2], reference[:2], strict=True)]
    pairs += [(gradients[name], their_gradients[other]) for name, other in names.items()]
    if kind is GRU:
        pairs.append((gradients["bias"], their_gradients["bias_hh_l0"][12:]))
    for one, other in pairs:
        assert other.abs().max() > 1e-3
        assert torch.allclose(one, other, rtol=0, atol=1e-11)
