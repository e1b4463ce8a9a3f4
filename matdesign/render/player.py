"""What a person may do while a rollout or a recording is shown; a window and a page offer the same and draw it."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from matdesign.scene import Scene

SLOWEST, FASTEST = 0.1, 10.0  # speed
LONGEST = 0.1  # s that steps may take before something is drawn
TRAIL = 40  # steps that a trail reaches back
PICKED = (1.0, 0.82, 0.1, 0.45)
TRAILED = np.array([0.35, 0.38, 0.42], np.float32)


class Source:
    """Something that goes on step by step; `scene`, `step` and `reset` are what every one has.

    Attributes:
        title: one line.
        rate: steps a second at speed 1.
        agents: how many can be picked, numbered from 0.
        environments: how many can be looked at, numbered from 0.
        frames: how many there are to seek in; 0 where it happens now.
        frame: the one shown, or the number of steps.
        keys: letters that steer an agent; none where people cannot.
    """

    title: str = ""
    rate: float = 25.0
    agents: int = 0
    environments: int = 1
    frames: int = 0
    frame: int = 0
    keys: str = ""

    def scene(self) -> Scene:
        """Return what there is to see now; the caller may change it."""
        raise NotImplementedError

    def step(self) -> None:
        """Go on by one step."""
        raise NotImplementedError

    def reset(self) -> None:
        """Start again."""
        raise NotImplementedError

    def caption(self) -> str:
        """One line about the present."""
        return ""

    def look_at(self, environment: int) -> None:
        """Show another environment from now on."""

    def seek(self, frame: int) -> None:
        """Go to a frame of what is recorded."""

    def sphere(self, agent: int) -> int | None:
        """Row of the sphere that stands for an agent; None where none does."""
        return None

    def agent(self, sphere: int) -> int | None:
        """The agent that a sphere belongs to; None for none."""
        return None

    def reading(self, agent: int) -> Mapping[str, str]:
        """What an agent observes, does and gets, as words for people."""
        return {}

    def goal(self, sphere: int) -> int | None:
        """The agent whose goal a sphere shows, to be dragged; None for other spheres."""
        return None

    def move_goal(self, agent: int, point: Sequence[float]) -> None:
        """Put an agent's goal elsewhere."""

    def steer(self, agent: int, key: str) -> None:
        """Have an agent do in the next step what a key says, or what no key does."""


