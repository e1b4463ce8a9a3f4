"""A scene as a picture: a small ray caster in NumPy that needs no display."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.spatial import cKDTree

from matdesign.errors import InputError
from matdesign.render.camera import Camera, Floats, View
from matdesign.render.shading import shade
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
    samples: int = 3,
) -> Image.Image:
    """Draw a scene: shaded spheres and boxes with outlines, lines of constant width, text on top.

    Args:
        scene: what to draw.
        size: width and height in pixels.
        camera: where from; default `Camera()`.
        background: red, green, blue in 0..1; None for a transparent one.
        depth_cue: how much the farthest things fade into the background, 0..1.
        samples: rays per pixel along each edge.

    Returns:
        an image of mode RGB, or RGBA if the background is transparent.

    Raises:
        InputError: nothing to draw, a coordinate that is not finite, a radius or size out of range.
    """
    _check(scene, size, samples)
    width, height = size[0] * samples, size[1] * samples
    view = View(camera or Camera(), scene, width, height)
    canvas = _Canvas(view, WHITE if background is None else background)
    clear_spheres, clear_boxes = scene.spheres[:, 7] < 1, scene.boxes[:, 9] < 1
    canvas.draw_spheres(scene.spheres[~clear_spheres])
    canvas.draw_boxes(scene.boxes[~clear_boxes])
    unit = samples * size[1] / 720
    thinnest = THINNEST * samples
    radius = float(np.median(scene.spheres[:, 3])) if len(scene.spheres) else 0.0
    canvas.outline(max(1, round(max(thinnest, OUTLINE * unit))), radius)
    canvas.fade(depth_cue)
    canvas.draw_lines(scene.lines, max(thinnest, LINE * unit), depth_cue)
    canvas.draw_boxes(scene.boxes[clear_boxes])
    canvas.draw_spheres(scene.spheres[clear_spheres])
    image = canvas.image(samples, transparent=background is None)
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


class _Canvas:
    """Colour, depth and coverage of every ray; colours are linear light."""

    def __init__(self, view: View, background: Colour) -> None:
        self.view = view
        self.background = _linear(np.array(background, np.float32))
        shape = (view.height, view.width)
        self.colour = np.broadcast_to(self.background, (*shape, 3)).copy()
        self.depth = np.full(shape, np.inf, np.float32)
        self.covered = np.zeros(shape, np.float32)
        # Depth is the ray parameter: from the eye, or from the plane z = 0 of an orthographic view.
        self.offset = 0.0 if np.isinf(view.eye) else view.eye

    def draw_spheres(self, spheres: Floats) -> None:
        """Opaque spheres, or clear ones; the former from front to back, so that what is hidden is not shaded."""
        if len(spheres) == 0:
            return
        centres = self.view.to_camera(spheres[:, :3].astype(float))
        radii = spheres[:, 3].astype(float)
        tree = cKDTree(centres)
        near = tree.query_ball_point(centres, 4 * radii + radii.max())
        order = np.argsort(centres[:, 2], kind="stable")
        for i in order[::-1] if spheres[0, 7] >= 1 else order:
            others = np.array([j for j in near[i] if j != i], np.intp)
            rows, columns = self._window(centres[i : i + 1], radii[i])
            origin, direction = self.view.rays(columns, rows)
            from_centre = origin - centres[i]
            a = (direction**2).sum(axis=1)
            b = (from_centre * direction).sum(axis=1)
            root = b**2 - a * ((from_centre**2).sum(axis=1) - radii[i] ** 2)
            depth = (-b - np.sqrt(np.maximum(root, 0))) / a
            seen = (root > 0) & (depth < self.depth[rows, columns])
            points = origin[seen] + depth[seen, None] * direction[seen]
            normals = (points - centres[i]) / radii[i]
            light = shade(points, normals, direction[seen], _linear(spheres[i, 4:7]), centres[others], radii[others])
            self._paint(rows[seen], columns[seen], depth[seen], light, float(spheres[i, 7]))

    def draw_boxes(self, boxes: Floats) -> None:
        """Boxes along the axes of the scene."""
        corners = np.array(np.meshgrid(*[[-0.5, 0.5]] * 3)).reshape(3, 8).T
        for box in boxes.astype(float):
            rows, columns = self._window(self.view.to_camera(box[:3] + corners * box[3:6]), 0.0)
            origin, direction = self.view.rays(columns, rows)
            # In the frame of the scene, a box is where three slabs meet.
            start = origin @ self.view.axes + self.view.origin - box[:3]
            along = direction @ self.view.axes
            along = np.where(np.abs(along) < 1e-12, 1e-12, along)
            edges = np.stack([(-box[3:6] / 2 - start) / along, (box[3:6] / 2 - start) / along])
            enter, leave = edges.min(axis=0), edges.max(axis=0)
            depth = enter.max(axis=1)
            seen = (depth < leave.min(axis=1)) & (depth < self.depth[rows, columns])
            face = enter[seen].argmax(axis=1)
            normals = np.zeros((len(face), 3))
            normals[np.arange(len(face)), face] = -np.sign(along[seen][np.arange(len(face)), face])
            points = origin[seen] + depth[seen, None] * direction[seen]
            nothing = np.zeros((0, 3))
            normals = normals @ self.view.axes.T
            light = shade(points, normals, direction[seen], _linear(box[6:9]), nothing, np.zeros(0))
            self._paint(rows[seen], columns[seen], depth[seen], light, float(box[9]))

    def outline(self, width: int, radius: float) -> None:
        """Darken the border of whatever stands in front of what is beside it by more than its own surface falls off.

        Over a width w a sphere of radius r falls off by at most sqrt(2 r w), and a face that is hardly seen by 4 w.
        """
        length = width / self.view.scale
        step = max(1.1 * np.sqrt(2 * radius * length), 4 * length)
        jump = np.zeros_like(self.depth, bool)
        diagonal = round(0.7 * width)
        for dy, dx in ((0, width), (width, 0), (diagonal, diagonal), (diagonal, -diagonal)):
            for sign in (1, -1):
                jump |= _shifted(self.depth, sign * dy, sign * dx) > self.depth + step
        self.colour[jump] *= 0.04

    def fade(self, depth_cue: float) -> None:
        """Blend what is far into the background."""
        solid = np.isfinite(self.depth)
        self.colour[solid] += self._haze(self.depth[solid], depth_cue) * (self.background - self.colour[solid])

    def draw_lines(self, lines: Floats, width: float, depth_cue: float) -> None:
        """Lines of constant width in pixels, hidden behind what is in front of them."""
        reach = int(np.ceil(width / 2))
        dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
        disc = dx**2 + dy**2 <= (width / 2) ** 2 + 0.25
        for line in lines:
            ends = self.view.to_camera(line[:6].reshape(2, 3).astype(float))
            pixels = self.view.to_pixels(ends)
            count = int(np.abs(pixels[1] - pixels[0]).max()) + 2
            # Points at equal distances in the picture; 1 / depth is what is linear there in perspective.
            t = np.linspace(0, 1, count)
            x, y = (pixels[0] + t[:, None] * (pixels[1] - pixels[0])).T
            depths = self.offset - ends[:, 2]
            if self.offset:
                depth = 1 / (1 / depths[0] + t * (1 / depths[1] - 1 / depths[0]))
            else:
                depth = depths[0] + t * (depths[1] - depths[0])
            rows = (np.floor(y).astype(np.intp)[:, None] + dy[disc]).ravel()
            columns = (np.floor(x).astype(np.intp)[:, None] + dx[disc]).ravel()
            depth = np.repeat(depth, disc.sum())
            inside = (rows >= 0) & (rows < self.view.height) & (columns >= 0) & (columns < self.view.width)
            rows, columns, depth = rows[inside], columns[inside], depth[inside]
            seen = depth < self.depth[rows, columns]
            rows, columns, depth = rows[seen], columns[seen], depth[seen]
            colour = _linear(line[6:9]) + self._haze(depth, depth_cue) * (self.background - _linear(line[6:9]))
            # Neighbouring discs overlap: blend with what was there before the line, once.
            before = self.colour[rows, columns]
            self.colour[rows, columns] = before + float(line[9]) * (colour - before)
            self.covered[rows, columns] = np.maximum(self.covered[rows, columns], float(line[9]))

    def image(self, samples: int, *, transparent: bool) -> Image.Image:
        """The mean over the rays of each pixel."""
        shape = (self.view.height // samples, samples, self.view.width // samples, samples)
        colour = self.colour.reshape(*shape, 3).mean(axis=(1, 3))
        if not transparent:
            return Image.fromarray((_gamma(colour) * 255 + 0.5).astype(np.uint8), "RGB")
        alpha = self.covered.reshape(shape).mean(axis=(1, 3))[..., None]
        own = (colour - (1 - alpha) * self.background) / np.maximum(alpha, 1e-3)
        return Image.fromarray((np.concatenate([_gamma(own), alpha], axis=2) * 255 + 0.5).astype(np.uint8), "RGBA")

    def _window(self, points: Floats, radius: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows and columns of the pixels in the rectangle around points, each with a sphere about it."""
        view = self.view
        # A sphere seen off the middle of a perspective view is an ellipse a little longer than its diameter.
        reach = 1.15 * radius * view.scale * float(view.magnification(points[:, 2] + radius).max()) + 1
        pixels = view.to_pixels(points)
        limit = np.array([view.width, view.height])
        low = np.clip(np.floor(pixels.min(axis=0) - reach), 0, limit).astype(np.intp)
        high = np.clip(np.ceil(pixels.max(axis=0) + reach), 0, limit).astype(np.intp)
        rows, columns = np.mgrid[low[1] : high[1], low[0] : high[0]]
        return rows.ravel(), columns.ravel()

    def _paint(
        self, rows: NDArray[np.intp], columns: NDArray[np.intp], depth: Floats, light: Floats, alpha: float
    ) -> None:
        before = self.colour[rows, columns]
        self.colour[rows, columns] = before + alpha * (light - before)
        self.covered[rows, columns] += alpha * (1 - self.covered[rows, columns])
        if alpha >= 1:
            self.depth[rows, columns] = depth

    def _haze(self, depth: Floats, depth_cue: float) -> Floats:
        near, far = self.view.near + self.offset, self.view.far + self.offset
        haze: Floats = depth_cue * np.clip((depth - near) / (far - near + 1e-9), 0, 1)
        return haze[:, None]


