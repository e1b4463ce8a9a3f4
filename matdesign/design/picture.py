"""Pictures and films of runs and of files."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from ase import Atoms

from matdesign.design.export import BEST, EXPORTS, best_structure
from matdesign.design.look import Look
from matdesign.design.progress import counted, progress
from matdesign.design.run import is_design
from matdesign.errors import InputError
from matdesign.render.camera import natural_camera
from matdesign.render.film import pictures
from matdesign.render.image import save
from matdesign.render.recording import FPS, SUFFIX, Recording, record_atoms
from matdesign.render.shading import FAST, FINE
from matdesign.render.video import check_video, is_film, save_video
from matdesign.sim.exchange import FORMATS
from matdesign.sim.trajectory import read_trajectory, trajectory_labels


def render_job(source: Path, output: Path | None, look: Look) -> Path:
    """Draws a run, or what a file holds, as a picture or a film; returns the path of what was written.

    A run is shown by its best structure, if it has one and no film is asked for; a film of a design is the search that
    found it, a film of other runs a flight of their policy. A picture of many frames is one of the last.

    Args:
        source: a run folder, a recording, a structure or trajectory file.
        output: its suffix decides: a film for .gif, .mp4, .webm and numbered pictures such as frame-%04d.png, a
            recording for .npz, else a picture; None: a film where there are many frames, into the exports of the run
            or beside the file.
        look: how.

    Raises:
        InputError: a source that cannot be read, a run that has nothing to show yet, a place that cannot be written.
    """
    picture = output is None or not (is_film(output) or output.suffix == SUFFIX)
    if output is not None and is_film(output):
        check_video(output, look.fps or FPS)
    if output is not None and picture and look.frames is None and source.is_file():
        look = replace(look, frames=slice(-1, None))
    structure = _structure(source) if source.is_dir() and picture else None
    if structure is not None:
        recording, default = record_atoms([structure], **look.of_atoms), source / EXPORTS / f"{BEST}-structure.png"
    elif source.is_dir():
        recording, default = recorded(source, look), source / EXPORTS / "rollout.mp4"
    else:
        recording = recorded(source, look)
        default = source.with_suffix(".mp4" if len(recording) > 1 else ".png")
    path = output or default
    if path.suffix == SUFFIX:
        recording.save(path)
        return path
    camera = look.camera or natural_camera(recording[0])
    if look.orthographic:
        camera = replace(camera, field_of_view=0.0)
    draw = partial(pictures, size=look.size, camera=camera, background=look.background)
    if not is_film(path):
        save(next(draw(recording[-1:], captions=False, quality=look.quality or FINE)), path)
        return path
    with progress("drawing", len(recording), quiet=False) as show:
        images = draw(recording, captions=look.captions, quality=look.quality or FAST)
        save_video(counted(images, show), path, fps=look.fps or recording.fps)
    return path


def recorded(source: Path, look: Look) -> Recording:
    """A search of a design, a flight of the policy of a run, or what a file holds; raises as `render_job` does."""
    if not source.is_dir():
        return _stored(source, look)
    return _searched(source, look) if is_design(source) else _flown(source, look)


def _structure(folder: Path) -> Atoms | None:
    """The best structure of a run; None for one that has none and flies instead."""
    from matdesign.agents.train import last_checkpoint

    path = folder / EXPORTS / f"{BEST}{FORMATS['extxyz']}"
    return best_structure(folder) if path.is_file() or not last_checkpoint(folder).is_file() else None


def _searched(folder: Path, look: Look) -> Recording:
    """The search that found the best design: after each evaluation the best one so far, and what it was found to be."""
    from matdesign.design.results import Results

    results = Results(folder)
    found = results.best.record["found"]
    rows = results.designs.query("method == @found['method'] and seed == @found['seed']").sort_values("index")
    best = rows["score"].where(rows["violation"] <= 0, np.inf).cummin()
    better = np.flatnonzero(best < best.shift(fill_value=np.inf))
    drawn = record_atoms([results.atoms(rows.index[place]) for place in better], **look.of_atoms)
    # Before the first design that keeps the constraints, that one is shown.
    which = np.maximum(np.searchsorted(better, np.arange(len(rows)), side="right") - 1, 0)
    name = next(iter(found["values"]))
    labels = {"evaluation": np.arange(1.0, len(rows) + 1), name.replace("_", " "): rows[name].to_numpy()[better][which]}
    recording = Recording(scenes=[drawn[int(k)] for k in which], fps=look.fps or FPS, labels=labels)
    return _part(recording, look.frames or slice(None), folder)


def _flown(folder: Path, look: Look) -> Recording:
    from matdesign.design.rollout import record_run

    _refuse_atoms(look, folder)
    chosen = look.frames or slice(None)
    stop = chosen.stop if chosen.stop is not None and chosen.stop > 0 else None
    return _part(record_run(folder, frames=stop, seed=look.seed, fps=look.fps or FPS), chosen, folder)


def _stored(file: Path, look: Look) -> Recording:
    if file.suffix == SUFFIX:
        _refuse_atoms(look, file)
        return _part(Recording.load(file), look.frames or slice(None), file)
    trajectory = read_trajectory(file, species=look.species, frames=look.frames or slice(None))
    return record_atoms(trajectory, fps=look.fps or FPS, labels=trajectory_labels(trajectory), **look.of_atoms)


def _refuse_atoms(look: Look, source: Path) -> None:
    if look.of_atoms:
        raise InputError(
            f"color, bonds, axes and slice are for structures, {source} shows what was flown: leave them out"
        )


def _part(recording: Recording, frames: slice, source: Path) -> Recording:
    if not recording.scenes[frames]:
        raise InputError(f"{source} has {len(recording)} frames, and none of those asked for: choose others")
    return recording[frames]
