"""Finding the ground state of a cluster: the policy, and the classical searches beside it."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from ase import Atoms

from matdesign.design.assembly import reference, setting
from matdesign.design.flight import SearchFigures, search_figures
from matdesign.design.multistart import multistart
from matdesign.design.report import progress
from matdesign.design.run import RunFolder
from matdesign.design.training import fly_trained
from matdesign.envs.atoms import AtomsResult
from matdesign.errors import MatdesignError
from matdesign.sections import Config
from matdesign.sim.simulation import Simulation

UNTRAINED = "policy, not trained on this size"
CLASSICAL: dict[str, Literal["cg", "lbfgs"]] = {
    "multi-start conjugate gradient": "cg",
    "multi-start L-BFGS": "lbfgs",
}


@dataclass(frozen=True, kw_only=True)
class Search:
    """Ways to find the ground state of one number of atoms, from the same kind of starts.

    Attributes:
        atoms: how many.
        reference: known energy of the ground state, in energy scales.
        methods: what each way costs.
        best: the lowest result of all.
        found_by: the method that it is from.
    """

    atoms: int
    reference: float | None
    methods: dict[str, SearchFigures]
    best: AtomsResult
    found_by: str

    def record(self) -> dict[str, Any]:
        """As JSON values, without the structure."""
        methods = {name: asdict(figures) for name, figures in self.methods.items()}
        return {"atoms": self.atoms, "reference": self.reference, "methods": methods, "found_by": self.found_by}


def resized(config: Config, atoms: int) -> Config:
    """The same with another number of atoms."""
    structure = replace(config.material.structure, atoms=atoms)
    return replace(config, material=replace(config.material, structure=structure))


def search(config: Config, run: RunFolder, *, trained: bool) -> Search:
    """Flies the run's policy and makes the classical searches, all from the same kind of starts.

    Args:
        config: its evaluation section says how much.
        run: whose policy.
        trained: whether the policy was trained on this number of atoms.
    """
    scale = config.material.energy_scale
    flight = fly_trained(config, run, f"{config.material.structure.atoms} atoms: policy")
    results = {"policy" if trained else UNTRAINED: flight.results}
    atoms = config.material.structure.build(config.material, seed=config.seed)
    for name, method in CLASSICAL.items():
        with progress(f"{len(atoms)} atoms: {name}", config.evaluation.multistart, quiet=config.quiet) as show:
            results[name] = multistart(
                atoms,
                config.material,
                method=method,
                starts=config.evaluation.multistart,
                seed=config.evaluation.seed,
                density=setting(config, "start_density"),
                apart=setting(config, "start_distance"),
                tolerance=setting(config, "relax_tolerance"),
                library=config.lammps.library,
                show=show,
            )
    known = reference(config)
    energies = [one.energy for found in results.values() for one in found if not one.failed]
    target = known if known is not None else min(energies, default=math.nan) / scale
    figures = {
        name: search_figures(found, energy_scale=scale, reference=target, tolerance=setting(config, "tolerance"))
        for name, found in results.items()
    }
    lowest = {
        name: min(found, key=lambda one: math.inf if one.failed else one.energy) for name, found in results.items()
    }
    # The policy comes first, and keeps its place against differences that only the end of a relaxation makes.
    found_by = min(lowest, key=lambda name: math.inf if lowest[name].failed else round(lowest[name].energy / scale, 3))
    return Search(atoms=len(atoms), reference=known, methods=figures, best=lowest[found_by], found_by=found_by)


def converge(config: Config, best: AtomsResult) -> tuple[Atoms, float]:
    """The best structure, relaxed to convergence by LAMMPS, centred; and its energy."""
    atoms = config.material.structure.build(config.material, seed=config.seed)
    if not np.isfinite(best.energy):
        raise MatdesignError("no search ended with a structure: lower env.settings.strength or material.timestep")
    with Simulation(atoms, config.material, library=config.lammps.library) as simulation:
        simulation.place(best.positions)
        energy = simulation.minimize().energy
        structure = simulation.structure()
    structure.positions -= structure.positions.mean(axis=0)
    return structure, energy
