"""The centralised critic: what it sees of the team, and that actions do not depend on it."""

import numpy as np
import pytest
import torch
from test_attention import FEATURES, LIST, swarm_rows
from test_policies import LAYOUT, atoms_rows, generator, loud
from test_ppo import Line, Swarm, Task, parameters, policy_for

from matdesign.agents.actor import Actor
from matdesign.agents.attention import AttentionPolicy
from matdesign.agents.equivariant import EquivariantAttentionPolicy, EquivariantPolicy
from matdesign.agents.policies import MLPPolicy
from matdesign.agents.ppo import PPO
from matdesign.agents.ppo_config import PPOConfig
from matdesign.agents.rollout import present
from matdesign.agents.team import summarise

ENVS, AGENTS = 6, 5


def policies():
    """One of each kind with a team's critic, and rows for it."""
    atoms, swarm = atoms_rows(LAYOUT, ENVS * AGENTS, dtype=torch.float32), swarm_rows(ENVS * AGENTS)
    yield MLPPolicy(FEATURES, 2, 0, hidden=(16,), critic="team"), swarm
    yield AttentionPolicy(FEATURES, LIST, 2, 0, hidden=(16,), critic="team"), swarm
    yield EquivariantPolicy(LAYOUT, hidden=(16,), critic="team"), atoms
    yield EquivariantAttentionPolicy(LAYOUT, hidden=(16,), critic="team"), atoms


@pytest.fixture(params=range(4), ids=["mlp", "attention", "equivariant", "equivariant attention"])
def policy_and_rows(request):
    policy, rows = list(policies())[request.param]
    return loud(policy.to(torch.float32), rows), rows


def shared(policy, rows, who, agents=AGENTS):
    encoded = policy.encode(rows)
    summarise(encoded, policy.team, agents, who)
    return encoded


def test_summary_is_that_of_the_agents_present(policy_and_rows):
    policy, rows = policy_and_rows
    there = torch.rand(ENVS * AGENTS, generator=generator(7)) < 0.6
    there[:AGENTS] = False
    encoded, alone = shared(policy, rows, there).numpy(), policy.encode(rows).numpy()
    assert np.array_equal(encoded[:, : -2 * policy.team], alone[:, : -2 * policy.team])
    for env in range(ENVS):
        own = slice(env * AGENTS, (env + 1) * AGENTS)
        who = alone[own, : policy.team][there[own].numpy()].astype(np.float64)
        expected = np.concatenate([who.mean(0), who.std(0)]) if len(who) else np.zeros(2 * policy.team)
        np.testing.assert_allclose(
            encoded[own, -2 * policy.team :], np.tile(expected, (AGENTS, 1)), rtol=1e-4, atol=1e-5
        )


def test_the_critic_sees_the_team_and_the_actor_does_not(policy_and_rows):
    policy, rows = policy_and_rows
    everybody = torch.ones(ENVS * AGENTS, dtype=torch.bool)
    encoded = shared(policy, rows, everybody)
    others = rows.clone()
    others[1::AGENTS] = others[1::AGENTS].roll(AGENTS, 0)  # another second agent in each environment
    changed = shared(policy, others, everybody)
    untouched = torch.arange(ENVS * AGENTS) % AGENTS != 1
    (before, value_before), (after, value_after) = policy(encoded), policy(changed)
    assert torch.equal(before.mean[untouched], after.mean[untouched])
    assert (value_before - value_after)[untouched].abs().min() > 1e-6
    assert torch.equal(Actor(policy)(rows), before.mean)  # acting takes nobody else

    absent = ~(torch.arange(ENVS * AGENTS) % AGENTS == 1)
    torch.testing.assert_close(shared(policy, rows, absent)[untouched], shared(policy, others, absent)[untouched])


