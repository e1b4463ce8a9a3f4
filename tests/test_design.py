"""A design from its configuration to verified structures, its folder, its report."""

import json
import os
import signal
import subprocess
import sys
import time

import ase.db
import ase.io
import numpy as np
import pytest
from PIL import Image

from matdesign import load
from matdesign.config import load_design
from matdesign.design.export import best_structure, export
from matdesign.design.job import check_design, design
from matdesign.design.look import Look
from matdesign.design.outcome import OUTCOME
from matdesign.design.page import search_figures
from matdesign.design.picture import recorded
from matdesign.design.problem import open_problem
from matdesign.design.run import RunFolder
from matdesign.design.searching import findings
from matdesign.design.verification import Advantage
from matdesign.errors import InputError
from matdesign.properties import Cache, measure
from matdesign.render.atoms import scene_from_atoms

SMALL = (
    "material.structure.repeat=[4,2,2]",
    "search.designs=12",
    "target.verified_by.steps=200",
    "target.verified_by.slab=0.25",
    "target.verified_by.equilibration=100",
    "verification.seeds=2",
    "verification.steps=200",
    "render.width=160",
    "render.height=80",
    "quiet=true",
)
LABEL = "device_conductivity_lattice_dynamics"


def made(folder, *settings):
    config = load_design([*settings, f"output={folder}"])
    check_design(config)
    with RunFolder.create(config, "design") as run:
        design(config, run)
    return config


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A small design run, finished."""
    folder = tmp_path_factory.mktemp("design") / "run"
    return made(folder, *SMALL), folder


def test_what_is_reported_was_measured(finished):
    config, folder = finished
    results = load(folder)
    problem = open_problem(config)
    best = results.best
    found = best.record["found"]
    row = results.designs.query("method == @found['method'] and seed == @found['seed'] and index == @found['index']")
    searched = measure(config.target.property, results.atoms(row.index[0]), config.material, cache=Cache(None))
    assert searched.value == pytest.approx(found["score"])
    assert searched.value == pytest.approx(row[LABEL].item())
    assert min(each.record["found"]["score"] for each in results.candidates) == results.designs[LABEL].min()
    verified = measure(config.target.verified_by, best.atoms, config.material, seed=7919, seeds=2, cache=Cache(None))
    assert best.value() == pytest.approx((verified.value, verified.stderr))
    assert set(results.table.index) >= {"candidate 1", "candidate 2", "random alloy 1", "1+1", "2+2", "4+4", "pure Ar"}
    assert sorted(best.atoms.symbols) == sorted(problem.space.lattice.symbols)
    assert best.structure.composition.reduced_formula == "KrAr"


def test_every_search_has_the_same_budget_and_a_row_for_each_design(finished):
    _, folder = finished
    results = load(folder)
    budget = [(row["method"], row["measurements"]) for row in results.outcome["budget"]]
    assert budget == [("policy", 12), ("random", 12)]
    assert results.designs.groupby("method").size().to_dict() == {"policy": 12, "random": 12}
    for row in results.outcome["budget"]:
        own = results.designs.query("method == @row['method']")
        assert row["best_score"] == own.score.min()
        assert own.loc[own.score.idxmin(), "index"] + 1 == row["best_at"]
    with ase.db.connect(folder / "designs.db") as database:
        assert database.count(kind="reference") == 6
        cold = [row.device_conductivity for row in database.select("kind=candidate,device_conductivity<10")]
    assert cold == [each.value()[0] for each in results.candidates]


def test_candidates_are_told_apart_from_references_by_their_errors(finished):
    _, folder = finished
    best = load(folder).best
    for each in best.record["advantages"][LABEL]:
        sure = abs(each["gain"]) > 2 * each["stderr"]
        assert ("not told apart" in each["text"]) == (not sure)
    assert Advantage(reference="x", gain=0.3, stderr=0.2).text.startswith("not told apart from x")
    assert Advantage(reference="x", gain=0.5, stderr=0.2).text == "better than x by 0.5 +- 0.2"
    assert Advantage(reference="x", gain=-0.5, stderr=0.2).text == "worse than x by 0.5 +- 0.2"
    assert "not told apart" in Advantage(reference="x", gain=0.5, stderr=float("nan")).text
    text = (folder / "summary.txt").read_text()
    assert all(each["text"] in text for each in best.record["advantages"][LABEL])


def test_exports_hold_the_best_structure(finished, tmp_path):
    _, folder = finished
    atoms = load(folder).best.atoms
    for path in export(folder, ("cif", "extxyz", "poscar"), tmp_path):
        read = ase.io.read(path)
        assert sorted(read.symbols) == sorted(atoms.symbols)
        assert read.cell.cellpar() == pytest.approx(atoms.cell.cellpar(), abs=1e-5)
    assert len(best_structure(folder)) == len(atoms)
    assert "device_conductivity" in str(ase.io.read(folder / "exports" / "candidate-2.extxyz").info)
    picture = Image.open(folder / "exports" / "best-structure.png").convert("RGB")
    assert len(picture.getcolors(1 << 20)) > 50


def test_the_same_seed_gives_the_same_run(finished, tmp_path):
    made(tmp_path / "again", *SMALL)
    first, again = (json.loads((folder / OUTCOME).read_text()) for folder in (finished[1], tmp_path / "again"))

    def timeless(node):
        if isinstance(node, dict):
            return {key: timeless(value) for key, value in node.items() if key != "seconds"}
        return [timeless(item) for item in node] if isinstance(node, list) else node

    assert timeless(first) == timeless(again)


def test_a_stopped_design_reports_what_it_found_and_goes_on(finished, tmp_path):
    folder = tmp_path / "run"
    settings = [setting for setting in SMALL if not setting.startswith("search.designs")]
    command = [sys.executable, "-m", "matdesign", "design", *settings, "search.designs=400", f"output={folder}"]
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, **pipes, start_new_session=True)
    deadline = time.monotonic() + 120
    while not (folder / "searches").is_dir() or sum(each.method == "policy" for each in findings(folder)) < 12:
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: to the whole group
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert f"continue with: matdesign design --resume {folder}" in errors
    assert "Traceback" not in errors
    assert "Ended early" in out
    stopped = load(folder)
    assert len(stopped.designs) >= 12
    assert stopped.candidates
    assert not any(each.passed for each in stopped.candidates)
    before = [each.score for each in findings(folder) if each.method == "policy"][:12]
    resumed = [sys.executable, "-m", "matdesign", "design", "--resume", str(folder), "search.designs=12"]
    done = subprocess.run(resumed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    after = load(folder)
    assert [each.score for each in findings(folder) if each.method == "policy"] == before
    assert after.best.value() == load(finished[1]).best.value()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["material=argon", "space=sites"], "needs two species or more"),
        (["material.structure.composition={Ar: 0.4, Kr: 0.6}", "space=layers"], "do not fill whole layers"),
        (["search.method=anealing"], "did you mean annealing"),
        (["search.settings.populaton=3", "search=genetic"], "did you mean population"),
        (["search.settings.population=few", "search=genetic"], "must be a whole number"),
        (["space.cell=full"], "changes positions, not the species"),
        (["target.verified_by={name: device_conductivity}"], "temperature"),
        (["target.constraints=[{property: density, minimum: 3, maximum: 2}]"], "contradicts itself"),
        (
            ["target.constraints=[{property: density, minimum: 3}, {property: density, maximum: 2}]"],
            "exclude each other",
        ),
        (
            ["target=hit", "target.property=density", "target.value=2",
             "target.constraints=[{property: density, minimum: 3}]"],
            "breaks target.constraints",
        ),
        (["material=argon_cluster", "search=policy", "target=lowest_energy"], "policy searches decorations"),
    ],
)  # fmt: skip
def test_what_cannot_be_designed_is_refused_before_any_work(settings, message):
    with pytest.raises(InputError, match=message) as caught:
        check_design(load_design(settings))
    assert "\n" not in str(caught.value)


def test_a_bound_that_no_design_can_keep_is_refused(tmp_path):
    with pytest.raises(InputError, match="every design of this space has"):
        made(tmp_path / "run", *SMALL, "target.constraints=[{property: density, minimum: 9}]")


def test_a_value_out_of_reach_is_warned_of(tmp_path, capsys):
    made(tmp_path / "run", *SMALL, "target.value=40", "search.designs=3", "search.compare=[]")
    assert "far outside of what" in capsys.readouterr().err
    assert "far outside of what" in load(tmp_path / "run").outcome["warnings"][0]


def test_several_goals_have_a_front(tmp_path):
    config = load_design(
        [*SMALL, "target.also=[{property: {name: warren_cowley}, goal: maximise}]", f"output={tmp_path / 'run'}"]
    )
    problem = open_problem(config)
    objective = problem.objective(seed=0, cache=Cache(None))
    rng = np.random.default_rng(0)
    for _ in range(12):
        objective(problem.space.random(rng))
    targets = objective.targets.items()
    rows = {id(e): [t.distance(e.measurements[k].value) for k, t in targets] for e in objective.entries}
    for entry in objective.entries:
        mine = np.array(rows[id(entry)])
        beaten = any((np.array(row) <= mine).all() and (np.array(row) < mine).any() for row in rows.values())
        assert any(entry is each for each in objective.front) == (not beaten)
    assert 1 <= len(objective.front) < 12


def test_the_report_shows_the_front_of_two_goals_and_escapes_what_it_shows(tmp_path):
    also = "target.also=[{property: {name: warren_cowley}, goal: maximise}]"
    folder = tmp_path / "run <b>"
    made(f"'{folder}'", *SMALL, also, "search.designs=6", "verification.candidates=1")
    results = load(folder)
    progress, front = search_figures(results)
    assert "property evaluations" in progress.axes[0].get_xlabel()
    assert "warren cowley" in front.axes[0].get_ylabel()
    assert set(results.best.record["measurements"]) == {LABEL, "warren_cowley"}
    page = (folder / "report.html").read_text()
    assert "run <b>" not in page
    assert "run &lt;b&gt;" in page
    assert page.count("<img") == 4  # a comparison for each goal, the progress and the front


def test_a_film_of_a_design_is_its_search(finished):
    _, folder = finished
    results = load(folder)
    found = results.best.record["found"]
    rows = results.designs[(results.designs["method"] == found["method"]) & (results.designs["seed"] == found["seed"])]
    rows = rows.sort_values("index")
    film = recorded(folder, Look())
    assert len(film) == len(rows) == len(film.labels["evaluation"])
    best = [min(rows[LABEL].iloc[: n + 1]) for n in range(len(rows))]
    assert film.labels[LABEL.replace("_", " ")] == pytest.approx(best)
    last = results.atoms(rows[LABEL].idxmin())
    assert film[-1].spheres[:, :3] == pytest.approx(last.get_positions(wrap=True), abs=1e-4)
    assert film[-1].spheres[:, 4:7] == pytest.approx(scene_from_atoms(last).spheres[:, 4:7])
