"""Spheres, boxes and cylinders of a scene as instances of three meshes."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray

from matdesign.scene import Scene

Array = NDArray[Any]

# How finely spheres are cut, up to how many of them: 642, 162 and 42 vertices each. A laptop's graphics card draws a
# million triangles at full rate.
FINENESS = ((200, 3), (3000, 2), (1 << 40, 1))
SIDES = 16  # of a cylinder


@dataclass(frozen=True, kw_only=True)
class Instances:
    """Equal shapes, turned and scaled; all opaque or all clear.

    Attributes:
        name: of the group.
        mesh: name of the mesh, and how finely it is cut.
        rows: row of each in the scene's array, int [n].
        positions: float32 [n, 3].
        turns: float32 [n, 4], quaternions w x y z.
        scales: float32 [n] or [n, 3], along the axes of the mesh.
        colours: [n, 3], sRGB in 0..1.
        opacities: float32 [n]; None where all are opaque.
    """

    name: str
    mesh: tuple[str, int]
    rows: Array
    positions: Array
    turns: Array
    scales: Array
    colours: Array
    opacities: Array | None


def instances(scene: Scene) -> Iterator[Instances]:
    """The opaque and the clear ones of every kind, empty groups included."""
    spheres, boxes, cylinders = scene.spheres, scene.boxes, scene.cylinders
    fineness = next(level for most, level in FINENESS if len(spheres) <= most)
    yield from _split("spheres", fineness, spheres[:, :3], _straight(len(spheres)), spheres[:, 3], spheres[:, 4:])
    yield from _split("boxes", 0, boxes[:, :3], _straight(len(boxes)), boxes[:, 3:6], boxes[:, 6:])
    low, high, radii = cylinders[:, :3], cylinders[:, 3:6], cylinders[:, 6]
    way = high - low
    lengths = np.linalg.norm(way, axis=1)
    scales = np.stack([radii, radii, lengths], axis=1)
    yield from _split("cylinders", 0, (low + high) / 2, _turns(way, lengths), scales, cylinders[:, 7:])


def _split(name: str, fineness: int, positions: Array, turns: Array, scales: Array, rgba: Array) -> Iterator[Instances]:
    clear = rgba[:, 3] < 1
    for rows, label in ((np.flatnonzero(~clear), name), (np.flatnonzero(clear), f"clear_{name}")):
        yield Instances(
            name=label,
            mesh=(name, fineness),
            rows=rows,
            positions=np.ascontiguousarray(positions[rows], np.float32),
            turns=np.ascontiguousarray(turns[rows], np.float32),
            scales=np.ascontiguousarray(scales[rows], np.float32),
            colours=rgba[rows, :3],
            opacities=None if label == name else np.ascontiguousarray(rgba[rows, 3], np.float32),
        )


def _straight(count: int) -> Array:
    return np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1))


def _turns(way: Array, lengths: Array) -> NDArray[np.float32]:
    """Quaternions that turn z towards `way`."""
    x, y, z = (way / np.maximum(lengths, 1e-12)[:, None]).T
    turns: NDArray[np.float32] = np.stack([1 + z, -y, x, np.zeros_like(z)], axis=1)
    turns[z < -0.999999] = 0, 1, 0, 0
    turns /= np.linalg.norm(turns, axis=1, keepdims=True)
    return turns


@cache
def mesh(name: str, fineness: int) -> tuple[Array, Array]:
    """Vertices [n, 3] and faces [m, 3] of a sphere of radius 1, a cube of edge 1, or a cylinder of both along z."""
    if name == "spheres":
        ball = trimesh.creation.icosphere(fineness)
        return np.array(ball.vertices), np.array(ball.faces)
    if name == "boxes":
        cube = trimesh.creation.box()
        return np.array(cube.vertices), np.array(cube.faces)
    # The discs have vertices of their own, so that the edge is sharp where normals are averaged.
    angle = 2 * np.pi * np.arange(SIDES) / SIDES
    ring = np.stack([np.cos(angle), np.sin(angle), np.zeros(SIDES)], axis=1)
    half = np.array([0.0, 0.0, 0.5])
    low, high = ring - half, ring + half
    i = np.arange(SIDES)
    j = (i + 1) % SIDES
    side = np.concatenate([np.stack([i, j, SIDES + j], axis=1), np.stack([i, SIDES + j, SIDES + i], axis=1)])
    fan = np.stack([np.zeros(SIDES - 2, int), i[1:-1], i[2:]], axis=1)
    return np.concatenate([low, high, low, high]), np.concatenate([side, 2 * SIDES + fan[:, ::-1], 3 * SIDES + fan])
