"""Measured values side by side, with their errors."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from matdesign.errors import InputError
from matdesign.plots.style import REFERENCE, empty_figure, numbers, styled


@styled
def comparison(
    groups: Mapping[str, Mapping[str, tuple[float, float]]], *, label: str, target: float | None = None
) -> Figure:
    """Values of structures as points with bars of one standard error, one line for each.

    Args:
        groups: such as "candidates" and "references", told apart by colour: value and standard error by name; an
            error that is NaN has no bar.
        label: name and unit of the value.
        target: value to hit, a dashed line.

    Raises:
        InputError: no values, or values that are not finite.
    """
    rows = [(group, name, *pair) for group, members in groups.items() for name, pair in members.items()]
    if not rows:
        raise InputError("there is nothing to compare: give at least one value")
    values = numbers([row[2] for row in rows], label)
    errors = np.array([row[3] for row in rows], float)
    places = np.arange(len(rows))[::-1]
    figure, axes = empty_figure(label, "")
    for index, group in enumerate(groups):
        own = np.array([row[0] == group for row in rows])
        if own.any():
            axes.errorbar(
                values[own], places[own], xerr=np.nan_to_num(errors[own]), fmt="o", color=f"C{index}", capsize=3,
                label=group,
            )  # fmt: skip
    if target is not None:
        axes.axvline(target, color=REFERENCE, linestyle="--", linewidth=1, label="target")
    axes.set_yticks(places, [row[1] for row in rows])
    axes.legend()
    return figure
