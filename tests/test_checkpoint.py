import json
import os
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import save, save_file

from matdesign.agents.checkpoint import FORMAT, load_checkpoint, save_checkpoint
from matdesign.errors import InputError

TENSORS = {
    "weights": torch.linspace(-1, 1, 1000).reshape(10, 100),
    "transposed": torch.arange(6.0).reshape(2, 3).T,
    "count": torch.tensor(7),
    "flags": torch.tensor([True, False]),
    "bytes": torch.arange(256, dtype=torch.uint8),
}
META = {"trainer": {"steps": 12, "name": "Ångström"}, "progress": {"best": None, "scores": [0.1, 1e-300]}}


def test_round_trip_is_exact(tmp_path):
    path = tmp_path / "deep" / "last.safetensors"
    save_checkpoint(path, TENSORS, META)
    tensors, meta = load_checkpoint(path)
    assert meta == META
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)


@pytest.mark.parametrize("part", [0.0, 0.001, 0.05, 0.5, 0.999])
def test_truncated(tmp_path, part):
    path = tmp_path / "last.safetensors"
    save_checkpoint(path, TENSORS, META)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(InputError, match=r"last\.safetensors is damaged.*train again"):
        load_checkpoint(path)


def test_foreign_files(tmp_path):
    path = tmp_path / "file.safetensors"
    with pytest.raises(InputError, match="no checkpoint"):
        load_checkpoint(path)
    path.write_bytes(bytes(range(256)) * 100)
    with pytest.raises(InputError, match="damaged"):
        load_checkpoint(path)
    torch.save(TENSORS, path)
    with pytest.raises(InputError, match="damaged"):
        load_checkpoint(path)
    for metadata in (None, {"format": "pt"}):
        save_file({"x": torch.zeros(3)}, path, metadata)
        with pytest.raises(InputError, match="not written by this version"):
            load_checkpoint(path)
    with pytest.raises(InputError, match="no checkpoint"):
        load_checkpoint(tmp_path)


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "last.safetensors"
    save_checkpoint(path, TENSORS, META)
    before = path.read_bytes()

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(InputError, match="No space left"):
        save_checkpoint(path, {"weights": torch.zeros(5)}, {})
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["last.safetensors"]


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write checkpoint"):
        save_checkpoint(tmp_path / "file" / "last.safetensors", TENSORS, META)


def test_killed_while_writing_leaves_a_whole_file(tmp_path):
    path = tmp_path / "last.safetensors"
    script = f"""
import itertools, pathlib, torch
from matdesign.agents.checkpoint import save_checkpoint
for number in itertools.count():
    save_checkpoint(pathlib.Path({str(path)!r}), {{"x": torch.full((200_000,), float(number))}}, {{"number": number}})
"""
    process = subprocess.Popen([sys.executable, "-c", script])
    try:
        while not path.exists():
            assert process.poll() is None
            time.sleep(0.01)
        seen = set()
        for _ in range(20):  # a reader at any moment finds a whole file too
            time.sleep(0.02)
            tensors, meta = load_checkpoint(path)
            assert bool((tensors["x"] == meta["number"]).all())
            seen.add(meta["number"])
    finally:
        process.kill()
    process.wait()
    tensors, meta = load_checkpoint(path)
    assert bool((tensors["x"] == meta["number"]).all())
    assert len(seen) > 1


def test_header_is_json_anyone_can_read(tmp_path):
    path = tmp_path / "last.safetensors"
    save_checkpoint(path, TENSORS, META)
    raw = path.read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    assert json.loads(header["__metadata__"]["meta"]) == META


@pytest.mark.parametrize("meta", ["", "{", "half"])
def test_header_that_is_no_json(tmp_path, meta):
    path = tmp_path / "last.safetensors"
    path.write_bytes(save({"x": torch.zeros(1)}, {"format": FORMAT, "meta": meta}))
    with pytest.raises(InputError, match=r"is damaged.*train again"):
        load_checkpoint(path)
