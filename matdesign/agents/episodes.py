"""Episodes in their middle, between two rollouts: what a checkpoint holds of them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from matdesign.vector import Batch

ENVIRONMENTS, AGENTS = "environments.", "episodes."  # beginnings of names


class Episodes:
    """The episodes of a batch of environments, and what agents and learner know of them.

    Args:
        vector: environments.
        agents: what goes on with the episodes beside them, by name; written in place.
    """

    def __init__(self, vector: "Batch", agents: Mapping[str, Tensor]) -> None:
        self._vector = vector
        self._agents = {AGENTS + name: tensor for name, tensor in agents.items()}
        self._environments: dict[str, Tensor] = {}
        self._interrupted = 0  # environments whose episodes did not go on, and of which `log` has not told

    def restart(self, seed: int) -> None:
        """Begins other ones; what agents know is the caller's to forget."""
        self._vector.reset(seed)
        self.keep()

    def keep(self) -> None:
        """Keeps the state of the environments.

        To be called after every rollout, and not only for a checkpoint: simulations go on from a saved state with
        another rounding, and how a run goes on shall not depend on when its checkpoints are written.
        """
        self._environments = {
            ENVIRONMENTS + name: torch.from_numpy(array) for name, array in self._vector.state().items()
        }

    def log(self) -> dict[str, float]:
        """The log of the environments; "interrupted" counts those whose episodes could not go on too."""
        log = self._vector.log()
        if self._interrupted:
            log["interrupted"] = log.get("interrupted", 0.0) + self._interrupted
            self._interrupted = 0
        return log

    def tensors(self) -> dict[str, Tensor]:
        """All that episodes go on from, by name; not copies. Empty where the environments cannot be saved."""
        return {**self._agents, **self._environments} if self._environments else {}

    def expected(self, names: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Of `tensors` those that a checkpoint with these names must have, with the same shapes."""
        return self._agents if any(name.startswith(ENVIRONMENTS) for name in names) else {}

    def load(self, tensors: Mapping[str, Tensor]) -> bool:
        """Goes on from the environments among `tensors`, or says that there are none.

        Raises:
            InputError: they are damaged, or of another kind; the environments must be reset then.
        """
        found = {name: tensor for name, tensor in tensors.items() if name.startswith(ENVIRONMENTS)}
        if not found:
            self._interrupted = len(self._vector.rewards) // self._vector.agents
            return False
        self._vector.load_state({name.removeprefix(ENVIRONMENTS): found[name].numpy() for name in found})
        self._environments = found
        return True
