"""A recording as pictures: one camera that sees all of it, and its labels in a corner."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from matdesign.render.camera import Camera, View, extent
from matdesign.render.image import render
from matdesign.render.recording import Recording
from matdesign.scene import Scene

FROM_ABOVE = Camera(towards=(0.0, 0.0, 1.0), up=(0.0, 1.0, 0.0), field_of_view=0.0)
FLAT = 0.1  # a scene whose height is less than this part of its width is seen from above
CAPTION = 0.032  # height of letters, in heights of the picture


def pictures(
    recording: Recording, *, size: tuple[int, int], camera: Camera | None = None, captions: bool = True, **options: Any
) -> Iterator[Image.Image]:
    """Draw frame after frame, one at a time.

    Args:
        recording: what to draw.
        size: width and height in pixels.
        camera: where from; default: from above for what is flat, else `Camera()`. Where it has no target and span, they
            are such that everything is seen in every frame.
        captions: whether to write the labels of each frame into the upper left corner.
        options: of `render`.

    Raises:
        InputError: as `render`.
    """
    camera = steady(recording.scenes, camera or fitting(recording[0]), size)
    for index, scene in enumerate(recording):
        image = render(scene, size=size, camera=camera, **options)
        if captions:
            _write(image, recording.caption(index))
        yield image


def fitting(scene: Scene) -> Camera:
    """The camera for a scene of this shape: boards are seen from above, everything else from a corner."""
    points, radii = extent(scene)
    if len(points) == 0:
        return Camera()
    edges = (points + radii[:, None]).max(axis=0) - (points - radii[:, None]).min(axis=0)
    return FROM_ABOVE if edges[2] < FLAT * edges[:2].max() and len(points) > 3 else Camera()


def steady(scenes: Sequence[Scene], camera: Camera, size: tuple[int, int]) -> Camera:
    """The camera with a target and a span that hold all of these scenes."""
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
    x, y, z = view.origin.tolist()
    return replace(camera, target=(x, y, z), span=(1 - camera.margin) * min(size) / view.scale)


def _write(image: Image.Image, caption: str) -> None:
    height = max(9.0, CAPTION * image.height)
    dark = np.asarray(image.crop((0, 0, 1, 1)))[..., :3].mean() < 128
    fill = (225, 225, 225) if dark else (60, 60, 60)
    ImageDraw.Draw(image).text((0.7 * height, 0.5 * height), caption, fill=fill, font=ImageFont.load_default(height))
