"""Structured spaces as rows: nothing is lost, and what differs is said."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import data_equivalence

from matdesign.errors import InputError
from matdesign.vector.spaces import ActionLayout, Layout

TYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">f4", ">f8", ">i2", "?")


def random_space(random: np.random.Generator, depth: int = 0) -> spaces.Space:
    kind = random.integers(4 if depth == 3 else 6)
    if kind >= 4:
        parts = [random_space(random, depth + 1) for _ in range(random.integers(1, 4))]
        return spaces.Tuple(parts) if kind == 4 else spaces.Dict({f"part {i}": part for i, part in enumerate(parts)})
    shape = tuple(random.integers(1, 4, random.integers(0, 3)).tolist())
    if kind == 0:
        return random_box(random, shape)
    if kind == 1:
        return spaces.Discrete(int(random.integers(1, 9)), start=int(random.integers(-5, 5)))
    if kind == 2:
        choices = random.integers(1, 6, shape or (2,))
        return spaces.MultiDiscrete(choices, dtype=random.choice([np.int32, np.int64, np.uint8]))
    return spaces.MultiBinary(shape or 3)


def random_box(random: np.random.Generator, shape: tuple[int, ...]) -> spaces.Box:
    dtype = np.dtype(str(random.choice(TYPES)))
    if dtype.kind == "f":
        low, high = (-np.inf, np.inf) if random.random() < 0.3 else (-2.5, 7.0)
    elif dtype.kind == "b":
        low, high = 0, 1
    else:
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    return spaces.Box(np.full(shape, low, dtype), np.full(shape, high, dtype), shape, dtype)


def awkward(space: spaces.Space, value: object, random: np.random.Generator) -> object:
    """The value with extremes, NaN and signed zeros in its floats: bits that arithmetic would not keep."""
    if isinstance(space, spaces.Dict):
        return {key: awkward(part, value[key], random) for key, part in space.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(awkward(part, one, random) for part, one in zip(space, value, strict=True))
    if isinstance(space, spaces.Box) and space.dtype.kind == "f":
        odd = np.array([np.nan, -0.0, np.inf, np.finfo(space.dtype).tiny, np.finfo(space.dtype).max], space.dtype)
        return np.where(random.random(space.shape) < 0.5, random.choice(odd, space.shape), value).astype(space.dtype)
    return value


def same_bits(one: object, other: object) -> bool:
    if isinstance(one, dict):
        return list(one) == list(other) and all(same_bits(one[key], other[key]) for key in one)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same_bits, one, other))
    one, other = np.asarray(one), np.asarray(other)
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


@pytest.mark.parametrize("seed", range(150))
def test_round_trip_of_a_random_space(seed: int) -> None:
    random = np.random.default_rng(seed)
    space = random_space(random)
    space.seed(seed)
    layout = Layout(space)
    rows = np.zeros((3, layout.columns), layout.dtype)
    views = layout.views(rows)
    values = [space.sample() for _ in range(3)]
    for i, value in enumerate(values):
        layout.check(value, "value")
        layout.store(value, views, i)
    for row, value in zip(rows, values, strict=True):
        back = layout.unflatten(row)
        assert same_bits(back, value)
        assert back in space
        odd = awkward(space, value, random)
        assert same_bits(layout.unflatten(layout.flatten(odd)), odd)


@pytest.mark.parametrize("seed", range(100))
def test_actions_there_and_back(seed: int) -> None:
    random = np.random.default_rng(seed)
    space = random_space(random)
    space.seed(seed)
    layout = ActionLayout(space)
    value = space.sample()
    row = layout.row(value)
    assert (row.shape, row.dtype) == ((layout.columns,), layout.dtype)
    if layout.kind == "floats":
        assert all(np.allclose(a, b, atol=1e-2, equal_nan=True) for a, b in _pairs(layout, layout.value(row), value))
        return
    assert same_bits(layout.value(row), value)
    batch = layout.value(np.stack([row, row]))
    assert all(np.array_equal(a[1], b) for a, b in _pairs(layout, batch, value))
    if layout.kind == "choices":
        assert len(layout.choices) == layout.columns
        assert ((row >= 0) & (row < layout.choices)).all()


def _pairs(layout: ActionLayout, one: object, other: object) -> list[tuple[object, object]]:
    return [(leaf.of(one), leaf.of(other)) for leaf in layout.leaves]


def test_kinds_of_rows() -> None:
    picture = Layout(spaces.Box(0, 255, (4, 84, 84), np.uint8))
    assert (picture.plain, picture.columns, picture.dtype, picture.bounds) == (True, 4 * 84 * 84, np.uint8, (0, 255))
    assert picture.picture == (4, 84, 84)
    floats = Layout(spaces.Dict(a=spaces.Box(-1, 1, (3,)), b=spaces.Box(-5, 2, ())))
    assert (floats.plain, floats.columns, floats.dtype, floats.bounds) == (True, 4, np.float32, (-5, 2))
    assert np.array_equal(floats.flatten({"a": [1, 2, 3], "b": 4}), np.float32([1, 2, 3, 4]))
    mixed = Layout(spaces.Tuple([spaces.Box(-1, 1, (3,), np.float64), spaces.Discrete(2)]))
    assert (mixed.plain, mixed.columns, mixed.dtype) == (False, 32, np.uint8)


def test_continuous_actions_span_the_bounds() -> None:
    layout = ActionLayout(spaces.Box(np.float32([-2, 0, -np.inf]), np.float32([2, 1, 5]), dtype=np.float32))
    assert np.array_equal(layout.value(np.float32([-1, -1, -30])), np.float32([-2, 0, -30]))
    assert np.array_equal(layout.value(np.float32([9, 1, 30])), np.float32([2, 1, 5]))
    assert np.array_equal(layout.value(np.float32([0, 0, 0])), np.float32([0, 0.5, 0]))


def test_discrete_actions_begin_at_their_start() -> None:
    layout = ActionLayout(spaces.Dict(a=spaces.Discrete(3, start=-1), b=spaces.MultiDiscrete([2, 5])))
    assert layout.choices == (3, 2, 5)
    assert data_equivalence(layout.value(np.int32([0, 1, 4])), {"a": np.int64(-1), "b": np.int64([1, 4])}, exact=True)


def test_no_fixed_size() -> None:
    for space in (spaces.Text(5), spaces.Sequence(spaces.Discrete(2)), spaces.Dict(a=spaces.Text(5))):
        with pytest.raises(InputError, match="no fixed size: wrap the environment"):
            Layout(space)
    with pytest.raises(InputError, match="no values"):
        Layout(spaces.Dict())


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"x": np.zeros(3, np.float64), "n": 1},
            r"\['x'\]: expected dtype float32, shape \(3,\), bounds -1 to 1, byte order little-endian; actual dtype "
            r"float64, shape \(3,\), bounds 0 to 0, byte order little-endian",
        ),
        ({"x": np.zeros(3, ">f4"), "n": 1}, r"little-endian; actual dtype float32, .* byte order big-endian"),
        ({"x": np.zeros((1, 3), np.float32), "n": 1}, r"shape \(3,\), .*; actual dtype float32, shape \(1, 3\)"),
        ({"x": np.float32([0, 0, 2]), "n": 1}, r"bounds -1 to 1, .*; actual .* bounds 0 to 2"),
        ({"x": np.float32([0, 0, np.nan]), "n": 1}, r"bounds -1 to 1, .*; actual .* bounds nan to nan"),
        (
            {"x": np.zeros(3, np.float32), "n": 5},
            r"\['n'\]: expected dtype int64, shape \(\), bounds 0 to 3.* 5 to 5",
        ),
        ({"x": np.zeros(3, np.float32), "n": 0.5}, r"\['n'\]: expected dtype int64.*; actual dtype float64"),
        ({"x": np.zeros(3, np.float32), "n": "one"}, r"\['n'\]: .*actual 'one'"),
        ({"x": np.zeros(3, np.float32)}, r"observation has no \['n'\]"),
    ],
)
def test_a_value_that_is_not_of_its_space(value: dict[str, object], message: str) -> None:
    layout = Layout(spaces.Dict(x=spaces.Box(-1, 1, (3,)), n=spaces.Discrete(4)))
    layout.check({"x": np.zeros(3, np.float32), "n": 1}, "observation")
    with pytest.raises(InputError, match=message):
        layout.check(value, "observation")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (spaces.Dict(x=spaces.Box(-1, 2, (3,))), "bounds -1 to 1, .*; actual .* bounds -1 to 2"),
        (spaces.Dict(x=spaces.Box(-1, 1, (4,))), r"shape \(3,\), .*; actual .* shape \(4,\)"),
        (spaces.Dict(x=spaces.Box(-1, 1, (3,), np.float64)), "expected dtype float32, .*; actual dtype float64"),
        (
            spaces.Dict(x=spaces.Box(-np.ones(3, ">f4"), np.ones(3, ">f4"), dtype=np.dtype(">f4"))),
            "byte order little-endian; actual .* byte order big-endian",
        ),
        (spaces.Dict(y=spaces.Box(-1, 1, (3,))), r"\['x'\]: expected dtype float32, .*; actual nothing"),
    ],
)
def test_a_space_that_differs(other: gymnasium.Space, message: str) -> None:
    layout = Layout(spaces.Dict(x=spaces.Box(-1, 1, (3,))))
    layout.require(spaces.Dict(x=spaces.Box(-1, 1, (3,))), "space")
    with pytest.raises(InputError, match=message):
        layout.require(other, "space")
