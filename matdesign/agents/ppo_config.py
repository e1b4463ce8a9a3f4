"""Hyperparameters of PPO, apart from it: a configuration is read without loading torch."""

import math
from dataclasses import dataclass, fields
from typing import Literal

from matdesign.errors import InputError


@dataclass(frozen=True, kw_only=True)
class PPOConfig:
    """Hyperparameters. A transition is one agent's step; those with mask 0 count nowhere.

    Attributes:
        total_agent_steps: transitions over which schedules run; the trainer stops there.
        horizon: steps of every environment in one rollout.
        gamma: discount for each step.
        gae_lambda: decay of generalised advantage estimation for each step; 1: Monte Carlo, 0: one-step.
        clip: the probability ratio has no gradient further than this from 1 in the direction of improvement.
        epochs: passes over a rollout, at most.
        minibatch: transitions in one gradient step, at most; a rollout is cut into equal parts.
        microbatch: transitions computed at once; the gradients of a minibatch are summed. Smaller ones stay in the
            processor's cache, and in the GPU's memory.
        learning_rate: of Adam (or Muon), at the start; size of a parameter's change in a step.
        learning_rate_schedule: constant, or to 0 at total_agent_steps: linear, cosine.
        optimizer: adam, or muon for hidden matrices and AdamW for the rest.
        weight_decay: share of each parameter taken off in a step, over the learning rate.
        max_kl: stop learning from a rollout once its policy is further than this from the one that acted, in nats.
        gradient_clip: largest Euclidean norm of the gradient of all parameters.
        value_coefficient: weight of half the squared error of the value in the loss.
        value_clip: the value has no gradient further than this from what it was, in its own units; 0: no limit.
        entropy_coefficient: weight of the entropy, in nats, subtracted from the loss.
        entropy_schedule: of that weight, as for the learning rate.
        normalise_returns: divide rewards by the running standard deviation of the discounted return.
        normalise_values: the network gives values over the running standard deviation of their targets, from their
            mean.
        vtrace: correct advantages for what the policy has changed since it acted, before every gradient step.
        vtrace_clip_rho: largest probability ratio that weighs a step's own temporal difference.
        vtrace_clip_c: largest probability ratio that weighs what follows.
        priority: draw trajectories with large advantages more often, in proportion to the advantage to this power; 0:
            every transition once an epoch.
        priority_correction: how far weights make up for it at the start, 0 not at all to 1; 1 at total_agent_steps.
        common_noise: share of the exploration noise's variance that all agents of an environment have in common for a
            whole episode (continuous actions). Where one reward at the end is all there is, noise of each agent and
            step averages out, and what all do alike shows. Likelihood ratios are those of each agent and step alone.
        normaliser_iterations: iterations after which the statistics of observations, returns and values are frozen; 0:
            never gathered.
    """

    total_agent_steps: int = 1_000_000
    horizon: int = 32
    gamma: float = 0.98
    gae_lambda: float = 0.95
    clip: float = 0.2
    epochs: int = 4
    minibatch: int = 4096
    microbatch: int = 4096
    learning_rate: float = 7e-4
    learning_rate_schedule: Literal["constant", "linear", "cosine"] = "linear"
    optimizer: Literal["adam", "muon"] = "adam"
    weight_decay: float = 0.0
    max_kl: float = 0.03
    gradient_clip: float = 0.5
    value_coefficient: float = 0.5
    value_clip: float = 0.0
    entropy_coefficient: float = 0.0
    entropy_schedule: Literal["constant", "linear", "cosine"] = "constant"
    normalise_returns: bool = True
    normalise_values: bool = False
    vtrace: bool = False
    vtrace_clip_rho: float = 1.0
    vtrace_clip_c: float = 1.0
    priority: float = 0.0
    priority_correction: float = 0.4
    common_noise: float = 0.0
    normaliser_iterations: int = 20

    def __post_init__(self) -> None:
        """Refuses values outside their range with InputError."""
        at_most_one = ("gamma", "gae_lambda", "common_noise", "priority", "priority_correction")
        may_be_zero = (
            *at_most_one,
            *("value_coefficient", "value_clip", "entropy_coefficient", "weight_decay"),
            "normaliser_iterations",
        )
        for name in (field.name for field in fields(self)):
            value, high = getattr(self, name), 1.0 if name in at_most_one else math.inf
            if isinstance(value, bool | str) or (0 < value <= high) or (value == 0 and name in may_be_zero):
                continue
            low = "at least 0" if name in may_be_zero else "greater than 0"
            raise InputError(f"PPO: {name} = {value} must be {low}" + (" and at most 1." if high == 1.0 else "."))
