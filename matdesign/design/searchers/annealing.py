"""Simulated annealing by Monte Carlo."""

from collections.abc import Sequence

from matdesign.design.searchers.metropolis import Metropolis
from matdesign.design.spaces.space import Design, Space


class Annealing(Metropolis):
    """Monte Carlo with Metropolis' rule at a falling temperature.

    Kirkpatrick, Gelatt and Vecchi, Science 220, 671 (1983), doi:10.1126/science.220.4598.671. The temperature starts
    at the standard deviation of the first `warmup` random designs' scores and falls geometrically to a hundredth of it
    within `length` proposals; then it starts again from the best design.

    Args:
        space: where to search.
        seed: of the changes and decisions.
        warmup: random designs at the beginning.
        length: proposals of one cooling.
    """

    name = "annealing"

    def __init__(self, space: Space, *, seed: int, warmup: int = 8, length: int = 256) -> None:
        super().__init__(space, seed=seed, warmup=warmup)
        self._length, self._step = length, 0

    def temperature(self) -> float:
        """Falls with each proposal."""
        temperature: float = 100.0 ** (-self._step / self._length)
        self._step += 1
        return temperature

    def tell(self, designs: Sequence[Design], scores: Sequence[float]) -> None:
        """Accepts or refuses; the end of a cooling is the beginning of the next."""
        super().tell(designs, scores)
        if self._step == self._length:
            self._step, self.present, self._score = 0, self._best, self._lowest
