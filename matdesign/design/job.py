"""The jobs behind the verbs: train a policy, fly it, and find the ground state of a cluster with it."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from ase import Atoms
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from matdesign.agents.checkpoint import load_checkpoint
from matdesign.agents.dashboard import Dashboard, count
from matdesign.agents.metrics import read_metrics
from matdesign.agents.policies import Policy
from matdesign.agents.ppo import PPO
from matdesign.agents.train import best_checkpoint, last_checkpoint
from matdesign.agents.train import train as train_policy
from matdesign.design.assembly import ATOMS, make_policy, open_vector, reference
from matdesign.design.export import BEST, EXPORTS
from matdesign.design.flight import Flight, SearchFigures, fly, search_figures
from matdesign.design.multistart import multistart
from matdesign.design.picture import draw_search
from matdesign.design.run import RunFolder
from matdesign.envs.atoms import AtomsResult
from matdesign.errors import InputError, MatdesignError
from matdesign.sections import Config
from matdesign.sim.exchange import export
from matdesign.sim.material import ENERGY_UNITS
from matdesign.sim.simulation import Simulation
from matdesign.vector import Vector


def check_train(config: Config) -> None:
    """Raises InputError for whatever would stop `train` before its first step: nothing is on disk yet."""
    with open_vector(config) as vector:
        _trainer(config, vector)
        vector.actions[...] = 0
        vector.step()
        figures = vector.log()
    if config.env.environment == ATOMS and figures["episodes"] == vector.envs and figures["failures"] >= 1.0:
        raise InputError(
            f"every simulation of material={config.material.name} fails in its first control step: lower "
            "material.timestep or env.settings.start_kt, and check material.masses and material.pair_coeff"
        )


def check_design(config: Config) -> None:
    """Raises InputError for whatever would stop `design` before its first step: nothing is on disk yet."""
    if config.env.environment != ATOMS or config.env.settings.get("reward", "energy") != "energy":
        raise InputError(f"matdesign design needs env=atoms/cluster, not {config.env.name}: use matdesign train")
    if config.material.structure.atoms is None or config.material.structure.periodic is not False:
        raise InputError(
            f"matdesign design needs a free cluster, not the crystal of material={config.material.name}: give "
            "material.structure.kind=packing, atoms, density and periodic=false under material.structure"
        )
    check_train(config)


def train(config: Config, run: RunFolder) -> None:
    """Trains the configured policy into the run folder, going on from its last checkpoint, and flies it once."""
    _train(config, run)
    evaluate(config, run)


def evaluate(config: Config, run: RunFolder) -> None:
    """Flies the run's policy on fresh starts, prints the figures and keeps them in evaluation.json."""
    with open_vector(config) as vector:
        policy = _trained_policy(config, run, make_policy(config, vector))
        with _progress(config, "evaluating", config.evaluation.episodes) as show:
            flight = _fly(config, vector, policy, show)
    table = Table("figure", "value", title=f"{flight.figures['episodes']:.0f} episodes", title_justify="left")
    for name, value in flight.figures.items():
        table.add_row(name, f"{value:.4g}")
    Console().print(table)
    run.write_json("evaluation.json", {"seed": config.evaluation.seed, **flight.figures})


def design(config: Config, run: RunFolder) -> None:
    """Trains a policy, searches with it, compares with multi-start minimization, exports the best structure."""
    _train(config, run)
    rows = [_search(config, run, trained=True)]
    rows += [_search(_resized(config, atoms), run, trained=False) for atoms in config.evaluation.transfer]
    spent = _training_evaluations(run.path)
    structure, energy = _finish(config, rows[0].best)
    paths = export(structure, run.path / EXPORTS, BEST, material=config.material, energy=energy, seed=config.seed)
    picture = draw_search(config, structure, run.path / EXPORTS / f"{BEST}.png")
    run.write_json(
        "results.json",
        {
            "training_evaluations": spent,
            "energy": energy,
            "energy_unit": ENERGY_UNITS[config.material.units],
            "searches": [row.record() for row in rows],
        },
    )
    _report(config, run, rows, spent, energy, paths, picture)


