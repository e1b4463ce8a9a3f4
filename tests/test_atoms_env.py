"""The atoms environment against the same done by hand with `Simulation` and NumPy."""

from collections.abc import Iterator, Mapping

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from systems import LJ, cluster, fcc, lennard_jones, material, resident_bytes, tilted, velocities

from matdesign.envs.atoms import atoms_layout, atoms_result, atoms_settings
from matdesign.envs.layout import VECTORS, AtomsLayout
from matdesign.errors import InputError
from matdesign.sim import lammps
from matdesign.sim.material import Material
from matdesign.sim.simulation import Simulation, setup
from matdesign.vector import Vector

MVV2E = {"metal": 1.0364269e-4, "lj": 1.0}  # g/mol (A/ps)^2 in eV
MEGABYTE = 1 << 20
ARGON = material("argon_cluster")


def nial() -> Atoms:
    atoms = bulk("Ni", "sc", a=3.5677) * (1, 1, 1)
    cell = Atoms("AlNi3", scaled_positions=[[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]], cell=atoms.cell)
    cell.pbc = True
    crystal = cell * (2, 2, 2)
    crystal.rattle(0.05, seed=1)
    return crystal


def argon(count: int = 13, seed: int = 0) -> Atoms:
    atoms = cluster(count, seed)
    atoms.positions *= ARGON.length_scale
    return atoms


SYSTEMS = {
    "cluster": (argon, ARGON),
    "lj": (lambda: cluster(20, 3), LJ),
    "alloy": (nial, material("nial")),
    "free alloy": (lambda: Atoms("Ni3AlNi", cluster(5, spacing=2.6).positions), material("nial")),
    "triclinic": (tilted, material("lj")),
    "one atom": (lambda: Atoms("Ar", [[0.0, 0.0, 0.0]]), LJ),
}


def open_vector(
    atoms: Atoms,
    chosen: Material,
    *,
    envs: int = 1,
    threads: int = 1,
    starts: NDArray[np.float64] | None = None,
    **options: float | str | NDArray[np.float64],
) -> Vector:
    """A vector of atoms; `starts` [n, atoms, 3] in LAMMPS' frame replaces the random cloud or the crystal."""
    lammps.bind()
    settings = dict(atoms_settings(atoms, chosen, options))
    if starts is not None:
        settings["starts"] = np.asarray(starts, float).ravel()
    return Vector("atoms", settings, envs=envs, threads=threads)


def split(rows: NDArray[np.float32], layout: AtomsLayout) -> tuple[NDArray, NDArray, NDArray]:
    """Observation rows -> scalars [n, S], vectors [n, V, 3], neighbours [n, k, 6 + M]."""
    a, b = layout.scalars, layout.scalars + 3 * layout.vectors
    n = len(rows)
    return rows[:, :a], rows[:, a:b].reshape(n, layout.vectors, 3), rows[:, b:].reshape(n, layout.neighbours, -1)


