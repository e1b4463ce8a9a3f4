"""The training loop: iterate, report, checkpoint, until the budget is spent or somebody asks to stop."""

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

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


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How the policy is examined while it learns; that must not touch what it learns from.

    Attributes:
        examine: returns named figures of the policy as it is, and the agent-steps that they took.
        score: name of the figure that decides which checkpoint is the best.
        episodes: flown each time.
        share: agent-steps of all evaluations, as a share of those of training, at most.
    """

    examine: Callable[[], tuple[Mapping[str, float], int]]
    score: str
    episodes: int
    share: float


@dataclass
class Progress:
    """Where a run stands; the part of a checkpoint that belongs to the loop.

    Attributes:
        iterations: iterations done.
        seconds: wall-clock seconds spent, over all resumes.
        episodes: training episodes that ended.
        scores: mean episode scores of the last iterations that ended episodes.
        best: highest score of an evaluation or, before the first one, highest mean of a full window of scores.
        evaluated: agent-steps of all evaluations.
        last_evaluated: agent-steps of the last one.
    """

    iterations: int = 0
    seconds: float = 0.0
    episodes: float = 0.0
    scores: deque[float] = field(default_factory=lambda: deque(maxlen=SCORE_WINDOW))
    best: float = -math.inf
    evaluated: int = 0
    last_evaluated: int = 0

    def note_training(self, figures: Mapping[str, float]) -> bool:
        """Takes in one iteration's figures; True if the mean score has never been higher and nothing else decides."""
        self.iterations += 1
        self.episodes += figures.get("env/episodes", 0.0)
        if SCORE not in figures:
            return False
        self.scores.append(figures[SCORE])
        mean = sum(self.scores) / len(self.scores)
        if self.evaluated or len(self.scores) < SCORE_WINDOW or mean <= self.best:
            return False
        self.best = mean
        return True

    def due(self, evaluation: Evaluation, agent_steps: int) -> bool:
        """Whether an evaluation at `agent_steps` of training keeps within its share.

        It costs what the last one did; the first one as many of the episodes seen in training.
        """
        if not self.episodes:
            return False
        cost = self.last_evaluated or evaluation.episodes * agent_steps / self.episodes
        return self.evaluated + cost <= evaluation.share * agent_steps

    def note_evaluation(self, score: float, agent_steps: int) -> bool:
        """Takes in an evaluation that took `agent_steps`; True if its score is the highest of all evaluations."""
        if not self.evaluated:
            self.best = -math.inf  # those of training were other scores
        self.evaluated += agent_steps
        self.last_evaluated = agent_steps
        if not score > self.best:
            return False
        self.best = score
        return True

    def state(self) -> dict[str, Any]:
        """As JSON values; no infinity, which JSON lacks."""
        best = self.best if math.isfinite(self.best) else None
        return asdict(self) | {"scores": list(self.scores), "best": best}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Self:
        """What `state` returned; KeyError, TypeError or ValueError if it is something else."""
        best = -math.inf if state["best"] is None else float(state["best"])
        return cls(
            iterations=int(state["iterations"]),
            seconds=float(state["seconds"]),
            episodes=float(state["episodes"]),
            scores=deque(map(float, state["scores"]), SCORE_WINDOW),
            best=best,
            evaluated=int(state["evaluated"]),
            last_evaluated=int(state["last_evaluated"]),
        )


def last_checkpoint(folder: Path) -> Path:
    """Where a run folder keeps its newest state."""
    return folder / "checkpoints" / "last.safetensors"


def best_checkpoint(folder: Path) -> Path:
    """Where a run folder keeps the state with the highest score; `Progress.best` says which score."""
    return folder / "checkpoints" / "best.safetensors"


def load_trainer(trainer: Trainer, path: Path) -> Progress:
    """Puts the state of a checkpoint into `trainer`; returns the training loop's own part of it.

    Raises:
        InputError: if the checkpoint is missing, damaged or for another policy.
    """
    tensors, meta = load_checkpoint(path)
    try:
        trainer.load_state(tensors, meta["trainer"])
        return Progress.of(meta["progress"])
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
    evaluation: Evaluation | None = None,
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
        evaluation: how the policy is examined in between, and at the end if it ever was; None: it is not, and the best
            checkpoint is that of the highest mean score in training.
        show: called with every iteration's figures, among them "iteration", "agent_steps" and "seconds".

    Raises:
        Interrupted: a signal or an EXIT file in `folder` asked to stop; the state is on disk.
        InputError: if the last checkpoint cannot be used.
    """
    progress = Progress()
    if last_checkpoint(folder).exists():
        progress = load_trainer(trainer, last_checkpoint(folder))

    def save(path: Path) -> None:
        tensors, meta = trainer.state()
        save_checkpoint(path, tensors, {"trainer": meta, "progress": progress.state()})

    started = time.monotonic() - progress.seconds
    saved = time.monotonic()

    def spent() -> bool:
        over_time = time_limit is not None and time.monotonic() - started >= time_limit
        return over_time or trainer.agent_steps >= total_agent_steps

    with (
        SoftExit(folder / "EXIT") as stop,
        Metrics(folder, iteration=progress.iterations, agent_steps=trainer.agent_steps) as metrics,
    ):
        while not spent() and not stop.requested:
            figures = trainer.iterate()
            best = progress.note_training(figures)
            if evaluation is not None and (
                progress.due(evaluation, trainer.agent_steps) or (progress.evaluated and spent())
            ):
                begun = time.perf_counter()
                found, agent_steps = evaluation.examine()
                best = progress.note_evaluation(found.get(evaluation.score, -math.inf), agent_steps)
                figures = {**figures, **found, "time/evaluation": time.perf_counter() - begun}
            progress.seconds = time.monotonic() - started
            row = {
                "iteration": progress.iterations,
                "agent_steps": trainer.agent_steps,
                "seconds": progress.seconds,
                **figures,
            }
            metrics.write(row)
            show(row)
            if best:
                save(best_checkpoint(folder))
            if time.monotonic() - saved >= checkpoint_every:
                save(last_checkpoint(folder))
                saved = time.monotonic()
        save(last_checkpoint(folder))
        if stop.requested:
            raise Interrupted(f"training stopped by {stop.requested} at {trainer.agent_steps} agent-steps", stop.signum)
