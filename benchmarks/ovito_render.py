"""Draws atoms with OVITO, in OVITO's own Python: one argument, a JSON request; a picture for each line it reads.

Prints the seconds of each picture; the first, in which it builds what it reuses, should not be counted.
"""

import json
import sys
import time

import numpy as np
from ovito.data import DataCollection, Particles
from ovito.pipeline import Pipeline, StaticSource
from ovito.vis import OpenGLRenderer, TachyonRenderer, Viewport


def main() -> None:
    """Draws until there are no more lines."""
    request = json.loads(sys.argv[1])
    atoms = np.load(request["atoms"])
    data = DataCollection()
    particles = Particles(count=len(atoms["positions"]))
    particles.create_property("Position", data=atoms["positions"])
    particles.create_property("Radius", data=atoms["radii"])
    particles.create_property("Color", data=atoms["colours"])
    data.objects.append(particles)
    Pipeline(source=StaticSource(data=data)).add_to_scene()
    renderer = {"opengl": OpenGLRenderer, "tachyon": TachyonRenderer}[request["renderer"]]()
    viewport = Viewport(type=Viewport.Type.Perspective, fov=np.radians(12.0))
    for picture, _ in enumerate(sys.stdin):
        angle = np.radians(-60 + 3 * picture)
        viewport.camera_dir = (-np.cos(angle), -np.sin(angle), -0.4)
        viewport.zoom_all(size=tuple(request["size"]))
        start = time.perf_counter()
        image = viewport.render_image(size=tuple(request["size"]), renderer=renderer)
        pixels = np.frombuffer(image.constBits(), np.uint8)
        seconds = time.perf_counter() - start
        assert pixels.std() > 0
        print(seconds, flush=True)


if __name__ == "__main__":
    main()
