"""What a live page and an exported one cost: in this process, in a browser, in bytes.

    python benchmarks/page.py [--quick] [--json FILE]

Spheres on a cubic lattice tremble, all of them in every frame. "update" is processor time of this process to draw one
frame and hand it over, with nobody connected; "send" the same with a page open, its frames sent. "script" is what the
browser itself computes for a frame that is sent, the graphics card's part left out; "shown" are frames a second on the
screen, which may be a software renderer's: a line says whose. "exported" is what one frame adds to a page in a
file. Without Debian's chromium the rows of the browser are missing.
"""

import shutil
import threading
import time

import numpy as np
import table

from matdesign.render.offline import page_html
from matdesign.render.page import Page
from matdesign.render.player import Player, Source
from matdesign.render.recording import Recording
from matdesign.scene import Scene

ARGUMENTS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
SECONDS = 6
COUNT_FRAMES = """seconds => new Promise(done => {
    let frames = 0; const start = performance.now();
    const next = () => {
        frames++;
        performance.now() - start > 1000 * seconds ? done(frames) : requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
})"""
RENDERER = """() => {
    const gl = document.createElement('canvas').getContext('webgl2');
    return gl.getParameter(gl.getExtension('WEBGL_debug_renderer_info').UNMASKED_RENDERER_WEBGL);
}"""


class Trembling(Source):
    """A lattice of spheres, each in another place at every step."""

    title, rate = "trembling", 60.0

    def __init__(self, edge: int) -> None:
        lattice = np.stack(np.meshgrid(*[np.arange(edge)] * 3), axis=-1).reshape(-1, 3)
        random = np.random.default_rng(0)
        self._spheres = np.ones((len(lattice), 8), np.float32)
        self._spheres[:, :3], self._spheres[:, 3] = lattice, 0.5
        self._spheres[:, 4:7] = random.random((8, 3))[random.integers(0, 8, len(lattice))]
        self._moves = random.normal(0.0, 0.05, (16, *lattice.shape)).astype(np.float32)
        self.agents = len(lattice)

    def scene(self) -> Scene:
        """As for `Source`."""
        spheres = self._spheres.copy()
        spheres[:, :3] += self._moves[self.frame % len(self._moves)]
        return Scene(spheres=spheres)

    def step(self) -> None:
        """As for `Source`."""
        self.frame += 1

    def sphere(self, agent: int) -> int:
        """As for `Source`."""
        return agent


def updates(page: Page, player: Player, repeats: int) -> list[float]:
    """Processor seconds of each of some updates."""
    player.playing = False
    times = []
    for _ in range(repeats):
        start = time.process_time()
        player.single_step()
        page.update()
        times.append(time.process_time() - start)
    return times


def in_browser(page: Page, player: Player, results: table.Table, case: str) -> None:
    """The rows of a browser that looks at a page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        context = browser.new_context(viewport={"width": 640, "height": 360})
        tab = context.new_page()
        tab.goto(page.url)
        tab.wait_for_selector("canvas")
        print(f"       {tab.evaluate(RENDERER)}")
        time.sleep(3)
        tools = context.new_cdp_session(tab)
        tools.send("Performance.enable")

        def script() -> float:
            found = tools.send("Performance.getMetrics")["metrics"]
            return next(float(metric["value"]) for metric in found if metric["name"] == "ScriptDuration")

        shown, spent, sent = [], [], []
        for _ in range(3):
            before, steps, used = script(), player.source.frame, time.process_time()
            frames = tab.evaluate(COUNT_FRAMES, SECONDS)
            count = max(player.source.frame - steps, 1)
            spent.append(1e3 * (script() - before) / count)
            sent.append(1e3 * (time.process_time() - used) / count)
            shown.append(frames / SECONDS)
        results.add(case, "send", sent, "CPU ms")
        results.add(case, "script", spent, "ms")
        results.add(case, "shown", shown, "1/s")
        browser.close()


def main() -> None:
    """Runs the benchmark."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    for edge in (10,) if arguments.quick else (5, 10, 22):
        source = Trembling(edge)
        case = f"page {edge**3}"
        player = Player(source)
        page = Page(player)
        results.add(case, "update", [1e3 * each for each in updates(page, player, 200)], "CPU ms")
        if shutil.which("chromium"):
            player.playing = True
            player.set_speed(0.5)
            threading.Thread(target=page.run, daemon=True).start()
            in_browser(page, player, results, case)
        page.close()
        scenes = []
        for _ in range(17):
            source.step()
            scenes.append(source.scene())
        one, all_of_them = (len(page_html(Recording(scenes=scenes[:frames]))) for frames in (1, 17))
        results.add(case, "exported", [(all_of_them - one) / 16e3], "kB")
    results.close()


if __name__ == "__main__":
    main()
