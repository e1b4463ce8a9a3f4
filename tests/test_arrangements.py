"""Where the atoms are: the space of arrangements and the searchers that need one."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.neighborlist import neighbor_list
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation

from matdesign.config import load
from matdesign.design.assembly import make_policy, open_vector
from matdesign.design.objective import Objective, search
from matdesign.design.searchers import SEARCHERS, suited
from matdesign.design.searchers.minima_hopping import MinimaHopping
from matdesign.design.searchers.steering import Steering
from matdesign.design.spaces import Arrangements, Decorations, Space
from matdesign.design.spaces.symmetry import point_groups, symmetric_cloud
from matdesign.envs.atoms import atoms_result
from matdesign.errors import InputError
from matdesign.properties import find
from matdesign.rewards.target import Target
from matdesign.sim import Simulation

CLUSTER = load(["material=argon_cluster"]).material
ISOTOPES = load(["material=argon_isotopes"]).material
LJ = load(["material=lj"]).material
ENERGY = find("potential_energy")()
GROUND_STATE = -44.326801  # of 13 Lennard-Jones atoms in epsilon: Cambridge Cluster Database
SITES = Decorations(bulk("Ar", cubic=True), ["Ar", "Kr"], [2, 2])
SLANTED = np.array([[1.05, 0.03, 0.0], [0.1, 0.97, 0.02], [0.04, 0.2, 1.1]])


def cluster(count=13, **options):
    return Arrangements(Atoms(["Ar"] * count), CLUSTER, **options)


def crystal(repeat=2, **options):
    atoms = bulk("Ar", "fcc", a=1.55, cubic=True) * ([repeat] * 3)
    atoms.set_cell(atoms.cell.array @ SLANTED, scale_atoms=True)
    return Arrangements(atoms, LJ, **options)


def mixture(**options):
    return Arrangements(Atoms(["Ar"] * 6 + ["Kr"] * 7), ISOTOPES, **options)


def objective(space):
    return Objective(space, Target(property=ENERGY, goal="minimise"), space.material)


def proposals(space, rng):
    one, other = space.random(rng), space.random(rng)
    yield from (one, other, space.decoded(rng.normal(size=space.dimension)), space.combined(one, other, rng))
    yield space.combined(one, one, rng)
    for _ in range(4):
        one = space.changed(one, rng)
        yield one


def largest_force(space, arrangement):
    """By ASE's own Lennard-Jones, in the material's units."""
    atoms, lj = space.structure(arrangement), space.material.units == "lj"
    epsilon, sigma, cutoff = (1.0, 1.0, 2.5) if lj else (0.010323565, 3.405, 68.1)
    atoms.calc = LennardJones(epsilon=epsilon, sigma=sigma, rc=cutoff)
    return np.abs(atoms.get_forces()).max()


@pytest.mark.parametrize(
    "space",
    [cluster(38, surface=0.5), mixture(symmetric=1.0), crystal(), crystal(cell="isotropic"), crystal(cell="full")],
)
def test_proposals_keep_composition_and_minimum_distance(space):
    rng = np.random.default_rng(0)
    for arrangement in proposals(space, rng):
        atoms = space.structure(arrangement)
        assert atoms.get_chemical_formula() == space.atoms.get_chemical_formula()
        assert (atoms.symbols == space.atoms.symbols).all()
        assert len(neighbor_list("d", atoms, 0.8 * space.material.length_scale)) == 0
        assert np.isfinite(space.name(arrangement) and arrangement).all()
        if space.free:
            assert np.linalg.norm(atoms.positions, axis=1).max() < space.radius + 1e-6
        else:
            assert atoms.cell.volume == pytest.approx(space.atoms.cell.volume, rel=0.9)


def test_a_fixed_cell_stays_and_an_isotropic_one_keeps_its_shape():
    rng = np.random.default_rng(1)
    angles = crystal().atoms.cell.angles()
    for space in (crystal(), crystal(cell="isotropic")):
        cells = [space.structure(each).cell for each in proposals(space, rng)]
        assert np.array([cell.angles() for cell in cells]) == pytest.approx(np.tile(angles, (len(cells), 1)))
    assert np.ptp([cell.volume for cell in cells]) > 0.1
    volumes = [crystal().structure(each).cell.volume for each in proposals(crystal(), rng)]
    assert np.ptp(volumes) < 1e-9


def test_changes_are_the_move_of_basin_hopping():
    space, rng = cluster(step=0.36, apart=0.01), np.random.default_rng(2)
    start, _ = space.settled(space.random(rng))
    start -= start.mean(axis=0)
    moves = np.concatenate([space.changed(start, rng) - start for _ in range(100)]) / CLUSTER.length_scale
    # Uniform, but for the drift of the whole, which is taken out.
    assert moves.std() == pytest.approx(0.36 / np.sqrt(3.0) * np.sqrt(12 / 13), rel=0.02)
    assert np.abs(moves.mean(axis=0)).max() < 1e-9


def test_unlike_atoms_change_places():
    space, rng = mixture(swaps=1.0, density=0.1), np.random.default_rng(3)
    start, _ = space.settled(space.random(rng))
    changed = space.changed(start, rng)
    moved = np.flatnonzero(np.abs(changed - (start - start.mean(axis=0))).max(axis=1) > 1e-9)
    assert len(moved) == 2
    assert moved[0] < 6 <= moved[1]


def test_surface_moves_take_one_atom_to_touch_the_others():
    space, rng = cluster(38, surface=1.0, density=0.1), np.random.default_rng(4)
    start, _ = space.settled(space.random(rng))
    before = space.structure(start).get_all_distances()
    for _ in range(20):
        after = space.structure(space.changed(start, rng)).get_all_distances()
        same = np.isclose(before, after, atol=1e-6).sum(axis=1) == 38 - 1
        (moved,) = np.flatnonzero(~same)  # all others kept all distances but the one from it
        nearest = np.sort(after[moved])[1] / CLUSTER.length_scale
        assert 0.99 < nearest < 1.01
        assert (before[moved] < 1.4 * CLUSTER.length_scale).sum() <= np.sort(
            (before < 1.4 * CLUSTER.length_scale).sum(axis=1)
        )[0] + 1


def test_children_of_two_clusters_have_atoms_of_both():
    space, rng = cluster(38), np.random.default_rng(5)
    mother, father = (space.settled(space.random(rng))[0] for _ in range(2))
    distances = [np.sort(space.structure(each).get_all_distances(), axis=1) for each in (mother, father)]
    for _ in range(10):
        child = space.structure(space.combined(mother, father, rng)).get_all_distances()
        # An atom deep in one part keeps its distances from its nearest neighbours, up to the noise that parts atoms.
        kept = [
            min(np.abs(np.sort(row)[1:7] - other[1:7]).max() for other in parent) < 0.02 * CLUSTER.length_scale
            for row in child
            for parent in distances
        ]
        assert sum(kept) >= 4


@pytest.mark.parametrize("space", [cluster(), mixture()])
def test_names_know_copies_of_one_minimum(space):
    rng = np.random.default_rng(6)
    like = np.arange(13)
    like[:6], like[6:] = rng.permutation(6), 6 + rng.permutation(7)  # like atoms of either space
    names = set()
    for _ in range(10):
        minimum, _ = space.settled(space.random(rng))
        turned = Rotation.random(random_state=rng).apply(minimum * [1.0, 1.0, -1.0])[like] + 5.0
        assert space.name(turned) == space.name(minimum)
        nudged, _ = space.settled(turned + 0.01 * rng.normal(size=turned.shape))
        assert space.name(nudged) == space.name(minimum)
        names.add(space.name(minimum))
    assert len(names) > 3
    assert len({space.name(each) for each in proposals(space, rng)}) == 9


@pytest.mark.parametrize("kinds", [np.zeros(38, int), np.repeat([0, 1], [6, 7])])
def test_symmetric_clouds_are_mapped_on_themselves(kinds):
    rng, orders = np.random.default_rng(13), set()
    for _ in range(10):
        cloud = symmetric_cloud(kinds, 0.8, 3.0, rng)
        assert pdist(cloud).min() >= 0.8
        assert np.linalg.norm(cloud, axis=1).max() < 3.0 + 1e-9
        orders.add(max(len(group.operations) for group in point_groups() if kept(group.operations, cloud, kinds)))
    assert min(orders) >= 2
    assert len(orders) > 2


def kept(operations, cloud, kinds):
    for operation in operations:
        distance, image = cKDTree(cloud).query(cloud @ operation.T)
        if distance.max() > 1e-6 or (kinds[image] != kinds).any():
            return False
    return True


def test_point_groups_are_groups():
    for group in point_groups():
        operations = group.operations
        assert np.einsum("aij,akj->aik", operations, operations) == pytest.approx(
            np.tile(np.eye(3), (len(operations), 1, 1)), abs=1e-9
        )
        count = len(operations)  # by Lagrange's theorem an orbit's size divides the order
        assert all(count % size == 0 for size in group.places)
        assert max(group.places) == count
    orders = sorted({len(group.operations) for group in point_groups()})
    assert orders == [2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 48, 60, 120]


def test_symmetric_starts_find_symmetric_ground_states_sooner():
    found = []
    for symmetric in (0.0, 1.0):
        rng, energies = np.random.default_rng(14), []
        with cluster(symmetric=symmetric) as space:
            for _ in range(40):
                relaxed, _ = space.settled(space.random(rng))
                space.simulated(relaxed, lambda simulation, energies=energies: energies.append(simulation.energy))
        found.append((np.array(energies) / CLUSTER.energy_scale < GROUND_STATE + 1e-3).sum())
    assert found[1] > 2 * found[0] > 0


def test_names_know_which_species_is_where():
    space, rng = mixture(), np.random.default_rng(7)
    minimum, _ = space.settled(space.random(rng))
    exchanged = minimum.copy()
    exchanged[[0, 6]] = minimum[[6, 0]]
    assert space.name(exchanged) != space.name(minimum)


def test_names_know_the_cell():
    space, rng = crystal(cell="full", tolerance=1e-6, step=0.05), np.random.default_rng(8)
    start = np.concatenate([space.atoms.positions, space.atoms.cell.array])
    one, _ = space.settled(start)
    assert space.name(start) != space.name(one)
    shifted = np.concatenate([one[:-3] + 0.3 * one[-1] + one[-2], one[-3:]])
    assert space.name(shifted) == space.name(one)
    energy, same = objective(space)(one).score, []
    for _ in range(4):  # other cells, of which some hold the same crystal
        other, _ = space.settled(space.changed(start, rng))
        same.append(space.name(other) == space.name(one))
        assert same[-1] == (abs(objective(space)(other).score - energy) < 1e-6)
    assert len(set(same)) == 2


@pytest.mark.parametrize("space", [cluster(tolerance=1e-4), crystal(tolerance=1e-4)])
def test_relaxed_arrangements_rest_under_the_forces_of_ase(space):
    rng = np.random.default_rng(9)
    scale = space.material.energy_scale / space.material.length_scale
    with space:
        for arrangement in list(proposals(space, rng))[:4]:
            settled, cost = space.settled(arrangement)
            assert largest_force(space, settled) < 1.1e-4 * scale
            assert cost.evaluations > 10
            again, little = space.settled(settled)
            assert little.evaluations <= 2
            assert np.abs(again - settled).max() < 1e-3 * space.material.length_scale


def test_a_strained_crystal_relaxes_to_the_lattice_constant():
    for kind, edge in (("full", 1.5496), ("isotropic", None)):
        space = crystal(cell=kind, tolerance=1e-6)
        settled, _ = space.settled(np.concatenate([space.atoms.positions, space.atoms.cell.array]))
        cell = space.structure(settled).cell
        if edge:
            assert cell.lengths() / 2 == pytest.approx([edge] * 3, abs=1e-4)
            assert cell.angles() == pytest.approx([90.0] * 3, abs=1e-3)
        else:
            assert cell.angles() == pytest.approx(space.atoms.cell.angles())


def test_what_cannot_be_relaxed_stays_and_its_cost_is_counted():
    with cluster() as space:
        overlapping = np.zeros((13, 3))
        settled, cost = space.settled(overlapping)
        assert (settled == overlapping).all()
        assert cost.evaluations >= 1
        good, _ = space.settled(space.random(np.random.default_rng(10)))
        assert largest_force(space, good) < 1.1e-3 * CLUSTER.energy_scale / CLUSTER.length_scale


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Arrangements(bulk("Ar", a=1.5) * (2, 2, 1), LJ, apart=3.0), "do not find room"),
        (lambda: Arrangements(Atoms(["Ar"] * 3, cell=[9, 9, 9], pbc=[1, 1, 0]), LJ), "free or periodic"),
        (lambda: cluster(cell="full"), "cell=full needs a structure that is periodic"),
        (lambda: cluster(density=500.0), "cannot place 13 atoms"),
        (
            lambda: SEARCHERS["minima_hopping"](Decorations(bulk("Ar", cubic=True), ["Ar", "Kr"], [2, 2]), seed=0),
            "searches arrangements, not decorations",
        ),
    ],
)
def test_impossible_spaces_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


# ----------------------------------------------------------------------------------------------------------- searchers


@pytest.mark.parametrize("name", suited(cluster()))
def test_searchers_find_the_ground_state_of_thirteen_atoms_and_are_repeatable(name):
    runs = []
    for budget in (200_000, 3000):
        with cluster() as space:
            ledger, found = objective(space), []

            def show(ledger, found=found):
                found.append(ledger.best.score * 13 / CLUSTER.energy_scale)
                if found[-1] < GROUND_STATE + 1e-3:
                    raise StopIteration

            with suppress(StopIteration):
                search(SEARCHERS[name](space, seed=3), ledger, budget=2000, evaluations=budget, show=show)
            runs.append([entry.score for entry in ledger.entries])
            if budget == 200_000:
                assert found[-1] == pytest.approx(GROUND_STATE, abs=1e-3)
    shared = min(len(run) for run in runs)
    assert runs[0][:shared] == runs[1][:shared]


@pytest.mark.parametrize(
    ("make", "names"),
    [(cluster, suited(cluster())), (lambda: crystal(1, cell="full"), ["random", "minima_hopping", "md_annealing"])],
)
def test_the_ledger_holds_all_force_evaluations_of_lammps(make, names, monkeypatch):
    opened = []
    close = Simulation.close

    def counted(simulation):
        if simulation._handle is not None:
            opened.append((simulation.evaluations, simulation.md_steps))
        close(simulation)

    monkeypatch.setattr(Simulation, "close", counted)
    for name in names:
        opened.clear()
        with make() as space:
            ledger = objective(space)
            options = {"md_annealing": {"steps": 50}, "bayesian": {"candidates": 8}}.get(name, {})
            search(SEARCHERS[name](space, seed=0, **options), ledger, budget=4, evaluations=1000)
        evaluations, md_steps = np.sum(opened, axis=0)
        assert (ledger.cost.evaluations, ledger.cost.md_steps) == (evaluations, md_steps)
        assert ledger.cost.measurements == len(ledger.entries)
        assert (md_steps > 0) == (name in ("md_annealing", "minima_hopping"))


class Ring(Space):
    """Eight designs, each next to two others."""

    scores = np.array([0.0, 0.7, 0.2, 1.5, 0.9, 0.3, 2.0, 0.4])
    dimension = 1

    def random(self, rng):
        return rng.integers(8, size=1)

    def changed(self, design, rng):
        return (design + rng.choice([-1, 1])) % 8

    def combined(self, mother, father, rng):
        return mother

    def decoded(self, vector):
        return np.asarray(vector)

    def structure(self, design):
        return Atoms()

    def features(self, designs):
        return np.array(designs)

    def name(self, design):
        return design.tobytes()


def test_basin_hopping_samples_the_boltzmann_distribution():
    ring = Ring()
    searcher = SEARCHERS["basin_hopping"](ring, seed=1, heat=0.8)
    visits, told = np.zeros(8), []
    for step in range(20_000):
        (design,) = searcher.ask()
        score = float(ring.scores[design[0]])
        if step < 8:
            told.append(score)
        searcher.tell([design], [score])
        visits[searcher.present[0]] += 1
    expected = np.exp(-ring.scores / (0.8 * np.std(told)))
    assert visits / visits.sum() == pytest.approx(expected / expected.sum(), abs=0.015)


def test_cma_es_finds_the_minimum_of_a_valley_and_begins_anew():
    class Valley(Ring):
        dimension = 4

    searcher = SEARCHERS["cma_es"](Valley(), seed=0)
    best, populations = np.inf, set()
    for _ in range(3000):
        (design,) = searcher.ask()
        x = design - [0.5, -1.0, 2.0, 0.0]
        score = float(100 * (x[0] + x[1]) ** 2 + x[1] ** 2 + x[2] ** 2 + 10 * (x[2] - x[3]) ** 2)
        best = min(best, score)
        searcher.tell([design], [score])
        populations.add(searcher.population)
    assert best < 1e-10
    assert populations == {8, 16} or populations == {8, 16, 32}


def test_minima_hopping_gives_feedback_to_temperature_and_threshold():
    space, rng = cluster(), np.random.default_rng(11)
    minima = [space.settled(space.random(rng))[0] for _ in range(3)]
    assert len({space.name(each) for each in minima}) == 3
    searcher = MinimaHopping(space, seed=0, temperature=1.0, threshold=0.1)
    searcher.tell(minima[:1], [5.0])
    assert (searcher.temperature, searcher.threshold) == (1.0, 0.1)
    searcher.tell(minima[:1], [5.0])  # back where it was
    assert (searcher.temperature, searcher.threshold) == (pytest.approx(1.1), 0.1)
    searcher.tell(minima[1:2], [5.2])  # new, but too high
    assert (searcher.temperature, searcher.threshold) == (pytest.approx(1.0), pytest.approx(0.1 / 0.98))
    searcher.tell(minima[2:], [5.1])  # new and taken
    assert (searcher.temperature, searcher.threshold) == (pytest.approx(1 / 1.1), pytest.approx(0.1))
    searcher.tell(minima[1:2], [5.1])  # seen before, and taken
    assert (searcher.temperature, searcher.threshold) == (pytest.approx(1.0), pytest.approx(0.098))


def test_an_escape_ends_at_a_minimum_of_the_energy_along_the_trajectory():
    space = cluster()
    searcher = MinimaHopping(space, seed=0, temperature=0.3)
    start, _ = space.settled(space.random(np.random.default_rng(12)))
    searcher.tell([start], [0.0])
    before = searcher.cost
    (end,) = searcher.ask()
    steps = (searcher.cost - before).md_steps
    # An oscillation about a minimum takes half a period to be back: 0.3 tau or so, which are 30 steps.
    assert 20 < steps < 300
    assert np.abs(end - start).max() > 0.02 * CLUSTER.length_scale


def test_annealing_by_dynamics_ends_cold():
    space = cluster()
    searcher = SEARCHERS["md_annealing"](space, seed=0, hot=0.3, cold=0.01, steps=3000)
    (cooled,) = searcher.ask()
    assert searcher.cost.md_steps == 3000
    hot = objective(space)(cooled).score
    cold = objective(space)(space.settled(cooled)[0]).score
    # By equipartition 3/2 kT per atom; the thermostat lags by its relaxation time, a hundred steps.
    assert 0.0 < (hot - cold) / CLUSTER.energy_scale < 1.5 * 0.04


def test_a_policy_steers_as_a_search():
    config = load(["env=atoms/cluster", "material=argon_cluster", "material.structure.atoms=7"])
    config = replace(config, env=replace(config.env, envs=3, settings={**config.env.settings, "horizon": 3}))
    runs = []
    with open_vector(config, own_memory=True) as vector, cluster(7) as space:
        policy = make_policy(config, vector)
        for _ in range(2):
            searcher, ledger = Steering(space, seed=4, policy=policy, vector=vector), objective(space)
            search(searcher, ledger, budget=4)
            runs.append([entry.score for entry in ledger.entries])
            # 20 evaluations soften the start, then 3 times 20 MD steps and at least one step of the relaxation.
            assert searcher.cost.evaluations > 3 * (20 + 60)
            assert ledger.cost.evaluations > searcher.cost.evaluations
        assert runs[0] == runs[1]
        assert len(runs[0]) == 4
        with pytest.raises(InputError, match="steer 7 atoms, the space has 13"):
            Steering(cluster(), seed=0, policy=policy, vector=vector)


def test_what_a_policy_proposes_costs_what_its_episodes_did():
    config = load(["env=atoms/cluster", "material=argon_cluster", "material.structure.atoms=7", "env.envs=4"])
    with open_vector(config, own_memory=True) as vector, cluster(7) as space:
        policy = make_policy(config, vector)
        searcher = Steering(space, seed=0, policy=policy, vector=vector)
        designs = searcher.ask()
        results = [atoms_result(vector, index) for index in range(4)]
        assert searcher.cost.evaluations == sum(result.evaluations for result in results)
        for design, result in zip(designs, results, strict=True):
            score = objective(space)(design).score  # per atom
            assert 7 * score == pytest.approx(result.energy, rel=1e-6)
