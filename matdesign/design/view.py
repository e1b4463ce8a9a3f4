"""The job behind `matdesign view`: a run's policy at work, or what a file holds, in a browser or in a window."""

import contextlib
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from matdesign.config import load_stored
from matdesign.design.assembly import make_policy, open_vector
from matdesign.design.live import Live
from matdesign.design.look import Look
from matdesign.design.picture import recorded
from matdesign.design.training import trained_policy
from matdesign.errors import InputError
from matdesign.render.offline import save_page
from matdesign.render.page import Page
from matdesign.render.player import Player, Source
from matdesign.render.recording import FPS, SUFFIX, record_atoms
from matdesign.render.replay import Replay
from matdesign.sim.trajectory import read_trajectory, trajectory_labels

Show = Callable[[Source], None]
MOST_ENVIRONMENTS = 4  # of a run that are stepped to be looked at, unless somebody asks for more


def view_run(folder: Path, settings: Sequence[str], config_dir: Path | None, show: Show) -> None:
    """Show the policy of a run at work.

    Args:
        folder: the run; only read, so that one still at work can be looked at.
        settings: KEY=VALUE for its environments.
        config_dir: own choices for these.
        show: such as `in_browser`, or what `window_here` gives.

    Raises:
        InputError: no run, no trained policy, an environment that draws itself, or nothing to show it on.
    """
    if not (folder / "config.yaml").is_file():
        raise InputError(f"{folder} is no run folder (no config.yaml in it): give one, or a structure file")
    config = load_stored(folder / "config.yaml", settings, config_dir)
    env = config.env
    if env.interface != "matdesign":
        raise InputError(f"{env.name} is an environment of others: it draws itself, nothing can be viewed")
    if not any(text.startswith("env.envs=") for text in settings):
        config = replace(config, env=replace(env, envs=min(env.envs, MOST_ENVIRONMENTS), overlap=False))
    with open_vector(config, own_memory=True) as vector:
        policy = trained_policy(folder, make_policy(config, vector))
        title = f"{config.material.name if env.of_atoms else env.name}: {folder.name}"
        evaluation = config.evaluation
        source = Live(config, vector, policy, title=title, seed=evaluation.seed, deterministic=evaluation.deterministic)
        show(source)


def view_file(file: Path, look: Look, show: Show) -> None:
    """Show a structure, a trajectory, a recording or, of the folder of a design, its search.

    Raises:
        InputError: a file that cannot be read, a design that is not finished, or nothing to show it on.
    """
    if file.suffix == SUFFIX or file.is_dir():
        show(Replay(recorded(file, look), title=file.name))
        return
    trajectory = read_trajectory(file, species=look.species, frames=look.frames or slice(None))
    labels = trajectory_labels(trajectory)
    recording = record_atoms(trajectory, fps=look.fps or FPS, labels=labels, **look.of_atoms)
    show(Replay(recording, title=file.name, atoms=() if look.slice else trajectory))


def export_page(source: Path, look: Look, output: Path) -> Path:
    """Write one HTML file that replays a flight of a run's policy, or a file, offline; return its path.

    Raises:
        InputError: nothing there to show, or the page cannot be written.
    """
    save_page(recorded(source, look), output, title=source.name)
    return output


def in_browser(source: Source, *, host: str, port: int) -> None:
    """Serve a page until Ctrl-C; prints where it is.

    Args:
        source: what is shown.
        host: interface to listen on.
        port: 0 for any free one.

    Raises:
        InputError: an address that cannot be listened on.
    """
    page = Page(Player(source), host=host, port=port)
    try:
        print(_where(page.url), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            page.run()
    finally:
        page.close()


def window_here() -> Show:
    """What shows a source in a window, until that is closed or Ctrl-C.

    Raises:
        InputError: raylib is not installed, or there is no display.
    """
    from matdesign.render.window import Window, check_display

    check_display()

    def in_window(source: Source) -> None:
        window = Window(Player(source))
        try:
            with contextlib.suppress(KeyboardInterrupt):
                window.run()
        finally:
            window.close()

    return in_window


def _where(url: str) -> str:
    port = url.split(":")[-1].split("/")[0]
    return (
        f"matdesign: open {url}\n"
        f"           from elsewhere: ssh -L {port}:127.0.0.1:{port} {socket.gethostname()}, then the same address\n"
        "           Ctrl-C ends it"
    )
