"""A scene as a picture; needs no display and no GPU."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from matdesign.errors import InputError
from matdesign.render.camera import Camera, View, natural_camera
from matdesign.render.overlay import draw_legend, draw_triad, font, ink, legend_width, write_texts
from matdesign.render.raster import draw
from matdesign.render.shading import FINE, Quality
from matdesign.scene import Scene, Triple

WHITE: Triple = (1.0, 1.0, 1.0)
SMALLEST, LARGEST = 16, 8192  # pixels along an edge
OUTLINE, LINE = 1.6, 1.3  # widths in pixels in a picture 720 pixels high; thinner in smaller ones, but at least
THINNEST = 0.9  # pixels


def render(
    scene: Scene,
    *,
    size: tuple[int, int] = (1280, 720),
    camera: Camera | None = None,
    background: Triple | None = WHITE,
    depth_cue: float = 0.1,
    quality: Quality = FINE,
    threads: int | None = None,
) -> Image.Image:
    """Draw a scene: shaded spheres, cylinders and boxes with outlines, lines of constant width, text, legend.

    Args:
        scene: what to draw.
        size: width and height in pixels.
        camera: where from; default: `natural_camera(scene)`.
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
    if threads is not None and threads < 1:
        raise InputError(f"threads is {threads}: use 1 or more")
    samples = quality.samples
    width = size[0] - legend_width(scene.legend, size[1])
    if width < SMALLEST:
        raise InputError(f"picture size {size}: its legend leaves no room, make it wider or leave the legend out")
    view = View(camera or natural_camera(scene), scene, width * samples, size[1] * samples)
    unit = samples * size[1] / 720
    pixels = draw(
        scene,
        view,
        quality,
        background=WHITE if background is None else background,
        transparent=background is None,
        depth_cue=depth_cue,
        outline=max(THINNEST * samples, OUTLINE * unit),
        line_width=max(THINNEST * samples, LINE * unit),
        threads=threads,
    )
    image = Image.fromarray(pixels)
    write_texts(image, scene, view, samples)
    if scene.legend.axes:
        draw_triad(image, scene.legend.axes, view, background)
    if width == size[0]:
        return image
    whole = Image.new(image.mode, size, (255, 255, 255, 0) if background is None else _bytes(background))
    whole.paste(image)
    draw_legend(whole, scene.legend, width, ink(background))
    return whole


def save(image: Image.Image, path: Path) -> None:
    """Save a picture; the format follows from the name. InputError if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot save picture {str(path)!r}: {error}") from None


def side_by_side(images: Sequence[Image.Image], labels: Sequence[str], *, background: Triple = WHITE) -> Image.Image:
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
        draw.text(middle, label, font=font(0.5 * strip), fill=(40, 40, 40), anchor="mm")
        x += image.width
    return whole


def _check(scene: Scene, size: tuple[int, int], quality: Quality) -> None:
    if not (len(scene.spheres) or len(scene.cylinders) or len(scene.lines) or len(scene.boxes) or scene.texts):
        raise InputError("the scene is empty: there is nothing to draw")
    if len(size) != 2 or not all(isinstance(edge, int) and SMALLEST <= edge <= LARGEST for edge in size):
        raise InputError(f"picture size {size}: give width and height from {SMALLEST} to {LARGEST} pixels")
    if not 1 <= quality.samples <= 8:
        raise InputError(f"samples is {quality.samples}: use 1 to 8 along each edge of a pixel")
    for name in ("spheres", "cylinders", "lines", "boxes"):
        if not np.isfinite(getattr(scene, name)).all():
            raise InputError(f"the scene has {name} with values that are not finite: their positions must be numbers")
    for name, radii in (("sphere", scene.spheres[:, 3]), ("cylinder", scene.cylinders[:, 6])):
        if len(radii) and radii.min() <= 0:
            raise InputError(f"a {name} has radius {radii.min()}: it must be positive")


def _bytes(colour: Triple) -> tuple[int, int, int]:
    red, green, blue = (round(255 * value) for value in colour)
    return red, green, blue
