"""Gymnasium's and PettingZoo's own checkers, and what their interfaces promise."""

import importlib.util
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from pettingzoo.test import parallel_api_test, parallel_seed_test
from squared_reference import Squared
from test_vector import walkers  # noqa: F401  a fixture

from matdesign.config import load
from matdesign.envs import built_in
from matdesign.envs.atoms import atoms_settings
from matdesign.errors import InputError
from matdesign.sim.lammps import bind
from matdesign.vector import Vector
from matdesign.vector.gymnasium_adapter import GymnasiumEnv, GymnasiumVectorEnv, agent_spaces
from matdesign.vector.pettingzoo_adapter import PettingZooEnv, parallel_env


def test_gymnasium_checker_discrete() -> None:
    env = GymnasiumEnv("squared", {})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*spec.*")  # not registered: the user makes it directly
        check_env(env)
    env.close()


def test_gymnasium_checker_continuous(walkers: str) -> None:  # noqa: F811
    check_env(GymnasiumEnv(walkers, {"agents": 1}), skip_render_check=True)


def test_gymnasium_env_follows_the_reference() -> None:
    env = GymnasiumEnv("squared", {})
    random = np.random.default_rng(0)
    for seed in range(20):
        reference = Squared(seed, 0)
        observation, info = env.reset(seed=seed)
        assert info == {}
        assert np.array_equal(observation, reference.observation())
        while not reference.terminal:
            action = int(random.integers(5))
            reference.step(action)
            observation, reward, terminated, truncated, _ = env.step(action)
            assert np.array_equal(observation, reference.observation())
            assert (reward, terminated, truncated) == (reference.reward, reference.terminal, False)
    env.close()


def test_resets_without_a_seed_follow_from_the_last_seed() -> None:
    def episodes(env: GymnasiumEnv | GymnasiumVectorEnv) -> list[np.ndarray]:
        return [env.reset(seed=4)[0], env.reset()[0], env.reset()[0]]

    for make in (lambda: GymnasiumEnv("squared", {}), lambda: GymnasiumVectorEnv("squared", {}, envs=2)):
        one, two = episodes(make()), episodes(make())
        assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
        assert not np.array_equal(one[0], one[1])
        assert not np.array_equal(one[1], one[2])


def test_vector_env_is_never_stale() -> None:
    """Step for step what plain Python gives under next-step autoreset."""
    count = 9
    env = GymnasiumVectorEnv("squared", {}, envs=count, threads=2)
    assert env.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    assert env.num_envs == count
    assert env.single_action_space == Discrete(5)
    assert env.single_observation_space == Box(0, 2, (121,), np.uint8)
    assert env.action_space == MultiDiscrete([5] * count)
    assert env.observation_space.shape == (count, 121)
    references = [Squared(11, i) for i in range(count)]
    observations, infos = env.reset(seed=11)
    assert infos == {}
    assert observations in env.observation_space
    env.action_space.seed(0)
    kept = []
    for _ in range(150):
        actions = env.action_space.sample()
        for reference, action in zip(references, actions.tolist(), strict=True):
            reference.step(action)
        observations, rewards, terminations, truncations, infos = env.step(actions)
        kept.append((observations, observations.copy()))
        assert observations in env.observation_space
        assert np.array_equal(observations, [r.observation() for r in references])
        assert np.array_equal(rewards, [r.reward for r in references])
        assert np.array_equal(terminations, [r.terminal for r in references])
        assert terminations.dtype == truncations.dtype == np.bool_
        assert not truncations.any()
        assert infos == {}
    assert all(np.array_equal(a, b) for a, b in kept)  # what was returned is not overwritten later
    env.close()
    env.close()


def test_vector_env_equals_gymnasiums_own_vectorizer(walkers: str) -> None:  # noqa: F811
    """Truncated continuous episodes, beside SyncVectorEnv over the single adapter: flags, rewards at resets, shapes."""
    settings = {"agents": 1, "horizon": 4}
    ours = GymnasiumVectorEnv(walkers, settings, envs=2)
    theirs = SyncVectorEnv([lambda: GymnasiumEnv(walkers, settings)] * 2, autoreset_mode=AutoresetMode.NEXT_STEP)
    assert ours.single_action_space == theirs.single_action_space == Box(-1, 1, (2,), np.float32)
    assert ours.action_space == theirs.action_space
    assert ours.observation_space == theirs.observation_space
    ours.reset(seed=1)
    theirs.reset(seed=1)
    for _ in range(12):
        actions = ours.action_space.sample()
        a, b = ours.step(actions), theirs.step(actions)
        assert a[0].shape == b[0].shape
        assert a[0].dtype == b[0].dtype
        assert np.array_equal(a[0][:, 2], b[0][:, 2])  # the step counter
        assert np.array_equal(a[1] == 0, b[1] == 0)
        assert np.array_equal(a[2], b[2])
        assert np.array_equal(a[3], b[3])
    ours.close()
    theirs.close()


