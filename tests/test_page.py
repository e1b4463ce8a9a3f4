"""Pages: who may open them, what they show in a real browser, and what they leave alone."""

import re
import socket
import threading
from dataclasses import replace

import msgspec
import numpy as np
import pytest
import trimesh
import zstandard
from browser import chromium, picture, wait_for, where
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from matdesign.errors import InputError
from matdesign.render.instances import instances, mesh
from matdesign.render.offline import frame_html, packed, page_html, save_page, viewers_html
from matdesign.render.page import Page
from matdesign.render.player import Player, Source
from matdesign.render.recording import Recording
from matdesign.render.server import LARGEST_MESSAGE, PageServer
from matdesign.render.stage import pose
from matdesign.scene import ColourBar, Legend, Scene, Text

RED, GREEN, BLUE = (1, 0, 0, 1), (0, 1, 0, 1), (0, 0, 1, 1)


def sign(x=-3.0):
    """From left to right as first seen: a red sphere at `x`, a green box, a blue cylinder."""
    return Scene(
        spheres=np.array([[x, 0, 0, 1, *RED]], np.float32),
        boxes=np.array([[0, 0, 0, 1.5, 1.5, 1.5, *GREEN]], np.float32),
        cylinders=np.array([[3, 0, -1, 3, 0, 1, 0.7, *BLUE]], np.float32),
        lines=np.array([[-4, 0, -2, 4, 0, -2, 0, 0, 0, 1]], np.float32),
        texts=[Text(position=(0, 0, 2), size=0.5, rgba=(0, 0, 0, 1), text="sign")],
        legend=Legend(names=(("Xy<", (1.0, 0.0, 0.0)),)),
    )


class Moving(Source):
    """The sign, whose sphere can be picked; steps are counted."""

    title, rate, agents = "a sign", 50.0, 1

    def __init__(self):
        self.frame = 0
        self.place = -3.0

    def scene(self):
        return sign(self.place)

    def step(self):
        self.frame += 1

    def reset(self):
        self.frame = 0

    def agent(self, sphere):
        return 0 if sphere == 0 else None

    def sphere(self, agent):
        return 0

    def goal(self, sphere):
        return 0 if sphere == 0 else None

    def move_goal(self, agent, point):
        self.place = point[0]

    def reading(self, agent):
        return {"force <eV/A>": "1.25"}


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def server():
    found = PageServer()
    yield found
    found.stop()


def answer(server, path, extra=""):
    """Status line and body of a GET of exactly this path."""
    with socket.create_connection(("127.0.0.1", server.get_port()), timeout=10) as peer:
        peer.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{extra}\r\n".encode())
        text = b""
        while part := peer.recv(1 << 20):
            text += part
            if len(text) > 2_000_000:
                break
    head, _, body = text.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def test_only_who_has_the_token_is_served(server):
    assert len(server.token) >= 24
    status, body = answer(server, f"/{server.token}/")
    assert status == 200
    assert b'<div id="root">' in body
    other = "A" * len(server.token)
    for path in (
        "/",
        "/index.html",
        f"/{other}/",
        f"/{server.token[:-1]}/",
        f"/{server.token}x/",
        f"//{server.token}/",
    ):
        status, body = answer(server, path)
        assert status == 403, path
        assert server.token.encode() not in body
    assert answer(server, f"/?token={server.token}")[0] == 403


def test_no_path_leads_out_of_what_is_served(server):
    for path in (
        "../../../../etc/passwd",
        "..%2f..%2f..%2fsetup.py",
        "%2e%2e/%2e%2e/_viser.py",
        "..\\..\\_viser.py",
        "no",
    ):
        status, body = answer(server, f"/{server.token}/{path}")
        assert (status, b"root:" in body, b"import" in body) == (404, False, False), path


def test_a_stream_needs_the_token_and_its_messages_are_bounded(server):
    address = f"ws://127.0.0.1:{server.get_port()}"
    for path in ("", "/", "/wrong", f"/{server.token[:-1]}"):
        with pytest.raises(InvalidStatus, match="403"), connect(address + path, subprotocols=["viser-v1.1.1"]):
            pass
    with connect(f"{address}/{server.token}", subprotocols=[f"viser-v{_viser_version()}"]) as stream:
        assert isinstance(stream.recv(timeout=10), bytes)
        stream.send(b"\0" * (LARGEST_MESSAGE + 1))
        with pytest.raises(ConnectionClosed):
            list(stream)  # to its end


def _viser_version():
    import viser

    return viser.__version__


