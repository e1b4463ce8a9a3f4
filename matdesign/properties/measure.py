"""`measure`: a property to a requested precision, its seeds in parallel processes, with an honest error."""

import functools
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from numbers import Integral, Real

import numpy as np
from ase import Atoms

from matdesign.errors import InputError, SimulationError
from matdesign.properties.cache import Cache, default_folder
from matdesign.properties.measurement import Array, Estimate, Measurement
from matdesign.properties.property import Property, Run, Sample, System
from matdesign.properties.workers import parallel
from matdesign.sim import Material
from matdesign.sim.simulation import OVERLAP
from matdesign.sim.structure import check_atoms
from matdesign.typed import build

MOST_SEEDS = 1024
NOT_RANDOM = "it is not random"
# Stopping at the first estimate that is small enough picks those that came out too small: from 8 samples on by at
# most a sixth (measured with normal noise; from 4 samples on it would be a quarter).
MIN_SEEDS = 8

TELL_EVERY = 0.5  # seconds between two calls of `progress`, for which all estimates are made anew

Progress = Callable[[Measurement, int], None]  # the estimate so far, and the number of samples it will take


@dataclass(frozen=True)
class _Outcome:
    """What became of one sample of each system; `error` where it failed."""

    runs: tuple[Run, ...]
    error: str = ""


def measure(
    measured: Property,
    structure: Atoms,
    material: Material,
    *,
    seed: int = 0,
    seeds: int | None = None,
    rel_error: float | None = None,
    budget: float | None = None,
    processes: int = 1,
    cache: Cache | None = None,
    library: str | None = None,
    progress: Progress | None = None,
) -> Measurement:
    """The property of the structure, with its standard error.

    Samples (complete experiments with seeds of their own) are added until the standard error is at most `rel_error`
    times the value, or until `budget` is spent; `Measurement.stopped` says which. How many are added at a time depends
    on the estimates alone, so the result is the same for any number of processes unless the budget ends it. Finished
    samples are in the cache at once: a measurement that was stopped goes on from them.

    Args:
        measured: what and how.
        structure: ASE Atoms, lengths in the material's unit.
        material: how its atoms interact.
        seed: of the first sample; the same seed gives the same samples, whatever the structure.
        seeds: how many samples; default `measured.seeds`, or what `rel_error` takes.
        rel_error: standard error over value to reach.
        budget: wall-clock seconds after which no more samples are begun.
        processes: samples computed side by side.
        cache: where samples are kept; default: the folder `default_folder()`.
        library: path of a liblammps.so.
        progress: called now and then with the estimate so far.

    Raises:
        InputError: the property makes no sense for this structure and material, or an argument is out of range.
        SimulationError: no sample could be computed.
    """
    _check(seed, seeds, rel_error, budget, processes, cache)
    measured, structure = _checked(measured), _atoms(structure)
    system = System(structure, material, library=library, cache=cache or Cache(default_folder()))

    def estimate(samples: Sequence[Sequence[Sample]]) -> Estimate:
        return measured.estimate(system, [sample for (sample,) in samples])

    return _collect(measured, [system], estimate, seed, seeds, rel_error, budget, processes, progress)


def compare(
    measured: Property,
    first: Atoms,
    second: Atoms,
    material: Material,
    *,
    seed: int = 0,
    seeds: int | None = None,
    processes: int = 1,
    cache: Cache | None = None,
    library: str | None = None,
    progress: Progress | None = None,
) -> Measurement:
    """Second minus first, from samples with common random numbers: what the noise does to both cancels.

    Arguments and errors as for `measure`. Every number of the result is a difference, also those along the axis of a
    curve: zero where both curves are at the same points. Curves and details that only one structure has, or that have
    different lengths, are left out.
    """
    _check(seed, seeds, None, None, processes, cache)
    measured, cache = _checked(measured), cache or Cache(default_folder())
    systems = [System(_atoms(atoms), material, library=library, cache=cache) for atoms in (first, second)]

    def estimate(samples: Sequence[Sequence[Sample]]) -> Estimate:
        one, two = (measured.estimate(system, [pair[i] for pair in samples]) for i, system in enumerate(systems))
        return _difference(one, two)

    return _collect(measured, systems, estimate, seed, seeds, None, None, processes, progress)


