"""The jobs behind the verbs: train a policy, fly it, and find the ground state of a cluster with it."""

from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from matdesign.design.assembly import open_vector, reference, setting
from matdesign.design.export import BEST, EXPORTS
from matdesign.design.flight import search_figures
from matdesign.design.picture import draw_search
from matdesign.design.report import report
from matdesign.design.run import RunFolder
from matdesign.design.search import converge, resized, search
from matdesign.design.training import fly_trained, make_trainer, train_run, training_evaluations
from matdesign.errors import InputError
from matdesign.sections import Config
from matdesign.sim.exchange import export
from matdesign.sim.material import ENERGY_UNITS


def check_train(config: Config) -> None:
    """Raises InputError for whatever would stop `train` before its first step: nothing is on disk yet."""
    with open_vector(config) as vector:
        make_trainer(config, vector)
        vector.actions[...] = 0
        vector.step()
        figures = vector.log()
    if config.env.of_atoms and figures["episodes"] == vector.envs and figures["failures"] >= 1.0:
        raise InputError(
            f"every simulation of material={config.material.name} fails in its first control step: lower "
            "material.timestep or env.settings.start_kt, and check material.masses and material.pair_coeff"
        )


def check_design(config: Config) -> None:
    """Raises InputError for whatever would stop `design` before its first step: nothing is on disk yet."""
    if not config.env.of_atoms or config.env.settings.get("reward", "energy") != "energy":
        raise InputError(f"matdesign design needs env=atoms/cluster, not {config.env.name}: use matdesign train")
    if config.material.structure.atoms is None or config.material.structure.periodic is not False:
        raise InputError(
            f"matdesign design needs a free cluster, not the crystal of material={config.material.name}: give "
            "material.structure.kind=packing, atoms, density and periodic=false under material.structure"
        )
    check_train(config)
    for atoms in config.evaluation.transfer:
        check_train(resized(config, atoms))


def train(config: Config, run: RunFolder) -> None:
    """Trains the configured policy into the run folder, going on from its last checkpoint, and flies it once."""
    train_run(config, run)
    evaluate(config, run)


def evaluate(config: Config, run: RunFolder) -> None:
    """Flies the run's policy on fresh starts, prints the figures and keeps them in evaluation.json."""
    flight = fly_trained(config, run, "evaluating")
    figures = flight.figures
    if config.env.of_atoms and config.env.settings.get("reward", "energy") == "energy":
        # An environment knows no more than the lowest energy it has seen itself; here all of them are known.
        judged = search_figures(
            flight.results,
            energy_scale=config.material.energy_scale,
            reference=reference(config),
            tolerance=setting(config, "tolerance"),
        )
        figures = {**figures, "perf": judged.success[0]}
    table = Table("figure", "value", title=f"{figures['episodes']:.0f} episodes", title_justify="left")
    for name, value in figures.items():
        table.add_row(name, f"{value:.4g}")
    Console().print(table)
    asked = {
        "evaluation": asdict(config.evaluation),
        "settings": config.env.settings,
        "structure": asdict(config.material.structure),
    }
    run.write_json("evaluation.json", {**figures, **asked})


def design(config: Config, run: RunFolder) -> None:
    """Trains a policy, searches with it, compares with multi-start minimization, exports the best structure."""
    train_run(config, run)
    rows = [search(config, run, trained=True)]
    rows += [search(resized(config, atoms), run, trained=False) for atoms in config.evaluation.transfer]
    spent = training_evaluations(run.path)
    structure, energy = converge(config, rows[0].best)
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
    report(config, rows, spent=spent, energy=energy, structure=paths["extxyz"], picture=picture, folder=run.path)
