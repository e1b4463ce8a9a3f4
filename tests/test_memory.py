"""Memory: cells against torch's own, episode by episode; policies step by step against whole segments; recall."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium import spaces
from test_attention import FEATURES, LIST, swarm_rows
from test_policies import atoms_rows, orthogonal, turn
from test_ppo import CONSTANT, Task, parameters

from matdesign.agents.actor import Actor
from matdesign.agents.attention import AttentionPolicy
from matdesign.agents.convolution import ConvolutionalPolicy
from matdesign.agents.distributions import Categorical
from matdesign.agents.equivariant import EquivariantAttentionPolicy, EquivariantPolicy
from matdesign.agents.memory import GRU, LSTM
from matdesign.agents.policies import MLPPolicy
from matdesign.agents.ppo import PPO
from matdesign.agents.records import RecordPolicy
from matdesign.envs.layout import AtomsLayout
from matdesign.vector.spaces import Layout

STEPS, ROWS = 23, 7
ATOMS = AtomsLayout(scalars=5, vectors=4, neighbours=3, neighbour_scalars=3)
RECORD = spaces.Dict(a=spaces.Box(-9, 9, (2,), np.float32), b=spaces.Discrete(3))


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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


class Recall(Task):
    """A sign is shown once; up to five steps later it is asked for, and the reward is 1 for the right choice.

    Of each environment's two agents the second is dead in every third episode; what it sees and does then is noise.
    """

    def __init__(self, envs=32):
        super().__init__(envs=envs, agents=2, features=3, choices=2)
        self.sign, self.asked, self.episodes = np.zeros((3, self.rows), int)
        self.right = []

    def begin(self, rows):
        self.sign[rows] = self.random.integers(2, size=rows.sum())
        self.asked[rows] = np.repeat(self.random.integers(1, 6, self.rows // 2), 2)[rows]
        self.episodes[rows] += 1
        self.show(rows, 2 * self.sign - 1)

    def show(self, rows, sign):
        self.observations[rows] = np.stack([sign, self.age == self.asked, np.full(self.rows, 0.5)], 1)[rows]

    def play(self, live):
        over = live & (self.age > self.asked)
        dead = live & (np.arange(self.rows) % 2 == 1) & (self.episodes % 3 == 0)
        self.show(live, np.zeros(self.rows))
        right = self.actions[:, 0] == self.sign
        self.rewards[over] = right[over]
        self.right += right[over & ~dead].tolist()
        self.masks[dead] = False
        self.observations[dead] = self.random.normal(size=(dead.sum(), 3))
        return over, np.zeros_like(over)


def seen(policy, steps, rows):
    """Encoded observations [steps, rows, encoded features] of this policy's kind."""
    count, g = steps * rows, generator(8)
    if isinstance(policy, AttentionPolicy):
        observations = swarm_rows(count)
    elif isinstance(policy, EquivariantPolicy | EquivariantAttentionPolicy):
        observations = atoms_rows(ATOMS, count, dtype=torch.float32)
    elif isinstance(policy, ConvolutionalPolicy):
        observations = torch.randint(256, (count, 20 * 20), generator=g, dtype=torch.uint8)
    elif isinstance(policy, RecordPolicy):
        RECORD.seed(8)
        observations = torch.from_numpy(np.stack([Layout(RECORD).flatten(RECORD.sample()) for _ in range(count)]))
    else:
        observations = torch.randn(count, 4, generator=g)
    encoded = policy.encode(observations)
    policy.update_statistics(encoded)
    return encoded.unflatten(0, (steps, rows))


def loud(policy):
    """Random parameters everywhere: what is remembered shows in the outputs."""
    with torch.no_grad():
        for name, parameter in policy.named_parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator(len(name))))
    return policy


def made(kind, memory):
    """A policy of each kind."""
    layers = {"hidden": (12,), "memory": memory, "memory_size": 10}
    if kind == "equivariant":
        return loud(EquivariantPolicy(ATOMS, **layers))
    if kind == "equivariant attention":
        return loud(EquivariantAttentionPolicy(ATOMS, critic="team", **layers))
    if kind == "attention":
        return loud(AttentionPolicy(FEATURES, LIST, 2, 0, critic="team", **layers))
    if kind == "pictures":
        return loud(ConvolutionalPolicy((1, 20, 20), 1, 3, **layers))
    if kind == "records":
        return loud(RecordPolicy(Layout(RECORD), 2, (2, 4), **layers))
    return loud(MLPPolicy(4, 2, 3 if kind == "choices" else 0, activation="gelu", **layers))


