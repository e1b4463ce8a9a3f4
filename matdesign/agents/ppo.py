"""Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347) of one policy shared by all agents."""

import math
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from matdesign.agents.exploration import CommonNoise
from matdesign.agents.normalise import ReturnScale
from matdesign.agents.policies import Policy
from matdesign.agents.ppo_config import PPOConfig
from matdesign.errors import InputError, MatdesignError

if TYPE_CHECKING:
    from matdesign.vector import Batch


def generalised_advantages(
    rewards: Tensor,
    values: Tensor,
    terminals: Tensor,
    masks: Tensor,
    *,
    gamma: float,
    gae_lambda: float,
) -> Tensor:
    """Generalised advantage estimates (Schulman et al. 2015, arXiv:1506.02438, eq. 16).

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

    Returns:
        [steps, rows], 0 where the mask is.
    """
    deltas = (rewards + gamma * values[1:] * ~terminals - values[:-1]) * masks
    decay = gamma * gae_lambda * masks.to(rewards.dtype)
    advantages = torch.empty_like(rewards)
    following = torch.zeros_like(rewards[0])
    for t in range(len(rewards) - 1, -1, -1):
        torch.addcmul(deltas[t], decay[t], following, out=advantages[t])
        following = advantages[t]
    return advantages


class PPO:
    """Trains `policy` in the environments of `vector`; the same seed gives the same run, bit for bit on a CPU.

    Actions, permutations and environments are seeded from `seed`; the policy's initial parameters are the caller's.
    Random numbers are drawn on the CPU whatever the device, so a run can continue on another one.

    Args:
        vector: environments; reset here.
        policy: moved to `device` and changed in place.
        config: hyperparameters.
        device: "cpu", "cuda" or any other device of torch.
        seed: 0 or greater.

    Attributes:
        agent_steps: transitions learned from so far.
        iterations: rollouts learned from so far.
    """

    def __init__(
        self, vector: "Batch", policy: Policy, config: PPOConfig, *, device: str = "cpu", seed: int = 0
    ) -> None:
        self.vector = vector
        self.policy = policy.to(device)
        self.config = config
        self.device = torch.device(device)
        self.seed = seed
        self.agent_steps = 0
        self.iterations = 0
        self.generator = torch.Generator().manual_seed(seed)
        self.optimizer = torch.optim.Adam(policy.parameters(), lr=config.learning_rate, eps=1e-5)
        for parameter in policy.parameters():
            self.optimizer.state[parameter] = {
                "step": torch.zeros(()),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        self.return_scale = ReturnScale(len(vector.rewards), config.gamma).to(self.device)

        self.common_noise = CommonNoise(vector, config.common_noise) if config.common_noise else None
        # Views on the environments' memory, and the rollout's own.
        self.observations = torch.from_numpy(vector.observations)
        self.actions = torch.from_numpy(vector.actions)
        self.results = [torch.from_numpy(array) for array in (vector.rewards, vector.terminals, vector.masks)]
        try:
            self._allocate(config.horizon)
        except RuntimeError as error:
            raise InputError(
                f"PPO: a rollout of horizon = {config.horizon} steps fits in no memory; lower it"
            ) from error
        self._restart()

    def _allocate(self, steps: int) -> None:
        rows, action_dims = self.actions.shape
        action_type = torch.float32 if self.actions.is_floating_point() else torch.int64
        encoded = self.policy.encode(self.observations.to(self.device))
        self.encoded = encoded.new_empty(steps + 1, *encoded.shape)
        self.taken = torch.empty(steps, rows, action_dims, dtype=action_type, device=self.device)
        self.log_probs = torch.empty(steps, rows, device=self.device)
        self.values = torch.empty(steps + 1, rows, device=self.device)
        self.rewards = torch.empty(steps, rows, device=self.device)
        self.terminals, self.masks = torch.empty(2, steps, rows, dtype=torch.bool, device=self.device).unbind()

    def iterate(self) -> dict[str, float]:
        """One rollout of `horizon` steps and the learning from it.

        Returns:
            Losses, policy figures, learning rate, scale of the returns (rewards are divided by it), seconds spent on
            each part ("time/...") and means over the episodes that ended ("env/...").

        Raises:
            MatdesignError: an observation, a reward, the loss or its gradient is NaN or infinite. It is raised before
                that changes any parameter.
        """
        start = time.perf_counter()
        environment_time, forward_time = self._rollout()
        learn_start = time.perf_counter()
        figures = self._learn()
        return {
            **figures,
            "time/environment": environment_time,
            "time/forward": forward_time,
            "time/learn": time.perf_counter() - learn_start,
            "time/other": learn_start - start - environment_time - forward_time,
            **{f"env/{name}": value for name, value in self.vector.log().items()},
        }

    @torch.no_grad()
    def _rollout(self) -> tuple[float, float]:
        """Fills the rollout's buffers; returns seconds in the environments and in the policy."""
        environment_time = forward_time = 0.0
        self.encoded[0].copy_(self.encoded[-1])
        # Where there are two parts, one steps while the policy acts for the other.
        parts = list(enumerate(self.vector.parts))
        for t in range(self.config.horizon + 1):
            for part, rows in parts:
                step_start = time.perf_counter()
                if t > 0:
                    self.vector.recv(part)
                step_end = time.perf_counter()
                if t > 0:
                    self._receive(t, rows)
                forward_start = time.perf_counter()
                distribution, self.values[t, rows] = self.policy(self.encoded[t, rows])
                if t < self.config.horizon:
                    if self.common_noise is None:
                        taken = distribution.sample(self.generator)
                    else:
                        taken = self.common_noise.sample(distribution, rows, self.generator)
                    self.taken[t, rows] = taken
                    self.log_probs[t, rows] = distribution.log_prob(taken)
                    self.actions[rows].copy_(taken)
                forward_end = time.perf_counter()
                if t < self.config.horizon:
                    self.vector.send(part)
                forward_time += forward_end - forward_start
                environment_time += step_end - step_start + time.perf_counter() - forward_end
        return environment_time, forward_time

    def _receive(self, t: int, rows: slice) -> None:
        """Copies what the step before `t` gave in `rows` into the rollout."""
        self._require_finite("reward", self.results[0][rows], rows.start)
        for buffer, result in zip((self.rewards, self.terminals, self.masks), self.results, strict=True):
            buffer[t - 1, rows].copy_(result[rows])
        if self.common_noise is not None:
            self.common_noise.renew(~self.masks[t - 1], rows, self.generator)
        self._observe(t, rows)

    def _learn(self) -> dict[str, float]:
        """Epochs of minibatches over the rollout, until done or further than `max_kl` from where it began."""
        config = self.config
        learning_rate = config.learning_rate
        if config.anneal:
            learning_rate *= max(0.0, 1.0 - self.agent_steps / config.total_agent_steps)
        self.optimizer.param_groups[0]["lr"] = learning_rate
        gathering = self.iterations < config.normaliser_iterations
        if config.normalise_returns and gathering:
            self.return_scale.update(self.rewards, self.masks)
        scale = self.return_scale.item()
        advantages = generalised_advantages(
            self.rewards / scale,
            self.values,
            self.terminals,
            self.masks,
            gamma=config.gamma,
            gae_lambda=config.gae_lambda,
        )

        # The transitions of live agents; every other one ends here.
        live = self.masks
        encoded, taken, log_probs = self.encoded[:-1][live], self.taken[live], self.log_probs[live]
        targets = (advantages + self.values[:-1])[live]
        # Normalised over the whole rollout: a minibatch's mean and deviation would depend on the luck of its draw.
        advantages = advantages[live] - advantages[live].mean()
        advantages /= advantages.square().mean().sqrt() + 1e-8

        kl, figures = 0.0, []
        for index in self._minibatches(len(targets)):
            distribution, values = self.policy(encoded[index])
            log_ratio = distribution.log_prob(taken[index]) - log_probs[index]
            ratio = log_ratio.exp()
            clipped = ratio.clamp(1.0 - config.clip, 1.0 + config.clip)
            policy_loss = -torch.min(ratio * advantages[index], clipped * advantages[index]).mean()
            value_loss = 0.5 * (values - targets[index]).square().mean()
            entropy = distribution.entropy().mean()
            clip_fraction = (ratio != clipped).float().mean()
            figures.append(torch.stack([policy_loss, value_loss, entropy, clip_fraction]).detach())
            # The estimator of the KL divergence that is never negative (Schulman, "Approximating KL divergence", 2020).
            kl = (ratio - 1.0 - log_ratio).mean().item()
            if kl > config.max_kl:
                break
            self._descend(policy_loss + config.value_coefficient * value_loss - config.entropy_coefficient * entropy)

        if gathering:
            self.policy.update_statistics(encoded)
        self.agent_steps += len(targets)
        self.iterations += 1
        means = torch.stack(figures).mean(0).tolist() if figures else [0.0] * 4
        policy_loss, value_loss, entropy, clip_fraction = means
        return {
            "loss/policy": policy_loss,
            "loss/value": value_loss,
            "policy/entropy": entropy,
            "policy/kl": kl,
            "policy/clip_fraction": clip_fraction,
            "train/learning_rate": learning_rate,
            "train/return_scale": scale,
        }

    def _minibatches(self, transitions: int) -> Iterator[Tensor]:
        """Indices of each minibatch of every epoch."""
        parts = math.ceil(transitions / self.config.minibatch)
        for _ in range(self.config.epochs if parts else 0):
            permutation = torch.randperm(transitions, generator=self.generator).to(self.device)
            yield from permutation.tensor_split(parts)

    def _descend(self, loss: Tensor) -> None:
        """One step of Adam down the clipped gradient of `loss`."""
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        norm = nn.utils.clip_grad_norm_(self.policy.parameters(), self.config.gradient_clip)
        if not (math.isfinite(loss.item()) and math.isfinite(norm.item())):
            raise MatdesignError(
                f"PPO: the loss is {loss.item()} and the norm of its gradient {norm.item()} after {self.agent_steps} "
                f"agent steps; lower learning_rate or max_kl, or look for huge rewards and observations."
            )
        self.optimizer.step()

    def _restart(self) -> None:
        """Starts new episodes, other ones than after any other number of iterations."""
        self.vector.reset(int(np.random.SeedSequence((self.seed, self.iterations)).generate_state(1)[0]))
        self.return_scale.restart()
        if self.common_noise is not None:
            every = torch.ones(len(self.observations), dtype=torch.bool)
            self.common_noise.renew(every, slice(0, len(every)), self.generator)
        self._observe(-1, slice(0, len(self.observations)))

    def _observe(self, t: int, rows: slice) -> None:
        """Copies what the environments show in `rows` into the rollout at `t`; at -1 the next rollout begins."""
        observations = self.observations[rows]
        if observations.is_floating_point():
            self._require_finite("observation", observations, rows.start)
        self.encoded[t, rows].copy_(self.policy.encode(observations.to(self.device)))

    def _require_finite(self, name: str, values: Tensor, first: int) -> None:
        """Raises MatdesignError for a NaN or infinity in `values`, [n] or [n, features], of rows `first` and on."""
        if math.isfinite(values.sum().item()):  # the fast test; finite values may still overflow the sum
            return
        for index, *column in values.isfinite().logical_not().nonzero()[:1].tolist():
            environment, agent = divmod(first + index, self.vector.agents)
            raise MatdesignError(
                f"PPO: {name}{column or ''} of row {first + index} (environment {environment}, agent {agent}) is "
                f"{values[index, *column].item()} after {self.agent_steps} agent steps and was not learned from; the "
                "environment must clip or end the episode before that."
            )

    def _tensors(self) -> dict[str, Tensor]:
        """Everything that learning changes, by name; not copies."""
        tensors = {f"policy.{name}": tensor for name, tensor in self.policy.state_dict().items()}
        tensors |= {f"return_scale.{name}": tensor for name, tensor in self.return_scale.state_dict().items()}
        for name, parameter in self.policy.named_parameters():
            tensors |= {f"adam.{name}.{key}": tensor for key, tensor in self.optimizer.state[parameter].items()}
        return tensors

    def state(self) -> tuple[dict[str, Tensor], dict[str, int]]:
        """Copies of all that is needed to continue after this iteration, and the counters.

        The environments' state is not part of it: a run that continues starts new episodes.
        """
        tensors = {name: tensor.detach().clone() for name, tensor in self._tensors().items()}
        counters = {"seed": self.seed, "iterations": self.iterations, "agent_steps": self.agent_steps}
        return tensors | {"generator": self.generator.get_state()}, counters

    def load_state(self, tensors: Mapping[str, Tensor], meta: Mapping[str, int]) -> None:
        """Continues from what `state` returned, on any device, with new episodes.

        Raises:
            InputError: the state is of another policy; nothing is changed.
        """
        own = self._tensors()
        for name in sorted(own.keys() ^ (tensors.keys() - {"generator"})):
            raise InputError(
                f"the checkpoint {'lacks' if name in own else 'has an unknown'} {name}: it was written by another kind "
                f"of policy; give the policy and environment that it was trained with."
            )
        for name, tensor in own.items():
            if tensor.shape != tensors[name].shape:
                raise InputError(
                    f"{name} is {list(tensors[name].shape)} in the checkpoint, {list(tensor.shape)} here; give the "
                    f"policy and environment that it was trained with."
                )
        for name, tensor in own.items():
            tensor.detach().copy_(tensors[name])
        self.generator.set_state(tensors["generator"].cpu())
        self.seed, self.iterations, self.agent_steps = (
            int(meta[name]) for name in ("seed", "iterations", "agent_steps")
        )
        self._restart()
