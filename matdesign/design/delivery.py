"""The files of a design's candidates: structures for other programs, and what repeats their measurement."""

import math
from collections.abc import Sequence
from pathlib import Path

from ase import Atoms

from matdesign.design.export import BEST, EXPORTS
from matdesign.design.problem import Problem
from matdesign.design.verification import INDEPENDENT, Verified
from matdesign.design_sections import DesignConfig
from matdesign.errors import SimulationError
from matdesign.files import replace_file
from matdesign.properties.measure import sample_seed
from matdesign.properties.transcript import lammps_inputs
from matdesign.sim import Simulation
from matdesign.sim.exchange import export, write_text

MOST_INPUTS = 8  # files that repeat one sample of a measurement


def deliver(config: DesignConfig, problem: Problem, folder: Path, candidates: Sequence[Verified]) -> None:
    """Writes every candidate in every format, the best one by that name, and the input that repeats its measurement."""
    for index, each in enumerate(candidates):
        values = {label: str(measured) for label, measured in each.measurements.items()}
        name, energy = BEST if index == 0 else f"candidate-{index + 1}", _energy(each.structure, problem)
        export(each.structure, folder / EXPORTS, name, material=problem.material, energy=energy, seed=config.seed,
               extra=values | {"verdict": "; ".join(each.reasons) or "passed"})  # fmt: skip
    best = candidates[0]
    for asked in dict.fromkeys(problem.verified_by.values()):
        seed = sample_seed(config.seed + INDEPENDENT, 0) if asked.random else 0
        try:
            texts, _ = lammps_inputs(asked, best.structure, problem.material, seed, library=problem.library)
        except SimulationError:  # as the verdict says
            continue
        for number, text in enumerate(texts[:MOST_INPUTS], start=1):
            several = f"-{number}" if len(texts) > 1 else ""
            write_text(folder / EXPORTS / f"{BEST}-{asked.name}{several}.in", text)
    if problem.material.potential is not None:
        file = problem.material.potential_path
        replace_file(folder / EXPORTS / file.name, file.read_bytes())


def _energy(structure: Atoms, problem: Problem) -> float:
    """Of all atoms; no number where LAMMPS cannot compute it."""
    try:
        with Simulation(structure, problem.material, library=problem.library) as simulation:
            return simulation.energy
    except SimulationError:
        return math.nan
