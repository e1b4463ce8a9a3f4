"""Acting and PPO's gradient in one call to C each (fused.c), for policies of perceptrons in float32 on the CPU."""

from ctypes import POINTER, Structure, c_double, c_float, c_int64, c_void_p
from threading import local
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from matdesign.agents.losses import FIGURES
from matdesign.agents.perceptron import Layer, described, is_fused
from matdesign.agents.policies import MLPPolicy, Policy
from matdesign.agents.ppo_config import PPOConfig
from matdesign.native import LIBRARY
from matdesign.vector import Vector

if TYPE_CHECKING:
    from matdesign.agents.microbatches import Estimates
    from matdesign.agents.rollout import Rollout


class _Policy(Structure):
    _fields_ = (
        *((name, c_int64) for name in ("features", "bytes", "action_dims", "choices")),
        *((name, c_int64) for name in ("trunk_layers", "actor_layers", "critic_layers")),
        *((name, c_void_p) for name in ("mean", "var", "log_sigma")),
        *((name, POINTER(Layer)) for name in ("trunk", "actor", "critic")),
    )


class _Transitions(Structure):
    _fields_ = tuple((name, c_void_p) for name in ("encoded", "taken", "log_probs", "advantages", "values", "targets"))


class _Rollout(Structure):
    _fields_ = (
        *((name, c_int64) for name in ("steps", "rows")),
        *((name, c_void_p) for name in ("observations", "actions", "env_rewards", "env_terminals", "env_masks")),
        *((name, c_void_p) for name in ("encoded", "taken", "noise", "log_probs", "values", "rewards")),
        *((name, c_void_p) for name in ("terminals", "masks")),
    )


class _Loss(Structure):
    _fields_ = tuple((name, c_float) for name in ("clip", "value_clip", "value_coefficient", "entropy_coefficient"))


LIBRARY.fused_scratch.argtypes, LIBRARY.fused_scratch.restype = [POINTER(_Policy)], c_int64
LIBRARY.fused_act.argtypes, LIBRARY.fused_act.restype = [POINTER(_Policy), c_int64, *[c_void_p] * 6], None
LIBRARY.fused_collect.argtypes = [POINTER(_Policy), c_void_p, POINTER(_Rollout), POINTER(c_double * 3), c_void_p]
LIBRARY.fused_collect.restype = c_int64
LIBRARY.fused_gradient.argtypes = [
    *(POINTER(_Policy), POINTER(_Transitions), POINTER(_Loss), c_int64, c_void_p, c_void_p, c_float),
    *[c_void_p] * 5,
]
LIBRARY.fused_gradient.restype = None


def fused(policy: Policy, encoded: Tensor) -> "Fused | None":
    """`policy` in C; None if it is another kind of policy, on another device or in another precision.

    Its parameters and statistics are shared: they may change in place, but not move.

    Args:
        policy: acts and learns.
        encoded: rows as it encodes them.
    """
    if not isinstance(policy, MLPPolicy) or policy.recurrent is not None or policy.team:
        return None
    if policy.head.is_even and is_fused(*policy.parameters()):
        return Fused(policy, of_bytes=encoded.dtype == torch.uint8)
    return None


