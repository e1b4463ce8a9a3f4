"""PPO against slow definitions of its parts, and on tasks whose solution is known."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from matdesign.agents.actor import Actor
from matdesign.agents.advantages import advantages_and_targets
from matdesign.agents.equivariant import EquivariantPolicy
from matdesign.agents.minibatches import shuffled
from matdesign.agents.policies import MLPPolicy
from matdesign.agents.ppo import PPO
from matdesign.agents.ppo_config import PPOConfig
from matdesign.envs.layout import AtomsLayout
from matdesign.errors import InputError, MatdesignError
from matdesign.vector import Vector

CONSTANT = PPOConfig(learning_rate=3e-3, learning_rate_schedule="constant")


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Task:
    """Environments of one kind in NumPy, with next-step autoreset; a test's task defines `begin` and `play`.

    `play` sets rewards and observations of the rows in `live` and returns (terminated, truncated), arrays of all rows.
    """

    def __init__(self, envs=16, features=1, action_dims=1, choices=0, agents=1, dtype=np.float32):
        self.rows, self.agents = envs * agents, agents
        self.observations = np.zeros((self.rows, features), dtype)
        self.actions = np.zeros((self.rows, action_dims), np.int32 if choices else np.float32)
        self.rewards = np.zeros(self.rows, np.float32)
        self.terminals, self.truncations, self.masks = (np.zeros(self.rows, bool) for _ in range(3))
        self.choices = choices
        self.parts = (slice(0, self.rows),)

    def reset(self, seed):
        self.random = np.random.default_rng(seed)
        self.age = np.zeros(self.rows, int)
        self.terminals[:] = self.truncations[:] = False
        self.begin(np.ones(self.rows, bool))

    def send(self, part):
        self.step()

    def recv(self, part):
        pass

    def step(self):
        fresh = self.terminals | self.truncations
        self.masks[:] = ~fresh
        self.rewards[:] = 0
        self.age = np.where(fresh, 0, self.age + 1)
        self.terminals[:], self.truncations[:] = self.play(~fresh)
        self.terminals &= ~fresh
        self.truncations &= ~fresh
        if fresh.any():
            self.begin(fresh)

    def log(self):
        return {"episodes": float((self.terminals | self.truncations).sum())}

    def state(self):
        return {}

    def begin(self, rows):
        pass


class Constant(Task):
    """Reward 1 at every step whatever happens; episodes of four steps are cut off, or end."""

    def __init__(self, truncated):
        super().__init__()
        self.truncated = truncated

    def play(self, live):
        self.rewards[live] = 1
        over = self.age == 4
        return (np.zeros_like(over), over) if self.truncated else (over, np.zeros_like(over))


class Endless(Task):
    """Episodes never end; the reward is highest where the action is 0.5 times the observation, which never changes."""

    def begin(self, rows):
        self.observations[:, 0] = np.linspace(-1, 1, self.rows)

    def play(self, live):
        self.rewards[:] = -np.abs(self.actions[:, 0] - 0.5 * self.observations[:, 0])
        return np.zeros_like(live), np.zeros_like(live)


class Bandit(Task):
    """One-step episodes; the reward is 1 where the choice (the sign of the action) is that which is shown."""

    def __init__(self, choices, dtype=np.float32):
        super().__init__(envs=64, features=max(choices, 2), choices=choices, dtype=dtype)

    def begin(self, rows):
        self.shown = self.random.integers(self.observations.shape[1], size=self.rows)
        self.observations[:] = np.eye(self.observations.shape[1])[self.shown]

    def play(self, live):
        chosen = self.actions[:, 0] if self.choices else self.actions[:, 0] > 0
        self.rewards[live] = (chosen == self.shown)[live]
        return np.ones_like(live), np.zeros_like(live)


class Line(Task):
    """A point on a line steps by at most 0.2 and shall stay at a target; cut off after 20 steps."""

    def __init__(self):
        super().__init__(envs=32, features=2)
        self.position, self.target = np.zeros(self.rows), np.zeros(self.rows)

    def begin(self, rows):
        self.position[rows], self.target[rows] = self.random.uniform(-1, 1, (2, int(rows.sum())))
        self.show()

    def show(self):
        self.observations[:] = np.stack([self.position, self.target], 1)

    def play(self, live):
        self.position += np.where(live, 0.2 * self.actions[:, 0].clip(-1, 1), 0)
        self.show()
        self.distance = np.abs(self.position - self.target)
        self.rewards[live] = -self.distance[live]
        return np.zeros_like(live), self.age == 20


class Swarm(Task):
    """Atoms without neighbours; the reward falls with the distance of the action from half the goal vector."""

    layout = AtomsLayout(scalars=1, vectors=4, neighbours=2, neighbour_scalars=2)

    def __init__(self):
        super().__init__(envs=8, agents=8, features=self.layout.features, action_dims=3)

    def begin(self, rows):
        self.observations[:, 1:13] = self.random.normal(size=(self.rows, 12))
        self.observations[:, [19, 27]] = 3

    def play(self, live):
        self.error = np.linalg.norm(self.actions - 0.5 * self.observations[:, 10:13], axis=1)
        self.rewards[live] = -self.error[live]
        return np.ones_like(live), np.zeros_like(live)


def policy_for(task, **options):
    return MLPPolicy(task.observations.shape[1], task.actions.shape[1], task.choices, **options)


def slow_advantages(rewards, values, terminals, truncations, masks, gamma, lam):
    """Sum over l of (gamma lambda)^l times the temporal difference of step t+l, to the end of the episode."""
    steps, rows = rewards.shape
    advantages = np.zeros((steps, rows))
    for row in range(rows):
        for t in range(steps):
            weight = 1.0
            for s in range(t, steps):
                if not masks[s, row]:
                    break
                next_value = 0.0 if terminals[s, row] else values[s + 1, row]
                advantages[t, row] += weight * (rewards[s, row] + gamma * next_value - values[s, row])
                if terminals[s, row] or truncations[s, row]:
                    break
                weight *= gamma * lam
    return advantages


@pytest.mark.parametrize("lam", [0.0, 0.9, 1.0])
def test_advantages_agree_with_the_definition(lam):
    rng = np.random.default_rng(3)
    shape = (25, 40)
    terminals, truncations = rng.random(shape) < 0.1, rng.random(shape) < 0.1
    masks = rng.random(shape) > 0.05
    masks[1:][(terminals | truncations)[:-1]] = False
    rewards, values = rng.normal(size=shape), rng.normal(size=(26, 40))
    ours, targets = advantages_and_targets(
        *(torch.from_numpy(array) for array in (rewards, values, terminals, masks)),
        gamma=0.97,
        gae_lambda=lam,
    )
    expected = slow_advantages(rewards, values, terminals, truncations, masks, 0.97, lam)
    assert ours.numpy() == pytest.approx(expected)
    assert targets.numpy() == pytest.approx(expected + values[:-1])


@pytest.mark.parametrize(("truncated", "expected"), [(True, 10.0), (False, (1 + 1.9 + 2.71 + 3.439) / 4)])
def test_value_of_truncated_episodes_is_that_of_the_endless_task(truncated, expected):
    # 1 / (1 - 0.9) = 10 where the end is only a cut; the mean of the four remaining sums where it is an end.
    # 40 steps are 8 whole episodes and their resets.
    config = PPOConfig(
        horizon=40,
        gamma=0.9,
        gae_lambda=1.0,
        learning_rate=0.02,
        normalise_returns=False,
        learning_rate_schedule="constant",
        gradient_clip=10.0,
    )
    task = Constant(truncated)
    task.observations[:] = 1
    ppo = PPO(task, policy := policy_for(task, hidden=(8,)), config)
    for _ in range(150):
        ppo.iterate()
    _, value = policy(torch.ones(1, 1))
    assert value.item() == pytest.approx(expected, rel=0.02)


class Recorder(PPO):
    """Keeps the parameters before each gradient step and the gradient there."""

    def _descend(self, terms, learning_rate):
        before = {name: p.detach().double().numpy().copy() for name, p in self.policy.named_parameters()}
        step = self.optimizer.step

        def recorded(learning_rate):
            gradient = {name: p.grad.double().numpy().copy() for name, p in self.policy.named_parameters()}
            self.__dict__.setdefault("steps", []).append((before, gradient))
            step(learning_rate)

        self.optimizer.step = recorded
        super()._descend(terms, learning_rate)
        self.optimizer.step = step


def test_gradient_is_that_of_the_loss_written_out():
    # Every step's gradient, later ones at ratios far from 1, against central differences of the loss in NumPy.
    config = PPOConfig(
        epochs=4,
        horizon=24,
        gamma=0.9,
        gae_lambda=0.8,
        clip=0.1,
        learning_rate=0.1,
        max_kl=math.inf,
        gradient_clip=1e9,
        value_coefficient=0.7,
        entropy_coefficient=0.3,
        normalise_returns=False,
        normaliser_iterations=0,
    )
    task = Line()
    ppo = Recorder(task, policy_for(task, hidden=()), config)
    ppo.iterate()
    live = ppo.rollout.masks.numpy()
    signals = [tensor.double().numpy() for tensor in (ppo.rollout.rewards, ppo.rollout.values)]
    assert not live[20].any()  # the reset after the time limit
    truncations = np.zeros_like(live)
    truncations[:-1] = ~live[1:]
    advantages = slow_advantages(*signals, ppo.rollout.terminals.numpy(), truncations, live, 0.9, 0.8)
    targets = (advantages + signals[1][:-1])[live]
    advantages = (advantages[live] - advantages[live].mean()) / advantages[live].std()
    seen = (ppo.rollout.encoded[:-1], ppo.rollout.taken, ppo.rollout.log_probs)
    x, taken, log_probs = (tensor.double().numpy()[live] for tensor in seen)
    x = x / np.sqrt(1 + 1e-4)  # statistics were never gathered: mean 0, variance 1

    def loss(p):
        mean = x @ p["actor.0.weight"].T + p["actor.0.bias"]
        sigma = np.exp(p["log_sigma"])
        density = -0.5 * ((taken - mean) / sigma) ** 2 - np.log(sigma * np.sqrt(2 * np.pi))
        ratio = np.exp(density.sum(1) - log_probs)
        surrogate = np.minimum(ratio * advantages, np.clip(ratio, 0.9, 1.1) * advantages).mean()
        error = (x @ p["critic.0.weight"].T + p["critic.0.bias"])[:, 0] - targets
        entropy = np.log(sigma * np.sqrt(2 * np.pi * np.e)).sum()
        return -surrogate + 0.7 * 0.5 * (error**2).mean() - 0.3 * entropy

    assert len(ppo.steps) == 4
    for parameters, gradient in ppo.steps:
        for name, value in parameters.items():
            for index in np.ndindex(value.shape):
                shifted = []
                for step in (1e-6, -1e-6):
                    moved = {other: array.copy() for other, array in parameters.items()}
                    moved[name][index] += step
                    shifted.append(loss(moved))
                slope = (shifted[0] - shifted[1]) / 2e-6
                assert gradient[name][index] == pytest.approx(slope, rel=2e-3, abs=2e-4), (name, index)


def test_learning_stops_where_the_policy_has_moved_too_far():
    kept = {"learning_rate": 0.05, "epochs": 10, "normaliser_iterations": 0}
    stopped = Recorder(task := Endless(), policy_for(task), PPOConfig(max_kl=0.03, **kept))
    free = Recorder(task := Endless(), policy_for(task), PPOConfig(max_kl=math.inf, **kept))
    figures = stopped.iterate()
    free.iterate()
    assert figures["policy/kl"] > 0.03
    assert 1 <= len(stopped.steps) < 10
    assert len(free.steps) == 10


def test_minibatches_are_equal_parts_that_cover_the_rollout():
    generator = torch.Generator().manual_seed(0)
    items = torch.arange(1000, 1512)
    for _ in range(2):
        parts = list(shuffled(items, 200, generator))
        assert [len(part) for part in parts] == [171, 171, 170]
        assert torch.cat(parts).sort().values.equal(items)
    assert list(shuffled(items[:0], 200, generator)) == []


def test_gradient_is_clipped():
    ppo = Recorder(task := Line(), policy_for(task), PPOConfig(gradient_clip=1e-3, normalise_returns=False))
    ppo.iterate()
    norms = [math.sqrt(sum((g**2).sum() for g in gradient.values())) for _, gradient in ppo.steps]
    assert norms == pytest.approx([1e-3] * len(norms), rel=1e-3)


def test_learning_rate_falls_to_zero_at_the_end():
    ppo = PPO(task := Endless(), policy_for(task), PPOConfig(total_agent_steps=2048, learning_rate=1e-3))
    rates = [ppo.iterate()["train/learning_rate"] for _ in range(5)]
    assert rates == pytest.approx([1e-3, 7.5e-4, 5e-4, 2.5e-4, 0])
    assert ppo.agent_steps == 5 * 512
    ppo = PPO(task := Endless(), policy_for(task), PPOConfig(total_agent_steps=2048, learning_rate_schedule="constant"))
    assert [ppo.iterate()["train/learning_rate"] for _ in range(5)] == [7e-4] * 5


def parameters(ppo):
    return torch.cat([p.detach().flatten() for p in ppo.policy.parameters()])


def trained(task, iterations, *, seed=0, config=PPOConfig(), policy_seed=0):  # noqa: B008 -- frozen
    ppo = PPO(task, policy_for(task, seed=policy_seed), config, seed=seed)
    for _ in range(iterations):
        ppo.iterate()
    return ppo


@pytest.mark.parametrize("make", [Line, lambda: Bandit(3)])
def test_same_seed_same_run(make):
    first = trained(make(), 4, seed=7)
    torch.manual_seed(99)  # the global generator plays no part
    assert torch.equal(parameters(first), parameters(trained(make(), 4, seed=7)))
    assert not torch.equal(parameters(first), parameters(trained(make(), 4, seed=8)))


@pytest.mark.parametrize(("of_policy", "of_ppo"), [({}, {}), ({}, {"priority": 0.5}), ({"memory": "gru"}, {})])
def test_transitions_of_the_dead_count_nowhere(of_policy, of_ppo):
    class Garbage(Line):
        """Every third agent dies after its tenth step; what it then sees and gets is noise of some size."""

        def play(self, live):
            ends = super().play(live)
            self.dead = live & (self.age > 10) & (np.arange(self.rows) % 3 == 0)
            self.masks[self.dead] = False
            self.terminals[:] = self.truncations[:] = False
            self.rewards[self.dead] = self.size
            self.observations[self.dead] = self.size
            return (self.age == 10) & (np.arange(self.rows) % 3 == 0) & live, ends[1]

    # An agent's death is its terminal, but the environments go on; none of them is reset before its 20 steps are over.
    def run(size):
        task = Garbage()
        task.size = size
        task.step = lambda: step_without_reset_of_the_dead(task)
        ppo = PPO(task, policy_for(task, **of_policy), PPOConfig(**of_ppo))
        for _ in range(3):
            ppo.iterate()
        return ppo

    def step_without_reset_of_the_dead(task):
        task.terminals[:] = False
        Task.step(task)

    first, second = run(1.0), run(-1e30)
    assert first.agent_steps == second.agent_steps < 3 * 32 * 32
    assert torch.equal(parameters(first), parameters(second))


def test_reset_transitions_are_not_counted():
    task = Line()
    ppo = trained(task, 1, config=PPOConfig(horizon=42))
    assert ppo.agent_steps == 32 * 40  # two episodes of 20 steps, each followed by a reset


def test_a_rollout_of_resets_alone_changes_nothing():
    ppo = trained(Bandit(2), 1, config=PPOConfig(horizon=1))
    before = parameters(ppo).clone()
    figures = ppo.iterate()
    assert ppo.agent_steps == 64
    assert all(math.isfinite(value) for value in figures.values())
    assert torch.equal(before, parameters(ppo))
    ppo.iterate()
    assert ppo.agent_steps == 128
    assert not torch.equal(before, parameters(ppo))


def test_a_loaded_state_continues_the_run():
    config = PPOConfig(normaliser_iterations=2, total_agent_steps=6000)
    straight = trained(Endless(), 3, config=config, seed=5)
    tensors, meta = straight.state()
    assert all(type(value) is int for value in meta.values())
    resumed = PPO(task := Endless(), policy_for(task, seed=1), config, seed=6)
    resumed.load_state(tensors, meta)
    for _ in range(3):
        first, second = straight.iterate(), resumed.iterate()
        second.pop("env/interrupted", None)  # these environments cannot be saved
        assert {k: v for k, v in first.items() if "time" not in k} == {
            k: v for k, v in second.items() if "time" not in k
        }
    assert torch.equal(parameters(straight), parameters(resumed))
    assert straight.agent_steps == resumed.agent_steps == 6 * 512
    assert not torch.equal(straight.state()[0]["policy.actor.0.weight"], tensors["policy.actor.0.weight"])


def test_runs_resumed_twice_agree_and_begin_new_episodes():
    tensors, meta = trained(Line(), 3, seed=5).state()
    runs = []
    for _ in range(2):
        ppo = PPO(task := Line(), policy_for(task), PPOConfig(), seed=5)
        first_episodes = task.observations.copy()
        ppo.load_state(tensors, meta)
        assert not np.array_equal(task.observations, first_episodes)
        ppo.iterate()
        runs.append(parameters(ppo))
    assert torch.equal(*runs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("optimizer.actor.0.bias.exp_avg"), "lacks optimizer.actor.0.bias.exp_avg"),
        (lambda tensors: tensors.update(other=torch.zeros(1)), "unknown other"),
        (
            lambda tensors: tensors.update({"policy.actor.0.bias": torch.zeros(3)}),
            r"actor.0.bias is \[3\].*\[64\] here",
        ),
    ],
)
def test_a_state_of_another_policy_is_refused(change, message):
    ppo = trained(Endless(), 1)
    tensors, meta = ppo.state()
    change(tensors)
    with pytest.raises(InputError, match=message):
        ppo.load_state(tensors, meta)
    assert ppo.iterations == 1


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_broken_observation_is_named(bad):
    class Broken(Task):
        def play(self, live):
            self.observations[11, 2] = bad if (self.age == 5).all() else 0
            return np.zeros_like(live), np.zeros_like(live)

    ppo = PPO(task := Broken(envs=4, agents=4, features=3), policy_for(task), PPOConfig())
    before = parameters(ppo).clone()
    with pytest.raises(MatdesignError, match=rf"observation\[2\] of row 11 \(environment 2, agent 3\) is {bad}"):
        ppo.iterate()
    assert torch.equal(parameters(ppo), before)


def test_a_broken_reward_is_named():
    class Broken(Endless):
        def play(self, live):
            ends = super().play(live)
            self.rewards[7] = np.nan
            return ends

    ppo = PPO(task := Broken(), policy_for(task), PPOConfig())
    before = parameters(ppo).clone()
    with pytest.raises(MatdesignError, match=r"reward of row 7 .* is nan"):
        ppo.iterate()
    assert torch.equal(parameters(ppo), before)


def test_a_broken_loss_changes_no_parameter():
    class Huge(Endless):
        def play(self, live):
            self.rewards[:] = 1e30 * self.observations[:, 0]
            return np.zeros_like(live), np.zeros_like(live)

    ppo = PPO(task := Huge(), policy_for(task), PPOConfig(normalise_returns=False))
    before = parameters(ppo).clone()
    with pytest.raises(MatdesignError, match=r"a step of the gradient is not finite .*\(value is inf\)"):
        ppo.iterate()
    assert torch.equal(parameters(ppo), before)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_broken_gradient_is_named_alone_and_changes_no_parameter(bad, monkeypatch):
    for room in ("policies", "fused"):  # layer by layer in torch
        monkeypatch.setattr(f"matdesign.agents.{room}.is_fused", lambda *_: False)

    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx, rows):
            return rows.clone()

        @staticmethod
        def backward(ctx, gradient):
            return torch.full_like(gradient, bad)

    ppo = PPO(task := Endless(), policy_for(task), PPOConfig())
    critic = ppo.policy.critic  # its last layer's input gets the bad gradient: the layers below it are broken
    critic[-1].register_forward_pre_hook(lambda layer, rows: (Broken.apply(rows[0]),))
    before = parameters(ppo).clone()
    with pytest.raises(MatdesignError, match="step of the gradient is not finite") as caught:
        ppo.iterate()
    below = [name for name, _ in ppo.policy.named_parameters() if name.startswith("critic") and "critic.4" not in name]
    assert [name for name, _ in ppo.policy.named_parameters() if f"gradient of {name}" in str(caught.value)] == below
    assert "is nan" not in str(caught.value)  # every part of the loss was finite
    assert torch.equal(parameters(ppo), before)


def test_what_is_not_finite_is_in_no_checkpoint():
    ppo = PPO(task := Endless(), policy_for(task), PPOConfig())
    with torch.no_grad():
        ppo.policy.actor[0].bias[1] = math.inf
    with pytest.raises(
        MatdesignError, match=r"policy\.actor\.0\.bias is not finite after 0 agent steps and was not kept"
    ):
        ppo.state()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gamma", 1.5),
        ("priority", 1.5),
        ("gamma", -0.1),
        ("horizon", 0),
        ("learning_rate", math.nan),
        ("clip", -1),
        ("epochs", 0),
    ],
)
def test_absurd_hyperparameters_are_refused(name, value):
    with pytest.raises(InputError, match=f"{name} = {value}"):
        PPOConfig(**{name: value})


def test_a_rollout_beyond_all_memory_is_refused():
    with pytest.raises(InputError, match="horizon = 1000000000000000 steps fits in no memory; lower it"):
        trained(Bandit(2), 0, config=PPOConfig(horizon=10**15))


@pytest.mark.parametrize(("choices", "dtype"), [(0, np.float32), (5, np.float32), (5, np.uint8)])
def test_learns_to_choose_what_is_shown(choices, dtype):
    task = Bandit(choices, dtype)
    ppo = trained(task, 60, config=CONSTANT)
    rows = np.eye(task.observations.shape[1], dtype=dtype)
    actions = Actor(ppo.policy)(torch.from_numpy(rows))[:, 0]
    chosen = actions if choices else (actions > 0).long()
    assert chosen.tolist() == list(range(len(rows)))


def test_learns_to_go_to_a_target():
    task = Line()
    ppo = trained(task, 80, config=CONSTANT)
    task.reset(1234)
    for _ in range(19):
        task.actions[:] = Actor(ppo.policy)(torch.from_numpy(task.observations))
        task.step()
    assert task.distance.mean() < 0.06  # 0.67 at the start


def test_atoms_learn_which_vector_to_follow():
    ppo = PPO(
        task := Swarm(),
        EquivariantPolicy(task.layout),
        CONSTANT,
    )
    for _ in range(40):
        ppo.iterate()
    task.reset(1234)
    task.actions[:] = Actor(ppo.policy)(torch.from_numpy(task.observations))
    task.step()
    assert task.error.mean() < 0.12  # 0.80 for an action of 0


def test_solves_squared():
    with Vector("squared", {"size": 5}, envs=256) as vector:
        config = replace(CONSTANT, learning_rate=2e-3, minibatch=2048, entropy_coefficient=0.01)
        ppo = PPO(vector, MLPPolicy(vector.features, vector.action_dims, vector.choices), config, seed=1)
        perf = [ppo.iterate()["env/perf"] for _ in range(60)]
    assert perf[0] < 0.5
    assert np.mean(perf[-5:]) > 0.95


def test_figures_are_complete():
    figures = PPO(task := Line(), policy_for(task), PPOConfig()).iterate()
    assert set(figures) == {
        *("loss/policy", "loss/value", "policy/entropy", "policy/kl", "policy/clip_fraction"),
        *("train/learning_rate", "train/return_scale", "train/explained_variance"),
        *(f"time/{part}" for part in ("environment", "forward", "copy", "learn", "other")),
        "env/episodes",
    }
    assert all(value >= 0 for name, value in figures.items() if name.startswith("time/"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
def test_cuda_learns_and_its_state_goes_on_on_a_cpu():
    def trainer(device: str) -> PPO:
        vector = Vector("squared", {"size": 5}, envs=32)
        policy = MLPPolicy(vector.features, vector.action_dims, vector.choices)
        return PPO(vector, policy, PPOConfig(total_agent_steps=20_000), device=device)

    on_gpu, on_cpu = trainer("cuda"), trainer("cpu")
    figures = on_gpu.iterate()
    assert math.isfinite(figures["loss/value"])
    on_cpu.load_state(*on_gpu.state())
    assert on_cpu.agent_steps == on_gpu.agent_steps
    assert math.isfinite(on_cpu.iterate()["loss/value"])
