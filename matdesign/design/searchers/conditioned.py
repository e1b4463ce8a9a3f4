"""A policy that was told which value to reach: trained for many, it answers a new one at once."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from matdesign.agents.checkpoint import load_checkpoint, save_checkpoint
from matdesign.design.searchers.searcher import Searcher
from matdesign.design.spaces.decorations import Decoration, Decorations, assigned
from matdesign.errors import InputError
from matdesign.properties import Property
from matdesign.sim import Material

HIDDEN = 64  # units of both hidden layers
COSINES = 3  # of the wanted value, beside itself
SAME = 1e-3  # relative difference of spacings and shares that counts as none


@dataclass(frozen=True, kw_only=True)
class Purpose:
    """What a conditioned policy was trained for.

    Attributes:
        material: its name.
        property: its name.
        protocol: fields of the property, as JSON holds them.
        species: that are put on the lattice.
        shares: of the groups that each species has.
        planes: of the training lattice along the three cell vectors.
        spacings: of those planes, in the material's unit.
        sites: in a group: 1.0 where every site is its own.
    """

    material: str
    property: str
    protocol: dict[str, Any]
    species: list[str]
    shares: list[float]
    planes: list[int]
    spacings: list[float]
    sites: float

    @classmethod
    def of(cls, space: Decorations, measured: Property, material: Material) -> Self:
        """Of designs of this space."""
        planes = _planes(space)
        return cls(
            material=material.name,
            property=measured.name,
            protocol={name: list(each) if isinstance(each, tuple) else each for name, each in asdict(measured).items()},
            species=list(space.species),
            shares=(space.counts / space.size).tolist(),
            planes=planes.tolist(),
            spacings=(space.lattice.cell.lengths() / planes).tolist(),
            sites=len(space.lattice) / space.size,
        )

    def check(self, other: "Purpose", path: Path) -> None:
        """Raise InputError where a policy for this cannot serve the other; the size of the cell may differ."""
        for name in ("material", "property", "protocol", "species"):
            trained, wanted = getattr(self, name), getattr(other, name)
            if trained != wanted:
                raise InputError(f"{path} was trained for {name} {trained}, not {wanted}: train a policy for that")
        for name in ("shares", "spacings"):
            trained, wanted = getattr(self, name), getattr(other, name)
            if not np.allclose(trained, wanted, rtol=SAME):
                raise InputError(
                    f"{path} was trained for {name} {np.round(trained, 4).tolist()}, not {np.round(wanted, 4).tolist()}"
                    ": train a policy for that"
                )
        if (self.sites == 1.0) != (other.sites == 1.0):
            raise InputError(f"{path} was trained for {self.sites:g} sites in a group, not {other.sites:g}: train anew")


class ConditionedPolicy:
    """One network, shared by all groups: where the group is and which value is wanted in, logits of the species out.

    Places are given as waves with fixed numbers of periods for each plane, those that fit the training lattice; on a
    lattice of another size the nearest that fit there take their place, so the same weights serve it.

    Attributes:
        purpose: what it is for.
        low: smallest value it was trained for.
        high: largest one; values are taken by their logarithm, so both are positive.
        network: places and wanted value to logits.

    Args:
        purpose: see above.
        low: see above.
        high: see above.
        seed: of the network.
    """

    def __init__(self, purpose: Purpose, *, low: float, high: float, seed: int) -> None:
        self.purpose, self.low, self.high = purpose, low, high
        inputs = 2 * sum(count // 2 for count in purpose.planes) + 1 + COSINES
        self.network = nn.Sequential(
            nn.Linear(inputs, HIDDEN),
            nn.Tanh(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.Tanh(),
            nn.Linear(HIDDEN, len(purpose.species)),
        )
        rng = np.random.default_rng(seed)
        with torch.no_grad():
            for weights in self.network.parameters():
                scale = 1.0 / weights.shape[-1] ** 0.5 if weights.ndim == 2 else 0.0
                weights.copy_(torch.from_numpy(rng.normal(size=weights.shape) * scale))

    def waves(self, space: Decorations) -> Tensor:
        """Cosines and sines of each group's place, float32 [groups, waves]."""
        found = []
        for axis, (trained, there) in enumerate(zip(self.purpose.planes, _planes(space), strict=True)):
            for n in range(1, trained // 2 + 1):
                phase = 2 * np.pi * np.floor(n * there / trained + 0.5) * space.places[:, axis]
                found += [np.cos(phase), np.sin(phase)]
        return torch.from_numpy(np.reshape(found, (-1, space.size)).T.astype(np.float32))

    def logits(self, waves: Tensor, values: NDArray[np.float64]) -> Tensor:
        """Log-probabilities of the species, [values, groups, species]."""
        place = np.log(values / self.low) / np.log(self.high / self.low)
        wanted = np.stack([2 * place - 1, *(np.cos(np.pi * k * place) for k in range(1, COSINES + 1))], axis=1)
        told = torch.from_numpy(wanted.astype(np.float32))[:, None].expand(-1, len(waves), -1)
        return torch.log_softmax(self.network(torch.cat([waves.expand(len(values), -1, -1), told], dim=2)), dim=2)

    def draw(
        self, space: Decorations, values: NDArray[np.float64], count: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Designs for each value, int64 [values, count, groups]."""
        with torch.no_grad():
            logits = self.logits(self.waves(space), values).numpy()
        wishes = logits[:, None] + rng.gumbel(size=(len(values), count, *logits.shape[1:]))
        return assigned(wishes.reshape(-1, *logits.shape[1:]), space.counts).reshape(len(values), count, -1)

    def save(self, path: Path, meta: dict[str, Any]) -> None:
        """Writes a checkpoint, with what else JSON can hold in `meta`."""
        purpose = {**asdict(self.purpose), "low": self.low, "high": self.high}
        save_checkpoint(path, dict(self.network.state_dict()), {**meta, "conditioned": purpose})

    @classmethod
    def load(cls, path: Path, space: Decorations, measured: Property, material: Material) -> Self:
        """The policy of a checkpoint, for this purpose.

        Raises:
            InputError: no such checkpoint, or it was trained for something else.
        """
        tensors, meta = load_checkpoint(path)
        if "conditioned" not in meta:
            raise InputError(f"{path} holds no policy that takes a wanted value: train one, or search without it")
        try:
            stored = dict(meta["conditioned"])
            low, high = float(stored.pop("low")), float(stored.pop("high"))
            purpose = Purpose(**stored)
            purpose.check(Purpose.of(space, measured, material), path)
            policy = cls(purpose, low=low, high=high, seed=0)
            policy.network.load_state_dict(tensors)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"{path} is damaged ({error}): take another checkpoint, or train again") from error
        if not (0.0 < low < high < math.inf and all(tensor.isfinite().all() for tensor in tensors.values())):
            raise InputError(f"{path} holds numbers that are not finite: take another checkpoint, or train again")
        return policy


class ConditionedSearch(Searcher):
    """Designs of a trained policy for one value, one after the other; what was measured teaches it nothing.

    Args:
        space: of the designs, of the training's size or another.
        seed: of the draws.
        policy: that was trained.
        value: wanted.

    Raises:
        InputError: the value is outside of what the policy was trained for.
    """

    name = "conditioned"
    spaces = (Decorations,)

    def __init__(self, space: Decorations, *, seed: int, policy: ConditionedPolicy, value: float) -> None:
        super().__init__(space, seed=seed)
        self.space: Decorations = space
        if not policy.low <= value <= policy.high:
            raise InputError(
                f"target.value={value:g} is outside of what the policy was trained for, {policy.low:.4g} to "
                f"{policy.high:.4g}: choose one inside, or search without agent.checkpoint"
            )
        self._policy, self._value = policy, value

    def ask(self) -> list[Decoration]:
        """One draw."""
        return list(self._policy.draw(self.space, np.array([self._value]), 1, self.rng)[0])

    def tell(self, designs: Sequence[Decoration], scores: Sequence[float]) -> None:
        """Nothing is learned."""


def _planes(space: Decorations) -> NDArray[np.int64]:
    """How many planes of groups there are along each cell vector."""
    return np.array([len(np.unique(np.round(places, 4))) for places in space.places.T])
