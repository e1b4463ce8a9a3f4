"""Many environments of one kind in flat buffers: what every backend shares."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from matdesign.envs import Environment
from matdesign.envs.layout import NeighbourList
from matdesign.errors import InputError
from matdesign.scene import Scene

if TYPE_CHECKING:
    from matdesign.vector.spaces import ActionLayout, Layout

CACHE_LINE = 64
MOST_PARTS = 2
Saved: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.int64]]  # states of environments, and the bytes of each
ROWS = ("observations", "rewards", "terminals", "truncations", "masks")


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Shapes of one environment's rows.

    Attributes:
        agents: rows.
        features: columns of the observations.
        observation_type: float32 or uint8.
        low: lower bound of observations.
        high: upper bound of observations.
        action_dims: columns of the actions.
        action_type: float32 for continuous actions, int32 for discrete ones, uint8 for the bytes of a record.
        choices: discrete actions of each column; empty for other kinds.
        neighbours: where observations list neighbours; None where they do not say so.
    """

    agents: int
    features: int
    observation_type: np.dtype[Any]
    low: float
    high: float
    action_dims: int
    action_type: np.dtype[Any]
    choices: tuple[int, ...]
    neighbours: NeighbourList | None = None


@dataclass(frozen=True)
class Buffers:
    """The arrays of a `Batch`, or the same rows of each of them."""

    observations: NDArray[Any]
    actions: NDArray[Any]
    rewards: NDArray[np.float32]
    terminals: NDArray[np.bool_]
    truncations: NDArray[np.bool_]
    masks: NDArray[np.bool_]

    @staticmethod
    def size(rows: Rows, envs: int) -> int:
        """Bytes that `carved` needs."""
        return sum(_padded(envs * rows.agents * columns * kind.itemsize) for columns, kind in _columns(rows))

    @classmethod
    def carved(cls, memory: NDArray[np.uint8], rows: Rows, envs: int) -> "Buffers":
        """The buffers of `envs` environments in `memory`, which starts on a cache line, as each of them does."""
        arrays, start = [], 0
        for columns, kind in _columns(rows):
            length = envs * rows.agents * columns * kind.itemsize
            arrays.append(memory[start : start + length].view(kind))
            start += _padded(length)
        count = envs * rows.agents
        return cls(arrays[0].reshape(count, rows.features), arrays[1].reshape(count, rows.action_dims), *arrays[2:])

    def part(self, rows: slice) -> "Buffers":
        """These rows of every array, no copies."""
        return Buffers(*(array[rows] for array in vars(self).values()))


def _columns(rows: Rows) -> list[tuple[int, np.dtype[Any]]]:
    flag = np.dtype(np.bool_)
    wide = [(rows.features, rows.observation_type), (rows.action_dims, rows.action_type)]
    return [*wide, (1, np.dtype(np.float32)), (1, flag), (1, flag), (1, flag)]


