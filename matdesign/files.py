"""Files that are either whole or not there."""

import os
from pathlib import Path


def user_path(text: str) -> Path:
    """A path as a person writes it: `~` is their home; where that is unknown, it stays as it is."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def replace_file(path: Path, data: bytes) -> None:
    """Writes `data` to `path` so that a reader, or a crash at any moment, finds the old file or the new one.

    The bytes go to a temporary name beside it, are fsynced and renamed; the directory is fsynced last.

    Raises:
        OSError: if the directory cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
