"""What every benchmark shares: its two options, its rows, its table and its JSON file.

A benchmark is `python benchmarks/NAME.py [--quick] [--json FILE]`:

    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    results.add("squared 1024", "agent steps", [1.01e8, 1.00e8, 1.02e8], "1/s", reference=95e6)
    results.close()
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

COLUMNS = "{:<34} {:<22} {:>12} {:>10} {:<10} {:>12} {:>7}"


def arguments(description: str | None, *, runs: Path | None = None) -> argparse.Namespace:
    """Parse the command line of a benchmark.

    Args:
        description: of the benchmark.
        runs: where its trainings are kept unless the command line says otherwise; None: it keeps none.

    Returns:
        `quick` (ends within a minute), `json` (a path or None), and `runs` where there are any.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer cases and repeats; ends within a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to FILE")
    if runs is not None:
        text = "where trainings are kept, and not done again (default: %(default)s)"
        parser.add_argument("--runs", type=Path, default=runs, metavar="FOLDER", help=text)
    return parser.parse_args()


def machine() -> str:
    """Describe in one line: processor, cores this process may use, operating system, Python."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def seconds(function: Callable[[], object], *, repeats: int) -> list[float]:
    """Return the wall-clock seconds of each of `repeats` calls, after one that is not counted."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return times


class Table:
    """Rows printed as they come, and written as a JSON list at the end.

    A row is {"case", "metric", "value", "spread", "unit", "reference", "ratio"}: the value is the median of the
    samples, the spread their interquartile range (the full range below four samples), the ratio value / reference;
    the last two are null where there is nothing to compare with.
    """

    def __init__(self, json_file: Path | None) -> None:
        self.rows: list[dict[str, str | float | None]] = []
        self._json_file = json_file
        print(machine())
        print(COLUMNS.format("case", "metric", "median", "spread", "unit", "reference", "ratio"), flush=True)

    def add(
        self, case: str, metric: str, samples: Sequence[float], unit: str, *, reference: float | None = None
    ) -> float:
        """Add and print a row for these samples of one quantity; returns their median."""
        value = statistics.median(samples)
        if len(samples) < 4:
            spread = max(samples) - min(samples)
        else:
            low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
            spread = high - low
        ratio = None if reference is None else value / reference
        self.rows.append(
            {
                "case": case,
                "metric": metric,
                "value": value,
                "spread": spread,
                "unit": unit,
                "reference": reference,
                "ratio": ratio,
            }
        )
        shown = [f"{number:.4g}" if number is not None else "-" for number in (value, spread, reference)]
        ratio_shown = "-" if ratio is None else f"{ratio:.3f}"
        print(COLUMNS.format(case, metric, shown[0], shown[1], unit, shown[2], ratio_shown), flush=True)
        return value

    def skip(self, case: str, reason: str) -> None:
        """Print that a case was left out and why; it leaves no row."""
        print(f"{case:<34} skipped: {reason}", flush=True)

    def close(self) -> None:
        """Write the JSON file if one was asked for."""
        if self._json_file is not None:
            self._json_file.write_text(json.dumps(self.rows, indent=1) + "\n")
