"""Recordings: what was seen comes back, and looking changes nothing."""

import zipfile
from functools import partial

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk

from matdesign.agents.actor import Actor
from matdesign.agents.distributions import Categorical, Gaussian
from matdesign.config import load
from matdesign.design.assembly import open_vector
from matdesign.design.rollout import _read, rollout
from matdesign.errors import InputError
from matdesign.render.recording import Recording, record_atoms
from matdesign.scene import ColourBar, Legend, Scene, Text
from matdesign.sim import Simulation
from matdesign.vector import Vector

ENVIRONMENTS = {"squared": {}, "snake": {}, "pong": {}, "breakout": {}, "cartpole": {}, "boids": {}, "drone_swarm": {}}
LEGENDS = (
    Legend(),
    Legend(
        names=(("Si", (0.5, 0.25, 1.0)),),
        axes=(("a", (1.0, 0.0, 0.0)),),
        colour_bar=ColourBar(colours=np.eye(3, dtype=np.float32), low=-1.0, high=2.5, label="energy (eV)"),
    ),
)


class Dice:
    """A policy that acts by the observations alone, in any kind of action."""

    memory = 0

    def __init__(self, vector):
        generator = torch.Generator().manual_seed(5)
        self.choices, width = vector.choices, vector.choices or vector.action_dims
        self.weights = torch.randn(vector.features, width, generator=generator)

    def encode(self, observations):
        return observations.float()

    def step(self, encoded, memory):
        scores = encoded @ self.weights
        distribution = Categorical(scores.unsqueeze(1)) if self.choices else Gaussian(scores.tanh(), torch.zeros(1))
        return distribution, scores[:, 0], memory


def some_scenes(count=4):
    random = np.random.default_rng(0)
    return [
        Scene(
            spheres=random.random((3 + i, 8), np.float32),
            lines=random.random((i, 10), np.float32),
            cylinders=random.random((2 * i, 11), np.float32),
            boxes=random.random((2, 10), np.float32),
            legend=LEGENDS[i % 2],
            texts=[Text(position=(0, i, 0.5), size=1.5, rgba=(1, 0, 0, 1), text=f"frame {i} \u00e9")] * (i % 2),
        )
        for i in range(count)
    ]


def assert_same(one, other):
    for name in ("spheres", "cylinders", "lines", "boxes"):
        a, b = getattr(one, name), getattr(other, name)
        assert a.dtype == b.dtype
        assert np.array_equal(a, b)
    assert one.texts == other.texts
    assert (one.legend.names, one.legend.axes) == (other.legend.names, other.legend.axes)
    bars = one.legend.colour_bar, other.legend.colour_bar
    assert bars == (None, None) or np.array_equal(bars[0].colours, bars[1].colours)
    assert bars == (None, None) or {**vars(bars[0]), "colours": 0} == {**vars(bars[1]), "colours": 0}


def test_a_recording_is_a_sequence_of_scenes():
    scenes = some_scenes()
    recording = Recording.of(
        zip(scenes, [{"step": 0}, {"step": 1, "energy (eV)": -2.5}, {"step": 2}, {}], strict=True), fps=10
    )
    assert len(recording) == 4
    assert list(recording) == scenes
    assert recording[-1] is scenes[-1]
    assert np.array_equal(recording.labels["step"], [0, 1, 2, np.nan], equal_nan=True)
    assert recording.caption(1) == "step 1   energy (eV) -2.5"
    assert recording.caption(3) == ""
    half = recording[1::2]
    assert half.fps == 10
    assert list(half) == scenes[1::2]
    assert np.array_equal(half.labels["energy (eV)"], [-2.5, np.nan], equal_nan=True)


