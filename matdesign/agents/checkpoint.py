"""A trainer's state in one file: tensors as safetensors, everything else as JSON in its header. No pickle."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from matdesign.errors import InputError
from matdesign.files import replace_file

FORMAT = "matdesign checkpoint 1"


def save_checkpoint(path: Path, tensors: dict[str, torch.Tensor], meta: dict[str, Any]) -> None:
    """Writes the state to `path` in one step: a crash leaves the old file or the new one, never half of one.

    Args:
        path: a .safetensors file, replaced if there.
        tensors: any shapes and dtypes, any device.
        meta: what JSON can hold.

    Raises:
        InputError: if the file cannot be written.
    """
    header = {"format": FORMAT, "meta": json.dumps(meta)}
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, save(on_cpu, header))
    except OSError as error:
        raise InputError(f"cannot write checkpoint {path}: {error.strerror}; free space, or set output") from error


def load_checkpoint(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors (on the CPU) and the JSON part of a checkpoint.

    Raises:
        InputError: if the file is missing, truncated, or was not written by `save_checkpoint`.
    """
    remedy = "take another checkpoint of the run, or train again"
    if not path.is_file():
        raise InputError(f"no checkpoint {path}: {remedy}")
    try:
        data = path.read_bytes()  # once: another process may replace the file while it is read
        tensors = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]).get("__metadata__", {})
        meta: dict[str, Any] = json.loads(header.get("meta", "{}"))
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged or no checkpoint ({error}): {remedy}") from error
    if header.get("format") != FORMAT:
        raise InputError(f"{path} was not written by this version of matdesign (no '{FORMAT}' in it): {remedy}")
    return tensors, meta
