"""Thermal conductivity of glasses: Allen and Feldman."""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np

from matdesign.properties.harmonic_lattice import HarmonicLattice, atomic_masses, modes
from matdesign.properties.lattice_conductivity import LatticeConductivity
from matdesign.properties.modal_conductivity import Linewidths
from matdesign.properties.property import System
from matdesign.typed import Range


@dataclass(frozen=True, kw_only=True)
class AllenFeldman(LatticeConductivity):
    """Thermal conductivity of a disordered solid whose vibrations neither propagate nor decay (Allen and Feldman).

    Equation:
        kappa_ab = kB / V sum_n D_n,ab, D_n,ab = pi sum_m v_nm,a v_nm,b delta(omega_n - omega_m)

        D_n: diffusivity of mode n, delta: Lorentzian of unit area whose full width at half maximum is `broadening`
        times the mean spacing of the frequencies of the given cell. Other symbols as for
        `thermal_conductivity_lattice_dynamics`.

    Attributes:
        axis: cell vector along which the value is taken.
        mesh: wave vectors along the three reciprocal cell vectors, about q = 0; [1, 1, 1] takes the modes of the given
            cell alone, those with its periodicity.
        broadening: full width of the Lorentzian, in mean spacings.

    Value:
        W/(m K) (lj: kB/(sigma tau)) along the axis.

    Tensor:
        kappa, [3, 3], Cartesian.

    Curves:
        frequency in THz (lj: 1/tau); accumulation: what all modes up to it contribute to the value.

    Details:
        mean: a third of the trace. refined: the value with twice the broadening.

    Assumptions:
        Classical harmonic modes, all diffusing: it is for glasses and strongly disordered alloys. In a crystal modes
        propagate and only their decay limits them; there the value depends on the broadening, which is flagged where
        twice as much changes it by more than a tenth. The atoms are relaxed in the fixed cell first.

    Finite size:
        The cell must be large enough for the broadening to smooth its frequencies without smearing the spectrum:
        several hundred atoms. Long waves are missing.

    References:
        Allen and Feldman, Phys. Rev. B 48, 12581 (1993), doi:10.1103/PhysRevB.48.12581; broadening: Larkin and
        McGaughey, Phys. Rev. B 89, 144303 (2014), doi:10.1103/PhysRevB.89.144303.
    """

    name: ClassVar[str] = "thermal_conductivity_allen_feldman"
    refinement: ClassVar[str] = "twice the broadening: modes propagate, or the cell is too small"

    broadening: Annotated[float, Range(1e-3, 1e4)] = 5.0

    def linewidths(self, system: System, lattice: HarmonicLattice) -> Linewidths:
        """The same for all modes: the sum of two half widths is the half width of the Lorentzian."""
        masses = atomic_masses(system)
        squares = [modes(bloch, masses, system.units, vectors=False)[0] for bloch in lattice.mesh(self.mesh)]
        spacing = float(np.sqrt(np.concatenate(squares).max())) / (3 * len(masses))
        return Linewidths(anharmonic=0.0, constant=self.broadening * spacing / 4)

    def refined(self, system: System, lattice: HarmonicLattice, linewidths: Linewidths) -> float | None:
        """With twice the broadening."""
        twice = replace(linewidths, constant=2 * linewidths.constant)
        return float(self.along(system, lattice, twice, self.mesh, self.direction(system)[None]).tensor[0, 0])
