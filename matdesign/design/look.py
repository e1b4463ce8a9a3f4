"""What `matdesign render` can be told: KEY=VALUE texts, checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from matdesign.errors import InputError
from matdesign.render.atoms import AXES, Bonds, Slice
from matdesign.render.camera import Camera
from matdesign.render.colours import Scalar
from matdesign.render.image import LARGEST, SMALLEST, WHITE
from matdesign.render.recording import check_rate
from matdesign.render.shading import FAST, FINE, Quality
from matdesign.scene import Triple

CAMERAS = {
    "corner": Camera(),
    "front": Camera(towards=(0.0, -1.0, 0.0)),
    "right": Camera(towards=(1.0, 0.0, 0.0)),
    "top": Camera(towards=(0.0, 0.0, 1.0), up=(0.0, 1.0, 0.0)),
}
BACKGROUNDS: Mapping[str, Triple | None] = {"white": WHITE, "black": (0.0, 0.0, 0.0), "transparent": None}

QUALITIES = {"fast": FAST, "fine": FINE}
FLAGS = {"true": True, "false": False}


@dataclass(frozen=True, kw_only=True)
class Look:
    """How something is shown.

    Attributes:
        frames: which of them; None: all of a trajectory, one episode of a rollout.
        fps: frames shown in a second; None: those of a recording, else 25.
        size: width and height in pixels.
        camera: where from; None: as the scene asks for.
        orthographic: whether what is far is as large as what is near.
        color: scalar that gives atoms their colours; None: their species.
        bonds: which atoms have bonds; None: none.
        axes: "xyz" or "abc" for a triad of axes.
        slice: planes between which atoms are shown; None: all.
        background: red, green, blue; None: transparent.
        captions: whether a film shows the labels of its frames.
        quality: how finely pictures are drawn; None: fine, and those of films fast.
        species: chemical symbol of LAMMPS types 1, 2, ...
        seed: of a rollout; None: the one that the run is evaluated with.
    """

    frames: slice | None = None
    fps: float | None = None
    size: tuple[int, int] = (1280, 720)
    camera: Camera | None = None
    orthographic: bool = False
    color: Scalar | None = None
    bonds: Bonds | None = None
    axes: str | None = None
    slice: Slice | None = None
    background: Triple | None = WHITE
    captions: bool = True
    quality: Quality | None = None
    species: tuple[str, ...] = ()
    seed: int | None = None

    @property
    def of_atoms(self) -> dict[str, Any]:
        """What concerns atoms, as options of `record_atoms`; only what was asked for."""
        slices = () if self.slice is None else (self.slice,)
        options = {"colour": self.color, "bonds": self.bonds, "axes": self.axes, "slices": slices}
        return {name: value for name, value in options.items() if value}

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Self:
        """Read texts such as frames=0:100:2, size=1280x720, camera=top or camera=1,0,0.5.

        Raises:
            InputError: a text that cannot be read.
        """
        values: dict[str, Any] = {}
        for name, text in given.items():
            read, example = SETTINGS[name]
            try:
                values[name] = read(text)
            except (ValueError, KeyError):
                raise InputError(f"{name}={text} cannot be read: use {example}") from None
        look = cls(**values)
        if look.fps is not None:
            check_rate(look.fps)
        if not all(SMALLEST <= edge <= LARGEST for edge in look.size):
            raise InputError(f"size={given['size']}: give a width and a height from {SMALLEST} to {LARGEST} pixels")
        return look


def _frames(text: str) -> slice:
    parts = [int(part) if part else None for part in text.split(":")]
    if len(parts) == 1 and parts[0] is not None:
        return slice(parts[0], parts[0] + 1 or None)
    if len(parts) == 1 or len(parts) > 3 or parts[2:] == [0]:
        raise ValueError
    return slice(*parts)


def _size(text: str) -> tuple[int, int]:
    width, height = map(int, text.split("x"))
    return width, height


def _camera(text: str) -> Camera:
    if text in CAMERAS:
        return CAMERAS[text]
    x, y, z = map(float, text.strip("[]").split(","))
    return Camera(towards=(x, y, z), up=(0.0, 1.0, 0.0) if x == y == 0 else (0.0, 0.0, 1.0))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.strip("[]").split(","))


def _color(text: str) -> Scalar | None:
    return None if text == "species" else Scalar(values=text)


def _bonds(text: str) -> Bonds | None:
    return (Bonds() if _flag(text) else None) if text in FLAGS else Bonds(cutoff=float(text))


def _axes(text: str) -> str:
    return AXES[AXES.index(text)]


def _slice(text: str) -> Slice:
    normal, low, high = text.split(":")
    h_k_l = tuple(map(int, normal)) if normal.isdecimal() else normal
    return Slice(normal=h_k_l, low=float(low or "-inf"), high=float(high or "inf"))  # type: ignore[arg-type]


def _flag(text: str) -> bool:
    return FLAGS[text]


# How a text becomes a value, and what a person may write.
SETTINGS: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "frames": (_frames, "frames=START:STOP:STEP or the number of one frame"),
    "fps": (float, "a number of frames per second"),
    "size": (_size, "size=WIDTHxHEIGHT in pixels"),
    "camera": (_camera, f"one of {', '.join(CAMERAS)}, or a direction such as camera=1,0,0.5"),
    "orthographic": (_flag, "true or false"),
    "color": (_color, "species, or the name of an array of the atoms"),
    "bonds": (_bonds, "true, false or the length of the longest bond"),
    "axes": (_axes, "xyz or abc"),
    "slice": (_slice, "slice=z:LOW:HIGH, or Miller indices in place of x, y, z"),
    "background": (BACKGROUNDS.__getitem__, f"one of {', '.join(BACKGROUNDS)}"),
    "quality": (QUALITIES.__getitem__, f"one of {', '.join(QUALITIES)}"),
    "captions": (_flag, "true or false"),
    "species": (_names, "chemical symbols, species=[Si,Ge]"),
    "seed": (int, "a whole number"),
}
