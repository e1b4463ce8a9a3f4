"""How much light a point of a surface sends to the eye."""

import numpy as np

from matdesign.render.camera import Floats

# Directions to the lights in the camera's frame (x right, y up, z to the eye), of length one.
KEY = np.array([-0.4802, 0.6202, 0.6202], np.float32)
FILL = np.array([0.7519, 0.1003, 0.6516], np.float32)
KEY_STRENGTH, FILL_STRENGTH, SKY, GROUND = 0.78, 0.24, 0.42, 0.22
GLOSS, SHARPNESS, RIM = 0.35, 50, 0.05
SOFTNESS = 2.5  # of shadows: larger is sharper


def shade(
    points: Floats, normals: Floats, directions: Floats, colour: Floats, centres: Floats, radii: Floats
) -> Floats:
    """Light [n, 3] from points of a surface of one colour, in the camera's frame.

    A key light with soft shadows, a fill light, a sky brighter than the ground, a highlight (Blinn 1977) and a bright
    rim. Spheres nearby hide the sky, each the part of it that it covers as seen from the point: cos(theta) r^2 / d^2.

    Args:
        points: [n, 3].
        normals: of length one, [n, 3].
        directions: from the eye, [n, 3].
        colour: of the surface, linear, [3].
        centres: of spheres nearby, [k, 3].
        radii: of these, [k].
    """
    points, normals, directions, colour, centres, radii = (
        np.asarray(array, np.float32) for array in (points, normals, directions, colour, centres, radii)
    )
    open_sky, lit = np.ones((2, len(points)), np.float32)
    for centre, radius in zip(centres, radii, strict=True):
        to = centre - points
        distance = np.sqrt((to**2).sum(axis=1))
        cosine = (to * normals).sum(axis=1) / distance
        open_sky *= 1 - np.clip(cosine, 0, 1) * np.minimum((radius / distance) ** 2, 1)
        ahead = to @ KEY  # where the ray to the light passes the sphere, and at what distance from its surface
        gap = np.sqrt(np.maximum(distance**2 - ahead**2, 0)) - radius
        shadow = np.clip(0.5 + SOFTNESS * gap / np.maximum(ahead, 1e-6), 0, 1)
        lit *= np.where(ahead > 0, shadow**2 * (3 - 2 * shadow), 1)
    eye = -directions / np.linalg.norm(directions, axis=1, keepdims=True)
    key = np.clip(normals @ KEY, 0, 1) * lit
    fill = np.clip(normals @ FILL, 0, 1) * (0.4 + 0.6 * open_sky)
    ambient = (GROUND + (SKY - GROUND) * (0.5 + 0.5 * normals[:, 1])) * open_sky
    half = eye + KEY
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    highlight = GLOSS * np.clip((normals * half).sum(axis=1), 0, 1) ** SHARPNESS * lit
    rim = RIM * (1 - np.clip((normals * eye).sum(axis=1), 0, 1)) ** 3 * open_sky
    diffuse = KEY_STRENGTH * key + FILL_STRENGTH * fill + ambient
    lit_colour: Floats = diffuse[:, None] * colour + (highlight + rim)[:, None]
    return lit_colour
