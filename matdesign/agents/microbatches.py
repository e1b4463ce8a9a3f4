"""The gradient of a minibatch, computed in pieces that fit in a processor's cache, by several threads."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from matdesign.agents.fused import fused
from matdesign.agents.lanes import Lanes
from matdesign.agents.losses import Transitions, loss_terms
from matdesign.agents.policies import Policy
from matdesign.agents.ppo_config import PPOConfig
from matdesign.agents.rollout import Rollout

FEWEST_TRANSITIONS = 512  # that are worth waking a thread


@dataclass(frozen=True)
class Estimates:
    """What the transitions of a rollout were worth, in the network's own units; [steps, rows] each.

    Attributes:
        advantages: normalised.
        values: as estimated when the actions were taken.
        targets: what the values should be.
    """

    advantages: Tensor
    values: Tensor
    targets: Tensor


class Microbatches:
    """Learns from transitions of a rollout, chosen one by one, or as whole rows: what one agent did in all steps.

    Pieces and the order in which their gradients are summed depend on the number of threads, and on nothing else.

    Args:
        policy: whose parameters get the gradient.
        rollout: what it did.
        config: of the loss, and the size of a piece.
        of_rows: whole rows are chosen.
        precision: makes the context in which the policy computes.
        lanes: threads.
    """

    def __init__(
        self,
        policy: Policy,
        rollout: Rollout,
        config: PPOConfig,
        *,
        of_rows: bool,
        precision: Callable[[], AbstractContextManager[object]],
        lanes: Lanes,
    ) -> None:
        self.policy, self.rollout, self.config, self.of_rows = policy, rollout, config, of_rows
        self._parameters = list(policy.parameters())
        self._precision, self._lanes = precision, lanes
        with precision():
            self._fused = fused(policy, rollout.encoded)

    def pick(self, array: Tensor, chosen: Tensor) -> Tensor:
        """The chosen transitions of `array` [steps, rows, ...]: [n, ...], or [steps, n, ...] of whole rows."""
        # index_select copies rows, indexing their elements.
        return array.index_select(1, chosen) if self.of_rows else array.flatten(0, 1).index_select(0, chosen)

    def put(self, array: Tensor, chosen: Tensor, values: Tensor) -> None:
        """The inverse: writes `values` into `array` [steps, rows]."""
        if self.of_rows:
            array.index_copy_(1, chosen, values)
        else:
            array.view(-1).index_copy_(0, chosen, values)

    def descend(
        self, chosen: Tensor, weights: Tensor | None, estimates: Estimates, entropy_coefficient: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Sets the gradient of the mean loss over the chosen transitions.

        Args:
            chosen: [n] int64, transitions counted row by row through the steps, or rows.
            weights: [n] in the loss; None: all 1.
            estimates: of the whole rollout.
            entropy_coefficient: weight of the entropy.

        Returns:
            Means of the terms of the loss, in the order of FIGURES; ratios of probabilities and values now, shaped as
            `pick` shapes them.
        """
        live = self.pick(self.rollout.masks, chosen)
        share = 1.0 / max(1, int(live.sum()) if self.of_rows else len(chosen))
        if self._fused is not None:
            return self._descend_fused(chosen, weights, live, share, estimates, entropy_coefficient)
        self._fresh = self.rollout.fresh() if self.of_rows else None
        steps = len(self.rollout.masks) if self.of_rows else 1
        least, most = -(-FEWEST_TRANSITIONS // steps), self.config.microbatch // steps
        size = self._lanes.size(len(chosen), least=least, most=most)

        def piece(first: int) -> tuple[Tensor, Tensor, Tensor, tuple[Tensor | None, ...]]:
            of = slice(first, first + size)
            terms, ratios, values = self._terms(chosen[of], None if weights is None else weights[of], estimates)
            policy_loss, value_loss, entropy, *_ = (terms * share).unbind()
            loss = policy_loss + self.config.value_coefficient * value_loss - entropy_coefficient * entropy
            return terms.detach(), ratios, values, torch.autograd.grad(loss, self._parameters, allow_unused=True)

        terms, ratios, values, gradients = zip(*self._lanes.run(piece, range(0, len(chosen), size)), strict=True)
        for parameter, *parts in zip(self._parameters, *gradients, strict=True):
            used = [part for part in parts if part is not None]
            parameter.grad = torch.stack(used).sum(0) if used else None
        dim = 1 if self.of_rows else 0
        return torch.stack(terms).sum(0) * share, torch.cat(ratios, dim), torch.cat(values, dim)

    def _descend_fused(
        self,
        chosen: Tensor,
        weights: Tensor | None,
        live: Tensor,
        share: float,
        estimates: Estimates,
        entropy_coefficient: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        fused = self._fused
        assert fused is not None
        if self.of_rows:  # without memory they are so many transitions
            steps, rows = self.rollout.masks.shape
            chosen = (torch.arange(steps).unsqueeze(-1) * rows + chosen).flatten()
            weights = (live.float() if weights is None else live * weights).flatten()
        size = self._lanes.size(len(chosen), least=FEWEST_TRANSITIONS, most=self.config.microbatch)

        def piece(first: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            of = slice(first, first + size)
            which = (chosen[of], None if weights is None else weights[of])
            return fused.gradient(*which, share, self.rollout, estimates, self.config, entropy_coefficient)

        results = self._lanes.run(piece, range(0, len(chosen), size))
        terms, ratios, values, gradients = zip(*results, strict=True)
        fused.set_gradient(list(gradients))
        return torch.stack(terms).sum(0), torch.cat(ratios).view(live.shape), torch.cat(values).view(live.shape)

    def _terms(self, part: Tensor, weights: Tensor | None, estimates: Estimates) -> tuple[Tensor, Tensor, Tensor]:
        """Sums of the terms of the loss over `part`; ratios and values as `pick` shapes them."""
        rollout = self.rollout
        encoded = self.pick(rollout.encoded[:-1], part)
        with self._precision():
            if self._fresh is None:
                distribution, values = self.policy(encoded)
            else:
                memory = rollout.memory.index_select(0, part)
                distribution, values = self.policy.unroll(encoded, memory, self._fresh.index_select(1, part))
                live = self.pick(rollout.masks, part).float()
                weights = (live if weights is None else live * weights).flatten()
        flat = 1 if self.of_rows else 0
        taken, log_probs, advantages, before, targets = (
            self.pick(array, part).flatten(0, flat)
            for array in (rollout.taken, rollout.log_probs, estimates.advantages, estimates.values, estimates.targets)
        )
        batch = Transitions(taken, log_probs, advantages, before, targets, weights)
        terms, ratios = loss_terms(batch, distribution, values, self.config)
        shape = (-1, len(part)) if self.of_rows else (len(part),)
        return terms, ratios.view(shape), values.detach().float().view(shape)
