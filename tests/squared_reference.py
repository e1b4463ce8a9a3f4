"""squared in plain Python, written from its rules: the oracle of the C one."""

import numpy as np

MASK = 2**64 - 1
MOVES = {1: (1, 0), 2: (-1, 0), 3: (0, -1), 4: (0, 1)}


class SplitMix64:
    def __init__(self, state: int) -> None:
        self.state = state

    def bits(self) -> int:
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def integer(self, n: int) -> int:
        return ((self.bits() >> 32) * n) >> 32


def seeded(seed: int, index: int) -> SplitMix64:
    """The generator of environment `index` after vector.reset(seed)."""
    return SplitMix64(SplitMix64((SplitMix64(seed).bits() + index) & MASK).bits())


class Squared:
    def __init__(self, seed: int, index: int, size: int = 11) -> None:
        self.random = seeded(seed, index)
        self.size = size
        self.reset()

    def reset(self) -> None:
        middle = self.size // 2
        cells = [(row, column) for row in range(self.size) for column in range(self.size)]
        cells.remove((middle, middle))
        self.agent = (middle, middle)
        self.target = cells[self.random.integer(len(cells))]
        self.inside = True
        self.ticks = 0
        self.reward, self.terminal, self.mask = 0.0, False, True

    def step(self, action: int) -> None:
        if self.terminal:
            self.reset()
            self.mask = False
            return
        down, right = MOVES.get(action, (0, 0))
        self.agent = (self.agent[0] + down, self.agent[1] + right)
        self.ticks += 1
        late = self.ticks > 3 * self.size
        self.inside = all(0 <= coordinate < self.size for coordinate in self.agent)
        self.reward = -1.0 if late or not self.inside else 1.0 if self.agent == self.target else 0.0
        self.terminal = self.reward != 0.0
        self.mask = True

    def observation(self) -> np.ndarray:
        grid = np.zeros((self.size, self.size), np.uint8)
        grid[self.target] = 2
        if self.inside:
            grid[self.agent] = 1
        return grid.ravel()
