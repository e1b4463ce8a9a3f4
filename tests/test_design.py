"""The design job: flying, counting, comparing, exporting, drawing."""

import json
import math

import ase.io
import numpy as np
import pytest
import torch
from PIL import Image

from matdesign.agents.policies import MLPPolicy
from matdesign.config import load
from matdesign.design.assembly import make_policy, open_vector
from matdesign.design.export import best_structure, export
from matdesign.design.flight import fly, search_figures
from matdesign.design.job import check_design, design, evaluate
from matdesign.design.look import Look
from matdesign.design.multistart import multistart, random_cloud
from matdesign.design.picture import render_job
from matdesign.design.run import RunFolder
from matdesign.envs.atoms import AtomsResult
from matdesign.errors import InputError
from matdesign.sim.simulation import Simulation
from matdesign.vector import Vector

SMALL = (
    "agent.ppo.total_agent_steps=3000",
    "env.envs=8",
    "evaluation.episodes=16",
    "evaluation.multistart=20",
    "render.width=160",
    "render.height=80",
    "quiet=true",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A small design run, finished."""
    folder = tmp_path_factory.mktemp("design") / "run"
    config = load([*SMALL, f"output={folder}"])
    with RunFolder.create(config, "design") as run:
        design(config, run)
    return config, folder


def result(energy, evaluations):
    return AtomsResult(
        positions=np.zeros((1, 3)), energy=energy, evaluations=evaluations, failed=not math.isfinite(energy)
    )


def test_search_figures_by_hand():
    found = [result(-2.0, 100), result(-1.9, 300), result(math.nan, 50), result(-2.00004, 150)]
    figures = search_figures(found, energy_scale=0.5, reference=-4.0, tolerance=1e-3)
    assert figures.success[0] == 0.5
    assert figures.success[1] == pytest.approx(math.sqrt(0.25 / 4))
    assert figures.evaluations[0] == 150
    assert figures.evaluations[1] == pytest.approx(np.std([100, 300, 50, 150], ddof=1) / 2)
    assert figures.cost[0] == 300
    assert figures.cost[1] == pytest.approx(300 * math.hypot(figures.evaluations[1] / 150, 0.25 / 0.5))
    assert figures.best == pytest.approx(-4.00008)
    assert figures.failed == 1


def test_search_figures_without_a_success_and_without_a_reference():
    found = [result(-1.0, 10), result(-2.0, 10)]
    assert search_figures(found, energy_scale=1.0, reference=-3.0, tolerance=1e-3).cost[0] == math.inf
    assert search_figures(found, energy_scale=1.0, reference=None, tolerance=1e-3).success[0] == 0.5


def test_random_clouds_are_seeded_and_keep_their_distance():
    clouds = [random_cloud(seed, 20, density=0.35, apart=0.8) for seed in (1, 1, 2)]
    assert np.array_equal(clouds[0], clouds[1])
    assert not np.array_equal(clouds[0], clouds[2])
    distances = np.linalg.norm(clouds[0][:, None] - clouds[0], axis=2)[np.triu_indices(20, 1)]
    assert distances.min() >= 0.8
    assert np.linalg.norm(clouds[0], axis=1).max() <= (3 * 20 / (4 * np.pi * 0.35)) ** (1 / 3) + 1e-12


@pytest.mark.parametrize("method", ["cg", "lbfgs"])
def test_multistart_ends_in_minima_and_counts_every_evaluation(method):
    material = load([]).material
    atoms = material.structure.build(material)
    found = multistart(atoms, material, method=method, starts=6, seed=5, density=0.35, apart=0.8, tolerance=1e-2)
    above = []
    with Simulation(atoms, material) as simulation:
        for one in found:
            simulation.place(one.positions, energies=True)
            assert simulation.energy == pytest.approx(one.energy, abs=1e-12)
            assert np.abs(simulation.f).max() * material.length_scale / material.energy_scale <= 1e-2
            above.append((one.energy - simulation.minimize(force_tolerance=1e-6).energy) / material.energy_scale)
    assert min(above) >= -1e-12
    assert np.median(above) < 1e-3  # a start may end near a saddle, where forces are small too
    assert all(20 < one.evaluations < 1000 for one in found)
    # A start in its minimum takes one evaluation to see that; nothing is counted twice or left out.
    with Simulation(atoms, material) as simulation:
        simulation.place(found[0].positions)
        before = simulation.evaluations
        simulation.place(found[0].positions)
        simulation.relax(tolerance=1e-2 * material.energy_scale / material.length_scale, evaluations=100)
        assert simulation.evaluations - before == 2  # place, and the energies that relax needs


def test_flights_are_reproducible_and_every_environment_counts_equally():
    config = load(SMALL)
    with open_vector(config) as vector:
        policy = make_policy(config, vector)
        first, again, other, sampled = (
            fly(vector, policy, episodes=20, seed=seed, deterministic=deterministic)
            for seed, deterministic in ((7, True), (7, True), (8, True), (7, False))
        )
    assert len(first.results) == 24  # rounded up to the same number in each of 8 environments
    assert [r.energy for r in first.results] == [r.energy for r in again.results]
    assert [r.energy for r in first.results] != [r.energy for r in other.results]
    assert [r.energy for r in first.results] != [r.energy for r in sampled.results]
    scale = config.material.energy_scale
    assert first.figures["energy"] == pytest.approx(np.mean([r.energy for r in first.results]) / 13 / scale, rel=1e-5)
    assert first.figures["evaluations"] == pytest.approx(np.mean([r.evaluations for r in first.results]), rel=1e-5)


def test_episodes_count_start_steering_and_relaxation():
    config = load([*SMALL, "env.settings.start_relax=0", "env.settings.relax_evaluations=0"])
    with open_vector(config) as vector:
        flight = fly(vector, make_policy(config, vector), episodes=8, seed=1, deterministic=True)
        again = fly(vector, make_policy(config, vector), episodes=8, seed=2, deterministic=True)
    # One evaluation enters the long run, once; then one places the atoms and 20 x 20 steer them.
    assert {r.evaluations for r in flight.results} == {402}
    assert {r.evaluations for r in again.results} == {401}


def test_a_design_run_leaves_what_it_says(finished):
    config, folder = finished
    results = json.loads((folder / "results.json").read_text())
    assert [search["atoms"] for search in results["searches"]] == [13, 19]
    assert results["searches"][0]["reference"] == -44.326801
    assert set(results["searches"][0]["methods"]) == {
        "policy",
        "multi-start conjugate gradient",
        "multi-start L-BFGS",
    }
    assert results["training_evaluations"] > 1000
    for path in export(folder, (), None):
        assert path.stat().st_size > 100
    atoms = ase.io.read(folder / "exports" / "best.extxyz")
    assert len(atoms) == 13
    assert set(atoms.symbols) == {"Ar"}
    assert atoms.get_potential_energy() == pytest.approx(results["energy"], rel=1e-6)
    with Simulation(atoms, config.material) as simulation:
        assert simulation.energy == pytest.approx(results["energy"], rel=1e-6)
        assert np.abs(simulation.f).max() < 1e-4
    picture = Image.open(folder / "exports" / "best.png")
    assert picture.convert("RGB").getcolors(1 << 20) is not None
    assert len(picture.convert("RGB").getcolors(1 << 20)) > 50


def test_the_same_seed_gives_the_same_run(finished, tmp_path):
    config = load([*SMALL, f"output={tmp_path / 'again'}"])
    with RunFolder.create(config, "design") as run:
        design(config, run)
    first, again = (json.loads((folder / "results.json").read_text()) for folder in (finished[1], run.path))
    assert first == again


def test_evaluate_and_exports_of_a_finished_run(finished, tmp_path):
    config, folder = finished
    with RunFolder.open(folder) as run:
        evaluate(config, run)
    figures = json.loads((folder / "evaluation.json").read_text())
    assert figures["episodes"] == 16
    assert figures["evaluation"]["seed"] == config.evaluation.seed
    # Against the known ground state: against its own lowest, each of 8 environments would count its first episode.
    policy = json.loads((folder / "results.json").read_text())["searches"][0]["methods"]["policy"]
    assert figures["perf"] == policy["success"][0] < 0.5
    written = export(folder, ("cif", "poscar"), tmp_path / "out")
    assert sorted(path.name for path in written) == ["best.cif", "best.vasp"]
    assert len(ase.io.read(tmp_path / "out" / "best.cif")) == 13
    assert len(best_structure(folder)) == 13
    assert Image.open(render_job(folder, tmp_path / "a.png", Look())).width > 100


def test_bad_requests_get_one_clear_error(finished, tmp_path):
    _, folder = finished
    with pytest.raises(InputError, match="formats=pdb is unknown: use cif"):
        export(folder, ("pdb",), None)
    with pytest.raises(InputError, match="no run folder"):
        export(tmp_path, ("cif",), None)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write output"):
        export(folder, ("cif",), tmp_path / "file")
    smaller = load([*SMALL, "env.settings.neighbours=6"])
    with RunFolder.open(folder) as run, pytest.raises(InputError, match="not of this policy"):
        evaluate(smaller, run)
    with pytest.raises(InputError, match="use matdesign train"):
        check_design(load(["env=squared"]))
    with pytest.raises(InputError, match="needs a free cluster"):
        check_design(load(["material=copper"]))
    with pytest.raises(InputError, match="every simulation of material=argon_cluster fails in its first control step"):
        check_design(load([*SMALL, "material.masses=[1e-30]"]))
    wrong = load(["env=squared", "agent.policy.kind=equivariant"])
    with open_vector(wrong) as vector, pytest.raises(InputError, match="needs atoms"):
        make_policy(wrong, vector)


def test_flights_do_not_favour_agents_that_end_early():
    """Snakes end on their own: each must have ended before the figures count."""
    with Vector("snake", {"snakes": 4, "width": 16, "height": 16, "food": 20, "horizon": 200}, envs=2) as vector:
        policy = MLPPolicy(vector.features, vector.action_dims, vector.choices, hidden=[4], log_sigma=0.0, seed=0)
        flight = fly(vector, policy, episodes=2, seed=3, deterministic=False)
        vector.reset(3)
        generator, ended = torch.Generator().manual_seed(3), np.zeros(8, int)
        while ended.min() < 1:
            vector.actions[...] = policy.act(torch.from_numpy(vector.observations), generator)
            vector.step()
            ended += vector.terminals | vector.truncations
    assert flight.figures["episodes"] >= 8
    assert ended.max() > 1