class ByHand:
    """One environment's episode with `Simulation`: what atoms.c says its control modes and columns are."""

    def __init__(self, atoms: Atoms, chosen: Material, start: NDArray[np.float64], **options: float | str) -> None:
        self.material = chosen
        self.options = {"control": "kick", "md_steps": 20, "strength": 1.0, "force_cap": 0.0, **options}
        self.simulation = Simulation(atoms, chosen)
        self.simulation.place(start, energies=True)
        self.masses = np.array(chosen.masses)[self.simulation.types - 1]
        self.l0, self.e0 = chosen.length_scale, chosen.energy_scale
        self.v0 = np.sqrt(self.e0 / (MVV2E[chosen.units] * self.masses.mean()))
        self.f0 = self.e0 / self.l0
        self.action = np.zeros((len(atoms), 3))
        self._read()
        self.x_before, self.energies_before = self.x, self.energies
        self.steps = 0

    def _read(self) -> None:
        self.x, self.energies = self.simulation.positions, self.simulation.energies

    def step(self, actions: NDArray[np.float32]) -> None:
        simulation, options = self.simulation, self.options
        self.x_before, self.energies_before = self.x, self.energies
        given = np.where(np.isfinite(actions), actions, 0.0).astype(float)
        self.action = given / np.maximum(1.0, np.linalg.norm(given, axis=1, keepdims=True))
        if options.get("remove_drift"):
            weights = np.ones(len(given)) if options["control"] == "force" else self.masses
            self.action = self.action - np.average(self.action, axis=0, weights=weights)
            self.action /= max(1.0, np.linalg.norm(self.action, axis=1).max())
        a, n = options["strength"] * self.action, int(options["md_steps"])
        if options["control"] == "displacement":
            cap = np.full(len(a), options["strength"] * self.l0)
            if options["force_cap"]:
                force = np.linalg.norm(simulation.f, axis=1)
                cap = np.minimum(cap, options["force_cap"] * self.l0 * force / self.f0)
            simulation.place(self.x + cap[:, None] * self.action, energies=n == 1)
            if n > 1:
                simulation.step(n - 1, energies=True)
        else:
            if options["control"] == "velocity":
                simulation.v = self.v0 * a
            elif options["control"] == "kick":
                simulation.v += self.v0 * a
            else:
                simulation.external = self.f0 * a
            simulation.step(n, energies=True)
        self._read()
        self.steps += 1

    def neighbours(self, cutoff: float) -> Iterator[list[tuple[int, float, NDArray[np.float64]]]]:
        """For each atom (neighbour, distance, vector), nearest first, each pair at its nearest image."""
        _, cell, periodic = self.simulation.box()
        shifts = np.stack(np.meshgrid(*[[-2, -1, 0, 1, 2] if p else [0] for p in periodic], indexing="ij"), axis=-1)
        images = shifts.reshape(-1, 3) @ cell
        wrapped = self.simulation.x
        for i in range(len(wrapped)):
            vectors = wrapped[:, None] - wrapped[i] + images
            distances = np.linalg.norm(vectors, axis=2)
            best = distances.argmin(axis=1)
            found = [(j, distances[j, best[j]], vectors[j, best[j]]) for j in range(len(wrapped)) if j != i]
            yield sorted((f for f in found if f[1] < cutoff), key=lambda f: f[1])

    def observation(
        self,
        k: int,
        horizon: int,
        target: float,
        current: float,
        goals: NDArray[np.float64] | None,
        cutoff: float = 3.0,
    ) -> NDArray[np.float64]:
        simulation, n = self.simulation, len(self.x)
        v, f = simulation.v, simulation.f
        species = np.eye(len(self.material.species))[simulation.types - 1]
        lists = [found[:k] for found in self.neighbours(cutoff * self.l0)]

        def bonded(distance: float) -> float:
            t = np.clip((distance / self.l0 - 1.2) / 0.3, 0, 1)
            return 1 - t * t * (3 - 2 * t)

        coordination = np.array([sum(bonded(d) for _, d, _ in found) for found in lists]) / 6 - 1
        strength = np.linalg.norm(f, axis=1, keepdims=True)
        shared = [
            self.energies.mean() / (3 * self.e0), self.energies.std() / self.e0, (v**2).sum() / n / self.v0**2,
        ]  # fmt: skip
        scalars = np.column_stack(
            [
                np.log10(strength[:, 0] / self.f0 + 1e-3) / 2,
                self.energies / (3 * self.e0),
                (self.energies - self.energies_before) / self.e0,
                np.tile(shared, (n, 1)),
                coordination,
                np.tile([coordination.mean(), target, current, 1 - self.steps / horizon], (n, 1)),
                species,
            ]
        )
        way = np.zeros((n, 3)) if goals is None else goals - self.x
        free = not simulation.box()[2].any()
        vectors = [
            f / (5 * self.f0 + strength),
            v / self.v0,
            self.action,
            way / (self.l0 + np.linalg.norm(way, axis=1, keepdims=True)),
            (self.x - np.average(self.x, axis=0, weights=self.masses)) / (self.l0 * np.cbrt(n)) * free,
            (self.x - self.x_before) / self.l0,
        ]
        near = np.zeros((n, k, 9 + species.shape[1]))
        near[:, :, 6] = 3.0
        for i, found in enumerate(lists):
            for place, (j, distance, vector) in enumerate(found):
                near[i, place] = [
                    *vector / distance, *(v[j] - v[i]) / self.v0, min(distance / self.l0, 3), 1,
                    self.energies[j] / (3 * self.e0), *species[j],
                ]  # fmt: skip
        rows = np.column_stack([np.clip(scalars, -10, 10), np.column_stack(vectors), near.reshape(n, -1)])
        return np.clip(rows, -10, 10)


