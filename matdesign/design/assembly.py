"""From a configuration to what a run is made of: environments, policy, trainer."""

from matdesign.agents.equivariant import EquivariantPolicy
from matdesign.agents.policies import MLPPolicy, Policy
from matdesign.envs.atoms import SettingValue, atoms_layout, atoms_settings
from matdesign.errors import InputError
from matdesign.sections import Config
from matdesign.sim import lammps
from matdesign.vector import Vector

ATOMS = "atoms"


def reference(config: Config) -> float | None:
    """Known ground-state energy of the configured number of atoms, in the material's energy scale; None if unknown."""
    return config.target.references.get(str(config.material.structure.atoms))


def open_vector(config: Config) -> Vector:
    """The configured environments.

    Raises:
        InputError: a setting, structure or library that cannot be used.
    """
    settings: dict[str, SettingValue] = {**config.env.settings}
    if config.env.environment == ATOMS:
        lammps.bind(config.lammps.library)
        if (energy := reference(config)) is not None:
            settings.setdefault("reference", energy)
        atoms = config.material.structure.build(config.material, seed=config.seed)
        settings = atoms_settings(atoms, config.material, settings)
    return Vector(config.env.environment, settings, envs=config.env.envs, threads=config.env.threads)


def make_policy(config: Config, vector: Vector) -> Policy:
    """The configured network, with initial parameters from config.seed.

    Raises:
        InputError: an equivariant policy was asked for in an environment without atoms.
    """
    choice = config.agent.policy
    is_atoms = config.env.environment == ATOMS
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
