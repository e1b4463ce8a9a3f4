"""Thermal conductivity: the running integral of Green and Kubo."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from matdesign.errors import InputError
from matdesign.plots.style import BAND, band, empty_figure, styled, with_unit

if TYPE_CHECKING:
    from matdesign.properties.measurement import Measurement

PLATEAU = 0.5  # of the correlation time: where the plateau of `GreenKubo` begins


@styled
def conductivity_integral(measurement: "Measurement", *, time_unit: str = "ps", plateau: float = PLATEAU) -> Figure:
    """The running integral of the heat flux's correlation function: each direction, their mean, and the plateau.

    The band about the mean is one standard error. The directions' errors are taken as independent, as their heat fluxes
    are where the conductivity is a multiple of the unit tensor.

    Args:
        measurement: of `thermal_conductivity_green_kubo`.
        time_unit: of its curve "time": ps in LAMMPS' units metal, fs in real, tau in lj.
        plateau: fraction of the time at which the plateau begins, whose mean is the value.

    Raises:
        InputError: another property.
    """
    for name in ("time", "running_integral"):
        if name not in measurement.curves:
            raise InputError(f"{measurement.name} has no curve {name!r}: measure thermal_conductivity_green_kubo")
    time, running = measurement.curves["time"], measurement.curves["running_integral"]
    figure, axes = empty_figure(
        with_unit("upper limit of the integral", time_unit), with_unit("thermal conductivity", measurement.unit)
    )
    for direction, values in zip("xyz", running, strict=True):
        axes.plot(time, values, linewidth=0.8, alpha=0.8, label=direction, color=f"C{'xyz'.index(direction) + 1}")
    mean = running.mean(axis=0)
    axes.plot(time, mean, color="C0", linewidth=2, label="mean")
    if "running_integral" in measurement.curves_stderr:
        error = np.sqrt((measurement.curves_stderr["running_integral"] ** 2).sum(axis=0)) / 3
        band(axes, time, mean - error, mean + error, "C0")
    start, end = plateau * time[-1], time[-1]
    value, stderr = measurement.value, measurement.stderr
    axes.plot([start, end], [value, value], color="black", linestyle="--", linewidth=1.2, label="plateau")
    axes.fill_between([start, end], value - stderr, value + stderr, color="black", alpha=0.5 * BAND, linewidth=0)
    axes.set_xlim(0, end)
    axes.legend(ncols=2)
    return figure