def goals_of(vector: Vector, index: int = 0) -> NDArray[np.float64]:
    """Where the goals are, read off the picture: each atom's sphere is followed by its goal's."""
    return vector.scene(index).spheres[1::2, :3].astype(float)


def random_actions(rng: np.random.Generator, vector: Vector, width: float = 0.8) -> NDArray[np.float32]:
    return rng.normal(scale=width, size=vector.actions.shape).astype(np.float32)


MODES = [
    {"control": "velocity", "md_steps": 5},
    {"control": "velocity", "md_steps": 1, "strength": 0.5},
    {"control": "kick", "md_steps": 7, "strength": 0.7},
    {"control": "kick", "md_steps": 1, "remove_drift": 1},
    {"control": "force", "md_steps": 6, "strength": 3.0, "remove_drift": 1},
    {"control": "displacement", "md_steps": 1, "strength": 0.05},
    {"control": "displacement", "md_steps": 4, "strength": 0.05, "remove_drift": 1},
    {"control": "displacement", "md_steps": 1, "strength": 0.1, "force_cap": 0.01},
]


@pytest.mark.parametrize("options", MODES, ids=lambda o: "-".join(f"{v}" for v in o.values()))
@pytest.mark.parametrize("name", SYSTEMS)
def test_control_and_every_column_of_the_observation(name, options):
    make, chosen = SYSTEMS[name]
    atoms = make()
    start = setup(atoms, chosen).positions
    horizon, k = 5, 9
    options = {"horizon": horizon, "neighbours": k, **options}
    layout = atoms_layout(chosen, options)
    assert layout.vectors == len(VECTORS)
    rng = np.random.default_rng(11)
    with open_vector(atoms, chosen, starts=start, reward="goal", **options) as vector:
        assert vector.features == layout.features
        by_hand = ByHand(atoms, chosen, start, **options)
        vector.reset(seed=3)
        goals = goals_of(vector)
        np.testing.assert_allclose(
            vector.observations, by_hand.observation(k, horizon, 0.0, 0.0, goals), atol=5e-5, rtol=1e-4
        )
        for step in range(horizon):
            vector.actions[:] = random_actions(rng, vector)
            vector.step()
            by_hand.step(vector.actions)
            expected = by_hand.observation(k, horizon, 0.0, 0.0, goals)
            np.testing.assert_allclose(vector.observations, expected, atol=5e-5, rtol=1e-4)
            assert vector.truncations.all() == (step == horizon - 1)
            assert not vector.terminals.any()
        result = atoms_result(vector, 0)
        # Actions are float32, and so is their normalization.
        np.testing.assert_allclose(result.positions, by_hand.x, atol=3e-6 * chosen.length_scale)
        assert result.energy == pytest.approx(by_hand.energies.sum(), abs=1e-4 * chosen.energy_scale)
        assert result.evaluations == 2 + horizon * options["md_steps"]  # the set-up, the start and what follows
        assert not result.failed


def test_neighbours_beyond_the_cutoff_are_missing():
    atoms = Atoms("Ar3", [[0, 0, 0], [1.1, 0, 0], [3.4, 0, 0]])
    with open_vector(atoms, LJ, starts=atoms.positions, neighbours=4, cutoff=2.4) as vector:
        vector.reset(seed=0)
        _, _, near = split(vector.observations, atoms_layout(LJ, {"neighbours": 4}))
        np.testing.assert_array_equal(near[:, :, 7], [[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0]])
        np.testing.assert_allclose(near[:, :, 6], [[1.1, 3, 3, 3], [1.1, 2.3, 3, 3], [2.3, 3, 3, 3]], rtol=1e-6)
        assert not np.delete(near[near[:, :, 7] == 0], 6, axis=1).any()
    with pytest.raises(InputError, match="cutoff is 5"):
        open_vector(atoms, LJ, starts=atoms.positions, neighbours=2, cutoff=5)


