"""What a measurement told LAMMPS, as input files that the stock `lmp` executable repeats."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from matdesign.properties.measurement import Array
from matdesign.properties.property import Property, Sample, System
from matdesign.sim import Material, Simulation


class Recorded(Simulation):
    """A simulation that writes down what it is told and what is read from it.

    Positions and velocities that were set from Python are written as they are found to differ from what LAMMPS left.
    Controlled steps are MD steps. What is no command of LAMMPS, the L-BFGS relaxation, leaves its result alone.

    Attributes:
        lines: commands, in order.
    """

    def __init__(self, atoms: Atoms, material: Material, *, library: str | None = None) -> None:
        self.lines: list[str] = []
        self._seen: tuple[Array, Array] | None = None
        super().__init__(atoms, material, library=library)
        self.lines += self._setup.commands
        places = zip(self._setup.types, self._setup.positions, strict=True)
        self.lines += [f"create_atoms {t} single {_numbers(x)} units box" for t, x in places]
        self.lines.append("fix matdesign_nve all nve")
        self._seen = self.x.copy(), np.zeros_like(self.v)

    def command(self, line: str) -> None:
        """Executes and writes it."""
        self._set()
        super().command(line)
        self.lines.append(line)
        self._look()

    def run(self, steps: int) -> None:
        """Runs and writes it."""
        self._set()
        super().run(steps)
        self.lines.append(f"run {steps}")
        self._look()

    def step(self, steps: int = 1, *, energies: bool = False) -> None:
        """Steps and writes a run of as many steps."""
        self._set()
        super().step(steps, energies=energies)
        self.lines.append(f"run {steps}")
        self._look()

    def fix(self, name: str) -> NDArray[np.float64]:
        """Reads it, and prints it in the input too where it is one number."""
        values = super().fix(name)
        self._tell("f", name, values)
        return values

    def compute(self, name: str) -> NDArray[np.float64]:
        """The same for a compute."""
        values = super().compute(name)
        self._tell("c", name, values)
        return values

    def _tell(self, kind: str, name: str, values: NDArray[np.float64]) -> None:
        if np.ndim(values) == 0:
            self.lines += [f"variable told equal {kind}_{name}", f'print "{name} = $(v_told:%.15g)"']
        else:
            self.lines.append(f"# here the measurement reads the {np.shape(values)} values of {name}")

    def _set(self) -> None:
        """Writes what was changed from Python since LAMMPS last did something."""
        if self._seen is None:  # still opening
            return
        for words, now, then in (("x y z", self.x, self._seen[0]), ("vx vy vz", self.v, self._seen[1])):
            for i in np.flatnonzero((now != then).any(axis=1)):
                pairs = zip(words.split(), now[i], strict=True)
                self.lines.append(f"set atom {i + 1} " + " ".join(f"{word} {value:.17g}" for word, value in pairs))

    def _look(self) -> None:
        self._seen = self.x.copy(), self.v.copy()


class RecordedSystem(System):
    """A system all of whose simulations are recorded.

    Attributes:
        recorded: one list of lines for each simulation, in the order in which they were opened.
    """

    def __init__(self, structure: Atoms, material: Material, *, library: str | None = None) -> None:
        super().__init__(structure, material, library=library)
        self.recorded: list[list[str]] = []

    @contextmanager
    def simulation(self, atoms: Atoms | None = None) -> Iterator[Simulation]:
        """An open one, as in `System`."""
        with Recorded(self.structure if atoms is None else atoms, self.material, library=self._library) as simulation:
            self.recorded.append(simulation.lines)
            yield simulation

    def on(self, atoms: Atoms) -> "RecordedSystem":
        """The same with another structure."""
        other = RecordedSystem(atoms, self.material, library=self._library)
        other.recorded = self.recorded
        return other


def lammps_inputs(
    measured: Property, structure: Atoms, material: Material, seed: int, *, library: str | None = None
) -> tuple[list[str], Sample]:
    """Input files that repeat one sample of a measurement, and the sample itself.

    A potential's file is named without its folder: it must lie beside the input.

    Args:
        measured: the property.
        structure: what is measured.
        material: how its atoms interact.
        seed: of the sample.
        library: path of a liblammps.so.

    Returns:
        the text of one file for each simulation of the sample.
    """
    system = RecordedSystem(structure, material, library=library)
    sample = measured.sample(system, seed)
    texts = []
    for number, lines in enumerate(system.recorded, start=1):
        head = [
            f"# {measured.name} of {structure.symbols.formula.format('hill')}, {material.name}",
            f"# sample with seed {seed}, simulation {number} of {len(system.recorded)}",
            f"# run it with: lmp -in FILE{'' if material.potential is None else f' beside {_file(material)}'}",
        ]
        text = "\n".join([*head, *lines, ""])
        if material.potential is not None:
            text = text.replace(str(material.potential_path), _file(material))
        texts.append(text)
    return texts, sample


def _file(material: Material) -> str:
    return Path(material.potential_path).name


def _numbers(values: NDArray[np.float64]) -> str:
    return " ".join(f"{value:.17g}" for value in values)
