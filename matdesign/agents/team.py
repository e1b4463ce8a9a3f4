"""What a centralised critic sees of the other agents: how they are on average, and how different.

Mean and standard deviation have no parameters and no order, so that a policy trained by them acts in any number of
agents, and a minibatch may hold any agents' transitions.
"""

import torch
from torch import Tensor

from matdesign.agents.normalise import RunningStatistics


def with_summary(encoded: Tensor, columns: int) -> Tensor:
    """Rows [n, c] -> [n, c + 2 columns]: behind them the summary of the first `columns`, of each row by itself."""
    if columns == 0:
        return encoded
    return torch.cat([encoded, encoded[:, :columns], torch.zeros_like(encoded[:, :columns])], dim=1)


def summarise(encoded: Tensor, columns: int, agents: int, present: Tensor) -> None:
    """Writes the summary of each environment's agents into the last columns of its rows.

    Args:
        encoded: [envs * agents, c + 2 columns] float, changed in place.
        columns: the first ones, that the summary is of.
        agents: of one environment, contiguous rows.
        present: bool [envs * agents], of agents that count; where none does the summary is 0.
    """
    environments = encoded.view(-1, agents, encoded.shape[1])
    who = present.view(-1, agents, 1)
    count = who.sum(1, keepdim=True).clamp(min=1)
    rows = environments[..., :columns]
    mean = rows.masked_fill(~who, 0.0).sum(1, keepdim=True) / count
    deviation = ((rows - mean).masked_fill(~who, 0.0).square().sum(1, keepdim=True) / count).sqrt()
    environments[..., -2 * columns :] = torch.cat([mean, deviation], dim=2)


def normalised(summary: Tensor, statistics: RunningStatistics) -> Tensor:
    """A summary [n, 2 columns] in the units in which `statistics` normalises the columns themselves."""
    mean, deviation = summary.chunk(2, dim=1)
    return torch.cat([statistics(mean), statistics(statistics.mean + deviation)], dim=1)