def test_a_turned_cluster_sees_turned_vectors_and_the_same_scalars():
    atoms = argon()
    turn = Rotation.from_euler("xyz", [0.4, -1.0, 2.2]).as_matrix()
    layout = atoms_layout(ARGON, {})
    rng = np.random.default_rng(0)
    straight = open_vector(atoms, ARGON, starts=atoms.positions, md_steps=5)
    turned = open_vector(atoms, ARGON, starts=atoms.positions @ turn.T, md_steps=5)
    with straight, turned:
        for vector in (straight, turned):
            vector.reset(seed=1)
        for _ in range(8):
            a, b = (split(vector.observations, layout) for vector in (straight, turned))
            np.testing.assert_allclose(a[0], b[0], atol=1e-4)
            np.testing.assert_allclose(a[1] @ turn.T, b[1], atol=1e-4)
            np.testing.assert_allclose(a[2][:, :, :3] @ turn.T, b[2][:, :, :3], atol=1e-4)
            np.testing.assert_allclose(a[2][:, :, 3:6] @ turn.T, b[2][:, :, 3:6], atol=1e-4)
            np.testing.assert_allclose(a[2][:, :, 6:], b[2][:, :, 6:], atol=1e-4)
            straight.actions[:] = random_actions(rng, straight, 0.4)
            turned.actions[:] = straight.actions @ turn.T
            for vector in (straight, turned):
                vector.step()
            np.testing.assert_allclose(straight.rewards, turned.rewards, atol=1e-3)


# ------------------------------------------------------------------------------------------------------------- physics