class Player:
    """Plays a source at a pace and keeps what a person chose.

    Everything but `request` belongs to one thread, the one that calls `tick`. Nothing here touches the source otherwise
    than a person asked for: what is shown is what would happen unseen.

    Attributes:
        source: what is played.
        playing: whether it goes on by itself.
        speed: times the source's rate, SLOWEST to FASTEST.
        picked: agent whose reading is wanted, or None.
        trails: whether spheres draw lines behind them.
        environment: the one shown.
        steered: agent that a person steers, or None.
    """

    def __init__(self, source: Source, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.source = source
        self.playing = True
        self.speed = 1.0
        self.picked: int | None = None
        self.trails = False
        self.environment = 0
        self.steered: int | None = None
        self._key = ""  # pressed since the last step
        self._mark = 0  # row of the mark in the scene last returned
        self._clock = clock
        self._asked: deque[Callable[[], None]] = deque()
        self._due = clock()
        self._changed = True
        self._past: deque[NDArray[np.float32]] = deque(maxlen=TRAIL)

    def request(self, what: Callable[[], None]) -> None:
        """Have the playing thread call `what` at its next tick; from any thread."""
        self._asked.append(what)

    def toggle(self) -> None:
        """Pause, or go on."""
        self.playing = not self.playing
        self._due = self._clock()

    def single_step(self) -> None:
        """Pause, one step on."""
        self.playing = False
        self._step()

    def set_speed(self, speed: float) -> None:
        """Set the pace; limited to SLOWEST .. FASTEST."""
        self.speed = min(max(speed, SLOWEST), FASTEST)
        self._due = min(self._due, self._clock() + self._interval)  # no waiting for a step that was due slowly

    def reset(self) -> None:
        """Start again."""
        self.source.reset()
        self._new_view()

    def look_at(self, environment: int) -> None:
        """Show another environment; numbers beyond the last one start from 0 again."""
        self.environment = environment % self.source.environments
        self.source.look_at(self.environment)
        self._new_view()

    def seek(self, frame: int) -> None:
        """Pause at a frame of what is recorded."""
        self.playing = False
        self.source.seek(min(max(frame, 0), max(self.source.frames - 1, 0)))
        self._new_view()

    def pick(self, agent: int | None) -> None:
        """Read an agent from now on; None or a number that there is not: nobody."""
        self.picked = agent if agent is not None and 0 <= agent < self.source.agents else None
        self._changed = True

    def pick_sphere(self, sphere: int) -> None:
        """Read the agent that a sphere stands for; the same again lets it go."""
        agent = self.source.agent(self._under_mark(sphere))
        self.pick(None if agent == self.picked else agent)

    def show_trails(self, on: bool) -> None:
        """Draw lines behind the spheres, or no longer."""
        self.trails = on
        self._changed = True

    def drag(self, sphere: int, point: Sequence[float]) -> None:
        """Put the goal that a sphere shows elsewhere; other spheres stay where they are."""
        agent = self.source.goal(self._under_mark(sphere))
        if agent is not None:
            self.source.move_goal(agent, point)
            self._changed = True

    def take_keyboard(self) -> None:
        """Let a person steer the picked agent, or the first one; give it back if one is steered."""
        self.steered, self._key = (self.picked or 0) if self.source.keys and self.steered is None else None, ""
        self._changed = True

    def press(self, key: str) -> None:
        """Steer by one of the source's keys in the next step; the last one counts."""
        if key in self.source.keys:
            self._key = key

    def tick(self) -> bool:
        """Do what was asked for and what is due; return whether there is something new to draw.

        Steps that cannot be taken in time are dropped, so that a slow source runs slowly and a page stays alive.
        """
        while self._asked:
            self._asked.popleft()()
        start = self._clock()
        if self.playing:
            self._due = max(self._due, start - LONGEST)
        while self.playing and self._due <= start and self._clock() - start < LONGEST:
            self._step()
            self._due += self._interval
        changed, self._changed = self._changed, False
        return changed

    def wait(self) -> float:
        """Seconds until the next step is due, at most LONGEST."""
        return min(max(self._due - self._clock(), 0.0), LONGEST) if self.playing else LONGEST

    def scene(self) -> Scene:
        """The source's scene; trails are its last lines, a mark around the picked agent its last sphere."""
        scene = self.source.scene()
        if self.trails and len(self._past) > 1:
            scene.lines = np.concatenate([scene.lines, trail_lines(self._past)])
        sphere = None if self.picked is None else self.source.sphere(self.picked)
        if sphere is not None and sphere < len(scene.spheres):
            mark = scene.spheres[sphere].copy()
            mark[3] *= 1.4
            mark[4:] = PICKED
            self._mark = len(scene.spheres)
            scene.spheres = np.concatenate([scene.spheres, mark[None]])
        return scene

    def reading(self) -> Mapping[str, str]:
        """What the picked agent observes, does and gets; empty without one."""
        return {} if self.picked is None else self.source.reading(self.picked)

    @property
    def _interval(self) -> float:
        """Seconds between two steps."""
        return 1.0 / (self.source.rate * self.speed)

    def _under_mark(self, sphere: int) -> int:
        """The sphere itself, or the one that the mark surrounds."""
        marked = None if self.picked is None or sphere != self._mark else self.source.sphere(self.picked)
        return sphere if marked is None else marked

    def _step(self) -> None:
        if self.steered is not None:
            self.source.steer(self.steered, self._key)
            self._key = ""
        self.source.step()
        self._changed = True
        if self.trails:
            centres = self.source.scene().spheres[:, :3]
            if self._past and self._past[-1].shape != centres.shape:
                self._past.clear()
            self._past.append(centres.copy())

    def _new_view(self) -> None:
        self._past.clear()
        self._changed = True


def trail_lines(past: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Lines [n, 10] through successive centres, each [spheres, 3], fading towards the oldest.

    A step much longer than the median one is a jump, through a periodic boundary or to another start: not drawn.
    """
    path = np.stack(list(past))
    if path.size == 0:
        return np.zeros((0, 10), np.float32)
    lengths = np.linalg.norm(np.diff(path, axis=0), axis=2)
    fade = np.linspace(0.0, 1.0, len(path), dtype=np.float32)[1:, None]
    drawn = (lengths > 0) & (lengths < 10 * np.median(lengths) + 1e-9)
    lines = np.empty((*lengths.shape, 10), np.float32)
    lines[..., :3], lines[..., 3:6], lines[..., 6:9] = path[:-1], path[1:], TRAILED
    lines[..., 9] = 0.1 + 0.7 * fade
    shown: NDArray[np.float32] = lines[drawn]
    return shown
