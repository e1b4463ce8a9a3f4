"""Policies that are told which value to reach, and moves of whole planes."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from ase.build import bulk

from matdesign.agents.checkpoint import save_checkpoint
from matdesign.config import load
from matdesign.design.conditioning import train_conditioned
from matdesign.design.objective import Objective, search
from matdesign.design.searchers import SEARCHERS
from matdesign.design.searchers.conditioned import ConditionedPolicy, ConditionedSearch
from matdesign.design.searchers.fields import Fields
from matdesign.design.searchers.surrogate import Surrogate
from matdesign.design.spaces import Decorations, layers
from matdesign.design.spaces.planes import Planes
from matdesign.errors import InputError
from matdesign.properties import Estimate, Property
from matdesign.rewards.target import Target

ISOTOPES = load(["material=argon_isotopes"]).material
LATTICE = bulk("Ar", "fcc", a=5.35, cubic=True) * (4, 1, 1)
SITES = Decorations(LATTICE, ["Ar", "Kr"], [8, 8], axis=0)


def pair_counts(structure):
    """Share of unlike pairs among neighbouring layers along the first axis."""
    heavy = np.array([symbol == "Kr" for symbol in structure.symbols])
    groups = layers(structure, 0)
    shares = np.array([heavy[groups == layer].mean() for layer in range(groups.max() + 1)])
    return 1.0 + float(np.abs(shares - np.roll(shares, 1)).mean())


@dataclass(frozen=True, kw_only=True)
class Contrast(Property):
    """One and the mean difference of neighbouring layers: 1 for columns, 2 for the 1+1 superlattice."""

    name: ClassVar[str] = "contrast"
    sign: float = 1.0

    @property
    def random(self):
        return False

    def unit(self, units):
        return "1"

    def sample(self, system, seed):
        return {"value": np.array(self.sign * pair_counts(system.structure))}

    def estimate(self, system, samples):
        return Estimate(value=float(samples[0]["value"]))


@pytest.fixture(scope="module")
def trained():
    return train_conditioned(
        SITES, Contrast(), ISOTOPES, seed=0, first=48, rounds=8, batch=8, updates=16, values=8, draws=16,
        learning_rate=1e-2,
    )  # fmt: skip


def test_a_trained_policy_draws_what_is_asked_for(trained):
    policy, objective = trained
    assert 48 <= objective.cost.measurements <= 48 + 8 * 8
    wanted = np.geomspace(policy.low, policy.high, 5)
    drawn = policy.draw(SITES, wanted, 32, np.random.default_rng(1))
    values = np.array([[pair_counts(SITES.structure(each)) for each in row] for row in drawn])
    rng = np.random.default_rng(2)
    alloys = np.array([pair_counts(SITES.structure(SITES.random(rng))) for _ in range(64)])
    ours = np.abs(values / wanted[:, None] - 1.0).mean()
    assert ours < 0.5 * np.abs(alloys / wanted[:, None] - 1.0).mean()
    assert np.corrcoef(np.repeat(wanted, 32), values.ravel())[0, 1] > 0.8
    assert (np.bincount(drawn.ravel()) == drawn.size // 2).all()


def test_the_same_weights_fill_a_larger_cell(trained):
    policy, _ = trained
    for repeat in ((8, 1, 1), (4, 2, 3)):
        cell = bulk("Ar", "fcc", a=5.35, cubic=True) * repeat
        larger = Decorations(cell, ["Ar", "Kr"], [len(cell) // 2] * 2, axis=0)
        searcher = ConditionedSearch(larger, seed=0, policy=policy, value=0.5 * (policy.low + policy.high))
        assert np.bincount(searcher.ask()[0]).tolist() == [len(cell) // 2] * 2
    # Twice as long: the pattern of the training cell, repeated.
    longer = Decorations(LATTICE * (2, 1, 1), ["Ar", "Kr"], [16, 16], axis=0)
    short, long = (policy.logits(policy.waves(space), np.array([1.5])).detach().numpy()[0] for space in (SITES, longer))
    places = (longer.places * [2.0, 1.0, 1.0]) % 1.0
    for place, logits in zip(places, long, strict=True):
        (same,) = np.flatnonzero(np.abs((SITES.places - place + 0.5) % 1.0 - 0.5).max(axis=1) < 1e-6)
        assert logits == pytest.approx(short[same], abs=1e-4)


def test_checkpoints_hold_the_policy_and_what_it_is_for(trained, tmp_path):
    policy, _ = trained
    path = tmp_path / "policy.safetensors"
    policy.save(path, {"seed": 0})
    again = ConditionedPolicy.load(path, SITES, Contrast(), ISOTOPES)
    value = 0.5 * (policy.low + policy.high)
    first, second = (ConditionedSearch(SITES, seed=3, policy=each, value=value) for each in (policy, again))
    for _ in range(3):
        assert np.array_equal(first.ask()[0], second.ask()[0])
    quarter = Decorations(LATTICE, ["Ar", "Kr"], [12, 4], axis=0)
    stacks = Decorations(LATTICE, ["Ar", "Kr"], [4, 4], groups=layers(LATTICE, 0), axis=0)
    swapped = Decorations(LATTICE, ["Kr", "Ar"], [8, 8], axis=0)
    wide = Decorations(LATTICE.copy(), ["Ar", "Kr"], [8, 8], axis=0)
    wide.lattice.set_cell(wide.lattice.cell * 1.1, scale_atoms=True)
    for space, measured, material, message in (
        (SITES, Contrast(), replace(ISOTOPES, name="lead"), "material argon_isotopes, not lead"),
        (SITES, Contrast(sign=2.0), ISOTOPES, "protocol"),
        (quarter, Contrast(), ISOTOPES, "shares"),
        (swapped, Contrast(), ISOTOPES, "species"),
        (wide, Contrast(), ISOTOPES, "spacings"),
        (stacks, Contrast(), ISOTOPES, "trained for"),
    ):
        with pytest.raises(InputError, match=message):
            ConditionedPolicy.load(path, space, measured, material)
    save_checkpoint(path, {}, {})
    with pytest.raises(InputError, match="no policy that takes a wanted value"):
        ConditionedPolicy.load(path, SITES, Contrast(), ISOTOPES)


def test_values_outside_of_the_training_are_refused(trained):
    with pytest.raises(InputError, match="outside of what the policy was trained for"):
        ConditionedSearch(SITES, seed=0, policy=trained[0], value=3.0)


def test_values_that_have_no_logarithm_are_refused():
    with pytest.raises(InputError, match="only positive values"):
        train_conditioned(SITES, Contrast(sign=-1.0), ISOTOPES, seed=0, first=4)


def test_planes_are_those_of_the_lattice_and_moves_keep_the_composition():
    planes = Planes(SITES.places, SITES.counts)
    assert [family.shape for family in planes.families] == [(8, 2), (2, 8), (2, 8)]
    assert (np.ptp(SITES.places[:, 0][planes.families[0]], axis=1) < 1e-9).all()
    rng = np.random.default_rng(0)
    design = SITES.random(rng)
    for _ in range(100):
        other = SITES.random(rng)
        for child in (planes.moved(design, rng), planes.blended(design, other, rng), SITES.rearranged(design, rng)):
            assert np.bincount(child).tolist() == [8, 8]
        design = planes.moved(design, rng)


def test_stacks_stay_stacks_when_planes_along_them_move():
    stack = (layers(LATTICE, 0) % 4 < 2).astype(np.int64)
    planes = Planes(SITES.places, SITES.counts)
    planes.families = planes.families[:1]
    rng = np.random.default_rng(1)
    for _ in range(40):
        stack = planes.moved(stack, rng)
        assert (np.ptp(stack[planes.families[0]], axis=1) == 0).all()


def test_untrained_fields_vary_along_some_directions_only():
    fields = Fields(SITES, np.random.default_rng(0), count=1, learning_rate=1e-2, entropy=0.0)
    along = layers(LATTICE, 0)
    pure = [all(np.ptp(each[along == layer]) == 0 for layer in range(8)) for each in fields.untrained(64)]
    assert 2 <= sum(pure) < 64  # of random designs, one in 200


def test_fields_learn_what_is_rewarded():
    fields = Fields(SITES, np.random.default_rng(3), count=2, learning_rate=2e-2, entropy=0.0)
    wanted = (layers(LATTICE, 0) % 2).astype(np.int64)
    for _ in range(60):
        drawn = fields.draw(32)
        fields.learn(drawn, np.abs((drawn == wanted).mean(axis=2) - 0.5))
    best = np.abs((fields.draw(32) == wanted).mean(axis=2) - 0.5).mean(axis=1)
    assert best.max() > 0.4  # of 0.5; random designs reach 0.1


def test_the_model_takes_logarithms_where_they_are_less_skewed():
    model = Surrogate(SITES)
    factors = np.exp(np.linspace(-2.0, 2.0, 9))
    assert model._scaled(factors) == pytest.approx(np.linspace(-2.0, 2.0, 9))
    assert model._scaled(-factors) == pytest.approx(-np.linspace(-2.0, 2.0, 9))
    distances = np.array([1e-9, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert model._scaled(distances) == pytest.approx(distances)


@pytest.mark.parametrize("goal", ["minimise", "maximise", "hit"])
def test_one_policy_search_serves_all_goals(goal):
    target = Target(property=Contrast(), goal=goal, **({"value": 1.625, "tolerance": 0.01} if goal == "hit" else {}))
    objective = Objective(SITES, target, ISOTOPES)
    search(SEARCHERS["policy"](SITES, seed=0), objective, budget=40)
    assert objective.best.score <= {"minimise": 1.0, "maximise": -2.0, "hit": 0.0}[goal] + 1e-9