def test_stored_and_loaded_again(tmp_path):
    scenes = some_scenes()
    recording = Recording(scenes=scenes, fps=12.5, labels={"T (K)": np.array([300.0, np.nan, 310.25, 1e-9])})
    recording.save(tmp_path / "deep" / "a.npz")
    again = Recording.load(tmp_path / "deep" / "a.npz")
    assert again.fps == 12.5
    assert np.array_equal(again.labels["T (K)"], recording.labels["T (K)"], equal_nan=True)
    assert len(again) == len(recording)
    for one, other in zip(recording, again, strict=True):
        assert_same(one, other)
    with np.load(tmp_path / "deep" / "a.npz", allow_pickle=False) as arrays:
        assert all(arrays[name].dtype != object for name in arrays)


def test_bad_recordings_are_refused(tmp_path):
    with pytest.raises(InputError, match="at least one frame"):
        Recording(scenes=[])
    with pytest.raises(InputError, match="fps is 0"):
        Recording(scenes=some_scenes(1), fps=0)
    with pytest.raises(InputError, match="'step' has shape"):
        Recording(scenes=some_scenes(2), labels={"step": np.zeros(3)})
    good = Recording(scenes=some_scenes(3))
    with pytest.raises(InputError, match=r"must end in \.npz"):
        good.save(tmp_path / "a.bin")
    path = tmp_path / "a.npz"
    with pytest.raises(InputError, match="does not exist"):
        Recording.load(path)
    good.save(path)
    whole = path.read_bytes()
    for damaged in (b"", b"no archive", whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"a\.npz' cannot be read"):
            Recording.load(path)
    np.savez(path, spheres=np.array([{"a": 1}], object))  # a pickle in disguise
    with pytest.raises(InputError, match="cannot be read"):
        Recording.load(path)
    good.save(path)
    with np.load(path) as arrays:
        parts = dict(arrays)
    for wrong, message in (
        ({"spheres_counts": parts["spheres_counts"] + 1}, "do not fit together"),
        ({"spheres": parts["spheres"][:, :5]}, "other things than scenes"),
        ({"boxes": parts["boxes"].astype(float)}, "other things than scenes"),
    ):
        np.savez(path, **{**parts, **wrong})
        with pytest.raises(InputError, match=message):
            Recording.load(path)


def test_a_file_that_unpacks_to_too_much_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("matdesign.render.recording.MOST_BYTES", 1000)
    Recording(scenes=[Scene(spheres=np.zeros((100, 8), np.float32))]).save(tmp_path / "a.npz")
    assert (tmp_path / "a.npz").stat().st_size < sum(
        part.file_size for part in zipfile.ZipFile(tmp_path / "a.npz").infolist()
    )
    with pytest.raises(InputError, match="unpacks to"):
        Recording.load(tmp_path / "a.npz")


def test_more_than_memory_holds_is_refused(monkeypatch):
    monkeypatch.setattr("matdesign.render.recording.MOST_SHAPES", 250)
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield Scene(spheres=np.ones((30, 8), np.float32)), {}

    with pytest.raises(InputError, match="3 frames hold more than 250 shapes"):
        Recording.of(endless())
    assert len(taken) == 4


@pytest.mark.parametrize(("name", "settings"), ENVIRONMENTS.items())
def test_looking_changes_nothing(name, settings):
    """Oracle: the same environments and policy, stepped by a loop that never asks for a scene."""
    steps, seed = 120, 3
    seen = []
    with Vector(name, settings, envs=2) as watched:
        policy = Dice(watched)
        for frame in rollout(watched, policy, seed=seed, index=1, frames=steps):
            seen.append((watched.observations.copy(), watched.rewards.copy(), watched.masks.copy(), frame))
    with Vector(name, settings, envs=2) as alone:
        alone.reset(seed)
        returns = np.zeros(alone.agents)
        for step in range(steps):
            if step:
                alone.actions[:] = Actor(policy)(torch.from_numpy(alone.observations)).numpy()
                alone.step()
            observations, rewards, masks, (scene, labels) = seen[step]
            assert observations.tobytes() == alone.observations.tobytes()
            assert rewards.tobytes() == alone.rewards.tobytes()
            assert masks.tobytes() == alone.masks.tobytes()
            own = slice(alone.agents, None)
            returns = np.where(alone.masks[own], returns + alone.rewards[own] * (step > 0), 0)
            assert labels["step"] == step
            assert labels["return"] == pytest.approx(returns.mean(), abs=1e-9)
            assert len(scene.spheres) + len(scene.boxes) > 0


