"""How anything is measured: errors, precision, processes, cache, failures."""

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from ase.build import bulk

from matdesign.config import load
from matdesign.errors import InputError, SimulationError
from matdesign.properties import Cache, Estimate, Property, System, catalogue, compare, find, measure
from matdesign.properties.cache import key
from matdesign.properties.density import Density
from matdesign.properties.measure import sample_seed
from matdesign.properties.measurement import number

ARGON = load(["material=argon"]).material
CRYSTAL = ARGON.structure.build(ARGON)


@dataclass(frozen=True, kw_only=True)
class Noise(Property):
    """Normal numbers about a mean, of the width of the structure's first atom's x; leaves a line for every sample."""

    name: ClassVar[str] = "noise"
    mean: float = 10.0
    width: float = 1.0
    log: str = ""
    failing: tuple[int, ...] = ()
    crashing: tuple[int, ...] = ()
    infinite: bool = False

    def unit(self, units):
        return units.energy

    def check(self, system):
        if len(system.structure) == 1:
            raise InputError("one atom makes no noise")

    def sample(self, system, seed):
        if self.log:
            with Path(self.log).open("a") as file:
                file.write(f"{seed}\n")
        if seed in self.failing:
            raise SimulationError("this one fails")
        if seed in self.crashing:
            os._exit(3)
        with system.simulation() as simulation:
            simulation.run(1)
        values = np.random.default_rng(seed).normal(self.mean, self.width, 3)
        return {"values": np.full(3, np.inf) if self.infinite else values * (1.0 + system.structure.positions[0, 0])}

    def estimate(self, system, samples):
        values = np.mean([sample["values"] for sample in samples], axis=0)
        return Estimate(
            value=float(values[0]),
            tensor=np.outer(values, values),
            curves={"all": values},
            details={"square": float(values[0] ** 2)},
        )


def lines(path):
    return Path(path).read_text().split() if Path(path).exists() else []


def run(noise, **options):
    return measure(noise, CRYSTAL, ARGON, cache=options.pop("cache", Cache(None)), **options)


def test_the_error_of_a_mean_is_the_standard_error_of_the_mean():
    found = run(Noise(), seeds=12, seed=3)
    values = [np.random.default_rng(sample_seed(3, i)).normal(10.0, 1.0, 3) for i in range(12)]
    assert found.value == pytest.approx(np.mean(values, axis=0)[0])
    assert found.stderr == pytest.approx(np.std(values, axis=0, ddof=1)[0] / 12**0.5)
    assert found.curves["all"] == pytest.approx(np.mean(values, axis=0))
    assert found.curves_stderr["all"] == pytest.approx(np.std(values, axis=0, ddof=1) / 12**0.5)
    # Error propagation to a function of the mean, to first order.
    assert found.details_stderr["square"] == pytest.approx(2 * found.value * found.stderr, rel=0.05)
    assert found.tensor_stderr[0, 0] == pytest.approx(found.details_stderr["square"])
    assert (found.seeds, found.failed, found.steps, found.unit) == (12, 0, 12 * 2, "eV")
    assert found.seconds > 0


def test_reported_errors_match_the_spread_of_repeats():
    found = [run(Noise(), seeds=8, seed=seed) for seed in range(60)]
    spread = np.std([each.value for each in found], ddof=1)
    reported = np.sqrt(np.mean([each.stderr**2 for each in found]))
    assert reported == pytest.approx(spread, rel=0.3)
    assert spread == pytest.approx(8**-0.5, rel=0.3)


def test_errors_of_a_real_property_match_the_spread_of_repeats():
    quick = Density(temperature=40.0, pressure=0.0, equilibration=300, frames=4, every=25)
    small = bulk("Ar", "fcc", a=5.2764, cubic=True) * (2, 2, 2)
    found = [measure(quick, small, ARGON, seeds=8, seed=seed, cache=Cache(None)) for seed in range(30)]
    spread = np.std([each.value for each in found], ddof=1)
    reported = np.sqrt(np.mean([each.stderr**2 for each in found]))
    assert reported == pytest.approx(spread, rel=0.3)


