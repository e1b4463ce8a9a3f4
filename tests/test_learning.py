"""What PPO can be told beside its basic form, against slow definitions and on tasks whose solution is known."""

import math
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import explained_variance_score
from test_ppo import CONSTANT, Bandit, Constant, Endless, Line, parameters, policy_for, trained

from matdesign.agents.actor import Actor
from matdesign.agents.advantages import advantages_and_targets
from matdesign.agents.distributions import Gaussian
from matdesign.agents.losses import FIGURES, Transitions, loss_terms
from matdesign.agents.minibatches import prioritised
from matdesign.agents.optimisers import Optimiser, scheduled
from matdesign.agents.policies import MLPPolicy
from matdesign.agents.ppo import PPO, _explained_variance
from matdesign.agents.ppo_config import PPOConfig
from matdesign.config import load
from matdesign.design.training import use_cores
from matdesign.errors import InputError


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def slow_vtrace(rewards, values, terminals, masks, ratios, gamma, lam, rho_most, c_most):
    """Targets of V-trace as the sum in Espeholt et al. 2018, eq. 1, with c = lambda min(c_most, ratio)."""
    steps, rows = rewards.shape
    targets = values[:-1].copy()
    for row in range(rows):
        for t in range(steps):
            weight = 1.0
            for s in range(t, steps):
                if not masks[s, row]:
                    break
                following = 0.0 if terminals[s, row] else values[s + 1, row]
                delta = rewards[s, row] + gamma * following - values[s, row]
                targets[t, row] += weight * min(rho_most, ratios[s, row]) * delta
                weight *= gamma * lam * min(c_most, ratios[s, row])
                if terminals[s, row]:
                    break
    return targets


@pytest.fixture
def signals():
    rng = np.random.default_rng(3)
    shape = (25, 40)
    terminals = rng.random(shape) < 0.1
    masks = rng.random(shape) > 0.05
    masks[1:][terminals[:-1]] = False
    rewards, values = rng.normal(size=shape), rng.normal(size=(26, 40))
    return rewards, values, terminals, masks, np.exp(0.5 * rng.normal(size=shape))


@pytest.mark.parametrize(("rho_most", "c_most", "lam"), [(1.0, 1.0, 1.0), (1.5, 0.8, 0.9), (1e9, 1e9, 0.95)])
def test_targets_are_those_of_vtrace(signals, rho_most, c_most, lam):
    rewards, values, terminals, masks, ratios = signals
    advantages, targets = advantages_and_targets(
        *(torch.from_numpy(array) for array in (rewards, values, terminals, masks)),
        gamma=0.97,
        gae_lambda=lam,
        ratios=torch.from_numpy(ratios),
        clip_rho=rho_most,
        clip_c=c_most,
    )
    expected = slow_vtrace(rewards, values, terminals, masks, ratios, 0.97, lam, rho_most, c_most)
    assert targets.numpy() == pytest.approx(expected)
    # An advantage is what follows the action, by the corrected targets; its own ratio is not in it.
    following = np.zeros_like(rewards)
    following[:-1] = (expected - values[:-1])[1:]
    delta = rewards + 0.97 * values[1:] * ~terminals - values[:-1]
    assert advantages.numpy() == pytest.approx((delta + 0.97 * lam * ~terminals * following) * masks)


def test_vtrace_on_policy_is_generalised_advantage_estimation(signals):
    *arrays, ratios = (torch.from_numpy(array) for array in signals)
    plain = advantages_and_targets(*arrays, gamma=0.97, gae_lambda=0.9)
    corrected = advantages_and_targets(*arrays, gamma=0.97, gae_lambda=0.9, ratios=torch.ones_like(ratios))
    for first, second in zip(plain, corrected, strict=True):
        torch.testing.assert_close(first, second)


def test_rows_with_large_advantages_are_drawn_in_proportion():
    advantages = torch.tensor([[1.0, 0.0, -2.0, 4.0], [1.0, 0.0, 2.0, 4.0]])
    rows, weights = prioritised(advantages, 40_000, alpha=0.5, beta=1.0, generator=torch.Generator().manual_seed(1))
    chances = np.array([2, 0, 4, 8]) ** 0.5
    chances /= chances.sum()
    assert np.bincount(rows, minlength=4) / 40_000 == pytest.approx(chances, abs=0.01)
    assert weights.numpy() == pytest.approx(1 / (4 * chances[rows]), rel=1e-5)
    # In full, the weights give the plain mean back.
    figure = torch.tensor([3.0, 0.0, -1.0, 5.0])
    assert (weights * figure[rows]).mean().item() == pytest.approx(figure.mean().item(), abs=0.05)
    alike, ones = prioritised(advantages, 4000, alpha=0.0, beta=0.3, generator=torch.Generator())
    assert np.bincount(alike) == pytest.approx([1000] * 4, rel=0.1)
    assert ones.numpy() == pytest.approx([1.0] * 4000)


