"""Atoms in pictures: bonds, scalars and their colour bar, slices, axes, cameras that orbit or look down the lattice."""

import dataclasses

import matplotlib
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from matdesign.errors import InputError
from matdesign.render.atoms import Bonds, Slice, scene_from_atoms, touching_radii
from matdesign.render.camera import Camera, View, natural_camera
from matdesign.render.colours import UNKNOWN, Scalar, by_species
from matdesign.render.image import render
from matdesign.render.overlay import legend_width, ticks
from matdesign.render.shading import FAST, FINE
from matdesign.scene import Scene

SILICON = bulk("Si", "diamond", a=5.43, cubic=True)
DIMER = Atoms("CO", [[0, 0, 0], [1.13, 0, 0]])


def test_half_bonds_meet_and_end_at_the_cell():
    drawn = scene_from_atoms(SILICON, bonds=Bonds())
    ends = drawn.cylinders[:, :6].reshape(-1, 2, 3)
    assert len(ends) == 8 * 4  # four neighbours each
    assert np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1) == pytest.approx(5.43 * 3**0.5 / 8, rel=1e-5)
    met = sum(np.linalg.norm(ends[:, 1] - end, axis=1).min(initial=9, where=np.arange(32) != i) < 1e-4 for i, end in
              enumerate(ends[:, 1]))  # fmt: skip
    inside = (SILICON.get_all_distances() < 2.4).sum() - len(SILICON)
    assert met == inside > 0
    assert met < 32  # the others are stubs across the boundary


def test_bonds_have_the_colours_of_their_atoms():
    drawn = scene_from_atoms(DIMER, bonds=Bonds(radius=0.1))
    assert drawn.cylinders[:, 6] == pytest.approx(0.1)
    assert drawn.cylinders[0, 7:10] == pytest.approx(drawn.spheres[0, 4:7])
    assert drawn.cylinders[1, 7:10] == pytest.approx([1, 0.051, 0.051], abs=1e-3)  # Jmol's oxygen
    assert drawn.cylinders[0, 3:6] == pytest.approx([0.565, 0, 0])
    assert len(scene_from_atoms(DIMER, bonds=Bonds(cutoff=1.1)).cylinders) == 0
    assert len(scene_from_atoms(DIMER, bonds=Bonds(cutoff=1.2)).cylinders) == 2


def test_scalar_gives_colours_of_the_map():
    atoms = Atoms("Ar5", np.arange(15).reshape(5, 3))
    atoms.set_array("q6", np.array([0.1, 0.2, 0.3, np.nan, 0.9]))
    drawn = scene_from_atoms(atoms, colour=Scalar(values="q6", colours="cividis", low=0.1, high=0.3, unit="1"))
    colours, cividis = drawn.spheres[:, 4:7], matplotlib.colormaps["cividis"]
    assert colours[0] == pytest.approx(cividis(0.0)[:3], abs=1e-6)
    assert colours[1] == pytest.approx(cividis(0.5)[:3], abs=0.01)
    assert colours[2] == pytest.approx(cividis(1.0)[:3], abs=1e-6)
    assert colours[3] == pytest.approx(UNKNOWN)
    assert colours[4] == pytest.approx(colours[2])
    bar = drawn.legend.colour_bar
    assert (bar.low, bar.high, bar.label) == (0.1, 0.3, "q6 (1)")
    assert scene_from_atoms(atoms, colour=Scalar(values="q6"), legend=False).legend.colour_bar is None
    assert scene_from_atoms(atoms, colour=Scalar(values="q6")).legend.colour_bar.high == 0.9


def test_equal_scalars_lie_in_the_middle():
    drawn = scene_from_atoms(DIMER, colour=Scalar(values=np.array([3, 3])))
    assert (drawn.legend.colour_bar.low, drawn.legend.colour_bar.high) == (2.5, 3.5)
    assert drawn.spheres[:, 4:7] == pytest.approx(np.array([matplotlib.colormaps["viridis"](0.5)[:3]] * 2), abs=0.01)


def test_colour_bar_runs_from_low_to_high():
    drawn = scene_from_atoms(DIMER, colour=Scalar(values=np.array([0.0, 1.0]), label="charge", unit="e"))
    picture = render(drawn, size=(400, 300), quality=FAST)
    assert picture.size == (400, 300)
    left = 400 - legend_width(drawn.legend, 300)
    strip = np.asarray(picture)[:, left + 4].astype(float) / 255
    viridis = np.array(matplotlib.colormaps["viridis"].colors)
    nearest = np.abs(strip[:, None] - viridis).max(axis=2)
    rows = np.flatnonzero(nearest.min(axis=1) < 0.01)
    values = nearest.argmin(axis=1)[rows[5:-5]] / 255
    assert len(rows) > 200
    assert (np.diff(values) <= 0).all()  # the greatest on top
    assert values[0] > 0.95
    assert values[-1] < 0.05


