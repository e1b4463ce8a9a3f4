"""Pictures: where things are drawn, what hides what, and what is refused."""

import dataclasses

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.data import covalent_radii
from PIL import Image

from matdesign.errors import InputError
from matdesign.render.atoms import scene_from_atoms
from matdesign.render.camera import Camera
from matdesign.render.image import render, save, side_by_side
from matdesign.render.shading import FAST
from matdesign.scene import Scene, Text

# Looking down on the xy plane, x to the right and y up, one length unit is 10 pixels.
ABOVE = Camera(towards=(0, 0, 1), up=(0, 1, 0), field_of_view=0, margin=0, target=(0, 0, 0), span=20)
RED, GREEN = (1.0, 0.1, 0.1, 1.0), (0.1, 1.0, 0.1, 1.0)


def sphere(x, y, z, radius=3.0, colour=RED):
    return [x, y, z, radius, *colour]


def scene(*spheres, **others):
    arrays = {name: np.array(rows, np.float32) for name, rows in others.items() if name != "texts"}
    return Scene(spheres=np.array(spheres, np.float32).reshape(-1, 8), **arrays, texts=others.get("texts", []))


def pixels(scene, camera=ABOVE, **options):
    """Red, green, blue and coverage in 0..1, [200, 300, 4], on nothing."""
    picture = render(
        scene, size=(300, 200), camera=camera, background=None, **{"depth_cue": 0.0, "quality": FAST} | options
    )
    return np.asarray(picture) / 255


def centroid(weights):
    rows, columns = np.mgrid[: weights.shape[0], : weights.shape[1]] + 0.5
    return (columns * weights).sum() / weights.sum(), (rows * weights).sum() / weights.sum()


def test_sphere_covers_its_disc():
    coverage = pixels(scene(sphere(4, 2, 5)))[..., 3]
    assert coverage.sum() == pytest.approx(np.pi * 30**2, rel=2e-3)
    assert centroid(coverage) == pytest.approx((150 + 40, 100 - 20), abs=0.05)
    edge = (coverage > 0) & (coverage < 1)
    assert 0.3 < edge.sum() / (2 * np.pi * 30) < 3  # smooth, one pixel wide


@pytest.mark.parametrize("angle", [10, 40, 80])
def test_perspective_sphere_has_the_size_of_its_cone(angle):
    """The half-angle of the cone to a sphere in the middle of the view is asin(r / distance)."""
    camera = dataclasses.replace(ABOVE, field_of_view=angle)
    eye = 3 / np.sin(np.radians(angle / 2))
    coverage = pixels(scene(sphere(0, 0, 0)), camera)[..., 3]
    radius = 10 * eye * np.tan(np.arcsin(3 / eye))
    assert coverage.sum() == pytest.approx(np.pi * radius**2, rel=3e-3)


def test_near_things_look_larger_in_perspective():
    camera = dataclasses.replace(ABOVE, field_of_view=50)
    picture = pixels(scene(sphere(-5, 0, -5, colour=GREEN), sphere(-5, 0, -5), sphere(5, 0, 5)), camera)
    left, right = picture[:, :150, 3].sum(), picture[:, 150:, 3].sum()
    assert right > 1.3 * left


def test_nearer_sphere_hides_the_other():
    apart = scene(sphere(0, 0, 5, colour=GREEN), sphere(0, 0, -5))
    picture = pixels(apart)
    assert picture[100, 150, 1] > 3 * picture[100, 150, 0]
    below = pixels(apart, dataclasses.replace(ABOVE, towards=(0, 0, -1)))
    assert below[100, 150, 0] > 3 * below[100, 150, 1]


def test_spheres_meet_where_they_intersect():
    picture = pixels(scene(sphere(-1, 0, 0), sphere(1, 0, 0, colour=GREEN)))
    row = picture[100]
    assert (row[125:148, 0] > row[125:148, 1]).all()
    assert (row[152:175, 1] > row[152:175, 0]).all()