def _padded(size: int) -> int:
    return -(-size // CACHE_LINE) * CACHE_LINE


class Batch(ABC):
    """Many environments of one kind in flat buffers; `Vector` and `Workers` are the kinds there are.

    The buffers are C-contiguous, start on a cache line and are never reallocated; agents of one environment are
    contiguous rows, so `rows` = envs * agents. They stay valid after `close`, with their last content.

    An environment whose step ended with terminals or truncations is reset by the next `step`, which ignores its
    actions, gives reward 0, mask False and the first observation of the new episode (Gymnasium's next-step autoreset).

    To act for one half of the environments while the other half steps, open a batch of two `parts` and use `send` and
    `recv` in place of `step`: each part is a slice of rows, sent and received in turns.

    Attributes:
        environment: what it is called and logs.
        envs: number of environments.
        parts: the rows of each part, one slice or two.
        observations: float32 or uint8 [rows, features].
        actions: float32 (continuous, in [-1, 1]) or int32 (discrete, 0 .. choices-1) [rows, action_dims]; write here.
        rewards: float32 [rows].
        terminals: bool [rows], the episode reached an end of its own.
        truncations: bool [rows], the episode was cut off.
        masks: bool [rows], False where the transition belongs to no live agent.
        agents: rows of one environment.
        choices: discrete actions in each column (the most there are, where columns differ), 0 for continuous ones.
        column_choices: discrete actions of each column; empty for continuous ones.
        low: lower bound of observations.
        high: upper bound of observations.
        observation_layout: how a row of observations holds a value of a third-party environment's space; None in ours.
        action_layout: the same for actions.
    """

    observation_layout: "Layout | None" = None
    action_layout: "ActionLayout | None" = None

    def _describe(self, environment: Environment, shape: Rows, buffers: Buffers, *, envs: int, parts: int) -> None:
        self.environment = environment
        self.envs = envs
        self.shape = shape
        self.agents = shape.agents
        self.features = shape.features
        self.action_dims = shape.action_dims
        self.column_choices = shape.choices
        self.choices = max(shape.choices, default=0)
        self.low = shape.low
        self.high = shape.high
        self.rows = envs * shape.agents
        self.observations = buffers.observations
        self.actions = buffers.actions
        self.rewards = buffers.rewards
        self.terminals = buffers.terminals
        self.truncations = buffers.truncations
        self.masks = buffers.masks
        each = self.rows // parts
        self.parts = tuple(slice(part * each, (part + 1) * each) for part in range(parts))

    @abstractmethod
    def reset(self, seed: int) -> None:
        """Start the first episode of every environment i from (seed, i) and drop what was logged.

        Args:
            seed: any integer; taken modulo 2**64.
        """

    @abstractmethod
    def send(self, part: int) -> None:
        """Begin one step of the environments of `part`, whose rows are not touched by anybody else until `recv`."""

    @abstractmethod
    def recv(self, part: int) -> None:
        """Return when the step of `part` is done: its rows then hold the result."""

    def step(self) -> None:
        """Advance every environment with the actions now in the buffer; the other buffers are written in place."""
        for part in range(len(self.parts)):
            self.send(part)
        for part in range(len(self.parts)):
            self.recv(part)

    @abstractmethod
    def log(self, index: int | None = None) -> dict[str, float]:
        """Return means over the episodes that ended since the last call or reset, and forget them.

        Args:
            index: one environment; default all of them.

        Returns:
            One mean for each of the environment's log names and the number "episodes"; that alone where none ended.

        Raises:
            InputError: there is no such environment.
        """

    @abstractmethod
    def scene(self, index: int) -> Scene:
        """Return what environment `index` looks like now.

        Raises:
            InputError: there is no such environment.
        """

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of all that the next steps depend on, but for actions; empty where it cannot be saved.

        Third-party environments cannot be saved, nor can those of a worker that was just started again. Simulations go
        on from what was saved, as those that load it will: what follows is the same bit for bit.

        Returns:
            The rows of the buffers, and "environments", uint8 [bytes], the states of all environments one after another
            with their "sizes", int64 [envs]. It fits any backend with as many environments.
        """
        saved = self.save()
        if saved is None:
            return {}
        rows = {name: getattr(self, name).copy() for name in ROWS}
        return {**rows, "environments": saved[0], "sizes": saved[1]}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `state` returned, here or in another process, of environments with the same settings.

        Raises:
            InputError: it is damaged, or of other environments; `reset` must be the next call then.
        """
        shapes = {name: (getattr(self, name).shape, getattr(self, name).dtype) for name in ROWS}
        shapes["sizes"] = (self.envs,), np.dtype(np.int64)
        whole = shapes.keys() | {"environments"} == state.keys() and state["environments"].dtype == np.uint8
        whole = whole and all((state[name].shape, state[name].dtype) == shape for name, shape in shapes.items())
        sizes = state["sizes"].tolist() if whole else []
        if not whole or min(sizes) < 0 or sum(sizes) != state["environments"].size:
            raise self._refused()
        self.load(np.ascontiguousarray(state["environments"]), np.ascontiguousarray(state["sizes"]))
        for name in ROWS:
            array, rows = getattr(self, name), state[name]
            array[:] = rows.view(np.uint8) != 0 if array.dtype == np.bool_ else rows

    def _refused(self) -> InputError:
        return InputError(
            f"this state is damaged, or not of {self.envs} environments {self.environment.name} with these settings: "
            "take another checkpoint, or begin anew"
        )

    @abstractmethod
    def save(self) -> Saved | None:
        """Return the environments' part of `state`; None where they cannot be saved."""

    @abstractmethod
    def load(self, environments: NDArray[np.uint8], sizes: NDArray[np.int64]) -> None:
        """Take over what `save` returned, but no rows of the buffers; raises as `load_state`."""

    @abstractmethod
    def close(self) -> None:
        """Close every environment; the buffers stay readable. Closing again does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def checked_counts(envs: int, parts: int) -> None:
    """Refuse numbers of environments that cannot be, with InputError."""
    if envs < 1:
        raise InputError(f"envs is {envs}: give at least 1")
    if not 1 <= parts <= MOST_PARTS:
        raise InputError(f"parts is {parts}: give 1 to {MOST_PARTS}")
    if envs % parts:
        raise InputError(f"envs is {envs}: it must be even to be stepped in {parts} parts")


def mean_log(logs: list[Mapping[str, float]]) -> dict[str, float]:
    """The log of several batches together: means weighted by their episodes."""
    episodes = sum(log["episodes"] for log in logs)
    ended = [log for log in logs if log["episodes"]]
    names = [name for name in ended[0] if name != "episodes"] if ended else []
    means = {name: sum(log[name] * log["episodes"] for log in ended) / episodes for name in names}
    return {**means, "episodes": float(episodes)}
