"""Mean-square displacement and diffusion coefficient."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar

import numpy as np

from matdesign.errors import InputError
from matdesign.properties import dynamics
from matdesign.properties.correlation import mean_square_change
from matdesign.properties.measurement import Array, Estimate
from matdesign.properties.neighbours import check_filled
from matdesign.properties.property import Sample, System
from matdesign.properties.thermal import ThermalProperty
from matdesign.properties.units import Units
from matdesign.typed import Range

DIFFUSIVE = 0.15  # how far the exponent of the displacement's growth may be from one


@dataclass(frozen=True, kw_only=True)
class MeanSquareDisplacement(ThermalProperty):
    """Mean-square displacement after a time.

    Equation:
        msd(t) = 1/N sum_i <|r_i(t0 + t) - r_i(t0)|^2>

        N: number of atoms; r_i: position of atom i, never wrapped into the cell; <>: mean over time origins t0.

    Attributes:
        temperature: in K (lj: epsilon/kB).
        equilibration: MD steps with a thermostat, before. The trajectory itself is at constant energy.
        steps: of the trajectory, in MD steps.
        every: MD steps between two frames; each is a time origin.
        lag: longest time t, in MD steps.

    Value:
        At t = `lag`, in A^2 (lj: sigma^2).

    Curves:
        time: t, in the material's time unit. msd: at that time; msd_X: of species X, where there are several.

    Details:
        temperature: mean of the trajectory.

    Assumptions:
        The centre of mass is at rest. A free cluster turns, which counts.

    References:
        Frenkel and Smit, Understanding Molecular Simulation (Academic Press, 2002), section 4.4; all origins at once:
        Calandrini, Pellegrini, Calligari, Hinsen and Kneller, Coll. SFN 12, 201 (2011), doi:10.1051/sfn/201112010.
    """

    name: ClassVar[str] = "mean_square_displacement"

    steps: Annotated[int, Range(2, 10**9)] = 20_000
    every: Annotated[int, Range(1, 10**6)] = 50
    lag: Annotated[int, Range(1, 10**9)] = 4000

    def unit(self, units: Units) -> str:
        """Length squared."""
        return f"{units.length}^2"

    def check(self, system: System) -> None:
        """The trajectory must be longer than the lag, and the lag a number of frames."""
        super().check(system)
        self.check_memory(system, self.steps // self.every + 1)
        if self.lag > self.steps or self.lag < 2 * self.every:
            raise InputError(
                f"{self.name}.lag={self.lag} must lie between two frames ({2 * self.every} MD steps) and the whole "
                f"trajectory ({self.steps} MD steps)"
            )

    def sample(self, system: System, seed: int) -> Sample:
        """The curve of each species present, [species, lags], and the mean temperature."""
        with system.simulation() as simulation:
            dynamics.equilibrate(simulation, temperature=self.temperature, steps=self.equilibration, seed=seed)
            count = self.steps // self.every + 1
            frames = np.empty((count, simulation.atoms, 3))
            temperatures = np.empty(count)
            for frame in range(count):
                if frame:
                    simulation.step(self.every)
                frames[frame] = simulation.positions
                temperatures[frame] = dynamics.temperature_of(simulation)
        symbols = np.array(system.structure.get_chemical_symbols())
        curves = [
            mean_square_change(frames[:, symbols == symbol], self.lag // self.every + 1) / (symbols == symbol).sum()
            for symbol in _species(system)
        ]
        return {"msd": np.array(curves), "temperature": np.array(temperatures.mean())}

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Mean curves; the value is the end of that of all atoms."""
        curves = self.curves(system, samples)
        temperature = float(np.mean([sample["temperature"] for sample in samples]))
        return Estimate(
            value=float(curves["msd"][-1]),
            curves=curves,
            details={"temperature": temperature},
            flag=self.warning(system, samples),
        )

    def curves(self, system: System, samples: Sequence[Sample]) -> dict[str, Array]:
        """Time and mean displacement of all atoms, and of each species where there are several."""
        species = _species(system)
        each = np.mean([sample["msd"] for sample in samples], axis=0)
        counts = np.array([system.structure.symbols.count(symbol) for symbol in species])
        time = np.arange(each.shape[1]) * self.every * system.material.timestep
        named = {f"msd_{symbol}": curve for symbol, curve in zip(species, each, strict=True)}
        return {"time": time, "msd": counts @ each / counts.sum(), **(named if len(species) > 1 else {})}


