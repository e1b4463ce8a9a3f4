"""Third-party spaces as flat rows, and back without loss."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from matdesign.errors import InputError

Array = NDArray[Any]


@dataclass(frozen=True)
class Leaf:
    """One array of a structured value.

    Attributes:
        path: keys and positions that lead to it.
        dtype: of the array, with its byte order.
        shape: of the array; () for a Discrete.
        low: smallest values, of this shape.
        high: largest values, of this shape.
        counted: whether it holds choices (Discrete, MultiDiscrete, MultiBinary) and not measures.
    """

    path: tuple[str | int, ...]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    low: Array
    high: Array
    counted: bool

    @property
    def name(self) -> str:
        """The path as Python would write it."""
        return "".join(f"[{key!r}]" for key in self.path)

    @property
    def size(self) -> int:
        """Values."""
        return int(np.prod(self.shape, dtype=np.int64))

    def of(self, value: Any) -> Any:
        """This leaf of a structured value."""
        for key in self.path:
            value = value[key]
        return value

    def facts(self) -> str:
        """What must agree."""
        return _facts(self.dtype, self.shape, self.low, self.high)


def _facts(dtype: np.dtype[Any], shape: tuple[int, ...], low: Array, high: Array) -> str:
    order = {"<": "little-endian", ">": "big-endian", "|": "of one byte"}[dtype.str[0]]
    bounds = f"{float(low.min()):g} to {float(high.max()):g}" if low.size else "none"
    return f"dtype {dtype.name}, shape {shape}, bounds {bounds}, byte order {order}"


def leaves(space: spaces.Space[Any], path: tuple[str | int, ...] = ()) -> Iterator[Leaf]:
    """The arrays of a space, in its own order.

    Raises:
        InputError: a space whose values have no fixed size.
    """
    if isinstance(space, spaces.Dict | spaces.Tuple):
        inner = space.spaces.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces)
        for key, part in inner:
            yield from leaves(part, (*path, key))
        return
    if isinstance(space, spaces.Box):
        low, high = space.low, space.high
    elif isinstance(space, spaces.Discrete):
        low, high = np.asarray(space.start), np.asarray(space.start + space.n - 1)
    elif isinstance(space, spaces.MultiDiscrete):
        low, high = space.start, space.start + space.nvec - 1
    elif isinstance(space, spaces.MultiBinary):
        low, high = np.zeros(space.shape, np.int8), np.ones(space.shape, np.int8)
    else:
        raise InputError(
            f"space {type(space).__name__} has values of no fixed size: wrap the environment so that it has Box, "
            "Discrete, MultiDiscrete, MultiBinary, and Dict or Tuple of these"
        )
    dtype = np.dtype(space.dtype)
    yield Leaf(path, dtype, tuple(low.shape), low, high, not isinstance(space, spaces.Box))


def _same(one: Leaf, other: Leaf) -> bool:
    kind = one.dtype == other.dtype and one.shape == other.shape and one.counted == other.counted
    return kind and np.array_equal(one.low, other.low) and np.array_equal(one.high, other.high)


class Layout:
    """How values of a space lie in a row of numbers.

    A space of nothing but float32, or nothing but uint8, gives rows of that type. Any other gives rows of bytes: each
    array as it is, in its own type and byte order, at an aligned place of a record.

    Args:
        space: of one value.

    Attributes:
        space: the same.
        leaves: its arrays.
        record: NumPy's structured type of a row, with fields "0", "1", ... for the leaves.
        dtype: of a row's elements.
        columns: number of them.
        plain: whether a row's elements are the values themselves, and not the bytes of a record.

    Raises:
        InputError: a space whose values have no fixed size, or none at all.
    """

    def __init__(self, space: spaces.Space[Any]) -> None:
        self.space = space
        self.leaves = tuple(leaves(space))
        self.record = np.dtype([(str(i), leaf.dtype, leaf.shape) for i, leaf in enumerate(self.leaves)], align=True)
        if self.record.itemsize == 0:
            raise InputError(f"space {space} has no values: nothing can be observed or done in it")
        kinds = {leaf.dtype for leaf in self.leaves}
        self.plain = kinds in ({np.dtype(np.float32)}, {np.dtype(np.uint8)})
        self.dtype = kinds.pop() if self.plain else np.dtype(np.uint8)
        self.columns = self.record.itemsize // self.dtype.itemsize

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest element of a row."""
        if not self.plain:
            return 0.0, 255.0
        return min(float(leaf.low.min()) for leaf in self.leaves), max(float(leaf.high.max()) for leaf in self.leaves)

    @property
    def picture(self) -> tuple[int, ...] | None:
        """Channels, height and width of a space of one picture of bytes; None for any other."""
        one = self.leaves[0]
        return one.shape if len(self.leaves) == 1 and one.dtype == np.uint8 and len(one.shape) == 3 else None

    def views(self, rows: Array) -> list[Array]:
        """Views on C-contiguous rows [n, columns], one for each leaf: [n, *shape]."""
        records = rows.view(np.uint8).view(self.record)[:, 0]
        return [records[name] for name in self.record.names or ()]

    def store(self, value: Any, views: list[Array], index: Any) -> None:
        """Write a value, or a batch of values, into the row or rows `index` that `views` are of."""
        for leaf, view in zip(self.leaves, views, strict=True):
            view[index] = leaf.of(value)

    def flatten(self, value: Any) -> Array:
        """The row [columns] of a value."""
        row = np.zeros((1, self.columns), self.dtype)
        self.store(value, self.views(row), 0)
        flat: Array = row[0]
        return flat

    def unflatten(self, row: Array) -> Any:
        """The value of a row [columns], in memory of its own."""
        views = self.views(np.ascontiguousarray(row)[None])
        # No view[0]: a scalar would lose its byte order.
        arrays = [view.copy().reshape(leaf.shape) for leaf, view in zip(self.leaves, views, strict=True)]
        return nested(self.space, iter(arrays))

    def require(self, space: spaces.Space[Any], what: str) -> None:
        """Refuse a space that differs from this one.

        Raises:
            InputError: they differ; the message has dtype, shape, bounds and byte order of both.
        """
        wanted, found = {leaf.path: leaf for leaf in self.leaves}, {leaf.path: leaf for leaf in leaves(space)}
        for path in [*wanted, *(path for path in found if path not in wanted)]:
            one, other = wanted.get(path), found.get(path)
            if one is None or other is None or not _same(one, other):
                name = (one or other or self.leaves[0]).name
                raise InputError(
                    f"{what}{name}: expected {one.facts() if one else 'nothing'}; actual "
                    f"{other.facts() if other else 'nothing'}: all of them must have the same spaces"
                )

    def check(self, value: Any, what: str) -> None:
        """Refuse a value that is not of this space, with what both are.

        Raises:
            InputError: it is of another structure, dtype, shape or byte order, or outside the bounds.
        """
        for leaf in self.leaves:
            try:
                part = leaf.of(value)
            except (KeyError, IndexError, TypeError) as error:
                raise InputError(f"{what} has no {leaf.name}, which its space has: correct the environment") from error
            array = np.asarray(part)
            number = array.dtype.kind in "bif" or array.dtype == leaf.dtype
            kind = array.dtype == leaf.dtype or (leaf.counted and array.dtype.kind in "iu")
            inside = number and array.shape == leaf.shape and bool(np.all((array >= leaf.low) & (array <= leaf.high)))
            if not (kind and inside):
                seen = _facts(array.dtype, array.shape, array, array) if number or kind else repr(part)
                raise InputError(
                    f"{what}{leaf.name}: expected {leaf.facts()}; actual {seen}: correct the environment or its space"
                )


