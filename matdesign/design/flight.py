"""Flying a trained policy: episodes on fresh starts, and what they ended in."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from matdesign.agents.actor import Actor
from matdesign.agents.policies import Policy
from matdesign.envs.atoms import AtomsResult, atoms_result
from matdesign.vector import Batch, Vector


@dataclass(frozen=True, kw_only=True)
class Flight:
    """Episodes flown, in the order in which they ended.

    Attributes:
        names: of the figures that the environment logs.
        rounds: how many episodes its environment had behind it when each one began, [n] int.
        weights: how many ended in that environment at once (those of several agents may), [n] float.
        values: its figures, [n, names] float.
        results: one for each episode, where the environment is made of atoms.
        agent_steps: transitions of live agents.
    """

    names: tuple[str, ...]
    rounds: NDArray[np.int64]
    weights: NDArray[np.float64]
    values: NDArray[np.float64]
    results: list[AtomsResult]
    agent_steps: int

    @property
    def figures(self) -> dict[str, float]:
        """Means over all episodes, with their number as "episodes"."""
        return self.first(int(self.rounds.max()) + 1)

    def first(self, rounds: int) -> dict[str, float]:
        """The same over the first `rounds` episodes of each environment: to the bit those of a flight of no more."""
        counted = self.rounds < rounds
        weights, values = self.weights[counted], self.values[counted]
        means = (weights[:, None] * values).sum(axis=0) / weights.sum()
        return {**dict(zip(self.names, means.tolist(), strict=True)), "episodes": float(weights.sum())}

    @property
    def spread(self) -> dict[str, float]:
        """Standard deviations over all episodes."""
        share = self.weights[:, None] / self.weights.sum()
        mean = (share * self.values).sum(axis=0)
        deviations = np.sqrt((share * (self.values - mean) ** 2).sum(axis=0))
        return dict(zip(self.names, deviations.tolist(), strict=True))


def fly(
    vector: Batch,
    policy: Policy,
    *,
    episodes: int,
    seed: int,
    deterministic: bool,
    show: Callable[[int], None] | None = None,
) -> Flight:
    """Lets `policy` fly at least `episodes` episodes, the same number in every environment.

    Where agents end on their own, such as snakes, an environment is done when each of them has ended as often, and all
    episodes in between count: the first to end alone would be the short-lived ones.

    Args:
        vector: environments; reset with `seed`.
        policy: on the CPU.
        episodes: rounded up to a multiple of vector.envs.
        seed: of the starts, and of the sampled actions.
        deterministic: the mean (or most probable) action instead of a sampled one.
        show: called with the number of episodes ended so far.
    """
    act = Actor(policy, None if deterministic else torch.Generator().manual_seed(seed))
    each = math.ceil(episodes / vector.envs)
    ended = np.zeros((vector.envs, vector.agents), int)
    names = vector.environment.log_names
    rounds: list[int] = []
    logs: list[dict[str, float]] = []
    results: list[AtomsResult] = []
    agent_steps = 0
    vector.reset(seed)
    arrays = (vector.observations, vector.masks, vector.actions)
    observations, masks, actions = (torch.from_numpy(array) for array in arrays)
    while ended.min() < each:
        actions.copy_(act(observations, masks))
        vector.step()
        agent_steps += int(vector.masks.sum())
        over = (vector.terminals | vector.truncations).reshape(ended.shape)
        for index in map(int, np.flatnonzero(over.any(axis=1))):
            log = vector.log(index)
            before = int(ended[index].min())
            # Every environment counts equally often: short episodes would crowd out long ones. One that was lost with
            # its worker has no figures.
            if before >= each or not log["episodes"]:
                continue
            rounds.append(before)
            logs.append(log)
            if isinstance(vector, Vector) and vector.environment.built_in and vector.environment.name == "atoms":
                results.append(atoms_result(vector, index))
            ended[index] += over[index]
        if show is not None and over.any():
            show(int(ended.min(axis=1).sum()))
    return Flight(
        names=tuple(names),
        rounds=np.array(rounds),
        weights=np.array([log["episodes"] for log in logs]),
        values=np.array([[log[name] for name in names] for log in logs]),
        results=results,
        agent_steps=agent_steps,
    )


@dataclass(frozen=True, kw_only=True)
class SearchFigures:
    """What a search for the ground state costs, from independent episodes.

    Attributes:
        episodes: how many there were.
        success: fraction that ended within tolerance of the reference, with its standard error.
        evaluations: mean force evaluations of an episode, with its standard error.
        cost: force evaluations for each success, with its standard error (first order); infinite without a success.
        best: lowest energy, in energy scales.
        failed: episodes ended by a failed simulation.
    """

    episodes: int
    success: tuple[float, float]
    evaluations: tuple[float, float]
    cost: tuple[float, float]
    best: float
    failed: int


def search_figures(
    results: Sequence[AtomsResult], *, energy_scale: float, reference: float | None, tolerance: float
) -> SearchFigures:
    """Success rate and cost of these episodes; `reference` and `tolerance` in energy scales.

    Without a reference an episode succeeds if it reaches the lowest energy of them all.
    """
    energies = np.array([np.inf if result.failed else result.energy for result in results]) / energy_scale
    spent = np.array([result.evaluations for result in results], float)
    reached = energies < (energies.min() if reference is None else reference) + tolerance
    n, p, mean = len(results), float(reached.mean()), float(spent.mean())
    p_error, mean_error = math.sqrt(p * (1.0 - p) / n), float(spent.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan
    cost = mean / p if p else math.inf
    cost_error = cost * math.hypot(mean_error / mean, p_error / p) if p else math.nan
    return SearchFigures(
        episodes=n,
        success=(p, p_error),
        evaluations=(mean, mean_error),
        cost=(cost, cost_error),
        best=float(energies.min()),
        failed=sum(result.failed for result in results),
    )
