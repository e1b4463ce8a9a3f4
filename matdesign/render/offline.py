"""Pages that replay a recording from one file, without a server or a network: to be mailed, or put into a report."""

import base64
import html
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import viser

from matdesign.errors import InputError
from matdesign.files import replace_file
from matdesign.render.camera import Camera
from matdesign.render.key import key_html
from matdesign.render.recording import Recording
from matdesign.render.server import PageServer
from matdesign.render.stage import Stage, aim, pose
from matdesign.scene import Legend, Scene

MOST_NUMBERS = 12_000_000  # coordinates in one page: 48 MB before they are packed
CLIENT = Path(viser.__file__).parent / "client" / "build" / "index.html"


def page_html(recording: Recording, *, title: str = "matdesign", camera: Camera | None = None) -> str:
    """Return a whole HTML page with a viewer in it that replays the recording; it needs nothing else.

    viser's own page, as its wheel ships it, with the frames inside: about 0.8 MB and what the frames take packed.
    Where they are too many for one page, every second, third ... is in it.

    Args:
        recording: one frame stands still.
        title: of the page, and in its corner.
        camera: where it is first seen from; default: as a live page.

    Raises:
        InputError: one frame alone is too large for a page.
    """
    data = base64.b64encode(packed(recording, camera)).decode()
    before, after = _client()
    words = html.escape(title)
    head = (
        f"<title>{words}</title><script>window.__VISER_EMBED_DATA__={_script(data)};"
        "window.__VISER_EMBED_CONFIG__={darkMode:false};</script>"
    )
    return f"{before}{head}{after}".replace("<body>", f"<body>{_corner(words, recording[0].legend)}", 1)


def save_page(recording: Recording, path: Path, *, title: str = "matdesign") -> None:
    """Write `page_html` into a file, whole or not at all.

    Raises:
        InputError: another suffix than .html, a place that cannot be written, or a frame that is too large.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"export={str(path)!r}: a page's name must end in .html")
    content = page_html(recording, title=title).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    except OSError as error:
        raise InputError(f"cannot write page {str(path)!r}: {error.strerror}; name another place") from None


def viewers_html(recordings: Mapping[str, Recording], *, height: int = 360) -> str:
    """Return a piece of HTML with a viewer for each recording, for a page of one's own.

    viser's part is in it once, however many they are, and a viewer starts when it is scrolled into sight: browsers draw
    about a dozen at the same time.

    Args:
        recordings: by what is written above each.
        height: of a viewer, pixels.

    Raises:
        InputError: a frame alone is too large for a page.
    """
    boxes = []
    for title, recording in recordings.items():
        data = base64.b64encode(packed(recording, None)).decode()
        corner = _corner(html.escape(title), recording[0].legend)
        boxes.append(
            f'<div class="matdesign-viewer" style="height:{height}px;border:1px solid #ddd" '
            f'data-corner="{html.escape(corner)}" data-frames="{data}"></div>'
        )
    return f"<script>{_LAZY.replace('CLIENT', _script(list(_client())))}</script>\n" + "\n".join(boxes)


def frame_html(page: str, *, height: int = 480) -> str:
    """Return a whole page as an element of another one, such as a notebook's output."""
    return (
        f'<iframe srcdoc="{html.escape(page)}" style="width:100%;height:{height}px;border:1px solid #ddd" '
        "allowfullscreen></iframe>"
    )


def packed(recording: Recording, camera: Camera | None) -> bytes:
    """The recording as viser packs what its page replays."""
    numbers = sum(_numbers(scene) for scene in recording)
    if max(_numbers(scene) for scene in recording) > MOST_NUMBERS:
        raise InputError("a frame holds more shapes than one page can: make a picture of it with matdesign render")
    stride = -(-numbers // MOST_NUMBERS) or 1
    kept = list(recording)[::stride]
    server = PageServer()
    try:
        stage = Stage(server.scene)
        aim(server.initial_camera, pose(recording[0], camera))
        stage.show(kept[0])
        serializer = server.get_scene_serializer()
        for scene in kept[1:]:
            serializer.insert_sleep(stride / recording.fps)
            stage.show(scene)
        if len(kept) > 1:
            serializer.insert_sleep(stride / recording.fps)  # the last frame is seen as long as the others
        return serializer.serialize()
    finally:
        server.stop()


def _numbers(scene: Scene) -> int:
    return sum(array.size for array in (scene.spheres, scene.cylinders, scene.lines, scene.boxes))


@cache
def _client() -> tuple[str, str]:
    """The page of viser without its title, before and after the place for what it shows."""
    text = CLIENT.read_text().replace("<title>Viser</title>", "", 1)
    place = text.index("</head>")
    return text[:place], text[place:]


def _script(value: object) -> str:
    """A value as JavaScript that can stand inside a script element."""
    return json.dumps(value).replace("</", "<\\/").replace("<!--", "<\\!--")


def _corner(title: str, legend: Legend) -> str:
    """What is written over the upper left corner; `title` is HTML. A report of software rendering would hide it."""
    return (
        "<style>.mantine-Notification-root{display:none}</style>"
        '<div style="position:fixed;z-index:5;left:12px;top:10px;pointer-events:none;color:#333;'
        f'font:14px system-ui,sans-serif"><b>{title}</b><br>{key_html(legend)}</div>'
    )


_LAZY = """
(() => {
  const [before, after] = CLIENT;
  const start = (box) => {
    const head = '<script>window.__VISER_EMBED_DATA__="' + box.dataset.frames +
      '";window.__VISER_EMBED_CONFIG__={darkMode:false};<\\/script>';
    const frame = document.createElement('iframe');
    frame.style = 'width:100%;height:100%;border:0';
    frame.srcdoc = before + head + after.replace('<body>', () => '<body>' + box.dataset.corner);
    box.replaceChildren(frame);
  };
  const watch = new IntersectionObserver((seen) => seen.forEach((entry) => {
    if (entry.isIntersecting && !entry.target.firstChild) start(entry.target);
    if (!entry.isIntersecting) entry.target.replaceChildren();
  }), {rootMargin: '200px'});
  addEventListener('DOMContentLoaded',
    () => document.querySelectorAll('.matdesign-viewer').forEach((box) => watch.observe(box)));
})();
"""
