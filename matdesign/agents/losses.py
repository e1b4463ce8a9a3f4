"""What PPO descends."""

from dataclasses import dataclass

import torch
from torch import Tensor

from matdesign.agents.distributions import Distribution
from matdesign.agents.ppo_config import PPOConfig

FIGURES = ("policy", "value", "entropy", "clip_fraction", "kl")


@dataclass(frozen=True)
class Transitions:
    """Some transitions of a rollout, n of them.

    Attributes:
        taken: actions [n, action_dims].
        log_probs: [n] of them when they were taken.
        advantages: [n], normalised.
        values: [n] as estimated when they were taken.
        targets: [n] what the values should be.
        weights: [n] in the loss, 0 of those that are none; None: all 1.
    """

    taken: Tensor
    log_probs: Tensor
    advantages: Tensor
    values: Tensor
    targets: Tensor
    weights: Tensor | None


def loss_terms(
    batch: Transitions, distribution: Distribution, values: Tensor, config: PPOConfig
) -> tuple[Tensor, Tensor]:
    """Sums over transitions of the terms of the loss (Schulman et al. 2017, arXiv:1707.06347, eq. 7 and 9).

    Args:
        batch: n transitions.
        distribution: of the actions now, n rows.
        values: [n] now.
        config: clip and value_clip.

    Returns:
        Sums [5] in the order of FIGURES: surrogate, half the squared error of the value, entropy, fraction of clipped
        ratios, KL divergence; and the ratios [n] of probabilities, without gradient.
    """
    log_probs, entropy = distribution.evaluate(batch.taken)
    log_ratio = log_probs - batch.log_probs
    if batch.weights is not None:  # whatever the dead see: an infinite ratio times 0 would be no number
        log_ratio = log_ratio.masked_fill(batch.weights == 0, 0.0)
    ratio = log_ratio.exp()
    clipped = ratio.clamp(1.0 - config.clip, 1.0 + config.clip)
    surrogate = -torch.min(ratio * batch.advantages, clipped * batch.advantages)
    error = (values - batch.targets).square()
    if config.value_clip:
        near = batch.values + (values - batch.values).clamp(-config.value_clip, config.value_clip)
        error = torch.max(error, (near - batch.targets).square())
    now = ratio.detach()
    # The estimator of the KL divergence that is never negative (Schulman, "Approximating KL divergence", 2020).
    terms = torch.stack(
        [surrogate, 0.5 * error, entropy, (now != clipped.detach()).float(), now - 1.0 - log_ratio.detach()]
    )
    if batch.weights is not None:
        terms = terms * batch.weights
    return terms.sum(1), now
