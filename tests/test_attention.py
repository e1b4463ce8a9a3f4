"""Attention over neighbours: their order, those who are absent, those who leave; turned worlds; whole environments."""

import itertools
from dataclasses import replace

import pytest
import torch
from test_policies import LAYOUT, atoms_rows, generator, loud, orthogonal, turn

from matdesign.agents.actor import Actor
from matdesign.agents.attention import AttentionPolicy, NeighbourAttention
from matdesign.agents.equivariant import EquivariantAttentionPolicy, EquivariantPolicy
from matdesign.config import load
from matdesign.design.assembly import make_policy, open_vector
from matdesign.envs.layout import NeighbourList
from matdesign.errors import InputError

LIST = NeighbourList(first=5, count=6, columns=4)
FEATURES = 5 + 6 * 4 + 2  # two own columns stand behind the list


def listed(rows, layout=LAYOUT):
    """The neighbours of rows of atoms, or of `swarm_rows`, as a view [n, k, columns]."""
    if rows.shape[1] == FEATURES:
        return rows[:, LIST.first : LIST.last].unflatten(1, (LIST.count, LIST.columns))
    return rows[:, layout.scalars + 3 * layout.vectors :].unflatten(1, (layout.neighbours, -1))


def swarm_rows(n, dtype=torch.float32):
    """Rows with up to six neighbours, zeros where there is none."""
    rows = torch.randn(n, FEATURES, generator=generator(), dtype=dtype)
    listed(rows)[torch.rand(n, LIST.count, generator=generator(1)) < 0.4] = 0
    return rows


def of_atoms(dtype=torch.float32):
    rows = atoms_rows(LAYOUT, 64, dtype=dtype)
    return loud(EquivariantAttentionPolicy(LAYOUT, hidden=(32, 32)).to(dtype), rows), rows


def of_swarm(dtype=torch.float32):
    rows = swarm_rows(64, dtype)
    return loud(AttentionPolicy(FEATURES, LIST, 3, 0, hidden=(32, 32)).to(dtype), rows), rows


def outputs(policy, rows):
    distribution, values = policy(policy.encode(rows))
    return torch.cat([distribution.mean, distribution.log_sigma, values[:, None]], dim=1)


@pytest.mark.parametrize("made", [of_atoms, of_swarm])
def test_the_order_of_neighbours_does_not_matter(made):
    policy, rows = made()
    expected, orders = outputs(policy, rows), generator(3)
    scale = expected.abs().max().item()
    assert scale > 0.5
    for _ in range(5):
        mixed = rows.clone()
        order = torch.rand(listed(rows).shape[:2], generator=orders).argsort(1)
        listed(mixed).copy_(listed(rows).take_along_dim(order[..., None], 1))
        assert not torch.equal(mixed, rows)
        assert torch.allclose(outputs(policy, mixed), expected, rtol=0, atol=1e-6 * scale)
    other = rows.clone()
    listed(other)[:, 0] *= 0.5
    assert (outputs(policy, other) - expected).abs().max() > 0.01  # they do count


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_a_turned_world_gives_the_turned_action(dtype, tolerance):
    policy, rows = of_atoms(dtype)
    before, value_before = policy(policy.encode(rows))
    scale = before.mean.abs().max().item()
    for seed, determinant in itertools.product(range(3), (1, -1)):
        matrix = orthogonal(seed, determinant, dtype)
        after, value_after = policy(policy.encode(turn(LAYOUT, rows, matrix)))
        assert torch.allclose(after.mean, before.mean @ matrix.T, rtol=0, atol=tolerance * scale)
        assert torch.allclose(after.log_sigma, before.log_sigma, rtol=0, atol=tolerance)
        assert torch.allclose(value_after, value_before, rtol=0, atol=tolerance * value_before.abs().max().item())


