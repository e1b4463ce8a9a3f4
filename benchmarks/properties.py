"""What each property costs, and how much of that is LAMMPS.

python benchmarks/properties.py [--quick] [--json FILE]     quick: 64 atoms, the cheap ones

One sample of every property with its own protocol, on solid argon at 40 K (mechanics and harmonic ones at rest):
seconds of one core, and the share of them spent inside LAMMPS. The last rows compare two processes with one.
"""

import dataclasses
import os
import time
from typing import Any

import table
from ase import Atoms
from ase.build import bulk

from matdesign.config import load
from matdesign.errors import InputError, SimulationError
from matdesign.properties import Cache, Property, System, catalogue, find, measure
from matdesign.sim import Material, Simulation

CELLS = {64: (2, 2, 4), 256: (4, 4, 4), 1000: (5, 5, 10)}
TEMPERATURE = 40.0
INSIDE = ("run", "step", "place", "relax", "command")  # calls in which LAMMPS steps
MOST = 100.0  # seconds of the next smaller size beyond which a larger one is left out
inside = [0.0]


def timed() -> None:
    """Adds up the seconds spent in LAMMPS' own stepping from here on."""
    call = Simulation._call

    def counted(self: Simulation, name: str, *arguments: Any) -> None:
        start = time.perf_counter()
        try:
            call(self, name, *arguments)
        finally:
            if name in INSIDE:
                inside[0] += time.perf_counter() - start

    Simulation._call = counted  # type: ignore[method-assign]


def protocol(kind: type[Property]) -> Property:
    """The property's own protocol, at `TEMPERATURE` where it needs one."""
    needs = any(field.name == "temperature" and field.default is not None for field in dataclasses.fields(kind))
    return kind(**{"temperature": TEMPERATURE} if needs else {})


def cost(measured: Property, atoms: Atoms, material: Material) -> tuple[float, float]:
    """Seconds of one sample and its estimate, and the share of them inside LAMMPS."""
    system = System(atoms, material)
    measured.check(system)
    inside[0], start = 0.0, time.perf_counter()
    measured.estimate(system, [measured.sample(system, 1)])
    seconds = time.perf_counter() - start
    return seconds, inside[0] / seconds


def two_processes(results: table.Table, atoms: Atoms, material: Material, repeats: int) -> None:
    """Eight samples by one process and by two, in turn."""
    measured = find("thermal_conductivity_green_kubo")(temperature=TEMPERATURE)
    ratios, times = [], {1: [], 2: []}
    measure(measured, atoms, material, seeds=2, processes=2, cache=Cache(None))  # starts the workers
    for repeat in range(repeats):
        for processes in (1, 2):
            start = time.perf_counter()
            measure(measured, atoms, material, seed=repeat, seeds=8, processes=processes, cache=Cache(None))
            times[processes].append(time.perf_counter() - start)
        ratios.append(times[1][-1] / times[2][-1])
    results.add("green_kubo, 8 samples", "1 process", times[1], "s")
    results.add("green_kubo, 8 samples", "2 processes", times[2], "s")
    results.add("green_kubo, 8 samples", "speedup", ratios, "", reference=1.8)


def main() -> None:
    """Measure and print."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    material = load(["material=argon"]).material
    timed()
    last: dict[str, float] = {}
    for count, cells in CELLS.items():
        if arguments.quick and count > 64:
            continue
        atoms = bulk("Ar", "fcc", a=5.2764, cubic=True) * cells
        for name, kind in catalogue().items():
            if last.get(name, 0.0) > (2.0 if arguments.quick else MOST):
                results.skip(f"{name} {count}", f"{last[name]:.0f} s at the next smaller size")
                continue
            try:
                samples = [cost(protocol(kind), atoms, material) for _ in range(1 if arguments.quick else 3)]
            except (InputError, SimulationError) as error:
                results.skip(f"{name} {count}", str(error))
                continue
            last[name] = results.add(f"{name} {count}", "one sample", [seconds for seconds, _ in samples], "s")
            results.add(f"{name} {count}", "inside LAMMPS", [share for _, share in samples], "")
    if len(os.sched_getaffinity(0)) >= 2:
        two_processes(
            results, bulk("Ar", "fcc", a=5.2764, cubic=True) * CELLS[256], material, 1 if arguments.quick else 5
        )
    results.close()


if __name__ == "__main__":
    main()
