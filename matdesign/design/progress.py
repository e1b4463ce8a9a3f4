"""Progress bars of what takes long."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

T = TypeVar("T")


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
