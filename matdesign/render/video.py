"""Pictures one after another: numbered PNG files, GIF, MP4 and WebM, written while they are drawn."""

import io
import re
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageChops

from matdesign.errors import InputError
from matdesign.files import whole_file
from matdesign.render.image import save
from matdesign.render.recording import check_rate

# Of each container, encoders in the order in which they are tried; browsers play all of them but MPEG-4, the last one.
ENCODERS = {
    ".mp4": ("libx264", "libopenh264", "libsvtav1", "mpeg4"),
    ".webm": ("libvpx-vp9", "libsvtav1", "libvpx"),
}
# Constant quality at which compression is hardly seen, in saturated colours too, faster than pictures are drawn.
OPTIONS = {
    "libx264": {"crf": "16", "preset": "veryfast", "x264-params": "chroma-qp-offset=-4"},
    "libsvtav1": {"crf": "24", "preset": "9"},
    "libvpx-vp9": {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"},
    "mpeg4": {"qmin": "2", "qmax": "4"},
}
# What a player is told of the colours, in the numbers of ITU-T H.273: BT.709, of limited range, with the curve of sRGB.
COLOURS = {"colorspace": 1, "color_primaries": 1, "color_range": 1, "color_trc": 13}
SUFFIXES = (".gif", *ENCODERS)
NUMBER = re.compile(r"%0?\d*d")  # where the name of a numbered picture has its number
GIF_FASTEST = 50.0  # frames per second: browsers slow down what is faster
FOR_EVER = b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"


def is_film(path: Path) -> bool:
    """Whether the name asks for many pictures: a film, or numbered files."""
    return path.suffix in SUFFIXES or (path.suffix == ".png" and NUMBER.search(path.name) is not None)


def check_video(path: Path, fps: float) -> None:
    """Refuse what could not be written, before anything is drawn.

    Raises:
        InputError: a name that asks for no film, no encoder for its format, or a rate it cannot have.
    """
    check_rate(fps)
    if not is_film(path):
        raise InputError(f"{path} is no film: use {', '.join(SUFFIXES)}, or numbered pictures such as frame-%04d.png")
    if path.suffix in ENCODERS:
        _encoder(path.suffix)
    elif path.suffix == ".gif" and fps > GIF_FASTEST:
        raise InputError(f"fps is {fps:g}: a GIF is shown at {GIF_FASTEST:g} frames per second at most")


def save_video(images: Iterable[Image.Image], path: Path, *, fps: float) -> None:
    """Write pictures as they come, one at a time in memory.

    MP4 holds H.264 and WebM VP9, or what else of `ENCODERS` PyAV was built with, in BT.709 colours; their edges have an
    even number of pixels, the last row or column twice if need be. A GIF repeats for ever, has 256 colours a frame, and
    stores of each frame the rectangle that changed. A film is there whole or not at all.

    Args:
        images: at least one, all of one size; what is transparent becomes white, except in PNG.
        path: its suffix is the format; `%04d` in the name of a PNG becomes the number of the frame, from 0.
        fps: frames shown in a second; a PNG has none.

    Raises:
        InputError: as `check_video`; no pictures, pictures of different sizes, a place that cannot be written.
    """
    check_video(path, fps)
    if path.suffix == ".png":
        for number, image in enumerate(images):
            save(image, numbered(path, number))
        return
    write: Callable[[Iterator[Image.Image], Path, str, float], None]
    write = _write_gif if path.suffix == ".gif" else _write_movie
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary:
            write(_of_one_size(images), temporary, path.suffix, fps)
    except OSError as error:  # PyAV's errors are of this kind too
        raise InputError(f"cannot write {str(path)!r} ({error}): name another place, or free space") from error


def numbered(path: Path, number: int) -> Path:
    """`frame-%04d.png` as the name of one frame."""
    return path.with_name(NUMBER.sub(lambda found: found[0] % number, path.name))


def _of_one_size(images: Iterable[Image.Image]) -> Iterator[Image.Image]:
    size = None
    for image in images:
        if size is not None and image.size != size:
            raise InputError(f"pictures of {size} and of {image.size} pixels in one film: draw all in one size")
        size = image.size
        yield _opaque(image)
    if size is None:
        raise InputError("a film needs at least one picture, there is none")


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def _encoder(suffix: str) -> str:
    for name in ENCODERS[suffix]:
        try:
            av.codec.Codec(name, "w")
        except av.codec.codec.UnknownCodecError:
            continue
        return name
    raise InputError(
        f"PyAV has no encoder for {suffix} here (needed: one of {', '.join(ENCODERS[suffix])}): write .gif, or install "
        "PyAV from its wheel: pip install --force-reinstall --only-binary av av"
    )


def _write_movie(images: Iterator[Image.Image], file: Path, suffix: str, fps: float) -> None:
    first = next(images)
    name = _encoder(suffix)
    # The table of contents goes to the front: a browser shows the film while it loads.
    options = {"movflags": "+faststart"} if suffix == ".mp4" else {}
    with av.open(str(file), "w", format=suffix[1:], options=options) as container:
        stream = container.add_stream(name, rate=Fraction(fps).limit_denominator(1000), options=OPTIONS.get(name, {}))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = (edge + edge % 2 for edge in first.size)
        stream.pix_fmt = "yuv420p"
        for tag, code in COLOURS.items():
            setattr(stream.codec_context, tag, code)
        for image in chain([first], images):
            pixels = np.pad(np.asarray(image), [(0, image.height % 2), (0, image.width % 2), (0, 0)], mode="edge")
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace="ITU709")))
        container.mux(stream.encode())


def _write_gif(images: Iterator[Image.Image], file: Path, suffix: str, fps: float) -> None:
    """Frames with palettes of their own, one after another; the format is that of W3C's copy of GIF89a."""
    shown: Image.Image | None = None
    with file.open("wb") as out:
        for number, image in enumerate(images):
            if shown is None:
                out.write(b"GIF89a" + _words(*image.size) + bytes(3) + FOR_EVER)
                box = (0, 0, *image.size)
            else:  # a frame without change still lasts its time
                box = ImageChops.difference(shown, image).getbbox() or (0, 0, 1, 1)
            # Hundredths of a second, rounded so that they add up.
            duration = round(100 * (number + 1) / fps) - round(100 * number / fps)
            out.write(b"!\xf9\x04\x04" + _words(duration) + bytes(2))
            out.write(_gif_image(image.crop(box), box[0], box[1]))
            shown = image
        out.write(b";")


def _gif_image(image: Image.Image, left: int, top: int) -> bytes:
    """An image block with a palette of its own, taken from the file that Pillow writes of the picture alone.

    In that file the palette stands in front, before the block: behind 13 bytes, the last but two of them its size.
    """
    file = io.BytesIO()
    image.quantize(256, dither=Image.Dither.NONE).save(file, "GIF", interlace=0)
    data = file.getvalue()
    size = data[10] & 7  # of the palette: 2^(size + 1) colours
    start = 13 + (6 << size)
    descriptor = b"," + _words(left, top, *image.size) + bytes([0x80 | size])
    return descriptor + data[13:start] + data[start + len(descriptor) : -1]


def _words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(2, "little") for number in numbers)
