"""A page that shows a player's source live and hands back what people click."""

import html
import threading
import time
from collections.abc import Callable
from typing import Any

import viser

from matdesign.render.key import key_html
from matdesign.render.player import FASTEST, SLOWEST, Player
from matdesign.render.server import LOOPBACK, PageServer
from matdesign.render.stage import Stage, aim, pose

FRAMES_A_SECOND = 30.0  # sent at most
WORDS_A_SECOND = 8.0
NOBODY = -1
WHOLE, NEXT = "Whole scene", "Next"
PAUSE, STEP, RESET = "Pause / go on", "Step", "Reset"


class Page:
    """Serves a page on this machine; see `PageServer` for who may open it.

    Everything that happens to the source happens in the thread that calls `run`. While no page is open nothing happens
    at all: whoever comes back finds it as it was.

    Args:
        player: what is shown.
        host: interface to listen on.
        port: 0 for any free one.

    Attributes:
        url: what to open in a browser.

    Raises:
        InputError: the address cannot be listened on.
    """

    def __init__(self, player: Player, *, host: str = LOOPBACK, port: int = 0) -> None:
        self._player = player
        self._server = PageServer(host=host, port=port, label=player.source.title)
        self.url = self._server.url
        self._stage = Stage(self._server.scene, self._asking(player.pick_sphere), self._drag)
        self._come = threading.Event()
        self._server.on_client_connect(self._welcome)
        self._server.gui.configure_theme(show_logo=False, show_share_button=False, dark_mode=False)
        self._server.gui.main_panel.dock_right()
        self._add_controls()
        self._worded = -1.0
        scene = player.scene()
        self._key = key_html(scene.legend)
        aim(self._server.initial_camera, pose(scene))
        self._stage.show(scene)

    def run(self) -> None:
        """Play until interrupted."""
        while True:
            if not self.watched:
                self._come.wait(timeout=1.0)
                self._come.clear()
                continue
            self.update()
            time.sleep(max(self._player.wait(), 1.0 / FRAMES_A_SECOND))

    @property
    def watched(self) -> bool:
        """Whether a page is open."""
        return bool(self._server.get_clients())

    def update(self) -> None:
        """Do what is due and asked for, and send what changed."""
        if self._player.tick():
            with self._server.atomic():
                self._stage.show(self._player.scene())
            self._stale = True
        now = time.monotonic()
        if self._stale and now - self._worded >= 1.0 / WORDS_A_SECOND:
            self._word()
            self._worded, self._stale = now, False

    def close(self) -> None:
        """Stop serving."""
        self._server.stop()

    def _drag(self, sphere: int, point: tuple[float, float, float]) -> None:
        self._player.request(lambda: self._player.drag(sphere, point))

    def _asking(self, what: Callable[[Any], None]) -> Callable[[Any], None]:
        return lambda value: self._player.request(lambda: what(value))

    def _view(self, event: viser.GuiEvent[Any]) -> None:
        if event.target.value == NEXT:
            self._player.request(self._next)
        elif event.client is not None:
            self._fit(event.client)

    def _welcome(self, client: viser.ClientHandle) -> None:
        self._come.set()
        self._fit(client)

    def _fit(self, client: viser.ClientHandle) -> None:
        """Have the whole scene in that page's view."""
        self._player.request(lambda: aim(client.camera, pose(self._player.scene())))

    def _add_controls(self) -> None:
        player, gui = self._player, self._server.gui
        source = player.source
        self._stale = True
        self._caption = gui.add_html("")
        self._frame = None
        if source.frames == 1:
            player.playing = False  # there is nothing to play
        else:
            buttons = gui.add_button_group("Play", (PAUSE, STEP, RESET))
            actions = {PAUSE: player.toggle, STEP: player.single_step, RESET: player.reset}
            buttons.on_click(lambda event: player.request(actions[event.target.value]))
            speed = gui.add_slider("Speed", SLOWEST, FASTEST, 0.1, player.speed)
            speed.on_update(_from_people(self._asking(player.set_speed)))
            trails = gui.add_checkbox("Trails", initial_value=player.trails)
            trails.on_update(_from_people(self._asking(player.show_trails)))
        if source.frames > 1:
            self._frame = gui.add_slider("Frame", 0, source.frames - 1, 1, 0)
            self._frame.on_update(_from_people(self._asking(player.seek)))
        view = gui.add_button_group("View", (WHOLE,) + ((NEXT,) if source.environments > 1 else ()))
        view.on_click(self._view)
        if source.environments > 1:
            self._environment = gui.add_number("Environment", 0, min=0, max=source.environments - 1, step=1)
            self._environment.on_update(_from_people(self._asking(player.look_at)))
        if source.agents:
            hint = f"0 to {source.agents - 1}; {NOBODY}: nobody. A click picks one, too; shift and drag moves a goal."
            self._agent = gui.add_number("Agent", NOBODY, min=NOBODY, max=source.agents - 1, step=1, hint=hint)
            self._agent.on_update(_from_people(self._asking(player.pick)))
            self._reading = gui.add_html("")

    def _next(self) -> None:
        self._player.look_at(self._player.environment + 1)
        _set(self._environment, self._player.environment)

    def _word(self) -> None:
        """Everything on the page that is text."""
        player = self._player
        state = "" if player.playing or player.source.frames == 1 else " &middot; paused"
        caption = html.escape(player.source.caption()).replace("   ", " &middot; ")
        self._caption.content = _PADDED.format("<br>".join(part for part in (caption + state, self._key) if part))
        if self._frame is not None:
            _set(self._frame, player.source.frame)
        if player.source.agents:
            _set(self._agent, NOBODY if player.picked is None else player.picked)
            rows = "".join(
                f"<tr><td style='padding-right:1em;vertical-align:top;opacity:.7'>{html.escape(name)}</td>"
                f"<td style='font-variant-numeric:tabular-nums'>{html.escape(value)}</td></tr>"
                for name, value in player.reading().items()
            )
            self._reading.content = _PADDED.format(f"<table>{rows}</table>") if rows else ""


_PADDED = "<div style='padding:0.2em 0.9em;font-size:0.85em'>{}</div>"


def _from_people(act: Callable[..., None]) -> Callable[[viser.GuiEvent[Any]], None]:
    """A handler that leaves out what this program set itself."""

    def handle(event: viser.GuiEvent[Any]) -> None:
        if event.client is not None:
            act(event.target.value)

    return handle


def _set(handle: Any, value: float) -> None:  # viser's types say that it is read-only
    handle.value = value
