"""The numbers of a training run, one row an iteration, as CSV and as TensorBoard scalars."""

import csv
import io
import os
import socket
import time
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Self

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from matdesign.errors import InputError
from matdesign.files import replace_file


def read_metrics(path: Path, iterations: int | None = None) -> list[dict[str, str]]:
    """The rows of a metrics.csv, one an iteration, each value a number or empty; none where there is no file.

    Args:
        path: the file.
        iterations: read no further; a crash may have left half a row behind them. None: to the end.

    Raises:
        InputError: the file is damaged.
    """
    if not path.exists():
        return []
    try:
        with path.open(newline="") as file:
            rows = list(islice(csv.DictReader(file), iterations))
        for row in rows:
            for value in row.values():
                float(value or 0)
    except (ValueError, TypeError, csv.Error) as error:
        raise InputError(f"{path} is damaged ({error}): remove it, and the figures begin anew") from error
    return rows


class Metrics:
    """Writes rows to `metrics.csv` and `tensorboard/` in a folder.

    A figure that appears for the first time in a later row gets a column of its own: the file is written again with
    the longer header, and the rows before it stay empty there.

    Args:
        folder: an existing folder; rows already in its metrics.csv are kept up to `iteration`.
        iteration: the last iteration that counts (0: none); later rows belong to work that was lost in a crash.
        agent_steps: agent-steps at that iteration.

    Raises:
        InputError: the rows in metrics.csv cannot be read.
    """

    def __init__(self, folder: Path, *, iteration: int = 0, agent_steps: int = 0) -> None:
        self._path = folder / "metrics.csv"
        self._columns: list[str] = ["iteration"]
        self._keep(iteration)
        self._open_tensorboard(folder / "tensorboard", agent_steps + 1 if iteration else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._tensorboard.close()

    def write(self, row: Mapping[str, float]) -> None:
        """Adds one row, which names its "iteration" and "agent_steps"."""
        if new := [name for name in row if name not in self._columns]:
            self._columns += new
            self._rewrite(read_metrics(self._path))
        with self._path.open("a", newline="") as file:
            csv.DictWriter(file, self._columns).writerow(dict(row))
        scalars = [Summary.Value(tag=name, simple_value=value) for name, value in row.items() if "/" in name]
        self._record(Event(step=int(row["agent_steps"]), summary=Summary(value=scalars)))

    def _open_tensorboard(self, folder: Path, purge_step: int | None) -> None:
        # Written here and not by torch's SummaryWriter: its thread dies of a full disk with a traceback.
        folder.mkdir(exist_ok=True)
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
        self._tensorboard = RecordWriter((folder / name).open("xb"))
        self._record(Event(file_version="brain.Event:2"))
        if purge_step is not None:  # rows from there on belong to lost work
            self._record(Event(step=purge_step, session_log=SessionLog(status=SessionLog.START)))

    def _record(self, event: Event) -> None:
        event.wall_time = time.time()
        self._tensorboard.write(event.SerializeToString())
        self._tensorboard.flush()

    def _keep(self, iteration: int) -> None:
        rows = read_metrics(self._path, iteration)
        if rows:
            self._columns = list(rows[0])
        self._rewrite(rows)

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns)
        writer.writeheader()
        writer.writerows(rows)
        replace_file(self._path, text.getvalue().encode())
