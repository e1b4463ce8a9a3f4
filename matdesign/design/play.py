"""The job behind `matdesign play`: one agent of a game at the keyboard.

Arrow keys or w a s d steer the first agent of the first environment, q leaves. The others follow a run's policy, or
act at random. In Pong and Breakout no key means to stay, in snake straight on.
"""

import os
import select
import shutil
import sys
import termios
import time
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from matdesign.agents.actor import Actor
from matdesign.agents.policies import Policy
from matdesign.config import load
from matdesign.design.assembly import make_policy, open_vector
from matdesign.design.keyboard import KEYS, STEPS_A_SECOND
from matdesign.design.run import RunFolder
from matdesign.design.training import trained_policy
from matdesign.errors import InputError
from matdesign.render.terminal import frame
from matdesign.vector import Batch

ARROWS = {"\x1b[A": "w", "\x1b[B": "s", "\x1b[C": "d", "\x1b[D": "a"}


def act(vector: Batch, actor: Actor | None, random: np.random.Generator, own: int) -> None:
    """Writes the actions of all agents: `own` for the first one."""
    if actor is None:
        vector.actions[:] = random.integers(0, vector.choices, vector.actions.shape)
    else:
        vector.actions[:] = actor(torch.from_numpy(vector.observations), torch.from_numpy(vector.masks)).numpy()
    vector.actions[0] = own


def play(name: str, vector: Batch, policy: Policy | None, *, seed: int) -> None:
    """Shows the first environment and steps it at the pace of a person, until q."""
    keys, idle = KEYS[name]
    random, actor = np.random.default_rng(seed), Actor(policy) if policy else None
    vector.reset(seed)
    score = best = 0.0
    with _keyboard():
        while "q" not in (typed := _typed(1 / STEPS_A_SECOND[name])):
            known = [keys[key] for key in typed if key in keys]
            act(vector, actor, random, known[-1] if known else idle)
            vector.step()
            score = score + float(vector.rewards[0]) if vector.masks[0] else 0.0
            best = max(best, score)
            columns, lines = shutil.get_terminal_size()
            sys.stdout.write(frame(vector.scene(0), columns, lines - 1))
            sys.stdout.write(f"\r\n{name}: score {score:g}, best {best:g}; arrows or w a s d steer, q leaves\x1b[K")
            sys.stdout.flush()


def _typed(seconds: float) -> str:
    """Keys typed during the next `seconds`, in their order; arrows as letters."""
    end, text = time.monotonic() + seconds, ""
    while (left := end - time.monotonic()) > 0:
        if select.select([sys.stdin], [], [], left)[0]:
            text += os.read(sys.stdin.fileno(), 64).decode(errors="ignore")
    for arrow, letter in ARROWS.items():
        text = text.replace(arrow, letter)
    return text


@contextmanager
def _keyboard() -> Iterator[None]:
    """The terminal without echo and line by line editing, on a page of its own; as it was afterwards."""
    before = termios.tcgetattr(sys.stdin)
    sys.stdout.write("\x1b[?1049h\x1b[?25l\x1b[2J")
    try:
        tty.setcbreak(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        sys.stdout.write("\x1b[?25h\x1b[?1049l")
        sys.stdout.flush()


def play_job(folder: Path | None, settings: Sequence[str], config_dir: Path | None) -> None:
    """Plays what is configured, snake without a word, beside the policy of the run in `folder`.

    Raises:
        InputError: a game without keys, or no terminal to play in.
    """
    run = None if folder is None else RunFolder.open(folder)
    if run is not None:
        config = run.config([*settings, "env.envs=1"], config_dir)
    else:
        config = load(["env=snake", *settings, "env.envs=1"], config_dir)
    if config.env.name not in KEYS:
        raise InputError(f"{config.env.name} has no keys: play {', '.join(KEYS)}")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("there is no terminal to play in: start this from one")
    with open_vector(config) as vector:
        policy = trained_policy(run.path, make_policy(config, vector)) if run else None
        play(config.env.name, vector, policy, seed=config.seed)
