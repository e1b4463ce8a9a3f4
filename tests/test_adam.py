"""AdamW in one call to C against torch's."""

import pytest
import torch

from matdesign.agents.optimisers import Optimiser
from matdesign.agents.policies import MLPPolicy


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_steps_equal_torch(weight_decay: float) -> None:
    ours, theirs = (MLPPolicy(5, 2, 0, hidden=(33, 7), seed=1) for _ in range(2))
    in_c = Optimiser(ours, "adam", learning_rate=1e-2, weight_decay=weight_decay)
    reference = torch.optim.AdamW(theirs.parameters(), eps=1e-5, weight_decay=weight_decay)
    assert in_c._in_c is not None
    generator = torch.Generator().manual_seed(0)
    for step in range(20):
        learning_rate = 1e-2 / (1 + step)
        reference.param_groups[0]["lr"] = learning_rate
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            a.grad = 10.0 ** (step % 5 - 3) * torch.randn(a.shape, generator=generator)
            b.grad = a.grad.clone()
        norm = in_c.norm()
        assert norm == pytest.approx(torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5).item(), rel=1e-6)
        in_c.clip(norm, 0.5)
        in_c.step(learning_rate)
        reference.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=2e-5, atol=2e-6)
        assert a.grad is None
    remembered = in_c.tensors()
    for name, parameter in theirs.named_parameters():
        for key, value in reference.state[parameter].items():
            torch.testing.assert_close(remembered[f"{name}.{key}"], value, rtol=1e-5, atol=1e-8)


def test_what_has_no_gradient_stays() -> None:
    policy = MLPPolicy(3, 1, 2)
    optimiser = Optimiser(policy, "adam", learning_rate=0.1, weight_decay=0.0)
    before = [parameter.detach().clone() for parameter in policy.parameters()]
    policy.actor[0].weight.grad = torch.ones(3, 64).mT
    assert optimiser.norm() == pytest.approx(192**0.5)
    optimiser.step(0.1)
    changed = [not torch.equal(a, b) for a, b in zip(before, policy.parameters(), strict=True)]
    assert changed == [name == "actor.0.weight" for name, _ in policy.named_parameters()]
    assert optimiser.tensors()["actor.0.weight.step"] == 1