def outputs(distribution):
    """What a distribution is made of."""
    if isinstance(distribution, Categorical):
        return distribution.logits.log_softmax(-1).flatten(1)
    return torch.cat([distribution.mean, distribution.log_sigma], 1)


@pytest.mark.parametrize("memory", ["lstm", "gru"])
@pytest.mark.parametrize(
    "kind", ["equivariant", "equivariant attention", "attention", "pictures", "records", "choices", "continuous"]
)
def test_step_by_step_is_the_same_as_at_once(kind, memory):
    policy = made(kind, memory)
    encoded = seen(policy, STEPS, ROWS)
    fresh = torch.rand(STEPS, ROWS, generator=generator(4)) < 0.2
    start = remembered = torch.randn(ROWS, policy.memory, generator=generator(2))
    with torch.no_grad():
        at_once, values = policy.unroll(encoded, start, fresh)
        for t in range(STEPS):
            remembered = torch.where(fresh[t, :, None], 0.0, remembered)
            distribution, value, remembered = policy.step(encoded[t], remembered)
            rows = slice(t * ROWS, (t + 1) * ROWS)
            assert torch.allclose(outputs(distribution), outputs(at_once)[rows], rtol=0, atol=1e-5)
            assert torch.allclose(value, values[rows], rtol=0, atol=1e-5)
        forgetful, _ = policy.unroll(encoded, start, torch.ones_like(fresh))
    assert (outputs(forgetful) - outputs(at_once)).abs().max() > 0.1  # it does matter


@pytest.mark.parametrize("memory", ["lstm", "gru"])
def test_nothing_of_an_ended_episode_is_remembered(memory):
    """Another past changes not a bit of what follows an episode's end, nor does it get a gradient."""
    policy = made("continuous", memory)
    encoded = seen(policy, STEPS, ROWS)
    fresh = torch.zeros(STEPS, ROWS, dtype=torch.bool)
    fresh[9] = True
    with torch.no_grad():
        before, values = policy.unroll(encoded, torch.zeros(ROWS, policy.memory), fresh)
        other = encoded.clone()
        other[:9] = torch.randn(9, ROWS, 4)
        after, other_values = policy.unroll(other, torch.randn(ROWS, policy.memory), fresh)
    assert torch.equal(outputs(after)[9 * ROWS :], outputs(before)[9 * ROWS :])
    assert torch.equal(other_values[9 * ROWS :], values[9 * ROWS :])
    assert not torch.isclose(other_values[: 9 * ROWS], values[: 9 * ROWS]).any()
    past = encoded.clone().requires_grad_()
    _, values = policy.unroll(past, torch.zeros(ROWS, policy.memory), fresh)
    (gradient,) = torch.autograd.grad(values.unflatten(0, (STEPS, ROWS))[-1].sum(), past)
    assert not gradient[:9].any()
    assert gradient[9:].any(2).all()


@pytest.mark.parametrize("determinant", [1, -1])
@pytest.mark.parametrize("memory", ["lstm", "gru"])
@pytest.mark.parametrize("kind", ["equivariant", "equivariant attention"])
def test_actions_from_memory_turn_with_the_world(kind, memory, determinant):
    policy = made(kind, memory)
    rows = atoms_rows(ATOMS, STEPS * ROWS, dtype=torch.float32)
    policy.update_statistics(policy.encode(rows))
    start, fresh = torch.randn(ROWS, policy.memory, generator=generator(2)), torch.zeros(STEPS, ROWS, dtype=torch.bool)
    matrix = orthogonal(3, determinant, torch.float32)
    with torch.no_grad():
        (before, values), (after, values_after) = (
            policy.unroll(policy.encode(world).unflatten(0, (STEPS, ROWS)), start, fresh)
            for world in (rows, turn(ATOMS, rows, matrix))
        )
    scale = before.mean.abs().max().item()
    assert scale > 0.5
    assert torch.allclose(after.mean, before.mean @ matrix.T, rtol=0, atol=1e-5 * scale)
    assert torch.allclose(after.log_sigma, before.log_sigma, rtol=0, atol=1e-5)
    assert torch.allclose(values_after, values, rtol=0, atol=1e-5)


