"""What there is to see, as flat arrays: every environment and structure fills it, every renderer draws it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


def _rows(columns: int) -> NDArray[np.float32]:
    return np.zeros((0, columns), np.float32)


@dataclass(frozen=True, kw_only=True)
class Text:
    """A label at a point of the scene; `size` is its height in scene units, `rgba` in 0..1."""

    position: tuple[float, float, float]
    size: float
    rgba: tuple[float, float, float, float]
    text: str


@dataclass(kw_only=True)
class Scene:
    """Flat arrays of things to draw, in the environment's own length unit; colours are in 0..1.

    Attributes:
        spheres: float32 [n, 8], columns x y z radius r g b a.
        lines: float32 [n, 10], columns x y z x y z r g b a.
        boxes: float32 [n, 10], columns centre x y z, full edges x y z, r g b a.
        texts: labels.
    """

    spheres: NDArray[np.float32] = field(default_factory=lambda: _rows(8))
    lines: NDArray[np.float32] = field(default_factory=lambda: _rows(10))
    boxes: NDArray[np.float32] = field(default_factory=lambda: _rows(10))
    texts: list[Text] = field(default_factory=list)
