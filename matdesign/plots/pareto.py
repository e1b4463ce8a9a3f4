"""Candidates by two objectives, and which of them no other beats in both."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from matdesign.errors import InputError
from matdesign.plots.style import empty_figure, numbers, styled


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One axis of a scatter of candidates.

    Attributes:
        label: name and unit.
        values: of each candidate, [n].
        highest: whether higher is better.
        stderr: standard errors, [n], NaN where there is none; None: no error bars.
        target: a value to reach or not to pass, a dashed line.
    """

    label: str
    values: ArrayLike
    highest: bool = False
    stderr: ArrayLike | None = None
    target: float | None = None


def pareto_front(costs: ArrayLike) -> NDArray[np.bool_]:
    """Which rows no other row beats: none is as low in every column and lower in one. Equal rows are all kept.

    Args:
        costs: [n, objectives], lower is better.

    Returns:
        bool [n].
    """
    rows = numbers(costs, "costs")
    kept = np.ones(len(rows), bool)
    for i, row in enumerate(rows):
        kept[i] = not ((rows <= row).all(axis=1) & (rows < row).any(axis=1)).any()
    return kept


@styled
def pareto(x: Objective, y: Objective, *, names: Sequence[str] = (), groups: Sequence[str] = ()) -> Figure:
    """Candidates by two objectives, such as a property and the energy above the ground state, with the Pareto front.

    Args:
        x: horizontal objective.
        y: vertical objective, of as many candidates.
        names: of the candidates, written beside those on the front; default: none.
        groups: of the candidates, such as the searcher that found each, told apart by colour; default: one.

    Raises:
        InputError: no candidates, different numbers of them, or values that are not finite.
    """
    across = numbers(x.values, x.label)
    up = numbers(y.values, y.label, shape=across.shape)
    for what, given in (("names", names), ("groups", groups)):
        if len(given) not in (0, len(across)):
            raise InputError(f"{len(given)} {what} for {len(across)} candidates: give one for each, or none")
    errors = [
        None if axis.stderr is None else np.broadcast_to(np.asarray(axis.stderr, float), across.shape)
        for axis in (x, y)
    ]
    figure, axes = empty_figure(x.label, y.label)
    kinds = np.array(groups if len(groups) else ["candidates"] * len(across))
    for index, kind in enumerate(dict.fromkeys(kinds.tolist())):
        own = kinds == kind
        across_error, up_error = (None if error is None else error[own] for error in errors)
        axes.errorbar(
            across[own], up[own], xerr=across_error, yerr=up_error, fmt="o", color=f"C{index}", alpha=0.75,
            elinewidth=0.8, label=f"{kind} ({own.sum()})",
        )  # fmt: skip
    signs = [-1 if axis.highest else 1 for axis in (x, y)]
    front = np.flatnonzero(pareto_front(np.column_stack([signs[0] * across, signs[1] * up])))
    front = front[np.lexsort((up[front], across[front]))]
    # Better than every point of this line is no candidate.
    step = "steps-post" if not x.highest else "steps-pre"
    axes.plot(across[front], up[front], color="black", linewidth=1, drawstyle=step, label="Pareto front")
    axes.plot(across[front], up[front], "o", markerfacecolor="none", markeredgecolor="black", markersize=8)
    for i in front if len(names) else ():
        axes.annotate(names[int(i)], (across[i], up[i]), xytext=(6, 5), textcoords="offset points", fontsize=8)
    if x.target is not None:
        axes.axvline(x.target, color="#666666", linestyle="--", linewidth=1)
    if y.target is not None:
        axes.axhline(y.target, color="#666666", linestyle="--", linewidth=1)
    axes.locator_params(axis="x", nbins=5)  # candidates may agree in all but the last digits, which are long then
    axes.legend()
    return figure
