"""The vectorizer's Python face: environments in this process, stepped by one C call."""

import ctypes

import numpy as np
from numpy.typing import NDArray

from matdesign import envs as environments
from matdesign.envs import Environment
from matdesign.envs.layout import NeighbourList
from matdesign.errors import InputError, MatdesignError
from matdesign.native import ERROR_BYTES
from matdesign.scene import Scene
from matdesign.typed import closest
from matdesign.vector import interface
from matdesign.vector.batch import CACHE_LINE, Batch, Buffers, Rows, Saved, checked_counts
from matdesign.vector.interface import SettingValues, Spaces

MOST_THREADS = 1024


def described(environment: str, settings: SettingValues) -> tuple[Environment, Rows, interface.Values]:
    """Find an environment, check its settings and ask for its shapes; raises as `Vector` does."""
    found = environments.load(environment)
    known = [setting.name for setting in found.settings]
    for name in settings:
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise InputError(f"{found.name} has no setting {name!r}{closest(name, known)} ({has})")
    values = interface.Values(settings)
    error = ctypes.create_string_buffer(ERROR_BYTES)
    spaces = Spaces()
    if interface.environment_spaces(
        found.pointer, values.array, values.count, ctypes.byref(spaces), error, ERROR_BYTES
    ):
        raise InputError(error.value.decode(errors="replace"))
    neighbours = NeighbourList(first=spaces.first_neighbour, count=spaces.neighbours, columns=spaces.neighbour_columns)
    rows = Rows(
        agents=spaces.agents,
        features=spaces.features,
        observation_type=np.dtype(np.uint8 if spaces.bytes == 1 else np.float32),
        low=spaces.low,
        high=spaces.high,
        action_dims=spaces.action_dims,
        action_type=np.dtype(np.int32 if spaces.choices else np.float32),
        choices=(spaces.choices,) * spaces.action_dims if spaces.choices else (),
        neighbours=neighbours if neighbours.count else None,
    )
    return found, rows, values


