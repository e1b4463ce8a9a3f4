"""Training of a policy for many values of a property at once, inside a model learned from what it proposes."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from matdesign.design.objective import Objective
from matdesign.design.searchers.conditioned import ConditionedPolicy, Purpose
from matdesign.design.searchers.fields import EPOCHS, Fields, clipped
from matdesign.design.searchers.surrogate import Surrogate
from matdesign.design.spaces.decorations import Decoration, Decorations
from matdesign.errors import InputError
from matdesign.properties import Cache, Property
from matdesign.rewards.target import Target
from matdesign.sim import Material

WIDER = 0.05  # share of the range of logarithms by which values beyond it are asked for at either end
ENTROPY = 0.01  # weight of the policy's entropy in the loss


def train_conditioned(
    space: Decorations,
    measured: Property,
    material: Material,
    *,
    seed: int,
    first: int = 96,
    rounds: int = 18,
    batch: int = 16,
    updates: int = 24,
    values: int = 16,
    draws: int = 32,
    learning_rate: float = 3e-3,
    library: str | None = None,
    cache: Cache | None = None,
    show: Callable[[int, Objective], None] | None = None,
) -> tuple[ConditionedPolicy, Objective]:
    """A policy for all values between the lowest and the highest that were met.

    First designs of untrained policies are measured, then, round after round, those that the policy draws for values
    spread over the range. A Gaussian process learns the logarithm of the property from all of them, and the policy
    learns by PPO in it: for each of many values some designs are drawn, and the reward is minus the distance of the
    model's logarithm from that of the value.

    Args:
        space: of the designs.
        measured: the property; its values are positive.
        material: how the atoms interact.
        seed: of everything random.
        first: designs measured before the first round.
        rounds: see above.
        batch: designs measured in each.
        updates: of the policy in each.
        values: in an update.
        draws: designs for each of them.
        learning_rate: of Adam.
        library: path of a liblammps.so.
        cache: of samples; default: in memory.
        show: called after each round.

    Returns:
        the policy, and the objective that holds all structures measured for it, with their cost.

    Raises:
        InputError: a value of the property is not positive.
    """
    rng = np.random.default_rng(seed)
    target = Target(property=measured, goal="minimise")
    objective = Objective(space, target, material, seed=seed, cache=cache, library=library)
    untrained = Fields(space, rng, count=1, learning_rate=learning_rate, entropy=0.0).untrained(first - first // 4)
    model = _Logarithms(objective, untrained + [space.random(rng) for _ in range(first // 4)])
    policy = ConditionedPolicy(Purpose.of(space, measured, material), low=model.low, high=model.high, seed=seed)
    optimizer = torch.optim.Adam(policy.network.parameters(), lr=learning_rate)
    waves = policy.waves(space)
    for i in range(rounds):
        policy.low, policy.high = model.low, model.high
        wider = (policy.high / policy.low) ** WIDER
        for _ in range(updates):
            wanted = np.exp(rng.uniform(np.log(policy.low / wider), np.log(policy.high * wider), values))
            drawn = policy.draw(space, wanted, draws, rng)
            found = model.predict(list(drawn.reshape(-1, space.size))).reshape(values, draws)
            _update(policy, optimizer, waves, wanted, drawn, -np.abs(found - np.log(wanted)[:, None]))
        wanted = np.geomspace(policy.low, policy.high, batch)
        model = _Logarithms(objective, list(policy.draw(space, wanted, 1, rng)[:, 0]))
        if show is not None:
            show(i, objective)
    return policy, objective


class _Logarithms:
    """A model of the property's logarithm, from all that an objective has measured, some more designs included.

    Attributes:
        low: smallest value measured.
        high: largest one.
    """

    def __init__(self, objective: Objective, designs: list[Decoration]) -> None:
        for design in designs:
            value = objective(design).score
            if not value > 0.0:
                raise InputError(f"the property is {value:g} for one design: only positive values can be asked for")
        entries = [entry for entry in objective.entries if np.isfinite(entry.score)]
        values = np.array([entry.score for entry in entries])
        self.low, self.high = float(values.min()), float(values.max())
        self._mean = float(np.log(values).mean())  # with both signs, the model takes them as they are
        self._model = Surrogate(objective.space, most=len(values))
        self._model.add([entry.design for entry in entries], (np.log(values) - self._mean).tolist())

    def predict(self, designs: list[Decoration]) -> NDArray[np.float64]:
        """Expected logarithms."""
        return self._model.predict(designs)[0] + self._mean


def _update(
    policy: ConditionedPolicy,
    optimizer: torch.optim.Optimizer,
    waves: torch.Tensor,
    wanted: NDArray[np.float64],
    drawn: NDArray[np.int64],
    gains: NDArray[np.float64],
) -> None:
    """One of PPO's; the advantage of a design is over the others that were drawn for the same value."""
    spread = gains.std(axis=1, keepdims=True) + 1e-3
    advantages = torch.from_numpy((gains - gains.mean(axis=1, keepdims=True)) / spread).float()[:, None]
    chosen = torch.from_numpy(drawn).transpose(1, 2)
    with torch.no_grad():
        before = policy.logits(waves, wanted).gather(2, chosen)
    for _ in range(EPOCHS):
        logits = policy.logits(waves, wanted)
        loss = clipped(logits.gather(2, chosen) - before, advantages).mean()
        loss = loss + ENTROPY * (logits.exp() * logits).sum(dim=2).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
