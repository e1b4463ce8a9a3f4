"""Glasses steered by trained policies or by hand, as the benchmarks of the order reward need them."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from table import Table

from matdesign.agents.actor import Actor
from matdesign.config import load
from matdesign.design.assembly import make_policy, open_vector, setting
from matdesign.design.training import trained_policy, training_evaluations
from matdesign.envs.atoms import AtomsResult, atoms_layout, atoms_result
from matdesign.envs.layout import VECTORS
from matdesign.sections import Config
from matdesign.vector import Vector

# Observations [rows, features] to actions [rows, 3].
Steer = Callable[[NDArray[np.float32]], NDArray[np.float32]]

ORDER_GRADIENT, TO_GOAL = len(VECTORS), VECTORS.index("goal")


def configured(episodes: int, *settings: str) -> Config:
    """The order environment, one for each episode."""
    return load(["env=atoms/order", f"env.envs={episodes}", *settings])


def train(folder: Path, seeds: Iterable[int], results: Table, *settings: str) -> list[Steer]:
    """Trains one policy for each seed by `matdesign train`, side by side, and adds what that cost to the table."""
    running = {}
    for seed in seeds:
        path = folder / str(seed)
        command = [sys.executable, "-m", "matdesign", "train", "env=atoms/order", f"output={path}", "quiet=true"]
        running[path] = subprocess.Popen([*command, f"seed={seed}", *settings], stdout=subprocess.DEVNULL)
    seconds = []
    for path, process in running.items():
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"training in {path} failed")
        seconds.append(usage.ru_utime)
    results.add("policy, training", "CPU time", seconds, "s")
    results.add("policy, training", "force evaluations", [training_evaluations(path) for path in running], "")
    return [policy(configured(1), path) for path in running]


def policy(config: Config, folder: Path | None = None) -> Steer:
    """The mean action of the policy trained in `folder`, or of the untrained one of this configuration."""
    torch.set_num_threads(1)
    with open_vector(config) as vector:
        network = make_policy(config, vector)
    if folder is not None:
        network = trained_policy(folder, network)
    act = Actor(network)
    return lambda observations: act(torch.from_numpy(observations)).numpy()


def along(vector: int, coefficient: float) -> Steer:
    """`coefficient` times one of the vectors an atom sees, in units of v0."""
    config = configured(1)
    layout = atoms_layout(config.material, config.env.settings)
    strength = setting(config, "strength")
    columns = slice(layout.scalars + 3 * vector, layout.scalars + 3 * vector + 3)
    return lambda observations: coefficient / strength * observations[:, columns]


def fly(config: Config, actor: Steer, *, seed: int) -> tuple[dict[str, float], list[AtomsResult]]:
    """One episode of every environment: means of its log, and what it ended in."""
    with open_vector(config, own_memory=True) as vector:
        assert isinstance(vector, Vector)
        vector.reset(seed)
        for _ in range(int(setting(config, "horizon"))):
            vector.actions[:] = actor(vector.observations)
            vector.step()
        return vector.log(), [atoms_result(vector, index) for index in range(vector.envs)]
