"""Acting and the gradient in one call to C, against the same in torch's operations."""

from functools import partial

import pytest
import torch
from torch import Tensor

from matdesign.agents.fused import fused
from matdesign.agents.lanes import Lanes
from matdesign.agents.microbatches import Estimates, Microbatches
from matdesign.agents.policies import MLPPolicy
from matdesign.agents.ppo_config import PPOConfig
from matdesign.agents.rollout import Rollout
from matdesign.vector import Vector

ENVIRONMENTS = {"cartpole": {}, "squared": {"size": 5}, "drone_swarm": {"drones": 3}}
plain = partial(torch.autocast, "cpu", enabled=False)


def collected(vector: Vector, policy: MLPPolicy, *, in_c: bool = True, threads: int = 1) -> Rollout:
    """Twelve steps; the policy has since changed a little."""
    generator = torch.Generator().manual_seed(3)
    vector.reset(7)
    rollout = Rollout(
        vector, policy, 12, device=torch.device("cpu"), generator=generator, common_noise=None, precision=plain,
        lanes=Lanes(threads),
    )  # fmt: skip
    if not in_c:
        rollout._fused = None
    rollout.restart()
    rollout.collect(0)
    return rollout


def made(name: str, *, envs: int = 40, **options: object) -> tuple[Vector, MLPPolicy]:
    vector = Vector(name, ENVIRONMENTS[name], envs=envs)
    vector.reset(1)
    policy = MLPPolicy(vector.features, vector.action_dims, vector.choices, hidden=(32, 20), seed=2, **options)
    generator = torch.Generator().manual_seed(4)
    for parameter in policy.parameters():
        parameter.data.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    policy.statistics.update(torch.from_numpy(vector.observations))
    return vector, policy


@pytest.mark.parametrize("options", [{}, {"shared": True, "activation": "gelu"}])
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_acts_as_torch(name: str, options: dict[str, object]) -> None:
    vector, policy = made(name, **options)
    with vector:
        ours, theirs = (collected(vector, policy, in_c=in_c) for in_c in (True, False))
        assert ours._fused is not None
    if ours.taken.is_floating_point():
        torch.testing.assert_close(ours.taken, theirs.taken, rtol=1e-4, atol=1e-4)
    else:
        assert torch.equal(ours.taken, theirs.taken)
    for figure in ("values", "log_probs", "rewards"):
        torch.testing.assert_close(getattr(ours, figure), getattr(theirs, figure), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("of_rows", [False, True])
@pytest.mark.parametrize("options", [{}, {"shared": True, "activation": "gelu"}, {"activation": "relu"}])
@pytest.mark.parametrize("value_clip", [0.0, 0.1])
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_gradient_equals_torch(name: str, value_clip: float, options: dict[str, object], of_rows: bool) -> None:
    """Of transitions, or of whole rows with weights, which agents lack in some steps."""
    vector, policy = made(name, **options)
    config = PPOConfig(value_clip=value_clip, clip=0.1, value_coefficient=0.7)
    generator = torch.Generator().manual_seed(5)
    with vector:
        rollout = collected(vector, policy)
        shape = rollout.rewards.shape
        for parameter in policy.parameters():
            parameter.data.add_(0.05 * torch.randn(parameter.shape, generator=generator))
        noise = torch.randn(3, *shape, generator=generator)
        estimates = Estimates(noise[0], rollout.values[:-1] + 0.1 * noise[1], rollout.values[:-1] + noise[2])
        chosen = torch.randperm(rollout.rewards.numel(), generator=generator)[:401]
        weights = None
        if of_rows:
            chosen, weights = torch.randint(shape[1], (31,), generator=generator), torch.rand(31, generator=generator)
        results: list[list[Tensor]] = []
        for in_c in (True, False):
            microbatches = Microbatches(policy, rollout, config, of_rows=of_rows, precision=plain, lanes=Lanes(1))
            if not in_c:
                microbatches._fused = None
            figures = microbatches.descend(chosen, weights, estimates, 0.03)
            results.append([*figures, *(parameter.grad for parameter in policy.parameters())])
    ours, theirs = results
    assert 0.02 < ours[0][3] < 0.98  # clipped and others
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_collects_as_step_by_step(name: str) -> None:
    rollouts, logs = [], []
    for at_once in (True, False):
        vector, policy = made(name)
        with vector:
            rollout = collected(vector, policy)
            assert rollout._is_in_c()
            if not at_once:
                rollout._is_in_c = lambda: False
            for _ in range(3):
                rollout.collect(0)
            rollouts.append(rollout)
            logs.append(vector.log())
            assert set(rollout.seconds) == {"environment", "forward", "copy"}
    assert logs[0] == logs[1]
    for figure in ("encoded", "taken", "log_probs", "values", "rewards", "terminals", "masks"):
        assert torch.equal(getattr(rollouts[0], figure), getattr(rollouts[1], figure)), figure


def test_threads_share_the_work() -> None:
    vector, policy = made("cartpole", envs=1200)
    with vector:
        one, two = (collected(vector, policy, threads=threads) for threads in (1, 2))
        assert torch.equal(one.taken, two.taken)
        assert torch.equal(one.values, two.values)
        estimates = Estimates(one.rewards, one.values[:-1], one.rewards)
        chosen, gradients = torch.arange(one.rewards.numel()), []
        for threads in (1, 2):
            lanes = Lanes(threads)
            microbatches = Microbatches(policy, one, PPOConfig(), of_rows=False, precision=plain, lanes=lanes)
            microbatches.descend(chosen, None, estimates, 0.0)
            gradients.append([parameter.grad for parameter in policy.parameters()])
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_what_is_left_to_torch() -> None:
    rows = torch.zeros(2, 4)
    assert fused(MLPPolicy(4, 1, 2), rows) is not None
    for options in ({"memory": "lstm"}, {"critic": "team"}):
        assert fused(MLPPolicy(4, 1, 2, **options), rows) is None
    assert fused(MLPPolicy(4, 2, [2, 3]), rows) is None
    assert fused(MLPPolicy(4, 1, 2).double(), rows) is None
