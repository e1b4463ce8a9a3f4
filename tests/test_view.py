"""Looking at runs and structures: nothing changes for being looked at, and what is read is what is there."""

import io
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule
from browser import chromium, picture, wait_for, where
from PIL import Image

import matdesign
from matdesign.agents.actor import Actor
from matdesign.cli import main
from matdesign.config import load
from matdesign.design.assembly import make_policy, open_vector
from matdesign.design.live import Live
from matdesign.envs.atoms import atoms_layout
from matdesign.errors import InputError
from matdesign.render.page import Page
from matdesign.render.player import Player
from matdesign.render.recording import record_atoms
from matdesign.render.replay import Replay

STEPS = 45  # an episode has 20
CLUSTER = ["env=atoms/cluster", "env.envs=2", "quiet=true"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with a policy that was trained for a moment."""
    folder = tmp_path_factory.mktemp("view") / "run"
    short = ["env=squared", "env.envs=16", "agent.ppo.total_agent_steps=4096", "quiet=true", f"output={folder}"]
    assert main(["train", *short]) == 0
    return folder


def test_a_rollout_is_bit_identical_whether_or_not_it_is_looked_at():
    config = load(CLUSTER)
    with open_vector(config, own_memory=True) as vector:
        policy = make_policy(config, vector)
        vector.reset(7)
        unseen = []
        for _ in range(STEPS):
            vector.actions[:] = Actor(policy)(torch.from_numpy(vector.observations)).numpy()
            vector.step()
            unseen.append((vector.observations.copy(), vector.rewards.copy()))
    with open_vector(config, own_memory=True) as vector:
        clock = [0.0]
        live = Live(config, vector, make_policy(config, vector), title="", seed=7)
        player = Player(live, clock=lambda: clock[0])
        page = Page(player)
        try:
            player.show_trails(True)
            seen = []
            for step in range(STEPS):
                player.pick(step % 13)
                player.look_at(step % 2)
                player.request(player.single_step)
                page.update()
                player.reading(), player.scene()
                seen.append((vector.observations.copy(), vector.rewards.copy()))
        finally:
            page.close()
    for (a, b), (c, d) in zip(unseen, seen, strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)


def test_an_atom_reads_the_energy_and_the_force_that_lennard_jones_gives_it():
    config = load(CLUSTER)
    with open_vector(config, own_memory=True) as vector:
        live = Live(config, vector, make_policy(config, vector), title="", seed=3)
        live.look_at(1)
        for _ in range(3):
            live.step()
        sigma, epsilon = 3.405, 0.010323565  # A, eV; conf/material/argon_cluster.yaml
        positions = live.scene().spheres[:, :3].astype(float)
        for agent in (0, 5, 12):
            assert live.agent(live.sphere(agent)) == agent
            reading = live.reading(agent)
            away = positions[agent] - np.delete(positions, agent, axis=0)
            r = np.linalg.norm(away, axis=1)
            s6 = (sigma / r) ** 6
            energy = 0.5 * (4 * epsilon * (s6**2 - s6)).sum()
            force = ((24 * epsilon * (2 * s6**2 - s6) / r**2)[:, None] * away).sum(axis=0)
            read = np.array(reading["force (eV/A)"].split(), float)
            np.testing.assert_allclose(read, force, rtol=0.006, atol=1e-5)  # three digits are shown
            assert float(reading["energy (eV)"]) == pytest.approx(energy, rel=0.001)
            nearest = np.array(reading["nearest neighbours (A)"].split(), float)
            np.testing.assert_allclose(nearest, np.sort(r)[:4], rtol=0.006)


def test_a_dragged_goal_is_where_it_was_put_and_the_move_earns_nothing():
    config = load(["env=atoms/steer", "env.envs=2", "quiet=true"])
    with open_vector(config, own_memory=True) as vector:
        live = Live(config, vector, make_policy(config, vector), title="", seed=3)
        player = Player(live, clock=lambda: 0.0)
        player.look_at(1)
        n, other = vector.agents, vector.observations[: vector.agents].copy()
        assert [live.goal(sphere) for sphere in range(4)] == [None, 0, None, 1]
        atom, goal = live.scene().spheres[6, :3], (5.0, -4.0, 3.0)
        player.drag(7, goal)  # of atom 3
        player.drag(6, (0.0, 0.0, 0.0))  # an atom itself stays
        before = live.scene().spheres[:, :3].astype(float)
        np.testing.assert_array_equal(before[6], atom)
        np.testing.assert_array_equal(before[7], goal)
        way = np.array(goal) - atom
        scale = config.material.length_scale
        reading = vector.observations[n + 3]
        layout = atoms_layout(config.material, config.env.settings)
        seen = reading[layout.scalars + 9 : layout.scalars + 12]
        np.testing.assert_allclose(seen, way / (scale + np.linalg.norm(way)), rtol=1e-4)
        np.testing.assert_array_equal(vector.observations[:n], other)
        live.step()
        after = live.scene().spheres[:, :3].astype(float)
        nearer = np.linalg.norm(before[6] - goal) - np.linalg.norm(after[6] - goal)
        assert vector.rewards[n + 3] == pytest.approx(nearer / scale, abs=2e-5)


def test_a_dragged_target_of_a_drone_is_flown_to():
    settings = ["env.settings.drones=3", "env.settings.start_tilt=0", "env.envs=1"]
    tasks = [f"env.settings.{name}=0" for name in ("idle", "orbit", "follow", "cube", "congo", "flag", "plane", "race")]
    config = load(["env=drone_swarm", *settings, *tasks])
    with open_vector(config, own_memory=True) as vector:
        live = Live(config, vector, make_policy(config, vector), title="", seed=3)
        assert [sphere for sphere in range(18) if live.goal(sphere) is not None] == [5, 11, 17]
        far = (8.0, -8.0, 6.0)
        live.move_goal(live.goal(11), far)
        np.testing.assert_array_equal(live.scene().spheres[11, :3], far)
        live.step()
        np.testing.assert_array_equal(live.scene().spheres[11, :3], far)  # hovering: it stays
        assert abs(vector.rewards[1]) < 0.05  # 10 m away, but not flown


def test_the_caption_counts_steps_of_the_episode_and_its_return():
    config = load(["env=squared", "env.envs=3", "quiet=true"])
    with open_vector(config, own_memory=True) as vector:
        live = Live(config, vector, make_policy(config, vector), title="", seed=0)
        returns = 0.0
        for _ in range(200):
            live.step()
            returns = returns + vector.rewards[0] if vector.masks[0] else 0.0
            steps = int(re.search(r"step (\d+)", live.caption())[1])
            assert (steps == 0) == (not vector.masks[0])
            assert float(re.search(r"mean return (\S+?),?(\s|$)", live.caption())[1]) == pytest.approx(
                returns, rel=0.01
            )
        assert "last episode: score" in live.caption()
        before = vector.observations.copy()
        live.reset()
        first = vector.observations.copy()
        for _ in range(200):
            live.step()
        np.testing.assert_array_equal(vector.observations, before)  # the same starts again
        live.reset()
        np.testing.assert_array_equal(vector.observations, first)


def test_a_trajectory_is_replayed_in_a_circle_and_its_atoms_are_read():
    trajectory = [Atoms("CO", [(0, 0, 0), (0, 0, 1.1 + 0.1 * step)]) for step in range(3)]
    replay = Replay(
        record_atoms(trajectory, labels={"energy (eV)": np.array([1.0, 2.0, np.nan])}), title="", atoms=trajectory
    )
    assert (replay.frames, replay.agents) == (3, 2)
    assert "energy (eV) 1" in replay.caption()
    replay.seek(2)
    assert replay.reading(1) == {"species": "O", "position (A)": "0  0  1.3"}
    replay.step()
    assert replay.frame == 0
    scene = replay.scene()
    scene.lines = np.zeros((5, 10), np.float32)
    assert len(replay.scene().lines) == 0  # what a player adds is not kept


def test_view_serves_a_run_until_it_is_interrupted(run):
    command = [sys.executable, "-m", "matdesign", "view", str(run), "env.envs=2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        url = re.search(r"http://127\.0\.0\.1:\d+/[\w-]{24,}/", line)[0]
        assert "ssh -L" in process.stdout.readline()
        with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310
            assert b'id="root"' in answer.read()
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(url[: url.rindex("/", 0, -1)] + "/", timeout=20)  # noqa: S310
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.wait()


def test_view_exports_what_it_would_serve(run, tmp_path, capsys):
    page = tmp_path / "run.html"
    assert main(["view", str(run), "--export", str(page), "frames=10"]) == 0
    assert capsys.readouterr().out.strip() == str(page)
    assert 700_000 < page.stat().st_size < 1_500_000
    bulk("Cu", cubic=True).write(tmp_path / "cu.cif")
    assert main(["view", str(tmp_path / "cu.cif"), "bonds=true", "--export", str(page)]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.cif"], "does not exist"),
        (["{empty}"], "is no run folder"),
        (["{run}", "port=http"], "port=http is no number"),
        (["{run}", "port=99999"], "port=99999"),
        (["{run}", "host=1.2.3.4"], "cannot be listened on"),
        (["{run}", "env.setings.size=3"], "env.setings"),
        (["{run}", "--export", "page.pdf"], "must end in .html"),
        (["{run}", "--export", "page.html", "port=80"], "port"),
        (["{file}", "colour=mass"], "unknown setting 'colour=mass'; did you mean color?"),
        (["{file}", "frames=9"], "holds no structure"),
    ],
)
def test_what_cannot_be_viewed_is_said_in_one_line(run, tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    file = tmp_path / "water.xyz"
    molecule("H2O").write(file)
    filled = [text.format(run=run, empty=tmp_path / "empty", file=file) for text in arguments]
    assert main(["view", *filled]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_run_is_only_read(run):
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    run.chmod(0o555)
    try:
        matdesign.view(run)
    finally:
        run.chmod(0o755)
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_everything_that_can_be_viewed(run, tmp_path):
    from pymatgen.core import Lattice, Structure

    copper = bulk("Cu", cubic=True)
    salt = Structure(Lattice.cubic(4.2), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    copper.write(tmp_path / "cu.xyz")
    recording = record_atoms([copper] * 3)
    recording.save(tmp_path / "cu.npz")
    for what, frames, spheres in (
        (copper, 1, 4),
        (salt, 1, 2),
        ([copper, copper], 2, 4),
        (recording, 3, 4),
        (recording[0], 1, 4),
        (tmp_path / "cu.xyz", 1, 4),
        (str(tmp_path / "cu.npz"), 3, 4),
    ):
        shown = matdesign.view(what)
        assert (len(shown.recording), len(shown.recording[0].spheres)) == (frames, spheres)
    assert len(matdesign.view(run).recording) > 1
    for nothing in (5, [], [1, 2], None):
        with pytest.raises(InputError, match="cannot be viewed"):
            matdesign.view(nothing)


def test_a_cell_of_a_notebook_is_interactive_and_falls_back_to_a_picture(tmp_path):
    oxygen = matdesign.view(Atoms("O", [(0, 0, 0)]), height=300)  # red
    image = np.asarray(Image.open(io.BytesIO(oxygen._repr_png_())).convert("RGB"))
    assert image.shape == (300, 400, 3)
    column, row, count = where(image, 0)
    assert (abs(column - 200) < 15, abs(row - 150) < 15, count > 10_000) == (True, True, True)
    cell = tmp_path / "cell.html"
    cell.write_text(f"<!doctype html><body style='margin:0'>{oxygen._repr_html_()}</body>")
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 500, "height": 320}, offline=True)
        tab = context.new_page()
        tab.goto(cell.as_uri())
        assert wait_for(lambda: where(picture(tab), 0)[2] > 5000)
        column, row, _ = where(picture(tab), 0)
        assert (abs(column - 250) < 25, abs(row - 150) < 25) == (True, True)
    data, _ = pytest.importorskip("IPython.core.formatters").DisplayFormatter().format(oxygen)
    assert {"text/html", "image/png"} <= set(data)
    saved = oxygen.save(tmp_path / "one.html")
    assert saved.read_text().startswith("<!doctype html>")