def _difference(one: Estimate, two: Estimate) -> Estimate:
    """Second minus first of all numbers that both have, in the same shape."""
    shared = [name for name in one.curves if name in two.curves and len(one.curves[name]) == len(two.curves[name])]
    tensor = None
    if one.tensor is not None and two.tensor is not None and one.tensor.shape == two.tensor.shape:
        tensor = two.tensor - one.tensor
    return Estimate(
        value=two.value - one.value,
        tensor=tensor,
        curves={name: two.curves[name] - one.curves[name] for name in shared},
        details={name: two.details[name] - one.details[name] for name in one.details if name in two.details},
        flag="; ".join(dict.fromkeys(text for text in (one.flag, two.flag) if text)),
    )


def _checked(measured: Property) -> Property:
    """The same with its fields checked as a configuration's are; a property of the user's own checks itself."""
    if not isinstance(measured, Property):
        raise InputError(f"{measured!r} is no property: give an instance, such as Density(temperature=40.0)")
    if not type(measured).__module__.startswith("matdesign."):
        return measured
    return build(type(measured), {item.name: getattr(measured, item.name) for item in fields(measured)}, measured.name)


def _atoms(structure: Atoms) -> Atoms:
    if not isinstance(structure, Atoms):
        raise InputError(f"{structure!r} is no structure: give ASE Atoms, such as ase.io.read(FILE)")
    return structure


def _check(
    seed: int, seeds: int | None, rel_error: float | None, budget: float | None, processes: int, cache: Cache | None
) -> None:
    if not isinstance(cache, Cache | None):
        raise InputError(f"cache={str(cache)!r} is no cache: give Cache(Path(...))")
    for name, value, low, high in (
        ("seed", seed, 0, 2**63 - 1),
        ("seeds", seeds, 1, MOST_SEEDS),
        ("rel_error", rel_error, 1e-6, 10),
        ("budget", budget, 0, math.inf),
        ("processes", processes, 1, 1024),
    ):
        if value is None and name not in ("seed", "processes"):
            continue
        if isinstance(value, bool) or not isinstance(value, Real if name in ("rel_error", "budget") else Integral):
            raise InputError(f"{name}={value!r} must be a{'' if name in ('rel_error', 'budget') else ' whole'} number")
        if not low <= value <= high:
            raise InputError(f"{name}={value} must lie between {low:g} and {high:g}")
    if seeds is not None and rel_error is not None:
        raise InputError(f"seeds={seeds} and rel_error={rel_error} exclude each other: give one")


def sample_seed(seed: int, index: int) -> int:
    """The seed of sample `index` of a measurement: below 2^32, unrelated to those of other measurements' seeds."""
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0])


def _collect(
    measured: Property,
    systems: Sequence[System],
    estimate: Callable[[Sequence[Sequence[Sample]]], Estimate],
    seed: int,
    seeds: int | None,
    rel_error: float | None,
    budget: float | None,
    processes: int,
    progress: Progress | None,
) -> Measurement:
    for system in systems:
        # Also for what needs no LAMMPS: a position that is not a number makes numbers that look fine.
        check_atoms(system.structure, system.material, OVERLAP * system.material.length_scale)
        measured.check(system)
    start = time.monotonic()
    told = -math.inf
    outcomes: list[_Outcome] = []
    if not measured.random:
        wanted = 1
    elif seeds is not None:
        wanted = seeds
    else:
        wanted = measured.seeds if rel_error is None else max(MIN_SEEDS, measured.seeds)
    while True:
        for outcome in _samples(measured, systems, seed, range(len(outcomes), wanted), processes, budget, start):
            outcomes.append(outcome)
            due = len(outcomes) == wanted or time.monotonic() > told + TELL_EVERY
            if progress is not None and due and any(not each.error for each in outcomes):
                told = time.monotonic()
                progress(_measurement(measured, systems[0], estimate, outcomes, ""), wanted)
        spent = len(outcomes) < wanted
        stopped = f"the budget of {budget:g} s was spent" if spent else f"{wanted} samples were asked for"
        if not measured.random:
            stopped = NOT_RANDOM
        found = _measurement(measured, systems[0], estimate, outcomes, stopped)
        if spent or rel_error is None or not measured.random:
            return found
        # A relative error above one half says little of what is missing: then the samples are doubled.
        ratio = found.stderr / (rel_error * abs(found.value)) if found.value else math.inf
        if ratio <= 1:
            return _measurement(measured, systems[0], estimate, outcomes, f"the relative error {rel_error:g} was met")
        if wanted >= MOST_SEEDS:
            return _measurement(measured, systems[0], estimate, outcomes, f"{MOST_SEEDS} samples did not suffice")
        wanted = min(MOST_SEEDS, max(wanted + 1, math.ceil(wanted * min(2.0, 1.05 * ratio**2))))


