"""What a policy did in a batch of environments during some steps, and what came of it."""

import math
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

import torch
from torch import Tensor

from matdesign.agents.distributions import draw_noise
from matdesign.agents.exploration import CommonNoise
from matdesign.agents.fused import fused
from matdesign.agents.lanes import Lanes
from matdesign.agents.policies import Policy
from matdesign.agents.staging import Staging
from matdesign.agents.team import summarise
from matdesign.errors import MatdesignError
from matdesign.vector import Batch, Vector

FEWEST_ROWS = 512  # that are worth waking a thread
MOST_ROWS = 1024  # that torch computes at once on the CPU: what it makes of them fits in the cache


class Rollout:
    """Steps of a whole batch under a policy; the next ones begin where the last ones ended.

    Args:
        vector: environments.
        policy: acts for all agents.
        steps: of each environment.
        device: of the policy.
        generator: of the actions, on the CPU.
        common_noise: exploration noise that agents share; None: each its own.
        precision: makes the context in which the policy computes.
        lanes: threads that act, each for some of the rows.

    Attributes:
        encoded: [steps + 1, rows, encoded features], what the policy saw before each step and after the last one.
        memory: [rows, memory], what it remembered before the first step.
        taken: actions [steps, rows, action_dims], float32 or int64.
        log_probs: [steps, rows], logarithm of their probability (density).
        values: [steps + 1, rows].
        rewards: [steps, rows].
        terminals: [steps, rows] bool.
        masks: [steps, rows] bool, 0 where no live agent acted.
        seconds: the last collection's, by what they were spent on.
    """

    def __init__(
        self,
        vector: Batch,
        policy: Policy,
        steps: int,
        *,
        device: torch.device,
        generator: torch.Generator,
        common_noise: CommonNoise | None,
        precision: Callable[[], AbstractContextManager[object]],
        lanes: Lanes,
    ) -> None:
        self.vector, self.policy, self.steps = vector, policy, steps
        self.generator, self.common_noise = generator, common_noise
        self._precision, self._lanes = precision, lanes
        actions = torch.from_numpy(vector.actions)
        self._observations = torch.from_numpy(vector.observations)
        self._staged_observations = Staging(self._observations, device)
        self._staged_actions = Staging(actions, device)
        self._results = [torch.from_numpy(array) for array in (vector.rewards, vector.terminals, vector.masks)]

        rows, action_dims = actions.shape
        encoded = policy.encode(self._staged_observations.to_device(slice(0, rows)))
        action_type = torch.float32 if actions.is_floating_point() else torch.int64
        self.encoded = encoded.new_empty(steps + 1, *encoded.shape)
        self.memory = torch.zeros(rows, policy.memory, device=device)
        self._remembered = torch.zeros(rows, policy.memory, device=device)  # before the step that comes next
        self._present = torch.ones(rows, dtype=torch.bool)
        self.taken = torch.empty(steps, rows, action_dims, dtype=action_type, device=device)
        self.log_probs = torch.empty(steps, rows, device=device)
        self.values = torch.empty(steps + 1, rows, device=device)
        # Written step by step on the CPU, moved at once.
        on_gpu = device.type == "cuda"
        self._rewards = torch.empty(steps, rows, pin_memory=on_gpu)
        self._terminals, self._masks = torch.empty(2, steps, rows, dtype=torch.bool, pin_memory=on_gpu).unbind()
        self.rewards, self.terminals, self.masks = self._rewards, self._terminals, self._masks
        self.seconds: dict[str, float] = {}
        self._device = device
        with precision():
            self._fused = fused(policy, encoded)

    def restart(self) -> None:
        """Begins with the environments as they are after a reset."""
        rows = slice(0, len(self._observations))
        self._remembered.zero_()
        self._present.fill_(True)
        if self.common_noise is not None:
            fresh = torch.randn(self.vector.envs, self.taken.shape[2], generator=self.generator)
            self.common_noise.renew(torch.ones(rows.stop, dtype=torch.bool), rows, fresh)
        self._observe(self.steps, rows, 0)

    def tensors(self) -> dict[str, Tensor]:
        """What the next steps begin with, beside the environments and the generator; not copies."""
        found = {"encoded": self.encoded[-1], "remembered": self._remembered, "present": self._present}
        return found if self.common_noise is None else {**found, "common_noise": self.common_noise.values}

    def collect(self, agent_steps: int) -> None:
        """Fills the buffers.

        Args:
            agent_steps: transitions learned from so far, for messages.

        Raises:
            MatdesignError: an observation or a reward is NaN or infinite.
        """
        environment = forward = copy = 0.0
        clock = time.perf_counter
        self.encoded[0].copy_(self.encoded[-1])
        self.memory.copy_(self._remembered)
        self._draw()
        if self._fused is not None and self.common_noise is None and self._is_in_c():
            self._collect_in_c(agent_steps)
            return
        parts = list(enumerate(self.vector.parts))
        # Where there are two parts, one steps while the policy acts for the other.
        for t in range(self.steps + 1):
            for part, rows in parts:
                start = clock()
                if t > 0:
                    self.vector.recv(part)
                received = clock()
                copies = self._lanes.run(partial(self._advance, t, agent_steps), self._pieces(rows))
                acted = clock()
                if t < self.steps:
                    self._staged_actions.to_environments(rows, self.taken[t, rows])
                    sent = clock()
                    self.vector.send(part)
                    environment += clock() - sent
                    copy += sent - acted
                copied = statistics.fmean(copies)
                environment += received - start
                copy += copied
                forward += acted - received - copied
        start = clock()
        self.rewards, self.terminals, self.masks = (
            array.to(self._device, non_blocking=True) for array in (self._rewards, self._terminals, self._masks)
        )
        self.seconds = {"environment": environment, "forward": forward, "copy": copy + clock() - start}

    def _is_in_c(self) -> bool:
        """Whether the environments are stepped in this process, and their rows are not worth several threads."""
        every = slice(0, len(self._observations))
        return isinstance(self.vector, Vector) and self.vector.handle is not None and len(self._pieces(every)) == 1

    def _collect_in_c(self, agent_steps: int) -> None:
        assert self._fused is not None
        assert isinstance(self.vector, Vector)
        is_finite, (forward, environment, copy) = self._fused.collect(self.vector, self, self._noise)
        if not is_finite:
            self._require_finite("reward", self._results[0], 0, agent_steps)
            self._require_finite("observation", self._observations, 0, agent_steps)
        self.seconds = {"environment": environment, "forward": forward, "copy": copy}

    def fresh(self) -> Tensor:
        """Where an agent's memory is 0 before a step, [steps, rows] bool; before the first one `memory` says so."""
        return torch.cat([torch.zeros_like(self.masks[:1]), ~self.masks[:-1]])

    def _draw(self) -> None:
        """Draws all the randomness of the steps at once, which leaves none to the lanes."""
        discrete = not self.taken.is_floating_point()
        self._noise = draw_noise(*self.taken.shape, discrete=discrete, generator=self.generator)
        if self.common_noise is not None:
            shape = (self.steps + 1, self.vector.envs, self.taken.shape[2])
            self._fresh = draw_noise(*shape, discrete=False, generator=self.generator)

    def _pieces(self, rows: slice) -> list[slice]:
        """`rows` in pieces of whole environments that are worth a thread."""
        agents = self.vector.agents
        by_torch = self._fused is None and self._device.type == "cpu"
        most = MOST_ROWS if by_torch else rows.stop
        size = self._lanes.size(rows.stop - rows.start, least=FEWEST_ROWS, most=most)
        size = -(-size // agents) * agents
        return [slice(first, min(first + size, rows.stop)) for first in range(rows.start, rows.stop, size)]

    @torch.no_grad()
    def _advance(self, t: int, agent_steps: int, rows: slice) -> float:
        """Takes in what the environments of `rows` show at `t`, and acts; returns the seconds that the former took."""
        start = time.perf_counter()
        if t > 0:
            self._receive(t, rows, agent_steps)
        seconds = time.perf_counter() - start
        self._act(t, rows)
        return seconds

    def _act(self, t: int, rows: slice) -> None:
        """Values and actions of `rows` at `t`; after the last step there is no more to do."""
        if self._fused is not None:
            self._act_fused(t, rows)
            return
        with self._precision():
            distribution, values, memory = self.policy.step(self.encoded[t, rows], self._remembered[rows])
        self.values[t, rows] = values
        if t == self.steps:
            return
        self._remembered[rows] = memory
        self.taken[t, rows], self.log_probs[t, rows] = distribution.at(self._noise_of(t, rows))

    def _act_fused(self, t: int, rows: slice) -> None:
        assert self._fused is not None
        if t == self.steps:
            self._fused.act(self.encoded[t, rows], self.values[t, rows])
            return
        results = (self.taken[t, rows], self.log_probs[t, rows])
        self._fused.act(self.encoded[t, rows], self.values[t, rows], self._noise_of(t, rows), *results)

    def _noise_of(self, t: int, rows: slice) -> Tensor:
        noise = self._noise[t, rows]
        return noise if self.common_noise is None else self.common_noise.mixed(noise, rows)

    def _receive(self, t: int, rows: slice, agent_steps: int) -> None:
        """Copies what the step before `t` gave in `rows`."""
        self._require_finite("reward", self._results[0][rows], rows.start, agent_steps)
        for buffer, result in zip((self._rewards, self._terminals, self._masks), self._results, strict=True):
            buffer[t - 1, rows].copy_(result[rows])
        live = self._results[2][rows]
        if self.policy.team:
            self._present[rows] = present(live, self._results[1][rows], self.vector.agents)
        if self.policy.memory:
            over = (~live).nonzero().squeeze(-1).to(self._device)
            self._remembered[rows].index_fill_(0, over, 0.0)
        if self.common_noise is not None:
            environments = slice(rows.start // self.vector.agents, rows.stop // self.vector.agents)
            self.common_noise.renew(~live, rows, self._fresh[t, environments])
        self._observe(t, rows, agent_steps)

    def _observe(self, t: int, rows: slice, agent_steps: int) -> None:
        """Copies what the environments show in `rows`."""
        if self._observations.is_floating_point():
            self._require_finite("observation", self._observations[rows], rows.start, agent_steps)
        encoded = self.encoded[t, rows].copy_(self.policy.encode(self._staged_observations.to_device(rows)))
        if self.policy.team:
            summarise(encoded, self.policy.team, self.vector.agents, self._present[rows].to(self._device))

    def _require_finite(self, name: str, values: Tensor, first: int, agent_steps: int) -> None:
        """Raises MatdesignError for a NaN or infinity in `values`, [n] or [n, features], of rows `first` and on."""
        if math.isfinite(values.sum().item()):  # the fast test; finite values may still overflow the sum
            return
        for index, *column in values.isfinite().logical_not().nonzero()[:1].tolist():
            environment, agent = divmod(first + index, self.vector.agents)
            raise MatdesignError(
                f"PPO: {name}{column or ''} of row {first + index} (environment {environment}, agent {agent}) is "
                f"{values[index, *column].item()} after {agent_steps} agent steps and was not learned from; the "
                "environment must clip or end the episode before that."
            )


def present(masks: Tensor, terminals: Tensor, agents: int) -> Tensor:
    """Agents alive after a step, bool [rows]: all of an environment where nobody had that step, for it was a reset.

    Args:
        masks: bool [rows] of the step.
        terminals: bool [rows] of the step.
        agents: of one environment, contiguous rows.
    """
    began = ~masks.view(-1, agents).any(1, keepdim=True).expand(-1, agents)
    return began.flatten() | (masks & ~terminals)
