"""The window under Xvfb: what it shows, what keys and mouse do, and that it changes nothing."""

import sys

import numpy as np
import pytest
import torch
from ase.build import bulk
from display import xvfb
from test_player import Counter

from matdesign.agents.actor import Actor
from matdesign.cli import main
from matdesign.config import load
from matdesign.design.assembly import make_policy, open_vector
from matdesign.design.live import Live
from matdesign.errors import MatdesignError
from matdesign.render.player import Player, Source
from matdesign.scene import Scene, Text

SIZE = (680, 400)
KEY_UP, KEY_DOWN, BUTTON_UP, BUTTON_DOWN, MOUSE, WHEEL = 1, 2, 5, 6, 7, 8  # raylib's automation events


@pytest.fixture(scope="module", autouse=True)
def display():
    with xvfb():
        yield


@pytest.fixture
def opened():
    """Opens windows that are closed afterwards."""
    from matdesign.render.window import Window

    windows = []

    def opened(source, **options):
        windows.append(Window(paused(source), **{"size": SIZE, **options}))
        for _ in range(3):  # the display's first words to the window are about the mouse
            windows[-1].update()
        return windows[-1]

    yield opened
    for window in windows:
        window.close()


def paused(source):
    player = Player(source, clock=lambda: 0.0)
    player.toggle()
    return player


class Still(Source):
    """One scene."""

    def __init__(self, scene):
        self._scene = scene

    def scene(self):
        return self._scene


class Game(Counter):
    """A counter whose first agent has a goal, and whose agents can be steered."""

    keys = "wasd"

    def __init__(self):
        super().__init__()
        self.moved, self.steered = [], []

    def goal(self, sphere):
        return 0 if sphere == 0 else None

    def move_goal(self, agent, point):
        self.moved.append((agent, point))

    def steer(self, agent, key):
        self.steered.append((agent, key))


def play(window, *events):
    from raylib import ffi, rl

    for kind, *parameters in events:
        event = ffi.new("AutomationEvent *")
        event.type = kind
        event.params[0 : len(parameters)] = [int(value) for value in parameters]
        rl.PlayAutomationEvent(event[0])
    return window.update()


def press(window, *names):
    from raylib import rl

    for name in names:
        code = getattr(rl, f"KEY_{name}")
        going = play(window, (KEY_DOWN, code))
        play(window, (KEY_UP, code))
    return going


def sphere(x, y, z, radius, *rgb, alpha=1.0):
    return [x, y, z, radius, *rgb, alpha]


def masked(picture, channel):
    others = np.delete(picture.astype(int), channel, axis=2).max(axis=2)
    return picture[..., channel] > others + 60


@pytest.mark.parametrize(("perspective", "samples"), [(True, 1), (False, 1), (False, 2)])
def test_things_have_their_colours_where_they_are(opened, perspective, samples):
    spheres = [sphere(-3, 0, 2, 1.0, 1, 0, 0), sphere(-3, 3, 2, 0.8, 0, 0, 1)]  # the second behind the first
    scene = Scene(
        spheres=np.array(spheres, np.float32),
        boxes=np.array([[3, 0, 2, 1, 1, 1.5, 0, 1, 0, 1]], np.float32),
        cylinders=np.array([[-2, 0, -2, 2, 0, -2, 0.4, 0, 0, 1, 1]], np.float32),
        lines=np.array([[-4, 0, -3, 4, 0, -3, 1, 0, 0, 1]], np.float32),
        texts=[Text(position=(0, 0, 4), size=1.0, rgba=(0, 0, 0, 1), text="words")],
    )
    window = opened(Still(scene), samples=samples)
    window.orbit.axes = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # from -y
    window.orbit.perspective = perspective
    picture = window.picture()
    assert picture.shape == (SIZE[1], SIZE[0], 3)
    assert (picture[-1, -1] == 255).all()
    for place, channel in (((-3, 0, 2), 0), ((3, 0, 2), 1), ((0, 0, -2), 2), ((1, 0, -3), 0)):
        column, row = np.floor(window.orbit.to_pixels(np.array([place], float))[0]).astype(int)
        assert masked(picture, channel)[row, column], (place, picture[row, column])
    red = masked(picture, 0) & (np.arange(SIZE[1])[:, None] < SIZE[1] / 2)
    centre, at = np.array([-3.0, 0, 2]), window.orbit
    area, middle = np.pi * at.pixels_per_length(centre) ** 2, at.to_pixels(centre[None])[0]
    if perspective:  # a cone touches the ball, and cuts the picture in an ellipse
        away, depth = np.linalg.norm(at.eye - centre), (at.eye - centre) @ at.axes[2]
        area *= np.sqrt((away**2 - 1) / (depth**2 - 1)) * depth**2 / (depth**2 - 1)
        middle = np.array(SIZE) / 2 + (middle - np.array(SIZE) / 2) * depth**2 / (depth**2 - 1)
    assert red.sum() == pytest.approx(area, rel=0.03)
    rows, columns = np.nonzero(red)
    np.testing.assert_allclose([columns.mean() + 0.5, rows.mean() + 0.5], middle, atol=0.3)
    ink = (picture < 100).all(axis=2)
    x, y = at.to_pixels(np.array([[0.0, 0, 4]]))[0]
    left = round(x) - 60
    rows, columns = np.nonzero(ink[:120, left : round(x) + 60])
    assert len(rows) > 20
    np.testing.assert_allclose([columns.mean() + left, rows.mean()], [x, y], atol=5)


