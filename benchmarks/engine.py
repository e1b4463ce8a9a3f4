"""Speed of controlled molecular dynamics beside plain LAMMPS, and memory over many episodes and instances.

`ratio` is the time that plain LAMMPS takes for `run N` over the time of the same number of MD steps under control, in
one process with the same material, settings and start; plain LAMMPS has none of matdesign's fixes and computes.
Both are repeated by turns and each turn gives one ratio; those of `controlled` begin in the same state. `time` rows are
microseconds for one MD step.

    controlled   every MD step stops at the control point and an action writes every atom's velocity; no observation
    observed     the atoms environment as the vectorizer steps it: a kick for every atom, per-atom energies, neighbours,
                 observation and reward after every MD step or every tenth
    threads      16 environments of 108 atoms, 10 MD steps a control step: time with one thread over time with two
    memory       growth of resident memory over 10,000 episodes, and over opening and closing an instance 1,000 times

Times are the thread's processor time, which other programs on the machine disturb less than wall-clock time; those of
`threads` are wall-clock. Needs a C compiler (`cc`, or what CC names).
"""

import ctypes
import gc
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import table
import yaml
from ase import Atoms
from numpy.typing import NDArray

from matdesign import native
from matdesign.envs.atoms import atoms_settings
from matdesign.sim import lammps as sim_lammps
from matdesign.sim.material import Material
from matdesign.sim.simulation import Simulation, setup
from matdesign.sim.structure import StartingStructure
from matdesign.vector import Vector

ROOT = Path(__file__).resolve().parent.parent
REPEAT = {32: (2, 2, 2), 108: (3, 3, 3), 500: (5, 5, 5), 4000: (10, 10, 10)}  # of the fcc cell
# Starting temperature in energy units, of which half remains, and lattice constant: a Lennard-Jones liquid, the state
# of LAMMPS' own benchmark (density 0.8442), and hot solid copper.
KT = {"lj": 1.44, "copper": 0.1}
MELTED = 10_000  # MD steps after which one random start is as good as another
LATTICE = {"lj": 1.6796, "copper": 3.615}


def load(name: str, atoms: int) -> tuple[Atoms, Material]:
    """A crystal and its material of conf/."""
    fields = yaml.safe_load((ROOT / "conf" / "material" / f"{name}.yaml").read_text())
    structure = StartingStructure(**{**fields.pop("structure"), "repeat": REPEAT[atoms], "a": LATTICE[name]})
    material = Material(**fields)
    return structure.build(material), material


def start(name: str, atoms: int) -> tuple[Atoms, Material, NDArray[np.float64]]:
    """Structure, material and thermal velocities [atoms, 3], the same for every call."""
    structure, material = load(name, atoms)
    units = {"lj": 1.0, "metal": 1.0364269e-4}[material.units]  # mass velocity^2 to energy
    velocities = np.random.default_rng(0).normal(size=(atoms, 3)) * np.sqrt(KT[name] / units / material.masses[0])
    return structure, material, velocities - velocities.mean(axis=0)


class Plain:
    """LAMMPS alone: the commands and atoms a Simulation would have, time integration, and nothing of matdesign's."""

    def __init__(self, name: str, atoms: int) -> None:
        structure, material, velocities = start(name, atoms)
        built = setup(structure, material)
        self._library = ctypes.CDLL(str(sim_lammps.bind()))
        self._library.lammps_open_no_mpi.restype = ctypes.c_void_p
        words = [b"lammps", b"-log", b"none", b"-screen", b"none", b"-nocite"]
        arguments = (ctypes.c_char_p * len(words))(*words)
        self._handle = ctypes.c_void_p(self._library.lammps_open_no_mpi(len(words), arguments, None))
        for command in built.commands:
            self.command(command)
        arrays = (np.arange(1, atoms + 1, dtype=np.int32), built.types, built.positions, velocities)
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in arrays]
        self._library.lammps_create_atoms(self._handle, atoms, *pointers, None, 1)
        self.command("fix integrate all nve")
        self.run(2000)
        self._state = {name: np.zeros((atoms, 3)) for name in ("x", "v")}
        for name, array in self._state.items():
            self._library.lammps_gather_atoms(self._handle, name.encode(), 1, 3, ctypes.c_void_p(array.ctypes.data))

    def restore(self) -> None:
        """Go back to the state after the warm-up."""
        for name, array in self._state.items():
            self._library.lammps_scatter_atoms(self._handle, name.encode(), 1, 3, ctypes.c_void_p(array.ctypes.data))

    def command(self, line: str) -> None:
        """Execute one command."""
        self._library.lammps_command(self._handle, line.encode())
        if self._library.lammps_has_error(self._handle):
            raise RuntimeError(f"LAMMPS refused {line!r}")

    def run(self, steps: int) -> None:
        """Make `steps` MD steps."""
        self.command(f"run {steps}")

    def close(self) -> None:
        """Close the instance."""
        self._library.lammps_close(self._handle)