def test_clear_sphere_shows_what_is_behind():
    solid = pixels(scene(sphere(0, 0, -5)))
    glass = pixels(scene(sphere(0, 0, -5), sphere(0, 0, 5, colour=(0.1, 0.1, 1.0, 0.4))))
    assert solid[100, 150, 2] < glass[100, 150, 2]
    assert glass[100, 150, 0] > 0.4
    only = pixels(scene(sphere(0, 0, 5, colour=(0.1, 0.1, 1.0, 0.4))))
    assert only[100, 150, 3] == pytest.approx(0.4, abs=0.01)


def test_neighbour_takes_light_away():
    alone = pixels(scene(sphere(0, 0, 0)))
    beside = pixels(scene(sphere(0, 0, 0), sphere(-4, 5, 3, colour=GREEN)))
    inner = np.s_[85:100, 135:150, 0]
    assert (beside[inner] <= alone[inner] + 1e-6).all()
    assert beside[inner].mean() < 0.97 * alone[inner].mean()


def test_light_comes_from_above_on_the_left():
    picture = pixels(scene(sphere(0, 0, 0)))[..., 0]
    assert picture[85, 135] > picture[115, 165] + 0.1


def test_box_covers_its_face():
    picture = pixels(scene(boxes=[[4, 2, 0, 3, 5, 1, *RED]]))
    assert picture[..., 3].sum() == pytest.approx(30 * 50, rel=1e-3)
    assert centroid(picture[..., 3]) == pytest.approx((190, 80), abs=0.05)


def test_turned_box_shows_three_faces_of_different_brightness():
    camera = dataclasses.replace(ABOVE, towards=(1, 1, 1), up=(0, 0, 1))
    picture = pixels(scene(boxes=[[0, 0, 0, 6, 6, 6, 0.8, 0.8, 0.8, 1]]), camera)
    # A cube along its diagonal is a regular hexagon of area sqrt(3) a^2.
    assert picture[..., 3].sum() == pytest.approx(3**0.5 * 60**2, rel=2e-3)
    top, left, right = picture[80, 150, 0], picture[115, 130, 0], picture[115, 170, 0]
    assert top > left > right


def test_cylinder_covers_its_rectangle():
    picture = pixels(scene(cylinders=[[-4, 2, 0, 6, 2, 0, 1.5, *RED]]))
    assert picture[..., 3].sum() == pytest.approx(100 * 30, rel=2e-3)
    assert centroid(picture[..., 3]) == pytest.approx((160, 80), abs=0.05)
    down = pixels(scene(cylinders=[[3, 3, -5, 3, 3, 5, 2, *RED]]))[..., 3]
    assert down.sum() == pytest.approx(np.pi * 20**2, rel=3e-3)
    assert centroid(down) == pytest.approx((180, 70), abs=0.05)


def test_bond_in_two_colours_ends_in_its_spheres():
    halves = [[-8, 0, 0, 0, 0, 0, 1, *RED], [0, 0, 0, 8, 0, 0, 1, *GREEN]]
    row = pixels(scene(sphere(-8, 0, 0, 2, RED), sphere(8, 0, 0, 2, GREEN), cylinders=halves))[100]
    assert (row[95:149, 0] > 2 * row[95:149, 1]).all()
    assert (row[151:205, 1] > 2 * row[151:205, 0]).all()


def test_colour_is_seen_as_it_was_given():
    """Where a surface faces the eye and nothing is before it, it has about the colour of the scene."""
    picture = pixels(scene(boxes=[[0, 0, 0, 8, 8, 1, 0.2, 0.5, 0.7, 1]]))
    assert picture[100, 150, :3] == pytest.approx([0.2, 0.5, 0.7], abs=0.04)


def test_line_goes_from_end_to_end_and_behind_spheres():
    line = [-8, -0.05, 0, 8, -0.05, 0, 0, 0, 0, 1]  # through the middle of row 100
    picture = pixels(scene(lines=[line]))[..., 3]
    columns = np.flatnonzero(picture[100])
    assert columns.min() == pytest.approx(70, abs=2)
    assert columns.max() == pytest.approx(230, abs=2)
    assert (picture[[90, 110]] == 0).all()
    hidden = pixels(scene(sphere(0, 0, 4), lines=[line]))
    assert hidden[100, 150, 0] > 0.5
    assert hidden[100, 100, 3] > 0.5
    before = pixels(scene(sphere(0, 0, -4), lines=[line]))
    assert before[100, 150, 0] < 0.3


