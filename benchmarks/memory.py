"""What memory is worth: a policy without, with an LSTM, with a GRU behind its hidden layers, in equal agent-steps.

CartPole takes memory once its velocities are hidden; seen in full it needs none, as the two tasks of atoms by design
do not. `score` is that of the last policy, its most probable actions, on starts it was not trained on. Agent-steps to
solve CartPole are counted to the first iteration whose episodes last 475 steps in the mean; seconds are of one core.
"""

import time
from typing import NamedTuple

import table
import torch

from matdesign.agents.ppo import PPO
from matdesign.config import load
from matdesign.design.assembly import make_policy, open_vector
from matdesign.design.flight import fly

MEMORIES = ("none", "lstm", "gru")
SEEDS = 3
SOLVED = 475.0
CARTPOLE = (  # larger minibatches than ship: a segment has as many steps as the horizon, and four are too few
    "env=cartpole",
    "env.envs=64",
    "agent.ppo.minibatch=1024",
    "agent.ppo.epochs=8",
    "agent.ppo.learning_rate=3e-3",
)
# What is trained, and for how many agent-steps.
TASKS = {
    "cartpole, positions alone": ((*CARTPOLE, "env.settings.velocities=false"), 200_000),
    "cartpole": (CARTPOLE, 150_000),
    "atoms cluster": (("env=atoms/cluster",), 600_000),
    "atoms order": (("env=atoms/order",), 240_000),
}


class Result(NamedTuple):
    """What a training came to; `solved` in agent-steps, None if it never was."""

    score: float
    solved: float | None
    seconds: float
    parameters: int


def train(settings: tuple[str, ...], agent_steps: int, memory: str, seed: int) -> Result:
    """Trains one policy on one thread and lets it fly 200 episodes."""
    options = (f"agent.policy.memory={memory}", f"agent.ppo.total_agent_steps={agent_steps}", f"seed={seed}")
    config = load([*settings, *options])
    with open_vector(config) as vector:
        start, solved = time.process_time(), None
        policy = make_policy(config, vector)
        ppo = PPO(vector, policy, config.agent.ppo, seed=seed)
        while ppo.agent_steps < agent_steps:
            figures = ppo.iterate()
            if solved is None and figures.get("env/score", 0.0) >= SOLVED:
                solved = float(ppo.agent_steps)
        seconds = time.process_time() - start
        flown = fly(vector, policy, episodes=200, seed=config.evaluation.seed, deterministic=True)
    return Result(flown.figures["score"], solved, seconds, policy.parameter_count)


def main() -> None:
    """Prints the rows of each task."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    torch.set_num_threads(1)
    seeds = range(1 if arguments.quick else SEEDS)
    for task, (settings, agent_steps) in list(TASKS.items())[: 1 if arguments.quick else None]:
        reference = None
        for memory in MEMORIES:
            found = [train(settings, agent_steps, memory, seed) for seed in seeds]
            label = f"{task}: {memory}"
            score = results.add(label, "score", [result.score for result in found], "", reference=reference)
            reference = score if reference is None else reference
            solved = [result.solved for result in found if result.solved is not None]
            if task.startswith("cartpole") and len(solved) < len(found):
                results.skip(label, f"{len(found) - len(solved)} of {len(found)} never reached {SOLVED:g}")
            elif solved:
                results.add(label, "agent-steps to solve", solved, "")
            results.add(label, "CPU time", [result.seconds for result in found], "s")
            results.add(label, "parameters", [result.parameters for result in found], "")
    results.close()


if __name__ == "__main__":
    main()
