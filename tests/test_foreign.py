"""Third-party environments in worker processes, beside the same environments stepped here."""

import importlib.util
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from foreign_envs import HORIZON, Crowd, Mixed, Structured, Wrong, structured_vector

from matdesign.agents.ppo import PPO
from matdesign.config import dump, load, load_stored
from matdesign.design.assembly import make_policy, open_vector
from matdesign.errors import InputError
from matdesign.vector.foreign import Gymnasium, GymnasiumVector, PettingZoo
from matdesign.vector.workers import Workers


def seed_of(seed: int, index: int) -> int:
    return int(np.random.SeedSequence((seed, index)).generate_state(1)[0])


def observed(workers: Workers, row: int) -> dict[str, np.ndarray]:
    return workers.observation_layout.unflatten(workers.observations[row])


@pytest.mark.parametrize(("parts", "vector"), [(1, False), (2, False), (1, True)])
def test_structured_spaces_step_for_step(parts: int, vector: bool) -> None:
    """Every observation, reward and flag is the environment's own, with next-step autoreset, never a stale one."""
    count, seed = 4, 7
    recipe = GymnasiumVector(make=structured_vector) if vector else Gymnasium(make=Structured)
    own = [Structured() for _ in range(count)]
    expected = [env.reset(seed=seed_of(seed, i))[0] for i, env in enumerate(own)]
    over = [False] * count
    random = np.random.default_rng(0)
    with Workers(recipe, envs=count, workers=2, parts=parts) as workers:
        assert workers.column_choices == (3, 2, 2, 2, 4)
        workers.reset(seed)
        returns = []
        for _ in range(3 * HORIZON):
            for i in range(count):
                assert_same(observed(workers, i), expected[i])
            rows = np.stack([random.integers(0, workers.column_choices) for _ in range(count)])
            workers.actions[:] = rows
            workers.step()
            for i, env in enumerate(own):
                if over[i]:
                    expected[i], reward, terminal, truncated = env.reset()[0], 0.0, False, False
                else:
                    action = workers.action_layout.value(rows[i])
                    expected[i], reward, terminal, truncated, _ = env.step(action)
                    returns.append(reward)
                assert (workers.rewards[i], workers.terminals[i]) == (np.float32(reward), terminal)
                assert (workers.truncations[i], workers.masks[i]) == (truncated, not over[i])
                over[i] = terminal or truncated
        log = workers.log()
    assert log["episodes"] == 2 * count
    assert log["episode_length"] == HORIZON
    assert log["score"] == pytest.approx(sum(returns[: 2 * count * HORIZON]) / (2 * count))


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert list(one) == list(other)
    for key, value in other.items():
        assert np.array_equal(one[key], value), key
        assert np.asarray(one[key]).dtype == np.asarray(value).dtype


def test_workers_change_nothing() -> None:
    frames = []
    for workers in (1, 3):
        with Workers(Gymnasium(make="CartPole-v1"), envs=3, workers=workers) as batch:
            batch.reset(5)
            frames.append([])
            random = np.random.default_rng(0)
            for _ in range(60):
                batch.actions[:] = random.integers(0, 2, (3, 1))
                batch.step()
                frames[-1].append((batch.observations.copy(), batch.terminals.copy(), batch.masks.copy()))
            assert batch.log()["episodes"] > 3
    for one, other in zip(*frames, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_pettingzoo_agents_come_and_go() -> None:
    with Workers(PettingZoo(make=Crowd), envs=2, workers=2) as batch:
        assert (batch.agents, batch.rows, batch.features) == (3, 6, 3)
        batch.reset(0)
        for cycle in range(2):
            for age in range(1, 5):
                batch.actions[:, 0] = [0, 1, 2, 3, 4, 0]
                batch.step()
                live = np.array([age <= 2, age <= 3, True] * 2)
                assert np.array_equal(batch.masks, live), (cycle, age)
                acts = np.array([[0, age, 0], [1, age, 1], [2, age, 2], [0, age, 3], [1, age, 4], [2, age, 0]])
                assert np.array_equal(batch.observations, np.where(live[:, None], acts, 0))
                assert np.array_equal(batch.rewards, np.where(live, [0, 1, 2, 3, 4, 0], 0))
                assert np.array_equal(batch.terminals, [age == 2, age == 3, False] * 2)
                assert np.array_equal(batch.truncations, [False, False, age == 4] * 2)
            batch.step()
            assert not batch.masks.any()
            assert np.array_equal(batch.observations[:3], [[0, 0, -1], [1, 0, -1], [2, 0, -1]])
        log = batch.log(0)
        assert (log["episodes"], log["episode_length"]) == (2, 4)
        assert log["score"] == pytest.approx((0 * 2 + 1 * 3 + 2 * 4) / 3)


def test_lossless_records_as_actions() -> None:
    """What no policy here can give, whoever steps the environments can."""
    with Workers(Gymnasium(make=Mixed), envs=2, workers=1) as batch:
        batch.reset(0)
        assert (batch.actions.dtype, batch.column_choices, batch.action_layout.kind) == (np.uint8, (), "record")
        for row, (force, jump) in enumerate([(12.25, 1), (-0.5, 0)]):
            batch.actions[row] = batch.action_layout.row({"force": np.array([force]), "jump": np.int64(jump)})
        batch.step()
        assert np.array_equal(batch.observations, [[12.25, 1], [-0.5, 0]])


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (Gymnasium(make=Wrong), r"first observation: expected dtype float32, shape \(2,\), .*; actual dtype float64"),
        (Gymnasium(make="NoSuch-v0"), r"NoSuch-v0 cannot be made with \{\}: .*NoSuch"),
        (Gymnasium(make="foreign_envs:Nothing"), "'foreign_envs:Nothing' cannot be imported"),
        (
            Gymnasium(make=Structured, settings={"tall": 1}),
            r"Structured cannot be made with \{'tall': 1\}: .*unexpected keyword argument",
        ),
        (PettingZoo(make="pettingzoo.test"), "give module:function"),
        (
            PettingZoo(make=Crowd, settings={"unequal": True}),
            r"observation space of walker 1: expected dtype float32, shape \(3,\), .*; actual .* shape \(4,\)",
        ),
        (
            GymnasiumVector(make=structured_vector, settings={"mode": "SAME_STEP"}),
            "make it with AutoresetMode.NEXT_STEP",
        ),
    ],
)
def test_what_cannot_be_used(recipe: Gymnasium, message: str) -> None:
    with pytest.raises(InputError, match=message), Workers(recipe, envs=2, workers=2) as batch:
        batch.reset(0)


