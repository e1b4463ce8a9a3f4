"""Installs OVITO and PyVista, the peers of render.py, each in an environment of its own below benchmarks/peers.

    python benchmarks/render_peers.py

OVITO needs a Vulkan driver as well: that of the GPU, or Debian's packages libvulkan1 and mesa-vulkan-drivers.
"""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "peers"
PACKAGES = {"ovito": "ovito==3.17.2", "pyvista": "pyvista==0.49.1"}


def main() -> None:
    """Makes both environments anew; raises where a command fails."""
    for name, package in PACKAGES.items():
        subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER / name], check=True)
        subprocess.run([FOLDER / name / "bin" / "python", "-m", "pip", "install", "--quiet", package], check=True)


if __name__ == "__main__":
    main()
