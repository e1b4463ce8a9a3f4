"""Runs of the command line, as the learning benchmarks need them: one folder each, results read back as JSON."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def run(verb: str, *settings: str, result: str) -> tuple[dict[str, Any], float]:
    """`matdesign VERB SETTINGS...` in a folder of its own.

    Args:
        verb: design or train.
        settings: KEY=VALUE.
        result: name of the JSON file that the verb leaves in the run folder.

    Returns:
        what stands in `result`, and wall-clock seconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        start = time.perf_counter()
        command = [sys.executable, "-m", "matdesign", verb, f"output={path}", "quiet=true", *settings]
        subprocess.run(command, check=True, capture_output=True)
        return json.loads((path / result).read_text()), time.perf_counter() - start
