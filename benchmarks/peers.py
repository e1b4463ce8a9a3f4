"""Installs PufferLib 3.0, the peer of vector.py and train.py, in an environment of its own: benchmarks/peers/pufferlib.

    python benchmarks/peers.py

Needs a C++ compiler and the package index; PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu spares gigabytes of
CUDA where that index can be reached. PufferLib's setup fetches graphics libraries from elsewhere unless their
folders are there: those for Linux ship with it, the others are for the web and for an environment left out here. Only
the environments that are compared are built, with PufferLib's own flags; without CUDA, which nothing here uses.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent / "peers" / "pufferlib"
VERSION = "3.0.0"
ENVIRONMENTS = ("squared", "pong", "breakout", "snake", "drone", "boids")
NOT_NEEDED = ("raylib-5.5_webassembly", "box2d-web", "box2d-linux-amd64")
OPTIMISER = "heavyball==1.7.2"  # any version is allowed; this one was measured
BUILD = ("numpy<2", "setuptools", "wheel", "Cython", "torch==2.13.0")


def main() -> None:
    """Makes the environment anew; raises where a command fails."""
    subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER], check=True)
    folders = os.environ["PATH"].split(os.pathsep)
    path = os.pathsep.join(folder for folder in folders if not (Path(folder) / "nvcc").exists())

    def pip(*words: str | Path, check: bool = True, **environment: str) -> None:
        command = [FOLDER / "bin" / "python", "-m", "pip", *words]
        subprocess.run(command, check=check, env=os.environ | {"PATH": path} | environment, capture_output=not check)

    pip("install", "--quiet", *BUILD)
    with tempfile.TemporaryDirectory() as folder:
        # Without its environments PufferLib's setup fails, at once; the sources that pip has unpacked stay.
        source = ("--no-deps", "--no-build-isolation", "--no-binary", "pufferlib", f"pufferlib=={VERSION}")
        pip("download", "--no-clean", "--dest", folder, *source, check=False, NO_OCEAN="1", TMPDIR=folder)
        found = [setup.parent for setup in Path(folder).glob("*/pufferlib*/setup.py")]
        if not found:
            sys.exit(f"peers: the sources of PufferLib {VERSION} could not be downloaded: look at the network")
        package = found[0]
        for name in NOT_NEEDED:
            (package / name).mkdir()
        for binding in package.glob("pufferlib/ocean/*/binding.c"):
            if binding.parent.name not in ENVIRONMENTS:
                binding.unlink()
        pip("install", "--quiet", "--no-build-isolation", package, OPTIMISER)


if __name__ == "__main__":
    main()
