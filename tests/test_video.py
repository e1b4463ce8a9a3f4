"""Films, decoded again: their pictures, their number, their rate."""

import itertools
import os
import tracemalloc

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageSequence

from matdesign.errors import InputError
from matdesign.render import video
from matdesign.render.video import save_video

COLOURS = [(255, 0, 0), (0, 128, 0), (0, 0, 255), (255, 200, 0), (120, 120, 120)]


def pictures(count=12, size=(96, 64)):
    """A square of changing colour that moves over white."""
    for i in range(count):
        image = Image.new("RGB", size, "white")
        left = 4 + 3 * i
        ImageDraw.Draw(image).rectangle((left, 16, left + 23, 39), fill=COLOURS[i % len(COLOURS)])
        yield image


def decoded(path):
    """Frames as RGB arrays, and their times in seconds."""
    if path.suffix == ".gif":
        with Image.open(path) as film:
            shown = [
                (np.asarray(frame.convert("RGB")), film.info["duration"]) for frame in ImageSequence.Iterator(film)
            ]
        ends = np.cumsum([duration for _, duration in shown]) / 1000
        return [frame for frame, _ in shown], np.concatenate([[0], ends[:-1]])
    with av.open(str(path)) as film:
        frames = list(film.decode(video=0))
    pixels = [frame.to_ndarray(format="rgb24", src_colorspace="ITU709") for frame in frames]
    return pixels, np.array([frame.time for frame in frames])


@pytest.mark.parametrize("suffix", [".gif", ".mp4", ".webm"])
@pytest.mark.parametrize("fps", [10, 30])
def test_what_is_decoded_is_what_was_drawn(tmp_path, suffix, fps):
    path = tmp_path / "new" / f"film{suffix}"
    save_video(pictures(), path, fps=fps)
    frames, times = decoded(path)
    drawn = list(pictures())
    assert len(frames) == len(drawn)
    assert times == pytest.approx(np.arange(len(drawn)) / fps, abs=0.0051 if suffix == ".gif" else 0.0011)
    for number, (frame, image) in enumerate(zip(frames, drawn, strict=True)):
        left = 4 + 3 * number
        # BT.601 taken for BT.709 would be off by 20 and more. Compression rings near edges, hence the median.
        square = frame[16:40, left : left + 24]
        assert np.abs(np.median(square, axis=(0, 1)) - COLOURS[number % len(COLOURS)]).max() <= 6
        assert frame[48:].min() >= 249
        assert np.abs(frame.astype(int) - np.asarray(image)).mean() < 3
        if suffix == ".gif":
            assert np.array_equal(frame, np.asarray(image))
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208 nothing temporary is left


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "h264"), (".webm", "vp9")])
def test_what_players_need(tmp_path, suffix, codec):
    path = tmp_path / f"film{suffix}"
    save_video(pictures(), path, fps=29.97)
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        assert stream.codec_context.name == codec
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert float(stream.average_rate) == pytest.approx(29.97, rel=1e-3)
        assert stream.codec_context.colorspace == 1  # BT.709
    if suffix == ".mp4":  # the table of contents stands before the pictures
        data = path.read_bytes()
        assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("suffix", [".gif", ".mp4", ".webm"])
def test_odd_sizes(tmp_path, suffix):
    path = tmp_path / f"film{suffix}"
    save_video(pictures(3, (97, 63)), path, fps=10)
    frames, _ = decoded(path)
    assert frames[0].shape == ((63, 97, 3) if suffix == ".gif" else (64, 98, 3))
    assert np.abs(np.median(frames[2][16:40, 10:34], axis=(0, 1)) - COLOURS[2]).max() <= 6
    assert frames[2][-1].min() >= 249


def test_a_gif_stands_still_for_as_long_as_its_pictures_do(tmp_path):
    image = next(pictures())
    save_video(itertools.repeat(image, 5), tmp_path / "still.gif", fps=10)
    frames, times = decoded(tmp_path / "still.gif")
    assert len(frames) == 5
    assert times == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert all(np.array_equal(frame, np.asarray(image)) for frame in frames)
    with Image.open(tmp_path / "still.gif") as film:
        assert film.info["loop"] == 0  # for ever


def test_numbered_pictures(tmp_path):
    save_video(pictures(3), tmp_path / "all" / "frame-%03d.png", fps=10)
    for number, image in enumerate(pictures(3)):
        assert Image.open(tmp_path / "all" / f"frame-{number:03d}.png").tobytes() == image.tobytes()
    assert len(list((tmp_path / "all").iterdir())) == 3


def test_transparent_pictures_get_a_white_background(tmp_path):
    clear = Image.new("RGBA", (32, 32), (255, 0, 0, 128))
    save_video([clear], tmp_path / "a.gif", fps=10)
    frames, _ = decoded(tmp_path / "a.gif")
    assert np.abs(frames[0].astype(int) - (255, 127, 127)).max() <= 1


@pytest.mark.parametrize("suffix", [".gif", ".mp4", ".webm"])
def test_pictures_are_not_kept(tmp_path, suffix):
    """Four times as many pictures take no more memory; encoders hold back a few of them."""

    def peak(count):
        tracemalloc.start()
        save_video((Image.effect_noise((320, 240), 60).convert("RGB") for _ in range(count)), path, fps=25)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    path = tmp_path / f"film{suffix}"
    assert peak(80) < 1.5 * peak(20)


def test_a_film_is_whole_or_not_there(tmp_path):
    def broken():
        yield from pictures(3)
        raise RuntimeError("the simulation ended")

    for suffix in (".gif", ".mp4", ".webm"):
        path = tmp_path / f"film{suffix}"
        path.write_bytes(b"the old one")
        with pytest.raises(RuntimeError):
            save_video(broken(), path, fps=10)
        assert path.read_bytes() == b"the old one"
    assert len(list(tmp_path.iterdir())) == 3


def test_bad_input(tmp_path, monkeypatch):
    one = list(pictures(1))
    for name in ("film.avi", "film", "film.png", "film.mp4.txt"):
        with pytest.raises(InputError, match=r"is no film: use \.gif, \.mp4, \.webm, or numbered"):
            save_video(one, tmp_path / name, fps=10)
    with pytest.raises(InputError, match="fps is 0"):
        save_video(one, tmp_path / "a.mp4", fps=0)
    with pytest.raises(InputError, match="fps is 60: a GIF"):
        save_video(one, tmp_path / "a.gif", fps=60)
    for suffix in (".gif", ".mp4", ".webm"):
        with pytest.raises(InputError, match="at least one picture"):
            save_video([], tmp_path / f"a{suffix}", fps=10)
        with pytest.raises(InputError, match="one size"):
            save_video([*pictures(1), *pictures(1, (32, 32))], tmp_path / f"a{suffix}", fps=10)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        save_video(one, tmp_path / "file" / "a.mp4", fps=10)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    monkeypatch.setattr(video, "ENCODERS", {".mp4": ("nobody_has_this",), ".webm": ("nor_this",)})
    with pytest.raises(InputError, match=r"no encoder for \.mp4 here \(needed: one of nobody_has_this\): write \.gif"):
        save_video(one, tmp_path / "a.mp4", fps=10)


def test_another_encoder_takes_over(tmp_path, monkeypatch):
    monkeypatch.setitem(video.ENCODERS, ".mp4", ("nobody_has_this", "mpeg4"))
    save_video(pictures(), tmp_path / "a.mp4", fps=10)
    frames, _ = decoded(tmp_path / "a.mp4")
    assert np.abs(np.median(frames[7][16:40, 25:49], axis=(0, 1)) - COLOURS[2]).max() <= 6
