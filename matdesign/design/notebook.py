"""Structures, trajectories and runs as a cell of a notebook shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from ase import Atoms

from matdesign.design.export import BEST, EXPORTS, best_structure
from matdesign.errors import InputError
from matdesign.render.recording import SUFFIX, Recording, record_atoms
from matdesign.scene import Scene
from matdesign.sim.exchange import FORMATS, from_pymatgen
from matdesign.sim.trajectory import read_trajectory, trajectory_labels

if TYPE_CHECKING:
    from pymatgen.core.structure import IMolecule, IStructure

Viewable = Union[Atoms, "IStructure", "IMolecule", Sequence[Atoms], Recording, Scene, str, Path]


@dataclass(frozen=True, kw_only=True)
class View:
    """What a notebook shows: an interactive page inside the cell, or, where there is none, a picture.

    Attributes:
        recording: what is shown.
        title: one line.
        height: of the cell, pixels.
    """

    recording: Recording
    title: str
    height: int

    def save(self, path: str | Path) -> Path:
        """Write the page into an .html file of its own; return its path. InputError if it cannot be written."""
        from matdesign.render.offline import save_page

        save_page(self.recording, Path(path), title=self.title)
        return Path(path)

    def _repr_html_(self) -> str:
        from matdesign.render.offline import frame_html, page_html

        return frame_html(page_html(self.recording, title=self.title), height=self.height)

    def _repr_png_(self) -> bytes:
        from matdesign.render.camera import natural_camera
        from matdesign.render.image import render

        scene = self.recording[-1]
        file = BytesIO()
        render(scene, size=(self.height * 4 // 3, self.height), camera=natural_camera(scene)).save(file, "png")
        return file.getvalue()


def view(what: Viewable, *, height: int = 480, **options: Any) -> View:
    """Show atoms in a notebook; as the last line of a cell, or with display().

    Args:
        what: ASE Atoms, a pymatgen Structure or Molecule, a list of Atoms, a recording or a scene, or the path of a
            structure, trajectory or recording file, or of a run: its best structure, or else a flight of its policy.
        height: of the cell, pixels.
        options: of `matdesign.render.recording.record_atoms`: colour, bonds, axes, slices, fps.

    Raises:
        InputError: nothing that can be shown.
    """
    if isinstance(what, Recording | Scene):
        _refuse(options, what)
        recording = what if isinstance(what, Recording) else Recording(scenes=[what])
        return View(recording=recording, title="", height=height)
    if isinstance(what, str | Path):
        recording, title = _opened(Path(what), options)
        return View(recording=recording, title=title, height=height)
    trajectory = _trajectory(what)
    title = trajectory[-1].get_chemical_formula()
    recording = record_atoms(trajectory, labels=trajectory_labels(trajectory), **options)
    return View(recording=recording, title=title, height=height)


def _opened(path: Path, options: dict[str, Any]) -> tuple[Recording, str]:
    if path.is_dir():
        best = path / EXPORTS / f"{BEST}{FORMATS['extxyz']}"
        if best.is_file():
            return record_atoms([best_structure(path)], **options), f"{path.name}: {BEST}"
        from matdesign.design.rollout import record_run  # torch

        _refuse(options, path)
        return record_run(path, quiet=True), path.name
    if path.suffix == SUFFIX:
        _refuse(options, path)
        return Recording.load(path), path.name
    trajectory = read_trajectory(path)
    return record_atoms(trajectory, labels=trajectory_labels(trajectory), **options), path.name


def _trajectory(what: Any) -> list[Atoms]:
    if isinstance(what, Atoms):
        return [what]
    if hasattr(what, "lattice"):  # pymatgen's, which takes a second to load
        return [from_pymatgen(what)]
    if hasattr(what, "to_ase_atoms"):  # a molecule of pymatgen
        return [what.to_ase_atoms()]
    if isinstance(what, Sequence) and what and all(isinstance(atoms, Atoms) for atoms in what):
        return list(what)
    raise InputError(
        f"{type(what).__name__} {what!r:.40} cannot be viewed: give Atoms or a list of them, a pymatgen Structure, a "
        "recording, or the path of a file or run"
    )


def _refuse(options: dict[str, Any], what: object) -> None:
    if options:
        raise InputError(f"{next(iter(options))} is for structures: leave it out for {type(what).__name__}")