def test_environments_of_a_batch_must_agree() -> None:
    made = []

    def different() -> Structured:
        made.append(1)
        return Structured(high=1e6 if len(made) < 3 else 5.0)

    message = r"observation space of environment 1\['noise'\]: expected dtype float32, .* bounds -1e\+06 to 1e\+06, .*5"
    with pytest.raises(InputError, match=message):
        Workers(Gymnasium(make=different), envs=2, workers=1)


def overrides(name: str, *more: str) -> list[str]:
    return ["env=gymnasium", f"env.name={name}", "quiet=true", "env.envs=4", *more]


def test_ppo_learns_uneven_choices_from_records() -> None:
    """Reward is the sum of what is chosen, 1 + 1 + 1 + 1 + 3 at most: five heads of different widths find that."""
    config = load(overrides("foreign_envs:Structured", "agent.ppo.horizon=64", "agent.ppo.learning_rate=0.003"))
    torch.set_num_threads(1)
    with open_vector(config) as vector:
        assert vector.observations.dtype == np.uint8
        trainer = PPO(vector, make_policy(config, vector), config.agent.ppo, seed=0)
        first = trainer.iterate()["env/score"]
        for _ in range(25):
            last = trainer.iterate()["env/score"]
    assert first < 15
    assert last > 0.8 * 7 * HORIZON


def test_a_policy_refuses_what_it_cannot_do() -> None:
    config = load(overrides("foreign_envs:Mixed"))
    with open_vector(config) as vector, pytest.raises(InputError, match=r"foreign_envs:Mixed is Dict.*not both"):
        make_policy(config, vector)
    with pytest.raises(InputError, match=r"use env\.backend=processes"):
        open_vector(load(overrides("CartPole-v1", "env.backend=threads")))


def test_a_stored_run_imports_no_module_by_itself(tmp_path: Path) -> None:
    stored = tmp_path / "config.yaml"
    stored.write_text(dump(load(overrides("foreign_envs:Mixed"))))
    with pytest.raises(InputError, match=r"loads code from foreign_envs:Mixed: .* add env\.name=foreign_envs:Mixed"):
        load_stored(stored)
    assert load_stored(stored, ["env.name=foreign_envs:Mixed"]).env.name == "foreign_envs:Mixed"


def test_continuous_actions_reach_their_bounds() -> None:
    with Workers(Gymnasium(make="Pendulum-v1"), envs=1, workers=1) as batch:
        own = gymnasium.make("Pendulum-v1")
        observation, _ = own.reset(seed=seed_of(3, 0))
        batch.reset(3)
        for _ in range(20):
            assert np.array_equal(batch.observations[0], observation)
            batch.actions[:] = 1.0
            batch.step()
            observation, *_ = own.step(np.float32([2.0]))


@pytest.mark.skipif(importlib.util.find_spec("ale_py") is None, reason="ale-py is not installed")
def test_pong_is_learned_from() -> None:
    """The whole path from the emulator to a gradient step; that Pong is won takes hours, and is no test."""
    config = load(["env=atari", "env.envs=4", "agent.ppo.horizon=16", "agent.ppo.epochs=1", "agent.ppo.minibatch=32"])
    torch.set_num_threads(1)
    with open_vector(config) as vector:
        assert vector.observations.shape == (4, 4 * 84 * 84)
        assert vector.column_choices == (6,)
        policy = make_policy(config, vector)
        before = [parameter.clone() for parameter in policy.parameters()]
        figures = PPO(vector, policy, config.agent.ppo, seed=0).iterate()
        frames = vector.observations.reshape(4, 4, 84, 84)
        assert len(np.unique(frames)) > 3  # there is something to see
        assert (frames[:, 0] != frames[:, 3]).any()  # and it moves
    assert np.isfinite(figures["loss/value"])
    assert all(not torch.equal(a, b) for a, b in zip(before, policy.parameters(), strict=True))