class Vector(Batch):
    """Environments of one kind in this process, stepped by one C call with the GIL released.

    Args:
        environment: built-in name, or path of a library compiled against `matdesign.envs.INCLUDE`/env.h.
        settings: values for the environment's own settings; the others keep their defaults.
        envs: number of environments.
        threads: threads that step them, the calling one included; results do not depend on it. More than one pays where
            a step of all environments takes longer than the tens of microseconds that waking a thread costs. `send`
            leaves the work to the others: with one thread it does it itself.
        parts: 1, or 2 to step one half while acting for the other.
        first: number of the first environment in a larger batch that this is a piece of; seeds follow from it.
        buffers: arrays to use in place of new ones.

    Raises:
        InputError: unknown environment or setting, a value of the wrong kind or outside its bounds, a count below one,
            an odd number of environments in two parts, or more environments than memory holds.
    """

    _handle: ctypes.c_void_p | None = None  # from opening to close
    _started: ctypes.c_void_p | None = None  # the same from the first reset on

    def __init__(
        self,
        environment: str,
        settings: SettingValues,
        *,
        envs: int,
        threads: int = 1,
        parts: int = 1,
        first: int = 0,
        buffers: Buffers | None = None,
    ) -> None:
        checked_counts(envs, parts)
        if not 1 <= threads <= MOST_THREADS:
            raise InputError(f"threads is {threads}: give 1 to {MOST_THREADS}")
        self.threads = threads
        found, rows, values = described(environment, settings)
        if buffers is None:
            try:
                buffers = Buffers.carved(_aligned(Buffers.size(rows, envs)), rows, envs)
            except (MemoryError, ValueError, OverflowError) as full:
                raise InputError(f"envs is {envs}: their buffers do not fit in memory, ask for fewer") from full
        self._describe(found, rows, buffers, envs=envs, parts=parts)
        addresses = [buffer.ctypes.data for buffer in vars(buffers).values()]
        error = ctypes.create_string_buffer(ERROR_BYTES)
        handle = interface.vector_open(
            found.pointer, values.array, values.count, envs, parts, threads, *addresses, error, ERROR_BYTES
        )
        if not handle:
            raise InputError(error.value.decode(errors="replace"))
        self._functions = values.functions
        self._handle = ctypes.c_void_p(handle)  # converted once: step() is called millions of times
        interface.vector_number_from(self._handle, first)
        self._step = interface.vector_step
        self._means = np.zeros(len(self.environment.log_names), np.float32)
        self._scene = interface.CScene()

    @property
    def handle(self) -> ctypes.c_void_p | None:
        """The vector in C, for functions there that step it by themselves (`vector_step`).

        None where that would leave something out: before the first reset, in two parts, and where environments call
        Python functions, which may raise.
        """
        return None if self._functions or len(self.parts) > 1 else self._started

    def reset(self, seed: int) -> None:
        """As for `Batch`."""
        if self._handle is None:
            raise MatdesignError("this vector was closed: open another one")
        interface.vector_reset(self._handle, seed % 2**64)
        self._started = self._handle
        self._check()

    def step(self) -> None:
        """As for `Batch`."""
        if self._started is None:
            raise self._not_started()
        self._step(self._started)
        if self._functions:
            self._check()

    def send(self, part: int) -> None:
        """As for `Batch`."""
        interface.vector_send(self._checked(part, len(self.parts), "part"), part)

    def recv(self, part: int) -> None:
        """As for `Batch`."""
        interface.vector_recv(self._checked(part, len(self.parts), "part"), part)
        self._check()

    def log(self, index: int | None = None) -> dict[str, float]:
        """As for `Batch`."""
        handle = self._checked(0 if index is None else index, self.envs)
        first, count = (0, self.envs) if index is None else (index, 1)
        episodes = interface.vector_log(handle, first, count, self._means.ctypes.data)
        if episodes == 0:
            return {"episodes": 0.0}
        means = dict(zip(self.environment.log_names, self._means.tolist(), strict=True))
        return {**means, "episodes": float(episodes)}

    def scene(self, index: int) -> Scene:
        """As for `Batch`."""
        interface.vector_draw(self._checked(index, self.envs), index, ctypes.byref(self._scene))
        return self._scene.copied()

    def save(self) -> Saved | None:
        """As for `Batch`."""
        handle = self._checked(0, self.envs)
        sizes = np.empty(self.envs, np.int64)
        environments = np.empty(max(0, interface.vector_state_sizes(handle, sizes.ctypes.data)), np.uint8)
        if interface.vector_save(handle, environments.ctypes.data, environments.size):
            return None
        return environments, sizes

    def load(self, environments: NDArray[np.uint8], sizes: NDArray[np.int64]) -> None:
        """As for `Batch`."""
        if self._handle is None:
            raise self._not_started()
        self._started = None
        if interface.vector_load(self._handle, environments.ctypes.data, sizes.ctypes.data):
            raise self._refused()
        self._started = self._handle

    def pointer(self, index: int) -> int:
        """Return the address of environment `index`, for C functions of its own kind; valid until `close`.

        Raises:
            InputError: there is no such environment.
        """
        address: int = interface.vector_environment(self._checked(index, self.envs), index)
        return address

    def close(self) -> None:
        """As for `Batch`."""
        if self._handle is None:
            return
        interface.vector_close(self._handle)
        interface.scene_free(ctypes.byref(self._scene))
        self._handle = self._started = None

    def _check(self) -> None:
        for function in self._functions:
            function.check()

    def _checked(self, index: int, count: int, what: str = "environment") -> ctypes.c_void_p:
        if not 0 <= index < count:
            raise InputError(f"{what} index is {index}: give 0 to {count - 1}")
        if self._started is None:
            raise self._not_started()
        return self._started

    def _not_started(self) -> MatdesignError:
        if self._handle is None:
            return MatdesignError("this vector was closed: open another one")
        return MatdesignError("this vector has no episode yet: call reset(seed) first")


def _aligned(size: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """Zeros that start on a cache line."""
    memory = np.zeros(size + CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + size]
