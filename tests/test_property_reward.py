"""The reward for measured properties against the same in NumPy, and the tricks that its header says do not pay."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list
from systems import LJ, cluster, material
from test_rewards import icosahedron

from matdesign.envs.atoms import atoms_result, atoms_settings
from matdesign.errors import InputError, SimulationError
from matdesign.properties import Cache, Estimate, Property, measure
from matdesign.properties.coordination import Coordination
from matdesign.properties.energy import PotentialEnergy
from matdesign.properties.order import GlobalQ4, GlobalQ6
from matdesign.rewards.measured import measured_settings
from matdesign.rewards.target import Constraint, Target
from matdesign.sim import lammps
from matdesign.vector import Vector

CREDITS = ("own", "team", "mix", "difference")
HELD = {"control": "displacement", "md_steps": 1, "relax_evaluations": 0}  # atoms stay where they were put


@dataclass(frozen=True, kw_only=True)
class Place(Property):
    """Mean x of all atoms, with noise: the same for all atoms of a seed, and another of each arrangement."""

    name: ClassVar[str] = "place"
    local: ClassVar[bool] = True
    common: float = 0.0
    noise: float = 0.0
    wall: float = 1e9
    fault: type[Exception] = SimulationError

    @property
    def random(self):
        return self.common > 0 or self.noise > 0

    def unit(self, units):
        return units.length

    def sample(self, system, seed):
        x = system.structure.positions[:, 0]
        if x.max() > self.wall:
            raise self.fault("an atom is behind the wall")
        alike = np.random.default_rng(seed).normal(scale=self.common)
        own = np.random.default_rng([seed, *np.abs(x * 1e6).astype(int)]).normal(scale=self.noise)
        return {"x": x + alike + own}

    def parts(self, system, samples):
        return np.mean([sample["x"] for sample in samples], axis=0)

    def estimate(self, system, samples):
        return Estimate(value=float(self.parts(system, samples).mean()))


def settings_for(targets, structure, chosen=LJ, *, constraints=(), samples=None, starts=None, **options):
    lammps.bind()
    made = dict(atoms_settings(structure, chosen, {"reward": "property", **options}))
    made |= measured_settings(targets, structure, chosen, constraints=constraints, samples=samples)
    if starts is not None:
        made["starts"] = np.asarray(starts, float).ravel()
    return made


def open_vector(*given, envs=1, threads=1, **options) -> Vector:
    return Vector("atoms", settings_for(*given, **options), envs=envs, threads=threads)


def apart(count: int = 5) -> np.ndarray:
    """Atoms too far from each other to interact, in a row along y."""
    return np.array([[0.0, 30.0 * i, 0.0] for i in range(count)])


def neighbours(x: np.ndarray, cutoff: float) -> np.ndarray:
    distance = np.linalg.norm(x[:, None] - x[None], axis=2)
    return (distance < cutoff).sum(axis=1) - 1


def positions(vector: Vector) -> np.ndarray:
    return vector.scene(0).spheres[:, :3].astype(float)


# -------------------------------------------------------------------------------------------------------------- credit


@pytest.mark.parametrize("credit", CREDITS)
@pytest.mark.parametrize("goal", ["hit", "maximise"])
def test_rewards_are_the_change_of_the_credited_potential(credit, goal):
    """Mean coordination of a cluster that is stirred, measured with our own count of neighbours."""
    target = Target(property=Coordination(cutoff=1.4), goal=goal, value=3.0 if goal == "hit" else None, scale=2.0)
    kind = {"credit": credit, "own_share": 0.3, "control": "kick", "md_steps": 10, "relax_evaluations": 0}
    with open_vector(target, cluster(13), starts=icosahedron(1.1), horizon=40, **kind) as vector:

        def potential(value):
            return -np.abs(value - 3.0) / 2.0 if goal == "hit" else value / 2.0

        def credited(parts):
            team, mean = potential(parts.mean()), parts.mean()
            own = potential(parts)
            without = np.array([potential(mean - (parts[i] - first[i]) / 13) for i in range(13)])
            share = {"own": own, "team": team, "mix": 0.3 * own + 0.7 * team, "difference": 13 * (team - without)}
            return np.broadcast_to(share[credit], 13)

        vector.reset(seed=0)
        first = neighbours(positions(vector), 1.4)
        before, paid, rng = credited(first), 0.0, np.random.default_rng(0)
        for _ in range(40):
            vector.actions[:] = rng.normal(scale=0.5, size=(13, 3))
            vector.step()
            parts = neighbours(positions(vector), 1.4)
            np.testing.assert_allclose(vector.rewards, credited(parts) - before, atol=1e-5)
            before, paid = credited(parts), paid + np.abs(vector.rewards).sum()
            assert vector.observations[0, 8] == (1.5 if goal == "hit" else 0.0)
            assert vector.observations[0, 9] == pytest.approx(parts.mean() / 2.0, abs=1e-5)
        assert paid > 10
        assert vector.terminals.all()
        assert vector.log()["score"] == pytest.approx(potential(parts.mean()), abs=1e-5)


@pytest.mark.parametrize("credit", CREDITS)
def test_going_to_and_fro_pays_nothing(credit):
    """Neither do atoms earn that swap sides of the target: the mean never leaves it, each prevented that it does."""
    target = Target(property=Place(), goal="hit", value=0.0)
    way = np.array([[1.0], [-1.0], [1.0], [-1.0], [0.0]]) * [1.0, 0.0, 0.0]
    with open_vector(target, cluster(5), starts=apart(), horizon=100, strength=0.5, credit=credit, **HELD) as vector:
        vector.reset(seed=0)
        total, paid = np.zeros(5), 0.0
        for step in range(80):
            together = step >= 40  # all but one to one side, then back
            vector.actions[:] = (np.abs(way) if together else way) * (1 if step % 4 in (0, 3) else -1)
            vector.step()
            total += vector.rewards
            paid += np.abs(vector.rewards).sum()
        assert paid > 10
        np.testing.assert_allclose(total, 0.0, atol=1e-5)


def test_a_credit_for_parts_needs_parts():
    for credit in ("own", "mix", "difference"):
        with pytest.raises(InputError, match=f"credit {credit} needs properties that are means"):
            open_vector(Target(property=GlobalQ6(), goal="maximise"), cluster(20), credit=credit)
    with pytest.raises(InputError, match="credit 'mine' is unknown: use own, team, mix or difference"):
        open_vector(Target(property=GlobalQ6(), goal="maximise"), cluster(20), credit="mine")


# --------------------------------------------------------------------------------------------------------------- noise


def test_noise_that_all_measurements_of_an_episode_share_is_not_in_the_rewards():
    target = Target(property=Place(common=5.0), goal="maximise")
    with open_vector(target, cluster(3), starts=apart(3), horizon=10, strength=0.1, samples=2, **HELD) as vector:
        vector.reset(seed=0)
        for step in range(30):
            vector.actions[:] = [1, 0, 0]
            vector.step()
            reset = step % 11 == 10
            np.testing.assert_allclose(vector.rewards, 0.0 if reset else 0.1, atol=1e-6)


@pytest.mark.parametrize("acceptance", [0.0, 2.0])
def test_noise_cannot_be_farmed(acceptance):
    """Random walks earn nothing on average; where changes must be seen above the noise, few pay at all."""
    target = Target(property=Place(common=1.0, noise=0.1), goal="maximise")
    options = {"starts": apart(2), "horizon": 20, "strength": 1e-3, "acceptance": acceptance, "samples": 4}
    with open_vector(target, cluster(2), envs=50, **options, **HELD) as vector:
        vector.reset(seed=0)
        rng, returns, payments = np.random.default_rng(0), [], 0
        for _ in range(2):
            total = np.zeros(100)
            for _ in range(20):
                vector.actions[:] = rng.normal(size=(100, 3))
                vector.step()
                total += vector.rewards
                payments += (vector.rewards != 0).sum()
            vector.step()  # the reset
            returns.append(total[::2])
        returns = np.concatenate(returns)
        error = returns.std() / np.sqrt(len(returns))
        assert abs(returns.mean()) < 3 * error
        assert error < 0.01
        assert payments == 4000 if acceptance == 0 else payments < 1500


def test_changes_below_the_noise_are_not_lost():
    """A steady drift of which no step can be told from noise is paid all the same, in fewer and larger rewards."""
    target = Target(property=Place(noise=0.1), goal="maximise")
    options = {"starts": apart(2), "horizon": 200, "strength": 0.01, "acceptance": 4.0, "samples": 8}
    with open_vector(target, cluster(2), **options, **HELD) as vector:
        vector.reset(seed=3)
        rewards = []
        for _ in range(200):
            vector.actions[:] = [1, 0, 0]
            vector.step()
            rewards.append(vector.rewards[0])
        paid = np.count_nonzero(rewards)
        assert 3 < paid < 60
        assert np.sum(rewards) == pytest.approx(2.0, abs=0.3)  # 4 standard errors of 0.05, and the last of it


# -------------------------------------------------------------------------------------------------------------- tricks


def test_holding_atoms_where_they_would_not_stay_does_not_pay():
    """Fewer neighbours are asked for: the cluster is inflated, and held so until the end."""
    start = icosahedron(1.0)
    target = Target(property=Coordination(cutoff=1.25), goal="minimise")
    outwards = start / np.linalg.norm(start, axis=1, keepdims=True).max()
    returns = {}
    for released in (0, 1000):
        options = {"control": "displacement", "md_steps": 1, "strength": 0.1, "relax_evaluations": released}
        with open_vector(target, cluster(13), starts=start, horizon=4, **options) as vector:
            vector.reset(seed=0)
            total = 0.0
            for _ in range(4):
                vector.actions[:] = outwards
                vector.step()
                total += vector.rewards.mean()
            returns[released] = total
            score = vector.log()["score"]
    assert returns[0] > 5
    assert returns[1000] == pytest.approx(0.0, abs=1e-5)  # rewards are float32
    assert score == pytest.approx(-neighbours(start, 1.25).mean())


def test_free_steps_let_go_before_the_last_measurement():
    """Two atoms pressed against each other, and damped: without control they go back to their bond length."""
    target = Target(property=Coordination(cutoff=1.0), goal="maximise")
    start = np.array([[-0.6, 0, 0], [0.6, 0, 0]])
    kind = {"control": "force", "strength": 30.0, "md_steps": 10, "horizon": 20, "relax_evaluations": 0, "friction": 5}
    for free, expected in ((0, 1.0), (405, 0.0)):
        with open_vector(target, cluster(2), starts=start, free_steps=free, **kind) as vector:
            vector.reset(seed=0)
            total = 0.0
            for _ in range(20):
                vector.actions[:] = [[1, 0, 0], [-1, 0, 0]]
                vector.step()
                total += vector.rewards.mean()
            result = atoms_result(vector, 0)
        assert total == pytest.approx(expected)
        assert np.linalg.norm(result.positions[1] - result.positions[0]) > 1.0 or free == 0
        with open_vector(target, cluster(2), starts=start, **{**kind, "horizon": 1}) as vector:
            vector.reset(seed=0)
            vector.step()
            assert result.evaluations == atoms_result(vector, 0).evaluations + 190 + free


def test_collapsing_upon_each_other_does_not_pay_with_the_distance_penalty():
    """Neighbours within a fixed cutoff are asked for: pressing all atoms into it pays, until closeness costs more."""
    start = icosahedron(1.0)
    target = Target(property=Coordination(cutoff=1.4), goal="maximise")
    inwards = -start / np.linalg.norm(start, axis=1, keepdims=True).max()
    returns = {}
    for penalty in (0.0, 10.0):
        options = {"strength": 0.1, "distance_penalty": penalty, "min_distance": 0.9, **HELD}
        with open_vector(target, cluster(13), starts=start, horizon=20, **options) as vector:
            vector.reset(seed=0)
            total = np.zeros(13)
            for _ in range(3):
                vector.actions[:] = inwards
                vector.step()
                total += vector.rewards
            x = positions(vector)
            distance = np.linalg.norm(x[:, None] - x[None], axis=2)
            np.fill_diagonal(distance, np.inf)
            lost = penalty * np.sort(np.maximum(0, 1 - distance / 0.9), axis=1)[:, -12:].sum(axis=1)
            gained = neighbours(x, 1.4).mean() - neighbours(start, 1.4).mean()
            np.testing.assert_allclose(total, gained - lost, atol=1e-4)
            returns[penalty] = total
            for _ in range(3):
                vector.actions[:] = -inwards
                vector.step()
                total = total + vector.rewards
            np.testing.assert_allclose(total, 0.0, atol=1e-4)  # parting pays back exactly
    assert returns[0.0].min() > 1
    assert returns[10.0].max() < 0


def test_bcc_does_not_pass_for_diamond_where_neighbours_count_too():
    """Q4 and Q6 of bcc's eight bonds are those of diamond's four."""
    crystals = {
        "bcc": (8, bulk("Ar", "bcc", a=2 / np.sqrt(3), cubic=True) * 3),
        "diamond": (4, bulk("Ar", "diamond", a=4 / np.sqrt(3), cubic=True) * 2),
    }
    scores = {}
    for name, (bonds, crystal) in crystals.items():
        order = [
            Target(property=kind(neighbours=bonds), goal="hit", value=value, tolerance=1e-4)
            for kind, value in ((GlobalQ4, 0.50918), (GlobalQ6, 0.62854))
        ]
        shell = Target(property=Coordination(cutoff=1.1), goal="hit", value=4.0)
        bounded = Constraint(property=Coordination(cutoff=1.1), maximum=4.5)
        for key, targets, constraints in (
            ("alone", order, ()),
            ("with coordination", [*order, shell], ()),
            ("constrained", order, (bounded,)),
        ):
            options = {"constraints": constraints, "horizon": 1, "strength": 0.0, **HELD}
            with open_vector(targets, crystal, material("lj"), **options) as vector:
                vector.reset(seed=0)
                vector.step()
                log = vector.log()
                scores[name, key] = log["score"]
                assert log["perf"] == (log["score"] == 0.0)
    assert scores["bcc", "alone"] == scores["diamond", "alone"] == 0.0
    assert scores["diamond", "with coordination"] == scores["diamond", "constrained"] == 0.0
    assert scores["bcc", "with coordination"] == pytest.approx(-4.0)
    assert scores["bcc", "constrained"] == pytest.approx(-(8 - 4.5) / 4.5)


# --------------------------------------------------------------------------------------------- measuring, and failures


def test_a_random_property_is_measured_from_the_episodes_seed_and_its_cost_counts():
    """The return of an episode is the difference of two measurements by `measure`'s own samples."""
    hot = PotentialEnergy(temperature=0.1, equilibration=20, frames=2, every=10)
    target = Target(property=hot, goal="minimise")
    start = icosahedron(1.05)
    options = {"starts": start, "horizon": 3, "md_steps": 1, "control": "displacement", "strength": 0.0}
    with open_vector(target, cluster(13), acceptance=0.0, samples=2, **options) as vector:
        vector.reset(seed=0)
        total = 0.0
        for _ in range(3):
            vector.step()
            total += vector.rewards[0]
        result = atoms_result(vector, 0)
        relaxed = vector.log()["evaluations"]
    cost = measure(hot, Atoms("Ar13", start), LJ, seeds=2, cache=Cache(None)).steps
    assert relaxed == result.evaluations
    with open_vector(Target(property=Place(), goal="minimise"), cluster(13), **options) as vector:
        vector.reset(seed=0)
        for _ in range(3):
            vector.step()
        without = atoms_result(vector, 0).evaluations
    assert result.evaluations == without + 5 * cost  # at the start, in three steps, and after the relaxation
    ends = [measure(hot, Atoms("Ar13", x), LJ, seeds=64, cache=Cache(None)) for x in (start, result.positions)]
    drop = ends[0].value - ends[1].value
    spread = np.hypot(ends[0].stderr, ends[1].stderr) * np.sqrt(64 / 2)
    assert abs(total - drop) < 4 * spread