def test_schedules():
    done = (-1.0, 0.0, 0.25, 0.5, 1.0, 2.0)
    assert [scheduled(4.0, "constant", part) for part in done] == [4.0] * 6
    assert [scheduled(4.0, "linear", part) for part in done] == [4, 4, 3, 2, 0, 0]
    expected = [4, 4, 2 + 2 / math.sqrt(2), 2, 0, 0]
    assert [scheduled(4.0, "cosine", part) for part in done] == pytest.approx(expected)


def test_muon_takes_hidden_matrices_and_makes_their_steps_orthogonal():
    policy = MLPPolicy(6, 2, 0, hidden=(16, 16), shared=True)
    optimiser = Optimiser(policy, "muon", learning_rate=0.1, weight_decay=0.0)
    muon = {name.removesuffix(".momentum_buffer") for name in optimiser.tensors() if name.endswith("momentum_buffer")}
    assert muon == {"trunk.0.weight", "trunk.2.weight"}
    assert "actor.0.weight.exp_avg" in optimiser.tensors()
    before = policy.trunk[2].weight.detach().clone()
    generator = torch.Generator().manual_seed(0)
    for parameter in policy.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    optimiser.step(0.1)
    sizes = torch.linalg.svdvals(policy.trunk[2].weight.detach() - before)
    # Five Newton-Schulz iterations bring singular values near 1 (0.7 to 1.2), whatever the gradient's; the step is
    # scaled by 0.2 sqrt(16), the size of AdamW's.
    assert (sizes / (0.1 * 0.2 * 4)).tolist() == pytest.approx([1.0] * 16, abs=0.35)
    assert policy.trunk[2].weight.grad is None


def test_microbatches_change_nothing():
    runs = []
    for microbatch in (4096, 100):
        ppo = trained(Line(), 3, config=replace(CONSTANT, minibatch=512, microbatch=microbatch))
        runs.append(parameters(ppo))
    torch.testing.assert_close(*runs, atol=1e-5, rtol=1e-4)


def test_trajectories_give_the_same_gradient_as_their_transitions():
    # One minibatch of everything: rows in whole are the same transitions, those of the dead left out.
    def first_step(**options):
        config = replace(CONSTANT, horizon=30, epochs=1, minibatch=10_000, normaliser_iterations=0, **options)
        ppo = PPO(task := Line(), policy_for(task), config)
        if options:  # every row once, in place of a draw
            everyone = torch.arange(32)
            whole = ppo.microbatches.descend
            ppo.microbatches.descend = lambda chosen, weights, *rest: whole(everyone, None, *rest)
        ppo.iterate()
        return parameters(ppo)

    torch.testing.assert_close(first_step(), first_step(priority=1.0), atol=1e-6, rtol=1e-5)


def test_clipped_value_loss_is_the_larger_one():
    config = replace(CONSTANT, value_clip=0.5)
    before, now, target = torch.zeros(4), torch.tensor([0.2, 1.0, 1.0, -2.0]), torch.tensor([1.0, 1.0, 0.0, 1.0])
    batch = Transitions(torch.zeros(4, 1), torch.zeros(4), torch.zeros(4), before, target, None)
    terms, _ = loss_terms(batch, Gaussian(torch.zeros(4, 1), torch.zeros(1)), now, config)
    # (1 - 0.2)^2; not 0 but (1 - 0.5)^2; 1 rather than 0.5^2; 3^2 rather than 1.5^2.
    assert terms[FIGURES.index("value")].item() == pytest.approx(0.5 * (0.64 + 0.25 + 1.0 + 9.0))