def test_samples_are_added_until_the_error_is_small_enough():
    found = run(Noise(), rel_error=0.01)
    assert found.stderr <= 0.01 * found.value
    # 1 / sqrt(n) = 0.1 needs about 100 samples.
    assert 60 <= found.seeds <= 200
    assert found.stopped == "the relative error 0.01 was met"
    assert run(Noise(), rel_error=0.9).seeds == 8


def test_a_spent_budget_stops_and_says_so():
    found = run(Noise(), rel_error=1e-4, budget=0.3)
    assert found.stopped == "the budget of 0.3 s was spent"
    assert found.stderr > 1e-4 * found.value
    assert run(Noise(), seeds=500, budget=0.0).seeds == 1


def test_processes_give_the_same_numbers():
    one, two = run(Noise(), rel_error=0.05), run(Noise(), rel_error=0.05, processes=2)
    assert one.seeds == two.seeds
    assert one.value == two.value
    assert one.stderr == two.stderr


def test_a_single_sample_has_no_error_bar():
    found = run(Noise(), seeds=1)
    assert np.isnan(found.stderr)
    assert "no error bar" in str(found)


def test_nothing_is_computed_twice(tmp_path):
    log, cache = tmp_path / "log", tmp_path / "cache"
    first = run(Noise(log=str(log)), seeds=6, cache=Cache(cache))
    assert len(lines(log)) == 6
    more = run(Noise(log=str(log)), seeds=9, cache=Cache(cache))
    assert len(lines(log)) == 9
    assert len(set(lines(log))) == 9
    again = run(Noise(log=str(log)), seeds=6, cache=Cache(cache), processes=2)
    assert len(lines(log)) == 9
    assert (again.value, again.stderr, again.steps) == (first.value, first.stderr, first.steps)
    assert more.value != first.value
    run(Noise(log=str(log), width=2.0), seeds=6, cache=Cache(cache))
    assert len(lines(log)) == 15


def test_a_stopped_measurement_goes_on(tmp_path):
    log, cache = tmp_path / "log", tmp_path / "cache"

    def stop(found, wanted):
        if found.seeds == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Noise(log=str(log)), seeds=5, cache=Cache(cache), progress=stop)
    done = len(lines(log))
    assert done >= 1
    found = run(Noise(log=str(log)), seeds=5, cache=Cache(cache))
    assert len(lines(log)) == 5
    assert found.value == run(Noise(), seeds=5).value


def test_a_damaged_cache_file_is_measured_anew(tmp_path):
    expected = run(Noise(), seeds=3, cache=Cache(tmp_path)).value
    files = sorted(tmp_path.rglob("*.npz"))
    assert len(files) == 3
    files[0].write_bytes(files[0].read_bytes()[:50])
    files[1].write_bytes(b"")
    np.savez(files[2], values=np.array([1.0]))
    assert run(Noise(), seeds=3, cache=Cache(tmp_path)).value == expected


