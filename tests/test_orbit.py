"""The window's camera: what is under a pixel is what is drawn there, by its own formulas and OpenGL's matrices."""

import numpy as np
import pytest

from matdesign.render.orbit import Orbit, hit
from matdesign.scene import Scene

WIDTH, HEIGHT = 640, 360


def cloud(seed, spheres=60):
    rows = np.ones((spheres, 8), np.float32)
    random = np.random.default_rng(seed)
    rows[:, :3] = random.normal([7, -3, 20], 5, (spheres, 3))
    rows[:, 3] = random.uniform(0.2, 1.5, spheres)
    return Scene(spheres=rows)


def orbits():
    for perspective in (True, False):
        orbit = Orbit(cloud(1), WIDTH, HEIGHT)
        orbit.perspective = perspective
        orbit.turn(123.0, -45.0)
        orbit.shift(20.0, -11.0)
        orbit.zoom(2.0)
        yield orbit


@pytest.mark.parametrize("orbit", list(orbits()))
def test_pixels_rays_and_matrices_agree(orbit):
    points = cloud(2).spheres[:, :3].astype(float)
    pixels = orbit.to_pixels(points)
    clip = np.c_[points, np.ones(len(points))] @ (orbit.projection() @ orbit.view()).astype(float).T
    seen = clip[:, :3] / clip[:, 3:]
    expected = (seen[:, :2] * [1, -1] + 1) / 2 * [WIDTH, HEIGHT]
    np.testing.assert_allclose(pixels, expected, atol=0.01)
    assert (abs(seen[:, 2]) < 1).all()  # between the near and the far plane
    nearer = (points[:, None] - points) @ orbit.axes[2] > 1e-3
    assert (nearer <= (seen[:, None, 2] < seen[:, 2])).all()
    for point, (x, y) in zip(points[:10], pixels, strict=False):
        start, way = orbit.ray(x, y)
        np.testing.assert_allclose(np.cross(point - start, way), 0, atol=1e-6)
        np.testing.assert_allclose(orbit.beside(point, x, y), point, atol=1e-6)
        moved = orbit.beside(point, x + 30, y - 8)
        np.testing.assert_allclose(orbit.to_pixels(moved[None])[0], [x + 30, y - 8], atol=1e-6)
        assert (moved - point) @ orbit.axes[2] == pytest.approx(0, abs=1e-9)
        reached = np.linalg.norm(moved - point) * orbit.pixels_per_length(point)
        assert reached == pytest.approx(np.hypot(30, 8))


@pytest.mark.parametrize("orbit", list(orbits()))
def test_a_hit_is_the_first_sphere_that_a_walk_along_the_ray_enters(orbit):
    spheres = cloud(3).spheres
    random, met = np.random.default_rng(0), 0
    for column, row in orbit.to_pixels(spheres[:40, :3].astype(float)) + random.normal(0, 15, (40, 2)):
        start, way = orbit.ray(column, row)
        steps = start + np.arange(0, 200, 0.05)[:, None] * way
        inside = np.linalg.norm(steps[:, None] - spheres[:, :3], axis=2) < spheres[:, 3]
        entered = inside.any(axis=1)
        expected = int(inside[entered.argmax()].argmax()) if entered.any() else None
        found = hit(start, way, spheres)
        if expected is not None or found is None:
            assert found == expected
        met += found is not None
    assert 15 < met < 40


def test_a_hand_turns_without_tilting_the_horizon_and_zooms_within_bounds():
    orbit = Orbit(cloud(1), WIDTH, HEIGHT)
    for right, down in [(50, 400), (-300, 400), (20, -2000), (10, 5)]:
        orbit.turn(right, down)
        np.testing.assert_allclose(orbit.axes @ orbit.axes.T, np.eye(3), atol=1e-12)
        assert orbit.axes[0, 2] == pytest.approx(0, abs=1e-9)
    before = orbit.height
    orbit.zoom(1000)
    assert 0 < orbit.height < before
    orbit.zoom(-1000)
    assert before < orbit.height < np.inf


@pytest.mark.parametrize("flat", [True, False])
def test_everything_is_in_view_and_fills_it(flat):
    scene = cloud(4)
    if flat:
        scene.spheres[:, 2] = 0
    orbit = Orbit(scene, WIDTH, HEIGHT)
    assert orbit.perspective != flat
    pixels = orbit.to_pixels(scene.spheres[:, :3].astype(float))
    assert (pixels > 0).all()
    assert (pixels < [WIDTH, HEIGHT]).all()
    assert (np.ptp(pixels, axis=0) / [WIDTH, HEIGHT]).max() > 0.6


def test_nothing_can_be_looked_at():
    orbit = Orbit(Scene(), WIDTH, HEIGHT)
    assert np.isfinite(orbit.view()).all()
    assert np.isfinite(orbit.projection()).all()
    assert hit(*orbit.ray(0, 0), Scene().spheres) is None
