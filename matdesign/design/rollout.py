"""A policy's rollout, frame by frame, for whoever shows or records it."""

from collections.abc import Iterator

import numpy as np
import torch

from matdesign.agents.policies import Policy
from matdesign.render.recording import Frame
from matdesign.vector import Batch

LONGEST = 500  # frames of an episode, if nobody asks for more


def rollout(vector: Batch, policy: Policy, *, seed: int, index: int = 0, frames: int | None = None) -> Iterator[Frame]:
    """Let `policy` act deterministically and yield what one environment looks like: at the start, and after each step.

    Looking changes nothing: the same environments stepped without it go through the same states bit for bit. What is
    not taken is not stepped.

    Args:
        vector: environments; reset with `seed`.
        policy: on the CPU.
        seed: of the starts.
        index: the environment to look at.
        frames: how many, through as many episodes as it takes; None: until each of its agents has ended once, at most
            `LONGEST`.

    Yields:
        a scene, and as labels the number of steps and the return, the sum of an agent's rewards since its episode
        began, as a mean over agents.
    """
    rows = slice(index * vector.agents, (index + 1) * vector.agents)
    returns, ended = np.zeros(vector.agents), np.zeros(vector.agents, bool)
    observations, actions = torch.from_numpy(vector.observations), torch.from_numpy(vector.actions)
    vector.reset(seed)
    yield vector.scene(index), {"step": 0, "return": 0.0}
    for step in range(1, frames or LONGEST):
        actions.copy_(policy.act(observations, None))
        vector.step()
        returns = np.where(vector.masks[rows], returns + vector.rewards[rows], 0.0)
        yield vector.scene(index), {"step": step, "return": float(returns.mean())}
        ended |= vector.terminals[rows] | vector.truncations[rows]
        if frames is None and ended.all():
            return
