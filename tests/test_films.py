"""What `matdesign render` makes of runs and files, decoded again."""

import os
import subprocess
import sys

import ase.io
import av
import numpy as np
import pytest
from ase import Atoms
from ase.data import covalent_radii
from PIL import Image

from matdesign.config import load
from matdesign.design.assembly import make_policy, open_vector
from matdesign.design.job import train
from matdesign.design.look import Look
from matdesign.design.picture import render_job
from matdesign.design.rollout import record_run, rollout
from matdesign.design.run import RunFolder
from matdesign.design.training import trained_policy
from matdesign.errors import InputError
from matdesign.render.camera import Camera
from matdesign.render.film import pictures, steady
from matdesign.render.recording import Recording, record_atoms
from matdesign.scene import Scene

FLAT = "camera=top", "orthographic=true", "size=160x120", "captions=false"


def look(*texts):
    return Look.of(dict(text.split("=", 1) for text in texts))


def frames_of(path):
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24", src_colorspace="ITU709") for frame in film.decode(video=0)]


def centres(picture):
    """Columns of the left and of the right half's dark pixels, means: where two blobs are."""
    dark = picture.astype(int).sum(axis=2) < 500
    columns = np.flatnonzero(dark.any(axis=0))
    gap = np.flatnonzero(np.diff(columns) > 3)[0]
    return columns[: gap + 1].mean(), columns[gap + 1 :].mean()


@pytest.fixture
def approach(tmp_path):
    """One copper atom stands still, another comes nearer along x, over ten frames."""
    frames = [Atoms("Cu2", [[0, 0, 0], [14.0 - i, 0, 0]], info={"gap (A)": 14.0 - i}) for i in range(10)]
    ase.io.write(tmp_path / "approach.extxyz", frames)
    return tmp_path / "approach.extxyz"


@pytest.mark.parametrize("suffix", ["mp4", "webm"])
def test_a_trajectory_as_a_film(approach, tmp_path, suffix):
    """The camera stands still: the first atom stays, the second moves by equal steps, all are seen."""
    path = render_job(approach, tmp_path / f"a.{suffix}", look(*FLAT))
    frames = frames_of(path)
    assert len(frames) == 10
    places = np.array([centres(frame) for frame in frames])
    assert np.ptp(places[:, 0]) < 0.6
    steps = -np.diff(places[:, 1])
    assert steps == pytest.approx(np.full(9, steps.mean()), abs=0.8)
    # 14 A and a radius on each side fill 160 pixels less the margin, in all of the film.
    scene = record_atoms(ase.io.read(approach, ":"))[0]
    pixels = 160 * 0.92 / (14 + 2 * scene.spheres[0, 3])
    assert steps.mean() == pytest.approx(pixels, rel=0.02)


def test_which_frames_and_how_fast(approach, tmp_path):
    path = render_job(approach, tmp_path / "a.gif", look(*FLAT, "frames=1:8:3", "fps=5"))
    with Image.open(path) as film:
        assert film.n_frames == 3
        assert film.info["duration"] == 200
    render_job(approach, tmp_path / "at-%02d.png", look(*FLAT, "frames=-2:"))
    one, other = (np.asarray(Image.open(tmp_path / f"at-0{i}.png")) for i in (0, 1))
    assert centres(one)[1] > centres(other)[1]
    with pytest.raises(InputError, match=r"approach\.extxyz' holds no structure"):
        render_job(approach, tmp_path / "b.gif", look("frames=20:"))


def test_names_follow_from_what_there_is(approach, tmp_path, monkeypatch):
    assert render_job(approach, None, look("size=64x48")) == approach.with_suffix(".mp4")
    ase.io.write(tmp_path / "one.cif", Atoms("Cu", cell=[3, 3, 3], pbc=True))
    assert render_job(tmp_path / "one.cif", None, look("size=64x48")) == tmp_path / "one.png"
    recording = record_atoms(ase.io.read(approach, ":"), fps=10)
    recording.save(tmp_path / "stored.npz")
    film = render_job(tmp_path / "stored.npz", None, look(*FLAT))
    assert film == tmp_path / "stored.mp4"
    with av.open(str(film)) as opened:
        assert float(opened.streams.video[0].average_rate) == 10  # of the recording
    assert [frame.tolist() for frame in frames_of(film)] == [
        frame.tolist() for frame in frames_of(render_job(approach, tmp_path / "c.mp4", look(*FLAT, "fps=10")))
    ]