def test_it_listens_on_this_machine_only_and_where_it_was_told(server):
    assert server.get_host() == "127.0.0.1"
    with pytest.raises(InputError, match="cannot be listened on"):
        PageServer(port=server.get_port())
    with pytest.raises(InputError, match="port=70000"):
        PageServer(port=70000)
    assert server.request_share_url() is None  # viser's own would lead over a server on the internet


def test_a_page_shows_the_scene_and_hands_back_what_is_done(browser):
    player = Player(Moving())
    page = Page(player)
    threading.Thread(target=page.run, daemon=True).start()
    try:
        assert not wait_for(lambda: player.source.frame > 0, 0.3)  # nobody looks
        tab = browser.new_page(viewport={"width": 900, "height": 500})
        tab.goto(page.url)
        assert wait_for(lambda: where(picture(tab), 0)[2] > 300)
        pixels = picture(tab)
        (red, row, _), (green, _, _), (blue, _, count) = (where(pixels, channel) for channel in (0, 1, 2))
        canvas = 0.65 * 900  # the rest is the panel
        assert 0 < red < green - 60 < blue - 120 < canvas
        assert count > 100
        assert pixels[250, 20].min() > 240  # paper
        assert wait_for(lambda: player.source.frame > 0)
        tab.mouse.click(red, row)
        assert wait_for(lambda: player.picked == 0)
        assert wait_for(lambda: "force <eV/A>" in tab.inner_text("body"))
        tab.get_by_role("button", name="Pause").click()
        assert wait_for(lambda: not player.playing)
        stopped = player.source.frame
        tab.get_by_role("button", name="Step").click()
        assert wait_for(lambda: player.source.frame == stopped + 1)
        tab.keyboard.down("Shift")
        tab.mouse.move(red, row)
        tab.mouse.down()
        for x in range(0, 45, 5):
            tab.mouse.move(red - x, row)
        tab.mouse.up()
        tab.keyboard.up("Shift")
        assert wait_for(lambda: -4.5 < player.source.place < -3.4)
        assert wait_for(lambda: where(picture(tab), 0)[0] < red - 25)
        assert abs(where(picture(tab), 1)[0] - green) < 3  # the view has not turned
        player.request(player.toggle)
        tab.close()
        assert wait_for(lambda: not page.watched)
        left = player.source.frame
        assert not wait_for(lambda: player.source.frame > left + 2, 0.5)  # nobody looks any more: nothing is lost
    finally:
        page.close()


def test_an_exported_page_replays_offline(browser, tmp_path):
    recording = Recording(scenes=[sign(-3.0), sign(-5.0)], fps=0.25)
    path = tmp_path / "sign.html"
    save_page(recording, path, title="A <sign>")
    context = browser.new_context(viewport={"width": 700, "height": 500}, offline=True)
    tab = context.new_page()
    asked, failed = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: failed.append(str(error)))
    tab.goto(path.as_uri())
    time_shown = tab.locator("input").first
    places = []
    for time in ("1", "5"):  # in the first and in the second frame; asking for a time pauses
        time_shown.fill(time)
        time_shown.blur()
        assert wait_for(lambda: where(picture(tab), 0)[2] > 300)
        places.append([where(picture(tab)[:440], channel) for channel in (0, 1, 2)])  # without the bar
    (red, *others), (red_later, *others_later) = places
    assert red_later[0] < red[0] - 40
    np.testing.assert_allclose(others, others_later, atol=3)
    assert all(count > 300 for *_, count in (*others, *others_later))
    assert "A <sign>" in tab.inner_text("body")
    assert "Xy<" in tab.inner_text("body")
    assert failed == []
    assert all(re.match(r"file:|blob:|data:", url) for url in asked), asked
    assert path.stat().st_size < 1_000_000
    context.close()


def messages(data):
    """Duration and messages [(time, message)] of what viser packed, with arrays in their places."""
    inner = zstandard.ZstdDecompressor().decompress(data[8:], max_output_size=int.from_bytes(data[:8], "little"))
    size = int.from_bytes(inner[:8], "little")
    found = msgspec.msgpack.decode(inner[8 : 8 + size])
    buffers, place = [], 8 + size
    for length in found["binaryBufferLengths"]:
        place += -place % 8
        buffers.append(inner[place : place + length])
        place += length
    return found["durationSeconds"], found["messages"], buffers


def test_a_packed_recording_holds_each_frame_and_only_what_changes():
    recording = Recording(scenes=[sign(x) for x in (-3.0, -2.0, -2.0, 5.0)], fps=4.0)
    seconds, sent, buffers = messages(packed(recording, None))
    assert seconds == pytest.approx(1.0)
    updates = [(time, message) for time, message in sent if message["type"] == "SceneNodeUpdateMessage"]
    assert [(time, message["name"], list(message["updates"])) for time, message in updates] == [
        (0.25, "/spheres", ["batched_positions"]),  # the third frame is like the second
        (0.75, "/spheres", ["batched_positions"]),
    ]
    last = updates[-1][1]["updates"]["batched_positions"]
    index = next(value for key, value in last.items() if "index" in key)
    assert np.frombuffer(buffers[index], np.float32).tolist() == [5.0, 0.0, 0.0]


