"""A scene as a picture; needs no display and no GPU."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from matdesign.errors import InputError
from matdesign.render.camera import Camera, View
from matdesign.render.raster import draw
from matdesign.render.shading import FINE, Quality
from matdesign.scene import Scene

Colour = tuple[float, float, float]

WHITE: Colour = (1.0, 1.0, 1.0)
LARGEST = 8192  # pixels along an edge
OUTLINE, LINE = 1.6, 1.3  # widths in pixels in a picture 720 pixels high; thinner in smaller ones, but at least
THINNEST = 0.9  # pixels


def render(
    scene: Scene,
    *,
    size: tuple[int, int] = (1280, 720),
    camera: Camera | None = None,
    background: Colour | None = WHITE,
    depth_cue: float = 0.2,
    quality: Quality = FINE,
    threads: int | None = None,
) -> Image.Image:
    """Draw a scene: shaded spheres, cylinders and boxes with outlines, lines of constant width, text on top.

    Args:
        scene: what to draw.
        size: width and height in pixels.
        camera: where from; default `Camera()`.
        background: red, green, blue in 0..1; None for a transparent one.
        depth_cue: how much the farthest things fade into the background, 0..1.
        quality: `FINE` for figures, `FAST` for videos.
        threads: how many to draw with; default: one for each core. The picture does not depend on it.

    Returns:
        an image of mode RGB, or RGBA if the background is transparent.

    Raises:
        InputError: nothing to draw, a coordinate that is not finite, a radius or size out of range.
    """
    _check(scene, size, quality)
    samples = quality.samples
    view = View(camera or Camera(), scene, size[0] * samples, size[1] * samples)
    unit = samples * size[1] / 720
    pixels = draw(
        scene,
        view,
        quality,
        background=WHITE if background is None else background,
        transparent=background is None,
        depth_cue=depth_cue,
        outline=max(1, round(max(THINNEST * samples, OUTLINE * unit))),
        line_width=max(THINNEST * samples, LINE * unit),
        threads=threads,
    )
    image = Image.fromarray(pixels if background is None else np.ascontiguousarray(pixels[..., :3]))
    _write_texts(image, scene, view, samples)
    return image


def save(image: Image.Image, path: Path) -> None:
    """Save a picture; the format follows from the name. InputError if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot save picture {str(path)!r}: {error}") from None


def side_by_side(images: Sequence[Image.Image], labels: Sequence[str], *, background: Colour = WHITE) -> Image.Image:
    """Put pictures of the same height next to each other, each with its label below.

    Raises:
        InputError: no pictures, or a different number of labels, or different heights.
    """
    if not images or len(images) != len(labels) or len({image.height for image in images}) != 1:
        raise InputError(f"{len(images)} pictures and {len(labels)} labels: give as many, of pictures of one height")
    height = images[0].height
    strip = max(12, height // 12)
    whole = Image.new("RGB", (sum(image.width for image in images), height + strip), _bytes(background))
    draw = ImageDraw.Draw(whole)
    x = 0
    for image, label in zip(images, labels, strict=True):
        whole.paste(image, (x, 0), image if image.mode == "RGBA" else None)
        middle = (x + image.width / 2, height + 0.4 * strip)
        draw.text(middle, label, font=ImageFont.load_default(0.55 * strip), fill=(40, 40, 40), anchor="mm")
        x += image.width
    return whole


def _check(scene: Scene, size: tuple[int, int], quality: Quality) -> None:
    if not (len(scene.spheres) or len(scene.cylinders) or len(scene.lines) or len(scene.boxes) or scene.texts):
        raise InputError("the scene is empty: there is nothing to draw")
    if len(size) != 2 or not all(isinstance(edge, int) and 16 <= edge <= LARGEST for edge in size):
        raise InputError(f"picture size {size}: give width and height from 16 to {LARGEST} pixels")
    if not 1 <= quality.samples <= 8:
        raise InputError(f"samples is {quality.samples}: use 1 to 8 along each edge of a pixel")
    for name in ("spheres", "cylinders", "lines", "boxes"):
        if not np.isfinite(getattr(scene, name)).all():
            raise InputError(f"the scene has {name} with values that are not finite: their positions must be numbers")
    if len(scene.spheres) and scene.spheres[:, 3].min() <= 0:
        raise InputError(f"a sphere has radius {scene.spheres[:, 3].min()}: it must be positive")


def _write_texts(image: Image.Image, scene: Scene, view: View, samples: int) -> None:
    draw = ImageDraw.Draw(image)
    for text in scene.texts:
        point = view.to_camera(np.array([text.position], float))
        x, y = view.to_pixels(point)[0] / samples
        height = text.size * view.scale * float(view.magnification(point[:, 2])[0]) / samples
        font = ImageFont.load_default(max(4.0, height))
        fill = tuple(round(255 * value) for value in text.rgba)
        draw.text((x, y), text.text, font=font, fill=fill[: len(image.mode)], anchor="mm")


def _bytes(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (round(255 * value) for value in colour)
    return red, green, blue
