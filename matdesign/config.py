"""Reads a run's configuration from the conf tree and the command line, and checks it before anything starts.

The only module that knows Hydra.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from matdesign.choices import CONF, groups
from matdesign.design_sections import DesignConfig
from matdesign.errors import InputError
from matdesign.properties import catalogue, find
from matdesign.properties.property import Property
from matdesign.sections import Config, MeasurementConfig
from matdesign.typed import build, closest, keys

OF_A_CRYSTAL = ("kind", "lattice", "a", "c", "sublattices", "atoms", "density")  # of a structure that no file gives
FREE = (
    "env.settings.",
    "evaluation.references.",
    "search.settings.",
    "property.",
    "target.property.",
    "target.verified_by.",
)  # below these any key may stand
PROPERTIES = ("property", "verified_by")  # settings that name a property, and below it its protocol

T = TypeVar("T", Config, DesignConfig, MeasurementConfig)
S = TypeVar("S", Config, DesignConfig)
ROOTS: dict[type, str] = {Config: "train", DesignConfig: "design", MeasurementConfig: "measure"}  # files at the top


def load(overrides: Sequence[str] = (), config_dir: Path | None = None) -> Config:
    """What training and flying are told: the default configuration with `overrides` applied.

    Args:
        overrides: GROUP=CHOICE or KEY=VALUE, in Hydra's grammar.
        config_dir: a user's own choices: GROUP/NAME.yaml files beside the built-in ones.

    Raises:
        InputError: anything that cannot be used; the message names value and remedy.
    """
    choices, values = _split(overrides, config_dir, Config)
    return _finish(Config, _compose(ROOTS[Config], choices, config_dir), values)


def load_design(overrides: Sequence[str] = (), config_dir: Path | None = None) -> DesignConfig:
    """What to design, as `load`."""
    choices, values = _split(overrides, config_dir, DesignConfig)
    config = _compose(ROOTS[DesignConfig], choices, config_dir)
    given = {override.get_key_element() for override in values}
    if "target.value" in given and "target.goal" not in given and config.target.goal in ("minimise", "maximise"):
        config.target.goal = "hit"  # what else could a value be for
    return _finish(DesignConfig, config, values)


def load_measurement(
    overrides: Sequence[str] = (), config_dir: Path | None = None, file: str | None = None
) -> MeasurementConfig:
    """What to measure, as `load`; a structure `file` takes the place of the material's own structure."""
    choices, values = _split(overrides, config_dir, MeasurementConfig)
    store = ConfigStore.instance()
    for name in catalogue():
        store.store(group="property", name=name, node={"name": name})
    config = _compose(ROOTS[MeasurementConfig], choices, config_dir)
    if file is not None:
        OmegaConf.set_struct(config, False)
        config.material.structure = {"kind": "file", "path": file}
        for override in values:
            key = override.get_key_element()
            if key.startswith("material.structure.") and key.split(".")[2] in OF_A_CRYSTAL:
                raise InputError(f"{key} does nothing to the structure in {file}: leave out one of the two")
    return _finish(MeasurementConfig, config, values)


def load_stored(path: Path, overrides: Sequence[str] = (), config_dir: Path | None = None) -> Config:
    """The configuration of training that `dump` wrote to `path`, with `overrides` applied; raises as `load` does."""
    return _stored(Config, path, overrides, config_dir)


def load_stored_design(path: Path, overrides: Sequence[str] = (), config_dir: Path | None = None) -> DesignConfig:
    """The same of a design."""
    return _stored(DesignConfig, path, overrides, config_dir)


def _stored(kind: type[S], path: Path, overrides: Sequence[str], config_dir: Path | None) -> S:
    try:
        text = path.read_text(encoding="utf-8")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):  # a few lines can stand for gigabytes
            raise InputError(f"{path} has YAML aliases in it: give the folder of a run")
        stored = OmegaConf.create(text)
    except (OSError, UnicodeDecodeError, RecursionError, yaml.YAMLError) as error:
        raise InputError(f"cannot read {path} ({_one_line(error)}): give the folder of a run") from error
    if not isinstance(stored, DictConfig):
        raise InputError(f"{path} is no configuration: give the folder of a run")
    found: type = DesignConfig if "search" in stored else Config
    if found is not kind:
        raise InputError(f"{path} is of matdesign {ROOTS[found]}: give the folder of a run of matdesign {ROOTS[kind]}")
    choices, values = _split(overrides, config_dir, kind)
    if choices:
        fresh = _compose(ROOTS[kind], choices, config_dir)
        for choice in choices:
            group = choice.get_key_element()
            stored[group] = fresh[group]
    config = _finish(kind, stored, values)
    _check_code(config, {override.get_key_element() for override in values})
    return config