def test_agents_may_change_places(policy_and_rows):
    """Values move with their agents: the summary has no order, and holds for any part of the environments."""
    policy, rows = policy_and_rows
    there = torch.rand(ENVS * AGENTS, generator=generator(7)) < 0.6
    order = torch.cat([env * AGENTS + torch.randperm(AGENTS, generator=generator(env)) for env in range(ENVS)])
    values = policy(shared(policy, rows, there))[1]
    torch.testing.assert_close(policy(shared(policy, rows[order], there[order]))[1], values[order])
    half = ENVS // 2 * AGENTS
    torch.testing.assert_close(policy(shared(policy, rows[:half], there[:half]))[1], values[:half])


def test_an_agent_by_itself_is_its_own_team(policy_and_rows):
    policy, rows = policy_and_rows
    alone = policy.encode(rows)
    torch.testing.assert_close(shared(policy, rows, torch.ones(len(rows), dtype=torch.bool), agents=1), alone)


def test_who_is_there_after_a_step():
    """The dead and the absent are not; after a reset, which nobody's transition is, all are."""
    masks = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 0, 0]]).bool()
    terminals = torch.tensor([[0, 0, 1], [0, 0, 0], [0, 0, 0]]).bool()
    expected = torch.tensor([[1, 1, 0], [1, 0, 1], [1, 1, 1]]).bool()
    assert torch.equal(present(masks.flatten(), terminals.flatten(), 3), expected.flatten())


class Choir(Task):
    """One-step episodes of four agents; the reward of each is the mean of what they see, whatever they do."""

    def __init__(self):
        super().__init__(envs=64, agents=4)

    def begin(self, rows):
        self.observations[:, 0] = self.random.normal(size=self.rows)

    def play(self, live):
        self.rewards[live] = self.observations.reshape(-1, 4).mean(1).repeat(4)[live]
        return np.ones_like(live), np.zeros_like(live)


def test_what_the_others_see_is_known_to_the_team_critic_alone():
    explained = {}
    for team in (False, True):
        config = PPOConfig(learning_rate=3e-3, minibatch=512, total_agent_steps=10**6)
        ppo = PPO(task := Choir(), policy_for(task, critic="team" if team else "own", hidden=(16,)), config)
        explained[team] = [ppo.iterate()["train/explained_variance"] for _ in range(15)][-1]
    assert explained[True] > 0.95
    assert explained[False] < 0.4  # an agent's own part of the variance is a quarter


def test_the_dead_do_not_count_in_training():
    """Of four agents one dies after its tenth step; noise of some size that it then sees changes nothing."""

    class Mortal(Line):
        def __init__(self, size):
            super().__init__()
            self.agents, self.size = 4, size

        def step(self):
            self.terminals[:] = False  # the environment goes on
            super().step()

        def play(self, live):
            _, truncated = super().play(live)
            mortal = live & (np.arange(self.rows) % 4 == 0)
            dead = mortal & (self.age > 10)
            self.masks[dead] = False
            self.rewards[dead] = self.observations[dead] = 0
            self.observations[mortal & (self.age >= 10)] = self.size
            return mortal & (self.age == 10), truncated

    runs = []
    for size in (1.0, -50.0):
        ppo = PPO(task := Mortal(size), policy_for(task, critic="team"), PPOConfig())
        for _ in range(3):
            ppo.iterate()
        runs.append(parameters(ppo))
    assert torch.equal(*runs)


@pytest.mark.parametrize("memory", ["none", "gru"])
def test_atoms_that_attend_learn_which_vector_to_follow(memory):
    policy = EquivariantAttentionPolicy(Swarm.layout, hidden=(32,), critic="team", memory=memory, memory_size=32)
    ppo = PPO(task := Swarm(), policy, PPOConfig(learning_rate=2e-3, learning_rate_schedule="constant", minibatch=512))
    for _ in range(30):
        ppo.iterate()
    task.reset(1234)
    task.actions[:] = Actor(policy)(torch.from_numpy(task.observations))
    task.step()
    assert task.error.mean() < 0.3  # 0.80 for an action of 0
