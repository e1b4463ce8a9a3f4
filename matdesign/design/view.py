"""The job behind `matdesign view`: a run's policy at work, or a trajectory, in a browser."""

import contextlib
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ase import Atoms

from matdesign.config import load_stored
from matdesign.design.assembly import make_policy, open_vector
from matdesign.design.live import Live
from matdesign.design.rollout import rollout
from matdesign.design.training import trained_policy
from matdesign.errors import InputError
from matdesign.render.offline import save_page
from matdesign.render.page import Page
from matdesign.render.player import Player, Source
from matdesign.render.recording import SUFFIX, Recording, record_atoms
from matdesign.render.replay import Replay
from matdesign.render.server import LOOPBACK
from matdesign.sections import Config
from matdesign.sim.trajectory import read_trajectory, trajectory_labels

MOST_ENVIRONMENTS = 4  # of a run that are stepped to be looked at, unless somebody asks for more


def view_job(
    what: Path, settings: Sequence[str], config_dir: Path | None, *, host: str = LOOPBACK, port: int = 0
) -> None:
    """Serve a page about a run or a file until Ctrl-C; prints where it is.

    Args:
        what: folder of a run with a trained policy, a structure, a trajectory or a recording.
        settings: KEY=VALUE for the environments of a run.
        config_dir: own choices for these.
        host: interface to listen on.
        port: 0 for any free one.

    Raises:
        InputError: nothing there to show, or the address cannot be listened on.
    """
    with _source(what, settings, config_dir) as source:
        page = Page(Player(source), host=host, port=port)
        try:
            print(_where(page.url), flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                page.run()
        finally:
            page.close()


def export_job(what: Path, settings: Sequence[str], config_dir: Path | None, output: Path) -> Path:
    """Write one HTML file that replays an episode of a run, or a file, offline; return its path.

    Raises:
        InputError: nothing there to show, or the page cannot be written.
    """
    save_page(recorded(what, settings, config_dir), output, title=what.name)
    return output


def recorded(what: Path, settings: Sequence[str] = (), config_dir: Path | None = None) -> Recording:
    """A recording of one episode of a run, or of what a file holds; raises as `export_job` does."""
    if not what.is_dir():
        return _read(what, settings)[0]
    config = _run_config(what, [*settings, "env.envs=1"], config_dir)
    with open_vector(config, own_memory=True) as vector:
        policy = trained_policy(what, make_policy(config, vector))
        return Recording.of(rollout(vector, policy, seed=config.evaluation.seed), fps=20.0)


@contextmanager
def _source(what: Path, settings: Sequence[str], config_dir: Path | None) -> Iterator[Source]:
    if not what.is_dir():
        recording, atoms = _read(what, settings)
        yield Replay(recording, title=what.name, atoms=atoms)
        return
    config = _run_config(what, settings, config_dir)
    if not any(text.startswith("env.envs=") for text in settings):
        few = min(config.env.envs, MOST_ENVIRONMENTS)
        config = replace(config, env=replace(config.env, envs=few, overlap=False))
    with open_vector(config, own_memory=True) as vector:
        policy = trained_policy(what, make_policy(config, vector))
        evaluation = config.evaluation
        title = f"{config.material.name if config.env.of_atoms else config.env.name}: {what.name}"
        yield Live(config, vector, policy, title=title, seed=evaluation.seed, deterministic=evaluation.deterministic)


def _run_config(folder: Path, settings: Sequence[str], config_dir: Path | None) -> Config:
    """The run's configuration; the folder is only read, so that a run still at work can be looked at."""
    if not (folder / "status.json").is_file():
        raise InputError(f"{folder} is no run folder (no status.json in it): give one, or a structure file")
    return load_stored(folder / "config.yaml", list(settings), config_dir)


def _read(path: Path, settings: Sequence[str]) -> tuple[Recording, list[Atoms]]:
    """What a file holds, and the structures that its frames were drawn from; none for a recording."""
    if path.suffix == SUFFIX:
        if settings:
            raise InputError(f"{settings[0]!r}: a recording takes no settings of its own")
        return Recording.load(path), []
    species: list[str] = []
    for text in settings:
        key, _, value = text.partition("=")
        if key != "species":
            raise InputError(f"unknown setting {text!r} for a structure file (available: species, host, port)")
        species = value.strip("[]").split(",")
    trajectory = read_trajectory(path, species=species)
    return record_atoms(trajectory, labels=trajectory_labels(trajectory)), trajectory


def _where(url: str) -> str:
    port = url.split(":")[-1].split("/")[0]
    return (
        f"matdesign: open {url}\n"
        f"           from elsewhere: ssh -L {port}:127.0.0.1:{port} {socket.gethostname()}, then the same address\n"
        "           Ctrl-C ends it"
    )