def _check_code(config: Config | DesignConfig, given: set[str]) -> None:
    """Refuses to load machine code only because a file that somebody passed on names it."""
    module = config.env.name if config.env.interface != "matdesign" and ":" in config.env.name else None
    files = (("env.library", config.env.library), ("env.name", module), ("lammps.library", config.lammps.library))
    for key, path in files:
        if path is not None and key not in given:
            raise InputError(f"this run loads code from {path}: if you trust that file, add {key}={path}")


def dump(config: Config | DesignConfig) -> str:
    """The configuration as YAML that `load_stored` reads."""
    return OmegaConf.to_yaml(OmegaConf.create(json.loads(json.dumps(_plain(config)))))


def _split(overrides: Sequence[str], config_dir: Path | None, kind: type[T]) -> tuple[list[Override], list[Override]]:
    """Checks the overrides and separates GROUP=CHOICE from KEY=VALUE."""
    for text in overrides:
        _check_text("override", text, interpolation=True)
    known = keys(kind)
    offered = groups(*_folders(config_dir))
    available: dict[str, list[str]] = {group: offered[group] for group in offered if group in known}
    if kind is MeasurementConfig:
        available["property"] = sorted({*available.get("property", ()), *catalogue()})
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
        elif key in known or (key.startswith(FREE) and key.split(".")[0] in known):
            values.append(override)
        else:
            raise InputError(f"unknown setting {key!r}{closest(key, known)}")
    return choices, values


def _folders(config_dir: Path | None) -> list[Path]:
    if config_dir is None:
        return [CONF]
    mine, built_in = groups(config_dir), {"property": list(catalogue()), **groups(CONF)}
    for group, names in mine.items():
        if group not in built_in:
            raise InputError(f"{config_dir / group} is no group{closest(group, list(built_in))}: use {list(built_in)}")
        if twice := sorted(set(names) & set(built_in[group])):
            raise InputError(f"{config_dir / group / twice[0]}.yaml has the name of a built-in choice: rename it")
    if not mine:
        raise InputError(f"--config-dir {config_dir} has no choices: put them into {config_dir}/material/NAME.yaml")
    return [CONF, config_dir]


def _compose(name: str, choices: Sequence[Override], config_dir: Path | None) -> DictConfig:
    overrides = [str(choice.input_line) for choice in choices]
    if config_dir is not None:
        _check_text("--config-dir", str(config_dir))
        overrides.append(f"hydra.searchpath=[{json.dumps('file://' + str(config_dir.resolve()))}]")
    try:
        with initialize_config_dir(str(CONF.resolve()), version_base="1.3"):
            return compose(name, overrides)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise InputError(f"cannot compose the configuration: {_one_line(error)}") from error


def _finish(kind: type[T], config: DictConfig, values: Sequence[Override]) -> T:
    """Applies KEY=VALUE overrides and builds the typed configuration."""
    OmegaConf.set_struct(config, False)
    try:
        for override in values:
            key, value = override.get_key_element(), override.value()
            if key in ("target.property", "target.verified_by") and isinstance(value, str):
                value = {"name": value}
            OmegaConf.update(config, key, value, merge=False)
        if missing := sorted(OmegaConf.missing_keys(config)):
            raise InputError(f"no value yet for {', '.join(missing)}: give each as {missing[0]}=VALUE")
        plain = OmegaConf.to_container(config, resolve=True)
    except (OmegaConfBaseException, HydraException) as error:
        raise InputError(f"cannot resolve the configuration: {_one_line(error)}") from error
    _check_tree(plain)
    return build(kind, _with_properties(plain))


def _with_properties(node: Any, where: str = "") -> Any:
    """The same tree with what is called a property built into one."""
    if isinstance(node, list):
        return [_with_properties(item, f"{where}[{i}]") for i, item in enumerate(node)]
    if not isinstance(node, dict):
        return node
    dot = f"{where}." if where else ""
    built = {}
    for name, item in node.items():
        if name in PROPERTIES and isinstance(item, str):
            item = {"name": item}
        if name in PROPERTIES and isinstance(item, dict):
            chosen = dict(item)
            if "name" not in chosen:
                raise InputError(
                    f"{dot}{name} names no property: give {dot}{name}.name=NAME beside {dot}{name}.FIELD=VALUE"
                )
            built[name] = build(find(str(chosen.pop("name"))), chosen, f"{dot}{name}")
        else:
            built[name] = _with_properties(item, f"{dot}{name}")
    return built


def _plain(node: Any) -> Any:
    """Dataclasses as dictionaries, a property with its name."""
    if isinstance(node, Property):
        return {"name": node.name, **asdict(node)}
    if is_dataclass(node):
        return {item.name: _plain(getattr(node, item.name)) for item in fields(node)}
    if isinstance(node, list | tuple):
        return [_plain(item) for item in node]
    return node


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
        raise InputError(f"{where} {text!r} has a '$' in it: remove it (${{KEY}} stands for another setting's value)")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
