"""A scene on the graphics card: rows of its arrays are instances, uploaded as they are and drawn by one call a kind."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matdesign.errors import MatdesignError
from matdesign.render import shaders
from matdesign.render.graphics import ffi, rl
from matdesign.render.instances import mesh
from matdesign.render.orbit import Orbit
from matdesign.scene import Scene

Rows = NDArray[np.float32]

FLOAT = 0x1406  # GL_FLOAT
RENDERER = 0x1F01  # GL_RENDERER
SOFTWARE = ("llvmpipe", "softpipe", "swiftshader", "software", "basic render")
FLOAT_BYTES = 4


class Kind:
    """Instances of one mesh.

    Args:
        vertex: source of the vertex shader; its input `place`, and `outward` where it has that, are of the mesh.
        fragment: source of the fragment shader.
        corners: float32 [n, 3] or [n, 6], three rows a triangle: place and normal.
        columns: name and number of columns of each input that a row of the scene's array holds, in order; the last
            holds red, green, blue, opacity.

    Raises:
        MatdesignError: the driver does not take the shaders.
    """

    def __init__(self, vertex: str, fragment: str, corners: Rows, columns: Sequence[tuple[str, int]]) -> None:
        self._shader = rl.LoadShaderFromMemory(vertex.encode(), fragment.encode())
        self._program = self._shader.id
        if self._program in (0, rl.rlGetShaderIdDefault()):
            raise MatdesignError("the graphics driver refuses a shader: update it, or use the browser's page")
        self._columns, self._width = columns, sum(count for _, count in columns)
        self._corners, self._count, self._capacity = len(corners), 0, 0
        self._rows = 0  # the buffer
        self.clear = self.opaque = False
        self._vertices = rl.rlLoadVertexArray()
        rl.rlEnableVertexArray(self._vertices)
        self._mesh = rl.rlLoadVertexBuffer(pointer(corners), corners.nbytes, False)
        self._inputs([("place", 3), ("outward", 3)][: corners.shape[1] // 3], corners.shape[1], each=0)
        rl.rlDisableVertexArray()

    def upload(self, rows: Rows) -> None:
        """Show these instances from now on; the array may change afterwards."""
        rows = np.ascontiguousarray(rows, np.float32)
        self._count = len(rows)
        if self._count == 0:
            self.clear = self.opaque = False
            return
        clear = rows[:, -1] < 1
        self.clear, self.opaque = bool(clear.any()), not clear.all()
        if self._count <= self._capacity:
            rl.rlUpdateVertexBuffer(self._rows, pointer(rows), rows.nbytes, 0)
            return
        if self._rows:
            rl.rlUnloadVertexBuffer(self._rows)
        rl.rlEnableVertexArray(self._vertices)
        self._rows = rl.rlLoadVertexBuffer(pointer(rows), rows.nbytes, True)
        self._inputs(self._columns, self._width, each=1)
        rl.rlDisableVertexArray()
        self._capacity = self._count

    def draw(self, orbit: Orbit, *, clear: bool) -> None:
        """Draw those that are opaque, or the others."""
        if not (self.clear if clear else self.opaque):
            return
        rl.rlEnableShader(self._program)
        for name, matrix in (("view", orbit.view()), ("projection", orbit.projection())):
            values = {f"m{4 * column + row}": matrix[row, column] for row in range(4) for column in range(4)}
            rl.rlSetUniformMatrix(self._place(name), ffi.new("Matrix *", values)[0])
        self._set("perspective", float(orbit.perspective))
        self._set("clear", float(clear))
        self._set("pixels", orbit.width_pixels, orbit.height_pixels)
        rl.rlEnableVertexArray(self._vertices)
        rl.rlDrawVertexArrayInstanced(0, self._corners, self._count)
        rl.rlDisableVertexArray()
        rl.rlDisableShader()

    def close(self) -> None:
        """Free what is on the card."""
        rl.rlUnloadVertexArray(self._vertices)
        rl.rlUnloadVertexBuffer(self._mesh)
        if self._rows:
            rl.rlUnloadVertexBuffer(self._rows)
        rl.UnloadShader(self._shader)

    def _place(self, name: str) -> int:
        return int(rl.rlGetLocationUniform(self._program, name.encode()))

    def _set(self, name: str, *values: float) -> None:
        kinds = (rl.RL_SHADER_UNIFORM_FLOAT, rl.RL_SHADER_UNIFORM_VEC2)
        if (place := self._place(name)) >= 0:
            rl.rlSetUniform(place, ffi.new("float[]", values), kinds[len(values) - 1], 1)

    def _inputs(self, columns: Sequence[tuple[str, int]], width: int, *, each: int) -> None:
        """Say what the rows of the buffer that was loaded last hold; `each`: instances that a row lasts for."""
        start = 0
        for name, count in columns:
            place = rl.rlGetLocationAttrib(self._program, name.encode())
            if place >= 0:
                rl.rlSetVertexAttribute(place, count, FLOAT, False, width * FLOAT_BYTES, start * FLOAT_BYTES)
                rl.rlEnableVertexAttribute(place)
                rl.rlSetVertexAttributeDivisor(place, each)
            start += count


class Geometry:
    """Spheres, cylinders, boxes and lines of a scene; needs raylib's window.

    Raises:
        MatdesignError: the driver does not take the shaders.
    """

    def __init__(self) -> None:
        square = np.array([[-1, -1], [1, -1], [1, 1], [-1, -1], [1, 1], [-1, 1]], np.float32)
        strip = np.array([[0, -1], [1, -1], [1, 1], [0, -1], [1, 1], [0, 1]], np.float32)
        colour, point = ("colour", 4), (("start", 3), ("end", 3))
        ends = (("low", 3), ("high", 3), ("radius", 1))
        boxes = (("middle", 3), ("edges", 3))
        solid = shaders.SOLID_FRAGMENT
        self._kinds = {
            "spheres": Kind(shaders.SPHERE_VERTEX, shaders.SPHERE_FRAGMENT, _flat(square), (("ball", 4), colour)),
            "cylinders": Kind(shaders.CYLINDER_VERTEX, solid, _solid("cylinders"), (*ends, colour)),
            "boxes": Kind(shaders.BOX_VERTEX, solid, _solid("boxes"), (*boxes, colour)),
            "lines": Kind(shaders.LINE_VERTEX, shaders.LINE_FRAGMENT, _flat(strip), (*point, colour)),
        }

    def upload(self, scene: Scene) -> None:
        """Show this scene from now on."""
        for name, kind in self._kinds.items():
            kind.upload(getattr(scene, name))

    def draw(self, orbit: Orbit) -> None:
        """Draw what is opaque, and over it what is not."""
        rl.rlDrawRenderBatchActive()
        rl.rlEnableDepthTest()
        rl.rlDisableBackfaceCulling()
        rl.rlDisableColorBlend()
        for kind in self._kinds.values():
            kind.draw(orbit, clear=False)
        rl.rlEnableColorBlend()
        rl.rlDisableDepthMask()
        for kind in self._kinds.values():
            kind.draw(orbit, clear=True)
        rl.rlEnableDepthMask()
        rl.rlEnableBackfaceCulling()
        rl.rlDisableDepthTest()

    def close(self) -> None:
        """Free what is on the card."""
        for kind in self._kinds.values():
            kind.close()


def drawn_by_software() -> bool:
    """Whether there is no graphics card, so that every sample of a picture costs time."""
    get = ffi.cast("char *(*)(unsigned int)", rl.glfwGetProcAddress(b"glGetString"))
    name = ffi.string(get(RENDERER)).decode(errors="replace").lower()
    return any(word in name for word in SOFTWARE)


def pointer(array: NDArray[Any]) -> Any:
    """The address of an array, for raylib."""
    return ffi.cast("void *", array.ctypes.data)


def _flat(corners: Rows) -> Rows:
    return np.ascontiguousarray(np.pad(corners, ((0, 0), (0, 1))))


def _solid(name: str) -> Rows:
    """Places and normals of the triangles of a mesh, float32 [n, 6]."""
    vertices, faces = mesh(name, 0)
    places = vertices[faces]
    normals = np.cross(places[:, 1] - places[:, 0], places[:, 2] - places[:, 0])
    normals = np.repeat((normals / np.linalg.norm(normals, axis=1, keepdims=True))[:, None], 3, axis=1)
    if name == "cylinders":
        round_ = abs(normals[..., 2]) < 0.5
        normals[round_] = (places * [1.0, 1.0, 0.0])[round_]
    return np.concatenate([places, normals], axis=2).reshape(-1, 6).astype(np.float32)