@pytest.mark.parametrize("choice", ["atoms/cluster", "atoms/steer"])
def test_looking_at_atoms_changes_nothing(choice):
    """As above, in LAMMPS: positions, and so the scenes at the end, are the same to the last bit."""
    config = load([f"env={choice}", "env.envs=2"])
    ends = []
    for watched in (True, False):
        with open_vector(config) as vector:
            policy = Dice(vector)
            if watched:
                frames = list(rollout(vector, policy, seed=4, index=1, frames=40))
                assert len(frames) == 40
            else:
                vector.reset(4)
                for _ in range(39):
                    vector.actions[:] = Actor(policy)(torch.from_numpy(vector.observations)).numpy()
                    vector.step()
            ends.append((vector.observations.tobytes(), vector.rewards.tobytes(), vector.scene(1).spheres.tobytes()))
    assert ends[0] == ends[1]


def test_labels_of_atoms():
    """Oracles: LAMMPS' energy of the atoms that are seen; the order that the policy is asked for."""
    config = load(["env=atoms/cluster", "env.envs=1"])
    with open_vector(config) as vector:
        for scene, labels in rollout(vector, Dice(vector), seed=1, frames=4, read=partial(_read, config)):
            atoms = Atoms(f"Ar{len(scene.spheres)}", scene.spheres[:, :3])
            atoms.symbols = [config.material.species[0]] * len(atoms)
            with Simulation(atoms, config.material) as simulation:
                assert labels["energy (eV/atom)"] == pytest.approx(simulation.energy / len(atoms), rel=1e-4)
    config = load(["env=atoms/order", "env.envs=1", "env.settings.goal=[0.25, 0.25]"])
    with open_vector(config) as vector:
        _, labels = next(iter(rollout(vector, Dice(vector), seed=1, read=partial(_read, config))))
    assert labels["target"] == pytest.approx(0.25)
    assert 0 <= labels["order"] <= 1


def test_a_rollout_ends_with_the_episode():
    with Vector("squared", {}, envs=1) as vector:
        scenes = list(rollout(vector, Dice(vector), seed=0))
        assert 1 < len(scenes) < 500
        assert (vector.terminals | vector.truncations).all()


def test_atoms_keep_their_size_and_place():
    crystal = bulk("NaCl", "rocksalt", 5.64, cubic=True)
    wide = crystal.copy()
    wide.set_cell(1.2 * crystal.cell.array, scale_atoms=True)
    recording = record_atoms([wide, crystal], fps=5, labels={"step": np.array([0.0, 1.0])})
    assert recording.fps == 5
    assert recording.caption(1) == "step 1"
    first, last = recording
    assert first.spheres[:, 3] == pytest.approx(last.spheres[:, 3], rel=1e-6)
    assert first.spheres[:, :3] == pytest.approx(1.2 * last.spheres[:, :3], abs=1e-5)
    assert last.spheres[:, :3] == pytest.approx(crystal.get_positions(wrap=True), abs=1e-5)


def test_atoms_may_come_and_go():
    recording = record_atoms([Atoms("Si2", [[0, 0, 0], [2.4, 0, 0]]), Atoms("GeSi", [[0, 0, 0], [2.4, 0, 0]])])
    silicon = recording[0].spheres[0, 3]
    assert recording[1].spheres[1, 3] == pytest.approx(silicon, rel=1e-6)
    assert recording[1].spheres[0, 3] > silicon  # germanium
    with pytest.raises(InputError, match="at least one structure"):
        record_atoms([])
