"""Energies per atom: potential, cohesive, and above the reference of each species."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from ase import Atoms

from matdesign.errors import InputError
from matdesign.properties import dynamics
from matdesign.properties.property import Sample, System
from matdesign.properties.structural import StructuralProperty
from matdesign.properties.units import Units
from matdesign.sim import Simulation


@dataclass(frozen=True, kw_only=True)
class _EnergyPerAtom(StructuralProperty):
    """What follows from the potential energy and the number of atoms of each species."""

    def unit(self, units: Units) -> str:
        """Energy of one atom."""
        return f"{units.energy}/atom"

    @abstractmethod
    def per_atom(self, system: System, energy: float) -> float:
        """The value for the structure with this potential energy."""

    def of(self, system: System, atoms: Atoms) -> Sample:
        """That of this arrangement."""
        with system.simulation(atoms) as simulation:
            return {"value": np.array(self.per_atom(system, simulation.energy))}

    def average(self, system: System, simulation: Simulation) -> Sample:
        """From LAMMPS' own sum over the frames."""
        simulation.command("compute matdesign_pair_energy all pe pair")
        energies = dynamics.series(
            simulation, "c_matdesign_pair_energy", every=self.every, steps=self.frames * self.every
        )
        return {"value": np.array(self.per_atom(system, float(energies.mean())))}


@dataclass(frozen=True, kw_only=True)
class PotentialEnergy(_EnergyPerAtom):
    """Potential energy per atom.

    Equation:
        e = U(r_1 ... r_N) / N

        U: energy of the pair style at the positions r_i, N: number of atoms.

    Value:
        eV/atom (real: kcal/mol; lj: epsilon).

    Assumptions:
        The zero of energy is the pair style's: free atoms for Lennard-Jones, embedded atom, Stillinger-Weber and
        Tersoff potentials. Use the cohesive energy to be independent of it.
    """

    name: ClassVar[str] = "potential_energy"

    def per_atom(self, system: System, energy: float) -> float:
        """Energy over number."""
        return energy / len(system.structure)


@dataclass(frozen=True, kw_only=True)
class CohesiveEnergy(_EnergyPerAtom):
    """Energy per atom that takes the structure apart into free atoms.

    Equation:
        E_coh = (sum_i E_free(i) - U) / N

        E_free(i): energy of one free atom of the species of atom i, by the same potential, U: potential energy of the
        structure, N: number of atoms.

    Value:
        eV/atom (real: kcal/mol; lj: epsilon), positive for what holds together. It is the published cohesive energy
        where the structure is the relaxed crystal and `temperature` is not given.

    Assumptions:
        Classical: without zero-point energy.

    References:
        Kittel, Introduction to Solid State Physics (Wiley, 2005), chapter 3: definition, and values of the elements.
    """

    name: ClassVar[str] = "cohesive_energy"

    def per_atom(self, system: System, energy: float) -> float:
        """Free atoms minus structure."""
        symbols = Counter(system.structure.symbols)
        free = sum(count * free_atom_energy(system, symbol) for symbol, count in symbols.items())
        return (free - energy) / len(system.structure)


@dataclass(frozen=True, kw_only=True)
class EnergyAboveReference(_EnergyPerAtom):
    """Energy per atom above that of the same species in reference structures.

    With the energies of the crystalline elements as references it is the formation energy.

    Equation:
        dE = (U - sum_s N_s E_s) / N

        U: potential energy of the structure, N_s: its atoms of species s, E_s: reference energy per atom of species
        s, N = sum_s N_s.

    Attributes:
        references: energy per atom (eV, real: kcal/mol, lj: epsilon) of each species in its reference structure by the
            same potential, as `potential_energy` measures it; for a structure without a lattice of its own the energy
            per atom of the ground state. Every species of the structure needs one.

    Value:
        eV/atom (real: kcal/mol; lj: epsilon), negative where the structure is more stable than the references.
    """

    name: ClassVar[str] = "energy_above_reference"
    references: Mapping[str, float] = field(default_factory=dict)

    def check(self, system: System) -> None:
        """All references are needed."""
        for symbol in sorted(set(system.structure.symbols) - set(self.references)):
            raise InputError(
                f"energy_above_reference has no reference for {symbol}: give property.references.{symbol}=ENERGY, "
                "the potential_energy of its reference structure"
            )

    def per_atom(self, system: System, energy: float) -> float:
        """Structure minus references."""
        reference = sum(self.references[symbol] for symbol in system.structure.symbols)
        return (energy - reference) / len(system.structure)


def free_atom_energy(system: System, symbol: str) -> float:
    """Energy of one atom alone in free space."""
    with system.simulation(Atoms([symbol], [[0.0, 0.0, 0.0]])) as simulation:
        return simulation.energy
