"""A policy whose observations are records of several types, as third-party environments give them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Unpack

import numpy as np
import torch
from torch import Tensor

from matdesign.agents.policies import Layers, MLPPolicy
from matdesign.errors import InputError

if TYPE_CHECKING:
    from matdesign.vector.spaces import Layout

MOST_CHOICES = 4096


class RecordPolicy(MLPPolicy):
    """`MLPPolicy` on the numbers in a record: measures as float32, choices as one column for each (one-hot).

    Args:
        layout: of a row of observations.
        action_dims: as for `MLPPolicy`.
        choices: as for `MLPPolicy`.
        log_sigma: as for `MLPPolicy`.
        seed: as for `MLPPolicy`.
        layers: as for `Policy`.

    Raises:
        InputError: something observed is one of more than 4096 choices.
    """

    def __init__(
        self,
        layout: "Layout",
        action_dims: int,
        choices: int | Sequence[int],
        *,
        log_sigma: float = -0.5,
        seed: int = 0,
        **layers: Unpack[Layers],
    ) -> None:
        self._sizes = [(leaf.high - leaf.low + 1).ravel() if leaf.counted else None for leaf in layout.leaves]
        features = 0
        for leaf, sizes in zip(layout.leaves, self._sizes, strict=True):
            if sizes is not None and sizes.max() > MOST_CHOICES:
                raise InputError(f"observation{leaf.name} is one of {sizes.max()}: no network here takes that, wrap it")
            features += leaf.size if sizes is None else int(sizes.sum())
        super().__init__(features, action_dims, choices, log_sigma=log_sigma, seed=seed, **layers)
        self._layout = layout

    def encode(self, observations: Tensor) -> Tensor:
        """Records [n, bytes] uint8 -> numbers [n, features] float32, and a summary."""
        columns = []
        views = self._layout.views(observations.cpu().numpy())
        for leaf, sizes, view in zip(self._layout.leaves, self._sizes, views, strict=True):
            flat = view.reshape(len(view), -1)
            if sizes is None:
                columns.append(flat.astype(np.float32))
                continue
            for column, low, size in zip(flat.T, leaf.low.ravel(), sizes, strict=True):
                columns.append((column[:, None] - low == np.arange(size)).astype(np.float32))
        return super().encode(torch.from_numpy(np.concatenate(columns, axis=1)).to(observations.device))
