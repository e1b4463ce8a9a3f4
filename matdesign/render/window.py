"""A window that shows a player's source live, under the hands of a person; by raylib, which is an extra."""

import os
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matdesign.errors import InputError, MatdesignError
from matdesign.render.geometry import Geometry, drawn_by_software
from matdesign.render.graphics import ffi, rl
from matdesign.render.orbit import Orbit, hit
from matdesign.render.panel import PAPER, SIZE, Panel
from matdesign.render.player import Player
from matdesign.scene import Scene, triple

FRAMES_A_SECOND = 72.0  # at most; a little more than most screens show, so that theirs sets the pace
STILL = 0.5  # s after which a picture that did not change is drawn again, in case something has covered it
CLICK = 4.0  # pixels that a hand may move in a click
GRASP = 1.5  # radii about a goal within which it is grasped
SMALL = 8.0  # pixels, of a picked sphere that gets a ring
FASTER = 1.25
SILENT = 7  # LOG_NONE
ARROWS = {"UP": "w", "DOWN": "s", "LEFT": "a", "RIGHT": "d"}
MOUSE = {
    "drag": "turns; with the right button, or shift, moves",
    "wheel": "closer, farther",
    "click": "picks an atom or agent; a goal can be dragged",
}


class Command(NamedTuple):
    """What a key does: name for people, raylib's names, what it does in words, and the doing."""

    label: str
    keys: tuple[str, ...]
    what: str
    act: Callable[["Window"], None]


COMMANDS = (
    Command("space", ("SPACE",), "pause, go on", lambda w: w.player.toggle()),
    Command("right, .", ("RIGHT", "PERIOD"), "one step", lambda w: w.player.single_step()),
    Command("left", ("LEFT",), "one frame back, in a file", lambda w: w.back()),
    Command("up, down", ("UP",), "faster, slower", lambda w: w.player.set_speed(w.player.speed * FASTER)),
    Command("", ("DOWN",), "", lambda w: w.player.set_speed(w.player.speed / FASTER)),
    Command("r", ("R",), "start again", lambda w: w.player.reset()),
    Command("n, p", ("N",), "next environment, previous one", lambda w: w.player.look_at(w.player.environment + 1)),
    Command("", ("P",), "", lambda w: w.player.look_at(w.player.environment - 1)),
    Command("tab", ("TAB",), "pick the next agent", lambda w: w.pick_next()),
    Command("escape", ("ESCAPE",), "let go", lambda w: w.let_go()),
    Command("k", ("K",), "steer the picked agent by w a s d or arrows", lambda w: w.player.take_keyboard()),
    Command("t", ("T",), "trails", lambda w: w.player.show_trails(not w.player.trails)),
    Command("f", ("F",), "everything in view", lambda w: w.fit()),
    Command("o", ("O",), "perspective, none", lambda w: w.flatten()),
    Command("h, F1", ("H", "F1"), "this help", lambda w: w.show_help()),
    Command("q", ("Q",), "close", lambda w: w.leave()),
)


