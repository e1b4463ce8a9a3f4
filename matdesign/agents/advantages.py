"""How much better each action was than the policy's mean: advantages, and what the value should have been."""

import torch
from torch import Tensor

from matdesign.agents.accumulation import accumulate


def advantages_and_targets(
    rewards: Tensor,
    values: Tensor,
    terminals: Tensor,
    masks: Tensor,
    *,
    gamma: float,
    gae_lambda: float,
    ratios: Tensor | None = None,
    clip_rho: float = 1.0,
    clip_c: float = 1.0,
) -> tuple[Tensor, Tensor]:
    r"""Generalised advantage estimates, corrected for a policy that is no longer the one that acted.

    Without ratios (all 1) these are Schulman et al. 2015 (arXiv:1506.02438, eq. 16). With them the value targets are
    those of V-trace (Espeholt et al. 2018, arXiv:1802.01561, eq. 1) with a decay of lambda:

        delta_t = r_t + gamma V_{t+1} - V_t
        target_t - V_t = min(clip_rho, rho_t) delta_t + gamma lambda min(clip_c, rho_t) (target_{t+1} - V_{t+1})
        A_t = delta_t + gamma lambda (target_{t+1} - V_{t+1})

    The ratio of an action itself is left out of its advantage: the surrogate loss multiplies by it.

    A terminated step is not bootstrapped. A truncated one is, like any other, by the value of the next row: with
    next-step autoreset that is the final observation of the episode. The step after it is the reset, and its mask of 0
    keeps the next episode's rewards out of this one, so truncations need not be known here.

    Args:
        rewards: [steps, rows] float.
        values: [steps + 1, rows] float, of the observation before each step and of the one after the last step.
        terminals: [steps, rows] bool.
        masks: [steps, rows] bool, 0 where no live agent acts; the last act of an agent that dies is its terminal.
        gamma: discount.
        gae_lambda: decay of the estimator.
        ratios: [steps, rows] probability of each action now over that when it was taken.
        clip_rho: largest ratio that weighs a step's own temporal difference.
        clip_c: largest ratio that weighs what follows.

    Returns:
        Advantages and targets [steps, rows]; where the mask is 0, they are 0 and the value.
    """
    deltas = (rewards + gamma * values[1:] * ~terminals - values[:-1]) * masks
    decay = gamma * gae_lambda * masks.to(rewards.dtype)
    nothing = torch.zeros_like(rewards[0])  # follows the last step
    if ratios is None:
        advantages = accumulate(deltas, decay, nothing, backwards=True)
        return advantages, advantages + values[:-1]
    rho, c = ratios.clamp(max=clip_rho), ratios.clamp(max=clip_c)
    corrections = accumulate(rho * deltas, c * decay, nothing, backwards=True)  # target - value
    following = torch.cat([corrections[1:], nothing.unsqueeze(0)])
    return deltas + decay * following, corrections + values[:-1]
