"""Relaxation: the atoms, and the cell where asked, at the nearest minimum of the energy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from ase import Atoms

from matdesign.errors import InputError, SimulationError
from matdesign.properties.measurement import Array, Estimate
from matdesign.properties.property import Property, Sample, System
from matdesign.properties.units import UNITS, Units
from matdesign.sim import Simulation
from matdesign.typed import Range

Cell = Literal["fixed", "isotropic", "full"]

STIFFNESS = 100.0  # modulus of a crystal in energy scales per cubed length scale, too large rather than too small
LONGEST = 0.02  # largest strain of one step
GROWTH = 8.0  # a cell that changes its volume by more than this factor has no minimum nearby


@dataclass(frozen=True, kw_only=True)
class Settled:
    """Atoms at rest in a fixed cell.

    Attributes:
        atoms: in the frame of the structure that was relaxed, unwrapped, without momenta.
        start: potential energy before.
        energy: potential energy.
        force: largest force component.
        stress: [3, 3] in the structure's frame, in `pressure_unit`, tension positive; zero without a volume.
    """

    atoms: Atoms
    start: float
    energy: float
    force: float
    stress: Array


def settle(system: System, atoms: Atoms, *, tolerance: float, evaluations: int) -> Settled:
    """Relaxes `atoms` in their cell until no force component exceeds `tolerance`, in units of energy per length."""
    with system.simulation(without_momenta(atoms)) as simulation:
        simulation.step(0, energies=True)
        start = simulation.energy
        simulation.relax(tolerance=tolerance, evaluations=evaluations)
        energy, force = simulation.energy, float(np.abs(simulation.f).max())
        tension = stress(simulation, atoms) if atoms.pbc.all() else np.zeros((3, 3))
        relaxed = simulation.structure()
    relaxed.cell = atoms.cell  # not turned there and back
    return Settled(atoms=relaxed, start=start, energy=energy, force=force, stress=tension)


def without_momenta(atoms: Atoms) -> Atoms:
    """A copy at rest."""
    resting: Atoms = atoms.copy()
    resting.arrays.pop("momenta", None)
    return resting


def stress(simulation: Simulation, atoms: Atoms) -> Array:
    """The potential's stress at the present positions, [3, 3] in the frame of `atoms`, which it was opened with.

    In `pressure_unit`; tension is positive. It ends the controlled run.
    """
    if not simulation.has("compute", "matdesign_virial"):
        simulation.command("compute matdesign_virial all pressure NULL virial")
        simulation.command("fix matdesign_virial all vector 1 c_matdesign_virial[1]")  # asks for it in every run
    simulation.run(0)
    xx, yy, zz, xy, xz, yz = simulation.compute("matdesign_virial")
    simulation.command("unfix matdesign_virial")
    simulation.command("uncompute matdesign_virial")
    pressure = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    turn = np.linalg.solve(simulation.box()[1], atoms.cell.array)  # from LAMMPS' frame to the structure's
    return np.asarray(-UNITS[simulation.material.units].lammps_pressure * turn.T @ pressure @ turn)


def strained(atoms: Atoms, strain: Array) -> Atoms:
    """A copy under the homogeneous strain [3, 3]: every vector r becomes (1 + strain) r."""
    copy: Atoms = atoms.copy()
    copy.set_cell(atoms.cell.array @ (np.eye(3) + strain).T, scale_atoms=True)
    return copy


@dataclass(frozen=True, kw_only=True)
class Relaxation(Property):
    """Potential energy per atom after relaxation into the nearest minimum.

    Equation:
        minimum of H = U + p V over the positions and, unless the cell is fixed, over its six strains (or its volume)

        U: potential energy, p: `pressure`, V: volume of the cell.

        Atoms move by limited-memory BFGS at every cell; the cell moves by BFGS on stress plus pressure of the relaxed
        atoms. The cell is strained symmetrically, so it does not rotate.

    Attributes:
        cell: "fixed" keeps it, "isotropic" relaxes its volume, "full" its edges and angles.
        pressure: outside, in GPa (lj: epsilon/sigma^3).
        force_tolerance: largest force component that may remain, in the material's energy scale over length scale.
        stress_tolerance: largest deviation of a stress component from -p that may remain (isotropic: of their mean),
            in energy scales over cubed length scale.
        evaluations: most force evaluations.

    Value:
        Energy per atom, in eV (real: kcal/mol, lj: epsilon); flagged if a tolerance was not met.

    Details:
        energy_drop: energy per atom before minus after. displacement: the farthest any atom moved, beyond what the cell
        and the whole did, in A (lj: sigma). volume_ratio: volume after over before. largest_force in energy per length.
        largest_stress: what remains, in the unit of pressure. evaluations: force evaluations.

    Assumptions:
        The nearest minimum, not the lowest. A structure on a saddle by its symmetry stays there.

    References:
        Liu and Nocedal, Math. Program. 45, 503 (1989), doi:10.1007/BF01589116.
    """

    name: ClassVar[str] = "relaxed_energy"

    cell: Cell = "fixed"
    pressure: Annotated[float, Range(-1e4, 1e4)] = 0.0
    force_tolerance: Annotated[float, Range(1e-12, 1.0)] = 1e-7
    stress_tolerance: Annotated[float, Range(1e-12, 1.0)] = 1e-6
    evaluations: Annotated[int, Range(1, 10**9)] = 50_000

    @property
    def random(self) -> bool:
        """It is not."""
        return False

    def unit(self, units: Units) -> str:
        """Energy per atom."""
        return f"{units.energy}/atom"

    def check(self, system: System) -> None:
        """A cell that moves must be periodic; a pressure needs a cell that moves."""
        if self.cell != "fixed" and not system.structure.pbc.all():
            raise InputError(
                f"cell={self.cell} needs a structure that is periodic in three directions: use cell=fixed for this one"
            )
        if self.cell == "fixed" and self.pressure != 0:
            raise InputError(
                f"pressure={self.pressure:g} does nothing to a fixed cell: use cell=isotropic or cell=full"
            )

    def sample(self, system: System, seed: int) -> Sample:
        """Relaxed positions [n, 3] (unwrapped), cell [3, 3] and stress [3, 3], with how the search ended."""
        start = system.structure
        scale = _stress_scale(system)
        inverse = np.eye(6) / (STIFFNESS * scale)
        atoms, energy_before = start, 0.0
        gradient = move = np.zeros(6)
        before = system.evaluations
        for step in range(self.evaluations):
            left = max(1, self.evaluations - (system.evaluations - before))
            settled = settle(system, atoms, tolerance=self.force(system), evaluations=left)
            energy_before = energy_before if step else settled.start
            previous, gradient = gradient, mandel(settled.stress + self.pressure * np.eye(3))
            if self.cell == "isotropic":
                gradient = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0]) * gradient[:3].mean()
            spent = system.evaluations - before
            if self.cell == "fixed" or abs(gradient).max() <= self.stress_tolerance * scale or spent > self.evaluations:
                break
            if step:
                inverse = _updated(inverse, move, gradient - previous, first=step == 1)
            move = -inverse @ gradient
            move *= min(1.0, LONGEST / abs(move).max())
            atoms = strained(settled.atoms, from_mandel(move))
            if not 1 / GROWTH < atoms.get_volume() / start.get_volume() < GROWTH:
                raise SimulationError(
                    f"the cell went from volume {start.get_volume():.4g} to {atoms.get_volume():.4g} and would go on: "
                    "the structure has no minimum nearby at this pressure"
                )
        return {
            "positions": settled.atoms.positions,
            "cell": settled.atoms.cell.array,
            "stress": settled.stress,
            "energy": np.array(settled.energy),
            "energy_before": np.array(energy_before),
            "largest_force": np.array(settled.force),
            "largest_stress": np.array(0.0 if self.cell == "fixed" else abs(gradient).max()),
            "evaluations": np.array(float(system.evaluations - before)),
        }

    def force(self, system: System) -> float:
        """The largest force component that may remain, in energy per length."""
        return self.force_tolerance * system.material.energy_scale / system.material.length_scale

    def relaxed(self, system: System) -> Atoms:
        """The relaxed structure, from the cache if it is there, without momenta.

        Raises:
            InputError: the cell cannot be relaxed.
            SimulationError: the tolerances were not met.
        """
        self.check(system)
        sample = system.sample(self)
        trouble = self._trouble(system, sample)
        if trouble:
            raise SimulationError(trouble)
        atoms = without_momenta(system.structure)
        atoms.cell = sample["cell"]
        atoms.positions = sample["positions"]
        return atoms

    def detail_units(self, system: System) -> dict[str, str]:
        """Of those that are no plain numbers."""
        units = system.units
        return {
            "energy_drop": f"{units.energy}/atom",
            "displacement": units.length,
            "largest_force": f"{units.energy}/{units.length}",
            "largest_stress": units.pressure_unit,
        }

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Of the only sample there is."""
        sample, start = samples[0], system.structure
        count = len(start)
        details = {
            "energy_drop": float(sample["energy_before"] - sample["energy"]) / count,
            "displacement": _displacement(start, sample),
            "volume_ratio": 1.0
            if self.cell == "fixed"
            else float(abs(np.linalg.det(sample["cell"])) / start.get_volume()),
            **{name: float(sample[name]) for name in ("largest_force", "largest_stress", "evaluations")},
        }
        return Estimate(value=float(sample["energy"]) / count, details=details, flag=self._trouble(system, sample))

    def _trouble(self, system: System, sample: Sample) -> str:
        force, tension = float(sample["largest_force"]), float(sample["largest_stress"])
        if force > self.force(system) or tension > self.stress_tolerance * _stress_scale(system):
            return (
                f"not relaxed after {int(sample['evaluations'])} force evaluations: a force of {force:.3g} "
                f"{system.units.energy}/{system.units.length} and a stress of {tension:.3g} "
                f"{system.units.pressure_unit} remain"
            )
        return ""


