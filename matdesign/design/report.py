"""What a person sees of a finished search: progress bars on the way, the table at the end."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from matdesign.agents.dashboard import count
from matdesign.sections import Config
from matdesign.sim.material import ENERGY_UNITS

if TYPE_CHECKING:
    from matdesign.design.search import Search


T = TypeVar("T")
WIDTH = 120  # of a table in a file: no line of it is broken


@contextmanager
def progress(title: str, total: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal, nothing elsewhere; yields what takes the number done so far."""
    with Progress(transient=True, disable=quiet or not Console().is_terminal) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.update(task, completed=done)


def counted(items: Iterable[T], show: Callable[[int], None]) -> Iterator[T]:
    """The items, each of them told to `show` of `progress` after it was used."""
    for done, item in enumerate(items, start=1):
        yield item
        show(done)


def report(
    config: Config, rows: Sequence["Search"], *, spent: int, energy: float, structure: Path, picture: Path, folder: Path
) -> None:
    """Prints the table of all searches, and where everything is.

    Args:
        config: of the run.
        rows: searches, the trained size first.
        spent: force evaluations of the training.
        energy: of the best structure, in the material's unit.
        structure: its file.
        picture: its picture.
        folder: of the run.
    """
    table = Table(title="Finding the ground state from a random cloud", title_justify="left")
    for column in ("atoms", "method", "success per start", "evaluations per start", "evaluations per success"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for row in rows:
        for method, figures in row.methods.items():
            table.add_row(
                str(row.atoms),
                method,
                f"{100 * figures.success[0]:.1f} +- {100 * figures.success[1]:.1f} %",
                f"{figures.evaluations[0]:.0f} +- {figures.evaluations[1]:.0f}",
                f"{figures.cost[0]:.0f} +- {figures.cost[1]:.0f}" if figures.success[0] else "none found",
            )
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    console.print(table)
    unit, scale = ENERGY_UNITS[config.material.units], config.material.energy_scale
    known = f", ground state {rows[0].reference:.6f}" if rows[0].reference is not None else ""
    console.print(
        f"An evaluation is one force evaluation; start and final relaxation are counted. Training took {count(spent)} "
        "more.",
        f"Best energy: {energy:.6f} {unit} = {energy / scale:.6f} energy scales, by {rows[0].found_by}{known}.",
        f"Best structure: {structure}",
        f"Its picture:    {picture}",
        f"Everything:     {folder}",
        sep="\n",
        soft_wrap=True,
        highlight=False,
    )
