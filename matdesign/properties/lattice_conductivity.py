"""Thermal conductivity from lattice dynamics: quasi-harmonic Green-Kubo with a model of the linewidths."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from matdesign.errors import InputError
from matdesign.properties.conduction import AXES, Axis
from matdesign.properties.force_constants import ForceConstants, trouble
from matdesign.properties.harmonic_lattice import CARTESIAN, HarmonicLattice, Mesh, atomic_masses, check_mesh
from matdesign.properties.measurement import Array, Estimate
from matdesign.properties.modal_conductivity import Linewidths, ModalConductivity, quasi_harmonic_green_kubo
from matdesign.properties.neighbours import check_filled
from matdesign.properties.phonons import frequencies, imaginary
from matdesign.properties.property import Property, Sample, System
from matdesign.properties.units import Units
from matdesign.typed import Range

POINTS = 201  # of the accumulation
STILL = 1e-6  # times kB, highest frequency and inverse length scale: no conduction
CHANGE = 0.1  # relative change on refinement beyond which a result is not converged


@dataclass(frozen=True, kw_only=True)
class LatticeConductivity(Property):
    """A thermal conductivity that follows from force constants and a model of the linewidths.

    Attributes:
        axis: cell vector along which the value is taken.
        mesh: wave vectors along the three reciprocal cell vectors, about q = 0; [1, 1, 1] takes the modes of the given
            cell alone, those with its periodicity.
        refinement: what a converged value does not depend on.
    """

    refinement: ClassVar[str] = ""

    axis: Axis = "a"
    mesh: Mesh = (1, 1, 1)

    @property
    def random(self) -> bool:
        """It is not."""
        return False

    def unit(self, units: Units) -> str:
        """W/(m K), or reduced."""
        return units.conductivity_unit

    def check(self, system: System) -> None:
        """Heat needs a cross-section to flow through, and modes that move it."""
        if not system.structure.pbc.all():
            raise InputError(
                f"{self.name} needs a structure that is periodic in three directions: through a cluster or a slab in "
                "vacuum no heat flows on, and neither has a cross-section; give it a periodic cell"
            )
        check_filled(self.name, system)
        ForceConstants().check(system)
        check_mesh(self.name, self.mesh, system.structure)
        if len(system.structure) < 2 and max(self.mesh) == 1:
            raise InputError(f"{self.name} of one atom with mesh=[1, 1, 1]: all it does is move as a whole, raise mesh")

    def direction(self, system: System) -> Array:
        """Unit vector along the axis."""
        edge = system.structure.cell.array[AXES.index(self.axis)]
        return np.asarray(edge / np.linalg.norm(edge))

    @abstractmethod
    def linewidths(self, system: System, lattice: HarmonicLattice) -> Linewidths:
        """Of the modes."""

    def refined(self, system: System, lattice: HarmonicLattice, linewidths: Linewidths) -> float | None:
        """The value with `refinement`, which should not matter, if there is such a thing."""
        return None

    def doubt(self, system: System) -> str:
        """Why the linewidths do not fit the material; empty where they may."""
        return ""

    def along(
        self, system: System, lattice: HarmonicLattice, linewidths: Linewidths, mesh: Mesh, directions: Array
    ) -> ModalConductivity:
        """The conductivity along `directions` with the system's own masses."""
        return quasi_harmonic_green_kubo(
            lattice.mesh(mesh, directions=directions),
            atomic_masses(system),
            volume=system.structure.get_volume(),
            units=system.units,
            linewidths=linewidths,
        )

    def directions(self, system: System) -> Array:
        """Unit vectors [d, 3] along which the tensor is taken."""
        return CARTESIAN

    def sample(self, system: System, seed: int) -> Sample:
        """Tensor [d, d], squared frequencies of the modes [m], their contributions [m, d, d], the refined value."""
        lattice = HarmonicLattice.of(system)
        linewidths = self.linewidths(system, lattice)
        result = self.along(system, lattice, linewidths, self.mesh, self.directions(system))
        refined = self.refined(system, lattice, linewidths)
        order = np.argsort(result.squares)
        return {
            "tensor": result.tensor,
            "squares": result.squares[order],
            "contributions": result.contributions[order],
            "nonlinearity": lattice.nonlinearity,
            **({} if refined is None else {"refined": np.array(refined)}),
        }

    def detail_units(self, system: System) -> dict[str, str]:
        """Of those that are no plain numbers."""
        return dict.fromkeys(("mean", "refined"), system.units.conductivity_unit)

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Of the only sample there is."""
        sample, units = samples[0], system.units
        direction = self.directions(system) @ self.direction(system)
        whole = len(direction) == 3
        value = float(direction @ sample["tensor"] @ direction)
        nu = frequencies(sample["squares"], units)
        grid = np.linspace(0.0, nu[-1], POINTS)
        sums = np.concatenate([[0.0], np.cumsum(sample["contributions"] @ direction @ direction)])
        flags = [imaginary(sample["squares"], units), trouble(sample), self.doubt(system)]
        length, rate = system.material.length_scale, nu[-1] / units.frequency
        if value < STILL * units.boltzmann * rate / length * units.conductivity:
            flags.append("none of the modes of this cell and mesh moves heat: refine property.mesh")
        details = {"mean": float(np.trace(sample["tensor"])) / 3} if whole else {}
        if "refined" in sample:
            refined = details["refined"] = float(sample["refined"])
            if abs(refined - value) > CHANGE * value:
                flags.append(f"not converged: it is {refined:.4g} {units.conductivity_unit} with {self.refinement}")
        return Estimate(
            value=value,
            tensor=sample["tensor"] if whole else None,
            curves={"frequency": grid, "accumulation": sums[np.searchsorted(nu, grid, side="right")]},
            details=details,
            flag="; ".join(text for text in flags if text),
        )


@dataclass(frozen=True, kw_only=True)
class BulkLatticeConductivity(LatticeConductivity):
    """Thermal conductivity of the unbounded crystal or glass by quasi-harmonic Green-Kubo lattice dynamics.

    Equation:
        kappa_ab = kB / V sum_nm v_nm,a v_nm,b (gamma_n + gamma_m) / ((gamma_n + gamma_m)^2 + (omega_n - omega_m)^2)

        v_nm,a = 1 / (2 sqrt(omega_n omega_m)) sum_ij e_n,i (R_ij,a Phi_ij / sqrt(m_i m_j)) e_m,j

        gamma_n = b omega_n^2 sqrt(sum_i |e_n,i|^2 m_i / m0)

        kB: Boltzmann's constant, V: volume, omega_n, e_n: frequency and polarisation vector of normal mode n, gamma_n:
        its linewidth (half width; it lives for 1 / (2 gamma_n)), Phi_ij: force constants, m_i: mass, R_ij: vector from
        atom i to j, each image with its own, b: `linewidth`, m0: `reference_mass`. Means over the mesh.

    Attributes:
        axis: cell vector along which the value is taken.
        mesh: wave vectors along the three reciprocal cell vectors, about q = 0; [1, 1, 1] takes the modes of the given
            cell alone, those with its periodicity.
        linewidth: b in ps (real: fs, lj: tau), radians counted as numbers. It stands for the temperature: about
            proportional to it, and to be fitted for each material. The default was fitted to Green-Kubo molecular
            dynamics of Lennard-Jones argon at 30 K, in layers of two isotopes, and is flagged for other materials. The
            pure crystal takes 0.005: 0.68 W/(m K) on a fine mesh, against 0.69 +- 0.06.
        reference_mass: m0 in g/mol (lj: m).

    Value:
        W/(m K) (lj: kB/(sigma tau)) along the axis.

    Tensor:
        kappa, [3, 3], Cartesian.

    Curves:
        frequency in THz (lj: 1/tau); accumulation: what all modes up to it contribute to the value.

    Details:
        mean: a third of the trace. refined: the value with the cell repeated twice along the axis.

    Assumptions:
        Classical harmonic modes; the linewidth is a model (the square of the frequency, as three-phonon scattering has
        it for long waves), fitted rather than computed. The atoms are relaxed in the fixed cell first.

    Finite size:
        Long waves live long: the conductivity of a thin and long cell grows with its length without limit, that of a
        cell periodic on a fine mesh in three directions converges. It is flagged where twice the length changes it by
        more than a tenth. For conduction across a given length see `device_conductivity_lattice_dynamics`.

    References:
        Isaeva, Barbalinardo, Donadio and Baroni, Nat. Commun. 10, 3853 (2019), doi:10.1038/s41467-019-11572-4.
    """

    name: ClassVar[str] = "thermal_conductivity_lattice_dynamics"
    refinement: ClassVar[str] = "the cell twice as long: refine property.mesh"

    linewidth: Annotated[float, Range(1e-9, 1e6)] = 0.01
    reference_mass: Annotated[float, Range(1e-6, 1e6)] = 40.0

    def linewidths(self, system: System, lattice: HarmonicLattice) -> Linewidths:
        """As the fields say."""
        return Linewidths(anharmonic=self.linewidth, constant=0.0, mass=self.reference_mass)

    def refined(self, system: System, lattice: HarmonicLattice, linewidths: Linewidths) -> float | None:
        """With twice the wave vectors along the axis."""
        mesh = list(self.mesh)
        mesh[AXES.index(self.axis)] *= 2
        direction = self.direction(system)[None]
        return float(self.along(system, lattice, linewidths, (mesh[0], mesh[1], mesh[2]), direction).tensor[0, 0])

    def doubt(self, system: System) -> str:
        """The default is argon's."""
        return foreign(system) if self.linewidth == type(self).linewidth else ""


