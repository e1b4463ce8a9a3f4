"""The vectorizer's Python face."""

import ctypes
import math
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from matdesign import envs as environments
from matdesign.errors import InputError, MatdesignError
from matdesign.native import ERROR_BYTES
from matdesign.scene import Scene
from matdesign.typed import closest
from matdesign.vector import interface
from matdesign.vector.interface import SettingValues, Spaces

CACHE_LINE = 64
MOST_THREADS = 1024


class Vector:
    """Many environments of one kind in flat buffers, stepped by one C call with the GIL released.

    The buffers are C-contiguous, start on a cache line and are never reallocated; agents of one environment are
    contiguous rows, so `rows` = envs * agents. They stay valid after `close`, with their last content.

    An environment whose step ended with terminals or truncations is reset by the next `step`, which ignores its
    actions, gives reward 0, mask False and the first observation of the new episode (Gymnasium's next-step autoreset).

    Args:
        environment: built-in name, or path of a library compiled against `matdesign.envs.INCLUDE`/env.h.
        settings: values for the environment's own settings; the others keep their defaults.
        envs: number of environments.
        threads: threads that step them, the calling one included; results do not depend on it. More than one pays where
            a step of all environments takes longer than the tens of microseconds that waking a thread costs.

    Attributes:
        observations: float32 or uint8 [rows, features].
        actions: float32 (continuous, in [-1, 1]) or int32 (discrete, 0 .. choices-1) [rows, action_dims]; write here.
        rewards: float32 [rows].
        terminals: bool [rows], the episode reached an end of its own.
        truncations: bool [rows], the episode was cut off.
        masks: bool [rows], False where the transition belongs to no live agent.
        agents: rows of one environment.
        choices: discrete actions in each column, 0 for continuous ones.
        low: lower bound of observations.
        high: upper bound of observations.

    Raises:
        InputError: unknown environment or setting, a value of the wrong kind or outside its bounds, a count below one,
            or more environments than memory holds.
    """

    _handle: ctypes.c_void_p | None = None  # from opening to close
    _started: ctypes.c_void_p | None = None  # the same from the first reset on

    def __init__(self, environment: str, settings: SettingValues, *, envs: int, threads: int = 1) -> None:
        if envs < 1:
            raise InputError(f"envs is {envs}: give at least 1")
        if not 1 <= threads <= MOST_THREADS:
            raise InputError(f"threads is {threads}: give 1 to {MOST_THREADS}")
        self.environment = environments.load(environment)
        self.envs = envs
        self.threads = threads
        known = [setting.name for setting in self.environment.settings]
        for name in settings:
            if name not in known:
                has = f"it has {', '.join(known)}" if known else "it has none"
                raise InputError(f"{self.environment.name} has no setting {name!r}{closest(name, known)} ({has})")
        values = interface.Values(settings)
        error = ctypes.create_string_buffer(ERROR_BYTES)
        spaces = Spaces()
        pointer = self.environment.pointer
        if interface.environment_spaces(pointer, values.array, values.count, ctypes.byref(spaces), error, ERROR_BYTES):
            raise InputError(error.value.decode(errors="replace"))
        self.agents = spaces.agents
        self.features = spaces.features
        self.action_dims = spaces.action_dims
        self.choices = spaces.choices
        self.low = spaces.low
        self.high = spaces.high
        self.rows = envs * spaces.agents
        try:
            self.observations = _aligned((self.rows, self.features), np.uint8 if spaces.bytes == 1 else np.float32)
            self.actions = _aligned((self.rows, self.action_dims), np.int32 if self.choices else np.float32)
            self.rewards: NDArray[np.float32] = _aligned((self.rows,), np.float32)
            self.terminals: NDArray[np.bool_] = _aligned((self.rows,), np.bool_)
            self.truncations: NDArray[np.bool_] = _aligned((self.rows,), np.bool_)
            self.masks: NDArray[np.bool_] = _aligned((self.rows,), np.bool_)
        except (MemoryError, ValueError, OverflowError) as full:
            raise InputError(f"envs is {envs}: their buffers do not fit in memory, ask for fewer") from full
        buffers = (self.observations, self.actions, self.rewards, self.terminals, self.truncations, self.masks)
        addresses = [buffer.ctypes.data for buffer in buffers]
        handle = interface.vector_open(
            pointer, values.array, values.count, envs, threads, *addresses, error, ERROR_BYTES
        )
        if not handle:
            raise InputError(error.value.decode(errors="replace"))
        self._handle = ctypes.c_void_p(handle)  # converted once: step() is called millions of times
        self._step = interface.vector_step
        self._means = np.zeros(len(self.environment.log_names), np.float32)
        self._scene = interface.CScene()

    def reset(self, seed: int) -> None:
        """Start the first episode of every environment i from (seed, i) and drop what was logged.

        Args:
            seed: any integer; taken modulo 2**64.
        """
        if self._handle is None:
            raise MatdesignError("this vector was closed: open another one")
        interface.vector_reset(self._handle, seed % 2**64)
        self._started = self._handle

    def step(self) -> None:
        """Advance every environment with the actions now in the buffer; the other buffers are written in place."""
        if self._started is None:
            raise self._not_started()
        self._step(self._started)

    def log(self, index: int | None = None) -> dict[str, float]:
        """Return means over the episodes that ended since the last call or reset, and forget them.

        Args:
            index: one environment; default all of them.

        Returns:
            One mean for each of the environment's log names and the number "episodes"; that alone where none ended.

        Raises:
            InputError: there is no such environment.
        """
        if index is not None:
            self._checked(index)
        if self._started is None:
            raise self._not_started()
        first, count = (0, self.envs) if index is None else (index, 1)
        episodes = interface.vector_log(self._started, first, count, self._means.ctypes.data)
        if episodes == 0:
            return {"episodes": 0.0}
        means = dict(zip(self.environment.log_names, self._means.tolist(), strict=True))
        return {**means, "episodes": float(episodes)}

    def scene(self, index: int) -> Scene:
        """Return what environment `index` looks like now.

        Raises:
            InputError: there is no such environment.
        """
        interface.vector_draw(self._checked(index), index, ctypes.byref(self._scene))
        return self._scene.copied()

    def pointer(self, index: int) -> int:
        """Return the address of environment `index`, for C functions of its own kind; valid until `close`.

        Raises:
            InputError: there is no such environment.
        """
        address: int = interface.vector_environment(self._checked(index), index)
        return address

    def close(self) -> None:
        """Close every environment; the buffers stay readable. Closing again does nothing."""
        if self._handle is None:
            return
        interface.vector_close(self._handle)
        interface.scene_free(ctypes.byref(self._scene))
        self._handle = self._started = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _checked(self, index: int) -> ctypes.c_void_p:
        if not 0 <= index < self.envs:
            raise InputError(f"environment index is {index}: give 0 to {self.envs - 1}")
        if self._started is None:
            raise self._not_started()
        return self._started

    def _not_started(self) -> MatdesignError:
        if self._handle is None:
            return MatdesignError("this vector was closed: open another one")
        return MatdesignError("this vector has no episode yet: call reset(seed) first")


def _aligned(shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """Zeros that start on a cache line."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.zeros(size + CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + size].view(dtype).reshape(shape)
