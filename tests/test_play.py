"""Scenes as characters, and a game played in a terminal of its own."""

import os
import pty
import re
import select
import subprocess
import sys
import time

import numpy as np
import pytest

from matdesign.design.play import act, play_job
from matdesign.errors import InputError
from matdesign.render.terminal import frame, pixels
from matdesign.scene import Scene
from matdesign.vector import Vector

RED, GREEN = (1, 0, 0, 1), (0, 1, 0, 1)


def test_pixels_show_boxes_and_spheres_where_they_are() -> None:
    boxes = np.array([[2, 1, 0, 4, 2, 1, *RED]], np.float32)  # x 0..4, y 0..2
    spheres = np.array([[3.5, 1.5, 0, 0.5, *GREEN]], np.float32)  # x 3..4, y 1..2: on top, upper right
    picture = pixels(Scene(boxes=boxes, spheres=spheres), 8, 4)
    assert picture.shape == (4, 8, 3)
    green = (picture == [0, 255, 0]).all(axis=2)
    assert np.array_equal(np.argwhere(green), [[0, 6], [0, 7], [1, 6], [1, 7]])
    assert ((picture == [255, 0, 0]).all(axis=2) | green).all()


def test_an_empty_scene_is_background() -> None:
    assert len(np.unique(pixels(Scene(), 3, 2).reshape(-1, 3), axis=0)) == 1


def test_frame_has_its_lines_and_columns() -> None:
    with Vector("snake", {"snakes": 2, "width": 12, "height": 12, "food": 5}, envs=1) as vector:
        vector.reset(0)
        text = frame(vector.scene(0), 24, 12)
    lines = re.sub(r"\x1b\[[0-9;]*[mH]", "", text).split("\r\n")
    assert lines == ["\u2580" * 24] * 12


def test_the_player_steers_the_first_agent_only() -> None:
    with Vector("snake", {}, envs=1) as vector:
        vector.reset(0)
        act(vector, None, np.random.default_rng(0), 3)
        assert vector.actions[0, 0] == 3
        assert len(np.unique(vector.actions[1:])) > 1


def test_a_game_in_a_terminal() -> None:
    terminal, other = pty.openpty()
    command = [sys.executable, "-m", "matdesign", "play", "env=snake", "env.settings.snakes=4"]
    with subprocess.Popen(command, stdin=other, stdout=other, stderr=other, close_fds=True) as game:
        os.close(other)
        text, left, end = "", False, time.monotonic() + 60
        while time.monotonic() < end:
            if not select.select([terminal], [], [], 0.2)[0]:
                continue
            try:
                text += os.read(terminal, 65536).decode(errors="ignore")
            except OSError:  # the game has closed its side
                break
            if not left and text.count("leaves") == 2:  # two steps were shown
                os.write(terminal, b"\x1b[Aq")
                left = True
        game.kill()
    os.close(terminal)
    assert game.returncode == 0
    assert "\u2580" in text
    assert "arrows or w a s d steer" in text
    assert text.rstrip().endswith("\x1b[?1049l")  # the page of before


def test_what_cannot_be_played() -> None:
    with pytest.raises(InputError, match=r"boids has no keys: play snake, pong"):
        play_job(None, ["env=boids"], None)
    with pytest.raises(InputError, match="there is no terminal"):
        play_job(None, [], None)
