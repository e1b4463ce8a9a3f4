"""Searches by a policy that is trained first, or was trained before: what that takes, and opening them."""

import time
from dataclasses import replace
from pathlib import Path

import yaml

from matdesign.design.assembly import make_policy, open_vector
from matdesign.design.conditioning import train_conditioned
from matdesign.design.problem import Problem
from matdesign.design.run import RunFolder
from matdesign.design.searchers import checked
from matdesign.design.searchers.conditioned import ConditionedPolicy, ConditionedSearch
from matdesign.design.searchers.policy import PolicySearch
from matdesign.design.searchers.searcher import Searcher
from matdesign.design.searchers.steering import Steering
from matdesign.design.spaces import Arrangements, Decorations
from matdesign.design.training import make_trainer, train_run, trained_policy, training_evaluations
from matdesign.design_sections import DesignConfig
from matdesign.envs.atoms import SettingValue
from matdesign.errors import InputError
from matdesign.files import user_path
from matdesign.properties import Cache
from matdesign.rewards.measured import measured_settings
from matdesign.rewards.target import Target
from matdesign.sections import Config, Setting
from matdesign.vector import Vector

TRAINED = (Steering.name, ConditionedSearch.name)  # methods whose policy is trained before they search
CONTROL = "kick"  # what an action does where nothing else is said
# The property that a reward of the atoms environment is the change of; "property" takes the target's.
REWARDS = {"energy": "potential_energy", "order": "bond_order"}


def methods(config: DesignConfig, problem: Problem) -> list[str]:
    """All methods, the first one first; a checkpoint beside the default method means the search that flies it.

    Raises:
        InputError: a checkpoint that none of them flies.
    """
    first = config.search.method
    if config.agent.checkpoint is not None and first == PolicySearch.name:
        first = Steering.name if isinstance(problem.space, Arrangements) else ConditionedSearch.name
    asked = list(dict.fromkeys([first, *config.search.compare]))
    if config.agent.checkpoint is not None and not set(asked) & set(TRAINED):
        raise InputError(
            f"agent.checkpoint={config.agent.checkpoint} is of no use to search={first}: leave it out, or use one of "
            f"{', '.join(TRAINED)}"
        )
    return asked


def check_trained(config: DesignConfig, problem: Problem, method: str) -> None:
    """Raises InputError for whatever would stop such a search, or its training, before its first step."""
    if method == ConditionedSearch.name:
        _wanted(problem)
        checked(train_conditioned, _own_settings(config, method), method)
        if config.agent.checkpoint is not None:
            open_trained(config, problem, method, seed=config.seed, folder=None)
        elif not isinstance(problem.space, Decorations):
            raise InputError("search=conditioned puts species on sites or layers: use search=steering for positions")
        return
    if not isinstance(problem.space, Arrangements):
        raise InputError("search=steering moves atoms: use space=positions, or search=policy for species on a lattice")
    for name in _own_settings(config, method):
        raise InputError(f"search.settings.{name} is no setting of steering: its policy learns as agent says")
    _check_reward(config, problem)
    if config.agent.checkpoint is not None:
        open_trained(config, problem, method, seed=config.seed, folder=None)
        return
    with _vector(config.training, problem) as vector:
        make_trainer(config.training, vector)
        vector.actions[...] = 0
        vector.step()


def train_policy(config: DesignConfig, problem: Problem, run: RunFolder, method: str, cache: Cache) -> dict[str, float]:
    """Trains what the method flies, unless a checkpoint is given; returns what that cost."""
    if config.agent.checkpoint is not None:
        return {}
    start = time.perf_counter()
    if method == Steering.name:
        train_run(config.training, run, rewarded=_settings(config.training, problem))
        spent = {"evaluations": training_evaluations(run.path)}
    else:
        assert isinstance(problem.space, Decorations)
        path = _conditioned_checkpoint(run.path)
        policy, objective = train_conditioned(
            problem.space,
            _wanted(problem).property,
            problem.material,
            seed=config.seed,
            library=problem.library,
            cache=cache,
            **checked(train_conditioned, _own_settings(config, method), method),
        )
        path.parent.mkdir(exist_ok=True)
        policy.save(path, {"measurements": objective.cost.measurements})
        spent = {"evaluations": objective.cost.evaluations, "measurements": objective.cost.measurements}
    return {**spent, "seconds": time.perf_counter() - start}


