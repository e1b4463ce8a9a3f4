"""From a configuration to what a run is made of: environments, policy, trainer."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from matdesign import envs as environments
from matdesign.agents.attention import AttentionPolicy
from matdesign.agents.convolution import ConvolutionalPolicy
from matdesign.agents.equivariant import EquivariantAttentionPolicy, EquivariantPolicy
from matdesign.agents.policies import Layers, MLPPolicy, Policy
from matdesign.agents.records import RecordPolicy
from matdesign.envs.atoms import SettingValue, atoms_layout, atoms_settings
from matdesign.envs.bridge import bridge_settings
from matdesign.envs.drones import drone_settings
from matdesign.errors import InputError
from matdesign.sections import Config, EnvConfig
from matdesign.sim import lammps
from matdesign.vector import Batch, Vector
from matdesign.vector.recipe import Native


def setting(config: Config, name: str) -> float:
    """A number of env.settings, or the default of the environment's own table."""
    given = config.env.settings.get(name)
    if isinstance(given, int | float):
        return float(given)
    return next(known.default for known in environments.load(config.env.environment).settings if known.name == name)


def reference(config: Config) -> float | None:
    """Known ground-state energy of this material and number of atoms, in its energy scale; None if unknown."""
    if config.material.name != config.evaluation.material:
        return None
    return config.evaluation.references.get(str(config.material.structure.atoms))


def open_vector(
    config: Config, *, own_memory: bool = False, rewarded: Mapping[str, SettingValue] | None = None
) -> Batch:
    """The configured environments.

    Args:
        config: its env section says how they are stepped.
        own_memory: environments of ours in this process, whatever the backend: some of their results are read from
            their own memory.
        rewarded: settings of the atoms that reward them with measured properties.

    Raises:
        InputError: a setting, structure or library that cannot be used.
    """
    env = config.env
    parts = 2 if env.overlap else 1
    if env.interface != "matdesign":
        return _open_foreign(env, parts)
    settings: dict[str, SettingValue] = {**env.settings}
    prepare = None
    if env.of_atoms:
        lammps.bind(config.lammps.library)
        prepare = partial(lammps.bind, config.lammps.library)
        atoms = config.material.structure.build(config.material, seed=config.seed)
        settings = {**atoms_settings(atoms, config.material, settings), **(rewarded or {})}
    elif env.environment == "bridge":
        lammps.bind(config.lammps.library)
        prepare = partial(lammps.bind, config.lammps.library)
        crystal = config.material.structure.build(config.material, seed=config.seed)
        settings = bridge_settings(crystal, config.material, settings)
    elif env.environment == "drone_swarm":
        settings = drone_settings(settings)
    if env.backend == "processes" and not own_memory:
        from matdesign.vector.workers import Workers

        recipe = Native(environment=env.environment, settings=settings, prepare=prepare)
        return Workers(recipe, envs=env.envs, workers=env.workers, parts=parts, timeout=env.timeout)
    threads = env.threads if env.backend == "threads" else env.workers
    return Vector(env.environment, settings, envs=env.envs, threads=threads, parts=parts)


def _open_foreign(env: EnvConfig, parts: int) -> Batch:
    from matdesign.vector.foreign import Foreign, Gymnasium, GymnasiumVector, PettingZoo
    from matdesign.vector.workers import Workers

    if env.backend != "processes" or env.library is not None:
        raise InputError(
            f"env.interface={env.interface} runs in worker processes: use env.backend=processes, no library"
        )
    if env.interface == "atari":
        recipe: Foreign = Gymnasium(make="matdesign.vector.atari:atari", settings={"game": env.name, **env.settings})
    else:
        kinds: dict[str, type[Foreign]] = {
            "gymnasium": Gymnasium,
            "gymnasium.vector": GymnasiumVector,
            "pettingzoo": PettingZoo,
        }
        recipe = kinds[env.interface](make=env.name, settings=env.settings)
    return Workers(recipe, envs=env.envs, workers=env.workers, parts=parts, timeout=env.timeout)


def make_policy(config: Config, vector: Batch) -> Policy:
    """The configured network, with initial parameters from config.seed.

    Raises:
        InputError: the chosen kind of policy does not fit the environment.
    """
    choice = config.agent.policy
    layers: Layers = {
        "hidden": choice.hidden,
        "activation": choice.activation,
        "shared": choice.shared,
        "memory": choice.memory,
        "memory_size": choice.memory_size,
        "critic": choice.critic,
    }
    if choice.kind == "equivariant" and not config.env.of_atoms:
        raise InputError(f"agent.policy.kind=equivariant needs atoms, not {config.env.name}: use mlp")
    if config.env.of_atoms and choice.kind in ("auto", "equivariant"):
        layout = atoms_layout(config.material, config.env.settings)
        if choice.neighbours == "none":
            layout = replace(layout, neighbours=0)
        equivariant = EquivariantAttentionPolicy if choice.neighbours == "attention" else EquivariantPolicy
        return equivariant(
            layout,
            log_sigma=choice.log_sigma,
            log_sigma_minimum=choice.log_sigma_minimum,
            log_sigma_maximum=choice.log_sigma_maximum,
            seed=config.seed,
            **layers,
        )
    neighbours = vector.shape.neighbours
    if choice.neighbours == "none":
        raise InputError("agent.policy.neighbours=none is for atoms: use env.settings.neighbours=0 where there is one")
    if choice.neighbours == "attention" and neighbours is None:
        raise InputError(
            f"agent.policy.neighbours=attention needs an environment that lists neighbours, not {config.env.name}: use "
            "ranked"
        )
    seen, done = vector.observation_layout, vector.action_layout
    if done is not None and done.kind == "record":
        raise InputError(
            f"an action of {config.env.name} is {done.space}: a policy here makes choices or gives floats, not both "
            "and no other types; wrap the environment"
        )
    actions = (vector.action_dims, vector.column_choices)
    shape = seen.picture if seen is not None else None
    if choice.kind == "convolutional" and shape is None:
        raise InputError(f"agent.policy.kind=convolutional needs pictures, not {config.env.name}: use mlp")
    if choice.critic == "team" and vector.observations.dtype == np.uint8 and (seen is None or seen.plain):
        raise InputError(f"agent.policy.critic=team needs observations in floats, not bytes as of {config.env.name}")
    if shape is not None and choice.kind in ("auto", "convolutional"):
        return ConvolutionalPolicy(
            shape,
            *actions,
            hidden=choice.hidden,
            memory=choice.memory,
            memory_size=choice.memory_size,
            log_sigma=choice.log_sigma,
            seed=config.seed,
        )
    if neighbours is not None and choice.neighbours == "attention":
        return AttentionPolicy(
            vector.features, neighbours, *actions, log_sigma=choice.log_sigma, seed=config.seed, **layers
        )
    if seen is not None and not seen.plain:
        return RecordPolicy(seen, *actions, log_sigma=choice.log_sigma, seed=config.seed, **layers)
    return MLPPolicy(vector.features, *actions, log_sigma=choice.log_sigma, seed=config.seed, **layers)