def test_results_do_not_depend_on_threads_or_processes():
    from matdesign.vector.recipe import Native
    from matdesign.vector.workers import Workers

    target = Target(property=Coordination(cutoff=1.4), goal="hit", value=5.0, tolerance=0.2)
    options = {"horizon": 5, "md_steps": 5, "credit": "mix", "start_relax": 5}
    settings = settings_for(target, cluster(13), **options)
    recipe = Native(environment="atoms", settings=settings, prepare=lammps.bind)
    seen = []
    for opened in (
        partial(Vector, "atoms", settings, envs=4, threads=1),
        partial(Vector, "atoms", settings, envs=4, threads=2),
        partial(Workers, recipe, envs=4, workers=2),
    ):
        with opened() as vector:
            vector.reset(seed=1)
            rng, rewards = np.random.default_rng(0), []
            for _ in range(15):
                vector.actions[:] = rng.normal(scale=0.3, size=vector.actions.shape)
                vector.step()
                rewards.append(vector.rewards.copy())
            seen.append(np.array(rewards))
    assert np.abs(seen[0]).sum() > 1
    np.testing.assert_array_equal(seen[0], seen[1])
    np.testing.assert_array_equal(seen[0], seen[2])


def test_it_is_measured_every_few_steps_and_at_the_end():
    target = Target(property=Place(), goal="maximise")
    with open_vector(target, cluster(2), starts=apart(2), horizon=8, strength=0.1, measure_every=3, **HELD) as vector:
        vector.reset(seed=0)
        rewards = []
        for _ in range(8):
            vector.actions[:] = [1, 0, 0]
            vector.step()
            rewards.append(vector.rewards[0])
        np.testing.assert_allclose(rewards, [0, 0, 0.3, 0, 0, 0.3, 0, 0.2], atol=1e-6)


