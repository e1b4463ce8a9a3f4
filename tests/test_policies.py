"""Policies: distributions against torch's own, statistics against NumPy, symmetry against rotated worlds."""

import math

import numpy as np
import pytest
import torch

from matdesign.agents.actor import Actor
from matdesign.agents.distributions import Categorical, Gaussian
from matdesign.agents.equivariant import EquivariantPolicy
from matdesign.agents.normalise import ReturnScale, RunningStatistics
from matdesign.agents.policies import MLPPolicy
from matdesign.envs.layout import AtomsLayout

LAYOUT = AtomsLayout(scalars=11, vectors=6, neighbours=12, neighbour_scalars=4)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def atoms_rows(layout, n, seed=0, dtype=torch.float64):
    """Random rows of the atoms observation with up to `layout.neighbours` neighbours each."""
    g = generator(seed)
    scalars = torch.randn(n, layout.scalars, generator=g, dtype=dtype)
    vectors = torch.randn(n, layout.vectors, 3, generator=g, dtype=dtype)
    distance = (3.3 * torch.rand(n, layout.neighbours, generator=g, dtype=dtype)).sort(dim=1).values.clamp(max=3)
    exists = torch.rand(n, 1, generator=g) * layout.neighbours * 1.3 > torch.arange(layout.neighbours)
    unit = torch.nn.functional.normalize(torch.randn(n, layout.neighbours, 3, generator=g, dtype=dtype), dim=2)
    velocity = torch.randn(n, layout.neighbours, 3, generator=g, dtype=dtype)
    more = torch.randn(n, layout.neighbours, layout.neighbour_scalars - 2, generator=g, dtype=dtype)
    neighbours = torch.cat([unit, velocity, distance[..., None], exists[..., None].to(dtype), more], dim=2)
    neighbours[~exists] = 0
    neighbours[..., 6][~exists] = 3
    return torch.cat([scalars, vectors.flatten(1), neighbours.flatten(1)], dim=1)


def turn(layout, rows, matrix):
    """The same rows in a world turned by the orthogonal `matrix`."""
    rows = rows.clone()
    scalars, first = layout.scalars, layout.scalars + 3 * layout.vectors
    vectors = rows[:, scalars:first].view(-1, layout.vectors, 3)
    neighbours = rows[:, first:].view(-1, layout.neighbours, 6 + layout.neighbour_scalars)
    vectors[:] = vectors @ matrix.T
    neighbours[..., :3] = neighbours[..., :3] @ matrix.T
    neighbours[..., 3:6] = neighbours[..., 3:6] @ matrix.T
    return rows


def orthogonal(seed, determinant, dtype=torch.float64):
    q, _ = torch.linalg.qr(torch.randn(3, 3, generator=generator(seed), dtype=torch.float64))
    return (q * torch.sign(torch.linalg.det(q)) * determinant).to(dtype)


def loud(policy, rows):
    """Statistics from `rows` and random weights in all layers, so that outputs are far from their initial zeros."""
    policy.update_statistics(policy.encode(rows))
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator(parameter.numel())) * 0.3)
    return policy


@pytest.mark.parametrize("determinant", [1, -1])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_a_turned_world_gives_the_turned_action(determinant, dtype, tolerance):
    rows = atoms_rows(LAYOUT, 64, dtype=dtype)
    policy = loud(EquivariantPolicy(LAYOUT).to(dtype), rows)
    for seed in range(5):
        matrix = orthogonal(seed, determinant, dtype)
        before, value_before = policy(policy.encode(rows))
        after, value_after = policy(policy.encode(turn(LAYOUT, rows, matrix)))
        scale = before.mean.abs().max().item()
        assert scale > 0.5
        assert torch.allclose(after.mean, before.mean @ matrix.T, rtol=0, atol=tolerance * scale)
        assert torch.allclose(after.log_sigma, before.log_sigma, rtol=0, atol=tolerance)
        assert torch.allclose(value_after, value_before, rtol=0, atol=tolerance * value_before.abs().max().item())


def test_sigma_is_the_same_in_all_directions_and_depends_on_the_observation():
    rows = atoms_rows(LAYOUT, 64)
    distribution, _ = (policy := loud(EquivariantPolicy(LAYOUT).double(), rows))(policy.encode(rows))
    assert torch.equal(distribution.log_sigma[:, 0], distribution.log_sigma[:, 2])
    assert distribution.log_sigma[:, 0].std() > 0.1
    assert distribution.log_sigma.min() > -3.5
    assert distribution.log_sigma.max() < 0


def test_initial_sigma_is_the_configured_one_and_the_initial_mean_is_small():
    rows = atoms_rows(LAYOUT, 64, dtype=torch.float32)
    policy = EquivariantPolicy(LAYOUT, log_sigma=-2.0, log_sigma_minimum=-6.0, log_sigma_maximum=-1.0)
    distribution, _ = policy(policy.encode(rows))
    assert distribution.log_sigma.mean().item() == pytest.approx(-2.0, abs=0.05)
    assert distribution.mean.abs().max().item() < 0.3


