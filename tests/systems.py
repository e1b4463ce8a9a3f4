"""Materials, structures and slow, plain definitions that the tests of simulations share."""

from pathlib import Path

import numpy as np
import yaml
from ase import Atoms
from ase.build import bulk
from numpy.typing import NDArray

from matdesign import typed
from matdesign.sim.material import Material
from matdesign.sim.structure import StartingStructure

CONF = Path(__file__).parent.parent / "conf" / "material"


def shipped(name: str) -> tuple[Material, StartingStructure]:
    values = yaml.safe_load((CONF / f"{name}.yaml").read_text())
    structure = typed.build(StartingStructure, values.pop("structure"))
    return typed.build(Material, values), structure


def material(name: str) -> Material:
    return shipped(name)[0]


# Lennard-Jones without a cutoff in reach and with unit mass: what the all-pairs definitions below describe.
LJ = Material(
    name="lj_long", species=["Ar"], masses=[1.0], units="lj", pair_style="lj/cut 20.0", pair_coeff=["1 1 1.0 1.0"],
    timestep=0.005, skin=0.3, length_scale=1.0, energy_scale=1.0,
)  # fmt: skip


def cluster(count: int, seed: int = 0, spacing: float = 1.12) -> Atoms:
    """A free, compact, slightly disordered piece of a cubic lattice about the origin."""
    side = int(np.ceil(count ** (1 / 3)))
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 3), axis=-1).reshape(-1, 3) - (side - 1) / 2
    nearest = np.argsort((grid**2).sum(axis=1), kind="stable")[:count]
    noise = np.random.default_rng(seed).normal(scale=0.03, size=(count, 3))
    return Atoms(["Ar"] * count, spacing * grid[nearest] + noise)


def fcc(repeat: int = 3, a: float = 1.5496, seed: int = 0, rattle: float = 0.02) -> Atoms:
    """A rattled Lennard-Jones crystal in a periodic cube."""
    atoms = bulk("Ar", "fcc", a=a, cubic=True) * (repeat, repeat, repeat)
    atoms.rattle(rattle, seed=seed)
    return atoms


def tilted(repeat: int = 4, seed: int = 0) -> Atoms:
    """The same in its rhombohedral cell, turned so that no edge lies along an axis."""
    atoms = bulk("Ar", "fcc", a=1.5496) * (repeat, repeat, repeat)
    atoms.rattle(0.02, seed=seed)
    atoms.rotate(33, (1, 2, 3), rotate_cell=True)
    return atoms


def velocities(count: int, width: float, seed: int = 0) -> NDArray[np.float64]:
    """Normal velocities [count, 3] without drift."""
    v = np.random.default_rng(seed).normal(scale=width, size=(count, 3))
    return v - v.mean(axis=0)


def lennard_jones(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Energies [n] (a pair's shared half and half) and forces [n, 3] of all pairs in free space."""
    delta = x[:, None] - x[None]
    square = (delta**2).sum(axis=2)
    np.fill_diagonal(square, np.inf)
    six = square**-3
    energies = 0.5 * (4 * (six**2 - six)).sum(axis=1)
    forces = ((48 * six**2 - 24 * six) / square)[..., None] * delta
    return energies, forces.sum(axis=1)


def verlet(x: NDArray[np.float64], v: NDArray[np.float64], dt: float, steps: int, external: float | NDArray = 0.0):
    """Velocity Verlet of unit masses under `lennard_jones` and a constant external force."""
    x, v = x.copy(), v.copy()
    force = lennard_jones(x)[1] + external
    for _ in range(steps):
        v += 0.5 * dt * force
        x += dt * v
        force = lennard_jones(x)[1] + external
        v += 0.5 * dt * force
    return x, v


def resident_bytes() -> int:
    """Resident memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return 1024 * int(line.split()[1])
    raise AssertionError("no VmRSS")
