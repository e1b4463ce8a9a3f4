"""What stands beside the things in a picture: texts, a colour bar, names of colours, a triad of axes."""

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from matdesign.render.camera import View
from matdesign.scene import ColourBar, Legend, Scene, Triple

DARK, LIGHT = (30, 32, 36), (235, 237, 240)
# Okabe and Ito's vermilion, bluish green and blue, which the colour-blind tell apart.
AXES = ((213, 94, 0), (0, 158, 115), (0, 114, 178))
SMOOTH = 4  # drawn this many times larger, then reduced


def font_file() -> Path:
    """DejaVu Sans, which has Greek letters and superscripts; it comes with matplotlib."""
    package = importlib.util.find_spec("matplotlib")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"


@cache
def font(size: float) -> ImageFont.FreeTypeFont:
    """The font of all writing, with letters of `size` pixels."""
    return ImageFont.truetype(font_file(), size)


def ink(background: Triple | None) -> tuple[int, int, int]:
    """Colour of writing that is read on this background; what is transparent is put on paper."""
    return DARK if background is None or np.dot(background, (0.3, 0.6, 0.1)) > 0.45 else LIGHT


def write_texts(image: Image.Image, scene: Scene, view: View, samples: int) -> None:
    """Writes the texts of a scene at their places."""
    draw = ImageDraw.Draw(image)
    for text in scene.texts:
        point = view.to_camera(np.array([text.position], float))
        x, y = view.to_pixels(point)[0] / samples
        height = text.size * view.scale * float(view.magnification(point[:, 2])[0]) / samples
        fill = tuple(round(255 * value) for value in text.rgba)
        draw.text((x, y), text.text, font=font(max(4.0, height)), fill=fill[: len(image.mode)], anchor="mm")


def legend_width(legend: Legend, height: int) -> int:
    """Pixels that names and the colour bar take on the right of a picture of this height."""
    size = _letter(height)
    wide = max((font(size).getlength(name) + 2.2 * size for name, _ in legend.names), default=0.0)
    if bar := legend.colour_bar:
        numbers = max(font(size).getlength(_number(value, bar)) for value in ticks(bar.low, bar.high))
        wide = max(wide, font(size).getlength(bar.label), numbers + 2.2 * size)
    return round(wide + 1.5 * size) if wide else 0


def draw_legend(image: Image.Image, legend: Legend, left: int, colour: tuple[int, int, int]) -> None:
    """Draws names and the colour bar to the right of column `left`."""
    size = _letter(image.height)
    draw = ImageDraw.Draw(image)
    for i, (name, rgb) in enumerate(legend.names):
        y = 2.0 * size + 1.7 * size * i
        disc = Image.new("L", (SMOOTH * 2 * round(size),) * 2)
        ImageDraw.Draw(disc).ellipse([SMOOTH * 0.5 * size, SMOOTH * 0.5 * size, *(SMOOTH * 1.5 * size,) * 2], fill=255)
        disc = disc.resize((2 * round(size),) * 2, Image.Resampling.BOX)
        image.paste(tuple(round(255 * c) for c in rgb), (round(left - 0.5 * size), round(y - size)), disc)
        draw.text((left + 1.4 * size, y), name, font=font(size), fill=colour, anchor="lm")
    if bar := legend.colour_bar:
        first = 2.0 * size + 1.7 * size * len(legend.names)
        draw.text((left, first), bar.label, font=font(size), fill=colour, anchor="lm")
        top, bottom = round(first + 1.5 * size), image.height - round(2 * size)
        right = left + round(size)
        rows = np.linspace(len(bar.colours) - 1, 0, bottom - top).round().astype(int)
        strip = np.round(255 * bar.colours[rows]).astype(np.uint8)[:, None].repeat(right - left, axis=1)
        image.paste(Image.fromarray(strip), (left, top))
        draw.rectangle([left, top, right - 1, bottom - 1], outline=colour)
        for value in ticks(bar.low, bar.high):
            y = bottom - 0.5 - (bottom - top - 1) * (value - bar.low) / (bar.high - bar.low)
            draw.line([right, y, right + 0.3 * size, y], fill=colour)
            draw.text((right + 0.5 * size, y), _number(value, bar), font=font(size), fill=colour, anchor="lm")


def draw_triad(image: Image.Image, axes: tuple[tuple[str, Triple], ...], view: View, behind: Triple | None) -> None:
    """Draws arrows along the axes, as the camera sees their directions, in the lower left corner."""
    size = SMOOTH * _letter(image.height)
    edge = round(7.0 * size)
    middle, length = edge / 2, 2.3 * size
    patch = Image.new("RGBA", (edge, edge), (*(ink(behind)), 0))
    draw = ImageDraw.Draw(patch)
    seen = {name: view.axes @ np.array(axis) / np.linalg.norm(axis) for name, axis in axes}
    for i, (name, direction) in sorted(enumerate(seen.items()), key=lambda item: item[1][1][2]):
        flat = np.array([direction[0], -direction[1]])
        end, head = middle + length * flat, middle + (length - 0.6 * size) * flat
        across = 0.28 * size * np.array([-flat[1], flat[0]]) / max(float(np.linalg.norm(flat)), 1e-6)
        colour = (*AXES[i % 3], 255)
        draw.line([middle, middle, *head], fill=colour, width=max(1, round(0.16 * size)))
        draw.polygon([*end, *(head + across), *(head - across)], fill=colour)
        place = middle + (length + 0.65 * size) * flat
        if np.linalg.norm(flat) < 0.15:  # it comes straight at the eye
            place = np.array([middle - 0.65 * size, middle + 0.65 * size])
            draw.circle([middle, middle], 0.25 * size, fill=colour)
        draw.text(tuple(place), name, font=font(size), fill=(*ink(behind), 255), anchor="mm")
    patch = patch.resize((edge // SMOOTH,) * 2, Image.Resampling.LANCZOS)
    corner = (0, image.height - patch.height)
    if image.mode == "RGBA":
        image.alpha_composite(patch, corner)
    else:
        image.paste(patch, corner, patch)


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high, at least three and as few as can be: 1, 2 or 5 times a power of ten apart."""
    power = 10.0 ** np.floor(np.log10(high - low))
    for step in (factor * power for factor in (5, 2, 1, 0.5, 0.2, 0.1)):
        first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
        if last - first >= 2:
            break
    return [float(i * step) for i in range(first, last + 1)]


def _number(value: float, bar: ColourBar) -> str:
    step = np.diff(ticks(bar.low, bar.high))[0]
    digits = max(0, -int(np.floor(np.log10(step) + 1e-9)))
    return f"{value:.{digits}f}" if digits < 5 and abs(value) < 1e6 else f"{value:.3g}"


def _letter(height: int) -> int:
    """Height of letters in a picture of this height, in pixels."""
    return max(9, round(height / 34))
