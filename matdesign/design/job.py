"""The jobs behind the verbs: train a policy, fly it, and design a material."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from ase import Atoms
from rich.console import Console
from rich.table import Table

from matdesign.agents.softexit import Interrupted
from matdesign.design.assembly import make_policy, open_vector, reference, setting
from matdesign.design.delivery import deliver
from matdesign.design.evaluation import MODES, flights, training_rounds
from matdesign.design.export import BEST, EXPORTS
from matdesign.design.flight import Flight, search_figures
from matdesign.design.look import Look
from matdesign.design.outcome import OUTCOME, outcome, ranked
from matdesign.design.page import REPORT, report_page
from matdesign.design.picture import render_job
from matdesign.design.problem import Problem, open_problem
from matdesign.design.progress import progress
from matdesign.design.references import references
from matdesign.design.results import Results
from matdesign.design.run import RunFolder
from matdesign.design.searching import CACHE, findings, open_searcher, run_searches
from matdesign.design.store import DATABASE, store
from matdesign.design.summary import SUMMARY, as_text, show, summary
from matdesign.design.survey import survey
from matdesign.design.trained import TRAINED, check_trained, methods, train_policy
from matdesign.design.training import make_trainer, train_run, trained_policy, use_cores
from matdesign.design.verification import Verified, select, verify
from matdesign.design_sections import DesignConfig
from matdesign.errors import InputError, SimulationError
from matdesign.properties import Cache
from matdesign.sections import Config
from matdesign.sim.exchange import FORMATS, write_text


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


def check_design(config: DesignConfig) -> None:
    """Raises InputError for whatever would stop `design` before its first step: nothing is on disk yet."""
    problem = open_problem(config)
    for method in methods(config, problem):
        if method in TRAINED:
            check_trained(config, problem, method)
        else:
            open_searcher(config, problem, method, seed=config.seed, folder=Path())


def train(config: Config, run: RunFolder) -> None:
    """Trains the configured policy into the run folder, going on from its last checkpoint, and flies it once."""
    train_run(config, run)
    evaluate(config, run)


def evaluate(config: Config, run: RunFolder) -> None:
    """Flies the run's policy on fresh starts, prints the figures and keeps them in evaluation.json."""
    use_cores(config)
    with open_vector(replace(config, env=replace(config.env, envs=1, workers=1, overlap=False))) as vector:
        policy = trained_policy(run.path, make_policy(config, vector))
    with progress("evaluating", len(MODES) * config.evaluation.episodes, quiet=config.quiet) as show_ended:
        flown = flights(config, policy, episodes=config.evaluation.episodes, show=show_ended)
    judged = {mode: _judged(config, flight) for mode, flight in flown.items()}
    spread = {mode: flight.spread for mode, flight in flown.items()}
    early = {mode: flight.first(training_rounds(config)) for mode, flight in flown.items()}
    title = f"{judged['deterministic']['episodes']:.0f} episodes, {policy.parameter_count} parameters"
    table = Table("figure", *(each for mode in MODES for each in (mode, "spread")), title=title, title_justify="left")
    for name in judged["deterministic"]:
        numbers = [number for mode in MODES for number in (judged[mode][name], spread[mode].get(name))]
        table.add_row(name, *("" if number is None else f"{number:.4g}" for number in numbers))
    if "score" in spread["deterministic"]:
        first = [text for mode in MODES for text in (f"{early[mode]['score']:.4g}", "")]
        table.add_row(f"score of the first {early['deterministic']['episodes']:.0f}, as while training", *first)
    Console().print(table)
    asked = {
        "evaluation": asdict(config.evaluation),
        "settings": config.env.settings,
        "structure": asdict(config.material.structure),
    }
    found = {mode: {"figures": judged[mode], "spread": spread[mode], "while_training": early[mode]} for mode in MODES}
    own = judged["deterministic" if config.evaluation.deterministic else "stochastic"]
    run.write_json("evaluation.json", {**own, **found, "parameters": policy.parameter_count, **asked})


