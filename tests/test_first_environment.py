"""The page docs/your-first-environment.md, done as it says, from outside the package."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from matdesign.vector import Vector

PAGE = (Path(__file__).parent.parent / "docs" / "your-first-environment.md").read_text()


def block(language: str) -> str:
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return text


def test_the_page(tmp_path: Path) -> None:
    (tmp_path / "gather.c").write_text(block("c"))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    script = "set -e\n" + block("bash").replace(" output=", " quiet=true output=")
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stderr
    figures = json.loads((tmp_path / "gathered" / "evaluation.json").read_text())
    assert figures["perf"] > 0.9  # all coins gathered; a random walk does it in one episode of a hundred
    assert figures["coins"] > 2.9
    done = subprocess.run([sys.executable, "-c", block("python-after-compiling")], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr

    with Vector(str(tmp_path / "gather.so"), {"size": 3, "coins": 8}, envs=1) as vector:
        vector.reset(0)
        assert vector.observations[0].tolist() == pytest.approx([-1 / 3, 0, 1])
        rewards = []
        for action in (1, 3, 2, 2, 2, 4, 4, 1, 1):  # down, left, up, up, into the wall, right, right, down, down
            vector.actions[:] = action
            vector.step()
            rewards.append(float(vector.rewards[0]))
        assert np.array_equal(np.array(rewards) > 0, [1, 1, 1, 1, 0, 1, 1, 1, 1])
        assert vector.terminals[0]
        assert vector.log()["perf"] == 1.0