@dataclass(frozen=True, kw_only=True)
class DiffusionCoefficient(MeanSquareDisplacement):
    """Self-diffusion coefficient, from Einstein's relation.

    Equation:
        D = 1/6 d msd(t) / dt

        msd: mean-square displacement, t: time; the slope is that of a straight line through msd(t) for t between
        `fit_from` times `lag` and `lag`, by least squares.

    Attributes:
        temperature: in K (lj: epsilon/kB).
        equilibration: MD steps with a thermostat, before. The trajectory itself is at constant energy.
        steps: of the trajectory, in MD steps.
        every: MD steps between two frames; each is a time origin.
        lag: end of the fit, in MD steps.
        fit_from: beginning of the fit, as a fraction of `lag`; it must be past the ballistic motion.

    Value:
        m^2/s (lj: sigma^2/tau).

    Curves:
        time: t, in the material's time unit. msd: at that time; msd_X: of species X, where there are several.

    Details:
        exponent: a of msd ~ t^a within the fit, 1 for diffusion; flagged if it is not within 0.15 of 1: a solid, a
        glass or too short a lag. temperature: mean of the trajectory. diffusion_X: of species X, where there are
        several.

    Assumptions:
        Periodic in three directions and isotropic.

    Finite size:
        A periodic cell slows diffusion down: D(infinite) = D + 2.837297 kB T / (6 pi eta L), with eta the shear
        viscosity and L the edge of a cubic cell, about 5 % in a liquid of 1000 atoms. It is not added, as eta is not
        known here.

    References:
        Einstein, Ann. Phys. 322, 549 (1905), doi:10.1002/andp.19053220806; Rahman, Phys. Rev. 136, A405 (1964),
        doi:10.1103/PhysRev.136.A405; finite size: Yeh and Hummer, J. Phys. Chem. B 108, 15873 (2004),
        doi:10.1021/jp0477147.
    """

    name: ClassVar[str] = "diffusion_coefficient"

    fit_from: Annotated[float, Range(0.0, 0.9)] = 0.25

    def unit(self, units: Units) -> str:
        """m^2/s, or reduced."""
        return units.diffusivity_unit

    def check(self, system: System) -> None:
        """Atoms must have somewhere to go."""
        super().check(system)
        if not system.structure.pbc.all():
            raise InputError(
                f"{self.name} needs a structure periodic in three directions: a cluster's atoms have nowhere to go"
            )
        check_filled(self.name, system)

    def sample(self, system: System, seed: int) -> Sample:
        """That of the mean-square displacement."""
        fields = asdict(self)
        del fields["fit_from"]
        return system.sample(MeanSquareDisplacement(**fields), seed)

    def detail_units(self, system: System) -> dict[str, str]:
        """Of those that are no plain numbers."""
        species = {f"diffusion_{name}": system.units.diffusivity_unit for name in _species(system)}
        return {**super().detail_units(system), **species}

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """From the mean curves."""
        displacement = super().estimate(system, samples)
        curves = displacement.curves
        time = curves["time"]
        fitted = time >= max(self.fit_from * time[-1], time[1])

        def coefficient(curve: Array) -> float:
            return _slope(time[fitted], curve[fitted]) / 6.0 * system.units.diffusivity

        exponent = _slope(np.log(time[fitted]), np.log(curves["msd"][fitted]))
        of_species = {
            f"diffusion_{name.removeprefix('msd_')}": coefficient(curve)
            for name, curve in curves.items()
            if name.startswith("msd_")
        }
        flags = [displacement.flag]
        if abs(exponent - 1.0) > DIFFUSIVE:
            flags.append(
                f"not diffusive: the displacement grows as time^{exponent:.2f} (solid, glass or too short a lag)"
            )
        return Estimate(
            value=coefficient(curves["msd"]),
            curves=curves,
            details={"exponent": exponent, **displacement.details, **of_species},
            flag="; ".join(flag for flag in flags if flag),
        )


def _species(system: System) -> list[str]:
    """Those that the structure has, in the material's order."""
    return [symbol for symbol in system.material.species if symbol in system.structure.symbols]


def _slope(x: Array, y: Array) -> float:
    """Of the straight line through the points, by least squares."""
    return float(np.polyfit(x, y, 1)[0])
