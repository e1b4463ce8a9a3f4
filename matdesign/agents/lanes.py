"""Work in pieces on several threads: torch and C let go of the interpreter's lock while they compute."""

import itertools
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")


class Lanes:
    """Threads, the calling one among them, that share out pieces of work.

    What a piece gives depends on the piece alone, so results do not depend on which thread took it. Modes that torch
    keeps for each thread (no_grad, autocast) are to be entered by the function.

    Args:
        threads: at least 1.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads - 1, "lane") if threads > 1 else None

    def run(self, function: Callable[[Piece], Result], pieces: Sequence[Piece]) -> list[Result]:
        """`function` of every piece, in the order of the pieces; raises what it raised."""
        if self._pool is None or len(pieces) < 2:
            return [function(piece) for piece in pieces]
        results: list[Result | None] = [None] * len(pieces)
        numbers = itertools.count()

        def take_some() -> None:
            while (number := next(numbers)) < len(pieces):
                results[number] = function(pieces[number])

        others = [self._pool.submit(take_some) for _ in range(min(self.threads, len(pieces)) - 1)]
        try:
            take_some()
        finally:
            errors = [error for other in others if (error := other.exception())]
        if errors:
            raise errors[0]
        return results  # type: ignore[return-value]  # every piece was taken

    def size(self, count: int, *, least: int, most: int) -> int:
        """Of a piece of `count` things: the share of a thread, if that is from `least` to `most`."""
        return max(1, min(most, max(least, math.ceil(count / self.threads))))
