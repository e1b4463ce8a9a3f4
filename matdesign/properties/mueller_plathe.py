"""Thermal conductivity by Mueller-Plathe: heat is made to flow, the gradient it needs is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from ase import Atoms

from matdesign.errors import InputError
from matdesign.properties import dynamics
from matdesign.properties.conduction import (
    AXES,
    LAMMPS_AXES,
    Axis,
    HeatConduction,
    check_axis,
    length_and_area,
    standard_error,
)
from matdesign.properties.measurement import Array, Estimate
from matdesign.properties.property import Sample, System
from matdesign.typed import Range

SWAP = "matdesign_swap"
PROFILE = "matdesign_profile"
EVERY = 10  # MD steps between two readings of the profile
FEWEST_BINS = 8  # in the shortest cell
FEWEST_ATOMS = 4  # in a bin
FITTED = (0.2, 0.8)  # of the way from the cold to the hot slab: next to them the profile bends
LINEAR_RESPONSE = 0.6  # largest difference between hot and cold over the mean temperature
BENT = 0.1  # largest deviation from a straight line over the difference between its ends


@dataclass(frozen=True, kw_only=True)
class MuellerPlathe(HeatConduction):
    """Thermal conductivity along one direction, from an imposed heat flow, extrapolated to infinite length.

    In cells of one length it is that of this length: heat carriers that would go farther are stopped by the slabs.
    Cells of several lengths give the bulk's.

    Equation:
        kappa(L) = -(Q / (2 A t)) / (dT/dx)
        1/kappa(L) = 1/kappa + slope / L

        Q: kinetic energy carried from the cold slab to the hot one in time t, by exchanging the velocities of the
        hottest atom of the cold slab and the coldest of the hot slab half a cell away, A: cross-section (heat returns
        both ways, hence 2), dT/dx: gradient between the slabs, L: length of the periodic cell.

    Attributes:
        temperature: in K (lj: epsilon/kB); must be given.
        equilibration: MD steps at constant temperature, before velocities are exchanged.
        axis: cell vector along which heat flows, at right angles to the other two.
        lengths: multiples of the structure along the axis; a single one is not extrapolated.
        bins: in which the temperature is read, an even number for each copy of the structure; one is a slab.
        swap: MD steps between two exchanges in a single copy, in proportion more in longer cells, so that all have
            about the same difference of temperature.
        settle: MD steps until the gradient is steady, in a single copy, in proportion more in longer cells.
        steps: MD steps over which the profile is averaged, for each length and seed.

    Value:
        Extrapolated kappa, or kappa of the single length, W/(m K) (lj: kB/(sigma tau)).

    Curves:
        position: distance from the cold slab as a fraction of the way to the hot one; temperature there, both in the
        longest cell.

    Details:
        kappa_N, length_N: of the cell of N copies, in the value's unit and A (lj: sigma). difference: largest
        difference of temperature between hot and cold over the mean. slope: of 1/kappa over 1/L, in A over the
        value's unit; only of several lengths.

    Assumptions:
        Classical; linear response (flagged where hot and cold differ by more than 60 % of the mean, and where the
        profile is not straight). Atoms of different mass are exchanged as in an elastic collision.

    Finite size:
        Extrapolated as above, which holds if all lengths exceed the mean free path of what carries most heat; where
        they do not, the extrapolation underestimates.

    References:
        Mueller-Plathe, J. Chem. Phys. 106, 6082 (1997), doi:10.1063/1.473271. Different masses: Nieto-Draghi and
        Avalos, Mol. Phys. 101, 2303 (2003), doi:10.1080/0026897031000154338. Extrapolation: Schelling, Phillpot and
        Keblinski, Phys. Rev. B 65, 144306 (2002), doi:10.1103/PhysRevB.65.144306.
    """

    name: ClassVar[str] = "thermal_conductivity_mueller_plathe"

    axis: Axis = "a"
    lengths: tuple[int, ...] = (2, 3, 4)
    bins: Annotated[int, Range(2, 1000)] = 4
    swap: Annotated[int, Range(1, 10**6)] = 100
    settle: Annotated[int, Range(0, 10**9)] = 5_000
    steps: Annotated[int, Range(1, 10**9)] = 50_000

    def check(self, system: System) -> None:
        """Each bin must hold atoms, in cells of sensible shape."""
        super().check(system)
        check_axis(self.name, system.structure, self.axis)
        if not self.lengths or min(self.lengths) < 1 or len(set(self.lengths)) < len(self.lengths):
            raise InputError(f"property.lengths={list(self.lengths)} must be different positive whole numbers")
        if self.bins % 2:
            raise InputError(f"property.bins={self.bins} must be even: hot and cold slab are half a cell apart")
        if self.bins * min(self.lengths) < FEWEST_BINS:
            raise InputError(
                f"property.bins={self.bins} in a cell of {min(self.lengths)} copies leaves no gradient to fit: give "
                f"at least {FEWEST_BINS} in all, by more bins or longer property.lengths"
            )
        least = int(np.bincount(self._bin(between_layers(system.structure, self.axis, self.bins))).min())
        if least < FEWEST_ATOMS:
            raise InputError(
                f"the cell is too short or thin for property.bins={self.bins}: one of them holds {least} atoms of at "
                f"least {FEWEST_ATOMS}; give fewer bins or repeat the structure"
            )

    def _bin(self, atoms: Atoms) -> Array:
        """Of each atom, with one atom too many in each, so that empty ones are counted."""
        index = AXES.index(self.axis)
        return np.concatenate([(atoms.get_scaled_positions()[:, index] * self.bins).astype(int), range(self.bins)])

    def sample(self, system: System, seed: int) -> Sample:
        """Heat flux and profile in the cell of each length."""
        atoms = between_layers(system.structure, self.axis, self.bins)
        sample: dict[str, Array] = {}
        for copies in self.lengths:
            repeat = [copies if name == self.axis else 1 for name in AXES]
            cell = atoms.repeat(repeat)
            flux, profile = self._flow(system, cell, copies, seed)
            sample[f"flux_{copies}"] = np.array(flux)
            sample[f"profile_{copies}"] = profile
        sample["temperature"] = np.mean([sample[f"profile_{copies}"].mean() for copies in self.lengths])
        return sample

    def _flow(self, system: System, atoms: Atoms, copies: int, seed: int) -> tuple[float, Array]:
        """Heat flux, and the temperature of each bin, the cold slab first."""
        bins, axis = self.bins * copies, LAMMPS_AXES[AXES.index(self.axis)]
        _, area = length_and_area(atoms, self.axis)
        with system.simulation(atoms) as simulation:
            dynamics.equilibrate(simulation, temperature=self.temperature, steps=self.equilibration, seed=seed)
            simulation.command(f"fix {SWAP} all thermal/conductivity {self.swap * copies} {axis} {bins}")
            simulation.run(self.settle * copies)
            before = float(simulation.fix(SWAP))
            simulation.command(
                f"compute matdesign_bins all chunk/atom bin/1d {axis} lower {1 / bins:.17g} units reduced"
            )
            simulation.command(f"fix {PROFILE} all ave/chunk {EVERY} 1 {EVERY} matdesign_bins temp ave running")
            simulation.run(self.steps)
            energy = float(simulation.fix(SWAP)) - before
            profile = simulation.fix(PROFILE)[:, -1]
        freedom = len(atoms) / (len(atoms) - 1)  # LAMMPS counts three for each atom; the whole does not move
        return energy / (2 * area * self.steps * system.material.timestep), profile * freedom

    def detail_units(self, system: System) -> dict[str, str]:
        """Of those that are no plain numbers."""
        length, unit = system.units.length, system.units.conductivity_unit
        found = super().detail_units(system)
        for copies in self.lengths:
            found |= {f"kappa_{copies}": unit, f"length_{copies}": length}
        return {**found, "slope": f"{length}/({unit})"}

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Extrapolation of the conductivities of mean flux and mean profile."""
        edge, _ = length_and_area(system.structure, self.axis)
        lengths = np.array([copies * edge for copies in self.lengths])
        fits = [Fit.of(samples, copies, copies * edge, system.units.conductivity) for copies in self.lengths]
        kappas = np.array([fit.kappa for fit in fits])
        details = {f"kappa_{copies}": fit.kappa for copies, fit in zip(self.lengths, fits, strict=True)}
        details |= {f"length_{copies}": copies * edge for copies in self.lengths}
        details["difference"] = max(fit.difference for fit in fits)
        flags = self.doubts(system, samples)
        value = kappas[0]
        if len(self.lengths) > 1:
            slope, inverse = np.polyfit(1 / lengths, 1 / kappas, 1)
            value, details["slope"] = 1 / inverse, float(slope)
            if value <= 0:
                flags.append("the extrapolation to infinite length fails: give longer property.lengths or more seeds")
        if details["difference"] > LINEAR_RESPONSE:
            flags.append(
                f"hot and cold differ by {details['difference']:.0%} of the mean temperature, beyond linear response: "
                "raise property.swap"
            )
        if max(fit.bend for fit in fits) > BENT:
            flags.append("the temperature profile is not straight: raise property.settle or property.steps")
        longest = fits[int(np.argmax(lengths))]
        return Estimate(
            value=float(value),
            curves={"position": longest.position, "temperature": longest.temperature},
            details=details,
            flag="; ".join(flags),
        )


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A straight line through the profile of one cell.

    Attributes:
        position: of half of the bins, from the cold slab at 0 to the hot one at 1.
        temperature: there, mean of both ways.
        kappa: flux over gradient.
        difference: between hot and cold slab, over the mean temperature.
        bend: significant part of the largest deviation from the line, over the difference between its ends.
    """

    position: Array
    temperature: Array
    kappa: float
    difference: float
    bend: float

    @classmethod
    def of(cls, samples: Sequence[Sample], copies: int, length: float, unit: float) -> "Fit":
        """The fit to the mean of samples; `unit` takes it to the conductivity's unit."""
        flux = float(np.mean([sample[f"flux_{copies}"] for sample in samples]))
        both = np.array([sample[f"profile_{copies}"] for sample in samples])
        half = both.shape[1] // 2
        folded = (both[:, : half + 1] + np.roll(both, -1, axis=1)[:, ::-1][:, : half + 1]) / 2
        position = np.arange(half + 1) / half
        inside = (position >= FITTED[0] - 1e-9) & (position <= FITTED[1] + 1e-9)
        mean = folded.mean(axis=0)
        slope, offset = np.polyfit(position[inside], mean[inside], 1)
        rest = folded[:, inside] - (slope * position[inside] + offset)
        noise = np.array([standard_error(column) for column in rest.T])
        bend = float(np.maximum(np.abs(rest.mean(axis=0)) - 2 * noise, 0).max() / abs(slope * (FITTED[1] - FITTED[0])))
        return cls(
            position=position,
            temperature=mean,
            kappa=float(flux * unit / (slope / (length / 2))),
            difference=float((mean[-1] - mean[0]) / mean.mean()),
            bend=bend,
        )


def between_layers(atoms: Atoms, axis: Axis, bins: int) -> Atoms:
    """The atoms, shifted along the axis so that the borders of the bins lie in the widest gap between atoms."""
    index = AXES.index(axis)
    inside = np.sort(atoms.get_scaled_positions()[:, index] * bins % 1.0)
    gaps = np.diff(np.append(inside, inside[0] + 1.0))
    widest = int(np.argmax(gaps))
    shifted: Atoms = atoms.copy()
    shifted.positions -= (inside[widest] + gaps[widest] / 2) / bins * atoms.cell.array[index]
    shifted.wrap()
    return shifted
