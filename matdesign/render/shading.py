"""Lamps around a scene, and how finely a picture is drawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Directions in the camera's frame: x right, y up, z to the eye.
KEY = np.array([-0.42, 0.60, 0.68]) / np.linalg.norm([-0.42, 0.60, 0.68])
KEY_STRENGTH, KEY_WIDTH = 0.56, 0.16  # what it gives a surface that faces it; half-angle of its disc in radians
SKY_STRENGTH, GROUND = 0.62, 0.35  # of the whole sky on a surface that faces the eye; of its darkest part, below
GLOSS = 0.28


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How finely a picture is drawn.

    Attributes:
        samples: points along each edge of a pixel at which is decided what is seen there, 1 to 8.
        sky: lamps that the sky is made of.
        key: lamps that the key light is made of.
        map_bits: 2 to this power texels along an edge of each lamp's map of what it sees.
    """

    samples: int
    sky: int
    key: int
    map_bits: int


FAST = Quality(samples=2, sky=20, key=4, map_bits=8)  # for videos
FINE = Quality(samples=4, sky=192, key=48, map_bits=9)  # for figures


def _spiral(count: int, lowest: float) -> NDArray[np.float64]:
    """Directions [count, 3] spread evenly over the part of the sphere with z > `lowest`: a Fibonacci spiral."""
    i = np.arange(count)
    z = 1 - (1 - lowest) * (i + 0.5) / count
    angle = np.pi * (1 + 5**0.5) * i
    across = np.sqrt(1 - z**2)
    return np.stack([across * np.cos(angle), across * np.sin(angle), z], axis=1)


def lamps(quality: Quality) -> NDArray[np.float32]:
    """The lamps, float32 [n, 5]: direction in the camera's frame, strength, strength of the highlight.

    The sky is brighter above than below. A white surface that faces the eye, with nothing before it, shines with about
    1, so that a colour is seen as it was given.
    """
    sky = _spiral(quality.sky, -0.2)
    strength = GROUND + (1 - GROUND) * (0.5 + 0.5 * sky[:, 1])
    strength *= SKY_STRENGTH / (strength * np.maximum(sky[:, 2], 0)).sum()
    disc = _spiral(quality.key, np.cos(KEY_WIDTH))
    right = np.cross([0.0, 1.0, 0.0], KEY)
    right /= np.linalg.norm(right)
    key = disc @ np.array([right, np.cross(KEY, right), KEY])
    rows = np.zeros((quality.sky + quality.key, 5), np.float32)
    rows[:, :3] = np.concatenate([sky, key])
    rows[: quality.sky, 3] = strength
    rows[quality.sky :, 3] = KEY_STRENGTH / quality.key
    rows[quality.sky :, 4] = GLOSS / quality.key
    return rows