def test_a_page_of_a_long_recording_keeps_its_length_and_its_size(monkeypatch):
    monkeypatch.setattr("matdesign.render.offline.MOST_NUMBERS", 400)  # a frame has 39
    recording = Recording(scenes=[sign(float(x)) for x in range(40)], fps=10.0)
    seconds, sent, _ = messages(packed(recording, None))
    times = {time for time, message in sent if message["type"] == "SceneNodeUpdateMessage"}
    assert seconds == pytest.approx(4.0)
    assert len(times) == 9  # every fourth, the first is no update
    monkeypatch.setattr("matdesign.render.offline.MOST_NUMBERS", 20)
    with pytest.raises(InputError, match="more shapes than one page"):
        page_html(recording)


def test_nothing_in_a_title_or_legend_becomes_part_of_the_page():
    evil = "</title><script>alert(1)</script>"
    scene = replace(sign(), legend=Legend(names=((evil, (1.0, 0.0, 0.0)),)))
    text = page_html(Recording(scenes=[scene]), title=evil)
    assert "<script>alert" not in text
    assert "<script>alert" not in viewers_html({evil: Recording(scenes=[scene])})
    assert "<script>alert" not in frame_html(text)


def test_several_viewers_share_what_is_common():
    recording = Recording(scenes=[sign()])
    one, three = (len(viewers_html({str(i): recording for i in range(n)})) for n in (1, 3))
    assert three - one < 30_000 < 800_000 < one < 1_000_000


def test_a_page_cannot_be_written_anywhere(tmp_path):
    recording = Recording(scenes=[sign()])
    with pytest.raises(InputError, match=r"must end in \.html"):
        save_page(recording, tmp_path / "sign.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write page"):
        save_page(recording, tmp_path / "file" / "sign.html")


def test_instances_lie_where_the_shapes_do():
    rng = np.random.default_rng(0)
    ends = rng.normal(size=(50, 6)).astype(np.float32)
    ends[0], ends[1] = (0, 0, 0, 0, 0, -2), (0, 0, 0, 0, 0, 3)  # straight down and up
    rows = np.concatenate([ends, np.full((50, 5), (0.3, 1, 0, 0, 0.5), np.float32)], axis=1)
    (group,) = (found for found in instances(Scene(cylinders=rows)) if len(found.rows))
    assert group.name == "clear_cylinders"
    w, x, y, z = group.turns.T
    axis = np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], axis=1)  # of the turned z
    half = 0.5 * axis * group.scales[:, 2:]
    np.testing.assert_allclose(group.positions - half, ends[:, :3], atol=1e-5)
    np.testing.assert_allclose(group.positions + half, ends[:, 3:], atol=1e-5)
    np.testing.assert_allclose(group.scales[:, :2], 0.3)


@pytest.mark.parametrize(("name", "volume"), [("spheres", 4 / 3 * np.pi), ("boxes", 1.0), ("cylinders", np.pi)])
def test_meshes_are_closed_and_face_outwards(name, volume):
    vertices, faces = mesh(name, 2)
    solid = trimesh.Trimesh(vertices, faces, process=True)
    assert solid.is_watertight
    assert solid.volume == pytest.approx(volume, rel=0.06)  # of a finely cut one


def test_flat_scenes_are_seen_from_above():
    flat = Scene(boxes=np.array([[5, 5, -0.1, 10, 10, 0.1, 0, 0, 0, 1], [3, 3, 0, 1, 1, 1, 1, 1, 1, 1]], np.float32))
    above = pose(flat)
    np.testing.assert_allclose(above.position[:2], (5, 5), atol=1e-4)
    assert above.position[2] * np.tan(above.fov / 2) == pytest.approx(5.4, abs=0.5)  # half the board, and a border
    assert pose(sign()).position[2] < -pose(sign()).position[1]


def test_a_colour_bar_is_written_with_its_ends():
    from matdesign.render.key import key_html

    bar = ColourBar(colours=np.array([[0, 0, 0], [1, 1, 1]], np.float32), low=-1.5, high=2.0, label="energy (eV)")
    text = key_html(Legend(colour_bar=bar))
    assert all(part in text for part in ("energy (eV)", "-1.5", ">2<", "rgb(0,0,0),rgb(255,255,255)"))
