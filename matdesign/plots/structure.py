"""What a structure is like: its radial distribution function, its order parameters."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from matdesign.errors import InputError
from matdesign.plots.style import REFERENCE, band, empty_figure, numbers, styled, with_unit

if TYPE_CHECKING:
    from matdesign.properties.measurement import Measurement

MOST_BINS = 60


@styled
def radial_distribution(measurements: Mapping[str, "Measurement"], *, curve: str = "g") -> Figure:
    """g(r) of structures, each with a band of one standard error where it has one.

    Args:
        measurements: of the property `rdf`, by name of the structure; all in one unit of length.
        curve: "g", or "g_A_B" of a pair of species.

    Raises:
        InputError: no measurements, other properties, no such curve, or different units.
    """
    units = {measurement.unit for measurement in measurements.values()}
    if len(units) != 1:
        raise InputError(f"g(r) in units {sorted(units)}: give measurements in one unit of length")
    pair = curve.removeprefix("g").strip("_").replace("_", "-")
    figure, axes = empty_figure(with_unit("r", units.pop()), f"g(r), {pair}" if pair else "g(r)")
    axes.axhline(1.0, color=REFERENCE, linewidth=0.8, linestyle=":")
    for index, (name, measurement) in enumerate(measurements.items()):
        if "r" not in measurement.curves or curve not in measurement.curves:
            has = ", ".join(measurement.curves) or "none"
            raise InputError(
                f"{measurement.name} of {name} has no curve {curve!r} (it has {has}): measure property=rdf"
            )
        r, g = measurement.curves["r"], measurement.curves[curve]
        axes.plot(r, g, color=f"C{index}", label=name)
        if curve in measurement.curves_stderr:
            error = measurement.curves_stderr[curve]
            band(axes, r, g - error, g + error, f"C{index}")
    axes.set(xlim=(0, None), ylim=(0, None))
    axes.legend()
    return figure


@styled
def order_histogram(
    values: Mapping[str, ArrayLike], *, xlabel: str, references: Mapping[str, float] | None = None
) -> Figure:
    """How an order parameter is distributed over atoms: fraction of the atoms in each of equal bins.

    Args:
        values: by name of the structure, one number for each atom, [atoms]; the structures may differ in size.
        xlabel: name of the order parameter, with its unit.
        references: values of perfect structures, dashed lines with their names.

    Raises:
        InputError: no values, or values that are not finite.
    """
    if not values:
        raise InputError("there is no order parameter to show: give the values of at least one structure")
    arrays = {name: numbers(given, name).ravel() for name, given in values.items()}
    together = np.concatenate(list(arrays.values()))
    low, high = together.min(), together.max()
    if high - low <= 1e-9 * max(1.0, abs(high)):  # a perfect crystal: rounding errors are not shown
        low, high = low - 0.05, high + 0.05
    # Rice's rule; an odd number, so that what is all the same lies in the middle of a bin.
    bins = min(MOST_BINS, max(10, round(2 * len(together) ** (1 / 3)))) | 1
    edges = np.linspace(low, high, bins + 1)
    figure, axes = empty_figure(xlabel, "fraction of atoms")
    for index, (name, array) in enumerate(arrays.items()):
        fractions = np.histogram(array, edges)[0] / len(array)
        axes.stairs(fractions, edges, color=f"C{index}", fill=True, alpha=0.25)
        axes.stairs(fractions, edges, color=f"C{index}", label=f"{name} ({len(array)} atoms)")
    for name, value in (references or {}).items():
        axes.axvline(value, color=REFERENCE, linestyle="--", linewidth=0.9)
        axes.annotate(
            name,
            (value, 1.0),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="bottom",
            fontsize=8,
            color=REFERENCE,
        )
    axes.set_ylim(0, None)
    axes.legend()
    return figure