class ActionLayout(Layout):
    """How actions lie in the rows of a `Batch`, where a policy writes them.

    Spaces of nothing but choices (Discrete, MultiDiscrete, MultiBinary, nested) have one int32 column for each, 0 ..
    choices - 1. Spaces of nothing but floats have one float32 column for each, in which the range [-1, 1] stands for
    the one between the bounds; a component with an infinite bound is taken as it is. Any other space has the bytes of
    its record.

    Args:
        space: of one agent's action.

    Attributes:
        choices: of each column; empty for floats and records.
    """

    def __init__(self, space: spaces.Space[Any]) -> None:
        super().__init__(space)
        size = sum(leaf.size for leaf in self.leaves)
        self.choices: tuple[int, ...] = ()
        self.kind = "record"
        if all(leaf.counted for leaf in self.leaves):
            choices = [count for leaf in self.leaves for count in (leaf.high - leaf.low + 1).ravel().tolist()]
            if max(choices) < 2**31:
                self.kind, self.columns, self.dtype, self.choices = "choices", size, np.dtype(np.int32), tuple(choices)
        elif all(leaf.dtype.kind == "f" for leaf in self.leaves):
            self.kind, self.columns, self.dtype = "floats", size, np.dtype(np.float32)
        self._type = self.leaves[0].dtype.type
        self._start = int(space.start) if isinstance(space, spaces.Discrete) and self.kind == "choices" else None
        ends = np.cumsum([leaf.size for leaf in self.leaves])
        self._columns = [slice(end - leaf.size, end) for end, leaf in zip(ends, self.leaves, strict=True)]

    def value(self, rows: Array) -> Any:
        """The action in a row [columns], or the batch of those in rows [n, columns]."""
        if self._start is not None and rows.ndim == 1:  # without the arrays, which take as long as some steps
            return self._type(int(rows[0]) + self._start)
        if self.kind == "record":
            return self.unflatten(rows) if rows.ndim == 1 else nested(self.space, iter(self.views(rows)))
        convert = _choices if self.kind == "choices" else _floats
        parts = zip(self.leaves, self._columns, strict=True)
        return nested(self.space, iter([convert(leaf, rows[..., columns]) for leaf, columns in parts]))

    def row(self, action: Any) -> Array:
        """The row [columns] of an action; the inverse of `value`, to float32's precision in floats."""
        if self.kind == "record":
            return self.flatten(action)
        row = np.zeros(self.columns, self.dtype)
        for leaf, columns in zip(self.leaves, self._columns, strict=True):
            part = np.asarray(leaf.of(action)) - (leaf.low if leaf.counted else 0)
            if not leaf.counted:
                low, span, bounded = _range(leaf)
                part = np.where(bounded, 2.0 * (part - low) / span - 1.0, part)
            row[columns] = part.ravel()
        return row


