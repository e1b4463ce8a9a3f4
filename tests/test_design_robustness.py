"""What goes wrong around a design: failing searches, damaged folders, checkpoints of another purpose, no way out."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
import torch

from matdesign import load
from matdesign.agents.checkpoint import load_checkpoint, save_checkpoint
from matdesign.agents.train import last_checkpoint
from matdesign.cli import main
from matdesign.config import load_design
from matdesign.design import searching
from matdesign.design.assembly import make_policy, open_vector
from matdesign.design.job import check_design, design
from matdesign.design.look import Look
from matdesign.design.objective import Objective, search
from matdesign.design.outcome import OUTCOME
from matdesign.design.picture import recorded
from matdesign.design.problem import open_problem
from matdesign.design.run import RunFolder
from matdesign.design.searchers import SEARCHERS, make_searcher, suited
from matdesign.design.searchers.conditioned import ConditionedPolicy, Purpose
from matdesign.design.searchers.random import RandomSearch
from matdesign.design.searching import findings, run_searches
from matdesign.design.store import DATABASE
from matdesign.errors import InputError
from matdesign.properties import Cache, find
from matdesign.rewards.target import Constraint, Target

# Short-range order: no LAMMPS needed to measure it.
SMALL = (
    "target=minimise",
    "target.property=warren_cowley",
    "material.structure.repeat=[2,2,1]",
    "search=random",
    "search.designs=5",
    "verification.candidates=1",
    "verification.references=1",
    "verification.steps=100",
    "render.width=64",
    "render.height=64",
    "processes=1",
    "quiet=true",
)
CLUSTER = ("material=argon_cluster", "target=lowest_energy", "material.structure.atoms=5", "env.envs=1")


def made(folder, *settings):
    config = load_design([*SMALL, *settings, f"output={folder}"])
    check_design(config)
    with RunFolder.create(config, "design") as run:
        design(config, run)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("design") / "run"
    with pytest.MonkeyPatch.context() as patch:
        ask = SEARCHERS["hill_climbing"].ask

        def fails_later(self):
            if self.space.size and getattr(self, "asked", 0) > 1:
                raise np.linalg.LinAlgError("singular matrix")
            self.asked = getattr(self, "asked", 0) + 1
            return ask(self)

        patch.setattr(SEARCHERS["hill_climbing"], "ask", fails_later)
        made(folder, "search.compare=[hill_climbing]")
    return folder


def test_a_search_that_fails_ends_itself_alone_and_the_report_says_so(finished):
    results = load(finished)
    assert results.designs.groupby("method").size()["random"] == 5
    assert "hill_climbing" in set(results.designs["method"])
    (warning,) = results.outcome["warnings"]
    assert warning == "search by hill_climbing, seed 0, ended early: LinAlgError: singular matrix"
    assert warning in (finished / "summary.txt").read_text()
    assert warning in (finished / "report.html").read_text()
    json.loads((finished / OUTCOME).read_text(), parse_constant=pytest.fail)  # no NaN in it


def test_a_search_done_again_and_stopped_loses_nothing(tmp_path, monkeypatch):
    config = load_design(list(SMALL))
    run_searches(config, ["random"], tmp_path, {})
    before = findings(tmp_path)
    assert len(before) == 5
    ask, asked = RandomSearch.ask, []

    def stopped(self):
        asked.append(self)
        if len(asked) > 2:
            raise KeyboardInterrupt
        return ask(self)

    monkeypatch.setattr(RandomSearch, "ask", stopped)
    with pytest.raises(KeyboardInterrupt):
        run_searches(config, ["random"], tmp_path, {})
    assert [each.score for each in findings(tmp_path)] == [each.score for each in before]


def test_what_was_measured_within_a_round_is_kept_when_it_is_stopped(tmp_path, monkeypatch):
    config = load_design([*SMALL, "search=genetic", "search.designs=40"])
    measured, done = Objective._measured, []

    def stopped(self, proposed):
        if len(done) == 7:
            raise KeyboardInterrupt
        done.append(proposed)
        return measured(self, proposed)

    monkeypatch.setattr(Objective, "_measured", stopped)
    with pytest.raises(KeyboardInterrupt):
        run_searches(config, ["genetic"], tmp_path, {})
    assert len(findings(tmp_path)) == 7


@pytest.mark.parametrize(
    "damage",
    [
        b'{"design": [0, 1', b"\xff\xfe\n", b"[" * 100_000 + b"\n", b"null\n", b"{}\n", b"3\n",
        b'{"design": [0], "score": "x", "values": {}, "violation": 0, "cost": {}}\n',
        b'{"design": [0], "score": 1, "values": {"a": 1}, "violation": 0, "cost": {}}\n',
        b'{"design": [0], "score": 1, "values": {}, "violation": 0, "cost": {"price": 1}}\n',
    ],
)  # fmt: skip
def test_findings_are_read_up_to_a_damaged_line(finished, tmp_path, damage):
    (tmp_path / "searches").mkdir()
    lines = (finished / "searches" / "random-0.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "searches" / "random-0.jsonl").write_bytes(b"".join(lines[:3]) + damage + lines[3])
    (tmp_path / "searches" / "notes.jsonl").write_bytes(lines[0])  # of nobody
    assert [each.score for each in findings(tmp_path)] == [each.score for each in findings(finished)[-5:-2]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (OUTCOME, b""), (OUTCOME, b"[]"), (OUTCOME, b'{"candidates": []}'), (OUTCOME, b"[" * 100_000),
        (OUTCOME, b"\xff"), (DATABASE, None), (DATABASE, b""), (DATABASE, b"SQLite format 3\x00" + b"?" * 5000),
    ],
)  # fmt: skip
def test_a_damaged_folder_is_refused_in_one_line(finished, tmp_path, name, content):
    for file in (OUTCOME, DATABASE):
        (tmp_path / file).write_bytes((finished / file).read_bytes())
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name} cannot be read") as caught:
        load(tmp_path).best  # noqa: B018
    assert "--resume" in str(caught.value)
    assert content is not None or not (tmp_path / name).exists()  # nor made empty


def test_a_folder_without_results_says_what_it_is(finished, tmp_path, capsys):
    with pytest.raises(InputError, match="no run folder"):
        load(tmp_path)
    (tmp_path / "status.json").write_bytes((finished / "status.json").read_bytes())
    with pytest.raises(InputError, match="not finished"):
        load(tmp_path)
    with pytest.raises(InputError, match="not finished"):
        recorded(tmp_path, Look())
    assert main(["view", str(tmp_path)]) == 2
    assert "not finished" in capsys.readouterr().err
    with pytest.raises(InputError, match="cannot be read"):
        load(finished).atoms(10**9)


@pytest.mark.parametrize("method", suited(open_problem(load_design(list(SMALL))).space))
def test_every_searcher_survives_where_no_design_keeps_the_constraints(method):
    problem = open_problem(load_design(list(SMALL)))
    objective = Objective(
        problem.space, list(problem.targets.values()), problem.material, minimum_distance=6.0, cache=Cache(None)
    )
    entries = search(make_searcher(method, problem.space, {}, seed=0), objective, budget=5)
    assert entries
    assert all(entry.score == math.inf and entry.violation > 0.0 for entry in entries)


class Told(RandomSearch):
    """Remembers its scores."""

    def __init__(self, space, *, seed):
        super().__init__(space, seed=seed)
        self.scores = []

    def tell(self, designs, scores):
        self.scores += scores


def test_a_broken_constraint_is_told_as_worse_than_a_target_that_is_hit():
    problem = open_problem(load_design(list(SMALL)))
    order = find("warren_cowley")()
    target = Target(property=order, goal="hit", value=0.0, tolerance=10.0)  # everything hits it
    objective = Objective(problem.space, target, problem.material, cache=Cache(None),
                          constraints=[Constraint(property=order, minimum=0.0)])  # fmt: skip
    searcher = Told(problem.space, seed=0)
    search(searcher, objective, budget=6)
    kept = {score for score in searcher.scores if score == 0.0}
    assert kept == {0.0}
    assert all(score > 0.0 for score in searcher.scores if score not in kept)
    assert min(entry.score for entry in objective.entries) < max(entry.score for entry in objective.entries) == math.inf


def test_a_value_that_is_no_number_keeps_no_constraint(monkeypatch):
    problem = open_problem(load_design(list(SMALL)))
    kind = find("warren_cowley")
    estimate = kind.estimate

    def nothing(self, *arguments):
        return type(estimate(self, *arguments))(value=math.nan)

    monkeypatch.setattr(kind, "estimate", nothing)
    objective = Objective(problem.space, Target(property=find("density")(), goal="minimise"), problem.material,
                          constraints=[Constraint(property=kind(), maximum=9.0)], cache=Cache(None))  # fmt: skip
    entry = objective(problem.space.random(np.random.default_rng(0)))
    assert entry.score == math.inf
    assert not entry.measurements


def test_goals_on_one_property_have_scales_of_their_own():
    config = load_design([*SMALL, "target.also=[{property: warren_cowley, goal: maximise}]"])
    targets = open_problem(config, scales={"warren_cowley": 2.0, "warren_cowley (2)": 3.0}).targets
    assert [target.scale for target in targets.values()] == [2.0, 3.0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["target=minimise", "target.property=density", "target.verified_by.temperature=3"], "verified_by names no"),
        (["agent.checkpoint=nowhere", "search=genetic"], "agent.checkpoint=nowhere is of no use to search=genetic"),
        ([*CLUSTER, "search=steering", "search.settings.population=3"], "population is no setting of steering"),
        (["search=minima_hopping"], "use one of policy, random"),
        ([*CLUSTER, "search=policy"], "use one of random, hill_climbing"),
    ],
)
def test_what_cannot_serve_is_refused(settings, message):
    with pytest.raises(InputError, match=message) as caught:
        check_design(load_design(settings))
    assert "\n" not in str(caught.value)


@pytest.fixture
def steered(tmp_path):
    """A run folder with an untrained policy in it, and the settings that it answers to."""
    config = load_design([*CLUSTER, "search=steering", f"output={tmp_path / 'run'}"])
    with open_vector(config.training) as vector:
        policy = make_policy(config.training, vector)
    with RunFolder.create(config, "design") as run:
        tensors = {f"policy.{name}": tensor for name, tensor in policy.state_dict().items()}
        save_checkpoint(last_checkpoint(run.path), tensors, {})
    return run.path


def test_a_policy_serves_what_it_was_trained_for(steered):
    asked = [*CLUSTER, "search=steering", f"agent.checkpoint={steered}"]
    check_design(load_design(asked))
    check_design(load_design([*asked, "material.structure.atoms=7"]))
    for other in ("env.settings.control=displacement", "material.name=krypton"):
        value = other.partition("=")[2]
        with pytest.raises(InputError, match=f"was trained with .*, not {value}"):
            check_design(load_design([*asked, other]))


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "nan"])
def test_a_damaged_policy_is_refused(steered, damage):
    path = last_checkpoint(steered)
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "nan":
        tensors, meta = load_checkpoint(path)
        save_checkpoint(path, {name: torch.full_like(tensor, math.nan) for name, tensor in tensors.items()}, meta)
    else:
        path.write_bytes(data[: len(data) // 2] if damage == "cut" else b"")
    with pytest.raises(InputError, match="take another checkpoint") as caught:
        check_design(load_design([*CLUSTER, "search=steering", f"agent.checkpoint={steered}"]))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [{"low": math.nan}, {"low": "few"}, {"high": 0.0}, {"planes": 3}, {"planes": [9, 9, 9]}, {"extra": 1}, None],
)
def test_a_damaged_conditioned_policy_is_refused(tmp_path, change):
    problem = open_problem(load_design(list(SMALL)))
    measured = problem.targets["warren_cowley"].property
    purpose = Purpose.of(problem.space, measured, problem.material)
    policy = ConditionedPolicy(purpose, low=0.1, high=0.2, seed=0)
    path = tmp_path / "conditioned.safetensors"
    told = {**asdict(purpose), "low": 0.1, "high": 0.2}
    save_checkpoint(path, dict(policy.network.state_dict()), {"conditioned": told})
    assert ConditionedPolicy.load(path, problem.space, measured, problem.material).high == 0.2
    damaged = "none" if change is None else told | change
    save_checkpoint(path, dict(policy.network.state_dict()), {"conditioned": damaged})
    with pytest.raises(InputError, match=r"train again|train a policy"):
        ConditionedPolicy.load(path, problem.space, measured, problem.material)


def test_a_crash_that_all_searches_share_ends_the_run_in_one_line(tmp_path, monkeypatch):
    def fails(self):
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(RandomSearch, "ask", fails)
    with pytest.raises(searching.MatdesignError, match="no search came to an end: ZeroDivisionError: by nothing"):
        run_searches(load_design(list(SMALL)), ["random"], tmp_path, {})
