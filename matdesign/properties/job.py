"""The job behind `matdesign measure`: progress while it lasts, a table and a JSON file at the end."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.text import Text

from matdesign.errors import InputError
from matdesign.files import user_path
from matdesign.properties.cache import Cache, default_folder
from matdesign.properties.measure import NOT_RANDOM, Progress, measure
from matdesign.properties.measurement import Measurement, number
from matdesign.sections import MeasurementConfig
from matdesign.sim.exchange import write_text
from matdesign.sim.lammps import library_info

ZERO = 1e-10  # times the largest entry of a tensor: what is shown as nothing


def measure_job(config: MeasurementConfig) -> Measurement:
    """Measures, prints the result on standard output and writes it where asked.

    Raises:
        InputError: the property makes no sense for the structure, or a file cannot be written.
        SimulationError: no sample could be computed.
    """
    output = None if config.output is None else _output(user_path(config.output), config.material.structure.path)
    structure = config.material.structure.build(config.material, seed=config.seed)
    cache = Cache(user_path(config.cache) if config.cache else default_folder())
    with _progress(config) as progress:
        found = measure(
            config.property,
            structure,
            config.material,
            seed=config.seed,
            seeds=config.seeds,
            rel_error=config.rel_error,
            budget=config.budget,
            processes=config.processes or len(os.sched_getaffinity(0)),
            cache=cache,
            library=config.lammps.library,
            progress=progress,
        )
    try:
        if output is not None:
            write_text(output, json.dumps(record(config, found), indent=1, allow_nan=False) + "\n")
    finally:
        _show(found, len(structure))
    return found


def _output(path: Path, structure: str | None) -> Path:
    """The file to write, refused now rather than after long work if that cannot be done."""
    if path.is_dir():
        raise InputError(f"output={path} is a folder: name a file, such as {path}/measurement.json")
    if structure is not None and path.exists() and path.samefile(user_path(structure)):
        raise InputError(f"output={path} would replace the structure that is measured: name another file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path.parent):  # what root may do, only trying tells
            pass
    except OSError as error:
        raise InputError(f"cannot write output={path}: {error.strerror}; name a folder you may write to") from None
    return path


def record(config: MeasurementConfig, found: Measurement) -> dict[str, Any]:
    """The measurement and what it was made of, fit for JSON."""
    return {
        "measurement": found.to_dict(),
        "protocol": {"name": config.property.name, **asdict(config.property)},
        "material": {**asdict(config.material), "potential_sha256": config.material.potential_sha256},
        "seed": config.seed,
        "lammps": library_info(config.lammps.library).version,
    }


@contextmanager
def _progress(config: MeasurementConfig) -> Iterator[Progress | None]:
    """A bar on standard error with the estimate so far; nothing if quiet or where nobody looks."""
    console = Console(stderr=True)
    if config.quiet or not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Bar(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task(config.property.name, total=None)

        def tell(found: Measurement, wanted: int) -> None:
            bar.update(task, description=str(found), completed=found.seeds + found.failed, total=wanted)

        yield tell


def _show(found: Measurement, atoms: int) -> None:
    unit = "" if found.unit == "1" else f" {found.unit}"
    rows = [(found.name, number(found.value, found.stderr) + unit, "bold")]
    for name, value in found.details.items():
        text = f"{number(value, found.details_stderr[name])} {found.details_units.get(name, '')}"
        rows.append((f"  {name}", text.rstrip(), ""))
    if found.tensor is not None and found.tensor.ndim <= 2:
        tensor = np.where(abs(found.tensor) < ZERO * abs(found.tensor).max(), 0.0, found.tensor)
        for i, row in enumerate(np.atleast_2d(tensor)):
            unit = found.details_units.get("tensor", unit.strip())
            rows.append(("" if i else f"  tensor, {unit}" if unit else "  tensor", _row(row), ""))
    if found.flag:
        rows.append(("not to be trusted", found.flag, "bold red"))
    samples = "" if found.stopped == NOT_RANDOM else f"{found.seeds} samples: {found.stopped}; "
    rows.append(("cost", f"{samples}{found.steps} force evaluations of {atoms} atoms, {found.seconds:.3g} s", ""))
    width = max(len(name) for name, _, _ in rows) + 2
    console = Console(highlight=False)
    for name, text, style in rows:
        console.print(Text(f"{name:<{width}}{text}", style), soft_wrap=True)


def _row(values: Any) -> str:
    return "  ".join(f"{value:10.4g}" for value in values)