def _choices(leaf: Leaf, columns: Array) -> Array:
    return (columns.reshape(columns.shape[:-1] + leaf.shape) + leaf.low).astype(leaf.dtype)


def _floats(leaf: Leaf, columns: Array) -> Array:
    low, span, bounded = _range(leaf)
    given = columns.reshape(columns.shape[:-1] + leaf.shape).astype(np.float64)
    scaled = np.where(bounded, low + 0.5 * (np.clip(given, -1.0, 1.0) + 1.0) * span, given)
    return np.clip(scaled, leaf.low, leaf.high).astype(leaf.dtype)


def _range(leaf: Leaf) -> tuple[Array, Array, Array]:
    """Lower bound and width in float64, both harmless where a bound is infinite, and where none is."""
    low, high = leaf.low.astype(np.float64), leaf.high.astype(np.float64)
    bounded = np.isfinite(low) & np.isfinite(high) & (high > low)
    return np.where(bounded, low, 0.0), np.where(bounded, high - np.where(bounded, low, 0.0), 1.0), bounded


def nested(space: spaces.Space[Any], arrays: Iterator[Any]) -> Any:
    """The structured value of a space from the arrays of its leaves, in order."""
    if isinstance(space, spaces.Dict):
        return {key: nested(part, arrays) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(nested(part, arrays) for part in space.spaces)
    array = next(arrays)
    return array[()] if isinstance(space, spaces.Discrete) else array