def relax(system: System, cell: Cell = "fixed") -> Atoms:
    """The system's structure, relaxed at zero pressure, from the cache if it is there.

    Raises:
        InputError: the cell cannot be relaxed.
        SimulationError: no minimum was found.
    """
    return Relaxation(cell=cell).relaxed(system)


def mandel(tensor: Array) -> Array:
    """A symmetric [3, 3] as [6] with the same scalar products: xx, yy, zz and sqrt(2) times yz, xz, xy."""
    root = np.sqrt(2.0)
    (xx, xy, xz), (_, yy, yz), (_, _, zz) = tensor
    return np.array([xx, yy, zz, root * yz, root * xz, root * xy])


def from_mandel(vector: Array) -> Array:
    """The inverse of `mandel`."""
    xx, yy, zz, yz, xz, xy = vector / np.array([1.0, 1.0, 1.0, *[np.sqrt(2.0)] * 3])
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def _stress_scale(system: System) -> float:
    """The material's energy scale over its length scale cubed, in `pressure_unit`."""
    return system.material.energy_scale / system.material.length_scale**3 * system.units.pressure


def _updated(inverse: Array, move: Array, change: Array, *, first: bool) -> Array:
    """The inverse stiffness after BFGS learnt that `move` made the gradient change by `change`."""
    along = float(move @ change)
    if along <= 1e-10 * np.linalg.norm(move) * np.linalg.norm(change):  # atoms found another minimum on the way
        return inverse
    if first:
        inverse = np.eye(6) * along / float(change @ change)
    shift = np.eye(6) - np.outer(move, change) / along
    return np.asarray(shift @ inverse @ shift.T + np.outer(move, move) / along)


def _displacement(start: Atoms, sample: Sample) -> float:
    moved = sample["positions"] - start.positions
    if start.pbc.all():  # without what the cell did
        moved = sample["positions"] - start.cell.scaled_positions(start.positions) @ sample["cell"]
    return float(np.linalg.norm(moved - moved.mean(axis=0), axis=1).max())
