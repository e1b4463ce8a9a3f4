"""What a person sees of a training run while it lasts."""

import time
from collections import deque
from collections.abc import Mapping
from typing import Self

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

LINE_EVERY = 10.0  # seconds between two plain lines
PANEL_EVERY = 1.0  # seconds between two panels: drawing one takes some milliseconds, as long as a short iteration
SPEED_WINDOW = 20  # iterations over which speed and shares of time are averaged
SHARES = ("environment", "forward", "copy", "learn", "evaluation", "other")


def duration(seconds: float) -> str:
    """`seconds` as people write them: 42s, 3m07s, 2h05m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def count(number: float) -> str:
    """`number` with three digits and a suffix: 950, 12.3k, 4.56M, 1.20G."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            scaled = number / size
            return f"{scaled:.{2 if abs(scaled) < 10 else 1 if abs(scaled) < 100 else 0}f}{suffix}"
    return f"{number:.0f}"


class Dashboard:
    """Shows a run's figures: a live panel on a terminal, one line every ten seconds elsewhere, nothing if quiet.

    Args:
        title: what runs.
        total_agent_steps: the budget in transitions of live agents.
        time_limit: the budget in wall-clock seconds; None for no limit.
        quiet: show nothing.
        console: where to.
    """

    def __init__(
        self,
        title: str,
        *,
        total_agent_steps: int,
        time_limit: float | None = None,
        quiet: bool = False,
        console: Console | None = None,
    ) -> None:
        self._title, self._total, self._limit, self._quiet = title, total_agent_steps, time_limit, quiet
        self._console = console or Console()
        self._recent: deque[Mapping[str, float]] = deque(maxlen=SPEED_WINDOW)
        self._known: dict[str, float] = {}  # the last value of each figure that not every iteration has
        self._due = 0.0
        live = self._console.is_terminal and not quiet
        self._live = Live(console=self._console, auto_refresh=False) if live else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._recent:
            self._draw()
        if self._live:
            self._live.stop()

    def __call__(self, row: Mapping[str, float]) -> None:
        """Takes in one iteration's figures (see `matdesign.agents.train.train`)."""
        self._recent.append(row)
        self._known |= {name: value for name, value in row.items() if name.startswith(("env/", "evaluation/"))}
        if time.monotonic() >= self._due:
            self._draw()
            self._due = time.monotonic() + (PANEL_EVERY if self._live else LINE_EVERY)

    def _draw(self) -> None:
        if self._live:
            self._live.update(self._panel(), refresh=True)
        elif not self._quiet:
            self._print_line()

    @property
    def done(self) -> float:
        """Part of the budget that is spent, 0 to 1."""
        last = self._recent[-1]
        by_time = last["seconds"] / self._limit if self._limit else 0.0
        return min(1.0, max(last["agent_steps"] / self._total, by_time))

    @property
    def speed(self) -> float:
        """Agent-steps per second over the last iterations."""
        first, last = self._recent[0], self._recent[-1]
        if len(self._recent) == 1:
            spent = sum(self._seconds().values())
            return last["agent_steps"] / spent if spent and last["iteration"] == 1 else 0.0
        return (last["agent_steps"] - first["agent_steps"]) / max(last["seconds"] - first["seconds"], 1e-9)

    @property
    def eta(self) -> float | None:
        """Seconds until the budget is spent, None before a speed is known."""
        last = self._recent[-1]
        by_steps = max(0.0, self._total - last["agent_steps"]) / self.speed if self.speed > 0 else None
        by_time = max(0.0, self._limit - last["seconds"]) if self._limit else None
        known = [seconds for seconds in (by_steps, by_time) if seconds is not None]
        return min(known, default=None)

    def _seconds(self) -> dict[str, float]:
        told = [name for name in SHARES if any(f"time/{name}" in row for row in self._recent)]
        return {name: sum(row.get(f"time/{name}", 0.0) for row in self._recent) for name in told}

    def _shares(self) -> dict[str, float]:
        seconds = self._seconds()
        total = sum(seconds.values()) or 1.0
        return {name: value / total for name, value in seconds.items()}

    def _below(self, prefix: str) -> dict[str, float]:
        return {name.removeprefix(prefix): value for name, value in self._known.items() if name.startswith(prefix)}

    def _progress_text(self) -> str:
        last, eta = self._recent[-1], self.eta
        return (
            f"{100 * self.done:5.1f} %  {count(last['agent_steps'])}/{count(self._total)} agent-steps  "
            f"{count(self.speed)}/s  {duration(last['seconds'])} spent  "
            f"{'?' if eta is None else duration(eta)} left"
        )

    def _print_line(self) -> None:
        shares = " ".join(f"{name} {100 * share:.0f} %" for name, share in self._shares().items())
        figures = " ".join(f"{name} {value:.4g}" for name, value in self._below("env/").items())
        scores = {name: value for name, value in self._below("evaluation/").items() if name.endswith("/score")}
        evaluated = " ".join(f"{name} {value:.4g}" for name, value in scores.items())
        parts = [f"{self._title}:", self._progress_text(), shares, figures, evaluated]
        line = "  ".join(part for part in parts if part)
        self._console.print(line, soft_wrap=True, highlight=False, markup=False)

    def _panel(self) -> RenderableType:
        last = self._recent[-1]
        bar = ProgressBar(total=1.0, completed=self.done)  # padded below: by itself it ends no line
        learning = {name: value for name, value in last.items() if name.split("/")[0] in ("loss", "policy", "train")}
        tables = [
            _table("time", {name: f"{100 * share:5.1f} %" for name, share in self._shares().items()}),
            _table("learning", {name: f"{value:.4g}" for name, value in learning.items()}),
            _table("environment", {name: f"{value:.4g}" for name, value in self._below("env/").items()}),
        ]
        if evaluated := self._below("evaluation/"):
            tables.append(_table("evaluation", {name: f"{value:.4g}" for name, value in evaluated.items()}))
        return Panel(
            Group(Padding(bar), Text(self._progress_text()), Text(""), Columns(tables, padding=(0, 3))),
            title=self._title,
            title_align="left",
        )


def _table(title: str, rows: Mapping[str, str]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 1))
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows.items():
        # Environments count what went wrong under "failures"; that must not be overlooked.
        style = "bold red" if "failure" in name and float(value) > 0 else None
        table.add_row(name, value, style=style)
    return table
