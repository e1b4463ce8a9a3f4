"""Stopping a long run between two iterations: by signal, by file or by the clock."""

import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Self

from matdesign.errors import MatdesignError

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(MatdesignError):  # noqa: N818 -- somebody asked for it, nothing is wrong
    """A signal or an EXIT file ended the work early; everything up to here is on disk.

    Attributes:
        signum: number of the signal, or None for the EXIT file.
    """

    def __init__(self, message: str, signum: int | None) -> None:
        super().__init__(message)
        self.signum = signum


class SoftExit:
    """Collects requests to stop, for a loop that asks `requested` between two iterations.

    The first SIGINT or SIGTERM is noted, the second one ends the process at once, even inside a long C call. A file
    called EXIT has the effect of the first, for machines where a signal is hard to send. The file is removed on
    entering, so that a resumed run does not stop on an old request.

    Only the main thread may enter.
    """

    def __init__(self, exit_file: Path) -> None:
        self.exit_file = exit_file
        self.signum: int | None = None
        self._before: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __enter__(self) -> Self:
        self.exit_file.unlink(missing_ok=True)
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def requested(self) -> str | None:
        """Who asked to stop: "SIGINT", "SIGTERM", "the EXIT file", or None."""
        if self.signum is not None:
            return signal.Signals(self.signum).name
        return "the EXIT file" if self.exit_file.exists() else None

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signum = number
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
