"""The numbers of a training run, one row an iteration, as CSV and as TensorBoard scalars."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from torch.utils.tensorboard import SummaryWriter

from matdesign.files import replace_file


class Metrics:
    """Writes rows to `metrics.csv` and `tensorboard/` in a folder.

    A figure that appears for the first time in a later row gets a column of its own: the file is written again with
    the longer header, and the rows before it stay empty there.

    Args:
        folder: an existing folder; rows already in its metrics.csv are kept up to `iteration`.
        iteration: the last iteration that counts (0: none); later rows belong to work that was lost in a crash.
        agent_steps: agent-steps at that iteration.
    """

    def __init__(self, folder: Path, *, iteration: int = 0, agent_steps: int = 0) -> None:
        self._path = folder / "metrics.csv"
        self._columns: list[str] = ["iteration"]
        self._keep(iteration)
        self._tensorboard = SummaryWriter(
            str(folder / "tensorboard"), purge_step=agent_steps + 1 if iteration else None, flush_secs=30
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._tensorboard.close()

    def write(self, row: Mapping[str, float]) -> None:
        """Adds one row, which names its "iteration" and "agent_steps"."""
        if new := [name for name in row if name not in self._columns]:
            self._columns += new
            self._rewrite(self._rows())
        with self._path.open("a", newline="") as file:
            csv.DictWriter(file, self._columns).writerow(dict(row))
        for name, value in row.items():
            if "/" in name:
                self._tensorboard.add_scalar(name, value, int(row["agent_steps"]))

    def _rows(self) -> list[dict[str, str]]:
        if not self._path.exists():
            return []
        with self._path.open(newline="") as file:
            return list(csv.DictReader(file))

    def _keep(self, iteration: int) -> None:
        rows = self._rows()[:iteration]  # one row an iteration
        if rows:
            self._columns = list(rows[0])
        self._rewrite(rows)

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns)
        writer.writeheader()
        writer.writerows(rows)
        replace_file(self._path, text.getvalue().encode())
