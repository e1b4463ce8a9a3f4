"""Pictures of a run's result."""

from pathlib import Path

from ase import Atoms

from matdesign.design.assembly import setting
from matdesign.design.export import BEST, EXPORTS, best_structure
from matdesign.design.multistart import random_cloud
from matdesign.render.atoms import scene_from_atoms
from matdesign.render.camera import Camera
from matdesign.render.image import render, save, side_by_side
from matdesign.sections import Config


def draw_search(config: Config, structure: Atoms, path: Path) -> Path:
    """Draws a random cloud as the episodes start, and beside it the structure that was found; returns `path`."""
    start = structure.copy()
    size = (config.render.width // 2, config.render.height)
    density, apart = setting(config, "start_density"), setting(config, "start_distance")
    cloud = random_cloud(config.seed, len(structure), density=density, apart=apart)
    start.positions = cloud * config.material.length_scale
    start.positions -= start.positions.mean(axis=0)
    scenes = [scene_from_atoms(start), scene_from_atoms(structure, fill=1.0)]
    scenes[0].spheres[:, 3] = scenes[1].spheres[:, 3]  # the same atoms: the same size, seen from the same distance
    reach = max(abs(scene.spheres[:, :3]).max() + scene.spheres[:, 3].max() for scene in scenes)
    camera = Camera(target=(0.0, 0.0, 0.0), span=2.2 * float(reach))
    images = [render(scene, size=size, camera=camera) for scene in scenes]
    save(side_by_side(images, ["random start", "what was found"]), path)
    return path


def render_run(folder: Path, output: Path | None) -> Path:
    """Draws the best structure of a run alone; returns the picture's path.

    Args:
        folder: a finished run of `matdesign design`.
        output: a picture file, its format by its suffix; None writes exports/best-structure.png into the run.

    Raises:
        InputError: the run has no structure yet, or the picture cannot be written.
    """
    path = output or folder / EXPORTS / f"{BEST}-structure.png"
    save(render(scene_from_atoms(best_structure(folder))), path)
    return path
