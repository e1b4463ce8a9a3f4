"""The reward for measured properties: 13 argon atoms are steered to a number of neighbours, and what measuring costs.

`miss` is the mean of |Z - target|, Z the mean number of neighbours within 1.4 sigma after 100 MD steps without control,
over 64 episodes from random clouds with sampled actions, counted in the final positions without the property; each
sample is one training seed. `cost` is one measurement of one structure, as the reward asks for it, and `share` its part
in a control step of 20 MD steps of as many atoms.
"""

import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import table
import torch
from ase import Atoms

from matdesign.agents.equivariant import EquivariantPolicy
from matdesign.agents.policies import Policy
from matdesign.agents.ppo import PPO
from matdesign.config import load
from matdesign.design.flight import fly
from matdesign.envs.atoms import atoms_layout, atoms_settings
from matdesign.properties import Property
from matdesign.properties.coordination import Coordination
from matdesign.properties.energy import PotentialEnergy
from matdesign.properties.order import AveragedQ6
from matdesign.properties.structure_match import RdfMatch
from matdesign.rewards.measured import measured_settings
from matdesign.rewards.target import Target
from matdesign.sim import Material, lammps
from matdesign.vector import Vector

CONFIG = load(["material=argon_cluster", "env=atoms/cluster"])
CUTOFF = 1.4 * CONFIG.material.length_scale
CONTROL = {"control": "kick", "md_steps": 20, "horizon": 20, "strength": 1.0, "remove_drift": True, "container": 4.0,
           "start_relax": 20, "reward": "property"}  # fmt: skip


class Nothing:
    """A policy that does nothing."""

    def act(self, observations: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        """No kicks."""
        return torch.zeros(len(observations), 3)


def cluster_vector(target: Target, envs: int = 16) -> Vector:
    """Environments of 13 atoms that are let go for 100 MD steps before the last measurement."""
    material = CONFIG.material
    atoms = material.structure.build(material, seed=0)
    settings = atoms_settings(atoms, material, {**CONTROL, "free_steps": 100, "relax_evaluations": 0})
    return Vector("atoms", {**settings, **measured_settings(target, atoms, material)}, envs=envs)


def miss(policy: Policy | Nothing, target: Target) -> float:
    """Of the policy as it was trained, with the spread of its actions: near a value between, it uses it as heat."""
    with cluster_vector(target) as vector:
        results = fly(vector, policy, episodes=64, seed=1000, deterministic=False).results  # type: ignore[arg-type]
    missed = []
    for result in results:
        assert not result.failed
        distances = np.linalg.norm(result.positions[:, None] - result.positions, axis=2)
        missed.append(abs((distances < CUTOFF).sum() / 13 - 1 - target.value))  # type: ignore[operator]
    return float(np.mean(missed))


def train(target: Target, seed: int, agent_steps: int) -> tuple[float, float, float]:
    """Miss before and after training, and CPU seconds of training."""
    policy = EquivariantPolicy(
        atoms_layout(CONFIG.material, CONTROL), hidden=(64, 64), log_sigma=-1.5, log_sigma_minimum=-3.5,
        log_sigma_maximum=0.0, seed=seed,
    )  # fmt: skip
    before = miss(policy, target)
    with cluster_vector(target) as vector:
        ppo = PPO(vector, policy, replace(CONFIG.agent.ppo, total_agent_steps=agent_steps), device="cpu", seed=seed)
        start = time.process_time()
        while ppo.agent_steps < agent_steps:
            ppo.iterate()
        seconds = time.process_time() - start
    return before, miss(policy, target), seconds


def cost(measured: Property, atoms: Atoms, material: Material, samples: int | None) -> tuple[list[float], list[float]]:
    """CPU milliseconds of a measurement in five episodes of twenty, and its share in a control step."""
    seconds = {}
    target = Target(property=measured, goal="minimise")
    for every in (1, 20):
        options = {**CONTROL, "container": 0.0, "measure_every": every, "start_jitter": 0.05, "relax_evaluations": 0}
        settings = {
            **atoms_settings(atoms, material, options),
            **measured_settings(target, atoms, material, samples=samples),
        }
        seconds[every] = []
        with Vector("atoms", settings, envs=1) as vector:
            vector.reset(0)
            for _ in range(5):
                start = time.process_time()
                for _ in range(20):
                    vector.step()
                seconds[every].append(time.process_time() - start)
                vector.step()
    each = [(one - other) / 19 for one, other in zip(seconds[1], seconds[20], strict=True)]
    shares = [100 * 20 * per / whole for per, whole in zip(each, seconds[1], strict=True)]
    return [1e3 * per for per in each], shares


def costs(results: table.Table, folder: Path) -> None:
    """Rows of what measuring costs."""
    material = load(["material=lj"]).material
    crystal = material.structure.build(material, seed=0)
    crystal.write(folder / "fcc.extxyz")
    hot = PotentialEnergy(temperature=0.1, equilibration=100, frames=10, every=10)
    cases: list[tuple[str, Property, int | None]] = [
        ("coordination", Coordination(cutoff=1.4), None),
        ("averaged_q6", AveragedQ6(), None),
        ("rdf_match", RdfMatch(file=str(folder / "fcc.extxyz")), None),
        ("potential_energy", PotentialEnergy(), None),
        ("potential_energy, 4 x 200 steps", hot, 4),
    ]
    for name, measured, samples in cases:
        each, shares = cost(measured, crystal, material, samples)
        results.add(f"{name}, 108 atoms", "cost", each, "ms")
        results.add(f"{name}, 108 atoms", "share", shares, "%")


def main() -> None:
    """Prints the misses of all targets, then the costs."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    torch.set_num_threads(1)
    lammps.bind()
    for value in (5.0,) if arguments.quick else (3.5, 5.0, 6.0):
        target = Target(property=Coordination(cutoff=CUTOFF), goal="hit", value=value, tolerance=0.1)
        runs = [train(target, seed, 300_000) for seed in range(1 if arguments.quick else 3)]
        before, after, seconds = (list(column) for column in zip(*runs, strict=True))
        nothing = miss(Nothing(), target)
        results.add(f"Z = {value:g}, no control", "miss", [nothing], "")
        results.add(f"Z = {value:g}, untrained", "miss", before, "")
        results.add(f"Z = {value:g}, trained", "miss", after, "", reference=nothing)
        results.add(f"Z = {value:g}, trained", "CPU time of training", seconds, "s")
    with TemporaryDirectory() as folder:
        costs(results, Path(folder))
    results.close()


if __name__ == "__main__":
    main()
