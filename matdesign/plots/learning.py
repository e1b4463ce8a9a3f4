"""Learning curves of training runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from matdesign.errors import InputError
from matdesign.plots.style import band, empty_figure, styled, with_unit

POINTS = 200  # at which runs are compared


@styled
def learning_curve(
    runs: Mapping[str, Sequence[Path | pd.DataFrame]],
    *,
    figure: str = "env/score",
    ylabel: str = "",
    against: str = "agent_steps",
) -> Figure:
    """What agents learn: the mean over runs of the same kind, and a band of one standard deviation of them.

    Runs are compared where all of their kind have been, by linear interpolation between iterations. A single run is a
    line without a band.

    Args:
        runs: by name of the kind, run folders (their metrics.csv is read) or tables of the same columns.
        figure: the column to show; rows without a value are left out.
        ylabel: of the vertical axis; default: the column's name.
        against: the column of the horizontal axis.

    Raises:
        InputError: no runs, no metrics, no such column, or no number in it.
    """
    if not runs or not all(runs.values()):
        raise InputError("a learning curve needs at least one run of each kind")
    drawing, axes = empty_figure(with_unit(against, ""), ylabel or figure)
    for index, (name, kind) in enumerate(runs.items()):
        curves = [_curve(run, against, figure) for run in kind]
        start, end = max(x[0] for x, _ in curves), min(x[-1] for x, _ in curves)
        colour = f"C{index}"
        if len(curves) == 1:
            axes.plot(*curves[0], color=colour, label=name)
            continue
        if not start <= end:
            raise InputError(f"the runs of {name} have no {against} in common: compare runs of one length")
        x = np.linspace(start, end, POINTS)
        values = np.array([np.interp(x, *curve) for curve in curves])
        mean, spread = values.mean(axis=0), values.std(axis=0, ddof=1)
        axes.plot(x, mean, color=colour, label=f"{name} ({len(curves)} runs)")
        band(axes, x, mean - spread, mean + spread, colour)
    axes.legend()
    return drawing


def _curve(run: Path | pd.DataFrame, against: str, figure: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    table = run if isinstance(run, pd.DataFrame) else _metrics(run)
    for column in (against, figure):
        if column not in table:
            names = ", ".join(name for name in table.columns if str(name).startswith("env/"))
            raise InputError(
                f"the metrics have no {column!r}: use one of {names or ', '.join(map(str, table.columns))}"
            )
    rows = table[[against, figure]].apply(pd.to_numeric, errors="coerce").dropna().sort_values(against)
    if rows.empty:
        raise InputError(f"the metrics have no value of {figure!r} yet: train longer, or show another figure")
    x, y = rows.to_numpy(np.float64).T
    return x, y


def _metrics(folder: Path) -> pd.DataFrame:
    path = folder / "metrics.csv"
    try:
        return pd.read_csv(path)
    except FileNotFoundError:
        raise InputError(f"{folder} has no metrics.csv: give the folder of a run that has trained") from None
    except (ValueError, OSError) as error:  # pandas' parser errors are ValueErrors
        raise InputError(f"{path} cannot be read ({error}): give the folder of another run") from error