def _samples(
    measured: Property,
    systems: Sequence[System],
    seed: int,
    indices: range,
    processes: int,
    budget: float | None,
    start: float,
) -> Iterator[_Outcome]:
    """Outcomes in the order of their indices, as far as the budget goes; the first of all is always computed."""

    def late(index: int) -> bool:
        return budget is not None and index > 0 and time.monotonic() - start > budget

    done: dict[int, _Outcome] = {}
    for index in indices:
        runs = [system.cached(measured, _seed_of(measured, seed, index)) for system in systems]
        if all(runs):
            done[index] = _Outcome(tuple(run for run in runs if run is not None))
    missing = [index for index in indices if index not in done]

    def job(index: int) -> Callable[[], _Outcome]:
        return functools.partial(_one, measured, systems, _seed_of(measured, seed, index))

    fresh: Iterator[_Outcome]
    if processes == 1 or len(missing) < 2:
        fresh = (job(index)() for index in missing if not late(index))
    else:
        crashed = _Outcome((), "its process crashed")
        fresh = parallel((job(index) for index in missing if not late(index)), processes, crashed)
    for index in indices:
        outcome = done.get(index) or next(fresh, None)
        if outcome is None:
            return
        yield outcome


def _seed_of(measured: Property, seed: int, index: int) -> int:
    return sample_seed(seed, index) if measured.random else 0


def _one(measured: Property, systems: Sequence[System], seed: int) -> _Outcome:
    """One sample of each system, all with the same seed."""
    try:
        return _Outcome(tuple(system.run(measured, seed) for system in systems))
    except SimulationError as error:
        return _Outcome((), " ".join(str(error).split()))
    except MemoryError as error:
        return _Outcome((), f"it needs more memory than there is ({error}): use fewer atoms, frames or a shorter reach")


def _measurement(
    measured: Property,
    system: System,
    estimate: Callable[[Sequence[Sequence[Sample]]], Estimate],
    outcomes: Sequence[_Outcome],
    stopped: str,
) -> Measurement:
    good = [outcome.runs for outcome in outcomes if not outcome.error]
    bad = [outcome.error for outcome in outcomes if outcome.error]
    if not good:
        remedy = "; relax the structure first, or lower temperature or timestep" if measured.random else ""
        raise SimulationError(f"{measured.name}: no sample of {len(bad)} could be computed: {bad[0]}{remedy}")
    samples = [tuple(run.sample for run in runs) for runs in good]
    full = estimate(samples)
    error = full.filled(_jackknife(estimate, samples) if measured.random else np.zeros_like(full.flat()))
    flags = [full.flag]
    if bad:
        flags.append(f"{len(bad)} of {len(outcomes)} samples failed: {bad[0]}")
    return Measurement(
        name=measured.name,
        value=full.value,
        stderr=error.value,
        unit=measured.unit(system.units),
        steps=sum(run.steps for runs in good for run in runs),
        md_steps=sum(run.md_steps for runs in good for run in runs),
        seconds=sum(run.seconds for runs in good for run in runs),
        seeds=len(good),
        failed=len(bad),
        tensor=full.tensor,
        tensor_stderr=error.tensor,
        curves=full.curves,
        curves_stderr=error.curves,
        details=full.details,
        details_stderr=error.details,
        details_units={
            name: text for name, text in measured.detail_units(system).items() if name in ("tensor", *full.details)
        },
        flag="; ".join(text for text in flags if text),
        stopped=stopped,
    )


def _jackknife(
    estimate: Callable[[Sequence[Sequence[Sample]]], Estimate], samples: Sequence[Sequence[Sample]]
) -> Array:
    """Standard errors of all numbers of an estimate by leaving out one sample at a time; NaN from a single sample.

    Efron, The Jackknife, the Bootstrap and Other Resampling Plans (SIAM, 1982), chapter 3. For a mean it is the usual
    standard error of the mean.
    """
    n = len(samples)
    if n < 2:
        return np.full_like(estimate(samples).flat(), np.nan)
    rows = np.array([estimate([*samples[:i], *samples[i + 1 :]]).flat() for i in range(n)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where an estimate is infinite, so is its error
        return np.asarray(np.sqrt((n - 1) / n * ((rows - rows.mean(axis=0)) ** 2).sum(axis=0)))