def test_line_in_perspective_passes_the_sphere_at_the_right_depth():
    """A line through a sphere is hidden inside it: from the eye, what is in front of the sphere's surface is seen."""
    camera = dataclasses.replace(ABOVE, field_of_view=60)
    towards_eye = [-8, -0.05, -8, 8, -0.05, 8, 0, 0, 0, 1]
    picture = pixels(scene(sphere(0, 0, 0, radius=2.5), lines=[towards_eye]), camera)
    dark = (picture[100, :, 3] > 0.5) & (picture[100, :, 0] < 0.2)
    assert dark[:125].any()
    assert dark[180:].any()
    assert not dark[135:160].any()


def test_text_stands_at_its_place():
    text = Text(position=(5, 5, 0), size=3, rgba=(0, 0, 0, 1), text="H2O")
    coverage = pixels(scene(texts=[text]))[..., 3]
    assert centroid(coverage) == pytest.approx((200, 50), abs=6)
    assert 10 < np.ptp(np.flatnonzero(coverage.any(axis=1))) < 40


@pytest.mark.parametrize("angle", [0, 15, 60])
@pytest.mark.parametrize("towards", [(0.55, -1, 0.45), (0, 0, 1), (-3, 0.1, 0.2)])
def test_everything_is_framed(angle, towards):
    positions = np.random.default_rng(1).uniform(-10, 30, (40, 3))
    camera = Camera(towards=towards, up=(0.1, 1, 0.3), field_of_view=angle, margin=0.1)
    coverage = pixels(scene(*[sphere(*position) for position in positions]), camera)[..., 3]
    rows, columns = np.flatnonzero(coverage.any(axis=1)), np.flatnonzero(coverage.any(axis=0))
    low, high = np.array([columns.min(), rows.min()]), np.array([columns.max(), rows.max()])
    border = 0.05 * np.array([300, 200])
    assert (low >= border - 2).all()
    assert (high <= np.array([300, 200]) - border + 2).all()
    if angle == 0:  # and fills the frame
        assert ((high - low) / np.array([300, 200])).max() > 0.87


def test_far_things_fade():
    near, far = sphere(-5, 0, 10), sphere(5, 0, -10)
    picture = np.asarray(render(scene(near, far), size=(300, 200), camera=ABOVE, depth_cue=0.6, quality=FAST)) / 255
    assert picture[100, 200, 1] > picture[100, 100, 1] + 0.3


def test_outline_is_dark():
    picture = render(scene(sphere(0, 0, 0, colour=(1.0, 1.0, 1.0, 1.0))), size=(300, 200), camera=ABOVE, quality=FAST)
    row = np.asarray(picture)[100].sum(axis=1).astype(int)
    assert np.argmin(row[:150]) == pytest.approx(120, abs=1)
    assert 150 + np.argmin(row[150:]) == pytest.approx(179, abs=1)
    assert row.min() < 0.7 * row[125:175].min()


def test_same_scene_same_picture():
    atoms = bulk("Si", "diamond", a=5.43, cubic=True)
    first, second = (render(scene_from_atoms(atoms), size=(160, 120), quality=FAST) for _ in range(2))
    assert first.mode == "RGB"
    assert first.size == (160, 120)
    assert first.tobytes() == second.tobytes()


def test_atoms_have_their_colours_and_touch():
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    atoms.positions += 3 * atoms.cell[0]  # somewhere outside the cell
    drawn = scene_from_atoms(atoms, fill=1.0)
    radii = drawn.spheres[:, 3]
    assert radii[0] / radii[1] == pytest.approx(covalent_radii[11] / covalent_radii[17])
    assert radii[0] + radii[1] == pytest.approx(5.64 / 2, rel=1e-5)
    assert drawn.spheres[0, 4:7] == pytest.approx([0.671, 0.361, 0.949], abs=1e-3)  # Jmol's sodium
    assert (drawn.spheres[:, :3] >= -1e-4).all()
    assert (drawn.spheres[:, :3] < 5.64).all()
    assert len(drawn.lines) == 12
    assert np.linalg.norm(drawn.lines[:, 3:6] - drawn.lines[:, :3], axis=1) == pytest.approx(5.64)


