"""Where a scene is seen from, and the arithmetic between its coordinates and pixels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matdesign.errors import InputError
from matdesign.scene import Scene, triple

Floats = NDArray[np.floating[Any]]
FLAT = 0.15  # what is thinner than this part of its width and depth is flat


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A view of the whole scene, or of the part that `target` and `span` name.

    Attributes:
        towards: direction from the scene to the eye.
        up: direction that points up in the picture.
        field_of_view: vertical angle in degrees of a perspective view; 0 for an orthographic one.
        margin: empty border, as a fraction of half the picture.
        target: point in the middle of the picture; default: the middle of the scene.
        span: length that fits across the shorter edge of the picture; default: so that everything is seen. Pictures of
            different scenes with the same target and span can be compared.
    """

    towards: tuple[float, float, float] = (0.55, -1.0, 0.45)
    up: tuple[float, float, float] = (0.0, 0.0, 1.0)
    field_of_view: float = 12.0
    margin: float = 0.08
    target: tuple[float, float, float] | None = None
    span: float | None = None

    def __post_init__(self) -> None:
        axes = np.array([self.towards, self.up], float)
        if not np.isfinite(axes).all() or np.linalg.norm(np.cross(*axes)) < 1e-6 * np.linalg.norm(axes) ** 2:
            raise InputError(f"camera: towards {self.towards} and up {self.up} must be two different directions")
        if not 0 <= self.field_of_view <= 90:
            raise InputError(f"camera: field_of_view is {self.field_of_view} degrees: use 0 (orthographic) to 90")
        if not 0 <= self.margin < 1:
            raise InputError(f"camera: margin is {self.margin}: use 0 to less than 1")
        if self.target is not None and not np.isfinite(self.target).all():
            raise InputError(f"camera: target {self.target} must be three numbers")
        if self.span is not None and not 0 < self.span < np.inf:
            raise InputError(f"camera: span is {self.span}: it must be a positive number")

    @classmethod
    def orbit(cls, azimuth: float, elevation: float, **others: Any) -> "Camera":
        """From `elevation` degrees above the xy plane, `azimuth` degrees from x towards y; `others` are attributes."""
        if not np.isfinite([azimuth, elevation]).all():
            raise InputError(f"camera: azimuth {azimuth} and elevation {elevation} must be numbers of degrees")
        around, above = np.radians([azimuth, elevation])
        flat = np.array([np.cos(around), np.sin(around), 0.0])
        towards = np.cos(above) * flat + [0, 0, np.sin(above)]
        return cls(towards=triple(towards), up=triple([0, 0, np.cos(above)] - np.sin(above) * flat), **others)

    @classmethod
    def along(cls, direction: tuple[float, float, float], cell: ArrayLike, **others: Any) -> "Camera":
        """Down the lattice direction [u v w] of a cell, rows a b c, with c up, or b where that is the direction.

        Raises:
            InputError: no direction, or a cell without volume.
        """
        vectors = np.asarray(cell, float)
        if vectors.shape != (3, 3) or abs(np.linalg.det(vectors)) < 1e-12 or not np.any(direction):
            raise InputError(f"camera: along {direction} needs three numbers, not all 0, and a cell with a volume")
        towards = np.asarray(direction, float) @ vectors
        apart = [np.linalg.norm(np.cross(towards, v)) / np.linalg.norm(v) / np.linalg.norm(towards) for v in vectors]
        return cls(towards=triple(towards), up=triple(vectors[2 if apart[2] > 0.3 else 1]), **others)


def natural_camera(scene: Scene) -> Camera:
    """From above, without perspective, for a scene that is flat like a board; else the default one."""
    points, radii = extent(scene)
    if len(points) == 0:
        return Camera()
    size = (points + radii[:, None]).max(axis=0) - (points - radii[:, None]).min(axis=0)
    if size[2] < FLAT * size[:2].min():
        return Camera(towards=(0.0, 0.0, 1.0), up=(0.0, 1.0, 0.0), field_of_view=0.0, margin=0.03)
    return Camera()


class View:
    """A camera aimed at a scene for a picture of a given size in pixels.

    In the camera's frame x points right, y up and z to the eye; the origin is the middle of what is seen. The eye is at
    z = `eye`, infinitely far if orthographic. `scale` is pixels per length at z = 0. Everything lies between z = `far`
    and z = `near`, and in the ball of `radius` about `centre`.
    """

    def __init__(self, camera: Camera, scene: Scene, width: int, height: int) -> None:
        back = np.array(camera.towards, float) / np.linalg.norm(camera.towards)
        right = np.cross(camera.up, back)
        right /= np.linalg.norm(right)
        self.axes = np.array([right, np.cross(back, right), back])
        self.width, self.height = width, height
        points, radii = extent(scene)
        turned = points @ self.axes.T
        low, high = (turned - radii[:, None]).min(axis=0), (turned + radii[:, None]).max(axis=0)
        middle = (low + high) / 2 if camera.target is None else self.axes @ np.array(camera.target, float)
        self.origin = middle @ self.axes
        turned -= middle
        distance = (np.linalg.norm(turned, axis=1) + radii).max() + 1e-6
        angle = np.radians(camera.field_of_view) / 2
        self.eye = distance / np.sin(angle) if angle > 0 else np.inf
        available = (1 - camera.margin) * np.array([width, height])
        if camera.span is None:
            # How far the things reach from the middle, as seen at z = 0.
            reach = (np.abs(turned[:, :2]) + radii[:, None]) * self.magnification(turned[:, 2] + radii)[:, None]
            self.scale = float((available / 2 / np.maximum(reach.max(axis=0), 1e-6)).min())
        else:
            self.scale = float(available.min() / camera.span)
        self.near, self.far = float(high[2] - middle[2]), float(low[2] - middle[2])
        self.centre = (low + high) / 2 - middle
        self.radius = float((np.linalg.norm(turned - self.centre, axis=1) + radii).max()) + 1e-6

    def magnification(self, z: Floats) -> Floats:
        """How much larger things at `z` are seen than at z = 0."""
        if np.isinf(self.eye):
            return np.ones_like(z)
        factor: Floats = self.eye / (self.eye - z)
        return factor

    def to_camera(self, points: Floats) -> Floats:
        """World coordinates [n, 3] to the camera's frame."""
        turned: Floats = (points - self.origin) @ self.axes.T
        return turned

    def to_pixels(self, points: Floats) -> Floats:
        """Camera coordinates [n, 3] to pixels [n, 2], (0, 0) at the top left corner."""
        seen = points[:, :2] * self.magnification(points[:, 2])[:, None] * self.scale
        return np.stack([self.width / 2 + seen[:, 0], self.height / 2 - seen[:, 1]], axis=1)


def extent(scene: Scene) -> tuple[Floats, Floats]:
    """Points [n, 3] and radii [n] of everything in the scene."""
    corners = np.array(np.meshgrid(*[[-0.5, 0.5]] * 3)).reshape(3, 8).T
    boxes = scene.boxes[:, None, :3] + corners * scene.boxes[:, None, 3:6]
    texts = np.array([text.position for text in scene.texts], float).reshape(-1, 3)
    lines = scene.lines[:, :6].reshape(-1, 3)
    ends = scene.cylinders[:, :6].reshape(-1, 3)
    points = np.concatenate([scene.spheres[:, :3], ends, lines, boxes.reshape(-1, 3), texts]).astype(float)
    radii = np.zeros(len(points))
    radii[: len(scene.spheres) + len(ends)] = np.concatenate([scene.spheres[:, 3], np.repeat(scene.cylinders[:, 6], 2)])
    return points, radii
