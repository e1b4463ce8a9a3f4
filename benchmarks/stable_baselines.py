"""PPO on CartPole, ours and Stable-Baselines3's: at its own settings, at large batches, and how soon each has learned.

Both train the same network (two tanh layers of 64 for the action, two for the value) on one thread, with the same
environments, horizon, minibatch and epochs; agent steps are counted by the CPU seconds of the process, so that other
work of the machine does not count. Ours steps the CartPole in C. Stable-Baselines3 is measured twice: on
Gymnasium's CartPole in a DummyVecEnv, which is what its users have, and on ours behind its VecEnv, where the
environment costs it nothing but the loops of its own. Samples are interleaved; the ratio of a row of ours is that to
Stable-Baselines3's faster one.

`learned` is the CPU time of training until the mean return of the last 100 episodes is 475, the threshold at which
Gymnasium calls CartPole-v1 solved: Stable-Baselines3 with the settings of RL Baselines3 Zoo (ppo.yml, tuned by its
authors), ours with those of conf/agent/ppo_cartpole.yaml.
"""

import time
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import stable_baselines3
import table
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from matdesign.agents.policies import MLPPolicy
from matdesign.agents.ppo import PPO
from matdesign.agents.ppo_config import PPOConfig
from matdesign.config import load
from matdesign.vector import Vector

SOLVED, WINDOW = 475.0, 100  # mean return, episodes
GYMNASIUM_MOST = 1024  # environments of a DummyVecEnv; more only make it slower


class Case(NamedTuple):
    """Sizes of a training: environments, steps of each in a rollout, transitions of a gradient step, passes."""

    label: str
    envs: int
    horizon: int
    minibatch: int
    epochs: int


CASES = (
    Case("SB3 Zoo's CartPole", 8, 32, 256, 20),
    Case("SB3's defaults", 1, 2048, 64, 10),
    Case("CleanRL's", 4, 128, 128, 4),
    Case("1024 carts", 1024, 64, 8192, 4),
    Case("4096 carts", 4096, 64, 32768, 1),
)


