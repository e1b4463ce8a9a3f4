"""The C interface of the vectorizer: mirrors of the structs in env.h and the functions of vector.h."""

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from matdesign.errors import InputError
from matdesign.native import LIBRARY, Function
from matdesign.scene import Scene, Text

Pointer = ctypes.c_void_p
SettingValues: TypeAlias = Mapping[str, float | int | bool | str | Sequence[float] | NDArray[Any] | Function]


class _SettingValue(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("numbers", Pointer), ("count", ctypes.c_int64), ("text", ctypes.c_char_p)]


class Spaces(ctypes.Structure):
    """Shapes and bounds of one environment's rows."""

    agents: int
    features: int
    action_dims: int
    choices: int
    bytes: int
    low: float
    high: float
    first_neighbour: int
    neighbours: int
    neighbour_columns: int
    _fields_ = [
        ("agents", ctypes.c_int32),
        ("features", ctypes.c_int32),
        ("action_dims", ctypes.c_int32),
        ("choices", ctypes.c_int32),
        ("bytes", ctypes.c_int32),
        ("low", ctypes.c_float),
        ("high", ctypes.c_float),
        ("first_neighbour", ctypes.c_int32),
        ("neighbours", ctypes.c_int32),
        ("neighbour_columns", ctypes.c_int32),
    ]


class _SceneRows(ctypes.Structure):
    _fields_ = [("rows", ctypes.POINTER(ctypes.c_float)), ("count", ctypes.c_int64), ("capacity", ctypes.c_int64)]


class _SceneText(ctypes.Structure):
    _fields_ = [
        ("position", ctypes.c_float * 3),
        ("size", ctypes.c_float),
        ("rgba", ctypes.c_float * 4),
        ("text", ctypes.c_char * 64),
    ]


class CScene(ctypes.Structure):
    """A Scene in C memory."""

    _fields_ = [
        ("spheres", _SceneRows),
        ("lines", _SceneRows),
        ("boxes", _SceneRows),
        ("texts", ctypes.POINTER(_SceneText)),
        ("text_count", ctypes.c_int64),
        ("text_capacity", ctypes.c_int64),
    ]

    def copied(self) -> Scene:
        """Return the same scene in NumPy arrays of their own."""
        return Scene(
            spheres=_copied(self.spheres, 8),
            lines=_copied(self.lines, 10),
            boxes=_copied(self.boxes, 10),
            texts=[
                Text(
                    position=tuple(row.position),
                    size=row.size,
                    rgba=tuple(row.rgba),
                    text=row.text.decode(errors="replace"),
                )
                for row in self.texts[: self.text_count]
            ],
        )


def _copied(rows: _SceneRows, columns: int) -> NDArray[np.float32]:
    if rows.count == 0:
        return np.zeros((0, columns), np.float32)
    return np.ctypeslib.as_array(rows.rows, shape=(rows.count, columns)).copy()


class Values:
    """Settings as the C side reads them; owns the memory `array` points to, and the `functions` among them.

    Raises:
        InputError: a value is neither a number, nor text, nor a list of numbers.
    """

    def __init__(self, settings: SettingValues) -> None:
        self.count = len(settings)
        self.array = (_SettingValue * self.count)()
        self._numbers: list[NDArray[np.float64]] = []
        self.functions = [value for value in settings.values() if isinstance(value, Function)]
        for row, (name, value) in zip(self.array, settings.items(), strict=True):
            row.name = _encoded(name, name)
            if isinstance(value, str):
                row.text = _encoded(name, value)
                continue
            if isinstance(value, Function):
                value = value.address
            try:
                # A copy: the caller's memory may go. None would become NaN.
                numbers = np.array([] if value is None else value, np.float64).ravel()
            except (TypeError, ValueError):
                numbers = None
            if value is None or numbers is None:
                raise InputError(f"setting {name!r} is {value!r}: give a number, text or a list of numbers")
            self._numbers.append(numbers)
            row.numbers = numbers.ctypes.data
            row.count = numbers.size


def _encoded(name: str, text: str) -> bytes:
    if "\0" in text:
        raise InputError(f"setting {name!r} has a NUL character in {text!r}: remove it")
    return text.encode()


_ERROR = (ctypes.c_char_p, ctypes.c_size_t)
environment_spaces = LIBRARY.environment_spaces
environment_spaces.argtypes = [Pointer, Pointer, ctypes.c_int64, Pointer, *_ERROR]
vector_open = LIBRARY.vector_open
_SIZES = (ctypes.c_int64, ctypes.c_int64, ctypes.c_int, ctypes.c_int)
vector_open.argtypes = [Pointer, Pointer, *_SIZES, *(Pointer,) * 6, *_ERROR]
vector_open.restype = Pointer
vector_reset = LIBRARY.vector_reset
vector_reset.argtypes = [Pointer, ctypes.c_uint64]
vector_reset.restype = None
vector_step = LIBRARY.vector_step
vector_step.argtypes = [Pointer]
vector_step.restype = None
vector_send = LIBRARY.vector_send
vector_send.argtypes = [Pointer, ctypes.c_int]
vector_send.restype = None
vector_recv = LIBRARY.vector_recv
vector_recv.argtypes = [Pointer, ctypes.c_int]
vector_recv.restype = None
vector_number_from = LIBRARY.vector_number_from
vector_number_from.argtypes = [Pointer, ctypes.c_int64]
vector_number_from.restype = None
vector_log = LIBRARY.vector_log
vector_log.argtypes = [Pointer, ctypes.c_int64, ctypes.c_int64, Pointer]
vector_log.restype = ctypes.c_int64
vector_state_sizes = LIBRARY.vector_state_sizes
vector_state_sizes.argtypes = [Pointer, Pointer]
vector_state_sizes.restype = ctypes.c_int64
vector_save = LIBRARY.vector_save
vector_save.argtypes = [Pointer, Pointer, ctypes.c_int64]
vector_load = LIBRARY.vector_load
vector_load.argtypes = [Pointer, Pointer, Pointer]
vector_draw = LIBRARY.vector_draw
vector_draw.argtypes = [Pointer, ctypes.c_int64, Pointer]
vector_draw.restype = None
scene_free = LIBRARY.scene_free
scene_free.argtypes = [Pointer]
scene_free.restype = None
vector_environment = LIBRARY.vector_environment
vector_environment.argtypes = [Pointer, ctypes.c_int64]
vector_environment.restype = Pointer
vector_close = LIBRARY.vector_close
vector_close.argtypes = [Pointer]
vector_close.restype = None
gates_open = LIBRARY.gates_open
gates_open.argtypes = [Pointer, ctypes.c_int, ctypes.c_int]
gates_open.restype = None
gates_send = LIBRARY.gates_send
gates_send.argtypes = [Pointer, ctypes.c_int, ctypes.c_int]
gates_send.restype = None
gates_wait = LIBRARY.gates_wait
gates_wait.argtypes = [Pointer, ctypes.c_int, ctypes.c_int, ctypes.c_int]
gate_next = LIBRARY.gate_next
gate_next.argtypes = [Pointer]
gate_done = LIBRARY.gate_done
gate_done.argtypes = [Pointer, ctypes.c_int]
gate_done.restype = None
worker_tie = LIBRARY.worker_tie
worker_tie.argtypes = [ctypes.c_int]
