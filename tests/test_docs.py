"""The commands and the code that the documentation shows run as written."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Of a design that has a second property for its verification.
SHRUNK = ("agent.ppo.total_agent_steps", "evaluation.episodes", "search.designs")  # whatever the page says
QUICK = (
    "material.structure.repeat=[4,2,2]",
    "target.verified_by.slab=0.25",
    "target.verified_by.steps=200",
    "target.verified_by.equilibration=100",
)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# What the pages show takes minutes; a test takes the same commands through the same code with small budgets.
SMALL = {
    "design": ("search.designs=4", "verification.candidates=1", "verification.budget=0", "verification.steps=100"),
    "train": ("agent.ppo.total_agent_steps=4000", "evaluation.episodes=8", "env.envs=8"),
    "evaluate": ("evaluation.episodes=8",),
    "measure": ("budget=1",),
    "render": ("size=160x120", "frames=:8"),
}


def blocks(language: str) -> list[tuple[str, str]]:
    """Fenced blocks of a language with the page they stand on."""
    found = []
    for page in PAGES:
        found += [(page.name, text) for text in re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)]
    return found


def commands() -> list[str]:
    """Lines that call matdesign in shell blocks, comments removed."""
    lines = [
        line.split("  #")[0].strip() for _, block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()
    ]
    return [line for line in lines if line.startswith("matdesign ")]


def test_the_pages_show_commands_and_code():
    assert len(commands()) >= 5
    assert len(blocks("python")) >= 1


def test_shell_commands(tmp_path):
    """In order and in one folder, as a reader would: later ones use the runs of earlier ones."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for line in commands():
        words = shlex.split(line)
        known = SMALL.get(words[1], ())
        if words[1] == "design" and "--resume" not in words and not any(word.startswith("material") for word in words):
            known += QUICK
        if "search=conditioned" in words:
            known += ("search.settings.first=16", "search.settings.rounds=1")
        given = {word.split("=")[0] for word in words}
        words += [word for word in known if word.split("=")[0] not in given or word.startswith(SHRUNK)]
        if "--resume" in words and words[1] == "train":
            words = [word for word in words if not word.startswith(("evaluation.", "env."))]
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize(("page", "code"), blocks("python"))
def test_python_blocks(page, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, page, "exec"), {"__name__": "__main__"})  # noqa: S102 our own documentation


@pytest.mark.parametrize("name", ["environments", "properties"])
def test_generated_pages_are_what_the_code_says(name):
    spec = importlib.util.spec_from_file_location(f"{name}_page", ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text() == module.page(), f"run python docs/{name}.py"
