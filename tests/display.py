"""A display without a screen for the tests of windows: Xvfb, and Mesa's software OpenGL."""

import os
import shutil
import subprocess
from contextlib import contextmanager

import pytest


@contextmanager
def xvfb():
    """Windows open there meanwhile; skips where Xvfb or raylib is missing."""
    pytest.importorskip("raylib", reason="raylib is not installed: pip install 'matdesign[window]'")
    path = shutil.which("Xvfb")
    if path is None:
        pytest.skip("Debian's xvfb is not installed")
    read, write = os.pipe()
    options = ["-displayfd", str(write), "-screen", "0", "1280x720x24", "+extension", "GLX", "-noreset"]
    with subprocess.Popen(
        [path, *options], pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as x:
        os.close(write)
        try:
            with os.fdopen(read) as pipe:
                number = pipe.readline().strip()
            if not number:
                pytest.skip("Xvfb does not start")
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("DISPLAY", f":{number}")
                patch.setenv("LIBGL_ALWAYS_SOFTWARE", "1")
                patch.delenv("WAYLAND_DISPLAY", raising=False)
                yield
        finally:
            x.terminate()