def test_absent_neighbours_have_no_effect():
    """Neither what stands in their columns nor how many of them the list has room for."""
    policy, rows = of_atoms()
    filled = rows.clone()
    missing = listed(filled)[..., 7] == 0
    columns = [column for column in range(listed(rows).shape[2]) if column != 7]
    listed(filled)[..., columns] = torch.where(missing[..., None], 1e3, listed(filled)[..., columns])
    assert torch.equal(outputs(policy, filled), outputs(policy, rows))

    smaller = replace(LAYOUT, neighbours=5)
    narrow = EquivariantAttentionPolicy(smaller, hidden=(32, 32)).to(torch.float32)
    narrow.load_state_dict(policy.state_dict())
    few = rows.clone()
    listed(few)[:, 5:, [6, 7]] = torch.tensor([3.0, 0.0])
    torch.testing.assert_close(outputs(narrow, few[:, : smaller.features]), outputs(policy, few))
    policy.update_statistics(policy.encode(few))
    narrow.update_statistics(narrow.encode(few[:, : smaller.features]))
    for one, other in zip(policy.buffers(), narrow.buffers(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("made", [of_atoms, of_swarm])
def test_one_who_leaves_fades_out(made):
    """The last one in sight included: what it still does falls with its presence, to nothing."""
    policy, gone = made(torch.float64)
    if made is of_atoms:
        listed(gone)[..., [6, 7]] = torch.tensor([3.0, 0.0], dtype=torch.float64)
    else:
        listed(gone)[:] = 0

    def effect(presence):
        leaving = gone.clone()
        if made is of_atoms:
            listed(leaving)[:, 0, [6, 7]] = torch.tensor([3.0 - presence, 1.0], dtype=torch.float64)
        else:
            listed(leaving)[:, 0] = presence
        return (outputs(policy, leaving) - outputs(policy, gone)).abs().max().item()

    assert effect(1e-4) > 1e-3
    assert effect(1e-6) / effect(1e-4) == pytest.approx(1e-2, rel=0.1)
    assert effect(1e-8) / effect(1e-6) == pytest.approx(1e-2, rel=0.1)


def test_attention_shares_what_there_is():
    """By hand: scores of zero share equally with nobody, and a neighbour half gone counts half."""
    attention = NeighbourAttention(2, 3, generator=generator())
    with torch.no_grad():
        attention.score.weight.zero_()
    own, around = torch.randn(1, 2, generator=generator(1)), torch.randn(1, 3, 3, generator=generator(2))
    messages = torch.relu(around @ attention.neighbour.weight.T + own @ attention.own.weight.T + attention.own.bias)
    expected = (messages[0, 0] + 0.5 * messages[0, 1]) / 2.5
    torch.testing.assert_close(attention(own, around, torch.tensor([[1.0, 0.5, 0.0]]))[0], expected)


def test_nobody_around_is_no_problem_for_gradients():
    policy, rows = of_atoms()
    listed(rows)[..., [6, 7]] = torch.tensor([3.0, 0.0])
    outputs(policy, rows).square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in policy.parameters())
    drift = policy(policy.encode(rows))[0].mean - Actor(EquivariantPolicy(replace(LAYOUT, neighbours=0)).float())(rows)
    assert drift.isfinite().all()


def test_environments_get_the_policy_they_ask_for():
    """Drones say where their list is; what has none is told so; the layout of atoms is their own."""
    config = load(["env=drone_swarm", "env.envs=1", "env.settings.drones=8", "agent.policy.neighbours=attention"])
    with open_vector(config) as vector:
        assert vector.shape.neighbours == NeighbourList(first=20, count=4, columns=6)
        policy = make_policy(config, vector)
        assert isinstance(policy, AttentionPolicy)
        vector.reset(0)
        seen = torch.from_numpy(vector.observations)
        assert Actor(policy, generator())(seen).shape == (8, 4)
    for settings, reason in (
        (["env=squared", "agent.policy.neighbours=attention"], "lists neighbours"),
        (["env=drone_swarm", "env.settings.drones=8", "agent.policy.neighbours=none"], "neighbours=0"),
        (["env=squared", "agent.policy.critic=team"], "floats"),
    ):
        config = load([*settings, "env.envs=1"])
        with open_vector(config) as vector, pytest.raises(InputError, match=reason):
            make_policy(config, vector)
    config = load(["env=atoms/steer", "env.envs=2", "agent.policy.neighbours=none", "material.structure.atoms=4"])
    with open_vector(config) as vector:
        policy = make_policy(config, vector)
        vector.reset(0)
        rows = torch.from_numpy(vector.observations.copy())
    alone = rows.clone()
    alone[:, policy.seen.layout.features :] = 0
    assert not torch.equal(alone, rows)
    assert torch.equal(Actor(policy)(alone), Actor(policy)(rows))