def test_several_agents_need_pettingzoo(walkers: str) -> None:  # noqa: F811
    for make in (lambda: GymnasiumEnv(walkers, {}), lambda: GymnasiumVectorEnv(walkers, {}, envs=2)):
        with pytest.raises(InputError, match="walkers has 3 agents: use PettingZooEnv"):
            make()


@pytest.mark.parametrize("agents", [1, 4])
def test_pettingzoo_checkers(walkers: str, agents: int) -> None:  # noqa: F811
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel_api_test(PettingZooEnv(walkers, {"agents": agents, "horizon": 30}), num_cycles=100)
        parallel_seed_test(lambda: PettingZooEnv(walkers, {"agents": agents, "horizon": 30}), num_cycles=100)


def test_atoms_pass_pettingzoos_checkers() -> None:
    material = load(["material.structure.atoms=5"]).material
    bind()
    settings = atoms_settings(material.structure.build(material), material, {"horizon": 5, "start_relax": 20})
    parallel_api_test(PettingZooEnv("atoms", settings), num_cycles=60)
    parallel_seed_test(lambda: PettingZooEnv("atoms", settings), num_cycles=60)


def test_pettingzoo_gives_each_agent_its_own_row(walkers: str) -> None:  # noqa: F811
    env = PettingZooEnv(walkers, {"horizon": 2, "starts": [-5, 0, 5]})
    assert env.agents == []
    observations, infos = env.reset(seed=3)
    assert env.agents == env.possible_agents == ["agent_0", "agent_1", "agent_2"]
    assert infos == {agent: {"mask": True} for agent in env.agents}
    assert [round(float(observations[agent][0])) for agent in env.agents] == [-5, 0, 5]
    right = np.array([1.0, 0.0], np.float32)
    observations, rewards, terminations, truncations, infos = env.step({"agent_1": right})
    assert [round(float(o[0])) for o in observations.values()] == [-5, 1, 5]
    assert not any(truncations.values())
    assert all(isinstance(reward, float) for reward in rewards.values())
    *_, terminations, truncations, infos = env.step({"agent_0": right})
    assert truncations == dict.fromkeys(env.possible_agents, True)
    assert terminations == dict.fromkeys(env.possible_agents, False)
    assert env.agents == []
    assert env.step({}) == ({}, {}, {}, {}, {})
    again, _ = env.reset(seed=3)
    with Vector(walkers, {"horizon": 2, "starts": [-5, 0, 5]}, envs=1) as vector:
        vector.reset(3)
        assert data_equivalence(list(again.values()), list(vector.observations))
    env.close()


def test_registered_by_name() -> None:
    single = [spec for spec in gymnasium.registry if spec.startswith("matdesign/")]
    assert {"matdesign/squared-v0", "matdesign/pong-v0", "matdesign/breakout-v0"} <= set(single)
    for spec in single:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_env(gymnasium.make(spec).unwrapped, skip_render_check=True)
    program = (
        "import gymnasium; gymnasium.make('matdesign.vector.gymnasium_adapter:matdesign/squared-v0').reset(seed=0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)  # with nothing else imported
    env = gymnasium.make("matdesign/squared-v0", settings={"size": 5})
    assert env.reset(seed=3)[0].tolist() == Squared(3, 0, 5).observation().tolist()
    batch = gymnasium.make_vec("matdesign/squared-v0", num_envs=3, vectorization_mode="vector_entry_point")
    assert isinstance(batch, GymnasiumVectorEnv)
    assert batch.reset(seed=3)[0].shape == (3, 121)


def test_pettingzoo_by_name() -> None:
    env = parallel_env("squared", size=5)
    observations, _ = env.reset(seed=3)
    assert observations["agent_0"].tolist() == Squared(3, 0, 5).observation().tolist()
    for name in ("boids", "snake", "drone_swarm"):
        if name in built_in():
            parallel_api_test(parallel_env(name), num_cycles=20)


@pytest.mark.skipif(importlib.util.find_spec("stable_baselines3") is None, reason="stable-baselines3 is not installed")
def test_stable_baselines_trains_on_ours() -> None:
    """Their PPO, unchanged, on an environment of ours by its name: it walks to the target far better than chance."""
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.evaluation import evaluate_policy

    torch.set_num_threads(1)
    env = make_vec_env("matdesign/squared-v0", n_envs=8, seed=0, env_kwargs={"settings": {"size": 3}})
    model = PPO("MlpPolicy", env, n_steps=64, batch_size=256, gamma=0.9, learning_rate=3e-3, seed=0, device="cpu")
    before, _ = evaluate_policy(model, env, n_eval_episodes=40)
    model.learn(12000)
    after, _ = evaluate_policy(model, env, n_eval_episodes=40)
    assert before < 0.3
    assert after > 0.6


def test_spaces_of_several_action_columns() -> None:
    with Vector("squared", {}, envs=1) as vector:
        vector.action_dims, vector.choices = 3, 4  # no environment here has several discrete columns
        assert agent_spaces(vector)[1] == MultiDiscrete([4, 4, 4], dtype=np.int32)
