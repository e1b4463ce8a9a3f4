"""`Problem`: a design's configuration as the objects that a search works with, checked before any long work."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from matdesign.design.objective import Objective
from matdesign.design.spaces import Arrangements, Decorations, Space, layers
from matdesign.design_sections import DesignConfig, GoalConfig
from matdesign.errors import InputError
from matdesign.properties import Cache, Property
from matdesign.properties.property import System
from matdesign.rewards.target import Constraint, Target, labels
from matdesign.sim import Material

AXES = "abc"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is to be designed.

    Attributes:
        space: what may change.
        targets: by their labels, the first one first.
        verified_by: property that candidates are measured by for each target, by the same labels.
        constraints: hard ones.
        minimum_distance: of two atoms, in the material's unit.
        material: how the atoms interact.
        library: path of a liblammps.so.
    """

    space: Space
    targets: dict[str, Target]
    verified_by: dict[str, Property]
    constraints: list[Constraint]
    minimum_distance: float
    material: Material
    library: str | None

    def objective(self, *, seed: int, cache: Cache) -> Objective:
        """A new ledger."""
        return Objective(
            self.space,
            list(self.targets.values()),
            self.material,
            constraints=self.constraints,
            minimum_distance=self.minimum_distance,
            seed=seed,
            cache=cache,
            library=self.library,
        )


def open_problem(config: DesignConfig, *, scales: dict[str, float] | None = None) -> Problem:
    """The problem that is configured.

    Args:
        config: of the design.
        scales: of targets that have none in the configuration, by their labels.

    Raises:
        InputError: the composition does not fit, constraints contradict each other, a property makes no sense for
            such designs.
    """
    goals = labels(config.target.goals)
    targets = {label: _target(goal, (scales or {}).get(label, 1.0)) for label, goal in goals.items()}
    constraints = [
        Constraint(property=each.property, minimum=each.minimum, maximum=each.maximum)
        for each in config.target.constraints
    ]
    _check_constraints(targets, constraints)
    problem = Problem(
        space=_space(config),
        targets=targets,
        verified_by={label: goal.verified_by or goal.property for label, goal in goals.items()},
        constraints=constraints,
        minimum_distance=config.target.minimum_distance,
        material=config.material,
        library=config.lammps.library,
    )
    if scales is None:  # once is enough
        _check_properties(problem, config.seed)
    return problem


def _target(goal: GoalConfig, scale: float) -> Target:
    return Target(
        property=goal.property,
        goal=goal.goal,
        value=goal.value,
        tolerance=goal.tolerance,
        weight=goal.weight,
        scale=scale if goal.scale is None else goal.scale,
    )


def _space(config: DesignConfig) -> Space:
    kind, structure = config.space.kind, config.material.structure
    atoms = structure.build(config.material, seed=config.seed)
    species = [symbol for symbol in config.material.species if symbol in set(atoms.symbols)]
    if kind == "auto":
        kind = "sites" if len(species) > 1 and structure.kind != "packing" else "positions"
    if kind == "positions":
        return Arrangements(
            atoms, config.material, library=config.lammps.library, cell=config.space.cell, density=config.space.density
        )
    if config.space.cell != "fixed":
        raise InputError(
            f"space.cell={config.space.cell} changes positions, not the species on {kind}: use space=positions"
        )
    if len(species) < 2:
        raise InputError(
            f"space={kind} needs two species or more on one lattice, material={config.material.name} has "
            f"{', '.join(species)}: give material.structure.composition, or use space=positions"
        )
    if not atoms.pbc.all():
        raise InputError(f"space={kind} needs a periodic crystal: use space=positions for a free cluster")
    named = config.space.axis or getattr(config.target.property, "axis", None)
    axis = None if named is None else AXES.index(named)
    count = Counter(atoms.symbols)
    counts = [count[symbol] for symbol in species]
    if kind == "sites":
        return Decorations(atoms, species, counts, axis=axis)
    groups = layers(atoms, axis or 0)
    of_each = np.bincount(groups)
    if of_each.min() != of_each.max():
        raise InputError(
            f"the layers along {AXES[axis or 0]} hold from {of_each.min()} to {of_each.max()} atoms: use space=sites, "
            "or another space.axis"
        )
    share = int(of_each[0])
    if any(number % share for number in counts):
        there = ", ".join(f"{number} {symbol}" for number, symbol in zip(counts, species, strict=True))
        raise InputError(
            f"{there} do not fill whole layers of {share} atoms: change material.structure.composition or repeat, or "
            "use space=sites"
        )
    return Decorations(atoms, species, [number // share for number in counts], groups=groups, axis=axis or 0)


def _check_constraints(targets: dict[str, Target], constraints: list[Constraint]) -> None:
    """Refuses bounds that exclude each other, or the value that is aimed at."""
    bounds: dict[Property, tuple[float, float]] = {}
    for each in constraints:
        low, high = bounds.get(each.property, (-np.inf, np.inf))
        low = max(low, -np.inf if each.minimum is None else each.minimum)
        high = min(high, np.inf if each.maximum is None else each.maximum)
        if low > high:
            raise InputError(
                f"target.constraints on {each.property.name} exclude each other: at least {low:g} and at most {high:g}"
            )
        bounds[each.property] = low, high
    for label, target in targets.items():
        low, high = bounds.get(target.property, (-np.inf, np.inf))
        if target.value is not None and not low - target.tolerance <= target.value <= high + target.tolerance:
            raise InputError(
                f"target.value={target.value} of {label} breaks target.constraints: it must lie between {low:g} and "
                f"{high:g}"
            )


def _check_properties(problem: Problem, seed: int) -> None:
    """Refuses properties that make no sense for designs of this space."""
    structure = problem.space.structure(problem.space.random(np.random.default_rng(seed)))
    system = System(structure, problem.material, library=problem.library)
    asked = [*(target.property for target in problem.targets.values()), *problem.verified_by.values()]
    for each in (*asked, *(constraint.property for constraint in problem.constraints)):
        each.check(system)
