"""A player: pace, requests and readings, against a source that counts and a clock that is moved by hand."""

import numpy as np
import pytest

from matdesign.render.player import LONGEST, TRAIL, Player, Source, trail_lines
from matdesign.scene import Scene


class Counter(Source):
    """Three spheres; the first moves along x by one a step, the last jumps back and forth."""

    title, rate, agents, environments, frames = "counter", 10.0, 3, 2, 50

    def __init__(self) -> None:
        self.frame = self.environment = 0

    def scene(self):
        spheres = np.zeros((3, 8), np.float32)
        spheres[:, 0] = self.frame, 10.0 + 0.5 * self.frame, 1e4 * (self.frame % 2)
        spheres[:, 3:] = 0.5, 1, 0, 0, 1
        return Scene(spheres=spheres)

    def step(self):
        self.frame += 1

    def reset(self):
        self.frame = 0

    def look_at(self, environment):
        self.environment = environment

    def seek(self, frame):
        self.frame = frame

    def sphere(self, agent):
        return agent

    def agent(self, sphere):
        return sphere if sphere < 3 else None

    def reading(self, agent):
        return {"agent": str(agent), "frame": str(self.frame)}


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def player(clock):
    return Player(Counter(), clock=lambda: clock[0])


def run(player, clock, seconds, rate=100.0):
    for _ in range(round(seconds * rate)):
        clock[0] += 1.0 / rate
        player.tick()


def test_steps_keep_the_sources_rate_times_the_speed(player, clock):
    run(player, clock, 2.0)
    assert abs(player.source.frame - 20) <= 1
    player.set_speed(4.0)
    before = player.source.frame
    run(player, clock, 1.0)
    assert abs(player.source.frame - before - 40) <= 1


def test_a_pause_owes_no_steps(player, clock):
    player.tick()
    player.toggle()
    before = player.source.frame
    run(player, clock, 100.0, rate=1.0)
    assert player.source.frame == before
    player.toggle()
    player.tick()
    assert player.source.frame <= before + 1


def test_a_long_absence_owes_no_steps_either(player, clock):
    player.tick()
    clock[0] += 3600.0
    player.tick()
    assert player.source.frame <= 2 + LONGEST * player.source.rate


def test_requests_wait_for_the_tick_and_keep_their_order(player):
    player.request(lambda: player.seek(7))
    player.request(player.single_step)
    assert player.source.frame == 0
    assert player.tick()
    assert player.source.frame == 8
    assert not player.playing
    assert not player.tick()  # nothing new


def test_environments_wrap_around_and_frames_do_not(player):
    player.look_at(5)
    assert player.source.environment == player.environment == 1
    player.seek(1000)
    assert player.source.frame == 49


def test_a_picked_agent_is_marked_and_read_until_it_is_picked_again(player):
    player.pick_sphere(1)
    player.seek(3)
    assert player.reading() == {"agent": "1", "frame": "3"}
    scene = player.scene()
    assert len(scene.spheres) == 4
    assert scene.spheres[3, :3].tolist() == scene.spheres[1, :3].tolist()
    assert 0 < scene.spheres[3, 7] < 1 < scene.spheres[3, 3] / 0.5
    player.pick_sphere(3)  # the mark around it
    assert player.picked is None
    assert player.reading() == {}
    player.pick(3)  # there is none
    assert player.picked is None


def test_trails_follow_what_moves_and_leave_out_jumps(player):
    player.show_trails(True)
    for _ in range(TRAIL + 20):
        player.single_step()
    lines = player.scene().lines
    assert len(lines) == 2 * (TRAIL - 1)  # the third sphere jumps
    first = lines[lines[:, 0] < lines[:, 3]]
    np.testing.assert_allclose(np.sort(np.unique(first[:, 3] - first[:, 0])), [0.5, 1.0])
    assert lines[:, 9].max() > lines[:, 9].min() > 0  # the newest stand out
    player.reset()
    assert len(player.scene().lines) == 0


def test_spheres_that_stand_still_have_no_trail():
    assert trail_lines([np.zeros((2, 3), np.float32)] * 3).shape == (0, 10)
