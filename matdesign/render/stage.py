"""A scene in viser's scene tree: batched instances, of which only what changed is sent again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import viser
from numpy.typing import NDArray

from matdesign.render.camera import Camera, View, extent, natural_camera
from matdesign.render.instances import Instances, instances, mesh
from matdesign.scene import Scene, Text

Array = NDArray[Any]

LINE = 2.0  # pixels
BORDER = 1.05
FIELD_OF_VIEW = 30.0  # degrees; the page knows perspective only
PAPER = 1.0
# Directions to the lights, and their strengths.
LIGHTS = (("key", (0.5, -1.0, 1.6), 1.35), ("fill", (-1.0, -0.4, 0.3), 0.5), ("back", (0.3, 1.0, -0.6), 0.35))


class Stage:
    """Shows one scene after another in a viser scene.

    Args:
        scene: viser's, of a server.
        clicked: called with the row of a sphere that was clicked, in a thread of viser's.
        dragged: called with the row of a sphere that is dragged with shift held, and where to.
    """

    def __init__(
        self,
        scene: viser.SceneApi,
        clicked: Callable[[int], None] | None = None,
        dragged: Callable[[int, tuple[float, float, float]], None] | None = None,
    ) -> None:
        self._scene = scene
        self._clicked = clicked
        self._dragged = dragged
        self._shown: dict[str, Instances] = {}
        self._handles: dict[str, viser.BatchedMeshHandle] = {}
        self._grip = np.zeros(3)
        self._lines: viser.LineSegmentsHandle | None = None
        self._labels: list[viser.LabelHandle] = []
        # The built-in picture of surroundings costs a software renderer most of its time and tints every colour.
        scene.configure_environment_map(None)
        scene.configure_default_lights(enabled=False)
        scene.add_light_ambient("/lights/ambient", intensity=1.15)
        for name, direction, strength in LIGHTS:
            scene.add_light_directional(f"/lights/{name}", intensity=strength, position=direction, cast_shadow=False)

    def show(self, scene: Scene) -> None:
        """Make the page show this scene; it may be changed afterwards."""
        for group in instances(scene):
            self._batch(group)
        self._segments(scene.lines)
        self._write(scene.texts)

    def _batch(self, group: Instances) -> None:
        handle, before = self._handles.get(group.name), self._shown.get(group.name)
        self._shown[group.name] = group
        if len(group.rows) == 0:
            if handle is not None:
                self._handles.pop(group.name).remove()
            return
        colours = _linear_bytes(group.colours)
        if handle is None or before is None or before.mesh != group.mesh or len(before.rows) != len(group.rows):
            self._handles[group.name] = self._add(group, colours)
            return
        handle.batched_positions = group.positions
        handle.batched_wxyzs = group.turns
        handle.batched_scales = group.scales
        handle.batched_colors = colours
        handle.batched_opacities = group.opacities

    def _add(self, group: Instances, colours: Array) -> viser.BatchedMeshHandle:
        vertices, faces = mesh(*group.mesh)
        handle = self._scene.add_batched_meshes_simple(
            f"/{group.name}",
            vertices,
            faces,
            batched_wxyzs=group.turns,
            batched_positions=group.positions,
            batched_scales=group.scales,
            batched_colors=colours,
            batched_opacities=group.opacities,
            flat_shading=group.mesh[0] == "boxes",
            lod="off",
            cast_shadow=False,
            receive_shadow=False,
        )
        if group.mesh[0] == "spheres":
            self._listen(handle, group.name)
        return handle

    def _listen(self, handle: viser.BatchedMeshHandle, name: str) -> None:
        """Hand on what is done to these spheres."""
        clicked, dragged = self._clicked, self._dragged
        if clicked is not None:

            @handle.on_click
            def click(event: viser.SceneNodePointerEvent[Any]) -> None:
                if (row := self._row(name, event.instance_index)) is not None:
                    clicked(row)

        if dragged is not None:

            @handle.on_drag("left", modifier="shift")
            def drag(event: viser.SceneNodeDragEvent[Any]) -> None:
                if (row := self._row(name, event.instance_index)) is None:
                    return
                if event.phase == "start":  # grasped somewhere on its surface
                    centre = self._shown[name].positions[event.instance_index]
                    self._grip = centre - np.array(event.start_position)
                x, y, z = self._grip + np.array(event.end_position)
                dragged(row, (float(x), float(y), float(z)))

    def _row(self, name: str, index: int | None) -> int | None:
        rows = self._shown[name].rows
        return int(rows[index]) if index is not None and index < len(rows) else None

    def _segments(self, lines: Array) -> None:
        if len(lines) == 0:
            if self._lines is not None:
                self._lines.remove()
                self._lines = None
            return
        points = np.ascontiguousarray(lines[:, :6].reshape(-1, 2, 3), np.float32)
        # Lines have no opacity there: what is faint is mixed with the paper.
        shade = lines[:, 6:9] * lines[:, 9:] + PAPER * (1 - lines[:, 9:])
        colours = np.repeat(_linear_bytes(shade)[:, None], 2, axis=1)
        if self._lines is not None and len(self._lines.points) == len(points):
            self._lines.points, self._lines.colors = points, colours
        else:
            self._lines = self._scene.add_line_segments(
                "/lines", points, colours, thickness=LINE, thickness_units="screen"
            )

    def _write(self, texts: list[Text]) -> None:
        for label in self._labels[len(texts) :]:
            label.remove()
        del self._labels[len(texts) :]
        for i, text in enumerate(texts):
            if i < len(self._labels):
                self._labels[i].text, self._labels[i].position = text.text, np.array(text.position)
                self._labels[i].font_scene_height = text.size
            else:
                self._labels.append(
                    self._scene.add_label(
                        f"/texts/{i}",
                        text.text,
                        position=text.position,
                        font_size_mode="scene",
                        font_scene_height=text.size,
                        anchor="center-center",
                    )
                )


def _linear_bytes(colours: Array) -> Array:
    """Colours in 0..1, sRGB, to bytes of linear light, which is what the page takes them for."""
    return np.round(255 * colours.clip(0, 1) ** 2.2).astype(np.uint8)


@dataclass(frozen=True)
class Pose:
    """Where a camera of viser's stands, looks and what it sees."""

    position: tuple[float, ...]
    look_at: tuple[float, ...]
    up: tuple[float, float, float]
    fov: float
    near: float
    far: float


def pose(scene: Scene, camera: Camera | None = None) -> Pose:
    """The pose that has the whole scene in view, on a screen that is wider than high."""
    camera = camera or natural_camera(scene)
    view = View(camera, scene, 1000, 1000)
    points, radii = extent(scene)
    seen = view.to_camera(points)
    slope = np.tan(np.radians(FIELD_OF_VIEW) / 2)
    sideways = np.abs(seen[:, :2]).max(axis=1, initial=0.0) + radii
    distance = BORDER * float((seen[:, 2] + radii + sideways / slope).max(initial=1e-3))
    eye = view.origin + view.axes[2] * distance
    return Pose(tuple(eye), tuple(view.origin), camera.up, np.radians(FIELD_OF_VIEW), distance / 200, 20 * distance)


def aim(camera: viser.InitialCameraConfig | viser.CameraHandle, pose: Pose) -> None:
    """Point the camera of one page, or that of all pages when they open."""
    camera.position, camera.look_at = np.array(pose.position), np.array(pose.look_at)
    camera.fov, camera.near, camera.far = pose.fov, pose.near, pose.far
    if isinstance(camera, viser.CameraHandle):
        camera.up_direction = pose.up
    else:
        camera.up = pose.up