# ------------------------------------------------------------------------------------------------------- training


def _train(config: Config, run: RunFolder) -> None:
    torch.set_num_threads(config.agent.threads)
    with open_vector(config) as vector:
        ppo = _trainer(config, vector)
        title = f"{run.verb} {config.material.name if config.env.environment == ATOMS else config.env.name}"
        with Dashboard(
            title,
            total_agent_steps=config.agent.ppo.total_agent_steps,
            time_limit=config.agent.time_limit,
            quiet=config.quiet,
        ) as dashboard:
            train_policy(
                ppo,
                run.path,
                total_agent_steps=config.agent.ppo.total_agent_steps,
                time_limit=config.agent.time_limit,
                checkpoint_every=config.agent.checkpoint_every,
                show=dashboard,
            )


def _trainer(config: Config, vector: Vector) -> PPO:
    return PPO(vector, make_policy(config, vector), config.agent.ppo, device=_device(config), seed=config.seed)


def _device(config: Config) -> str:
    device = config.agent.device
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("agent.device=cuda, but torch sees no CUDA device: use agent.device=cpu")
    return device


def _trained_policy(config: Config, run: RunFolder, policy: Policy) -> Policy:
    """`policy` with the parameters of the run's best checkpoint, or of its last one where no best was kept."""
    path = best_checkpoint(run.path)
    if not path.exists():
        path = last_checkpoint(run.path)
    tensors, _ = load_checkpoint(path)
    own = policy.state_dict()
    stored = {name: tensors.get(f"policy.{name}") for name in own}
    for name, tensor in own.items():
        found = stored[name]
        if found is None or found.shape != tensor.shape:
            raise InputError(
                f"{path} is not of this policy ({name} is {'missing' if found is None else list(found.shape)}, "
                f"{list(tensor.shape)} is needed): keep material, observation and agent.policy as in training"
            )
    policy.load_state_dict(stored)
    return policy.eval()


def _training_evaluations(folder: Path) -> int:
    """Force evaluations of all training episodes, from the run's metrics."""
    rows = read_metrics(folder / "metrics.csv")
    return round(
        sum(float(row["env/evaluations"]) * float(row["env/episodes"]) for row in rows if row.get("env/evaluations"))
    )


# ---------------------------------------------------------------------------------------------------------- search


@dataclass(frozen=True, kw_only=True)
class Search:
    """Ways to find the ground state of one number of atoms, from the same kind of starts.

    Attributes:
        atoms: how many.
        reference: known energy of the ground state, in energy scales.
        methods: what each way costs.
        best: the lowest result of the policy.
    """

    atoms: int
    reference: float | None
    methods: dict[str, SearchFigures]
    best: AtomsResult

    def record(self) -> dict[str, Any]:
        """As JSON values, without the structure."""
        methods = {name: asdict(figures) for name, figures in self.methods.items()}
        return {"atoms": self.atoms, "reference": self.reference, "methods": methods}


def _resized(config: Config, atoms: int) -> Config:
    structure = replace(config.material.structure, atoms=atoms)
    return replace(config, material=replace(config.material, structure=structure))