def _check(scene: Scene, size: tuple[int, int], samples: int) -> None:
    if not (len(scene.spheres) or len(scene.lines) or len(scene.boxes) or scene.texts):
        raise InputError("the scene is empty: there is nothing to draw")
    if len(size) != 2 or not all(isinstance(edge, int) and 16 <= edge <= LARGEST for edge in size):
        raise InputError(f"picture size {size}: give width and height from 16 to {LARGEST} pixels")
    if not 1 <= samples <= 8:
        raise InputError(f"samples is {samples}: use 1 to 8 rays per pixel edge")
    for name in ("spheres", "lines", "boxes"):
        if not np.isfinite(getattr(scene, name)).all():
            raise InputError(f"the scene has {name} with values that are not finite: their positions must be numbers")
    if len(scene.spheres) and scene.spheres[:, 3].min() <= 0:
        raise InputError(f"a sphere has radius {scene.spheres[:, 3].min()}: it must be positive")


def _shifted(array: Floats, down: int, right: int) -> Floats:
    """The array moved by whole pixels; what comes in from outside repeats the border."""
    padded = np.pad(array, ((max(down, 0), max(-down, 0)), (max(right, 0), max(-right, 0))), mode="edge")
    return padded[max(-down, 0) :, max(-right, 0) :][: array.shape[0], : array.shape[1]]


def _write_texts(image: Image.Image, scene: Scene, view: View, samples: int) -> None:
    draw = ImageDraw.Draw(image)
    for text in scene.texts:
        point = view.to_camera(np.array([text.position], float))
        x, y = view.to_pixels(point)[0] / samples
        height = text.size * view.scale * float(view.magnification(point[:, 2])[0]) / samples
        font = ImageFont.load_default(max(4.0, height))
        fill = tuple(round(255 * value) for value in text.rgba)
        draw.text((x, y), text.text, font=font, fill=fill[: len(image.mode)], anchor="mm")


def _linear(colour: Floats) -> Floats:
    linear: Floats = np.asarray(colour, np.float32) ** np.float32(2.2)
    return linear


def _gamma(colour: Floats) -> Floats:
    return np.clip(colour, 0, 1) ** np.float32(1 / 2.2)


def _bytes(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (round(255 * value) for value in colour)
    return red, green, blue