class Fused:
    """What `fused` gives."""

    def __init__(self, policy: MLPPolicy, *, of_bytes: bool) -> None:
        networks = [network.layers() for network in (policy.trunk, policy.actor, policy.critic)]
        sigma = [] if policy.log_sigma is None else [policy.log_sigma]
        layers = (layer for network in networks for layer in network)
        self._parameters: list[Tensor] = [*(each for layer in layers for each in (layer.weight, layer.bias)), *sigma]
        self._sizes = [parameter.numel() for parameter in self._parameters]
        statistics = policy.statistics
        self._policy = _Policy(
            *(policy.features, of_bytes, policy.head.action_dims, policy.head.choices),
            *map(len, networks),
            *(statistics.mean.data_ptr(), statistics.var.data_ptr(), sigma[0].data_ptr() if sigma else None),
            *map(described, networks),
        )
        self._of_thread = local()
        # In one place, which the optimiser need not look for.
        self._gradient = torch.empty(sum(self._sizes))
        parts = torch.split(self._gradient, self._sizes)
        self._gradients = [part.view_as(parameter) for part, parameter in zip(parts, self._parameters, strict=True)]

    def _scratch(self) -> Tensor:
        """Memory of the thread that asks, for the length of a call."""
        if not hasattr(self._of_thread, "scratch"):
            self._of_thread.scratch = torch.empty(LIBRARY.fused_scratch(self._policy))
        scratch: Tensor = self._of_thread.scratch
        return scratch

    def act(
        self,
        encoded: Tensor,
        values: Tensor,
        noise: Tensor | None = None,
        taken: Tensor | None = None,
        log_probs: Tensor | None = None,
    ) -> None:
        """Fills values, and what noise draws (see `Distribution.at`) where there is any; all arrays are contiguous.

        Args:
            encoded: [n, encoded features].
            values: [n].
            noise: [n, action_dims].
            taken: [n, action_dims] int64 or float32.
            log_probs: [n].
        """
        arrays = (encoded, noise, taken, log_probs, values, self._scratch())
        addresses = (None if array is None else array.data_ptr() for array in arrays)
        LIBRARY.fused_act(self._policy, len(encoded), *addresses)

    def collect(self, vector: Vector, rollout: "Rollout", noise: Tensor) -> tuple[bool, list[float]]:
        """Steps `vector`, which has a handle, through the rollout, whose first encoded rows are there.

        Args:
            vector: environments.
            rollout: filled, up to the first reward or observation that is not finite.
            noise: [steps, rows, action_dims], see `Distribution.at`.

        Returns:
            Whether all of it was finite; seconds of the policy, of the environments and of copying.
        """
        steps, rows = rollout.rewards.shape
        seen = (vector.observations, vector.actions, vector.rewards, vector.terminals, vector.masks)
        kept = (rollout.encoded, rollout.taken, noise, rollout.log_probs, rollout.values, rollout.rewards)
        buffers = _Rollout(
            *(steps, rows, *(array.ctypes.data for array in seen)),
            *(array.data_ptr() for array in (*kept, rollout.terminals, rollout.masks)),
        )
        seconds = (c_double * 3)()
        done = LIBRARY.fused_collect(self._policy, vector.handle, buffers, seconds, self._scratch().data_ptr())
        return done == steps, list(seconds)

    def gradient(
        self,
        chosen: Tensor,
        weights: Tensor | None,
        share: float,
        rollout: "Rollout",
        estimates: "Estimates",
        config: PPOConfig,
        entropy_coefficient: float,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What `losses.loss_terms` says of transitions, and the gradient of the loss.

        Args:
            chosen: [n] int64, transitions counted row by row through the steps.
            weights: [n] of them in the loss; None: all 1.
            share: factor of the terms and of the gradient.
            rollout: what was done.
            estimates: what it was worth.
            config: of the loss.
            entropy_coefficient: weight of the entropy.

        Returns:
            Terms [5], ratios [n], values [n], the gradient as `set_gradient` takes it.
        """
        done, worth = (rollout.encoded, rollout.taken, rollout.log_probs), (estimates.advantages, estimates.values)
        transitions = _Transitions(*(array.data_ptr() for array in (*done, *worth, estimates.targets)))
        loss = _Loss(config.clip, config.value_clip, config.value_coefficient, entropy_coefficient)
        terms, (ratios, values) = torch.empty(len(FIGURES)), torch.empty(2, len(chosen))
        gradient = torch.empty(sum(self._sizes))
        addresses = (array.data_ptr() for array in (terms, ratios, values, gradient, self._scratch()))
        which = (chosen.data_ptr(), None if weights is None else weights.data_ptr())
        LIBRARY.fused_gradient(self._policy, transitions, loss, len(chosen), *which, share, *addresses)
        return terms, ratios, values, gradient

    def set_gradient(self, parts: list[Tensor]) -> None:
        """Makes the sum of these gradients that of the policy's parameters."""
        torch.sum(torch.stack(parts), 0, out=self._gradient)
        for parameter, part in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = part
