"""The sections of a design's configuration: target, space, search, verification; typed, with ranges of numbers."""

from dataclasses import dataclass, field, fields
from typing import Annotated, Literal

from matdesign.errors import InputError
from matdesign.properties.property import Property
from matdesign.sections import (
    AgentConfig,
    Config,
    EnvConfig,
    EvaluationConfig,
    LammpsConfig,
    MaterialConfig,
    RenderConfig,
    Setting,
)
from matdesign.typed import Range


@dataclass(frozen=True, kw_only=True)
class GoalConfig:
    """What one property should become.

    Attributes:
        property: what is measured at every design, and how.
        goal: what it should become.
        value: to hit, in the property's unit.
        tolerance: distance from `value` that is as good as none, in the property's unit.
        weight: beside other goals.
        scale: distance that counts as one beside other goals, in the property's unit; None takes the spread of random
            designs.
        verified_by: what candidates are measured by in the end; None takes `property` again, with other seeds.
    """

    property: Property
    goal: Literal["minimise", "maximise", "hit"]
    value: float | None = None
    tolerance: Annotated[float, Range(0, 1e30)] = 0.0
    weight: Annotated[float, Range(1e-12, 1e12)] = 1.0
    scale: Annotated[float, Range(1e-30, 1e30)] | None = None
    verified_by: Property | None = None


@dataclass(frozen=True, kw_only=True)
class ConstraintConfig:
    """Bounds that no design may break.

    Attributes:
        property: what is measured and how.
        minimum: in the property's unit; None for no bound.
        maximum: the same.
    """

    property: Property
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, kw_only=True)
class TargetConfig(GoalConfig):
    """What the design should become: a goal, others beside it, and what it must keep.

    Attributes:
        also: further goals.
        constraints: hard ones.
        minimum_distance: hard, too: no two atoms are closer, in the material's unit of length.
    """

    also: list[GoalConfig] = field(default_factory=list)
    constraints: list[ConstraintConfig] = field(default_factory=list)
    minimum_distance: Annotated[float, Range(0, 1e3)] = 0.0

    @property
    def goals(self) -> list[GoalConfig]:
        """All of them, the first one first."""
        return [self, *self.also]


@dataclass(frozen=True, kw_only=True)
class SpaceConfig:
    """What a search may change.

    Attributes:
        kind: "sites": the species on each site of the material's crystal; "layers": of each layer of it; "positions":
            where the atoms are; "auto": sites where a crystal has several species, else positions.
        axis: cell vector that layers are counted along, and that symmetries must keep; None takes the property's own
            where it has one, else a for layers, and keeps none for sites.
        cell: what of the cell may change, "isotropic" its volume, "full" its shape, too (positions of a periodic
            structure).
        density: of random clouds, atoms per cubed length scale (positions of a free cluster).
    """

    kind: Literal["auto", "sites", "layers", "positions"]
    axis: Literal["a", "b", "c"] | None
    cell: Literal["fixed", "isotropic", "full"]
    density: Annotated[float, Range(1e-3, 10)]


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """Who looks for the design, and for how long.

    Attributes:
        method: a name of `matdesign.design.searchers`.
        designs: how many each search measures, at most.
        evaluations: force evaluations of each search, after which it stops; None for no limit.
        repeats: searches of each method, with seeds of their own.
        compare: other methods, that get the same budget.
        settings: of the method, by the names of its arguments.
    """

    method: str
    designs: Annotated[int, Range(1, 100_000_000)]
    evaluations: Annotated[int, Range(1, 10**15)] | None
    repeats: Annotated[int, Range(1, 1000)]
    compare: list[str]
    settings: dict[str, Setting]

    def __post_init__(self) -> None:
        if self.method in self.compare or len(set(self.compare)) < len(self.compare):
            raise InputError(f"search.compare={self.compare} beside search.method={self.method}: name each method once")


@dataclass(frozen=True, kw_only=True)
class VerificationConfig:
    """What a candidate must pass before it is reported.

    Attributes:
        candidates: best designs that are verified.
        seeds: independent samples of each measurement; None takes rel_error, or the property's own number.
        rel_error: standard error over value to reach; None for a fixed number of samples.
        temperature: at which candidates must survive, in K (lj: epsilon/kB); None only relaxes them.
        steps: MD steps that they must survive.
        references: random designs measured beside the obvious ordered ones.
        budget: wall-clock seconds after which no more samples are begun for one structure; None for no limit.
    """

    candidates: Annotated[int, Range(1, 1000)]
    seeds: Annotated[int, Range(2, 1024)] | None
    rel_error: Annotated[float, Range(1e-6, 10)] | None
    temperature: Annotated[float, Range(0, 1e6)] | None
    steps: Annotated[int, Range(100, 10**9)]
    references: Annotated[int, Range(1, 1000)]
    budget: Annotated[float, Range(0, 1e9)] | None

    def __post_init__(self) -> None:
        if self.seeds is not None and self.rel_error is not None:
            raise InputError(
                f"verification.seeds={self.seeds} and rel_error={self.rel_error} exclude each other: give one"
            )


@dataclass(frozen=True, kw_only=True)
class DesignConfig:
    """Everything a design is told.

    Attributes:
        material: atoms, potential and the structure that designs are made from.
        target: what it should become.
        space: what may change.
        search: who looks for it.
        verification: what is done with the best ones.
        env: where a policy steers atoms (search=steering).
        agent: how that policy learns; `checkpoint` names one that is used instead.
        evaluation: how it is flown: `deterministic`.
        lammps: the library.
        render: pictures.
        seed: of everything random.
        processes: worked in side by side; None for one a core.
        output: run folder; None for a new one under runs/.
        quiet: no progress.
    """

    material: MaterialConfig
    target: TargetConfig
    space: SpaceConfig
    search: SearchConfig
    verification: VerificationConfig
    env: EnvConfig
    agent: AgentConfig
    evaluation: EvaluationConfig
    lammps: LammpsConfig
    render: RenderConfig
    seed: Annotated[int, Range(0, 2**63 - 1)]
    processes: Annotated[int, Range(1, 1024)] | None
    output: str | None
    quiet: bool

    @property
    def training(self) -> Config:
        """What training the policy that steers atoms is told."""
        return Config(**{item.name: getattr(self, item.name) for item in fields(Config)})
