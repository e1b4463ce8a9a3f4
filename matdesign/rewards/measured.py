"""What the reward `property` measures: a function that C calls with an arrangement of atoms and a seed."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property, partial
from typing import Any, TypeAlias

import numpy as np
from ase import Atoms

from matdesign.envs.atoms import SettingValue
from matdesign.errors import InputError, SimulationError
from matdesign.properties import System
from matdesign.properties.measure import MOST_SEEDS, sample_seed
from matdesign.rewards.target import Constraint, Target
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


Asked: TypeAlias = Target | Constraint

_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Measured))


@dataclass(frozen=True, kw_only=True)
class Measurer:
    """Measures arrangements of atoms for environments in C, from any thread; another process gets it by pickling.

    Every question comes with a seed, and the samples' seeds follow from it: questions of one episode share them, so
    that the difference of two answers holds little noise. Nothing is kept from one question to the next, and nothing
    is looked up in a cache: no arrangement of atoms in motion comes twice.

    Attributes:
        asked: targets and constraints.
        material: of the atoms.
        library: path of a liblammps.so.
        samples: of each measurement of what is random.
    """

    asked: tuple[Asked, ...]
    material: Material
    library: str | None = None
    samples: int = 1
    _raised: list[BaseException] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def address(self) -> int:
        """Of the C function, valid as long as this object is."""
        return ctypes.cast(self._function, ctypes.c_void_p).value or 0

    @cached_property
    def _function(self) -> Any:
        return _FUNCTION(self._answer)

    def check(self) -> None:
        """Raises what a property raised that says nothing about the structure: mistakes in it, or Ctrl-C."""
        if self._raised:
            raised = self._raised[0]
            self._raised.clear()
            raise raised

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process it is made anew: an address means nothing there."""
        given = {item.name: getattr(self, item.name) for item in fields(self) if item.init}
        return partial(Measurer, **given), ()

    def _answer(self, pointer: Any) -> int:
        """1, or 0 where the arrangement cannot be measured."""
        question = pointer.contents
        periodic = np.ctypeslib.as_array(question.periodic, (3,)).astype(bool)
        cell = np.ctypeslib.as_array(question.cell, (3, 3)) * periodic[:, None]
        symbols = [self.material.species[kind - 1] for kind in question.type[: question.atoms]]
        positions = np.ctypeslib.as_array(question.x, (question.atoms, 3)).copy()
        system = System(Atoms(symbols, positions, cell=cell, pbc=periodic), self.material, library=self.library)
        try:
            return int(self._measure(question, system))
        except (InputError, SimulationError):  # InputError: it left what the property makes sense for
            return 0
        except BaseException as error:
            self._raised.append(error)
            return 0
        finally:
            question.evaluations = system.evaluations

    def _measure(self, question: Any, system: System) -> bool:
        """Fills the answer; whether all of it is finite."""
        atoms, potential = question.atoms, 0.0
        replicas, own, without = np.zeros(self.samples), np.zeros(atoms), np.zeros(atoms)
        local = all(asked.property.local for asked in self.asked)
        for index, asked in enumerate(self.asked):
            measured = asked.property
            seeds = [sample_seed(question.seed, sample) for sample in range(self.samples)] if measured.random else [0]
            samples = [measured.sample(system, seed) for seed in seeds]
            value = measured.estimate(system, samples).value
            potential -= loss(asked, value)
            rest = [samples[:left] + samples[left + 1 :] for left in range(len(samples))]
            left_out = [measured.estimate(system, some).value for some in rest] if len(samples) > 1 else [value]
            replicas -= [loss(asked, each) for each in left_out]
            if local:
                parts = measured.parts(system, samples)
                start = np.ctypeslib.as_array(question.start, (len(self.asked), atoms))[index]
                if question.first:
                    start[:] = parts
                own -= [loss(asked, part) for part in parts]
                without -= [loss(asked, each) for each in value - (parts - start) / atoms]
        question.value = value / asked.scale if len(self.asked) == 1 and isinstance(asked, Target) else -potential
        question.potential = potential
        np.ctypeslib.as_array(question.replicas, (self.samples,))[:] = replicas
        if local:
            np.ctypeslib.as_array(question.own, (atoms,))[:] = own
            np.ctypeslib.as_array(question.difference, (atoms,))[:] = atoms * (potential - without)
        return bool(np.isfinite([potential, *replicas, *own, *without]).all())


def loss(asked: Asked, value: float) -> float:
    """What a value costs: a target's weighted and scaled distance, a constraint's violation."""
    if isinstance(asked, Constraint):
        return asked.violation(float(value))
    return asked.weight * asked.distance(float(value)) / asked.scale


def measured_settings(
    targets: Target | Sequence[Target],
    structure: Atoms,
    material: Material,
    *,
    constraints: Sequence[Constraint] = (),
    library: str | None = None,
    samples: int | None = None,
) -> dict[str, SettingValue]:
    """Settings of the atoms environment that reward with these targets; they join those of `atoms_settings`.

    Args:
        targets: one or several, each with its scale and weight.
        structure: the atoms, to see whether the properties make sense for them.
        material: of the atoms.
        constraints: what is lost beside the targets is by how much they are violated.
        library: path of a liblammps.so.
        samples: of each measurement of what is random; default 4. One sample tells no error: every change counts.

    Raises:
        InputError: a property makes no sense for this structure, or `samples` for these properties.
    """
    targets = [targets] if isinstance(targets, Target) else targets
    asked: tuple[Asked, ...] = (*targets, *constraints)
    for each in asked:
        each.property.check(System(structure, material, library=library))
    random = any(each.property.random for each in asked)
    if samples is None:
        samples = 4 if random else 1
    if not 1 <= samples <= (MOST_SEEDS if random else 1):
        most = f"1 to {MOST_SEEDS}" if random else "1, for nothing is random"
        raise InputError(f"samples={samples} of each measurement: give {most}")
    settings: dict[str, SettingValue] = {
        "measurer": Measurer(asked=asked, material=material, library=library, samples=samples),
        "samples": samples,
        "parts": len(asked) if all(each.property.local for each in asked) else 0,
        "reachable": all(target.goal == "hit" for target in targets),
    }
    if len(asked) == 1 and targets[0].value is not None:
        settings["target_value"] = targets[0].value / targets[0].scale
    return settings
