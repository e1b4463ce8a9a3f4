"""Pictures a second without a display: ours beside OVITO's and PyVista's, of the same atoms at 1280 x 720.

    python benchmarks/render.py [--quick] [--json FILE]

A block of fcc copper turns by three degrees from picture to picture; the view is a perspective one of 12 degrees. Only
the picture itself is timed, its pixels in main memory included; the first one, in which some build what they reuse, is
not counted. Ours builds everything anew for each picture. All take turns, one picture each, so that what else the
machine does meets all of them.

"window" is the interactive one: in every frame the scene changes and the camera turns, rows are uploaded, panels
written, buffers swapped; its picture is not read back. It needs raylib and a display (`xvfb-run -a`); the rows say so
where Mesa draws for lack of a graphics card.

"fast" is what videos are drawn with, "fine" what figures are. OVITO's interactive renderer needs a Vulkan driver, where
there is no GPU Mesa's lavapipe; Tachyon is its ray tracer with ambient occlusion. PyVista draws spheres of triangles
("glyphs") or discs that look like spheres ("points"), without occlusion, by Mesa's llvmpipe where there is no GPU.
`python benchmarks/render_peers.py` installs both.
"""

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import table
from ase.build import bulk

from matdesign.errors import InputError
from matdesign.render.atoms import scene_from_atoms
from matdesign.render.camera import Camera
from matdesign.render.image import render
from matdesign.render.player import Player, Source
from matdesign.render.shading import FAST, FINE, Quality
from matdesign.scene import Scene

HERE = Path(__file__).parent
SIZE = (1280, 720)
CELLS = {100: (3, 3, 3), 1000: (6, 6, 7), 10000: (13, 13, 15)}  # 108, 1008 and 10140 atoms
ENOUGH = 40.0  # s after which a backend takes no more turns
PEERS = {
    "ovito-opengl": ("ovito", "ovito_render.py", "opengl"),
    "ovito-tachyon": ("ovito", "ovito_render.py", "tachyon"),
    "pyvista-glyphs": ("pyvista", "pyvista_render.py", "glyphs"),
    "pyvista-points": ("pyvista", "pyvista_render.py", "points"),
}

Turn = Callable[[], float]


class UnavailableError(Exception):
    """A peer is not installed or failed; the message says what happened."""


def ours(scene: Scene, quality: Quality) -> Turn:
    """Draws one picture for each call and returns its seconds."""
    angles = iter(range(-60, 10_000, 3))

    def turn() -> float:
        start = time.perf_counter()
        np.asarray(render(scene, size=SIZE, camera=Camera.orbit(next(angles), 22.0), quality=quality))
        return time.perf_counter() - start

    return turn


@contextmanager
def window(scene: Scene) -> Iterator[tuple[str, Turn]]:
    """Its name, and the same in a window.

    Raises:
        UnavailableError: there is no display, or no raylib.
    """
    try:
        from matdesign.render.geometry import drawn_by_software
        from matdesign.render.window import Window

        opened = Window(Player(Turning(scene), clock=lambda: 0.0), size=SIZE)
    except InputError as error:
        raise UnavailableError(str(error)) from None

    def turn() -> float:
        start = time.perf_counter()
        opened.orbit.turn(6.0, 0.0)
        opened.player.single_step()
        opened.update()
        return time.perf_counter() - start

    try:
        yield "window (software OpenGL)" if drawn_by_software() else "window", turn
    finally:
        opened.close()


class Turning(Source):
    """A scene whose spheres move a little in each step."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def scene(self) -> Scene:
        """As for `Source`."""
        return replace(self._scene)

    def step(self) -> None:
        """As for `Source`."""
        self._scene.spheres[:, 0] += 1e-3


@contextmanager
def peer(name: str, atoms: Path) -> Iterator[Turn]:
    """The same of a program that runs in a peer's own Python.

    Raises:
        UnavailableError: it is not installed, or cannot draw.
    """
    folder, script, renderer = PEERS[name]
    python = HERE / "peers" / folder / "bin" / "python"
    if not python.exists():
        raise UnavailableError(f"{folder} is not there: python benchmarks/render_peers.py installs it")
    request = json.dumps({"atoms": str(atoms), "renderer": renderer, "size": SIZE})
    with subprocess.Popen(
        [python, "-P", "-W", "ignore", HERE / script, request],
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None

        def turn(process: subprocess.Popen[str] = process) -> float:
            with suppress(BrokenPipeError):
                print(file=process.stdin, flush=True)
            line = process.stdout.readline()
            if not line:
                errors = [text for text in process.stderr.read().splitlines() if "Error" in text]
                raise UnavailableError(errors[-1] if errors else f"{name} ended without a word")
            return float(line)

        try:
            yield turn
        finally:
            process.kill()


def main() -> None:
    """Runs the benchmark."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    rounds = 4 if arguments.quick else 12
    for spheres, cells in CELLS.items():
        if arguments.quick and spheres > 1000:
            continue
        scene = scene_from_atoms(bulk("Cu", cubic=True) * cells, cell=False)
        with ExitStack() as stack:
            file = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "atoms.npz"
            rows = scene.spheres.astype(float)
            np.savez(file, positions=rows[:, :3], radii=rows[:, 3], colours=rows[:, 4:7])
            turns = {"fast": ours(scene, FAST), "fine": ours(scene, FINE)}
            try:
                name, turn = stack.enter_context(window(scene))
                turns[name] = turn
            except UnavailableError as error:
                results.skip(f"window {spheres}", str(error))
            for name in PEERS:
                if arguments.quick and name == "ovito-tachyon":
                    continue
                try:
                    turn = stack.enter_context(peer(name, file))
                    turn()
                    turns[name] = turn
                except UnavailableError as error:
                    results.skip(f"{name} {spheres}", str(error))
            seconds: dict[str, list[float]] = {name: [] for name in turns}
            for name in turns.keys() - PEERS.keys():
                turns[name]()
            for _ in range(rounds):
                for name, turn in turns.items():
                    if sum(seconds[name]) < ENOUGH:
                        seconds[name].append(turn())
        for name, times in seconds.items():
            results.add(f"{name} {spheres}", "fps", [1 / each for each in times], "1/s")
    results.close()


if __name__ == "__main__":
    main()
