"""Draws pictures of the documentation into docs/images.

python docs/figures.py design RUN NAME     a random arrangement and the best candidate of a `matdesign design`
python docs/figures.py rollout RUN NAME [KEY=VALUE ...]
                                           the first and the last frame of a flight of a `matdesign train`, as set
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from matdesign import load
from matdesign.config import load_stored
from matdesign.design.assembly import make_policy, open_vector
from matdesign.design.rollout import rollout as flight
from matdesign.design.training import trained_policy
from matdesign.render.atoms import scene_from_atoms, touching_radii
from matdesign.render.camera import Camera, natural_camera
from matdesign.render.image import render, save, side_by_side
from matdesign.render.shading import FINE

IMAGES = Path(__file__).parent / "images"
SIZE = (640, 400)  # of each half
FRAMES = 400


def design(run: Path) -> Image.Image:
    """What random placing gives, beside what was found."""
    results = load(run)
    reference = next(each for each in results.references if each.name.startswith(("random", "quench")))
    value, error = results.best.value()
    before, before_error = reference.value()
    radii = touching_radii(results.best.atoms)
    scenes = [scene_from_atoms(each.atoms, radii=radii, legend=False) for each in (reference, results.best)]
    camera = Camera() if results.best.atoms.pbc.any() else Camera(span=2.2 * max(_reach(scene) for scene in scenes))
    images = [render(scene, size=SIZE, camera=camera, quality=FINE) for scene in scenes]
    unit = results.outcome["targets"][0]["verified_unit"]
    said = [f"{reference.name}: {before:.3f} +- {before_error:.3f} {unit}", f"found: {value:.3f} +- {error:.3f} {unit}"]
    return side_by_side(images, said)


def rollout(run: Path, settings: Sequence[str]) -> Image.Image:
    """Where a flight begins and ends."""
    config = load_stored(run / "config.yaml", [*settings, "env.envs=1"])
    with open_vector(config, own_memory=True) as vector:
        policy = trained_policy(run, make_policy(config, vector))
        scenes = [scene for scene, _ in flight(vector, policy, seed=config.evaluation.seed, frames=FRAMES)]
    scenes = [scenes[0], scenes[-1]]
    camera = natural_camera(scenes[1])
    return side_by_side([render(scene, size=SIZE, camera=camera, quality=FINE) for scene in scenes], ["start", "end"])


def _reach(scene) -> float:
    return float(abs(scene.spheres[:, :3]).max() + scene.spheres[:, 3].max())


def main() -> None:
    """Draws one picture."""
    if len(sys.argv) < 4 or sys.argv[1] not in ("design", "rollout"):
        sys.exit(__doc__)
    kind, run, name, *settings = sys.argv[1:]
    path = IMAGES / f"{name}.png"
    save(design(Path(run)) if kind == "design" else rollout(Path(run), settings), path)
    print(path)


if __name__ == "__main__":
    main()