class CartPoles(VecEnv):
    """The CartPole in C as Stable-Baselines3 wants it."""

    def __init__(self, envs: int) -> None:
        self.vector = Vector("cartpole", {}, envs=envs)
        self.infos: list[dict[str, Any]] = [{} for _ in range(envs)]
        space = gymnasium.spaces.Box(self.vector.low, self.vector.high, (self.vector.features,), np.float32)
        super().__init__(envs, space, gymnasium.spaces.Discrete(self.vector.choices))

    def reset(self) -> np.ndarray:
        """Starts new episodes."""
        self.vector.reset(0)
        return self.vector.observations.copy()

    def step_async(self, actions: np.ndarray) -> None:
        """Takes the actions."""
        self.vector.actions[:, 0] = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Steps; the step after an end is the reset of it, with reward 0."""
        self.vector.step()
        ended = self.vector.terminals | self.vector.truncations
        return self.vector.observations.copy(), self.vector.rewards.copy(), ended, self.infos

    def close(self) -> None:
        """Closes the environments."""
        self.vector.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """There is nothing to look at."""
        return [None] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """There is nothing to set."""

    def env_method(self, method_name: str, *arguments: Any, indices: Any = None, **options: Any) -> list[Any]:
        """There is nothing to call."""
        return [None] * self.num_envs

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """It never is."""
        return [False] * self.num_envs


def stable_baselines(case: Case, env: VecEnv) -> Iterator[float]:
    """Yields agent steps per CPU second, measured when asked for; the first has all that happens only once in it."""
    options = {"n_steps": case.horizon, "batch_size": case.minibatch, "n_epochs": case.epochs}
    model = stable_baselines3.PPO("MlpPolicy", env, device="cpu", seed=0, **options)
    steps = case.envs * case.horizon * max(1, 4096 // (case.envs * case.horizon))
    while True:
        start = time.process_time()
        model.learn(steps)
        yield steps / (time.process_time() - start)


def ours(case: Case) -> Iterator[float]:
    """The same for our PPO."""
    options = {"horizon": case.horizon, "minibatch": case.minibatch, "epochs": case.epochs}
    with Vector("cartpole", {}, envs=case.envs) as vector:
        ppo = PPO(vector, MLPPolicy(4, 1, 2), PPOConfig(total_agent_steps=10**9, max_kl=1e9, **options))
        iterations = max(1, 16384 // (case.envs * case.horizon))
        while True:
            start = time.process_time()
            for _ in range(iterations):
                ppo.iterate()
            yield iterations * case.envs * case.horizon / (time.process_time() - start)


def compare(results: table.Table, case: Case, *, repeats: int) -> None:
    """Adds the rows of a case."""
    trainings = {"SB3, our env": stable_baselines(case, CartPoles(case.envs))}
    if case.envs <= GYMNASIUM_MOST:
        trainings["SB3"] = stable_baselines(case, make_vec_env("CartPole-v1", case.envs))
    trainings["matdesign"] = ours(case)
    rounds = [[next(training) for training in trainings.values()] for _ in range(repeats + 1)][1:]
    reference = None
    for name, samples in zip(trainings, zip(*rounds, strict=True), strict=True):
        median = results.add(f"{case.label}, {name}", "agent steps", samples, "1/s", reference=reference)
        reference = max(reference or 0.0, median)


class Learned(BaseCallback):
    """Ends a training of Stable-Baselines3 once it has learned."""

    def _on_step(self) -> bool:
        returns = [episode["r"] for episode in self.model.ep_info_buffer or ()]
        return len(returns) < WINDOW or sum(returns) / WINDOW < SOLVED


def stable_learning(seed: int) -> tuple[float, float]:
    """CPU seconds and agent steps until Stable-Baselines3 has learned with RL Baselines3 Zoo's settings."""
    model = stable_baselines3.PPO(
        "MlpPolicy",
        make_vec_env("CartPole-v1", 8, seed=seed),
        n_steps=32,
        batch_size=256,
        n_epochs=20,
        gae_lambda=0.8,
        gamma=0.98,
        ent_coef=0.0,
        learning_rate=lambda left: 1e-3 * left,
        clip_range=lambda left: 0.2 * left,
        device="cpu",
        seed=seed,
    )
    start = time.process_time()
    model.learn(100_000, callback=Learned())
    return time.process_time() - start, model.num_timesteps


def our_learning(seed: int) -> tuple[float, float]:
    """The same for ours."""
    config = load(["env=cartpole"])
    with Vector("cartpole", {}, envs=config.env.envs) as vector:
        policy = MLPPolicy(4, 1, 2, hidden=config.agent.policy.hidden, seed=seed)
        ppo = PPO(vector, policy, config.agent.ppo, seed=seed)
        start, ended = time.process_time(), deque[tuple[float, float]]()
        while ppo.agent_steps < config.agent.ppo.total_agent_steps:
            figures = ppo.iterate()
            if figures.get("env/episodes"):
                ended.append((figures["env/episodes"], figures["env/episode_return"]))
            while ended and sum(count for count, _ in ended) - ended[0][0] >= WINDOW:
                ended.popleft()
            episodes = sum(count for count, _ in ended)
            if episodes >= WINDOW and sum(count * mean for count, mean in ended) / episodes >= SOLVED:
                break
        return time.process_time() - start, ppo.agent_steps


def main() -> None:
    """Prints the rows."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    torch.set_num_threads(1)
    for case in CASES[2:3] if arguments.quick else CASES:
        compare(results, case, repeats=1 if arguments.quick else 5)
    seeds = range(1 if arguments.quick else 5)
    learned = [(stable_learning(seed), our_learning(seed)) for seed in seeds]
    theirs, own = zip(*learned, strict=True)
    reference = results.add("SB3", "learned", [seconds for seconds, _ in theirs], "s")
    results.add("matdesign", "learned", [seconds for seconds, _ in own], "s", reference=reference)
    reference = results.add("SB3", "agent steps to it", [steps for _, steps in theirs], "")
    results.add("matdesign", "agent steps to it", [steps for _, steps in own], "", reference=reference)
    results.close()


if __name__ == "__main__":
    main()