def test_columns_of_a_missing_neighbour_have_no_effect():
    rows = atoms_rows(LAYOUT, 64)
    policy = loud(EquivariantPolicy(LAYOUT).double(), rows)
    filled = rows.clone()
    neighbours = filled[:, LAYOUT.scalars + 3 * LAYOUT.vectors :].view(64, LAYOUT.neighbours, -1)
    missing = neighbours[..., 7] == 0
    assert 0.05 < missing.double().mean() < 0.95
    columns = [c for c in range(neighbours.shape[2]) if c not in (6, 7)]
    neighbours[..., columns] = torch.where(missing[..., None], 1e3, neighbours[..., columns])
    assert torch.equal(policy.encode(filled), policy.encode(rows))


def test_an_atom_alone_is_not_moved_by_neighbours():
    rows = atoms_rows(LAYOUT, 8)
    policy = loud(EquivariantPolicy(LAYOUT).double(), rows)
    alone = rows.clone()
    alone[:, LAYOUT.scalars :] = 0
    alone[:, LAYOUT.scalars + 3 * LAYOUT.vectors :].view(8, LAYOUT.neighbours, -1)[..., 6] = 3
    distribution, _ = policy(policy.encode(alone))
    assert torch.equal(distribution.mean, torch.zeros(8, 3, dtype=torch.float64))


def test_a_neighbour_fades_out_before_it_leaves():
    policy = EquivariantPolicy(LAYOUT).double()
    rows = atoms_rows(LAYOUT, 1)
    neighbours = rows[:, LAYOUT.scalars + 3 * LAYOUT.vectors :].view(LAYOUT.neighbours, -1)
    neighbours[:, 7] = 1
    for distance, weight in [(0.5, 1.0), (2.0, 1.0), (2.5, 0.5), (3.0, 0.0)]:
        neighbours[3, 6] = distance
        basis = policy.encode(rows)[0, policy.invariants :].view(-1, 3)
        assert torch.allclose(basis[-LAYOUT.neighbours :][3], weight * neighbours[3, :3])


def test_action_is_the_weighted_sum_of_the_observed_vectors():
    rows = atoms_rows(LAYOUT, 1)
    policy = EquivariantPolicy(LAYOUT).double()
    with torch.no_grad():
        for parameter in policy.actor[-1].parameters():
            parameter.zero_()
        policy.actor[-1].bias[3] = 0.7  # the goal
        policy.actor[-1].bias[LAYOUT.vectors] = -0.2  # mean relative velocity of the neighbours
    goal = rows[0, LAYOUT.scalars + 9 : LAYOUT.scalars + 12]
    neighbours = rows[0, LAYOUT.scalars + 3 * LAYOUT.vectors :].view(LAYOUT.neighbours, -1)
    weights = (3 - neighbours[:, 6]).clamp(0, 1) * neighbours[:, 7]
    drift = (weights[:, None] * neighbours[:, 3:6]).sum(0) / max(float(weights.sum()), 1.0)
    assert torch.allclose(Actor(policy)(rows)[0], 0.7 * goal - 0.2 * drift)


@pytest.mark.parametrize(("vectors", "neighbours"), [(1, 0), (3, 4), (0, 2)])
def test_smaller_layouts_work(vectors, neighbours):
    layout = AtomsLayout(scalars=2, vectors=vectors, neighbours=neighbours, neighbour_scalars=2)
    policy = EquivariantPolicy(layout)
    rows = atoms_rows(layout, 5, dtype=torch.float32)
    assert policy.encode(rows).shape == (5, policy.invariants + 3 * policy.basis)
    assert Actor(policy, generator())(rows).shape == (5, 3)


def test_gaussian_agrees_with_torch():
    mean, log_sigma = torch.randn(50, 3, generator=generator()), torch.randn(50, 1, generator=generator(1))
    ours = Gaussian(mean, log_sigma)
    theirs = torch.distributions.Normal(mean, log_sigma.exp())
    actions = ours.sample(generator(2))
    assert torch.allclose(ours.evaluate(actions)[0], theirs.log_prob(actions).sum(-1), atol=1e-5)
    assert torch.allclose(ours.evaluate(actions)[1], theirs.entropy().expand(50, 3).sum(-1), atol=1e-5)
    assert torch.equal(ours.mode(), mean)
    z = (Gaussian(torch.full((20_000, 2), 3.0), torch.tensor([-1.0, 0.5])).sample(generator()) - 3.0).std(0)
    assert z.tolist() == pytest.approx([math.exp(-1.0), math.exp(0.5)], rel=0.02)


