"""The best structure of a finished run, again and elsewhere: in chosen formats, in another folder."""

from collections.abc import Sequence
from pathlib import Path

import ase.io
from ase import Atoms

from matdesign.errors import InputError
from matdesign.files import replace_file
from matdesign.sim.exchange import FORMATS

EXPORTS = "exports"
BEST = "best"  # name of the exported structure


def best_structure(folder: Path) -> Atoms:
    """The best structure of a run, with its energy as a calculator's result and its origin in `info`.

    Raises:
        InputError: the run has not come that far, or the file is damaged.
    """
    path = _source(folder, "extxyz")
    try:
        atoms = ase.io.read(path, index=-1, format="extxyz")
    except Exception as error:  # ASE raises whatever its parser met
        raise InputError(f"{path} cannot be read ({error}): run matdesign design again") from error
    assert isinstance(atoms, Atoms)
    return atoms


def export(folder: Path, formats: Sequence[str], output: Path | None) -> list[Path]:
    """Copies the best structure of the run in `folder` to `output`, whole files only; returns their paths.

    Args:
        folder: a run of `matdesign design`.
        formats: names in `matdesign.sim.exchange.FORMATS`; none means all.
        output: where to; None lists the files in the run's own exports/.

    Raises:
        InputError: unknown format, a run without results, a folder that cannot be written.
    """
    for name in formats:
        if name not in FORMATS:
            raise InputError(f"formats={name} is unknown: use {', '.join(FORMATS)}")
    sources = [_source(folder, name) for name in formats or FORMATS]
    if output is None:
        return sources
    try:
        output.mkdir(parents=True, exist_ok=True)
        for source in sources:
            replace_file(output / source.name, source.read_bytes())
    except OSError as error:
        raise InputError(f"cannot write output={output} ({error}): choose another folder") from error
    return [output / source.name for source in sources]


def _source(folder: Path, name: str) -> Path:
    path = folder / EXPORTS / f"{BEST}{FORMATS[name]}"
    if not path.is_file():
        state = "its job is not finished" if (folder / "status.json").is_file() else "it is no run folder"
        raise InputError(f"{folder} has no {path.name} ({state}): give the folder of a finished matdesign design")
    return path
