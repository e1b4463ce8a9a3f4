"""A policy's rollout, frame by frame, for whoever shows or records it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from matdesign.agents.actor import Actor
from matdesign.agents.policies import Policy
from matdesign.config import load_stored
from matdesign.design.assembly import make_policy, open_vector
from matdesign.design.progress import counted, progress
from matdesign.design.training import trained_policy
from matdesign.envs.reading import system_reading
from matdesign.errors import InputError
from matdesign.render.recording import FPS, Frame, Recording
from matdesign.sections import Config
from matdesign.vector import Batch

LONGEST = 500  # frames of an episode, if nobody asks for more


def rollout(
    vector: Batch,
    policy: Policy,
    *,
    seed: int,
    index: int = 0,
    frames: int | None = None,
    read: Callable[[NDArray[Any]], Mapping[str, float]] = lambda observations: {},
) -> Iterator[Frame]:
    """Let `policy` act deterministically and yield what one environment looks like: at the start, and after each step.

    Looking changes nothing: the same environments stepped without it go through the same states bit for bit. What is
    not taken is not stepped.

    Args:
        vector: environments; reset with `seed`.
        policy: on the CPU.
        seed: of the starts.
        index: the environment to look at.
        frames: how many, through as many episodes as it takes; None: until each of its agents has ended once, at most
            `LONGEST`.
        read: more labels, from the environment's rows of the observations.

    Yields:
        a scene, and as labels the number of steps and the return, the sum of an agent's rewards since its episode
        began, as a mean over agents.
    """
    rows = slice(index * vector.agents, (index + 1) * vector.agents)
    act = Actor(policy)
    returns, ended = np.zeros(vector.agents), np.zeros(vector.agents, bool)
    arrays = (vector.observations, vector.masks, vector.actions)
    observations, masks, actions = (torch.from_numpy(array) for array in arrays)
    vector.reset(seed)
    yield vector.scene(index), {"step": 0, "return": 0.0, **read(vector.observations[rows])}
    for step in range(1, frames or LONGEST):
        actions.copy_(act(observations, masks))
        vector.step()
        returns = np.where(vector.masks[rows], returns + vector.rewards[rows], 0.0)
        labels = {"step": step, "return": float(returns.mean())}
        yield vector.scene(index), {**labels, **read(vector.observations[rows])}
        ended |= vector.terminals[rows] | vector.truncations[rows]
        if frames is None and ended.all():
            return


def record_run(
    folder: Path, *, frames: int | None = None, seed: int | None = None, fps: float = FPS, quiet: bool = False
) -> Recording:
    """A recording of the trained policy of a run, in one environment of its own; the folder is only read.

    Args:
        folder: of `matdesign train` or `design`, still at work or not.
        frames: as for `rollout`.
        seed: of the start; None: the one the run is evaluated with.
        fps: frames shown in a second.
        quiet: no progress bar.

    Raises:
        InputError: no run, no checkpoint in it yet, an environment that draws itself, or too many frames for memory.
    """
    if not (folder / "config.yaml").is_file():
        raise InputError(f"{folder} is no run folder (no config.yaml in it): give one, or a structure file")
    config = load_stored(folder / "config.yaml")
    if config.env.interface != "matdesign":
        raise InputError(f"{config.env.name} is an environment of others: it draws itself, nothing can be recorded")
    torch.set_num_threads(config.agent.threads)
    alone = replace(config, env=replace(config.env, envs=1, overlap=False))
    with open_vector(alone, own_memory=True) as vector, progress("flying", frames or LONGEST, quiet=quiet) as show:
        policy = trained_policy(folder, make_policy(alone, vector))
        start = config.evaluation.seed if seed is None else seed
        flown = rollout(vector, policy, seed=start, frames=frames, read=partial(_read, alone))
        return Recording.of(counted(flown, show), fps=fps)


def _read(config: Config, observations: NDArray[Any]) -> Mapping[str, float]:
    if not config.env.of_atoms:
        return {}
    order = config.env.settings.get("reward") == "order"
    return system_reading(observations[0], config.material, order=order)
