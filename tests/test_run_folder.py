import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from matdesign.agents.softexit import Interrupted
from matdesign.config import dump, load, load_stored
from matdesign.design.run import RunFolder
from matdesign.errors import InputError


@pytest.fixture
def squared(tmp_path):
    return load(["env=squared", f"output={tmp_path / 'run'}"])


def status(run: RunFolder) -> dict[str, str]:
    return json.loads((run.path / "status.json").read_text())


def test_holds_configuration_and_provenance(tmp_path):
    config = load(["material=copper", "seed=3", f"output={tmp_path / 'deep' / 'run'}"])
    run = RunFolder.create(config, "train")
    assert dump(load_stored(run.path / "config.yaml")) == dump(config)
    assert load_stored(run.path / "config.yaml").seed == 3
    origin = json.loads((run.path / "provenance.json").read_text())
    assert origin["seed"] == 3
    assert origin["versions"]["torch"].startswith("2.")
    assert origin["lammps"]["version"] >= 20240829
    assert origin["potential_sha256"] == hashlib.sha256(config.material.potential_path.read_bytes()).hexdigest()


def test_name_tells_verb_and_subject(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for override, subject in {"env=squared": "squared", "material=copper": "copper"}.items():
        run = RunFolder.create(load([override]), "train")
        assert run.path.parent.name == "runs"
        assert run.path.name.endswith(f"-train-{subject}")


def test_status_follows_the_work(squared):
    run = RunFolder.create(squared, "train")
    with run:
        assert (status(run)["state"], status(run)["verb"]) == ("running", "train")
    assert status(run)["state"] == "finished"
    for error, state in [
        (Interrupted("stopped by SIGTERM", 15), "interrupted"),
        (KeyboardInterrupt(), "interrupted"),
        (RuntimeError("broken"), "failed"),
    ]:
        with pytest.raises(type(error)), RunFolder.open(run.path) as again:
            raise error
        assert status(again)["state"] == state
    assert status(run)["message"] == "RuntimeError: broken"


def test_full_disk_does_not_hide_what_ended_the_run(squared, monkeypatch):
    def full(name, data):
        raise OSError(28, "No space left on device")

    run = RunFolder.create(squared, "train")
    run.__enter__()
    monkeypatch.setattr(run, "write_json", full)
    run.__exit__(RuntimeError, RuntimeError("broken"), None)  # lets that error pass
    RunFolder.open(run.path)  # no lock is left


def test_only_one_process_at_a_time(squared):
    run = RunFolder.create(squared, "train")
    with run, pytest.raises(InputError, match="in use by another process"):
        RunFolder.open(run.path)
    RunFolder.open(run.path)


def test_killed_process_leaves_a_folder_that_opens_again(squared):
    script = (
        "import os, pathlib, sys\nfrom matdesign.config import load\nfrom matdesign.design.run import RunFolder\n"
        "with RunFolder.create(load(sys.argv[1:]), 'train'): os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", script, "env=squared", f"output={squared.output}"], check=False)
    assert done.returncode == -9
    with RunFolder.open(Path(squared.output)) as run:
        assert run.verb == "train"
        assert run.config([]).env.name == "squared"


def test_folder_with_files_is_refused(squared, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "precious").write_text("x")
    with pytest.raises(InputError, match=r"holds files already.*--resume"):
        RunFolder.create(squared, "train")
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["precious"]


@pytest.mark.parametrize("place", ["/proc/nothing/run", "{}/file/run", "{}/file"])
def test_folder_that_cannot_be_written(tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write output="):
        RunFolder.create(load(["env=squared", f"output={place.format(tmp_path)}"]), "train")


def test_what_is_no_run_folder(tmp_path, squared):
    with pytest.raises(InputError, match="is no run folder"):
        RunFolder.open(tmp_path)
    with RunFolder.create(squared, "train") as run:
        pass
    for text in ("{", "[]", '{"state": "running"}', "[" * 100_000):
        (run.path / "status.json").write_text(text)
        with pytest.raises(InputError, match=r"status\.json cannot be read"):
            RunFolder.open(run.path)
