"""Training a run's policy, and flying it from the run folder."""

import os
from collections.abc import Mapping
from pathlib import Path

import torch

from matdesign.agents.checkpoint import load_checkpoint
from matdesign.agents.dashboard import Dashboard, count
from matdesign.agents.metrics import read_metrics
from matdesign.agents.policies import Policy
from matdesign.agents.ppo import PPO
from matdesign.agents.processor import prepare_processor
from matdesign.agents.train import best_checkpoint, last_checkpoint, train
from matdesign.design.assembly import make_policy, open_vector
from matdesign.design.evaluation import MODES, evaluation_while_training
from matdesign.design.run import RunFolder
from matdesign.envs.atoms import SettingValue
from matdesign.errors import InputError
from matdesign.sections import Config
from matdesign.vector import Batch


def train_run(config: Config, run: RunFolder, *, rewarded: Mapping[str, SettingValue] | None = None) -> None:
    """Trains the configured policy into the run folder, going on from its last checkpoint.

    `rewarded` is as for `open_vector`; where it measures properties, the policy is not evaluated in between.
    """
    use_cores(config)
    with open_vector(config, rewarded=rewarded) as vector:
        ppo = make_trainer(config, vector)
        name = config.material.name if config.env.of_atoms else config.env.name
        title = f"{run.verb} {name}, {count(ppo.policy.parameter_count)} parameters"
        with Dashboard(
            title,
            total_agent_steps=config.agent.ppo.total_agent_steps,
            time_limit=config.agent.time_limit,
            quiet=config.quiet,
        ) as dashboard:
            train(
                ppo,
                run.path,
                total_agent_steps=config.agent.ppo.total_agent_steps,
                time_limit=config.agent.time_limit,
                checkpoint_every=config.agent.checkpoint_every,
                evaluation=None if rewarded else evaluation_while_training(config, ppo.policy),
                show=dashboard,
            )


def make_trainer(config: Config, vector: Batch) -> PPO:
    """The configured learner in these environments.

    Raises:
        InputError: a CUDA device was asked for and there is none.
    """
    agent = config.agent
    policy = make_policy(config, vector)
    device = _device(config)
    threads = agent.threads if device == "cpu" else 1
    if threads > 1:
        torch.set_num_threads(1)  # within an operation: the learner's threads each do some of the rows
    return PPO(vector, policy, agent.ppo, device=device, precision=agent.precision, threads=threads, seed=config.seed)


def use_cores(config: Config) -> None:
    """Keeps this process on the configured CPU cores, torch to its number of threads, and both fast.

    Raises:
        InputError: there is no such core.
    """
    if config.agent.affinity is not None:
        try:
            os.sched_setaffinity(0, config.agent.affinity)
        except OSError as error:
            known = sorted(os.sched_getaffinity(0))
            message = f"agent.affinity={config.agent.affinity} is none of this process' cores {known}: leave it null"
            raise InputError(message) from error
    torch.set_num_threads(config.agent.threads)
    prepare_processor()


def _device(config: Config) -> str:
    device = config.agent.device
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("agent.device=cuda, but torch sees no CUDA device: use agent.device=cpu")
    return device


def trained_policy(place: Path, policy: Policy) -> Policy:
    """`policy` with the parameters of a checkpoint: a file, or a run's best one, or its last where no best was kept."""
    path = best_checkpoint(place) if place.is_dir() else place
    if place.is_dir() and not path.exists():
        path = last_checkpoint(place)
    tensors, _ = load_checkpoint(path)
    own = policy.state_dict()
    stored = {name: tensors.get(f"policy.{name}") for name in own}
    for name, tensor in own.items():
        found = stored[name]
        if found is None or found.shape != tensor.shape:
            raise InputError(
                f"{path} is not of this policy ({name} is {'missing' if found is None else list(found.shape)}, "
                f"{list(tensor.shape)} is needed): keep material, observation and agent.policy as in training"
            )
        if not found.isfinite().all():
            raise InputError(f"{path} is damaged ({name} is not finite): take another checkpoint, or train again")
    policy.load_state_dict(stored)
    return policy.eval()


def training_evaluations(folder: Path) -> int:
    """Force evaluations of all episodes of a training, evaluations in between included, from the run's metrics."""
    flown = ["env", *(f"evaluation/{mode}" for mode in MODES)]
    return round(
        sum(
            float(row[f"{name}/evaluations"]) * float(row[f"{name}/episodes"])
            for row in read_metrics(folder / "metrics.csv")
            for name in flown
            if row.get(f"{name}/evaluations")
        )
    )
