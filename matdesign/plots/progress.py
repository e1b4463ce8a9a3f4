"""A property along an episode, and what searches have found after so many evaluations."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from matdesign.errors import InputError
from matdesign.plots.style import REFERENCE, band, empty_figure, numbers, styled


@styled
def property_along(
    x: ArrayLike,
    values: Mapping[str, ArrayLike],
    *,
    xlabel: str,
    ylabel: str,
    stderr: Mapping[str, ArrayLike] | None = None,
    target: float | None = None,
    tolerance: float = 0.0,
) -> Figure:
    """A property along an episode or a search, against its target.

    Args:
        x: steps or times, [n].
        values: by name, [n]; or [episodes, n], shown as their mean with a band of one standard deviation.
        xlabel: name and unit of x.
        ylabel: name and unit of the property.
        stderr: standard errors of some of the values, [n], shown as a band.
        target: value to reach, a dashed line.
        tolerance: half the width of a grey band about the target.

    Raises:
        InputError: no values, values that are not finite, or of another length than x.
    """
    x = numbers(x, "x")
    if not values:
        raise InputError("there is no property to show: give at least one")
    figure, axes = empty_figure(xlabel, ylabel)
    for index, (name, given) in enumerate(values.items()):
        rows = np.atleast_2d(numbers(given, name))
        if rows.shape[1:] != x.shape:
            raise InputError(f"{name} has {rows.shape[1]} values for {len(x)} steps: give one for each")
        mean, colour = rows.mean(axis=0), f"C{index}"
        axes.plot(x, mean, color=colour, label=name if len(rows) == 1 else f"{name} ({len(rows)} episodes)")
        if stderr is not None and name in stderr:
            spread = numbers(stderr[name], f"errors of {name}", shape=x.shape)
        elif len(rows) > 1:
            spread = rows.std(axis=0, ddof=1)
        else:
            continue
        band(axes, x, mean - spread, mean + spread, colour)
    if target is not None:
        axes.axhline(target, color=REFERENCE, linestyle="--", linewidth=1, label="target")
        if tolerance > 0:
            axes.axhspan(target - tolerance, target + tolerance, color=REFERENCE, alpha=0.12, linewidth=0)
    axes.legend()
    return figure


def best_so_far(values: ArrayLike, *, lowest: bool) -> NDArray[np.float64]:
    """The best of the first 1, 2, ... values, [n]; what is NaN, a failed measurement, is never the best."""
    filled = np.where(np.isnan(values), np.inf if lowest else -np.inf, np.asarray(values, np.float64))
    return np.minimum.accumulate(filled) if lowest else np.maximum.accumulate(filled)


@styled
def search_progress(
    searches: Mapping[str, Sequence[ArrayLike]],
    *,
    ylabel: str,
    lowest: bool = True,
    known: float | None = None,
    xlabel: str = "property evaluations",
) -> Figure:
    """The best value found against the number of evaluations: the median over repetitions and a band of the quartiles.

    A repetition that ended keeps its best. Medians begin where each repetition has a value that is not NaN.

    Args:
        searches: by name of the searcher, for each repetition the measured values in their order, [evaluations]; NaN
            for a measurement that failed.
        ylabel: name and unit of the value.
        lowest: whether lower is better.
        known: the best value there is, a dashed line.
        xlabel: of the horizontal axis.

    Raises:
        InputError: no searches, or one without a finite value.
    """
    if not searches or not all(len(repetitions) for repetitions in searches.values()):
        raise InputError("there is no search to show: give at least one repetition of each searcher")
    figure, axes = empty_figure(xlabel, f"best {ylabel}")
    for index, (name, repetitions) in enumerate(searches.items()):
        curves = [best_so_far(values, lowest=lowest) for values in repetitions]
        if any(len(curve) == 0 or not np.isfinite(curve[-1]) for curve in curves):
            raise InputError(f"a repetition of {name} measured nothing: leave it out")
        longest = max(map(len, curves))
        table = np.array([np.append(curve, np.full(longest - len(curve), curve[-1])) for curve in curves])
        first = int(np.isfinite(table).all(axis=0).argmax())
        x = np.arange(first + 1, longest + 1)
        low, middle, high = np.quantile(table[:, first:], [0.25, 0.5, 0.75], axis=0)
        colour = f"C{index}"
        label = name if len(curves) == 1 else f"{name} ({len(curves)} repetitions)"
        axes.plot(x, middle, color=colour, label=label, drawstyle="steps-post")
        if len(curves) > 1:
            axes.fill_between(x, low, high, step="post", color=colour, alpha=0.22, linewidth=0)
    if known is not None:
        axes.axhline(known, color=REFERENCE, linestyle="--", linewidth=1, label="best known")
    axes.legend()
    return figure
