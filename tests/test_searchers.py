"""Decorations of a lattice and the searchers that propose them."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from ase.build import bulk

from matdesign.config import load
from matdesign.design.objective import Objective, search
from matdesign.design.searchers import SEARCHERS, suited
from matdesign.design.spaces import Decorations, layers
from matdesign.errors import InputError
from matdesign.properties import Estimate, Measurement, Property
from matdesign.properties.density import Density
from matdesign.rewards.target import Target

ISOTOPES = load(["material=argon_isotopes"]).material
LATTICE = bulk("Ar", "fcc", a=5.35, cubic=True) * (4, 2, 2)
STACKS = Decorations(LATTICE, ["Ar", "Kr"], [4, 4], groups=layers(LATTICE, 0), axis=0)
SITES = Decorations(LATTICE, ["Ar", "Kr"], [32, 32], axis=0)


@dataclass(frozen=True, kw_only=True)
class Order(Property):
    """Share of unlike neighbouring layers along the first axis, plus a little for the place of the first heavy one."""

    name: ClassVar[str] = "order_of_layers"
    fails: bool = False

    @property
    def random(self):
        return False

    def unit(self, units):
        return "1"

    def sample(self, system, seed):
        heavy = np.array([symbol == "Kr" for symbol in system.structure.symbols])
        groups = layers(system.structure, 0)
        shares = np.array([heavy[groups == layer].mean() for layer in range(groups.max() + 1)])
        unlike = np.abs(shares - np.roll(shares, 1)).mean()
        return {"value": np.array(np.nan if self.fails and unlike > 0.6 else unlike)}

    def estimate(self, system, samples):
        return Estimate(value=float(samples[0]["value"]))


def target(**options):
    return Target(property=Order(), **{"goal": "minimise", **options})


def test_layers_are_counted_along_the_axis():
    assert layers(LATTICE, 0).tolist() == [round(x / 2.675) % 8 for x in LATTICE.positions[:, 0]]
    assert len(set(layers(LATTICE, 1).tolist())) == 4


def test_stacks_that_are_the_same_by_shift_or_reversal_are_one():
    assert len(STACKS.permutations) == 16
    stack = np.array([0, 0, 1, 0, 1, 1, 0, 1])
    for image in (np.roll(stack, 3), stack[::-1], np.roll(stack[::-1], 5)):
        assert STACKS.name(image) == STACKS.name(stack)
    features = STACKS.features([stack, np.roll(stack, 3), stack[::-1], np.roll(stack[::-1], 5)])
    assert (np.ptp(features, axis=0) < 1e-12).all()
    assert STACKS.name(np.sort(stack)) != STACKS.name(stack)


def test_the_enumeration_agrees_with_brute_force():
    # Bracelets of eight beads, four of each colour: 8 (OEIS A005648).
    found = list(STACKS.all())
    assert len(found) == 8
    assert len({STACKS.name(each) for each in found}) == 8
    rng = np.random.default_rng(0)
    assert {STACKS.name(STACKS.random(rng)) for _ in range(400)} == {STACKS.name(each) for each in found}


def test_symmetries_of_sites_leave_distances_alone():
    rng = np.random.default_rng(1)
    distances = LATTICE.get_all_distances(mic=True)
    along = LATTICE.get_all_distances(mic=True, vector=True)[:, :, 0]
    for permutation in SITES.permutations[rng.integers(len(SITES.permutations), size=20)]:
        assert distances[np.ix_(permutation, permutation)] == pytest.approx(distances)
        # Twice the distance along the axis decides nothing between the two halves of the cell.
        moved = np.abs(along[np.ix_(permutation, permutation)])
        assert moved == pytest.approx(np.abs(along), abs=1e-6)
    for orbit in range(SITES.orbits.max() + 1):
        assert np.ptp(distances[SITES.orbits == orbit]) < 1e-6


def test_features_count_unlike_pairs():
    decoration = SITES.random(np.random.default_rng(2))
    (features,) = SITES.features([decoration])
    nearest = SITES.orbits[0, np.argmin(np.where(np.eye(64)[0], np.inf, LATTICE.get_all_distances(mic=True)[0]))]
    pairs = np.argwhere(SITES.orbits == nearest)
    unlike = np.mean([decoration[i] != decoration[j] for i, j in pairs])
    assert features[nearest] == pytest.approx(unlike)


def test_swaps_and_structures_keep_the_composition():
    rng = np.random.default_rng(3)
    decoration = SITES.random(rng)
    for _ in range(20):
        changed = SITES.changed(decoration, rng)
        assert (changed != decoration).sum() == 2
        assert np.bincount(changed).tolist() == [32, 32]
    symbols = list(SITES.structure(decoration).symbols)
    assert symbols == [["Ar", "Kr"][i] for i in decoration]
    halves = STACKS.structure(np.array([1, 1, 1, 1, 0, 0, 0, 0]))
    assert [symbol == "Kr" for symbol in halves.symbols] == (layers(LATTICE, 0) < 4).tolist()


@pytest.mark.parametrize(
    ("counts", "groups", "message"),
    [([4, 5], layers(LATTICE, 0), "do not add up to the 8"), ([4, 4], [0] * 63 + [2], "numbered from 0")],
)
def test_impossible_spaces_are_refused(counts, groups, message):
    with pytest.raises(InputError, match=message):
        Decorations(LATTICE, ["Ar", "Kr"], counts, groups=groups)


def test_too_many_to_enumerate_is_said():
    with pytest.raises(InputError, match="too many to enumerate"):
        next(SITES.all())


@pytest.mark.parametrize("name", suited(STACKS))
def test_searchers_find_the_best_stack_and_are_repeatable(name):
    runs = []
    for _ in range(2):
        objective = Objective(STACKS, target(), ISOTOPES)
        entries = search(SEARCHERS[name](STACKS, seed=5), objective, budget=8)
        runs.append([entry.design.tolist() for entry in entries])
        assert all(np.bincount(entry.design).tolist() == [4, 4] for entry in entries)
        assert objective.cost.measurements == len(entries) <= 8
        assert len({STACKS.name(entry.design) for entry in entries}) == len(entries)
    assert runs[0] == runs[1]
    assert objective.best.score == pytest.approx(2 / 8)  # all heavy layers together


@pytest.mark.parametrize(
    "name", ["policy", "genetic", "bayesian", "hill_climbing", "annealing", "basin_hopping", "cma_es"]
)
def test_searchers_beat_random_search_on_sites(name):
    def lowest(kind, seed):
        objective = Objective(SITES, target(goal="maximise"), ISOTOPES)
        search(kind(SITES, seed=seed), objective, budget=48)
        return objective.best.score

    ours = lowest(SEARCHERS[name], 1)
    random = np.mean([lowest(SEARCHERS["random"], seed) for seed in range(3)])
    assert ours < random


def test_designs_that_cannot_be_measured_are_counted_and_never_best():
    objective = Objective(STACKS, Target(property=Order(fails=True), goal="maximise"), ISOTOPES)
    search(SEARCHERS["random"](STACKS, seed=0), objective, budget=8)
    failed = [entry for entry in objective.entries if not entry.measurements]
    assert failed
    assert all(entry.score == np.inf for entry in failed)
    assert objective.best.measurements


def measurement(value, stderr=0.0):
    return Measurement(name="x", value=value, stderr=stderr, unit="1", steps=0, seconds=0.0)


def test_targets():
    assert target().distance(2.0) == 2.0
    assert target(goal="maximise").distance(2.0) == -2.0
    hit = target(goal="hit", value=3.0, tolerance=0.5)
    assert [hit.distance(value) for value in (1.0, 2.6, 3.4, 5.0)] == [1.5, 0.0, 0.0, 1.5]
    gain, error = target(goal="maximise").advantage(measurement(3.0, 0.3), measurement(2.0, 0.4))
    assert (gain, error) == (1.0, pytest.approx(0.5))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"goal": "hit"}, "target.value=None"),
        ({"value": 1.0}, "only goal=hit has a value"),
        ({"tolerance": -1.0}, "tolerance=-1.0"),
        ({"tolerance": float("nan")}, "tolerance=nan"),
    ],
)
def test_impossible_targets_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        target(**options)


def test_targets_take_any_property():
    objective = Objective(STACKS, Target(property=Density(), goal="maximise"), ISOTOPES)
    score = objective(STACKS.random(np.random.default_rng(0))).score
    assert score == pytest.approx(-(32 * 40 + 32 * 160) * 1.66053907 / LATTICE.get_volume())
