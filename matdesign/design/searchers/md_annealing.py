"""Simulated annealing by molecular dynamics."""

from collections.abc import Sequence
from dataclasses import replace

from matdesign.design.searchers.searcher import Searcher
from matdesign.design.spaces.arrangements import Arrangement, Arrangements
from matdesign.properties import dynamics
from matdesign.properties.units import UNITS
from matdesign.sim import Simulation


class MDAnnealing(Searcher):
    """Each design is a random one, melted and cooled by Langevin dynamics, and relaxed.

    Kirkpatrick, Gelatt and Vecchi, Science 220, 671 (1983), doi:10.1126/science.220.4598.671, with dynamics in place of
    Monte Carlo; the temperature falls linearly. Nothing is learned from one to the next.

    Args:
        space: where to search.
        seed: of designs, velocities and thermostat.
        hot: temperature at the beginning, kB T in energy scales; default: 0.5 for clusters, which would evaporate, and
            1 in a cell.
        cold: at the end.
        steps: MD steps of one cooling.
    """

    name = "md_annealing"
    spaces = (Arrangements,)

    def __init__(
        self, space: Arrangements, *, seed: int, hot: float | None = None, cold: float = 0.05, steps: int = 2000
    ) -> None:
        super().__init__(space, seed=seed)
        self.space: Arrangements = space
        self._hot = (0.5 if space.free else 1.0) if hot is None else hot
        self._cold, self._steps = cold, steps

    def ask(self) -> list[Arrangement]:
        """One design."""
        # Atoms of a random cloud overlap: their energy would heat it.
        start, relaxing = self.space.settled(self.space.random(self.rng))
        cooled, cooling = self.space.simulated(start, self._cool)
        self.cost += replace(relaxing + cooling, seconds=0.0)
        return [cooled]

    def tell(self, designs: Sequence[Arrangement], scores: Sequence[float]) -> None:
        """Nothing is learned."""

    def _cool(self, simulation: Simulation) -> None:
        kelvin = simulation.material.energy_scale / UNITS[simulation.material.units].boltzmann
        seed = int(self.rng.integers(2**31))
        dynamics.set_velocities(simulation, self._hot * kelvin, seed)
        dynamics.thermostat(simulation, self._hot * kelvin, seed, end=self._cold * kelvin)
        simulation.run(self._steps)
        dynamics.release(simulation)