def test_categorical_agrees_with_torch():
    logits = torch.randn(40, 2, 5, generator=generator())
    ours, theirs = Categorical(logits), torch.distributions.Categorical(logits=logits)
    actions = ours.sample(generator(2))
    assert actions.dtype == torch.int64
    assert torch.allclose(ours.evaluate(actions)[0], theirs.log_prob(actions).sum(-1), atol=1e-5)
    assert torch.allclose(ours.evaluate(actions)[1], theirs.entropy().sum(-1), atol=1e-5)
    assert torch.equal(ours.mode(), logits.argmax(-1))
    p = torch.tensor([0.1, 0.2, 0.7])
    draws = Categorical(p.log().expand(50_000, 1, 3)).sample(generator()).flatten()
    assert (torch.bincount(draws) / 50_000).tolist() == pytest.approx(p.tolist(), abs=0.01)


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
@pytest.mark.parametrize("choices", [0, 4])
def test_mlp_policy_takes_floats_and_bytes_and_gives_both_kinds_of_action(dtype, choices):
    policy = MLPPolicy(6, 2, choices, seed=1)
    rows = (torch.rand(10, 6, generator=generator()) * 9).to(dtype)
    actions = Actor(policy, generator())(rows)
    assert actions.shape == (10, 2)
    assert torch.equal(Actor(policy)(rows), Actor(policy)(rows))
    if choices:
        assert set(actions.flatten().tolist()) <= {0, 1, 2, 3}
    distribution, values = policy(policy.encode(rows))
    assert values.shape == (10,)
    deepest = 2 * (math.log(choices) if choices else 0.5 * math.log(2 * math.pi * math.e) - 0.5)
    entropy = distribution.evaluate(actions)[1]
    assert entropy.mean().item() == pytest.approx(deepest, rel=0.01)  # nearly indifferent at first


def test_initial_parameters_depend_on_the_seed_alone():
    torch.manual_seed(5)
    first = MLPPolicy(6, 2, 0, seed=1).state_dict()
    torch.manual_seed(6)
    second, other = MLPPolicy(6, 2, 0, seed=1).state_dict(), MLPPolicy(6, 2, 0, seed=2).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["actor.0.weight"], other["actor.0.weight"])


def test_running_statistics_are_those_of_all_rows_together():
    rng = np.random.default_rng(0)
    batches = [rng.normal(3.0, 2.0, (n, 4)).astype(np.float32) * [1, 10, 0, 1e-3] for n in (5, 1, 700, 33, 0)]
    statistics = RunningStatistics(4)
    for batch in batches:
        statistics.update(torch.from_numpy(batch.astype(np.float32)))
    rows = np.concatenate(batches)
    assert statistics.mean.numpy() == pytest.approx(rows.mean(0), rel=1e-4)
    assert statistics.var.numpy() == pytest.approx(rows.var(0), rel=1e-4)
    assert statistics.count.item() == len(rows)
    normal = statistics(torch.from_numpy(rows.astype(np.float32))).numpy()
    assert normal[:, :2].std(0) == pytest.approx([1, 1], abs=0.02)
    assert np.all(normal[:, 2] == 0)
    assert statistics(torch.full((1, 4), 1e6)).max() == 5
    assert statistics(torch.full((1, 4), 200, dtype=torch.uint8))[0, 3] > 1e4


def test_return_scale_is_the_deviation_of_the_discounted_returns():
    rng = np.random.default_rng(1)
    steps, rows, gamma = 60, 7, 0.9
    rewards = rng.normal(1.0, 2.0, (steps, rows)).astype(np.float32)
    ends = rng.random((steps, rows)) < 0.1
    masks = np.ones((steps, rows), bool)
    masks[1:][ends[:-1]] = False  # the reset step
    rewards[~masks] = 1e3  # must not count
    expected = []
    for row in range(rows):
        total = 0.0
        for t in range(steps):
            total = gamma * total + rewards[t, row] if masks[t, row] else 0.0
            if masks[t, row]:
                expected.append(total)
            if ends[t, row]:
                total = 0.0
    scale = ReturnScale(rows, gamma)
    for begin in range(0, steps, 20):  # returns flow on between rollouts
        part = slice(begin, begin + 20)
        scale.update(*(torch.from_numpy(array[part]) for array in (rewards, masks)))
    assert scale.item() == pytest.approx(np.std(expected), rel=1e-4)


def test_return_scale_of_constant_returns_does_not_explode():
    scale = ReturnScale(3, 0.9)
    assert scale.item() == 1.0
    masks = torch.ones(8, 3, dtype=torch.bool)
    scale.update(torch.zeros(8, 3), masks)
    assert scale.item() == 1.0
    scale = ReturnScale(3, 0.0)
    scale.update(torch.full((8, 3), 5.0), masks)
    assert scale.item() == pytest.approx(0.05)