@dataclass(frozen=True, kw_only=True)
class DeviceLatticeConductivity(LatticeConductivity):
    """Thermal conductivity across a finite length by quasi-harmonic Green-Kubo with boundary scattering.

    Equation:
        that of `thermal_conductivity_lattice_dynamics` with gamma_n = b omega_n^2 sqrt(sum_i |e_n,i|^2 m_i / m0) + g0

        g0: `boundary`, the rate at which modes leave the device: about the speed of sound over its length. Other
        symbols as there.

    Attributes:
        axis: cell vector along which the value is taken, that along which the device has its length.
        mesh: wave vectors along the three reciprocal cell vectors, about q = 0; [1, 1, 1] takes the modes of the given
            cell alone, those with its periodicity.
        linewidth: b in ps (real: fs, lj: tau), radians counted as numbers; to be fitted for each temperature and
            material. The default was fitted, together with `boundary`, to non-equilibrium molecular dynamics of
            Lennard-Jones argon at 30 K in layers of two isotopes, 4.3 nm long, and is flagged for anything else.
        boundary: g0 in radians per ps (real: per fs, lj: per tau).
        reference_mass: m0 in g/mol (lj: m).

    Value:
        W/(m K) (lj: kB/(sigma tau)) along the axis.

    Curves:
        frequency in THz (lj: 1/tau); accumulation: what all modes up to it contribute to the value.

    Assumptions:
        As for `thermal_conductivity_lattice_dynamics`. One rate stands for all that the ends of a device do. It ranks
        layered structures as molecular dynamics between thermostats does, with a scatter of about 12 %, but overrates
        blocks as long as half of the device: check a design by molecular dynamics.

    Finite size:
        The value is that of a length. It is not the bulk conductivity, and ranks structures differently.

    References:
        Isaeva, Barbalinardo, Donadio and Baroni, Nat. Commun. 10, 3853 (2019), doi:10.1038/s41467-019-11572-4; boundary
        scattering: Casimir, Physica 5, 495 (1938), doi:10.1016/S0031-8914(38)80162-2.
    """

    name: ClassVar[str] = "device_conductivity_lattice_dynamics"

    linewidth: Annotated[float, Range(0, 1e6)] = 0.005
    boundary: Annotated[float, Range(1e-9, 1e6)] = 0.15
    reference_mass: Annotated[float, Range(1e-6, 1e6)] = 40.0

    def linewidths(self, system: System, lattice: HarmonicLattice) -> Linewidths:
        """As the fields say."""
        return Linewidths(anharmonic=self.linewidth, constant=self.boundary, mass=self.reference_mass)

    def directions(self, system: System) -> Array:
        """That of the device alone."""
        return self.direction(system)[None]

    def doubt(self, system: System) -> str:
        """The default is argon's."""
        return foreign(system) if self.linewidth == type(self).linewidth else ""


def foreign(system: System) -> str:
    """Why linewidths of argon do not fit the material; empty where they may."""
    if "Ar" in system.material.species and system.material.units == "metal":
        return ""
    return "property.linewidth is that of argon at 30 K: fit it to this material and temperature"