def _judged(config: Config, flight: Flight) -> dict[str, float]:
    """Means over the episodes; an environment knows no more than the lowest energy it has seen, here all are known."""
    if not config.env.of_atoms or config.env.settings.get("reward", "energy") != "energy":
        return flight.figures
    found = search_figures(
        flight.results,
        energy_scale=config.material.energy_scale,
        reference=reference(config),
        tolerance=setting(config, "tolerance"),
    )
    return {**flight.figures, "perf": found.success[0]}


def design(config: DesignConfig, run: RunFolder) -> None:
    """Searches for the design, verifies the best ones, stores and reports everything.

    What a search found before it was stopped is stored and reported all the same, not verified.
    """
    folder = run.path.resolve()  # worker processes may be at home elsewhere
    cache = Cache(folder / CACHE)
    problem = open_problem(config)
    own = config.material.structure.build(config.material, seed=config.seed)
    known = references(problem.space, problem.material, own, count=config.verification.references, seed=config.seed)
    surveyed = survey(problem, known, seed=config.seed, cache=cache)
    for warning in surveyed.warnings:
        Console(stderr=True).print(f"matdesign: {warning}", highlight=False, soft_wrap=True)
    problem = open_problem(config, scales=dict(surveyed.scales))
    stopped: Interrupted | KeyboardInterrupt | None = None
    candidates: list[Verified] = []
    measured: list[Verified] = []
    asked = methods(config, problem)
    training: dict[str, float] = {}
    for method in asked:
        if method in TRAINED:
            training |= train_policy(config, problem, run, method, cache)
    try:
        early = run_searches(config, asked, folder, dict(surveyed.scales))
        surveyed = replace(surveyed, warnings=(*surveyed.warnings, *early))
    except (Interrupted, KeyboardInterrupt) as error:
        stopped = error
    found = findings(run.path)
    chosen = select(found, problem, config.verification.candidates)
    candidates = [
        Verified(name=f"candidate {i + 1}", structure=problem.space.structure(each.design), found=each,
                 reasons=["not verified"])
        for i, each in enumerate(chosen)
    ]  # fmt: skip
    if stopped is None:
        try:
            candidates, measured = _verified(config, problem, candidates, known, cache)
        except (Interrupted, KeyboardInterrupt) as error:
            stopped = error
    reason = (str(stopped) or "stopped by SIGINT") if stopped is not None else ""
    said = outcome(problem, surveyed, found, candidates, measured, training=training, stopped=reason)
    run.write_json(OUTCOME, said)
    store(run.path / DATABASE, problem, found, [*candidates, *measured])
    files = {"everything": run.path, "all structures": run.path / DATABASE}
    if candidates:
        deliver(config, problem, run.path, candidates)
        picture = render_job(run.path, None, Look(size=(config.render.width, config.render.height)))
        files |= {"best structure": run.path / EXPORTS / f"{BEST}{FORMATS['cif']}", "its picture": picture}
    write_text(run.path / REPORT, report_page(Results(run.path)))
    files["report"] = run.path / REPORT
    parts = summary(said, files)
    write_text(run.path / SUMMARY, as_text(parts))
    show(parts)
    if stopped is not None:
        raise stopped


def _verified(
    config: DesignConfig,
    problem: Problem,
    candidates: Sequence[Verified],
    known: Mapping[str, Atoms],
    cache: Cache,
) -> tuple[list[Verified], list[Verified]]:
    """Candidates, best first, and references, by the same protocol."""
    processes = config.processes or len(os.sched_getaffinity(0))
    work = [(each.name, each.structure, each.found) for each in candidates]
    work += [(name, structure, None) for name, structure in known.items()]
    done = []
    with progress("verifying", len(work), quiet=config.quiet) as show:
        for index, (name, structure, found) in enumerate(work):
            try:
                one = verify(name, structure, problem, config.verification, seed=config.seed, cache=cache,
                             processes=processes, found=found, cell=config.space.cell)  # fmt: skip
            except (InputError, SimulationError) as error:
                one = Verified(name=name, structure=structure, found=found, reasons=[f"cannot be verified: {error}"])
            done.append(one)
            show(index + 1)
    best = ranked(done[: len(candidates)], problem)
    return [replace(each, name=f"candidate {i + 1}") for i, each in enumerate(best)], done[len(candidates) :]
