"""A recording as pictures: one camera that sees all of it, and its labels in a corner."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from matdesign.render.camera import Camera, View, extent, natural_camera
from matdesign.render.image import WHITE, render
from matdesign.render.overlay import font, ink, legend_width
from matdesign.render.recording import Recording
from matdesign.render.shading import FAST, Quality
from matdesign.scene import Scene, Triple, triple

CAPTION = 0.032  # height of letters, in heights of the picture


def pictures(
    recording: Recording,
    *,
    size: tuple[int, int],
    camera: Camera | None = None,
    background: Triple | None = WHITE,
    captions: bool = True,
    quality: Quality = FAST,
) -> Iterator[Image.Image]:
    """Draw frame after frame, one at a time, as `render` does.

    Args:
        recording: what to draw.
        size: width and height in pixels.
        camera: where from; default: the natural one of the first frame. Where it has no target and span, they are such
            that everything is seen in every frame.
        background: red, green, blue in 0..1; None for a transparent one.
        captions: whether to write the labels of each frame into the upper left corner.
        quality: of each picture.

    Raises:
        InputError: as `render`.
    """
    width = size[0] - legend_width(recording[0].legend, size[1])
    camera = steady(recording.scenes, camera or natural_camera(recording[0]), (width, size[1]))
    for index, scene in enumerate(recording):
        image = render(scene, size=size, camera=camera, background=background, quality=quality)
        if captions:
            height = max(9.0, CAPTION * image.height)
            place = (0.7 * height, 0.5 * height)
            ImageDraw.Draw(image).text(place, recording.caption(index), fill=ink(background), font=font(height))
        yield image


def steady(scenes: Sequence[Scene], camera: Camera, size: tuple[int, int]) -> Camera:
    """The camera, as close as all of these scenes allow from where it looks; unchanged if it has target or span."""
    if len(scenes) == 1 or camera.target is not None or camera.span is not None:
        return camera
    axes = View(camera, scenes[0], *size).axes
    outermost = []
    for scene in scenes:
        points, radii = extent(scene)
        turned = points @ axes.T
        rows = [*(turned + radii[:, None]).argmax(axis=0), *(turned - radii[:, None]).argmin(axis=0)]
        outermost.append(np.column_stack([points[rows], radii[rows]]))
    spheres = np.pad(np.concatenate(outermost).astype(np.float32), [(0, 0), (0, 4)])
    view = View(camera, Scene(spheres=spheres), *size)
    return replace(camera, target=triple(view.origin), span=(1 - camera.margin) * min(size) / view.scale)
