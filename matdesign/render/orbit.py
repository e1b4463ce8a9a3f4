"""A camera that a hand moves about a scene: turns, shifts, zooms, and says what lies under a pixel."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from matdesign.render.camera import Camera, View, extent, natural_camera
from matdesign.scene import Scene

Floats = NDArray[np.floating[Any]]

FIELD_OF_VIEW = 30.0  # degrees, of a perspective view
TURN = 3.0  # radians for a drag over the whole height
CLOSEST, FARTHEST = 0.01, 20.0  # height that is seen, in sizes of the scene
NOTHING = Scene(spheres=np.array([[0, 0, 0, 1, 0, 0, 0, 1]], np.float32))  # as large as where there is nothing


class Orbit:
    """Looks at a target; x points right, y up and z to the eye.

    Args:
        scene: to be seen as a whole at first.
        width: of the picture in pixels.
        height: the same.

    Attributes:
        target: point in the middle of the picture.
        axes: rows are the camera's x, y and z in the scene, float64 [3, 3].
        height: length at the target that fits the picture from top to bottom.
        perspective: whether what is far is smaller.
        width_pixels, height_pixels: of the picture.
    """

    def __init__(self, scene: Scene, width: int, height: int) -> None:
        self.width_pixels, self.height_pixels = width, height
        self.fit(scene)

    def fit(self, scene: Scene, camera: Camera | None = None) -> None:
        """See the whole scene; from where it asks for, unless a camera does."""
        if len(extent(scene)[0]) == 0:
            scene = NOTHING
        camera = camera or natural_camera(scene)
        self.perspective = camera.field_of_view > 0
        view = View(camera, scene, self.width_pixels, self.height_pixels)
        self.axes, self.target = view.axes, view.origin
        points, radii = extent(scene)
        seen = view.to_camera(points)
        self._size = 2 * float((np.linalg.norm(seen, axis=1) + radii).max(initial=1e-3))
        aspect = self.width_pixels / self.height_pixels
        wide, high = ((np.abs(seen[:, d]) + radii).max(initial=1e-3) for d in (0, 1))
        near = (seen[:, 2] + radii).max(initial=0.0) if self.perspective else 0.0
        self.height = (1 + camera.margin) * 2 * float(max(high, wide / aspect) + near * self._slope)

    def turn(self, right: float, down: float) -> None:
        """Turn the scene as if it was pulled by a hand; pixels.

        What is up in the scene stays so: the camera turns about its own x, and about the vertical where it is not flat.
        """
        about = TURN / self.height_pixels
        self.axes = self.axes @ _rotation(np.array([0.0, 0.0, 1.0]), right * about)
        tilted = self.axes @ _rotation(self.axes[0], down * about)
        if tilted[1, 2] >= 0 or tilted[1, 2] > self.axes[1, 2]:  # not over the pole
            self.axes = tilted

    def shift(self, right: float, down: float) -> None:
        """Move the scene with the hand; pixels at the target."""
        length = self.height / self.height_pixels
        self.target = self.target - length * (right * self.axes[0] - down * self.axes[1])

    def zoom(self, notches: float) -> None:
        """Closer for each notch of a wheel."""
        self.height = float(np.clip(self.height * 0.88**notches, CLOSEST * self._size, FARTHEST * self._size))

    @property
    def eye(self) -> Floats:
        """Where it stands; without perspective, in front of everything."""
        place: Floats = self.target + self.axes[2] * self._distance
        return place

    def view(self) -> NDArray[np.float32]:
        """Matrix [4, 4] from the scene to the camera, whose eye is at the origin."""
        matrix = np.eye(4, dtype=np.float32)
        matrix[:3, :3], matrix[:3, 3] = self.axes, -self.axes @ self.eye
        return matrix

    def projection(self) -> NDArray[np.float32]:
        """Matrix [4, 4] from the camera to OpenGL's clip space."""
        aspect, distance = self.width_pixels / self.height_pixels, self._distance
        near, far = 0.01 * distance, distance + 4 * self._size
        if self.perspective:
            scale, last = 1 / self._slope, ((far + near) / (near - far), 2 * far * near / (near - far), -1.0, 0.0)
        else:
            scale, last = 2 / self.height, (2 / (near - far), (far + near) / (near - far), 0.0, 1.0)
        matrix = np.zeros((4, 4), np.float32)
        matrix[0, 0], matrix[1, 1] = scale / aspect, scale
        matrix[2, 2], matrix[2, 3], matrix[3, 2], matrix[3, 3] = last
        return matrix

    def to_pixels(self, points: Floats) -> Floats:
        """Pixels [n, 2] of points [n, 3], (0, 0) at the top left corner; NaN behind the eye."""
        seen = (points - self.eye) @ self.axes.T
        scale = self._pixels_per_length(-seen[:, 2])
        return np.stack(
            [self.width_pixels / 2 + scale * seen[:, 0], self.height_pixels / 2 - scale * seen[:, 1]], axis=1
        )

    def pixels_per_length(self, point: Floats) -> float:
        """How large a length at this point is seen; NaN behind the eye."""
        return float(self._pixels_per_length(np.array([(self.eye - point) @ self.axes[2]]))[0])

    def ray(self, column: float, row: float) -> tuple[Floats, Floats]:
        """Where the line of sight through a pixel begins, and its direction, of length 1."""
        length = self.height / self.height_pixels
        right, up = (column - self.width_pixels / 2) * length, (self.height_pixels / 2 - row) * length
        at_target = self.target + right * self.axes[0] + up * self.axes[1]
        start = self.eye if self.perspective else at_target + self.axes[2] * self._distance
        way = at_target - start
        return start, way / np.linalg.norm(way)

    def beside(self, point: Floats, column: float, row: float) -> Floats:
        """The point under a pixel that is as far away as `point`: where a drag moves it."""
        start, way = self.ray(column, row)
        place: Floats = start + way * ((point - start) @ self.axes[2] / (way @ self.axes[2]))
        return place

    def _pixels_per_length(self, depth: Floats) -> Floats:
        if not self.perspective:
            return np.full(len(depth), self.height_pixels / self.height)
        with np.errstate(divide="ignore"):
            return np.where(depth > 0, self.height_pixels / 2 / (self._slope * depth), np.nan)

    @property
    def _slope(self) -> float:
        return float(np.tan(np.radians(FIELD_OF_VIEW) / 2))

    @property
    def _distance(self) -> float:
        """From the target to the eye."""
        return self.height / 2 / self._slope if self.perspective else self._size + self.height


def hit(start: Floats, way: Floats, spheres: NDArray[np.float32], reach: float = 1.0) -> int | None:
    """Row of the first sphere that a ray meets; None where it meets none.

    Args:
        start: of the ray, [3].
        way: its direction, of length 1.
        spheres: as in `Scene`.
        reach: times their radius that counts as the sphere.
    """
    centres = spheres[:, :3] - start
    along = centres @ way
    miss = np.linalg.norm(centres - along[:, None] * way, axis=1)
    radii = reach * spheres[:, 3]
    met = (miss <= radii) & (along > 0)
    if not met.any():
        return None
    first = np.where(met, along - np.sqrt(np.maximum(radii**2 - miss**2, 0.0)), np.inf)
    return int(first.argmin())


def _rotation(axis: Floats, angle: float) -> Floats:
    """Matrix that, on the right of a row vector, turns it about an axis of length 1 by -angle."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    matrix: Floats = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return matrix
