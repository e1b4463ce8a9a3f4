"""Files that are either whole or not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def user_path(text: str) -> Path:
    """A path as a person writes it: `~` is their home; where that is unknown, it stays as it is."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def replace_file(path: Path, data: bytes) -> None:
    """Writes `data` to `path` as `whole_file` does.

    Raises:
        OSError: if the directory cannot be written.
    """
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yields a temporary name beside `path` to write to: a reader, or a crash, finds the old file or the new one.

    What was written is fsynced and renamed, the directory is fsynced last; after an exception nothing is left.

    Raises:
        OSError: if the directory cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
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
