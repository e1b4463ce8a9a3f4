"""Glasses steered by a trained policy or by hand, as the benchmarks of the order reward need them."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from matdesign.config import load
from matdesign.design.assembly import make_policy, open_vector
from matdesign.design.run import RunFolder
from matdesign.design.training import trained_policy, training_evaluations
from matdesign.envs.atoms import AtomsResult, atoms_layout, atoms_result
from matdesign.envs.layout import VECTORS
from matdesign.sections import Config

# Observations [rows, features] to actions [rows, 3].
Actor = Callable[[NDArray[np.float32]], NDArray[np.float32]]

ORDER_GRADIENT, TO_GOAL = len(VECTORS), VECTORS.index("goal")


def train(folder: Path, *settings: str) -> tuple[float, int]:
    """`matdesign train` into `folder`; returns its CPU seconds and force evaluations."""
    before = os.times()
    command = [sys.executable, "-m", "matdesign", "train", "env=atoms/order", f"output={folder}", "quiet=true"]
    subprocess.run([*command, *settings], check=True, capture_output=True)
    after = os.times()
    return after.children_user - before.children_user, training_evaluations(folder)


def policy(config: Config, folder: Path | None) -> Actor:
    """The mean action of the policy trained in `folder`, or of the untrained one of this configuration."""
    torch.set_num_threads(1)
    with open_vector(config) as vector:
        network = make_policy(config, vector)
    if folder is not None:
        network = trained_policy(RunFolder.open(folder), network)
    return lambda observations: network.act(torch.from_numpy(observations), None).numpy()


def along(config: Config, vector: int, coefficient: float) -> Actor:
    """`coefficient` times one of the vectors an atom sees, in units of v0."""
    layout = atoms_layout(config.material, config.env.settings)
    strength = config.env.settings["strength"]
    assert isinstance(strength, int | float)
    columns = slice(layout.scalars + 3 * vector, layout.scalars + 3 * vector + 3)
    return lambda observations: coefficient / strength * observations[:, columns]


def configured(episodes: int, *settings: str) -> Config:
    """The order environment, one for each episode."""
    return load(["env=atoms/order", f"env.envs={episodes}", *settings])


def fly(config: Config, actor: Actor, *, seed: int) -> tuple[dict[str, float], list[AtomsResult]]:
    """One episode of every environment: means of its log, and what it ended in."""
    with open_vector(config) as vector:
        vector.reset(seed)
        while not (vector.terminals | vector.truncations).any():
            vector.actions[:] = actor(vector.observations)
            vector.step()
        return vector.log(), [atoms_result(vector, index) for index in range(vector.envs)]
