"""One style for all figures, and figures as files."""

import io
import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from matdesign.errors import InputError
from matdesign.files import replace_file

P = ParamSpec("P")

STYLE = matplotlib.rc_params_from_file(Path(__file__).with_name("matdesign.mplstyle"), use_default_template=True)
BAND = 0.22  # opacity of a band of errors
REFERENCE = "#666666"
SIGNS = {"A": "\u00c5", "sigma": "\u03c3", "epsilon": "\u03b5", "tau": "\u03c4"}
FORMATS = ("png", "svg", "pdf")


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """The function with the style sheet in force while it runs, and what was in force before afterwards."""

    @wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with matplotlib.rc_context(STYLE):
            return draw(*args, **kwargs)

    return inside


class Plot(Figure):
    """A figure that a notebook shows, whether or not pyplot was imported."""

    def _repr_png_(self) -> bytes:
        return encoded(self, "png")


def empty_figure(xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    """A figure that pyplot knows nothing of, with axes that say what they show."""
    figure = Plot()
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set(xlabel=xlabel, ylabel=ylabel)
    return figure, axes


def with_unit(name: str, unit: str) -> str:
    """The label of an axis: "thermal conductivity (W/(m K))"; underscores become spaces, plain numbers have no unit."""
    words = name.replace("_", " ")
    if unit in ("", "1"):
        return words
    return f"{words} ({re.sub('[A-Za-z]+', lambda found: SIGNS.get(found[0], found[0]), unit)})"


def band(axes: Axes, x: ArrayLike, low: ArrayLike, high: ArrayLike, colour: Any) -> None:
    """Fill what lies between two curves."""
    axes.fill_between(np.asarray(x), np.asarray(low), np.asarray(high), color=colour, alpha=BAND, linewidth=0)


def numbers(values: ArrayLike, what: str, *, shape: tuple[int, ...] | None = None) -> NDArray[np.float64]:
    """Finite numbers of at least one row; InputError, which names `what`, for anything else."""
    array = np.asarray(values, np.float64)
    if array.size == 0 or array.ndim == 0 or not np.isfinite(array).all():
        raise InputError(f"{what}: there must be at least one number, all of them finite")
    if shape is not None and array.shape != shape:
        raise InputError(f"{what} has shape {array.shape}: {shape} is needed")
    return array


def encoded(figure: Figure, form: str = "svg") -> bytes:
    """The figure as a file's content, the same bytes for the same figure.

    Raises:
        InputError: `form` is none of `FORMATS`.
    """
    if form not in FORMATS:
        raise InputError(f"a figure cannot be written as {form!r}: use {', '.join(FORMATS)}")
    file = io.BytesIO()
    date = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[form]
    with matplotlib.rc_context(STYLE):
        figure.savefig(file, format=form, metadata=date)
    return file.getvalue()


def save_figure(figure: Figure, path: Path) -> Path:
    """Write the figure, whole or not at all; its format follows from the name. Returns the path.

    Raises:
        InputError: unknown format, or a place that cannot be written.
    """
    content = encoded(figure, path.suffix[1:])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    except OSError as error:
        raise InputError(f"cannot write figure {str(path)!r}: {error.strerror}; name another place") from None
    return path