@pytest.mark.parametrize("md_steps", [1, 10])
def test_thermostat_reaches_its_temperature(md_steps):
    kt = 0.15
    with open_vector(
        fcc(2, rattle=0.0), material("lj"), md_steps=md_steps, kt=kt, friction=2.0, horizon=100000, neighbours=1
    ) as vector:
        vector.reset(seed=0)
        for _ in range(1000 // md_steps):
            vector.step()
        samples = []
        for _ in range(4000):
            vector.step()
            samples.append(float(vector.observations[0, 5]) / 3)  # kinetic temperature, kT / e0
        blocks = np.mean(np.reshape(samples, (20, -1)), axis=1)
        error = blocks.std(ddof=1) / np.sqrt(len(blocks))
        assert error < 0.03 * kt
        assert abs(np.mean(samples) - kt) < 4 * error + 0.01 * kt  # the timestep's own error is below one percent


def test_start_velocities_are_thermal_and_without_drift():
    layout = atoms_layout(material("nial"), {"neighbours": 1})
    with open_vector(nial(), material("nial"), envs=60, start_kt=0.3, neighbours=1) as vector:
        vector.reset(seed=4)
        v = split(vector.observations, layout)[1][:, 1].reshape(60, 32, 3)  # in v0 = sqrt(e0 / mean mass)
        types = split(vector.observations, layout)[0].reshape(60, 32, -1)[:, :, 11:]
        masses = types @ np.array([58.71, 26.982])
        relative = masses / masses.mean()
        np.testing.assert_allclose((relative[..., None] * v).sum(axis=1), 0.0, atol=1e-3)
        for species in (0, 1):  # equipartition: m v^2 = kT in each direction
            chosen = types[..., species] == 1
            share = (relative[..., None] * v**2)[chosen].mean()
            assert share == pytest.approx(0.3, rel=0.08)


@pytest.mark.parametrize("control", ["kick", "velocity", "force", "displacement"])
def test_without_drift_the_centre_of_mass_stays(control):
    atoms = nial()
    start = setup(atoms, material("nial")).positions
    masses = np.where(atoms.symbols == "Ni", 58.71, 26.982)
    strength = 0.02 if control == "displacement" else 1.0
    with open_vector(
        atoms,
        material("nial"),
        control=control,
        remove_drift=1,
        horizon=6,
        md_steps=3,
        reward="goal",
        strength=strength,
    ) as vector:
        vector.reset(seed=0)
        rng = np.random.default_rng(1)
        for _ in range(6):
            vector.actions[:] = random_actions(rng, vector) + np.float32([0.5, 0, 0])
            vector.step()
        moved = atoms_result(vector, 0).positions - start
        np.testing.assert_allclose(np.average(moved, axis=0, weights=masses), 0.0, atol=1e-6)
        assert np.abs(moved).max() > 1e-3


def test_container_turns_atoms_back():
    atoms = Atoms("Ar2", [[0.0, 0, 0], [0, 1.2, 0]])
    with open_vector(
        atoms, LJ, starts=atoms.positions, container=3.0, control="kick", md_steps=10, horizon=200, reward="goal",
        start_density=0.001,
    ) as vector:  # fmt: skip
        vector.reset(seed=0)
        furthest = 0.0
        for step in range(199):
            vector.actions[:] = [[0.6, 0.1, 0], [0, 0.6, 0.3]] if step < 4 else 0.0
            vector.step()
            x = vector.scene(0).spheres[::2, :3]
            furthest = max(furthest, np.linalg.norm(x, axis=1).max())
        speed = 2 * 4 * 0.65  # four kicks and what the attraction may add
        assert 3.0 < furthest < 3.0 + speed * 10 * 0.005 + 0.3


def test_displacement_leads_no_further_than_the_container():
    atoms = Atoms("Ar2", [[0.0, 0, 0], [0, 1.2, 0]])
    with open_vector(
        atoms, LJ, starts=atoms.positions, container=2.0, control="displacement", md_steps=1, strength=0.3, horizon=99
    ) as vector:
        vector.reset(seed=0)
        for step in range(43):
            vector.actions[:] = [[1, 0, 0], [0, 1, 0]] if step < 40 else [[-1, 0, 0], [0, -1, 0]]
            vector.step()
            radius = np.linalg.norm(vector.scene(0).spheres[:, :3], axis=1)
            assert radius.max() <= 2.0
            if step == 39:
                assert radius.min() > 1.7
        assert radius.max() < 1.3


# -------------------------------------------------------------------------------------------------------------- starts


def test_random_clouds_fill_their_ball_and_keep_their_distance():
    n, density, apart = 13, 0.3, 0.9
    with open_vector(cluster(n), LJ, envs=300, start_density=density, start_distance=apart) as vector:
        vector.reset(seed=5)
        x = np.array([vector.scene(i).spheres[:, :3] for i in range(300)], float)
    radius = np.linalg.norm(x, axis=2)
    ball = (n / density * 3 / (4 * np.pi)) ** (1 / 3)
    assert radius.max() <= ball * (1 + 1e-6)
    # Uniform in the ball but for the exclusion, which pushes outwards a little: <(r/R)^3> is 1/2.
    assert 0.48 < ((radius / ball) ** 3).mean() < 0.58
    distance = np.linalg.norm(x[:, :, None] - x[:, None], axis=3)
    distance[:, range(n), range(n)] = np.inf
    assert distance.min() >= apart * (1 - 1e-6)
    assert distance.min() < 1.02 * apart
    assert np.abs(x.mean(axis=(0, 1))).max() < 0.05 * ball
    assert len(np.unique(x[:, 0, 0])) == 300


def test_starting_structures_are_drawn_evenly_and_jittered():
    base = cluster(4).positions
    starts = np.array([base, 1.5 * base, 2.0 * base])
    size = np.linalg.norm(starts, axis=(1, 2))
    with open_vector(cluster(4), LJ, envs=600, starts=starts) as vector:
        vector.reset(seed=1)
        found = np.array([np.linalg.norm(vector.scene(i).spheres[:, :3]) for i in range(600)])
        counts = [(np.abs(found - s) < 1e-4).sum() for s in size]
        assert sum(counts) == 600
        assert min(counts) > 150
    with open_vector(cluster(4), LJ, envs=300, starts=base, start_jitter=0.05) as vector:
        vector.reset(seed=1)
        x = np.array([vector.scene(i).spheres[:, :3] for i in range(300)]) - base
        assert x.std() == pytest.approx(0.05, rel=0.05)
        assert abs(x.mean()) < 0.005


def test_a_relaxed_start_is_relaxed():
    with open_vector(cluster(13), LJ, envs=4, start_relax=20, reward="goal", horizon=1, md_steps=1) as relaxed:
        relaxed.reset(seed=3)
        x = relaxed.scene(0).spheres[::2, :3].astype(float)
        soft = relaxed.observations[:, 0].max()
        relaxed.step()
        assert all(atoms_result(relaxed, i).evaluations == 2 + 20 + 1 for i in range(4))
    with open_vector(cluster(13), LJ, envs=4, reward="goal") as hard:
        hard.reset(seed=3)
        assert lennard_jones(x)[0].sum() < lennard_jones(hard.scene(0).spheres[::2, :3].astype(float))[0].sum()
        assert soft < hard.observations[:, 0].max()


# ------------------------------------------------------------------------------------------------------------ episodes


def test_next_step_autoreset_and_the_figures_of_an_episode():
    horizon = 4
    with open_vector(cluster(5), LJ, envs=3, horizon=horizon, md_steps=2, reward="goal") as vector:
        vector.reset(seed=0)
        rng = np.random.default_rng(0)
        sums = np.zeros(15)
        for step in range(1, 11):
            before = vector.observations.copy()
            vector.actions[:] = random_actions(rng, vector, 0.2)
            vector.step()
            tick = step % (horizon + 1)
            assert vector.truncations.all() == (tick == horizon)
            assert vector.truncations.any() == (tick == horizon)
            assert not vector.terminals.any()
            assert vector.masks.all() == (tick != 0)
            np.testing.assert_allclose(vector.observations[:, 10], 1 - tick / horizon, atol=1e-6)
            if tick == 0:
                assert not vector.rewards.any()
                assert not vector.masks.any()
                assert not np.allclose(before[:, 11:], vector.observations[:, 11:])
                figures = vector.log()
                assert figures["episodes"] == 3
                assert figures["episode_return"] == pytest.approx(sums.mean(), abs=1e-5)
                assert figures["episode_length"] == horizon
                assert figures["evaluations"] == (2 if step == horizon + 1 else 1) + 2 * horizon  # one set-up
                assert figures["failures"] == 0
                energies = [atoms_result(vector, i).energy / 5 for i in range(3)]
                assert figures["energy"] == pytest.approx(np.mean(energies), rel=1e-5)
                sums[:] = 0
            sums += vector.rewards
        assert vector.log() == {"episodes": 0.0}


@pytest.mark.parametrize("control", ["velocity", "kick", "force", "displacement"])
def test_same_seed_same_digits_with_any_number_of_threads(control):
    thermostat = {"kt": 0.1, "friction": 0.5} if control in ("kick", "force") else {}

    def trajectory(threads: int, seed: int) -> NDArray[np.float32]:
        rng = np.random.default_rng(2)
        options = {"start_kt": 0.1, "start_relax": 5, "horizon": 6, "md_steps": 4, **thermostat}
        with open_vector(cluster(8), LJ, envs=7, threads=threads, control=control, strength=0.3, **options) as vector:
            vector.reset(seed=seed)
            frames = [vector.observations.copy()]
            for _ in range(15):
                vector.actions[:] = random_actions(rng, vector)
                vector.step()
                frames.append(np.column_stack([vector.observations, vector.rewards]))
            return np.concatenate([frame.ravel() for frame in frames])

    first = trajectory(1, 9)
    np.testing.assert_array_equal(first, trajectory(1, 9))
    np.testing.assert_array_equal(first, trajectory(2, 9))
    np.testing.assert_array_equal(first, trajectory(5, 9))
    assert not np.array_equal(first, trajectory(1, 10))


def test_resetting_again_starts_over():
    with open_vector(cluster(6), LJ, envs=2, md_steps=3) as vector:
        vector.reset(seed=1)
        first = vector.observations.copy()
        for _ in range(3):
            vector.actions[:] = 0.5
            vector.step()
        last = vector.observations.copy()
        vector.reset(seed=1)
        np.testing.assert_array_equal(vector.observations, first)
        for _ in range(3):
            vector.step()
        np.testing.assert_array_equal(vector.observations, last)


# ------------------------------------------------------------------------------------------------------------ failures


def test_actions_that_are_no_numbers_count_as_none():
    with open_vector(cluster(6), LJ, md_steps=3) as calm, open_vector(cluster(6), LJ, md_steps=3) as odd:
        calm.reset(seed=1)
        odd.reset(seed=1)
        calm.actions[:] = 0.3
        odd.actions[:] = 0.3
        calm.actions[2] = [0.0, 0.1, 0.0]
        odd.actions[2] = [np.nan, 0.1, -np.inf]
        calm.actions[3] = 0
        odd.actions[3] = np.nan
        for _ in range(4):
            calm.step()
            odd.step()
            np.testing.assert_array_equal(calm.observations, odd.observations)
        odd.actions[:] = [3e38, -3e38, 3e38]  # its square is infinite
        odd.step()
        assert np.isfinite(odd.observations).all()
        assert np.isfinite(odd.rewards).all()


@pytest.mark.parametrize("distance", [1e-6, 1e-3, 0.3])
@pytest.mark.parametrize("md_steps", [1, 2])
def test_an_atom_put_inside_another_is_a_failure_and_no_reward_without_bounds(distance, md_steps):
    atoms = Atoms("Ar2", [[0.0, 0, 0], [1.25, 0, 0]])
    with open_vector(
        atoms, LJ, starts=atoms.positions, control="displacement", md_steps=md_steps, strength=2.0, reference=-1.0
    ) as vector:
        vector.reset(seed=0)
        vector.actions[0, 0] = (1.25 - distance) / 2
        vector.step()
        assert vector.terminals.all()
        assert (vector.rewards == -10).all()
        assert np.isfinite(vector.observations).all()
        figures = vector.log()
        assert figures["failures"] == 1
        assert figures["score"] == figures["episode_return"] == -10
        vector.step()
        vector.actions[:] = 0
        vector.step()
        assert not vector.terminals.any()


CATASTROPHES: Mapping[str, Mapping[str, float | str]] = {
    "velocity": {"control": "velocity", "strength": 1000.0, "md_steps": 20},
    "kick": {"control": "kick", "strength": 1000.0, "md_steps": 20},
    "force": {"control": "force", "strength": 1000.0, "md_steps": 200},
    "displacement": {"control": "displacement", "strength": 1000.0, "md_steps": 1},
    "displacement and MD": {"control": "displacement", "strength": 1.0, "md_steps": 20},
}


@pytest.mark.parametrize("name", CATASTROPHES)
@pytest.mark.parametrize("reward", ["goal", "energy"])
@pytest.mark.parametrize("periodic", [True, False], ids=["periodic", "free"])
def test_a_simulation_that_fails_ends_its_episode_and_nothing_else(name, reward, periodic):
    atoms = fcc(2) if periodic else cluster(32)
    starts = setup(atoms, material("lj")).positions
    options = {"horizon": 8, "neighbours": 6, "starts": starts, "reward": reward, "reference": -100.0}
    options |= CATASTROPHES[name]
    rng = np.random.default_rng(0)
    wild = open_vector(atoms, material("lj"), envs=3, **options)
    calm = open_vector(atoms, material("lj"), envs=3, **options)
    with wild, calm:
        wild.reset(seed=1)
        calm.reset(seed=1)
        failed = 0
        for _ in range(30):
            wild.actions[:32] = rng.normal(size=(32, 3))
            wild.step()
            calm.step()
            for values in (wild.observations, wild.rewards, calm.observations):
                assert np.isfinite(values).all()
            assert np.abs(wild.observations).max() <= 10
            np.testing.assert_array_equal(wild.observations[32:], calm.observations[32:])
            np.testing.assert_array_equal(wild.rewards[32:], calm.rewards[32:])
            np.testing.assert_array_equal(wild.terminals[32:], calm.terminals[32:])
            if wild.terminals[0] and (reward == "goal" or atoms_result(wild, 0).failed):
                result = atoms_result(wild, 0)
                assert result.failed
                assert np.isnan(result.energy)
                assert (wild.rewards[:32] == -10).all()
                failed += 1
        assert not atoms_result(calm, 0).failed
        figures = wild.log()
        assert figures["failures"] * figures["episodes"] == pytest.approx(failed, abs=1e-3)
        assert all(np.isfinite(value) for value in figures.values())
        if periodic or "displacement" not in name:
            assert failed >= 1


def test_starts_that_cannot_live_end_at_once_and_are_counted():
    """Atoms on top of each other in every starting structure: the input check sees only the first positions."""
    with open_vector(cluster(4), LJ, envs=2, starts=np.zeros((1, 4, 3))) as vector:
        vector.reset(seed=0)
        assert np.isfinite(vector.observations).all()
        for _ in range(2):
            vector.step()
            assert vector.terminals.all()
            assert (vector.rewards == -10).all()
            vector.step()
            assert not vector.masks.any()
        assert vector.log()["failures"] >= 1


def test_ten_thousand_episodes_leave_memory_flat():
    with open_vector(
        cluster(3), LJ, envs=10, horizon=1, md_steps=1, relax_evaluations=2, reference=-3.0, start_relax=1
    ) as vector:
        vector.reset(seed=0)
        for _ in range(400):
            vector.step()
        before = resident_bytes()
        for _ in range(2000):
            vector.step()
        assert vector.log()["episodes"] >= 10000
        assert resident_bytes() - before < MEGABYTE


def test_a_thousand_failures_leave_memory_flat():
    with open_vector(fcc(2), material("lj"), envs=4, control="velocity", strength=1000.0, md_steps=20) as vector:
        vector.reset(seed=0)
        rng = np.random.default_rng(0)

        def episodes(count: int) -> None:
            ended = 0
            while ended < count:
                vector.actions[:] = random_actions(rng, vector)
                vector.step()
                ended += int(vector.terminals[::32].sum())

        episodes(100)
        before = resident_bytes()
        episodes(1000)
        figures = vector.log()
        assert figures["failures"] > 0.9
        assert resident_bytes() - before < 2 * MEGABYTE


def test_vectors_opened_and_closed_leave_memory_flat():
    def cycle() -> None:
        with open_vector(cluster(5), LJ, envs=4, md_steps=1) as vector:
            vector.reset(seed=0)
            vector.step()

    for _ in range(30):
        cycle()
    before = resident_bytes()
    for _ in range(150):
        cycle()
    assert resident_bytes() - before < 4 * MEGABYTE


# --------------------------------------------------------------------------------------------------- settings, picture


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"control": "push"}, r"control 'push' is unknown: use velocity, kick, force or displacement"),
        ({"reward": "money"}, r"reward 'money' is unknown: use energy, goal, order or property"),
        ({"strength": np.nan}, r"strength"),
        ({"control": "velocity", "friction": 1.0}, r"friction 1 has no effect: control velocity"),
        ({"control": "displacement", "friction": 1.0}, r"friction 1 has no effect: control displacement"),
        ({"md_steps": 0}, r"md_steps"),
        ({"neighbours": 65}, r"neighbours"),
        ({"nothing": 1}, r"nothing"),
        ({"types": np.ones(4)}, r"15 coordinates were given for 4 atoms"),
        ({"types": np.full(5, 2.0)}, r"atom 1 has type 2: .* from 1 to 1"),
        ({"types": np.full(5, 1.5)}, r"atom 1 has type 1.5"),
        ({"starts": np.zeros(14)}, r"starts has 14 numbers"),
        ({"starts": np.full(15, np.nan)}, r"starts"),
        ({"commands": "units lj\natom_style nothing"}, r"LAMMPS: .*nothing.*command: atom_style nothing"),
        ({"commands": ""}, r"LAMMPS|commands"),
        ({"positions": np.zeros(0), "types": np.zeros(0)}, r"0 atoms"),
    ],
)
def test_settings_that_cannot_be_used(change, message):
    lammps.bind()
    settings = dict(atoms_settings(cluster(5), LJ, {})) | change
    with pytest.raises(InputError, match=message):
        Vector("atoms", settings, envs=2)


