"""What a policy is worth on fixed starts: the same flights while it is trained and afterwards."""

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from matdesign.agents.policies import Policy
from matdesign.agents.train import Evaluation
from matdesign.design.assembly import open_vector
from matdesign.design.flight import Flight, fly
from matdesign.sections import Config

MODES = {"deterministic": True, "stochastic": False}  # the mean (or most probable) action, and a sampled one


def training_rounds(config: Config) -> int:
    """How many episodes of each environment are flown while training; never more than afterwards."""
    evaluation = config.evaluation
    return math.ceil(min(evaluation.training_episodes, evaluation.episodes) / _envs(config))


def flights(
    config: Config, policy: Policy, *, episodes: int, show: Callable[[int], None] | None = None
) -> dict[str, Flight]:
    """Lets the policy fly in environments of its own, once in each of `MODES`.

    Environments, starts and sampled actions follow from the configuration alone, so that fewer episodes are the first
    of more, to the bit. Environments are opened anew each time: some remember what they have seen.

    Args:
        config: its env and evaluation sections say how.
        policy: on the CPU.
        episodes: of each mode, rounded up to a multiple of the environments.
        show: called with the number of episodes ended so far, of both modes.
    """
    envs = _envs(config)
    alone = replace(config, env=replace(config.env, envs=envs, workers=min(config.env.workers, envs), overlap=False))
    flown: dict[str, Flight] = {}
    for number, (mode, deterministic) in enumerate(MODES.items()):
        before = number * envs * math.ceil(episodes / envs)
        with open_vector(alone, own_memory=True) as vector:
            flown[mode] = fly(
                vector,
                policy,
                episodes=episodes,
                seed=config.evaluation.seed,
                deterministic=deterministic,
                show=partial(_further, show, before) if show is not None else None,
            )
    return flown


def evaluation_while_training(config: Config, policy: Policy) -> Evaluation:
    """What `matdesign.agents.train.train` examines `policy` by: figures "evaluation/MODE/NAME"."""
    mode = "deterministic" if config.evaluation.deterministic else "stochastic"
    return Evaluation(
        examine=partial(_examine, config, policy),
        score=f"evaluation/{mode}/score",
        episodes=len(MODES) * _envs(config) * training_rounds(config),
        share=config.evaluation.training_share,
    )


def _examine(config: Config, policy: Policy) -> tuple[Mapping[str, float], int]:
    # On the CPU wherever it is trained, as it is examined afterwards.
    flown = flights(config, copy.deepcopy(policy).cpu(), episodes=_envs(config) * training_rounds(config))
    figures = {
        f"evaluation/{mode}/{name}": value for mode, flight in flown.items() for name, value in flight.figures.items()
    }
    return figures, sum(flight.agent_steps for flight in flown.values())


def _further(show: Callable[[int], None], before: int, ended: int) -> None:
    show(before + ended)


def _envs(config: Config) -> int:
    return min(config.env.envs, config.evaluation.training_episodes)
