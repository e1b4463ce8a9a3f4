"""Installs PufferLib 3.0, the peer of vector.py and train.py, in an environment of its own: benchmarks/peers/pufferlib.

    python benchmarks/peers.py

Needs a C++ compiler and the package index. PufferLib's setup fetches graphics libraries from elsewhere unless their
folders are there: those for Linux ship with it, the others are for the web and for an environment left out here. Only
the environments that are compared are built, with PufferLib's own flags; without CUDA, which nothing here uses.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent / "peers" / "pufferlib"
VERSION = "3.0.0"
ENVIRONMENTS = ("squared", "pong", "breakout", "snake", "drone", "boids")
NOT_NEEDED = ("raylib-5.5_webassembly", "box2d-web", "box2d-linux-amd64")
BUILD = ("numpy<2", "setuptools", "wheel", "Cython", "torch==2.13.0")  # torch's own index has the one without CUDA
INDICES = ("--index-url", "https://download.pytorch.org/whl/cpu", "--extra-index-url", "https://pypi.org/simple")


def main() -> None:
    """Makes the environment anew; raises where a command fails."""
    subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER], check=True)
    folders = os.environ["PATH"].split(os.pathsep)
    path = os.pathsep.join(folder for folder in folders if not (Path(folder) / "nvcc").exists())

    def pip(*words: str | Path, **environment: str) -> None:
        command = [FOLDER / "bin" / "python", "-m", "pip", *words]
        subprocess.run(command, check=True, env=os.environ | {"PATH": path} | environment)

    pip("install", "--quiet", *BUILD, *INDICES)
    with tempfile.TemporaryDirectory() as folder:
        source = ("--no-deps", "--no-build-isolation", "--no-binary", "pufferlib", f"pufferlib=={VERSION}")
        pip("download", "--quiet", "--dest", folder, *source, NO_OCEAN="1")
        with tarfile.open(Path(folder) / f"pufferlib-{VERSION}.tar.gz") as archive:
            archive.extractall(folder, filter="data")
        package = Path(folder) / f"pufferlib-{VERSION}"
        for name in NOT_NEEDED:
            (package / name).mkdir()
        for binding in package.glob("pufferlib/ocean/*/binding.c"):
            if binding.parent.name not in ENVIRONMENTS:
                binding.unlink()
        pip("install", "--quiet", "--no-build-isolation", package)


if __name__ == "__main__":
    main()