def test_a_periodic_cell_needs_starting_structures():
    with pytest.raises(InputError, match="periodic cell needs starting structures"):
        open_vector(fcc(2), material("lj"), starts=np.zeros(0))


def test_a_crystal_starts_in_its_own_structure():
    atoms = nial()
    with open_vector(atoms, material("nial"), envs=2) as vector:
        vector.reset(seed=0)
        for index in range(2):
            x = vector.scene(index).spheres[:, :3]
            np.testing.assert_allclose(x, atoms.positions, atol=1e-5)


def test_scene_shows_atoms_goals_and_cell():
    atoms = nial()
    with open_vector(atoms, material("nial"), reward="goal") as vector:
        vector.reset(seed=0)
        scene = vector.scene(0)
        assert scene.spheres.shape == (64, 8)
        assert len(scene.lines) == 32 + 12
        nickel = atoms.symbols == "Ni"
        radius, colour = scene.spheres[::2, 3], scene.spheres[::2, 4:7]
        assert len(np.unique(radius[nickel])) == len(np.unique(radius[~nickel])) == 1
        assert radius[0] != radius[1]
        assert 0.3 * 2.53 < radius.max() <= 0.5 * 2.53 + 1e-6
        assert not np.allclose(colour[0], colour[1])
        corners = scene.lines[:12, :6].reshape(-1, 3)
        np.testing.assert_allclose([corners.min(), corners.max()], [0, 2 * 3.5677], atol=1e-4)
        np.testing.assert_allclose(scene.lines[12:, :3], scene.spheres[::2, :3], atol=1e-6)
        np.testing.assert_allclose(scene.lines[12:, 3:6], scene.spheres[1::2, :3], atol=1e-6)
    with open_vector(argon(), ARGON) as vector:
        vector.reset(seed=0)
        scene = vector.scene(0)
        assert scene.spheres.shape == (13, 8)
        assert len(scene.lines) == 0
        before = scene.spheres[:, :3].copy()
        vector.actions[:] = velocities(13, 1.0)
        vector.step()
        assert not np.allclose(before, vector.scene(0).spheres[:, :3])