def _search(config: Config, run: RunFolder, *, trained: bool) -> Search:
    settings, scale = config.env.settings, config.material.energy_scale
    with open_vector(config) as vector:
        known = {setting.name: setting.default for setting in vector.environment.settings}
        number = {name: float(settings.get(name, known[name])) for name in _STARTS}  # type: ignore[arg-type]
        policy = _trained_policy(config, run, make_policy(config, vector))
        with _progress(config, f"{vector.agents} atoms: policy", config.evaluation.episodes) as show:
            flight = _fly(config, vector, policy, show)
    results = {"policy" if trained else UNTRAINED: flight.results}
    atoms = config.material.structure.build(config.material, seed=config.seed)
    for name, method in CLASSICAL.items():
        with _progress(config, f"{len(atoms)} atoms: {name}", config.evaluation.multistart) as show:
            results[name] = multistart(
                atoms,
                config.material,
                method=method,
                starts=config.evaluation.multistart,
                seed=config.evaluation.seed,
                density=number["start_density"],
                apart=number["start_distance"],
                tolerance=number["relax_tolerance"],
                library=config.lammps.library,
                show=show,
            )
    target = reference(config)
    if target is None:  # the lowest that any of them has seen
        target = min(r.energy for found in results.values() for r in found if not r.failed) / scale
    figures = {
        name: search_figures(found, energy_scale=scale, reference=target, tolerance=number["tolerance"])
        for name, found in results.items()
    }
    best = min(flight.results, key=lambda result: math.inf if result.failed else result.energy)
    return Search(atoms=len(atoms), reference=reference(config), methods=figures, best=best)


UNTRAINED = "policy, not trained on this size"
CLASSICAL: dict[str, Literal["cg", "lbfgs"]] = {
    "multi-start conjugate gradient": "cg",
    "multi-start L-BFGS": "lbfgs",
}
_STARTS = ("start_density", "start_distance", "relax_tolerance", "tolerance")


def _fly(config: Config, vector: Any, policy: Policy, show: Callable[[int], None]) -> Flight:
    torch.set_num_threads(config.agent.threads)
    return fly(
        vector,
        policy,
        episodes=config.evaluation.episodes,
        seed=config.evaluation.seed,
        deterministic=config.evaluation.deterministic,
        show=show,
    )


def _finish(config: Config, best: AtomsResult) -> tuple[Atoms, float]:
    """The best structure, relaxed to convergence by LAMMPS, centred; and its energy."""
    atoms = config.material.structure.build(config.material, seed=config.seed)
    if not np.isfinite(best.energy):
        raise MatdesignError(
            "no episode of the policy ended with a structure: lower env.settings.strength or material.timestep"
        )
    with Simulation(atoms, config.material, library=config.lammps.library) as simulation:
        simulation.place(best.positions)
        energy = simulation.minimize().energy
        structure = simulation.structure()
    structure.positions -= structure.positions.mean(axis=0)
    return structure, energy


# ---------------------------------------------------------------------------------------------------------- report


@contextmanager
def _progress(config: Config, title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal, nothing elsewhere."""
    with Progress(transient=True, disable=config.quiet or not Console().is_terminal) as progress:
        task = progress.add_task(title, total=total)
        yield lambda done: progress.update(task, completed=done)


def _report(
    config: Config,
    run: RunFolder,
    rows: Sequence[Search],
    spent: int,
    energy: float,
    paths: dict[str, Path],
    picture: Path,
) -> None:
    table = Table(title="Finding the ground state from a random cloud", title_justify="left")
    for column in ("atoms", "method", "success per start", "evaluations per start", "evaluations per success"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for row in rows:
        for method, figures in row.methods.items():
            table.add_row(
                str(row.atoms),
                method,
                f"{100 * figures.success[0]:.1f} +- {100 * figures.success[1]:.1f} %",
                f"{figures.evaluations[0]:.0f} +- {figures.evaluations[1]:.0f}",
                f"{figures.cost[0]:.0f} +- {figures.cost[1]:.0f}" if figures.success[0] else "none found",
            )
    console = Console()
    console.print(table)
    unit, scale = ENERGY_UNITS[config.material.units], config.material.energy_scale
    known = f", ground state {rows[0].reference:.6f}" if rows[0].reference is not None else ""
    console.print(
        f"An evaluation is one force evaluation; start and final relaxation are counted. Training took {count(spent)} "
        "more.",
        f"Best energy: {energy:.6f} {unit} = {energy / scale:.6f} energy scales{known}.",
        f"Best structure: {paths['extxyz']}",
        f"Its picture:    {picture}",
        f"Everything:     {run.path}",
        sep="\n",
        soft_wrap=True,
        highlight=False,
    )
