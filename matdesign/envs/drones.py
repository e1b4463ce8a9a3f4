"""The drone swarm's Python side: formations and colours from files, and a scripted pilot to compare a policy with."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from matdesign.envs.atoms import SettingValue
from matdesign.errors import InputError

FLAG = Path(__file__).parent / "flag.png"
"""The picture that the task flag shows unless told otherwise; docs/flag.py drew it."""

DRONES = 64  # default of the environment's own table
SPACING = 1.5  # m between the targets of a picture

Array = NDArray[Any]


def drone_settings(options: Mapping[str, SettingValue]) -> dict[str, SettingValue]:
    """Settings of the drone swarm, with the contents of the files that `options` name in place of their names.

    `flag_image` is a picture whose colours the flag takes (default: FLAG); `points_file` has the targets of a formation
    that is flown in place of all tasks: a table of x, y, z in m, one row a drone, or a picture whose opaque or, where
    it has no transparency, bright parts they fill.

    Raises:
        InputError: a file is missing or cannot be read as what it should be.
    """
    settings = dict(options)
    drones = settings.get("drones", DRONES)
    if not isinstance(drones, int) or drones < 1:
        return settings  # the environment's own table says what is wrong with it
    image = Path(str(settings.pop("flag_image", FLAG)))
    settings.setdefault("colours", flag_colours(image, drones).ravel())
    if (file := settings.pop("points_file", None)) is not None:
        settings["points"] = read_points(Path(str(file)), drones).ravel()
    return settings


def flag_colours(image: Path, drones: int) -> NDArray[np.float64]:
    """Red, green, blue in 0..1 [drones, 3] of a picture, stretched over the flag's rows and columns.

    Args:
        image: any file that Pillow reads.
        drones: targets of the flag: rows of equal length, the last one centred, rows : columns about 2 : 3.
    """
    rows = math.ceil(math.sqrt(2 * drones / 3) - 1e-9)
    columns = -(-drones // rows)
    pixels = np.asarray(_opened(image).convert("RGB").resize((columns, rows), Image.Resampling.BOX), float) / 255
    filled = [pixels[row] for row in range(drones // columns)]
    if rest := drones % columns:
        start = (columns - rest) // 2
        filled.append(pixels[drones // columns, start : start + rest])
    return np.concatenate(filled)


def read_points(file: Path, drones: int) -> NDArray[np.float64]:
    """Targets [drones, 3] in m from a table (.csv, .txt, .xyz without its head, .npy) or a picture.

    A picture stands upright, its middle at the origin: of a square grid of points SPACING apart over its marked parts,
    the finest that has at least `drones` of them, as many as there are drones are taken at equal intervals.
    """
    if file.suffix.lower() not in (".csv", ".txt", ".xyz", ".npy"):
        return _points_of_picture(file, drones)
    try:
        points = (
            np.load(file)
            if file.suffix == ".npy"
            else np.loadtxt(file, delimiter="," if file.suffix == ".csv" else None)
        )
    except (OSError, ValueError) as error:
        raise InputError(f"points_file {str(file)!r} cannot be read: {error}: give rows of x, y, z") from error
    if points.shape != (drones, 3):
        raise InputError(f"points_file {str(file)!r} has shape {points.shape}: give {drones} rows of x, y, z")
    return points.astype(float)


def _points_of_picture(file: Path, drones: int) -> NDArray[np.float64]:
    image = _opened(file)
    marked = image.convert("RGBA").getchannel("A")
    if marked.getextrema() == (255, 255):
        marked = image.convert("L")
    for height in range(1, 4 * drones + 1):
        width = max(1, round(height * image.width / image.height))
        rows, columns = np.nonzero(np.asarray(marked.resize((width, height), Image.Resampling.BOX)) > 127)
        if len(rows) >= drones:
            chosen = np.linspace(0, len(rows) - 1, drones).round().astype(int)
            x, z = columns[chosen] - (width - 1) / 2, (height - 1) / 2 - rows[chosen]
            return SPACING * np.stack([x, np.zeros(drones), z], axis=1)
    raise InputError(f"points_file {str(file)!r} marks too little of its picture for {drones} drones: brighten it")


def _opened(file: Path) -> Image.Image:
    try:
        return Image.open(file)
    except (OSError, UnidentifiedImageError) as error:
        raise InputError(f"{str(file)!r} is no picture that can be read: {error}") from error


# The constants of matdesign/envs/drone_physics.c.
GRAVITY = 9.81
HALF_ARM_TORQUE = 0.315 * 4.34 * GRAVITY / 2  # of two rotors, one at twice and one at none of its hover thrust, N m
INERTIA = 0.0832  # mean of the two horizontal axes, kg m^2
LINEAR_DRAG = 0.465  # 1/s
THRUST_RANGE = 0.5
# Scales of an observation, see matdesign/envs/drone_observation.c.
FAR, VELOCITY, RATE = 10.0, 0.4, 0.25


def pilot(observations: Array) -> Array:
    """A proportional-derivative controller, from what a policy sees to what it does.

    The way to the target asks for a velocity, at most 3 m/s; the difference to that velocity for an acceleration, at
    most 4 m/s^2, to which drag and gravity are added; its direction for an attitude, and the angle and rate still
    between for an angular acceleration (as in Lee, Leok, McClamroch 2010, without yaw). Neighbours are not looked at.

    Args:
        observations: float32 [drones, features].

    Returns:
        actions float32 [drones, 4].
    """
    way = observations[:, 0:3] * FAR
    relative, own = observations[:, 6:9] / VELOCITY, observations[:, 9:12] / VELOCITY
    rate, up = observations[:, 12:15] / RATE, observations[:, 15:18]
    acceleration = _at_most(1.8 * (_at_most(way, 3.0) + relative), 4.0)
    thrust = acceleration + LINEAR_DRAG * own + GRAVITY * up
    x, y, _ = (thrust / np.linalg.norm(thrust, axis=1, keepdims=True)).T
    roll, pitch = -40.0 * y - 9.0 * rate[:, 0], 40.0 * x - 9.0 * rate[:, 1]
    lift, roll, pitch = thrust[:, 2] / GRAVITY - 1, *(INERTIA / HALF_ARM_TORQUE * turn for turn in (roll, pitch))
    return (np.stack([lift - pitch, lift + roll, lift + pitch, lift - roll], axis=1) / THRUST_RANGE).astype(np.float32)


def _at_most(vectors: Array, most: float) -> Array:
    """Vectors [n, 3] cut to this length."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    cut: Array = vectors * np.minimum(1.0, most / np.maximum(length, 1e-9))
    return cut
