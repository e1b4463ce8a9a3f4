"""What is written over the things in a window: texts, panels, the legend and a triad of axes; needs raylib's window."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from matdesign.render.geometry import pointer
from matdesign.render.graphics import ffi, rl
from matdesign.render.orbit import Orbit
from matdesign.render.overlay import AXES, DARK, draw_legend, font_file, legend_width
from matdesign.scene import Legend, Scene, Triple

SIZE = 16.0  # pixels, of letters
LARGE = 64.0  # of those in the scene, reduced
LINE = 1.35  # distance of lines, in letters
WIDEST = 36  # letters of a value
NARROWEST = 230.0  # pixels of a panel, so that numbers do not make it flutter
PAPER, PANEL = (255, 255, 255, 255), (246, 247, 249, 225)
CLEAR, MARGIN = (255, 255, 255, 0), SIZE
INK, FAINT = (*DARK, 255), (105, 110, 118, 255)
RING = (214, 140, 0, 255)
CODEPOINTS = (*range(32, 127), *range(160, 256), *range(0x370, 0x400), 0x2212, 0x2219)  # ASCII, Latin-1, Greek, signs


class Panel:
    """Writes over a picture; colours are red, green, blue, opacity in 0..255."""

    def __init__(self) -> None:
        codepoints = ffi.new("int[]", CODEPOINTS)
        file = str(font_file()).encode()
        self._font, self._large = (
            rl.LoadFontEx(file, round(size), codepoints, len(CODEPOINTS)) for size in (SIZE, LARGE)
        )
        rl.GenTextureMipmaps(ffi.addressof(self._large, "texture"))
        rl.SetTextureFilter(self._large.texture, rl.TEXTURE_FILTER_TRILINEAR)
        self._legend: Any = None
        self._known: object = None

    def write(self, text: str, x: float, y: float, colour: Sequence[int] = INK) -> None:
        """A line of text with its upper left corner there."""
        rl.DrawTextEx(self._font, text.encode(), (round(x), round(y)), SIZE, 0.0, tuple(colour))

    def width(self, text: str) -> float:
        """Pixels that a line takes."""
        return float(rl.MeasureTextEx(self._font, text.encode(), SIZE, 0.0).x)

    def spread(self, picture: Any, width: int, height: int) -> None:
        """Cover everything with a picture of OpenGL's, whose first row is the lowest."""
        rl.rlDrawRenderBatchActive()
        rl.rlDisableColorBlend()
        whole = (0, 0, picture.width, -picture.height)
        rl.DrawTexturePro(picture, whole, (0, 0, width, height), (0, 0), 0.0, PAPER)
        rl.rlDrawRenderBatchActive()
        rl.rlEnableColorBlend()

    def table(self, rows: Mapping[str, str], x: float, y: float, title: str = "") -> float:
        """Names and values on a ground of their own; returns where it ends below."""
        lines = [(title, "")] if title else []
        for name, value in rows.items():
            parts = textwrap.wrap(value, WIDEST) or [""]
            lines += [(name if i == 0 else "", part) for i, part in enumerate(parts)]
        if not lines:
            return y
        left = max((self.width(name) + SIZE for name, value in lines if name and value), default=0.0)
        wide = max(NARROWEST, *(left + self.width(value) if value else self.width(name) for name, value in lines))
        high = len(lines) * LINE * SIZE
        rl.DrawRectangleRounded((x, y, wide + 1.5 * SIZE, high + SIZE), 0.5 * SIZE / (high + SIZE), 6, PANEL)
        for i, (name, value) in enumerate(lines):
            at = y + (0.55 + i * LINE) * SIZE
            self.write(name, x + 0.75 * SIZE, at, FAINT if value else INK)
            self.write(value, x + 0.75 * SIZE + left, at)
        return y + high + SIZE

    def ring(self, place: tuple[float, float], radius: float) -> None:
        """A ring about something that is small; pixels."""
        rl.DrawRing(place, radius, radius + 2.5, 0.0, 360.0, 48, RING)

    def label(self, scene: Scene, orbit: Orbit) -> None:
        """The texts of a scene at their places."""
        for text in scene.texts:
            place = np.array(text.position, float)
            size = text.size * orbit.pixels_per_length(place)
            if not 2 < size < 4 * LARGE:
                continue
            (x, y), words = orbit.to_pixels(place[None])[0], text.text.encode()
            extent = rl.MeasureTextEx(self._large, words, size, 0.0)
            colour = tuple(round(255 * part) for part in text.rgba)
            rl.DrawTextEx(self._large, words, (x - extent.x / 2, y - extent.y / 2), size, 0.0, colour)

    def legend(self, legend: Legend, width: int, height: int) -> None:
        """What colours mean, on the right."""
        bar = legend.colour_bar
        known = (legend.names, bar and (bar.low, bar.high, bar.label), height)
        if known != self._known:
            self._known = known
            self._forget_legend()
            if wide := legend_width(legend, height):
                wide += round(MARGIN)
                image = Image.new("RGBA", (wide, height), CLEAR)
                draw_legend(image, legend, round(MARGIN), DARK)
                last = int(np.nonzero(np.asarray(image)[..., 3])[0].max(initial=0))  # row with something in it
                below = min(height, last + round(MARGIN))
                ground = Image.new("RGBA", (wide, below), PANEL)
                ground.alpha_composite(image.crop((0, 0, wide, below)))
                self._legend = _texture(ground)
        if self._legend is not None:
            rl.DrawTexture(self._legend, width - self._legend.width, 0, PAPER)

    def triad(self, axes: tuple[tuple[str, Triple], ...], orbit: Orbit) -> None:
        """Directions in the scene, as the camera sees them, in the lower left corner."""
        middle, length = np.array([4.0 * SIZE, orbit.height_pixels - 4.0 * SIZE]), 2.6 * SIZE
        seen = [orbit.axes @ np.array(way) / np.linalg.norm(way) for _, way in axes]
        for i in sorted(range(len(axes)), key=lambda i: float(seen[i][2])):
            way = seen[i][:2] * [1.0, -1.0]
            colour, name = (*AXES[i % len(AXES)], 255), axes[i][0]
            rl.DrawLineEx(tuple(middle), tuple(middle + length * way), 3.0, colour)
            x, y = middle + (length + 0.7 * SIZE) * way
            self.write(name, x - self.width(name) / 2, y - SIZE / 2)

    def close(self) -> None:
        """Free what is on the card."""
        self._forget_legend()
        rl.UnloadFont(self._font)
        rl.UnloadFont(self._large)

    def _forget_legend(self) -> None:
        if self._legend is not None:
            rl.UnloadTexture(self._legend)
        self._legend = None


def _texture(image: Image.Image) -> Any:
    pixels = np.asarray(image)
    described = {"data": pointer(pixels), "width": image.width, "height": image.height, "mipmaps": 1}
    described["format"] = rl.PIXELFORMAT_UNCOMPRESSED_R8G8B8A8
    return rl.LoadTextureFromImage(ffi.new("Image *", described)[0])