class Window:
    """Shows a player's source until it is closed; the source is left as it is then.

    Args:
        player: what is shown.
        size: width and height in pixels, at first.
        samples: a pixel's edge holds, so that outlines are smooth; None: 2 with a graphics card, 1 without.

    Attributes:
        player: what is shown.
        orbit: where from.

    Raises:
        InputError: no display, or none that draws with OpenGL 3.3.
        MatdesignError: a window is open already; there is one at a time.
    """

    player: Player
    orbit: Orbit

    def __init__(self, player: Player, *, size: tuple[int, int] = (1280, 720), samples: int | None = None) -> None:
        check_display()
        if rl.IsWindowReady():
            raise MatdesignError("a window is open already: close it first, there is one at a time")
        scene = player.scene()
        rl.SetTraceLogLevel(SILENT)
        rl.SetConfigFlags(rl.FLAG_WINDOW_RESIZABLE | rl.FLAG_VSYNC_HINT)
        rl.InitWindow(*size, f"matdesign: {player.source.title}".encode())
        if not rl.IsWindowReady() or rl.rlGetVersion() < rl.RL_OPENGL_33:
            raise InputError("no window with OpenGL 3.3 can be opened here: view in a browser, without window=true")
        rl.SetExitKey(rl.KEY_NULL)
        self.player = player
        self._geometry, self._panel = Geometry(), Panel()
        self._samples = samples or (1 if drawn_by_software() else 2)
        self._canvas: Any = None
        self._open, self._help = True, False
        self._drawn = self._due = -np.inf
        self._pressed = (0.0, 0.0)  # where the left button went down
        self._held: int | None = None  # sphere of the goal that is dragged,
        self._grip = np.zeros(3)  # and from the hand to its middle
        self._show(scene)
        self.orbit = Orbit(scene, *size)

    def run(self) -> None:
        """Play until the window is closed."""
        while self.update():
            time.sleep(max(0.0, self._due - time.monotonic()))
            self._due = max(self._due, time.monotonic()) + 1.0 / FRAMES_A_SECOND

    def update(self) -> bool:
        """Do what is due and asked for and draw it if it is new; return False when a person has closed the window."""
        moved = self._resize() | self._use_keys() | self._use_mouse()
        changed = self.player.tick()
        if changed:
            self._show(self.player.scene())
        if changed or moved or time.monotonic() - self._drawn > STILL:
            self._draw()
            rl.EndDrawing()  # collects what people do, too
            self._drawn = time.monotonic()
        else:
            rl.PollInputEvents()
        return self._open and not rl.WindowShouldClose()

    def picture(self) -> NDArray[np.uint8]:
        """What the window shows, [height, width, 3]."""
        self._draw()
        rl.rlDrawRenderBatchActive()
        width, height = rl.GetRenderWidth(), rl.GetRenderHeight()
        pixels = rl.rlReadScreenPixels(width, height)
        shown = (
            np.frombuffer(ffi.buffer(pixels, width * height * 4), np.uint8).reshape(height, width, 4)[..., :3].copy()
        )
        rl.MemFree(pixels)
        rl.EndDrawing()
        return shown

    def close(self) -> None:
        """Close the window."""
        if self._canvas is not None:
            rl.UnloadRenderTexture(self._canvas)
        self._geometry.close()
        self._panel.close()
        rl.CloseWindow()

    def back(self) -> None:
        """One frame back, where there are frames."""
        if self.player.source.frames:
            self.player.seek(self.player.source.frame - 1)

    def pick_next(self) -> None:
        """Pick the agent after the one that is picked."""
        if agents := self.player.source.agents:
            self.player.pick(0 if self.player.picked is None else (self.player.picked + 1) % agents)

    def let_go(self) -> None:
        """Give the keyboard back, or else let the picked agent go; close the help."""
        if self.player.steered is not None:
            self.player.take_keyboard()
        elif not self._help:
            self.player.pick(None)
        self._help = False

    def fit(self) -> None:
        """Have everything in view."""
        self.orbit.fit(self._scene)

    def flatten(self) -> None:
        """Perspective on or off."""
        self.orbit.perspective = not self.orbit.perspective

    def show_help(self) -> None:
        """Help on or off."""
        self._help = not self._help

    def leave(self) -> None:
        """End `run`."""
        self._open = False

    def _show(self, scene: Scene) -> None:
        self._scene = scene
        self._geometry.upload(scene)

    def _resize(self) -> bool:
        self.orbit.width_pixels, self.orbit.height_pixels = rl.GetScreenWidth(), max(rl.GetScreenHeight(), 1)
        return bool(rl.IsWindowResized())

    def _use_keys(self) -> bool:
        steering = self.player.steered is not None
        taken = set()
        if steering:
            for key, letter in [*ARROWS.items(), *((letter.upper(), letter) for letter in self.player.source.keys)]:
                taken.add(key)
                if rl.IsKeyDown(_code(key)) or rl.IsKeyPressed(_code(key)):
                    self.player.press(letter)
        used = False
        for command in COMMANDS:
            for key in command.keys:
                if key not in taken and (rl.IsKeyPressed(_code(key)) or rl.IsKeyPressedRepeat(_code(key))):
                    command.act(self)
                    used = True
        return used

    def _use_mouse(self) -> bool:
        place, way = rl.GetMousePosition(), rl.GetMouseDelta()
        left = rl.MOUSE_BUTTON_LEFT
        notches = rl.GetMouseWheelMove()
        if notches:
            self.orbit.zoom(notches)
        if rl.IsMouseButtonPressed(left):
            self._pressed = place.x, place.y
            self._grasp(place.x, place.y)
        if rl.IsMouseButtonReleased(left):
            self._held = None
            if np.hypot(place.x - self._pressed[0], place.y - self._pressed[1]) <= CLICK:
                self._click(place.x, place.y)
            return True
        if not (way.x or way.y):
            return bool(notches)
        shift = rl.IsKeyDown(rl.KEY_LEFT_SHIFT) or rl.IsKeyDown(rl.KEY_RIGHT_SHIFT)
        others = rl.IsMouseButtonDown(rl.MOUSE_BUTTON_RIGHT) or rl.IsMouseButtonDown(rl.MOUSE_BUTTON_MIDDLE)
        if others or (shift and rl.IsMouseButtonDown(left)):
            self.orbit.shift(way.x, way.y)
        elif rl.IsMouseButtonDown(left):
            if self._held is not None and self._held < len(self._scene.spheres):
                centre = self._scene.spheres[self._held, :3].astype(float)
                self.player.drag(self._held, triple(self.orbit.beside(centre, place.x, place.y) + self._grip))
            else:
                self.orbit.turn(way.x, way.y)
        else:
            return bool(notches)
        return True

    def _click(self, x: float, y: float) -> None:
        sphere = hit(*self.orbit.ray(x, y), self._scene.spheres)
        if sphere is not None:
            self.player.pick_sphere(sphere)

    def _grasp(self, x: float, y: float) -> None:
        """Take hold of the goal under the mouse, if there is one."""
        sphere = hit(*self.orbit.ray(x, y), self._scene.spheres, GRASP)
        if sphere is not None and self.player.source.goal(sphere) is not None:
            centre = self._scene.spheres[sphere, :3].astype(float)
            self._held, self._grip = sphere, centre - self.orbit.beside(centre, x, y)

    def _draw(self) -> None:
        self._draw_things()
        rl.BeginDrawing()
        panel, scene, player = self._panel, self._scene, self.player
        width, height = self.orbit.width_pixels, self.orbit.height_pixels
        panel.spread(self._canvas.texture, width, height)
        panel.label(scene, self.orbit)
        panel.legend(scene.legend, width, height)
        panel.triad(scene.legend.axes, self.orbit)
        self._ring()
        below = panel.table({"": self._state()}, SIZE, SIZE)
        title = "" if player.picked is None else f"agent {player.picked}"
        below = panel.table(player.reading(), SIZE, below + 0.5 * SIZE, title)
        if self._help:
            rows = {command.label: command.what for command in COMMANDS if command.label}
            panel.table(rows | MOUSE, SIZE, below + 0.5 * SIZE)

    def _draw_things(self) -> None:
        size = self._samples * self.orbit.width_pixels, self._samples * self.orbit.height_pixels
        if self._canvas is None or (self._canvas.texture.width, self._canvas.texture.height) != size:
            if self._canvas is not None:
                rl.UnloadRenderTexture(self._canvas)
            self._canvas = rl.LoadRenderTexture(*size)
            rl.SetTextureFilter(self._canvas.texture, rl.TEXTURE_FILTER_BILINEAR)
        rl.BeginTextureMode(self._canvas)
        rl.ClearBackground(PAPER)
        self._geometry.draw(self.orbit)
        rl.EndTextureMode()

    def _ring(self) -> None:
        """A ring about what is picked, where its mark is too small to be seen."""
        player, spheres = self.player, self._scene.spheres
        sphere = None if player.picked is None else player.source.sphere(player.picked)
        if sphere is not None and sphere < len(spheres):
            centre = spheres[sphere, :3].astype(float)
            (x, y), radius = self.orbit.to_pixels(centre[None])[0], spheres[sphere, 3]
            if radius * self.orbit.pixels_per_length(centre) < SMALL:
                self._panel.ring((float(x), float(y)), 2 * SMALL)

    def _state(self) -> str:
        player = self.player
        steering = () if player.steered is None else (f"you steer agent {player.steered}",)
        parts = (*steering, "playing" if player.playing else "paused", f"speed {player.speed:.2g}", "h: help")
        return ", ".join(part for part in (player.source.caption(), *parts) if part)


def check_display() -> None:
    """Refuse, with InputError, a machine on which no window can be opened."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise InputError(
            "there is no display to open a window on (DISPLAY is not set): view in a browser, without window=true, "
            "which works through SSH, too"
        )


def _code(key: str) -> int:
    return int(getattr(rl, f"KEY_{key}"))