def heated(name: str, atoms: int) -> Simulation:
    """The instance to be controlled, in the same state."""
    structure, material, velocities = start(name, atoms)
    simulation = Simulation(structure, material)
    simulation.v[:] = velocities
    simulation.run(2000)
    return simulation


def by_turns(
    first: Callable[[], object],
    second: Callable[[], object],
    repeats: int,
    prepare: Callable[[], object],
) -> tuple[list[float], list[float]]:
    """Processor seconds of both, called by turns, each after `prepare`; a first turn is not counted."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats + 1):
        prepare()
        for function, samples in zip((first, second), times, strict=True):
            start = time.thread_time()
            function()
            samples.append(time.thread_time() - start)
    return times[0][1:], times[1][1:]


def compare(
    results: table.Table,
    case: str,
    steps: int,
    repeats: int,
    *functions: Callable[[], object],
    prepare: Callable[[], object] = lambda: None,
) -> None:
    """Rows for plain LAMMPS and the other function, both making `steps` MD steps in a call."""
    times = by_turns(*functions, repeats, prepare)
    for label, samples in zip(("time, plain", "time"), times, strict=True):
        results.add(case, label, [1e6 * seconds / steps for seconds in samples], "us/step")
    results.add(case, "ratio", [a / b for a, b in zip(*times, strict=True)], "")


def driver(folder: str) -> ctypes.CDLL:
    """The compiled engine_driver.c, bound to the package's own library."""
    library = Path(folder) / "engine_driver.so"
    includes = [f"-I{native.PACKAGE / 'sim'}", f"-I{sim_lammps.wheel_directory()}/include/lammps"]
    source, package = Path(__file__).with_name("engine_driver.c"), native.PACKAGE / "libmatdesign.so"
    command = [os.environ.get("CC", "cc"), "-O3", "-shared", "-fPIC", "-D_GNU_SOURCE", *includes, source, package]
    subprocess.run([*command, "-o", library], check=True)
    return ctypes.CDLL(str(library))


def controlled(
    results: table.Table, drive: ctypes.CDLL, name: str, label: str, atoms: int, steps: int, repeats: int
) -> None:
    """A row of control without observation."""
    drive.drive_controlled.argtypes = [ctypes.c_void_p, ctypes.c_int64]
    with closing(Plain(name, atoms)) as reference, heated(name, atoms) as simulation:
        handle = ctypes.cast(simulation._open, ctypes.c_void_p)

        def step() -> None:
            if drive.drive_controlled(handle, steps):
                raise RuntimeError(f"the controlled run of {atoms} atoms of {name} failed")

        state = simulation.snapshot()

        def same_start() -> None:
            """How often neighbours are listed anew depends on the state, most of all with few atoms."""
            reference.restore()
            simulation.restore(state)

        case = f"controlled {label} {atoms}"
        compare(results, case, steps, repeats, lambda: reference.run(steps), step, prepare=same_start)