def test_ten_thousand_spheres_keep_their_own_colours(opened):
    edge = 100
    place = np.stack(np.meshgrid(np.arange(edge), np.arange(edge)), axis=-1).reshape(-1, 2)
    rows = np.zeros((edge * edge, 8), np.float32)
    rows[:, :2], rows[:, 3], rows[:, 7] = place, 0.5, 1
    rows[:, 4:7] = np.random.default_rng(0).uniform(0, 0.8, (len(rows), 3))
    window = opened(Still(Scene(spheres=rows)), size=(720, 720))
    picture = window.picture()
    pixels = np.floor(window.orbit.to_pixels(rows[:, :3].astype(float))).astype(int)
    free = (pixels[:, 0] > 300) | (pixels[:, 1] > 80)  # not under the panel
    shown = picture[pixels[free, 1], pixels[free, 0]] / 255
    shown, meant = (colours - colours.mean(axis=1, keepdims=True) for colours in (shown, rows[free, 4:7]))  # no gloss
    assert 0.8 < (shown * meant).sum() / (meant**2).sum() < 1.1
    assert abs(shown - meant).max() < 0.08


def test_what_is_clear_lets_through_what_is_behind(opened):
    rows = [sphere(0, 0, 0, 1, 0, 0, 1), sphere(0, -4, 0, 2, 1, 0.8, 0, alpha=0.5)]
    window = opened(Still(Scene(spheres=np.array(rows, np.float32))))
    window.orbit.axes = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    picture = window.picture().astype(int)
    column, row = np.floor(window.orbit.to_pixels(np.zeros((1, 3)))[0]).astype(int)
    through = picture[row, column]
    assert (through > 60).all()  # blue and yellow
    beside = picture[row, round(column + 1.6 * window.orbit.pixels_per_length(np.array([0.0, -4, 0])))]
    assert beside[0] > beside[2] + 40 > 140  # yellow and paper


def test_keys_do_what_the_help_says(opened):
    window = opened(Game())
    player, source = window.player, window.player.source
    assert press(window, "RIGHT", "PERIOD")
    assert (source.frame, player.playing) == (2, False)
    press(window, "LEFT")
    assert source.frame == 1
    press(window, "SPACE")
    assert (source.frame, player.playing) == (2, True)
    press(window, "SPACE")
    assert not player.playing
    press(window, "UP", "UP", "DOWN")
    assert player.speed == pytest.approx(1.25)
    press(window, "TAB", "TAB")
    assert player.picked == 1
    press(window, "N")
    assert source.environment == 1
    press(window, "P", "T", "R")
    assert (source.environment, player.trails, source.frame) == (0, True, 0)
    before = window.picture()
    press(window, "F1")
    assert (window.picture() != before).mean() > 0.02
    press(window, "ESCAPE")
    np.testing.assert_array_equal(window.picture(), before)
    press(window, "ESCAPE", "O")
    assert player.picked is None
    assert not press(window, "Q")


def test_keys_steer_one_agent_once_they_are_taken(opened):
    window = opened(Game())
    press(window, "TAB", "TAB", "D", "K", "UP")
    assert (window.player.steered, window.player.speed) == (1, 1.0)
    window.player.single_step()
    press(window, "D")
    window.player.single_step()
    window.player.single_step()
    assert window.player.source.steered == [(1, "w"), (1, "d"), (1, "")]
    press(window, "ESCAPE")
    assert window.player.steered is None
    assert window.player.picked == 1


def test_a_click_picks_and_a_drag_turns_moves_and_zooms(opened):
    window = opened(Game())
    x, y = window.orbit.to_pixels(np.array([[10.0, 0, 0]]))[0]
    play(window, (MOUSE, x, y))
    play(window, (BUTTON_DOWN, 0))
    play(window, (BUTTON_UP, 0))
    assert window.player.picked == 1
    axes, target, height = window.orbit.axes, window.orbit.target, window.orbit.height
    play(window, (MOUSE, x, y + 40))
    play(window, (BUTTON_DOWN, 0))
    play(window, (MOUSE, x + 25, y + 60))
    play(window, (BUTTON_UP, 0))
    assert window.player.picked == 1
    assert abs(window.orbit.axes - axes).max() > 0.05
    np.testing.assert_array_equal(window.orbit.target, target)
    play(window, (BUTTON_DOWN, 1))
    play(window, (MOUSE, x, y))
    play(window, (BUTTON_UP, 1))
    way = (window.orbit.target - target) @ window.orbit.axes.T * SIZE[1] / height
    np.testing.assert_allclose(way, [25, -60, 0], atol=0.6)  # whole pixels
    play(window, (WHEEL, 0, 1))
    assert window.orbit.height < height