@pytest.mark.parametrize("memory", ["lstm", "gru"])
def test_an_actor_begins_anew_with_the_episode(memory):
    """Whatever it saw before, broken numbers too; the others go on."""
    policy = made("continuous", memory)
    actor, other = Actor(policy), Actor(policy)
    first, second, last = torch.randn(3, 4, 4, generator=generator(5)).unbind()
    actor(first)
    other(torch.full_like(first, torch.nan))
    actions = actor(second), other(second, torch.zeros(4, dtype=torch.bool))
    assert torch.equal(actions[1], Actor(policy)(second))
    assert not torch.isclose(*actions).any()
    some = torch.tensor([True, False, True, False])
    after, fresh = actor(last, some), Actor(policy)(last)
    assert torch.equal(torch.isclose(after, fresh).all(1), ~some)


def recalling(memory, task, **changes):
    layers = {"hidden": (16,), "memory": memory, "memory_size": 16}
    config = replace(CONSTANT, **{"horizon": 16, "minibatch": 256, "learning_rate": 3e-3} | changes)
    return PPO(task, MLPPolicy(3, 1, 2, seed=1, **layers), config, seed=1)


@pytest.mark.parametrize("memory", ["lstm", "gru"])
def test_what_is_learned_from_is_what_acted(memory):
    """Rollout after rollout, the policy unrolled gives the likelihoods and values of when it acted step by step."""
    ppo = recalling(memory, Recall(), learning_rate=1e-30)
    loud(ppo.policy)
    for _ in range(3):
        ppo.rollout.collect(0)
        rollout = ppo.rollout
        live = rollout.masks.flatten()
        with torch.no_grad():
            distribution, values = ppo.policy.unroll(rollout.encoded[:-1], rollout.memory, rollout.fresh())
        log_probs, _ = distribution.evaluate(rollout.taken.flatten(0, 1))
        assert torch.allclose(log_probs[live], rollout.log_probs.flatten()[live], rtol=0, atol=1e-5)
        assert torch.allclose(values[live], rollout.values[:-1].flatten()[live], rtol=0, atol=1e-5)
    assert 0.5 < live.float().mean() < 0.9
    assert rollout.memory.any(1).float().mean() > 0.5  # episodes go on from one rollout to the next
    assert not rollout.memory.any(1).all()


@pytest.mark.parametrize("memory", ["none", "lstm", "gru"])
def test_recall_takes_memory(memory):
    task = Recall()
    ppo = recalling(memory, task)
    for _ in range(25):
        ppo.iterate()
    task.right.clear()
    actor, masks = Actor(ppo.policy), None
    task.reset(1234)
    for _ in range(60):
        task.actions[:] = actor(torch.from_numpy(task.observations), masks)
        task.step()
        masks = torch.from_numpy(task.masks)
    share = np.mean(task.right)
    assert len(task.right) > 400
    assert 0.4 < share < 0.6 if memory == "none" else share > 0.98


@pytest.mark.parametrize("memory", ["lstm", "gru"])
def test_segments_in_small_parts_give_the_same_gradient(memory):
    """Two rows at once instead of all, dead agents and resets among them: only sums of floats differ."""
    whole, parts = (recalling(memory, Recall(), epochs=1, microbatch=size) for size in (10**6, 32))
    for ppo in (whole, parts):
        loud(ppo.policy)
    before = parameters(whole)
    for ppo in (whole, parts):
        ppo.iterate()
    assert (parameters(whole) - before).abs().mean() > 1e-3
    assert torch.allclose(parameters(whole), parameters(parts), rtol=0, atol=1e-5)


def test_memory_goes_with_all_choices_of_the_trainer():
    choices = {"vtrace": True, "priority": 0.6, "optimizer": "muon", "normalise_values": True, "value_clip": 1.0}
    ppo = recalling("lstm", task := Recall(), learning_rate=1e-2, **choices)
    for _ in range(25):
        task.right.clear()
        ppo.iterate()
    assert np.mean(task.right) > 0.95


def test_a_run_with_memory_repeats_itself():
    runs = [recalling("lstm", Recall(), total_agent_steps=5000) for _ in range(2)]
    for ppo in runs:
        for _ in range(3):
            ppo.iterate()
    assert torch.equal(parameters(runs[0]), parameters(runs[1]))
