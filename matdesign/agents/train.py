"""The training loop: iterate, report, checkpoint, until the budget is spent or somebody asks to stop."""

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from matdesign.agents.checkpoint import load_checkpoint, save_checkpoint
from matdesign.agents.metrics import Metrics
from matdesign.agents.softexit import Interrupted, SoftExit
from matdesign.errors import InputError

SCORE = "env/score"
SCORE_WINDOW = 10  # iterations whose mean score decides which checkpoint is the best


class Trainer(Protocol):
    """What the loop needs of a learner; `matdesign.agents.ppo.PPO` is one."""

    @property
    def agent_steps(self) -> int:
        """Transitions of live agents seen so far."""

    def iterate(self) -> dict[str, float]:
        """One rollout and one learning phase; returns named figures, seconds under "time/"."""

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Everything needed to go on later: tensors, and the rest as JSON values."""

    def load_state(self, tensors: dict[str, torch.Tensor], meta: dict[str, Any]) -> None:
        """Takes over what `state` returned."""


@dataclass
class Progress:
    """Where a run stands; the part of a checkpoint that belongs to the loop.

    Attributes:
        iterations: iterations done.
        seconds: wall-clock seconds spent, over all resumes.
        scores: mean episode scores of the last iterations that ended episodes.
        best: highest mean of a full window of scores.
    """

    iterations: int
    seconds: float
    scores: deque[float]
    best: float

    def note_score(self, figures: Mapping[str, float]) -> bool:
        """Takes in one iteration's figures; True if the mean score has never been higher."""
        if SCORE not in figures:
            return False
        self.scores.append(figures[SCORE])
        mean = sum(self.scores) / len(self.scores)
        if len(self.scores) < SCORE_WINDOW or mean <= self.best:
            return False
        self.best = mean
        return True

    def state(self) -> dict[str, Any]:
        """As JSON values; no infinity, which JSON lacks."""
        best = self.best if math.isfinite(self.best) else None
        return {"iterations": self.iterations, "seconds": self.seconds, "scores": list(self.scores), "best": best}


def last_checkpoint(folder: Path) -> Path:
    """Where a run folder keeps its newest state."""
    return folder / "checkpoints" / "last.safetensors"


def best_checkpoint(folder: Path) -> Path:
    """Where a run folder keeps the state with the highest mean score over SCORE_WINDOW iterations."""
    return folder / "checkpoints" / "best.safetensors"


def load_trainer(trainer: Trainer, path: Path) -> Progress:
    """Puts the state of a checkpoint into `trainer`; returns the training loop's own part of it.

    Raises:
        InputError: if the checkpoint is missing, damaged or for another policy.
    """
    tensors, meta = load_checkpoint(path)
    try:
        trainer.load_state(tensors, meta["trainer"])
        stored = meta["progress"]
        scores = deque(map(float, stored["scores"]), SCORE_WINDOW)
        best = -math.inf if stored["best"] is None else float(stored["best"])
        return Progress(int(stored["iterations"]), float(stored["seconds"]), scores, best)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{path} is damaged ({error!r}): take another checkpoint of the run, or train again"
        ) from error


def train(
    trainer: Trainer,
    folder: Path,
    *,
    total_agent_steps: int,
    time_limit: float | None = None,
    checkpoint_every: float = 60.0,
    show: Callable[[Mapping[str, float]], None],
) -> None:
    """Trains until `total_agent_steps` or `time_limit`; goes on from `folder`'s last checkpoint if it has one.

    Writes metrics.csv, tensorboard/, checkpoints/last.safetensors and checkpoints/best.safetensors into `folder`.

    Args:
        trainer: the learner.
        folder: an existing folder.
        total_agent_steps: transitions of live agents, earlier ones of this run included.
        time_limit: wall-clock seconds, earlier ones of this run included; None for no limit.
        checkpoint_every: seconds between two checkpoints.
        show: called with every iteration's figures, among them "iteration", "agent_steps" and "seconds".

    Raises:
        Interrupted: a signal or an EXIT file in `folder` asked to stop; the state is on disk.
        InputError: if the last checkpoint cannot be used.
    """
    progress = Progress(0, 0.0, deque(maxlen=SCORE_WINDOW), -math.inf)
    if last_checkpoint(folder).exists():
        progress = load_trainer(trainer, last_checkpoint(folder))

    def save(path: Path) -> None:
        tensors, meta = trainer.state()
        save_checkpoint(path, tensors, {"trainer": meta, "progress": progress.state()})

    started = time.monotonic() - progress.seconds
    saved = time.monotonic()
    with (
        SoftExit(folder / "EXIT") as stop,
        Metrics(folder, iteration=progress.iterations, agent_steps=trainer.agent_steps) as metrics,
    ):
        while trainer.agent_steps < total_agent_steps and not stop.requested:
            if time_limit is not None and time.monotonic() - started >= time_limit:
                break
            figures = trainer.iterate()
            progress.iterations += 1
            progress.seconds = time.monotonic() - started
            row = {
                "iteration": progress.iterations,
                "agent_steps": trainer.agent_steps,
                "seconds": progress.seconds,
                **figures,
            }
            metrics.write(row)
            show(row)
            if progress.note_score(figures):
                save(best_checkpoint(folder))
            if time.monotonic() - saved >= checkpoint_every:
                save(last_checkpoint(folder))
                saved = time.monotonic()
        save(last_checkpoint(folder))
        if stop.requested:
            raise Interrupted(f"training stopped by {stop.requested} at {trainer.agent_steps} agent-steps", stop.signum)
