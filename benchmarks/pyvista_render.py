"""Draws atoms with PyVista, in PyVista's own Python: one argument, a JSON request; a picture for each line it reads.

Prints the seconds of each picture; the first, in which it builds what it reuses, should not be counted.
"""

import json
import sys
import time

import numpy as np
import pyvista


def main() -> None:
    """Draws until there are no more lines."""
    request = json.loads(sys.argv[1])
    atoms = np.load(request["atoms"])
    plotter = pyvista.Plotter(off_screen=True, window_size=request["size"])
    cloud = pyvista.PolyData(atoms["positions"])
    cloud["colours"] = (255 * atoms["colours"]).astype(np.uint8)
    if request["renderer"] == "glyphs":
        ball = pyvista.Sphere(radius=1.0, theta_resolution=24, phi_resolution=24)
        cloud["radius"] = atoms["radii"]
        mesh = cloud.glyph(geom=ball, scale="radius", orient=False)
        plotter.add_mesh(mesh, scalars="colours", rgb=True, smooth_shading=True, specular=0.4)
    else:
        actor = plotter.add_points(
            cloud, scalars="colours", rgb=True, style="points_gaussian", emissive=False, render_points_as_spheres=True
        )
        actor.mapper.scale_factor = float(atoms["radii"].mean())
    plotter.camera.view_angle = 12.0
    for picture, _ in enumerate(sys.stdin):
        angle = np.radians(-60 + 3 * picture)
        plotter.view_vector((np.cos(angle), np.sin(angle), 0.4), viewup=(0, 0, 1))
        start = time.perf_counter()
        plotter.render()
        pixels = plotter.screenshot(return_img=True)
        seconds = time.perf_counter() - start
        assert pixels.std() > 0
        print(seconds, flush=True)


if __name__ == "__main__":
    main()
