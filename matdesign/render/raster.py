"""The C rasteriser, which fills a picture from arrays."""

import ctypes
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matdesign.errors import MatdesignError
from matdesign.native import LIBRARY
from matdesign.render.camera import View
from matdesign.render.shading import Quality, lamps
from matdesign.scene import Scene

THICKEST = 0.2  # of outlines, in radii of the median sphere
_Floats, _Int, _Float = ctypes.c_void_p, ctypes.c_int32, ctypes.c_float


class _Shapes(ctypes.Structure):
    _fields_ = [
        *((name, _Floats) for name in ("spheres", "cylinders", "boxes", "lines")),
        *((name, _Int) for name in ("sphere_count", "cylinder_count", "box_count", "line_count")),
    ]


class _View(ctypes.Structure):
    _fields_ = [
        ("axes", _Float * 9),
        ("origin", _Float * 3),
        ("inverse_eye", _Float),
        ("scale", _Float),
        ("width", _Int),
        ("height", _Int),
    ]


class _Light(ctypes.Structure):
    _fields_ = [
        ("lamps", _Floats),
        ("count", _Int),
        ("map_bits", _Int),
        ("centre", _Float * 3),
        ("radius", _Float),
        ("softness", _Float),
        ("maps", _Floats),
    ]


class _Picture(ctypes.Structure):
    _fields_ = [
        ("shapes", _Shapes),
        ("view", _View),
        ("light", _Light),
        *((name, _Int) for name in ("width", "height", "samples", "threads")),
        ("background", _Float * 3),
        ("transparent", _Int),
        *((name, _Float) for name in ("near", "far", "depth_cue")),
        ("outline", _Int),
        *((name, _Float) for name in ("outline_step", "outline_light", "line_width")),
    ]


_draw = LIBRARY.picture_draw
_draw.argtypes = [ctypes.POINTER(_Picture), ctypes.c_void_p]
_draw.restype = ctypes.c_int


def linear(colour: Any) -> NDArray[np.float32]:
    """Light of colours as they are written in files; the encoding's exponent is 2.2."""
    return np.asarray(colour, np.float32) ** np.float32(2.2)


def draw(
    scene: Scene,
    view: View,
    quality: Quality,
    *,
    background: tuple[float, float, float],
    transparent: bool,
    depth_cue: float,
    outline: float,
    line_width: float,
    threads: int | None,
) -> NDArray[np.uint8]:
    """The scene without texts and legend, [height, width, 3 or 4]; the view is that of samples, not of pixels."""
    rows = {}
    for name in ("spheres", "cylinders", "boxes", "lines"):
        rows[name] = np.array(getattr(scene, name), np.float32, order="C")
        rows[name][:, -4:-1] = linear(np.clip(rows[name][:, -4:-1], 0, 1))
    shapes = _Shapes(*(array.ctypes.data for array in rows.values()), *(len(array) for array in rows.values()))
    lamp_rows = lamps(quality)
    size = float(np.median(scene.spheres[:, 3])) if len(scene.spheres) else 0.1 * view.radius
    width, height = view.width // quality.samples, view.height // quality.samples
    border = max(1, round(min(outline, THICKEST * size * view.scale)))
    picture = _Picture(
        shapes=shapes,
        view=_View(
            axes=(_Float * 9)(*view.axes.ravel()),
            origin=(_Float * 3)(*view.origin),
            inverse_eye=1 / view.eye,
            scale=view.scale,
            width=view.width,
            height=view.height,
        ),
        light=_Light(
            lamps=lamp_rows.ctypes.data,
            count=len(lamp_rows),
            map_bits=quality.map_bits,
            centre=(_Float * 3)(*view.centre),
            radius=view.radius,
            softness=0.3 * size,
        ),
        width=width,
        height=height,
        samples=quality.samples,
        threads=threads or len(os.sched_getaffinity(0)),
        background=(_Float * 3)(*linear(background)),
        transparent=transparent,
        near=view.near,
        far=min(view.far, view.near - view.radius),  # what is thin does not fade over its thickness
        depth_cue=depth_cue,
        outline=border,
        outline_step=0.15 * size + 1.5 * border / view.scale,
        outline_light=0.05,
        line_width=line_width,
    )
    pixels = np.empty((height, width, 4 if transparent else 3), np.uint8)
    if _draw(ctypes.byref(picture), pixels.ctypes.data) != 0:
        raise MatdesignError(
            f"a picture of {width} x {height} pixels needs more memory than there is: ask for a smaller one"
        )
    return pixels