def test_the_cache_executes_nothing(tmp_path):
    run(Noise(), seeds=1, cache=Cache(tmp_path))
    (file,) = tmp_path.rglob("*.npz")
    np.savez(file, values=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert np.isfinite(run(Noise(), seeds=1, cache=Cache(tmp_path)).value)


def test_the_key_knows_all_that_matters_and_nothing_else():
    base = key(Density(), CRYSTAL, ARGON, 0)
    assert base == key(Density(), CRYSTAL.copy(), dataclasses.replace(ARGON, name="other", reference="x"), 0)
    moved, charged, open_, hot = (CRYSTAL.copy() for _ in range(4))
    moved.positions[5, 1] += 1e-9
    charged.symbols[3] = "Kr"
    open_.pbc = (True, True, False)
    hot.set_momenta(np.ones((len(hot), 3)))
    wider = CRYSTAL.copy()
    wider.set_cell(wider.cell * 1.001)
    different = [
        key(Density(), atoms, ARGON, 0) for atoms in (moved, charged, open_, hot, wider)
    ] + [
        key(Density(temperature=40.0), CRYSTAL, ARGON, 0),
        key(Noise(), CRYSTAL, ARGON, 0),
        key(Density(), CRYSTAL, ARGON, 1),
        key(Density(), CRYSTAL, dataclasses.replace(ARGON, masses=[40.0]), 0),
        key(Density(), CRYSTAL, dataclasses.replace(ARGON, timestep=0.001), 0),
        key(Density(), CRYSTAL, dataclasses.replace(ARGON, pair_coeff=["1 1 0.0103 3.405"]), 0),
    ]  # fmt: skip
    assert len({base, *different}) == len(different) + 1


SHIFT = 1.0
TABLE = {"a": np.array([1.0, 2.0])}


def shifted(value):
    return value + SHIFT


@dataclass(frozen=True, kw_only=True)
class Shifted(Noise):
    """Noise and what a function of this module and a dictionary make of it."""

    weights: np.ndarray | None = None
    factor: ClassVar[float] = 1.0

    def sample(self, system, seed):
        found = super().sample(system, seed)
        return {"values": self.factor * shifted(found["values"]) + TABLE["a"][0]}


def double(value):
    return value + 2 * SHIFT


def test_the_key_knows_what_a_users_class_refers_to(monkeypatch):
    keys = [key(Shifted(), CRYSTAL, ARGON, 0), key(Shifted(weights=np.ones(3)), CRYSTAL, ARGON, 0)]
    for name, value in (("SHIFT", 2.0), ("shifted", double), ("TABLE", {"a": np.array([1.5, 2.0])})):
        with monkeypatch.context() as changed:
            changed.setattr(f"{__name__}.{name}", value)
            keys.append(key(Shifted(), CRYSTAL, ARGON, 0))
    with monkeypatch.context() as changed:
        changed.setattr(Shifted, "factor", 3.0)
        keys.append(key(Shifted(), CRYSTAL, ARGON, 0))
    assert len(set(keys)) == len(keys)
    assert key(Shifted(), CRYSTAL, ARGON, 0) == keys[0]


def test_workers_know_a_users_class_by_the_same_key(tmp_path):
    run(Shifted(), seeds=4, processes=2, cache=Cache(tmp_path))
    run(Shifted(), seeds=4, cache=Cache(tmp_path))
    assert len(list(tmp_path.rglob("*.npz"))) == 4


def test_common_random_numbers_make_differences_sharp():
    heavier = CRYSTAL.copy()
    heavier.positions[0, 0] += 0.01  # one percent more, see Noise
    found = compare(Noise(), CRYSTAL, heavier, ARGON, seeds=16, cache=Cache(None))
    assert found.value == pytest.approx(0.1, rel=0.1)
    assert found.stderr < 0.01 * run(Noise(), seeds=16).stderr * 2
    assert found.seeds == 16


def test_what_two_structures_do_not_share_is_left_out_of_their_difference():
    small = bulk("Ar", "fcc", a=5.3, cubic=True) * (2, 2, 2)
    found = compare(find("structure_factor")(), CRYSTAL, small, ARGON, cache=Cache(None))
    assert found.curves == {}  # the larger cell has other wave vectors
    assert abs(found.value) < 0.05
    both = compare(find("potential_energy")(), CRYSTAL, small, ARGON, cache=Cache(None))
    strain, bulk_modulus, volume = 5.3 / 5.2764 - 1, 2.918 / 160.2177, 5.2764**3 / 4
    assert both.value == pytest.approx(4.5 * bulk_modulus * strain**2 * volume, rel=0.05)  # Hooke


def test_failed_samples_are_counted_and_left_out():
    bad = sample_seed(0, 2)
    found = run(Noise(failing=(bad,)), seeds=6)
    assert (found.seeds, found.failed) == (5, 1)
    assert found.flag == "1 of 6 samples failed: this one fails"
    values = [np.random.default_rng(sample_seed(0, i)).normal(10.0, 1.0, 3)[0] for i in (0, 1, 3, 4, 5)]
    assert found.value == pytest.approx(np.mean(values))


def test_a_crashed_process_is_counted_and_left_out():
    found = run(Noise(crashing=(sample_seed(0, 1),)), seeds=5, processes=2)
    assert (found.seeds, found.failed) == (4, 1)
    assert "its process crashed" in found.flag


def test_nothing_but_failures_is_an_error():
    with pytest.raises(SimulationError, match="no sample of 3 could be computed"):
        run(Noise(infinite=True), seeds=3)


def test_what_makes_no_sense_is_refused_before_any_work(tmp_path):
    single = CRYSTAL[:1]
    with pytest.raises(InputError, match="one atom"):
        measure(Noise(log=str(tmp_path / "log")), single, ARGON)
    assert lines(tmp_path / "log") == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 0}, "seeds=0"),
        ({"rel_error": -0.1}, r"rel_error=-0.1"),
        ({"processes": 0}, "processes=0"),
        ({"budget": -1.0}, "budget=-1.0"),
        ({"seed": -1}, "seed=-1"),
        ({"seeds": 4, "rel_error": 0.1}, "exclude each other"),
        ({"seeds": 2.5}, "seeds=2.5 must be a whole number"),
        ({"rel_error": "5%"}, "rel_error='5%' must be a number"),
        ({"budget": float("nan")}, "budget=nan"),
        ({"cache": "~/.cache"}, "is no cache"),
    ],
)
def test_impossible_arguments_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        run(Noise(), **options)