@pytest.mark.parametrize("fault", [SimulationError, InputError])
def test_what_cannot_be_measured_is_a_failed_episode(fault):
    target = Target(property=Place(wall=0.25, fault=fault), goal="maximise")
    options = {"starts": apart(2), "horizon": 8, "strength": 0.1, "failure_penalty": 7.0}
    with open_vector(target, cluster(2), **options, **HELD) as vector:
        vector.reset(seed=0)
        for expected in (0.1, 0.1, -7.0, 0.0, 0.1):
            vector.actions[:] = [1, 0, 0]
            vector.step()
            np.testing.assert_allclose(vector.rewards, expected, atol=1e-6)
            assert vector.terminals.all() == (expected < 0)
        assert vector.log()["failures"] == 1.0
        assert atoms_result(vector, 0).failed


@pytest.mark.parametrize("fault", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_mistake_in_a_property_is_raised_by_the_step_that_met_it(fault, threads):
    target = Target(property=Place(wall=0.15, fault=fault), goal="maximise")
    options = {"starts": apart(2), "horizon": 8, "strength": 0.1, **HELD}
    with open_vector(target, cluster(2), envs=2, threads=threads, **options) as vector:
        vector.reset(seed=0)
        vector.actions[:] = [1, 0, 0]
        vector.step()
        with pytest.raises(fault, match="behind the wall"):
            vector.step()
        assert vector.terminals.all()
        vector.step()  # that was said once
        assert not vector.masks.any()


def test_settings_that_make_no_sense_are_refused():
    target = Target(property=Coordination(cutoff=1.4), goal="maximise")
    with pytest.raises(InputError, match="there is none: set one"):
        Vector("atoms", atoms_settings(cluster(3), LJ, {"reward": "property"}), envs=1)
    with pytest.raises(InputError, match="follows from the target"):
        atoms_settings(cluster(3), LJ, {"measurer": 1.0})
    with pytest.raises(InputError, match=r"samples=3 .* nothing is random"):
        measured_settings(target, cluster(3), LJ, samples=3)
    with pytest.raises(InputError, match="at least two atoms"):
        measured_settings(target, Atoms("Ar"), LJ)
    with pytest.raises(InputError, match="acceptance"):
        open_vector(target, cluster(3), acceptance=-1.0)


def test_periodic_cells_and_species_reach_the_property():
    nial = material("nial")
    crystal = bulk("NiAl", "cesiumchloride", a=2.88) * 3
    crystal.rattle(0.02, seed=0)
    energy = Target(property=PotentialEnergy(), goal="minimise")
    count = Target(property=Coordination(cutoff=3.1), goal="minimise")
    for target, expected in (
        (energy, -measure(PotentialEnergy(), crystal, nial, cache=Cache(None)).value),
        (count, -len(neighbor_list("i", crystal, 3.1)) / len(crystal)),
    ):
        with open_vector(target, crystal, nial, horizon=1, strength=0.0, **HELD) as vector:
            vector.reset(seed=0)
            vector.step()
            assert vector.log()["score"] == pytest.approx(expected, rel=1e-6)
