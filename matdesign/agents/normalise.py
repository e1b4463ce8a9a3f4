"""Running mean and variance of a stream of rows."""

import torch
from torch import Tensor, nn

from matdesign.agents.accumulation import accumulate


class RunningStatistics(nn.Module):
    """Mean and (population) variance of every row seen so far, merged batch by batch.

    The merge is Chan, Golub and LeVeque's pairwise update (1983, doi:10.1080/00031305.1983.10483115), so the result is
    that of one pass over all rows together. Before the first update the mean is 0 and the variance 1.

    Attributes:
        mean: [features] float32.
        var: [features] float32.
        count: rows seen, a float64 scalar.
    """

    mean: Tensor
    var: Tensor
    count: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("var", torch.ones(features))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    @torch.no_grad()
    def update(self, rows: Tensor) -> None:
        """Adds `rows` [n, features] of any number type to the statistics; no rows change nothing."""
        n = rows.shape[0]
        if n == 0:
            return
        rows = rows.to(self.mean.dtype)
        weights = rows.new_full((1, n), 1.0 / n)  # a product of matrices: many times faster than torch.var_mean
        mean = (weights @ rows)[0]
        var = (weights @ (rows - mean).square_())[0]
        new = (n / (self.count + n)).to(mean.dtype)  # the share of the new rows
        shift = mean - self.mean
        self.var.lerp_(var, new).addcmul_(shift * shift, new * (1 - new))
        self.mean.add_(shift * new)
        self.count.add_(n)

    def forward(self, rows: Tensor) -> Tensor:
        """`rows` [n, features] with mean 0 and variance 1; a constant column gives 0.

        The variance is floored by 1e-4, which keeps a column that was constant so far from exploding. Floats are then
        clipped to +-5. Bytes are not: they are bounded, and clipping would merge the rare ones among them.
        """
        normal = (rows.to(self.mean.dtype) - self.mean) * torch.rsqrt(self.var + 1e-4)
        return normal.clamp(-5.0, 5.0) if rows.is_floating_point() else normal


class ReturnScale(nn.Module):
    """Standard deviation of the discounted return, by which rewards are divided so that values are of order one.

    The return here is the discounted sum of the rewards so far in an episode (as in Engstrom et al. 2020,
    arXiv:2005.12729), so it is known at every step.

    Args:
        rows: agents.
        gamma: discount for each step.
    """

    running: Tensor

    def __init__(self, rows: int, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma
        self.statistics = RunningStatistics(1)
        self.register_buffer("running", torch.zeros(rows), persistent=False)

    @torch.no_grad()
    def update(self, rewards: Tensor, masks: Tensor) -> None:
        """Adds the returns of the next steps.

        Args:
            rewards: [steps, rows] float.
            masks: [steps, rows] bool; where 0, as in the reset after an episode, the return is 0 and not counted.
        """
        returns = accumulate(rewards * masks, self.gamma * masks, self.running, backwards=False)
        self.running.copy_(returns[-1])
        self.statistics.update(returns[masks].unsqueeze(-1))

    def restart(self) -> None:
        """All episodes begin anew; the statistics stay."""
        self.running.zero_()

    def item(self) -> float:
        """The scale; 1 where all returns so far are 0 or none was seen.

        It is at least a hundredth of the mean's size, which keeps returns that hardly vary from being blown up.
        """
        mean, deviation = self.statistics.mean.item(), self.statistics.var.sqrt().item()
        return max(deviation, 0.01 * abs(mean)) or 1.0