@pytest.mark.parametrize(
    ("measured", "structure", "message"),
    [
        (Density, CRYSTAL, "is no property: give an instance"),
        ("density", CRYSTAL, "is no property"),
        (Density(), "argon.cif", "is no structure"),
        (Density(temperature=-5.0), CRYSTAL, "density.temperature=-5.0 must lie between"),
        (Density(temperature=float("nan")), CRYSTAL, "density.temperature=nan must be a finite number"),
        (Density(frames=2.5), CRYSTAL, "density.frames=2.5 must be a whole number"),
    ],
)
def test_impossible_protocols_are_refused(measured, structure, message):
    with pytest.raises(InputError, match=message):
        measure(measured, structure, ARGON, cache=Cache(None))


def test_a_cache_that_fails_says_so(tmp_path):
    cache = Cache(tmp_path)
    for i in range(256):
        (tmp_path / f"{i:02x}").write_text("")
    with pytest.raises(InputError, match="name another folder as cache"):
        run(Noise(), seeds=2, cache=cache)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(InputError, match="name a folder"):
        Cache(file / "below")


def test_catalogue_and_find():
    assert catalogue()["density"] is Density
    assert find("density") is Density
    with pytest.raises(InputError, match="did you mean density"):
        find("densty")
    for name, kind in catalogue().items():
        assert kind.name == name
        assert kind()  # every protocol has defaults
        assert kind().unit(System(CRYSTAL, ARGON).units)


@pytest.mark.parametrize(
    ("value", "stderr", "text"),
    [
        (0.29345, 0.0123, "0.293 +- 0.012"),
        (1.0, 0.0, "1"),
        (1.23456, float("nan"), "1.23456 (no error bar)"),
        (123456.0, 2000.0, "123456 +- 2000"),
        (5e9, 1e8, "(5.00 +- 0.10)e9"),
        (-2.436e-9, 4.3e-11, "(-2.436 +- 0.043)e-9"),
        (0.0, 2e-5, "(0.0 +- 2.0)e-5"),
        (47.4876, 1e-14, "47.4876"),
    ],
)
def test_numbers_are_shown_with_two_digits_of_their_error(value, stderr, text):
    assert number(value, stderr) == text
