"""A flat scene, seen from above, as coloured characters of a terminal."""

import numpy as np
from numpy.typing import NDArray

from matdesign.scene import Scene

BACKGROUND = (0.06, 0.07, 0.08)
HOME, RESET = "\x1b[H", "\x1b[0m"


def pixels(scene: Scene, width: int, height: int) -> NDArray[np.uint8]:
    """The boxes, then the spheres, of a scene in the x-y plane; later ones lie on top, lines and texts are left out.

    The scene's bounds fill as much of the picture as its proportions allow. A pixel shows what covers its middle.

    Args:
        scene: what there is to see, y upwards.
        width: pixels of a row.
        height: pixels of a column.

    Returns:
        [height, width, 3], the upper row first.
    """
    spheres = scene.spheres[:, [0, 1, 2, 3, 3, 3, 4, 5, 6, 7]] * np.array([1, 1, 1, 2, 2, 2, 1, 1, 1, 1], np.float32)
    shapes = np.concatenate([scene.boxes, spheres])
    picture = np.full((height, width, 3), BACKGROUND)
    if len(shapes):
        low, high = shapes[:, :2] - shapes[:, 3:5] / 2, shapes[:, :2] + shapes[:, 3:5] / 2
        corner, size = low.min(axis=0), np.ptp(np.concatenate([low, high]), axis=0)
        scale = min(width / size[0], height / size[1])
        first = np.ceil((low - corner) * scale - 0.5).astype(int)
        end = np.ceil((high - corner) * scale - 0.5).astype(int)
        for (left, bottom), (right, top), colour in zip(first, end, shapes[:, 6:9], strict=True):
            picture[max(height - top, 0) : max(height - bottom, 0), left:right] = colour
    return np.round(255 * picture).astype(np.uint8)


def frame(scene: Scene, columns: int, lines: int) -> str:
    """The scene as `lines` lines of `columns` characters, two pixels above each other in each, in 24-bit colours."""
    picture = pixels(scene, columns, 2 * lines)
    text = [
        "".join(
            f"\x1b[38;2;{a[0]};{a[1]};{a[2]}m\x1b[48;2;{b[0]};{b[1]};{b[2]}m\u2580"
            for a, b in zip(upper.tolist(), lower.tolist(), strict=True)
        )
        for upper, lower in zip(picture[::2], picture[1::2], strict=True)
    ]
    return HOME + f"{RESET}\r\n".join(text) + RESET
