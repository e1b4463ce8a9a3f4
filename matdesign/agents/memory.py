"""What an agent remembers between two steps: recurrent layers whose memory begins anew with every episode."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from matdesign.agents.recurrent import FusedGRU, FusedLSTM, is_fused


def lstm(inputs: Tensor, memory: Tensor, fresh: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Long short-term memory (Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735) over a sequence.

        i, f, g, o = x_t + W h_{t-1}
        c_t = sigmoid(f) c_{t-1} + sigmoid(i) tanh(g)
        h_t = sigmoid(o) tanh(c_t)

    Args:
        inputs: x [steps, n, 4 size], what is seen, weighted, with the biases.
        memory: h and c before the first step, side by side, [n, 2 size].
        fresh: [steps, n] bool; h and c are 0 before the steps where it is set.
        weight: W [4 size, size].

    Returns:
        h of every step [steps, n, size], and the memory after the last one.
    """
    if is_fused(inputs, memory, weight):
        return FusedLSTM.apply(inputs, memory, fresh, weight)  # type: ignore[no-any-return, no-untyped-call]  # torch
    outputs = []
    hidden, cell = memory.chunk(2, -1)
    for x, begins in zip(inputs.unbind(), fresh.unsqueeze(-1).unbind(), strict=True):
        hidden, cell = hidden.masked_fill(begins, 0.0), cell.masked_fill(begins, 0.0)
        enter, keep, new, leave = torch.addmm(x, hidden, weight.mT).chunk(4, -1)
        cell = keep.sigmoid() * cell + enter.sigmoid() * new.tanh()
        hidden = leave.sigmoid() * cell.tanh()
        outputs.append(hidden)
    return torch.stack(outputs), torch.cat([hidden, cell], -1)


def gru(inputs: Tensor, memory: Tensor, fresh: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Gated recurrent unit (Cho et al. 2014, arXiv:1406.1078; as in cuDNN, reset behind the weights) over a sequence.

        r = sigmoid(x_r + W_r h_{t-1}),    z = sigmoid(x_z + W_z h_{t-1})
        h_t = (1 - z) tanh(x_n + r (W_n h_{t-1} + b)) + z h_{t-1}

    Args:
        inputs: x_r, x_z, x_n [steps, n, 3 size], what is seen, weighted, with the biases.
        memory: h before the first step [n, size].
        fresh: [steps, n] bool; h is 0 before the steps where it is set.
        weight: W_r, W_z, W_n [3 size, size].
        bias: b [size].

    Returns:
        h of every step [steps, n, size], and the memory after the last one.
    """
    if is_fused(inputs, memory, weight, bias):
        return FusedGRU.apply(inputs, memory, fresh, weight, bias)  # type: ignore[no-any-return, no-untyped-call]  # torch's
    outputs = []
    size = len(bias)
    for x, begins in zip(inputs.unbind(), fresh.unsqueeze(-1).unbind(), strict=True):
        memory = memory.masked_fill(begins, 0.0)
        remembered = memory @ weight.mT
        reset, keep = (x[:, : 2 * size] + remembered[:, : 2 * size]).sigmoid().chunk(2, -1)
        new = (x[:, 2 * size :] + reset * (remembered[:, 2 * size :] + bias)).tanh()
        memory = new + keep * (memory - new)
        outputs.append(memory)
    return torch.stack(outputs), memory


class Memory(nn.Module, ABC):
    """A recurrent layer.

    Args:
        inputs: columns of what it is fed.
        size: columns of what it gives.
        gates: blocks of `size` rows in its weights.
        generator: of the initial parameters: input weights and each gate's recurrent ones orthogonal, biases 0.

    Attributes:
        columns: float32 numbers that it remembers.
    """

    columns: int

    def __init__(self, inputs: int, size: int, gates: int, generator: torch.Generator) -> None:
        super().__init__()
        self.size = size
        self.input = nn.Linear(inputs, gates * size)
        self.weight = nn.Parameter(torch.empty(gates * size, size))
        nn.init.orthogonal_(self.input.weight, generator=generator)
        nn.init.zeros_(self.input.bias)
        for block in self.weight.detach().chunk(gates):
            nn.init.orthogonal_(block, generator=generator)

    @abstractmethod
    def forward(self, inputs: Tensor, memory: Tensor, fresh: Tensor) -> tuple[Tensor, Tensor]:
        """A sequence, time-major.

        Args:
            inputs: [steps, n, inputs].
            memory: [n, columns] before the first step.
            fresh: [steps, n] bool; the memory is zeroed before the steps where it is set.

        Returns:
            outputs [steps, n, size], and the memory [n, columns] after the last step.
        """


class LSTM(Memory):
    """Long short-term memory, see `lstm`; forget gates begin open, bias 1 (Jozefowicz et al. 2015)."""

    def __init__(self, inputs: int, size: int, generator: torch.Generator) -> None:
        super().__init__(inputs, size, 4, generator)
        self.columns = 2 * size
        nn.init.ones_(self.input.bias.detach()[size : 2 * size])

    def forward(self, inputs: Tensor, memory: Tensor, fresh: Tensor) -> tuple[Tensor, Tensor]:
        """See `Memory.forward`."""
        return lstm(self.input(inputs), memory, fresh, self.weight)


class GRU(Memory):
    """Gated recurrent unit, see `gru`."""

    def __init__(self, inputs: int, size: int, generator: torch.Generator) -> None:
        super().__init__(inputs, size, 3, generator)
        self.columns = size
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, inputs: Tensor, memory: Tensor, fresh: Tensor) -> tuple[Tensor, Tensor]:
        """See `Memory.forward`."""
        return gru(self.input(inputs), memory, fresh, self.weight, self.bias)


MEMORIES: dict[str, Callable[[int, int, torch.Generator], Memory]] = {"lstm": LSTM, "gru": GRU}