def test_ticks_are_round():
    assert ticks(0, 1) == pytest.approx([0, 0.5, 1])
    assert ticks(39.9, 83.8) == pytest.approx([40, 60, 80])
    assert ticks(-0.32, 0.11) == pytest.approx([-0.3, -0.2, -0.1, 0, 0.1])
    rng = np.random.default_rng(0)
    for low, width in zip(rng.normal(size=50), 10 ** rng.uniform(-6, 6, 50), strict=True):
        found = ticks(low, low + width)
        assert 3 <= len(found) <= 11
        assert low - 1e-6 * width <= found[0] < found[-1] <= low + width * (1 + 1e-6)


def test_several_species_are_named():
    names = dict(scene_from_atoms(DIMER).legend.names)
    assert list(names) == ["C", "O"]
    assert names["O"] == pytest.approx((1, 0.051, 0.051), abs=1e-3)
    assert scene_from_atoms(SILICON).legend.names == ()


@pytest.mark.parametrize(
    ("normal", "low", "high", "count"), [("z", -0.1, 0.1, 2), ("x", 1.3, 9, 6), ((1, 1, 1), -1, 1, 1)]
)
def test_slice_keeps_what_is_between_its_planes(normal, low, high, count):
    drawn = scene_from_atoms(SILICON, slices=[Slice(normal=normal, low=low, high=high)], bonds=Bonds())
    assert len(drawn.spheres) == count
    direction = np.eye(3)["xyz".index(normal)] if isinstance(normal, str) else np.array(normal) / 3**0.5
    height = drawn.spheres[:, :3] @ direction
    assert (height >= low).all()
    assert (height <= high).all()
    starts = {tuple(row) for row in drawn.cylinders[:, :3]}
    assert starts <= {tuple(row) for row in drawn.spheres[:, :3]}  # no bond from what is not shown


def test_given_radii_are_used():
    radii = 0.9 * touching_radii(SILICON)
    moved = SILICON.copy()
    moved.positions[0] += 0.5
    assert scene_from_atoms(moved, radii=radii).spheres[:, 3] == pytest.approx(radii)


def test_triad_is_drawn_as_the_camera_sees_it():
    plain, triad = scene_from_atoms(DIMER, legend=False), scene_from_atoms(DIMER, legend=False, axes="xyz")
    camera = Camera(towards=(0, 0, 1), up=(0, 1, 0), field_of_view=0)
    pictures = [np.asarray(render(each, size=(400, 400), camera=camera, quality=FAST)) for each in (plain, triad)]
    rows, columns = np.nonzero((pictures[0] != pictures[1]).any(axis=2))
    assert columns.max() < 120
    assert rows.min() > 280
    x = (np.abs(pictures[1].astype(int) - (213, 94, 0)).max(axis=2) < 30) & (pictures[0] != pictures[1]).any(axis=2)
    y = (np.abs(pictures[1].astype(int) - (0, 158, 115)).max(axis=2) < 30) & (pictures[0] != pictures[1]).any(axis=2)
    assert np.nonzero(x)[1].mean() > np.nonzero(y)[1].mean() + 5
    assert np.nonzero(y)[0].mean() < np.nonzero(x)[0].mean() - 5


def test_picture_does_not_depend_on_threads():
    drawn = scene_from_atoms(SILICON * (2, 2, 2), bonds=Bonds(), axes="abc")
    drawn.spheres[:5, 7] = 0.5
    pictures = {render(drawn, size=(320, 240), quality=FAST, threads=threads).tobytes() for threads in (1, 2, 3, 8)}
    assert len(pictures) == 1


def test_fast_and_fine_light_is_the_same():
    drawn = scene_from_atoms(SILICON * (2, 2, 2))
    pictures = [
        np.asarray(render(drawn, size=(240, 180), quality=dataclasses.replace(each, samples=4))) / 255
        for each in (FAST, FINE)
    ]
    assert np.abs(pictures[0] - pictures[1]).mean() < 0.01
    assert pictures[0].mean() == pytest.approx(pictures[1].mean(), abs=0.002)


