"""Which transitions of a rollout a gradient step is made of."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor


def shuffled(items: Tensor, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Every item once, in random order, in equal parts of at most `size`; nothing where there are none."""
    if len(items):
        permutation = torch.randperm(len(items), generator=generator).to(items.device)
        yield from items[permutation].tensor_split(math.ceil(len(items) / size))


def prioritised(
    advantages: Tensor, count: int, *, alpha: float, beta: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draws trajectories, those with large advantages more often (Schaul et al. 2016, arXiv:1511.05952, eq. 1).

    The probability of a row is proportional to p^alpha, where p is the sum of the sizes of its advantages.

    Args:
        advantages: [steps, rows], 0 where nobody acts.
        count: rows to draw, with replacement.
        alpha: 0: all rows alike, 1: in proportion.
        beta: how far the weights make up for it, 0 not at all to 1 in full.
        generator: on the CPU.

    Returns:
        Rows [count] int64, and their weights [count] in the loss: (rows * probability)^-beta.
    """
    sizes = advantages.abs().sum(0).double().pow(alpha).cpu() + 1e-9
    chances = sizes / sizes.sum()
    rows = torch.multinomial(chances, count, replacement=True, generator=generator)
    weights = (len(chances) * chances[rows]).pow(-beta)
    return rows.to(advantages.device), weights.to(advantages)