def test_a_picture_of_many_is_the_last_one(approach, tmp_path):
    render_job(approach, tmp_path / "last.png", look(*FLAT))
    ase.io.write(tmp_path / "last.xyz", ase.io.read(approach, -1))
    render_job(tmp_path / "last.xyz", tmp_path / "alone.png", look(*FLAT))
    assert (tmp_path / "last.png").read_bytes() == (tmp_path / "alone.png").read_bytes()
    for quality in ("fine", "fast"):
        render_job(approach, tmp_path / f"{quality}-%d.png", look(*FLAT, f"quality={quality}", "frames=-1"))
    assert (tmp_path / "fine-0.png").read_bytes() == (tmp_path / "last.png").read_bytes()
    assert (tmp_path / "fast-0.png").read_bytes() != (tmp_path / "last.png").read_bytes()


def test_the_command_needs_no_display_and_no_torch(approach, tmp_path):
    script = (
        "import sys\nfrom matdesign.cli import main\n"
        f"status = main(['render', {str(approach)!r}, 'output=a.gif', 'size=64x48', 'frames=:2'])\n"
        "assert 'torch' not in sys.modules\nsys.exit(status)"
    )
    bare = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env={**bare, "HOME": "/proc"}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "a.gif\n"), done.stderr
    with Image.open(tmp_path / "a.gif") as film:
        assert (film.n_frames, film.size) == (2, (64, 48))


def test_colours_bonds_and_planes(tmp_path):
    atoms = Atoms("Si4", [[0, 0, 0], [2.4, 0, 0], [4.8, 0, 0], [7.2, 0, 0]])
    atoms.new_array("strain", np.array([0.0, 1.0, 2.0, 3.0]))
    asked = look("color=strain", "bonds=2.5", "slice=x:1:", "axes=xyz")
    later = atoms.copy()
    later.arrays["strain"] = later.arrays["strain"] + 3
    first, second = record_atoms([atoms, later], **asked.of_atoms)
    assert len(first.spheres) == 3
    assert len(first.cylinders) == 4  # two halves of each of two bonds
    assert [scene.legend.colour_bar.low for scene in (first, second)] == [0, 0]
    assert [scene.legend.colour_bar.high for scene in (first, second)] == [6, 6]
    assert first.spheres[2, 4:7] == pytest.approx(first.legend.colour_bar.colours[128])  # 3 of 0 to 6
    assert len(first.legend.axes) == 3
    assert record_atoms([atoms])[0].spheres[0, 3] > first.spheres[0, 3]  # smaller with bonds
    assert look("color=species", "bonds=false").of_atoms == {}


def test_radii_are_those_of_the_last_frame():
    close, wide = Atoms("CuC", [[0, 0, 0], [2, 0, 0]]), Atoms("CuC", [[0, 0, 0], [6, 0, 0]])
    for scene in record_atoms([wide, close]):
        assert scene.spheres[:, 3].sum() == pytest.approx(0.92 * 2, rel=1e-5)
        assert scene.spheres[0, 3] / scene.spheres[1, 3] == pytest.approx(
            covalent_radii[29] / covalent_radii[6], rel=1e-5
        )


def test_labels_are_written_in_the_corner(approach):
    recording = record_atoms(ase.io.read(approach, ":"), labels={"gap (A)": np.arange(14.0, 4, -1)})[:2]
    options = {"size": (320, 240), "camera": Camera(towards=(0, 0, 1), up=(0, 1, 0))}
    with_labels = [np.asarray(image) for image in pictures(recording, **options)]
    without = [np.asarray(image) for image in pictures(recording, captions=False, **options)]
    for index, (one, other) in enumerate(zip(with_labels, without, strict=True)):
        rows, columns = np.nonzero((one != other).any(axis=2))
        assert rows.max() < 24, index
        assert columns.max() < 160
        assert len(rows) > 50
    assert (with_labels[0][:24] != with_labels[1][:24]).any()  # 14 and 13


