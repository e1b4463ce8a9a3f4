"""What the reward `property` measures: a function that C calls with an arrangement of atoms and a seed."""

import ctypes
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from matdesign.envs.atoms import SettingValue
from matdesign.errors import InputError, SimulationError
from matdesign.properties import System
from matdesign.properties.measure import MOST_SEEDS, sample_seed
from matdesign.rewards.target import Target
from matdesign.sim import Material

_doubles = ctypes.POINTER(ctypes.c_double)
_integers = ctypes.POINTER(ctypes.c_int32)


class _Measured(ctypes.Structure):
    """`Measured` in property.h."""

    _fields_ = (
        ("seed", ctypes.c_uint64),
        ("atoms", ctypes.c_int32),
        ("samples", ctypes.c_int32),
        ("first", ctypes.c_int32),
        ("type", _integers),
        ("x", _doubles),
        ("cell", _doubles),
        ("periodic", _integers),
        ("value", ctypes.c_double),
        ("potential", ctypes.c_double),
        ("replicas", _doubles),
        ("own", _doubles),
        ("difference", _doubles),
        ("start", _doubles),
        ("evaluations", ctypes.c_int64),
    )


_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Measured))


@dataclass(frozen=True, kw_only=True)
class Measurer:
    """Measures arrangements of atoms for environments in C, from any thread; in another process it is pickled to.

    Every question comes with a seed, and the samples' seeds follow from it: questions of one episode share them, so
    that the difference of two answers holds little noise. Nothing is kept from one question to the next, and nothing
    is looked up in a cache: no arrangement of atoms in motion comes twice.

    Attributes:
        target: what is measured, and what it should become.
        material: of the atoms.
        library: path of a liblammps.so.
        samples: of each measurement; one where nothing is random.
        scale: distance to the target that counts as 1, in the property's unit.
    """

    target: Target
    material: Material
    library: str | None = None
    samples: int = 1
    scale: float = 1.0

    @property
    def address(self) -> int:
        """Of the C function, valid as long as this object is."""
        return ctypes.cast(self._function, ctypes.c_void_p).value or 0

    @cached_property
    def _function(self) -> Any:
        return _FUNCTION(self._answer)

    def __getstate__(self) -> dict[str, Any]:
        """All but the address, which means nothing elsewhere."""
        return {name: value for name, value in vars(self).items() if name != "_function"}

    def _answer(self, question: Any) -> int:
        """1, or 0 where the arrangement cannot be measured; so it is where Python prints that this raised."""
        asked = question.contents
        periodic = np.ctypeslib.as_array(asked.periodic, (3,)).astype(bool)
        cell = np.ctypeslib.as_array(asked.cell, (3, 3)) * periodic[:, None]
        symbols = [self.material.species[kind - 1] for kind in asked.type[: asked.atoms]]
        atoms = Atoms(symbols, np.ctypeslib.as_array(asked.x, (asked.atoms, 3)).copy(), cell=cell, pbc=periodic)
        system = System(atoms, self.material, library=self.library)
        try:
            return int(self._measure(asked, system))
        except (InputError, SimulationError):  # InputError: it left what the property makes sense for
            return 0
        finally:
            asked.evaluations = system.evaluations

    def _measure(self, asked: Any, system: System) -> bool:
        measured = self.target.property
        seeds = [sample_seed(asked.seed, index) for index in range(self.samples)] if measured.random else [0]
        samples = [measured.sample(system, seed) for seed in seeds]
        value = measured.estimate(system, samples).value
        potentials = self._potentials(value)
        replicas = np.zeros(len(samples))
        if len(samples) > 1:
            rest = [samples[:left] + samples[left + 1 :] for left in range(len(samples))]
            replicas = self._potentials(*(measured.estimate(system, some).value for some in rest))
        asked.value, asked.potential = value / self.scale, potentials[0]
        np.ctypeslib.as_array(asked.replicas, (len(samples),))[:] = replicas
        finite = math.isfinite(asked.value) and np.isfinite(replicas).all()
        if measured.local:
            n = asked.atoms
            parts = measured.parts(system, samples)
            start = np.ctypeslib.as_array(asked.start, (n,))
            if asked.first:
                start[:] = parts
            without = self._potentials(*(value - (parts - start) / n))
            np.ctypeslib.as_array(asked.own, (n,))[:] = self._potentials(*parts)
            np.ctypeslib.as_array(asked.difference, (n,))[:] = n * (potentials[0] - without)
            finite &= np.isfinite(parts).all()
        return bool(finite)

    def _potentials(self, *values: float) -> NDArray[np.float64]:
        """What the reward is the change of: less the distance to the target, in `scale`."""
        return np.array([-self.target.distance(float(value)) / self.scale for value in values])


def measured_settings(
    target: Target,
    structure: Atoms,
    material: Material,
    *,
    library: str | None = None,
    samples: int | None = None,
    scale: float | None = None,
) -> dict[str, SettingValue]:
    """Settings of the atoms environment that reward with this target; for those of `atoms_settings`.

    Args:
        target: what is measured, and what it should become.
        structure: the atoms, to see whether the property makes sense for them.
        material: of the atoms.
        library: path of a liblammps.so.
        samples: of each measurement of a random property; default 4. One sample tells no error: every change counts.
        scale: distance to the target that counts as 1, in the property's unit; default the value to hit, or 1.

    Raises:
        InputError: the property makes no sense for this structure, or a number is out of range.
    """
    measured = target.property
    measured.check(System(structure, material, library=library))
    if samples is None:
        samples = 4 if measured.random else 1
    if not 1 <= samples <= (MOST_SEEDS if measured.random else 1):
        most = f"1 to {MOST_SEEDS}" if measured.random else f"1: {measured.name} is not random"
        raise InputError(f"samples={samples} of each measurement: give {most}")
    if scale is None:
        scale = abs(target.value or 0.0) or 1.0
    if not (0.0 < scale < math.inf):
        raise InputError(f"scale={scale} of the distance to the target must be a positive number")
    settings: dict[str, SettingValue] = {
        "measurer": Measurer(target=target, material=material, library=library, samples=samples, scale=scale),
        "samples": samples,
        "parts": measured.local,
    }
    if target.value is not None:
        settings["target_value"] = target.value / scale
    return settings
