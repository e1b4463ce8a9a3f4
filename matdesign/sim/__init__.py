"""LAMMPS: the C shim, `Simulation`, materials and structures."""

from matdesign.sim.material import Material
from matdesign.sim.simulation import Simulation
from matdesign.sim.structure import StartingStructure

__all__ = ["Material", "Simulation", "StartingStructure"]
