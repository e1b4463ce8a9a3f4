"""Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347) of one policy shared by all agents."""

import math
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from matdesign.agents.advantages import advantages_and_targets
from matdesign.agents.episodes import ENVIRONMENTS, Episodes
from matdesign.agents.exploration import CommonNoise
from matdesign.agents.lanes import Lanes
from matdesign.agents.losses import FIGURES
from matdesign.agents.microbatches import Estimates, Microbatches
from matdesign.agents.minibatches import prioritised, shuffled
from matdesign.agents.normalise import ReturnScale, RunningStatistics
from matdesign.agents.optimisers import Optimiser, scheduled
from matdesign.agents.policies import Policy
from matdesign.agents.ppo_config import PPOConfig
from matdesign.agents.rollout import Rollout
from matdesign.errors import InputError, MatdesignError

if TYPE_CHECKING:
    from matdesign.vector import Batch

GATHERED_AT_ONCE = 8192  # rows of observations whose statistics are taken: they fit in the cache

Precision = Literal["float32", "bfloat16"]


class PPO:
    """Trains `policy` in the environments of `vector`; the same seed gives the same run, bit for bit on a CPU.

    Actions, permutations and environments are seeded from `seed`; the policy's initial parameters are the caller's.
    Random numbers are drawn on the CPU whatever the device, so a run can continue on another one.

    Args:
        vector: environments; reset here.
        policy: moved to `device` and changed in place.
        config: hyperparameters.
        device: "cpu", "cuda" or any other device of torch.
        precision: of the products of matrices in the policy; parameters are float32.
        threads: CPU threads that act and learn, each with some of the rows. Another number gives another
            rounding, and so another run. Torch's own threads, within one operation, are the caller's to set.
        seed: 0 or greater.

    Attributes:
        agent_steps: transitions learned from so far.
        iterations: rollouts learned from so far.
    """

    def __init__(
        self,
        vector: "Batch",
        policy: Policy,
        config: PPOConfig,
        *,
        device: str = "cpu",
        precision: Precision = "float32",
        threads: int = 1,
        seed: int = 0,
    ) -> None:
        self.vector = vector
        self.policy = policy.to(device)
        self.config = config
        self.device = torch.device(device)
        self.seed = seed
        self.agent_steps = 0
        self.iterations = 0
        self.generator = torch.Generator().manual_seed(seed)
        self.optimizer = Optimiser(
            policy, config.optimizer, learning_rate=config.learning_rate, weight_decay=config.weight_decay
        )
        self.return_scale = ReturnScale(len(vector.rewards), config.gamma).to(self.device)
        self.value_statistics = RunningStatistics(1).to(self.device)
        self._precision = partial(
            torch.autocast, self.device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16"
        )
        lanes = Lanes(threads)
        self.common_noise = CommonNoise(vector, config.common_noise) if config.common_noise else None
        try:
            self.rollout = Rollout(
                vector,
                policy,
                config.horizon,
                device=self.device,
                generator=self.generator,
                common_noise=self.common_noise,
                precision=self._precision,
                lanes=lanes,
            )
        except RuntimeError as error:
            raise InputError(
                f"PPO: a rollout of horizon = {config.horizon} steps fits in no memory; lower it"
            ) from error
        self.microbatches = Microbatches(
            policy,
            self.rollout,
            config,
            of_rows=policy.memory > 0 or config.priority > 0,
            precision=self._precision,
            lanes=lanes,
        )
        known = {**self.rollout.tensors(), "discounted_return": self.return_scale.running}
        self.episodes = Episodes(vector, known)
        self._restart()

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
        self.rollout.collect(self.agent_steps)
        collected = time.perf_counter()
        figures = self._learn()
        learned = time.perf_counter()
        log = self.episodes.log()
        self.episodes.keep()
        seconds = self.rollout.seconds
        return {
            **figures,
            **{f"time/{name}": value for name, value in seconds.items()},
            "time/learn": learned - collected,
            "time/other": collected - start - sum(seconds.values()) + time.perf_counter() - learned,
            **{f"env/{name}": value for name, value in log.items()},
        }

    def _learn(self) -> dict[str, float]:
        """Epochs of minibatches over the rollout, until done or further than `max_kl` from where it began."""
        config, rollout = self.config, self.rollout
        done = self.agent_steps / config.total_agent_steps
        learning_rate = scheduled(config.learning_rate, config.learning_rate_schedule, done)
        entropy_coefficient = scheduled(config.entropy_coefficient, config.entropy_schedule, done)
        correction = 1.0 - scheduled(1.0 - config.priority_correction, "linear", done)
        gathering = self.iterations < config.normaliser_iterations
        live = rollout.masks
        if config.normalise_returns and gathering:
            self.return_scale.update(rollout.rewards, live)
        scale = self.return_scale.item()
        deviation, mean = self._value_scale()
        values = rollout.values * deviation + mean
        ratios = torch.ones_like(rollout.rewards) if config.vtrace else None
        estimate = partial(
            advantages_and_targets,
            rollout.rewards / scale,
            values,
            rollout.terminals,
            live,
            gamma=config.gamma,
            gae_lambda=config.gae_lambda,
            ratios=ratios,
            clip_rho=config.vtrace_clip_rho,
            clip_c=config.vtrace_clip_c,
        )
        advantages, targets = estimate()
        explained = _explained_variance(values[:-1][live], targets[live])
        if config.normalise_values and gathering:
            self.value_statistics.update(targets[live].unsqueeze(-1))
            deviation, mean = self._value_scale()
        before = (values[:-1] - mean) / deviation

        of_rows = self.microbatches.of_rows
        items = (live.any(0) if of_rows else live.flatten()).nonzero().squeeze(-1)
        size = max(1, config.minibatch // config.horizon) if of_rows else config.minibatch
        normal = _normalised(advantages, live)
        sums: list[Tensor] = []
        kl = 0.0
        for _ in range(config.epochs):
            for chosen in shuffled(items, size, self.generator):
                weights = None
                if ratios is not None and sums:
                    advantages, targets = estimate()
                    normal = _normalised(advantages, live)
                if config.priority:
                    chosen, weights = prioritised(
                        advantages, len(chosen), alpha=config.priority, beta=correction, generator=self.generator
                    )
                estimates = Estimates(normal, before, (targets - mean) / deviation)
                terms, now, new_values = self.microbatches.descend(chosen, weights, estimates, entropy_coefficient)
                if ratios is not None:
                    self.microbatches.put(ratios, chosen, now)
                    self.microbatches.put(values[:-1], chosen, new_values * deviation + mean)
                sums.append(terms)
                kl = terms[FIGURES.index("kl")].item()
                if kl > config.max_kl:
                    break
                self._descend(terms, learning_rate)
            if kl > config.max_kl:
                break
        self.optimizer.drop_gradients()

        if gathering:
            part = -(-GATHERED_AT_ONCE // live.shape[1])  # steps
            for seen, alive in zip(torch.split(rollout.encoded[:-1], part), torch.split(live, part), strict=True):
                which = alive.flatten().nonzero().squeeze(-1)
                self.policy.update_statistics(seen.flatten(0, 1).index_select(0, which))
        self.agent_steps += int(live.sum())
        self.iterations += 1
        means = torch.stack(sums).mean(0).tolist() if sums else [0.0] * len(FIGURES)
        return {
            "loss/policy": means[0],
            "loss/value": means[1],
            "policy/entropy": means[2],
            "policy/kl": kl,
            "policy/clip_fraction": means[3],
            "train/explained_variance": explained,
            "train/learning_rate": learning_rate,
            "train/return_scale": scale,
        }

    def _descend(self, terms: Tensor, learning_rate: float) -> None:
        """One step of the optimiser down the clipped gradient.

        Args:
            terms: of the loss, in the order of FIGURES.
            learning_rate: of this step.
        """
        norm = self.optimizer.norm()
        # Not clipped before it is known to be finite: that would spread a NaN to all of them.
        if not math.isfinite(terms.sum().item() + norm):
            values = zip(FIGURES, terms.tolist(), strict=True)
            broken = [f"{name} is {value}" for name, value in values if not math.isfinite(value)]
            broken += [
                f"the gradient of {name}"
                for name, parameter in self.policy.named_parameters()
                if parameter.grad is not None and not parameter.grad.isfinite().all()
            ]
            raise MatdesignError(
                f"PPO: a step of the gradient is not finite after {self.agent_steps} agent steps and was not taken "
                f"({'; '.join(broken) or 'its norm'}); lower learning_rate or max_kl, or look for huge rewards and "
                f"observations."
            )
        self.optimizer.clip(norm, self.config.gradient_clip)
        self.optimizer.step(learning_rate)

    def _value_scale(self) -> tuple[float, float]:
        """Standard deviation and mean of the values over those that the network gives."""
        if not self.config.normalise_values:
            return 1.0, 0.0
        statistics = self.value_statistics
        return math.sqrt(statistics.var.item() + 1e-8), statistics.mean.item()

    def _restart(self) -> None:
        """Starts new episodes, other ones than after any other number of iterations."""
        self.episodes.restart(int(np.random.SeedSequence((self.seed, self.iterations)).generate_state(1)[0]))
        self.return_scale.restart()
        self.rollout.restart()

    def _tensors(self) -> dict[str, Tensor]:
        """Everything that learning changes, by name; not copies."""
        tensors = {f"policy.{name}": tensor for name, tensor in self.policy.state_dict().items()}
        for name, module in (("return_scale", self.return_scale), ("value_statistics", self.value_statistics)):
            tensors |= {f"{name}.{key}": tensor for key, tensor in module.state_dict().items()}
        return tensors | {f"optimizer.{name}": tensor for name, tensor in self.optimizer.tensors().items()}

    def state(self) -> tuple[dict[str, Tensor], dict[str, int]]:
        """Copies of all that is needed to continue after this iteration, and the counters.

        A run that continues from them is the same bit for bit on a CPU; but where the environments cannot be saved it
        starts new episodes.

        Raises:
            MatdesignError: something of it is NaN or infinite; a checkpoint of it would be of no use.
        """
        everything = self._tensors() | self.episodes.tensors()
        tensors = {name: tensor.detach().clone() for name, tensor in everything.items()}
        for name, tensor in tensors.items():
            if not tensor.isfinite().all():
                raise MatdesignError(
                    f"PPO: {name} is not finite after {self.agent_steps} agent steps and was not kept; lower "
                    "learning_rate or weight_decay, or look for huge rewards and observations."
                )
        counters = {"seed": self.seed, "iterations": self.iterations, "agent_steps": self.agent_steps}
        return tensors | {"generator": self.generator.get_state()}, counters

    def load_state(self, tensors: Mapping[str, Tensor], meta: Mapping[str, int]) -> None:
        """Continues from what `state` returned, on any device: in the middle of its episodes, if it has them.

        Raises:
            InputError: the state is of another policy, and nothing is changed; or its environments are of another kind
                or damaged, and there are no episodes to continue with.
        """
        own = self._tensors() | self.episodes.expected(tensors)
        given = {name for name in tensors if not name.startswith(ENVIRONMENTS)}
        for name in sorted(own.keys() ^ (given - {"generator"})):
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
        goes_on = self.episodes.load(tensors)
        for name, tensor in own.items():
            tensor.detach().copy_(tensors[name])
        self.generator.set_state(tensors["generator"].cpu())
        self.seed, self.iterations, self.agent_steps = (
            int(meta[name]) for name in ("seed", "iterations", "agent_steps")
        )
        if not goes_on:
            self._restart()


def _normalised(advantages: Tensor, live: Tensor) -> Tensor:
    """Advantages with mean 0 and deviation 1 over the whole rollout: over a minibatch they would depend on its draw.

    Args:
        advantages: [steps, rows], 0 where they do not count.
        live: [steps, rows] bool, which of them count.
    """
    count = live.sum().clamp(min=1)
    centred = (advantages - advantages.sum() / count) * live  # no gathering of those that count: the others are 0
    return centred / ((centred.square().sum() / count).sqrt() + 1e-8)


def _explained_variance(values: Tensor, targets: Tensor) -> float:
    """How well the values [n] foretold the targets [n]: 1 where they agree, 0 where a constant would be as good."""
    if len(values) < 2:
        return 0.0
    return 1.0 - ((targets - values).var() / targets.var().clamp(min=1e-12)).item()