def atoms_vector(name: str, atoms: int, *, md_steps: int, envs: int = 1, threads: int = 1) -> Vector:
    """Environments of moving atoms whose actions are weak kicks in random directions."""
    structure, material = load(name, atoms)
    sim_lammps.bind()
    start_kt = KT[name] / material.energy_scale
    options = {"md_steps": md_steps, "horizon": 1_000_000, "strength": 1e-5, "start_kt": start_kt}
    vector = Vector("atoms", atoms_settings(structure, material, options), envs=envs, threads=threads)
    vector.actions[:] = np.random.default_rng(0).uniform(-1, 1, vector.actions.shape)
    vector.reset(0)
    return vector


def observed(results: table.Table, name: str, label: str, atoms: int, every: int, steps: int, repeats: int) -> None:
    """A row of control with observation."""
    with closing(Plain(name, atoms)) as reference, atoms_vector(name, atoms, md_steps=every) as vector:

        def step() -> None:
            for _ in range(steps // every):
                vector.step()

        reference.run(MELTED)
        for _ in range(MELTED // every):
            vector.step()
        case = f"observed every {every} {label} {atoms}"
        compare(results, case, steps, repeats, lambda: reference.run(steps), step)
        if vector.terminals.any():
            raise RuntimeError(f"{case}: the simulation failed")


def threads(results: table.Table, steps: int, repeats: int) -> None:
    """A row of two threads over one."""
    times: dict[int, list[float]] = {1: [], 2: []}
    vectors = {count: atoms_vector("lj", 108, md_steps=10, envs=16, threads=count) for count in times}
    for _ in range(repeats + 1):
        for count, vector in vectors.items():
            start = time.perf_counter()
            for _ in range(steps):
                vector.step()
            times[count].append((time.perf_counter() - start) / steps)
    for vector in vectors.values():
        vector.close()
    for count, samples in times.items():
        results.add(f"threads lj 108 x 16, {count}", "time", [1e3 * seconds for seconds in samples[1:]], "ms/step")
    results.add("threads", "ratio", [one / two for one, two in zip(times[1][1:], times[2][1:], strict=True)], "")


def resident() -> float:
    """Resident memory of this process in MiB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def growth(work: Callable[[], object], count: int, warm: int) -> float:
    """Resident memory gained in `count` calls, after `warm` uncounted ones."""
    for _ in range(warm):
        work()
    before = resident()
    for _ in range(count):
        work()
    return resident() - before


def memory(results: table.Table) -> None:
    """Rows of what 10,000 episodes with their resets and 1,000 instances leave behind."""
    structure, material = load("lj", 32)
    options = {"md_steps": 2, "horizon": 2, "relax_evaluations": 5}
    with Vector("atoms", atoms_settings(structure, material, options), envs=1) as vector:
        vector.reset(0)

        def episode() -> None:
            for _ in range(3):  # two control steps and the reset
                vector.step()

        results.add("memory 10,000 episodes", "resident growth", [growth(episode, 10_000, 1000)], "MiB")
        if vector.log()["episodes"] < 10_000:
            raise RuntimeError("memory: fewer episodes ended than were counted")

    def instance() -> None:
        with Simulation(structure, material) as simulation:
            simulation.step(2, energies=True)

    results.add("memory 1,000 open and close", "resident growth", [growth(instance, 1000, 100)], "MiB")


def main() -> None:
    """Print the table."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    repeats = 7 if arguments.quick else 15
    budget = 3500 if arguments.quick else 20000  # MD steps of 100 atoms in one turn
    with tempfile.TemporaryDirectory() as folder:
        drive = driver(folder)
        for name, label, sizes in (("lj", "lj", (32, 108, 500, 4000)), ("copper", "eam", (108, 500))):
            for atoms in sizes:
                controlled(results, drive, name, label, atoms, max(150, budget * 100 // atoms), repeats)
    for name, label in (("lj", "lj"), ("copper", "eam")):
        for every in (1, 10):
            observed(results, name, label, 108, every, budget, repeats)
    threads(results, 100 if arguments.quick else 500, repeats)
    memory(results)
    results.close()


if __name__ == "__main__":
    main()
