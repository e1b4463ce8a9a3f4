"""What there is to see, as flat arrays: every environment and structure fills it, every renderer draws it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

Triple = tuple[float, float, float]


def triple(values: ArrayLike) -> Triple:
    """Three numbers, of a colour or a direction."""
    x, y, z = np.asarray(values, float)
    return float(x), float(y), float(z)


def _rows(columns: int) -> NDArray[np.float32]:
    return np.zeros((0, columns), np.float32)


@dataclass(frozen=True, kw_only=True)
class Text:
    """A label at a point of the scene; `size` is its height in scene units, `rgba` in 0..1."""

    position: Triple
    size: float
    rgba: tuple[float, float, float, float]
    text: str


@dataclass(frozen=True, kw_only=True)
class ColourBar:
    """What the colours of a scalar mean.

    Attributes:
        colours: float32 [n, 3] from the lowest value to the highest, red green blue in 0..1.
        low, high: values of the first and of the last colour; values beyond them have these colours.
        label: name of the scalar, with its unit.
    """

    colours: NDArray[np.float32]
    low: float
    high: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Legend:
    """What the colours and the directions of a scene mean; shown beside it, not in it.

    Attributes:
        names: name and colour, red green blue in 0..1, of each kind of thing.
        colour_bar: meaning of the colours of a scalar.
        axes: name and direction in the scene of each axis of a triad.
    """

    names: tuple[tuple[str, Triple], ...] = ()
    colour_bar: ColourBar | None = None
    axes: tuple[tuple[str, Triple], ...] = ()


@dataclass(kw_only=True)
class Scene:
    """Flat arrays of things to draw, in the environment's own length unit; colours are in 0..1.

    Attributes:
        spheres: float32 [n, 8], columns x y z radius r g b a.
        cylinders: float32 [n, 11], columns x y z x y z radius r g b a: two ends, closed by flat discs.
        lines: float32 [n, 10], columns x y z x y z r g b a; as thin as the renderer's lines are.
        boxes: float32 [n, 10], columns centre x y z, full edges x y z, r g b a.
        texts: labels.
        legend: what colours and directions mean.
    """

    spheres: NDArray[np.float32] = field(default_factory=lambda: _rows(8))
    cylinders: NDArray[np.float32] = field(default_factory=lambda: _rows(11))
    lines: NDArray[np.float32] = field(default_factory=lambda: _rows(10))
    boxes: NDArray[np.float32] = field(default_factory=lambda: _rows(10))
    texts: list[Text] = field(default_factory=list)
    legend: Legend = Legend()