def test_depth_of_a_crystal_is_darker():
    """A sphere at the bottom of a pit sees less of the sky than one on the rim."""
    grid = np.array([[x, y, z] for x in range(-3, 4) for y in range(-3, 4) for z in range(3) if z == 0 or x or y])
    spheres = np.ones((len(grid), 8), np.float32)
    spheres[:, :3], spheres[:, 3] = grid, 0.5
    camera = Camera(towards=(0, 0, 1), up=(0, 1, 0), field_of_view=0, margin=0, target=(0, 0, 0), span=6)
    picture = np.asarray(render(Scene(spheres=spheres), size=(240, 240), camera=camera, depth_cue=0, quality=FAST))
    assert picture[120, 120].mean() < 0.75 * picture[120, 160].mean()


def test_orbit_and_lattice_directions():
    assert Camera.orbit(0, 0).towards == pytest.approx((1, 0, 0))
    assert Camera.orbit(90, 30).towards == pytest.approx((0, 0.75**0.5, 0.5))
    assert Camera.orbit(0, 90).up == pytest.approx((-1, 0, 0), abs=1e-12)
    cell = np.array([[3.0, 0, 0], [-1.5, 2.6, 0], [0, 0, 5.0]])
    camera = Camera.along((1, 1, 0), cell, field_of_view=0)
    view = View(camera, scene_from_atoms(DIMER), 100, 100)
    assert view.axes @ (cell[0] + cell[1]) == pytest.approx([0, 0, np.linalg.norm(cell[0] + cell[1])])
    assert (view.axes @ cell[2])[1] == pytest.approx(5)
    assert (View(Camera.along((0, 0, 1), cell), scene_from_atoms(DIMER), 9, 9).axes @ cell[1])[0] == pytest.approx(0)


def test_boards_are_seen_from_above():
    board = Scene(boxes=np.array([[5, 5, 0, 10, 10, 1, 0, 0, 0, 1]], np.float32))
    assert natural_camera(board).towards == (0, 0, 1)
    assert natural_camera(scene_from_atoms(SILICON)) == Camera()


@pytest.mark.parametrize(
    ("atoms", "options", "message"),
    [
        (Atoms("X", [[0, 0, 0]]), {}, "no known species"),
        (Atoms(numbers=[115], positions=[[0, 0, 0]]), {}, "atomic number 115"),
        (DIMER, {"colour": Scalar(values="charge")}, "no array 'charge'.*numbers"),
        (DIMER, {"colour": Scalar(values="positions")}, r"shape \(2, 3\)"),
        (DIMER, {"colour": Scalar(values=np.ones(3))}, r"shape \(3,\)"),
        (DIMER, {"colour": Scalar(values=np.ones(2), colours="sunset")}, "no colour map 'sunset'"),
        (DIMER, {"colour": Scalar(values=np.ones(2), low=3, high=1)}, "from 3 to 1"),
        (DIMER, {"slices": [Slice(normal="w")]}, "normal to 'w'"),
        (DIMER, {"slices": [Slice(normal=(1, 1, 1))]}, "Miller"),
        (DIMER, {"slices": [Slice(normal="x", low=5)]}, "none of the 2 atoms"),
        (DIMER, {"slices": [Slice(normal="x", low=5, high=1)]}, "from 5 to 1"),
        (DIMER, {"axes": "abc"}, "axes 'abc'"),
        (DIMER, {"radii": np.ones(3)}, "radii of shape"),
        (DIMER, {"radii": np.zeros(2)}, "must be positive"),
    ],
)
def test_what_makes_no_sense_is_refused(atoms, options, message):
    with pytest.raises(InputError, match=message):
        scene_from_atoms(atoms, **options)


def test_impossible_bonds_cameras_and_legends_are_refused():
    with pytest.raises(InputError, match="cutoff is -1"):
        Bonds(cutoff=-1)
    with pytest.raises(InputError, match="all 0"):
        Camera.along((0, 0, 0), np.eye(3))
    with pytest.raises(InputError, match="azimuth"):
        Camera.orbit(float("nan"), 0)
    with pytest.raises(InputError, match="no room"):
        render(scene_from_atoms(DIMER, colour=Scalar(values=np.arange(2), label="a long label")), size=(60, 60))


def test_species_of_like_colours_are_told_apart():
    colours, legend = by_species(Atoms("ArKrAr", positions=np.eye(3)))
    assert np.linalg.norm(colours[0] - colours[1]) >= 0.3
    assert colours[0] == pytest.approx([0.502, 0.820, 0.890], abs=1e-3)  # Jmol's argon
    assert (colours[0] == colours[2]).all()
    assert [name for name, _ in legend.names] == ["Ar", "Kr"]