@pytest.mark.parametrize(
    "atoms", [Atoms("Ar"), Atoms("Ar2", [[0, 0, 0], [0, 0, 4]]), Atoms("Ar2", [[0, 0, 0], [90, 0, 0]])]
)
def test_few_free_atoms_can_be_drawn(atoms):
    drawn = scene_from_atoms(atoms)
    assert len(drawn.spheres) == len(atoms)
    assert len(drawn.lines) == 0
    assert (drawn.spheres[:, 3] > 0).all()
    render(drawn, size=(64, 48), quality=FAST)


def test_pictures_stand_side_by_side():
    red, blue = Image.new("RGB", (100, 60), (255, 0, 0)), Image.new("RGB", (50, 60), (0, 0, 255))
    both = side_by_side([red, blue], ["start", "end"])
    assert both.width == 150
    assert both.height > 60
    assert both.getpixel((50, 30)) == (255, 0, 0)
    assert both.getpixel((125, 30)) == (0, 0, 255)
    strip = np.asarray(both)[60:]
    assert (strip[:, :100] < 128).any()
    assert (strip[:, 100:] < 128).any()


def test_picture_is_saved(tmp_path):
    picture = render(scene(sphere(0, 0, 0)), size=(64, 48), quality=FAST)
    save(picture, tmp_path / "new" / "a.png")
    assert Image.open(tmp_path / "new" / "a.png").size == (64, 48)
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "a.png", tmp_path / "a.nothing"):
        with pytest.raises(InputError, match="cannot save picture"):
            save(picture, path)


@pytest.mark.parametrize(
    ("scene", "options", "message"),
    [
        (Scene(), {}, "nothing to draw"),
        (scene(sphere(float("nan"), 0, 0)), {}, "spheres with values that are not finite"),
        (scene(lines=[[0, 0, 0, float("inf"), 0, 0, 0, 0, 0, 1]]), {}, "lines with values"),
        (scene(sphere(0, 0, 0, radius=0)), {}, "radius 0.0"),
        (scene(cylinders=[[0, 0, 0, 1, 0, 0, 0, *RED]]), {}, "cylinder has radius 0.0"),
        (scene(sphere(0, 0, 0)), {"threads": 0}, "threads is 0"),
        (scene(sphere(0, 0, 0)), {"size": (0, 100)}, "picture size"),
        (scene(sphere(0, 0, 0)), {"size": (100, 100000)}, "picture size"),
        (scene(sphere(0, 0, 0)), {"quality": dataclasses.replace(FAST, samples=0)}, "samples is 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(scene, options, message):
    with pytest.raises(InputError, match=message):
        render(scene, **options)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"towards": (0, 0, 1)}, "different directions"),
        ({"towards": (0, float("nan"), 1)}, "different directions"),
        ({"field_of_view": 180}, "field_of_view"),
        ({"margin": 1.0}, "margin"),
        ({"span": 0.0}, "span"),
        ({"target": (0, 0, float("inf"))}, "target"),
    ],
)
def test_impossible_camera_is_refused(values, message):
    with pytest.raises(InputError, match=message):
        Camera(**values)


@pytest.mark.parametrize("atoms", [Atoms(), Atoms("Ar", [[float("nan"), 0, 0]])])
def test_atoms_that_cannot_be_drawn_are_refused(atoms):
    with pytest.raises(InputError, match="cannot draw"):
        scene_from_atoms(atoms)


def test_pictures_that_do_not_fit_are_refused():
    picture = Image.new("RGB", (20, 20))
    for pictures, labels in (([], []), ([picture], []), ([picture, Image.new("RGB", (20, 21))], ["a", "b"])):
        with pytest.raises(InputError, match="pictures and"):
            side_by_side(pictures, labels)
