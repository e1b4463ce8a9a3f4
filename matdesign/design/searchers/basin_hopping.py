"""Basin hopping."""

from matdesign.design.searchers.metropolis import Metropolis
from matdesign.design.spaces.space import Space


class BasinHopping(Metropolis):
    """Monte Carlo between relaxed designs with Metropolis' rule at one temperature.

    Wales and Doye, J. Phys. Chem. A 101, 5111 (1997), doi:10.1021/jp970984n. Relaxation turns the landscape of
    arrangements into plateaus, one for each minimum; between decorations of a lattice it is plain swap Monte Carlo.

    Args:
        space: where to search.
        seed: of the changes and decisions.
        warmup: random designs at the beginning, the best of which is the start.
        heat: the temperature, in standard deviations of their scores: 0.3 is the 0.8 epsilon of Wales and Doye for 38
            Lennard-Jones atoms.
    """

    name = "basin_hopping"

    def __init__(self, space: Space, *, seed: int, warmup: int = 8, heat: float = 0.3) -> None:
        super().__init__(space, seed=seed, warmup=warmup)
        self._heat = heat

    def temperature(self) -> float:
        """Always the same."""
        return self._heat