def open_trained(config: DesignConfig, problem: Problem, method: str, *, seed: int, folder: Path | None) -> Searcher:
    """The searcher with its policy, from `agent.checkpoint` or else from the run's folder.

    Raises:
        InputError: no such policy, or one that was trained for something else.
    """
    given = config.agent.checkpoint
    place = user_path(given) if given is not None else folder
    assert place is not None
    space = problem.space
    if method == ConditionedSearch.name:
        target = _wanted(problem)
        if not isinstance(space, Decorations):
            raise InputError(f"agent.checkpoint={place} puts species on a lattice: use space=sites or layers")
        path = _conditioned_checkpoint(place) if place.is_dir() else place
        policy = ConditionedPolicy.load(path, space, target.property, problem.material)
        assert target.value is not None
        return ConditionedSearch(space, seed=seed, policy=policy, value=target.value)
    assert isinstance(space, Arrangements)
    if given is not None:
        _check_origin(config, place)
    flown = _flown(config, problem)
    vector = _vector(flown, problem)
    return Steering(
        space,
        seed=seed,
        policy=trained_policy(place, make_policy(flown, vector)),
        vector=vector,
        deterministic=config.evaluation.deterministic,
    )


def _own_settings(config: DesignConfig, method: str) -> dict[str, Setting]:
    """Those of the first method are not for the others."""
    return config.search.settings if method == config.search.method else {}


def _flown(config: DesignConfig, problem: Problem) -> Config:
    """As in training, but towards the value that is asked for."""
    training = config.training
    value = next(iter(problem.targets.values())).value
    if config.env.settings.get("reward") == "order" and value is not None:
        settings = {**training.env.settings, "goal": value}
        return replace(training, env=replace(training.env, settings=settings))
    return training


def _vector(config: Config, problem: Problem) -> Vector:
    vector = open_vector(config, own_memory=True, rewarded=_settings(config, problem))
    assert isinstance(vector, Vector)
    return vector


def _settings(config: Config, problem: Problem) -> dict[str, SettingValue]:
    """What rewards with the design's own targets, where the environment asks for that."""
    if config.env.settings.get("reward") != "property":
        return {}
    assert isinstance(problem.space, Arrangements)
    targets: list[Target] = list(problem.targets.values())
    return measured_settings(
        targets, problem.space.atoms, problem.material, constraints=problem.constraints, library=problem.library
    )


def _check_reward(config: DesignConfig, problem: Problem) -> None:
    reward = str(config.env.settings.get("reward", "energy"))
    asked = [target.property.name for target in problem.targets.values()]
    if not config.env.of_atoms:
        raise InputError(f"search=steering needs an environment of atoms, not env={config.env.name}")
    if reward != "property" and asked != [REWARDS.get(reward)]:
        raise InputError(
            f"env.settings.reward={reward} rewards {REWARDS.get(reward, 'something else')}, the target is "
            f"{', '.join(asked)}: use env.settings.reward=property, or another env"
        )


def _wanted(problem: Problem) -> Target:
    """The only target, a value to hit."""
    target = next(iter(problem.targets.values()))
    if len(problem.targets) > 1 or target.value is None:
        raise InputError("a policy that was trained for many values needs one to hit: give target.value=VALUE")
    return target


def _check_origin(config: DesignConfig, place: Path) -> None:
    """Refuses a policy of another material, or that acts in another way; of one outside of a run nobody knows."""
    folder = place if place.is_dir() else place.parent.parent
    try:
        stored = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        trained = stored["material"]["name"], stored["env"]["settings"].get("control", CONTROL)
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError, yaml.YAMLError):
        return
    asked = config.material.name, config.env.settings.get("control", CONTROL)
    for name, there, here in zip(("material", "env.settings.control"), trained, asked, strict=True):
        if there != here:
            raise InputError(
                f"agent.checkpoint={place} was trained with {name}={there}, not {here}: take another one, or train anew"
            )


def _conditioned_checkpoint(folder: Path) -> Path:
    return folder / "checkpoints" / "conditioned.safetensors"