def test_normalised_values_follow_returns_of_any_size():
    class Rich(Constant):
        def play(self, live):
            ends = super().play(live)
            self.rewards[:] *= 1000
            return ends

    config = replace(
        CONSTANT,
        horizon=40,
        gamma=0.9,
        gae_lambda=1.0,
        learning_rate=0.02,
        normalise_returns=False,
        normalise_values=True,
        normaliser_iterations=100,
    )
    task = Rich(truncated=True)
    task.observations[:] = 1
    ppo = PPO(task, policy := policy_for(task, hidden=(8,)), config)
    for _ in range(150):
        ppo.iterate()
    deviation, mean = ppo._value_scale()
    _, value = policy(torch.ones(1, 1))
    assert value.item() * deviation + mean == pytest.approx(10_000, rel=0.02)


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "muon", "learning_rate": 1e-2},
        {"vtrace": True},
        {"priority": 0.8},
        {"vtrace": True, "priority": 0.8, "optimizer": "muon", "learning_rate": 1e-2, "minibatch": 256},
        {"normalise_values": True, "value_clip": 0.2},
        {"learning_rate_schedule": "cosine", "entropy_schedule": "cosine", "entropy_coefficient": 0.01},
    ],
)
def test_learns_to_go_to_a_target_in_other_ways(options):
    task = Line()
    ppo = trained(task, 80, config=replace(CONSTANT, **options))
    task.reset(1234)
    for _ in range(19):
        task.actions[:] = Actor(ppo.policy)(torch.from_numpy(task.observations))
        task.step()
    assert task.distance.mean() < 0.06  # 0.67 at the start


def test_learns_in_bfloat16_with_parameters_in_float32():
    task = Bandit(5)
    ppo = PPO(task, policy_for(task), CONSTANT, precision="bfloat16")
    exact = PPO(other := Bandit(5), policy_for(other), CONSTANT)
    for trainer in (ppo, exact):
        trainer.iterate()
    assert all(parameter.dtype == torch.float32 for parameter in ppo.policy.parameters())
    assert not torch.equal(parameters(ppo), parameters(exact))
    assert ppo.rollout.values.dtype == torch.float32
    for _ in range(60):
        ppo.iterate()
    rows = np.eye(5, dtype=np.float32)
    assert Actor(ppo.policy)(torch.from_numpy(rows))[:, 0].tolist() == list(range(5))


def test_explained_variance_is_that_of_scikit_learn():
    generator = torch.Generator().manual_seed(2)
    values, noise = torch.randn(2, 500, generator=generator)
    targets = values + 0.3 * noise + 4.0
    expected = explained_variance_score(targets.numpy(), values.numpy())
    assert _explained_variance(values, targets) == pytest.approx(expected, abs=1e-5)
    assert 0.85 < expected < 0.95


def test_state_of_muon_and_values_goes_on():
    config = PPOConfig(
        normaliser_iterations=2,
        optimizer="muon",
        vtrace=True,
        priority=0.5,
        normalise_values=True,
        total_agent_steps=6000,
    )
    straight = trained(Endless(), 2, config=config, seed=5)
    resumed = PPO(task := Endless(), policy_for(task, seed=1), config, seed=6)
    resumed.load_state(*straight.state())
    for trainer in (straight, resumed):
        trainer.iterate()
    assert torch.equal(parameters(straight), parameters(resumed))


def test_action_and_value_share_their_layers_where_asked():
    apart = MLPPolicy(5, 2, 3, hidden=(16, 8), activation="relu")
    shared = MLPPolicy(5, 2, 3, hidden=(16, 8), activation="gelu", shared=True)
    sizes = [sum(p.numel() for p in policy.parameters()) for policy in (apart, shared)]
    layers, action, value = 5 * 16 + 16 + 16 * 8 + 8, 8 * 6 + 6, 8 + 1
    assert sizes == [2 * layers + action + value, layers + action + value]
    _, values = shared(torch.zeros(4, 5))
    values.sum().backward()
    assert shared.trunk[0].weight.grad is not None
    assert isinstance(shared.trunk[1], torch.nn.GELU)
    assert isinstance(apart.actor[1], torch.nn.ReLU)


def test_a_process_stays_on_the_cores_it_was_given():
    cores = os.sched_getaffinity(0)
    try:
        use_cores(load(["env=squared", f"agent.affinity=[{min(cores)}]", "agent.threads=1"]))
        assert os.sched_getaffinity(0) == {min(cores)}
        with pytest.raises(InputError, match=r"agent.affinity=\[65535\] is none of this process' cores"):
            use_cores(load(["env=squared", "agent.affinity=[65535]"]))
    finally:
        os.sched_setaffinity(0, cores)
