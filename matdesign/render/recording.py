"""A recording: the scenes of a rollout or a trajectory in their order, to be replayed by any renderer."""

import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from numpy.typing import NDArray

from matdesign.errors import InputError
from matdesign.files import replace_file
from matdesign.render.atoms import FILL, FILL_WITH_BONDS, Bonds, scene_from_atoms, touching_radii
from matdesign.render.colours import Scalar
from matdesign.scene import ColourBar, Legend, Scene, Text

Frame = tuple[Scene, Mapping[str, float]]  # and the value of each label

SUFFIX = ".npz"
FPS = 25.0
SHAPES = ("spheres", "cylinders", "lines", "boxes")
MOST_SHAPES = 50_000_000  # of all frames; 2.2 GB at the most
FRAME = 50  # shapes that would take the memory of what else a frame holds
MOST_BYTES = 4 << 30  # of a file, unpacked


@dataclass(frozen=True, kw_only=True)
class Recording(Sequence[Scene]):
    """Scenes at equal intervals, and numbers that go with them; a sequence of `Scene`, slices are recordings too.

    Attributes:
        scenes: at least one.
        fps: frames shown in a second.
        labels: what is known of each frame, by a name that holds the unit ("energy (eV)"), float64 [frames]; NaN where
            there is no value.

    Raises:
        InputError: no scenes, labels of another length, or a rate out of range.
    """

    scenes: Sequence[Scene]
    fps: float = FPS
    labels: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.scenes:
            raise InputError("a recording needs at least one frame, there is none")
        check_rate(self.fps)
        for name, values in self.labels.items():
            if np.shape(values) != (len(self.scenes),):
                raise InputError(f"label {name!r} has shape {np.shape(values)}: give one number for each frame")

    @classmethod
    def of(cls, frames: Iterable[Frame], *, fps: float = FPS) -> Self:
        """Collect frames, such as those of `matdesign.design.rollout`.

        Raises:
            InputError: there are none, or more than memory should hold.
        """
        scenes: list[Scene] = []
        rows: list[Mapping[str, float]] = []
        shapes = 0
        for scene, labels in frames:
            shapes += FRAME + sum(len(getattr(scene, name)) for name in SHAPES)
            if shapes > MOST_SHAPES:
                raise InputError(f"{len(scenes)} frames hold more than {MOST_SHAPES} shapes: record fewer frames")
            scenes.append(scene)
            rows.append(labels)
        names = dict.fromkeys(name for row in rows for name in row)
        columns = {name: np.array([row.get(name, np.nan) for row in rows], np.float64) for name in names}
        return cls(scenes=scenes, fps=fps, labels=columns)

    def __len__(self) -> int:
        return len(self.scenes)

    @overload
    def __getitem__(self, index: int) -> Scene: ...
    @overload
    def __getitem__(self, index: slice) -> "Recording": ...
    def __getitem__(self, index: int | slice) -> "Scene | Recording":
        if not isinstance(index, slice):
            return self.scenes[index]
        labels = {name: values[index] for name, values in self.labels.items()}
        return Recording(scenes=self.scenes[index], fps=self.fps, labels=labels)

    def __iter__(self) -> Iterator[Scene]:
        return iter(self.scenes)

    def caption(self, index: int) -> str:
        """The labels of one frame as a line of text: "step 12   energy (eV) -44.33"."""
        known = {name: float(values[index]) for name, values in self.labels.items() if np.isfinite(values[index])}
        return "   ".join(f"{name} {value:.5g}" for name, value in known.items())

    def save(self, path: Path) -> None:
        """Write a compressed .npz file that holds plain arrays only, whole or not at all.

        Raises:
            InputError: the name ends in something else, or the file cannot be written.
        """
        if path.suffix != SUFFIX:
            raise InputError(f"recording {str(path)!r}: its name must end in {SUFFIX}")
        arrays: dict[str, NDArray[Any]] = {}
        for name in SHAPES:
            rows = [getattr(scene, name) for scene in self.scenes]
            arrays[name] = np.concatenate(rows)
            arrays[f"{name}_counts"] = np.array([len(part) for part in rows], np.int64)
        texts = [[asdict(text) for text in scene.texts] for scene in self.scenes]
        legends = [_plain_legend(scene.legend) for scene in self.scenes]
        labels = {name: np.asarray(values, float).tolist() for name, values in self.labels.items()}
        # JSON of its own for what is no array of numbers: NumPy would pickle it.
        words = json.dumps({"fps": self.fps, "labels": labels, "texts": texts, "legends": legends}).encode()
        arrays["words"] = np.frombuffer(words, np.uint8)
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # NumPy's stub takes them for allow_pickle
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, file.getvalue())
        except OSError as error:
            raise InputError(f"cannot write recording {str(path)!r}: {error.strerror}; name another place") from None

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file that `save` wrote; nothing in it is executed.

        Raises:
            InputError: no such file, damaged, of another kind, or too large.
        """
        try:
            with zipfile.ZipFile(path) as parts:
                unpacked = sum(part.file_size for part in parts.infolist())
            if unpacked > MOST_BYTES:
                raise InputError(f"recording {str(path)!r} unpacks to {unpacked >> 20} MiB: record fewer frames")
            with np.load(path, allow_pickle=False) as arrays:
                words = json.loads(arrays["words"].tobytes())
                columns = [_split(arrays[name], arrays[f"{name}_counts"], getattr(Scene(), name)) for name in SHAPES]
            scenes = [
                Scene(**dict(zip(SHAPES, rows, strict=True)), texts=_texts(texts), legend=_legend(legend))
                for *rows, texts, legend in zip(*columns, words["texts"], words["legends"], strict=True)
            ]
            labels = {name: np.array(values, np.float64) for name, values in words["labels"].items()}
            return cls(scenes=scenes, fps=words["fps"], labels=labels)
        except InputError:
            raise
        except FileNotFoundError:
            raise InputError(f"recording {str(path)!r} does not exist") from None
        except Exception as error:  # a damaged archive fails wherever its reader happens to be
            raise InputError(f"recording {str(path)!r} cannot be read ({error}): record it again") from error


def check_rate(fps: float) -> None:
    """Refuse, with InputError, frames per second that nothing could show."""
    if not 0.1 <= fps <= 240:
        raise InputError(f"fps is {fps}: give 0.1 to 240 frames per second")


def record_atoms(
    trajectory: Sequence[Atoms],
    *,
    fps: float = FPS,
    labels: Mapping[str, NDArray[np.float64]] | None = None,
    colour: Scalar | None = None,
    bonds: Bonds | None = None,
    **options: Any,
) -> Recording:
    """A recording of structures, drawn as `scene_from_atoms` draws them, with the same sizes and colours in all frames.

    Args:
        trajectory: at least one structure; their numbers of atoms may differ. The radii are those of the last one.
        fps: frames shown in a second.
        labels: as in `Recording`.
        colour: a scalar that gives the atoms their colours; its limits, unless given, are those of all structures.
        bonds: which atoms have bonds.
        options: of `scene_from_atoms`.

    Raises:
        InputError: as `scene_from_atoms`, or more than memory should hold.
    """
    if not trajectory:
        raise InputError("a recording needs at least one structure, there is none")
    last = trajectory[-1]
    fill = FILL_WITH_BONDS if bonds else FILL
    unit = fill * touching_radii(last)[0] / covalent_radii[last.numbers[0]]
    if colour is not None:
        seen = np.concatenate([colour.of(atoms) for atoms in trajectory])
        seen = seen[np.isfinite(seen)]
        if len(seen) and np.ptp(seen) > 0:
            low = float(seen.min()) if colour.low is None else colour.low
            high = float(seen.max()) if colour.high is None else colour.high
            colour = replace(colour, low=low, high=high)

    def frames() -> Iterator[Frame]:
        for atoms in trajectory:
            radii = covalent_radii[atoms.numbers] * unit
            yield scene_from_atoms(atoms, radii=radii, colour=colour, bonds=bonds, **options), {}

    return Recording(scenes=Recording.of(frames()).scenes, fps=fps, labels=labels or {})


def _split(
    rows: NDArray[np.float32], counts: NDArray[np.int64], kind: NDArray[np.float32]
) -> list[NDArray[np.float32]]:
    """Rows of each frame; `kind` is an empty array of the same columns."""
    if rows.dtype != kind.dtype or rows.shape[1:] != kind.shape[1:] or counts.min(initial=0) < 0:
        raise ValueError("it holds other things than scenes")
    if counts.sum() != len(rows):
        raise ValueError("its parts do not fit together")
    return np.split(rows, np.cumsum(counts)[:-1])


def _texts(rows: list[dict[str, Any]]) -> list[Text]:
    return [Text(**{**row, "position": tuple(row["position"]), "rgba": tuple(row["rgba"])}) for row in rows]


def _plain_legend(legend: Legend) -> dict[str, Any]:
    bar = legend.colour_bar
    return {
        "names": legend.names,
        "axes": legend.axes,
        "colour_bar": bar and {**vars(bar), "colours": bar.colours.tolist()},
    }


def _legend(words: dict[str, Any]) -> Legend:
    bar = words["colour_bar"]
    return Legend(
        names=tuple((name, tuple(colour)) for name, colour in words["names"]),
        axes=tuple((name, tuple(direction)) for name, direction in words["axes"]),
        colour_bar=bar and ColourBar(**{**bar, "colours": np.array(bar["colours"], np.float32)}),
    )