def test_a_camera_that_was_aimed_stays():
    scenes = [Scene(spheres=np.array([[x, 0, 0, 1, 1, 0, 0, 1]], np.float32)) for x in (0, 5)]
    aimed = Camera(target=(0, 0, 0), span=3)
    assert steady(scenes, aimed, (160, 120)) is aimed
    free = steady(scenes, Camera(towards=(0, 0, 1), up=(0, 1, 0), field_of_view=0), (160, 120))
    assert free.target == pytest.approx((2.5, 0, 0))
    assert 120 / free.span == pytest.approx(160 / 7, rel=1e-6)  # 7 wide, over the longer edge


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "squared"
    budget = ["agent.ppo.total_agent_steps=2000", "evaluation.episodes=8", "env.envs=8"]
    config = load(["env=squared", "quiet=true", f"output={path}", *budget])
    with RunFolder.create(config, "train") as folder:
        train(config, folder)
    return path


def test_a_run_as_a_film(run, tmp_path):
    """Oracle: the policy, flown by hand and drawn frame by frame."""
    path = render_job(run, tmp_path / "flight.gif", look("size=120x90", "captions=false"))
    config = load(["env=squared", "env.envs=1"])
    with open_vector(config) as vector:
        flown = Recording.of(
            rollout(vector, trained_policy(run, make_policy(config, vector)), seed=config.evaluation.seed)
        )
    drawn = list(pictures(flown, size=(120, 90), captions=False))
    with Image.open(path) as film:
        assert film.n_frames == len(drawn)
        for index, image in enumerate(drawn):
            film.seek(index)
            difference = np.abs(np.asarray(film.convert("RGB")).astype(int) - np.asarray(image))
            assert difference.mean() < 1.5  # 256 colours
    assert np.array_equal(flown.labels["step"], np.arange(len(flown)))
    assert sorted(entry.name for entry in run.iterdir() if entry.name == "exports") == []  # nothing else was written


def test_a_run_that_is_at_work_can_be_watched(run):
    with RunFolder.open(run):
        recording = record_run(run, frames=5, seed=3, quiet=True)
    assert len(recording) == 5


def test_a_flight_is_stored_and_drawn_later(run, tmp_path):
    flight = render_job(run, tmp_path / "flight.npz", look("frames=:5", "fps=5"))
    assert np.array_equal(Recording.load(flight).labels["step"], np.arange(5))
    later = render_job(flight, tmp_path / "later.gif", look("size=64x48"))
    now = render_job(run, tmp_path / "now.gif", look("size=64x48", "frames=:5", "fps=5"))
    assert later.read_bytes() == now.read_bytes()


def test_a_run_without_structure_or_name(run):
    assert render_job(run, None, look("size=64x48", "frames=:4")) == run / "exports" / "rollout.mp4"
    assert len(frames_of(run / "exports" / "rollout.mp4")) == 4


def test_bad_requests(run, tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        render_job(tmp_path / "nowhere", None, look())
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no run folder"):
        render_job(tmp_path / "empty", None, look())
    with pytest.raises(InputError, match="no run folder"):
        render_job(tmp_path / "empty", tmp_path / "a.mp4", look())
    with pytest.raises(InputError, match="none of those asked for"):
        render_job(run, tmp_path / "a.mp4", look("frames=2:2"))
    with pytest.raises(InputError, match="bonds, axes and slice are for structures"):
        render_job(run, tmp_path / "a.mp4", look("bonds=true"))
    with pytest.raises(InputError, match="a GIF is shown at 50"):
        render_job(run, tmp_path / "a.gif", look("fps=100"))
    ase.io.write(tmp_path / "a.xyz", Atoms("Cu"))
    with pytest.raises(InputError, match="no array 'nothing' to colour"):
        render_job(tmp_path / "a.xyz", None, look("color=nothing"))
    with pytest.raises(InputError, match="cannot save picture"):
        render_job(tmp_path / "a.xyz", tmp_path / "a.nothing", look())
    with pytest.raises(InputError, match="size=9000x10: give a width and a height from 16 to 8192"):
        look("size=9000x10")
    for text, remedy in {
        "frames=1:2:3:4": "START:STOP:STEP",
        "frames=": "START:STOP:STEP",
        "frames=a": "START:STOP:STEP",
        "size=0": "WIDTHxHEIGHT",
        "fps=fast": "frames per second",
        "camera=1,2": "a direction such as",
        "bonds=maybe": "true, false or the length",
        "axes=xy": "xyz or abc",
        "slice=z": "LOW:HIGH",
        "background=blue": "white, black, transparent",
        "seed=1.5": "a whole number",
    }.items():
        with pytest.raises(InputError, match=rf"{text} cannot be read: use .*{remedy}"):
            look(text)