def test_a_goal_is_dragged_across_the_line_of_sight(opened):
    window = opened(Game())
    x, y = np.round(window.orbit.to_pixels(np.zeros((1, 3)))[0])
    axes = window.orbit.axes
    play(window, (MOUSE, x, y))
    play(window, (BUTTON_DOWN, 0))
    play(window, (MOUSE, x + 30, y))
    play(window, (BUTTON_UP, 0))
    agent, point = window.player.source.moved[-1]
    assert agent == 0
    expected = 30 / window.orbit.pixels_per_length(np.zeros(3)) * axes[0]
    np.testing.assert_allclose(point, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(window.orbit.axes, axes)


def test_a_rollout_is_bit_identical_with_a_window_and_goes_on_after_it(opened):
    from matdesign.render.window import Window

    config = load(["env=drone_swarm", "env.envs=2", "env.settings.drones=8", "quiet=true"])
    steps = 30
    with open_vector(config, own_memory=True) as vector:
        policy = make_policy(config, vector)
        vector.reset(7)
        unseen = []
        for _ in range(steps):
            vector.actions[:] = Actor(policy)(torch.from_numpy(vector.observations)).numpy()
            vector.step()
            unseen.append((vector.observations.copy(), vector.rewards.copy()))
    with open_vector(config, own_memory=True) as vector:
        live = Live(config, vector, make_policy(config, vector), title="drones", seed=7)
        window = Window(paused(live), size=SIZE)
        seen = []
        for step in range(steps):
            if step < steps // 2:
                press(window, "TAB", "N", "RIGHT")
                play(window, (MOUSE, 100 + step, 100), (BUTTON_DOWN, 0))
                play(window, (BUTTON_UP, 0))
            else:
                if step == steps // 2:
                    window.close()
                live.step()
            seen.append((vector.observations.copy(), vector.rewards.copy()))
    for (a, b), (c, d) in zip(unseen, seen, strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)


def test_a_person_steers_a_snake_and_the_policy_the_others():
    config = load(["env=snake", "env.envs=2", "env.settings.snakes=3", "quiet=true"])
    with open_vector(config, own_memory=True) as vector:
        policy = make_policy(config, vector)
        player = Player(Live(config, vector, policy, title="", seed=0))
        player.look_at(1)
        player.pick(2)
        player.take_keyboard()
        for key, action in (("w", 1), ("d", 3), ("x", -1)):
            others = Actor(policy)(torch.from_numpy(vector.observations)).numpy()
            player.press(key)
            player.single_step()
            others[5] = action
            np.testing.assert_array_equal(vector.actions, others)
        player.take_keyboard()
        others = Actor(policy)(torch.from_numpy(vector.observations)).numpy()
        player.single_step()
        np.testing.assert_array_equal(vector.actions, others)


def test_view_opens_a_window_until_it_is_closed(tmp_path, monkeypatch):
    from matdesign.render.window import Window

    file = tmp_path / "cu.xyz"
    bulk("Cu", cubic=True).write(file)
    shown = []

    def update(window):
        shown.append(len(window.player.scene().spheres))
        return len(shown) < 3

    monkeypatch.setattr(Window, "update", update)
    assert main(["view", str(file), "window=true"]) == 0
    assert shown == [4, 4, 4]


def test_closing_the_window_ends_the_view(opened):
    from raylib import rl

    window = opened(Game())
    with pytest.raises(MatdesignError, match="one at a time"):
        opened(Game())
    assert window.update()
    rl.glfwSetWindowShouldClose(rl.glfwGetCurrentContext(), 1)  # what a click on its cross does
    window.run()


def refused(capsys, *arguments):
    assert main(["view", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_what_is_missing_is_said_with_the_remedy(tmp_path, monkeypatch, capsys):
    file = tmp_path / "cu.xyz"
    bulk("Cu", cubic=True).write(file)
    assert "use true or false" in refused(capsys, str(file), "window=yes")
    with monkeypatch.context() as patch:
        patch.delenv("DISPLAY")
        error = refused(capsys, str(file), "window=true")
        assert "DISPLAY is not set" in error
        assert "in a browser" in error
    with monkeypatch.context() as patch:
        patch.setenv("DISPLAY", ":987")
        assert "OpenGL 3.3" in refused(capsys, str(file), "window=true")
    for name in ("graphics", "geometry", "panel", "window"):
        monkeypatch.delitem(sys.modules, f"matdesign.render.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "raylib", None)
    assert "pip install 'matdesign[window]'" in refused(capsys, str(file), "window=true")
