"""One worker process as its owner sees it: starting, talking, noticing that it died or hangs, ending."""

import os
import signal
import socket
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from matdesign.errors import MatdesignError
from matdesign.vector.recipe import WorkerError

GLANCE = 0.1  # seconds between two looks at whether a worker lives


class Process:
    """A worker process.

    Args:
        memory_file: descriptor of the shared memory, which may still be empty.
        recipe: the first message.
    """

    def __init__(self, memory_file: int, recipe: bytes) -> None:
        here, there = socket.socketpair()
        with there:
            self._process = subprocess.Popen(  # noqa: S603 this very program
                [sys.executable, "-P", "-m", "matdesign.vector.worker", str(there.fileno()), str(memory_file)],
                stdin=subprocess.PIPE,  # the worker ends when it closes
                pass_fds=(there.fileno(), memory_file),
                process_group=0,  # Ctrl-C is for the owner, who may want to end in good order
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)},
            )
        self._connection = Connection(here.detach())
        self.pid = self._process.pid
        self.tell(recipe)

    def tell(self, message: object) -> None:
        """Send a message; one that finds nobody is missed by whoever waits for its answer."""
        try:
            self._connection.send(message)
        except OSError:
            return

    def answer(self, timeout: float) -> Any:
        """Return what the worker says next, within `timeout` seconds.

        Raises:
            WorkerError: it died, or said nothing in time.
            MatdesignError: it says that it cannot do what it was asked.
        """
        begun = time.monotonic()
        while not self._connection.poll(GLANCE):
            self.require_alive(begun, timeout)
        try:
            answer = self._connection.recv()
        except (EOFError, OSError):
            self._process.wait()
            raise WorkerError(self._death()) from None
        if isinstance(answer, MatdesignError):
            raise answer
        return answer

    def require_alive(self, begun: float, timeout: float) -> None:
        """Raise what `answer` raises if the worker died, or has not answered for `timeout` seconds since `begun`."""
        if self._process.poll() is not None:
            if self._connection.poll(0):
                self.answer(timeout)
            raise WorkerError(self._death())
        if time.monotonic() - begun > timeout:
            raise WorkerError(f"did not answer for {timeout:g} s")

    def end(self, patience: float = 0.0) -> None:
        """End it and what it started, by force if it does not do so within `patience` seconds."""
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        self._connection.close()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _death(self) -> str:
        status = self._process.returncode
        if status < 0:
            return f"was ended by {signal.Signals(-status).name}"
        return f"exited with status {status}"
