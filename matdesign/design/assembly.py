"""From a configuration to what a run is made of: environments, policy, trainer."""

from matdesign import envs as environments
from matdesign.agents.equivariant import EquivariantPolicy
from matdesign.agents.policies import MLPPolicy, Policy
from matdesign.envs.atoms import SettingValue, atoms_layout, atoms_settings
from matdesign.errors import InputError
from matdesign.sections import Config
from matdesign.sim import lammps
from matdesign.vector import Vector


def setting(config: Config, name: str) -> float:
    """A number of env.settings, or the default of the environment's own table."""
    given = config.env.settings.get(name)
    if isinstance(given, int | float):
        return float(given)
    return next(known.default for known in environments.load(config.env.environment).settings if known.name == name)


def reference(config: Config) -> float | None:
    """Known ground-state energy of this material and number of atoms, in its energy scale; None if unknown."""
    if config.material.name != config.target.material:
        return None
    return config.target.references.get(str(config.material.structure.atoms))


def open_vector(config: Config) -> Vector:
    """The configured environments.

    Raises:
        InputError: a setting, structure or library that cannot be used.
    """
    settings: dict[str, SettingValue] = {**config.env.settings}
    if config.env.of_atoms:
        lammps.bind(config.lammps.library)
        atoms = config.material.structure.build(config.material, seed=config.seed)
        settings = atoms_settings(atoms, config.material, settings)
    return Vector(config.env.environment, settings, envs=config.env.envs, threads=config.env.threads)


def make_policy(config: Config, vector: Vector) -> Policy:
    """The configured network, with initial parameters from config.seed.

    Raises:
        InputError: an equivariant policy was asked for in an environment without atoms.
    """
    choice = config.agent.policy
    is_atoms = config.env.of_atoms
    if choice.kind == "equivariant" and not is_atoms:
        raise InputError(f"agent.policy.kind=equivariant needs atoms, not {config.env.name}: use mlp")
    if is_atoms and choice.kind != "mlp":
        return EquivariantPolicy(
            atoms_layout(config.material, config.env.settings),
            hidden=choice.hidden,
            log_sigma=choice.log_sigma,
            log_sigma_minimum=choice.log_sigma_minimum,
            log_sigma_maximum=choice.log_sigma_maximum,
            seed=config.seed,
        )
    return MLPPolicy(
        vector.features,
        vector.action_dims,
        vector.choices,
        hidden=choice.hidden,
        log_sigma=choice.log_sigma,
        seed=config.seed,
    )
