"""Draws the picture that the drone swarm's task flag shows: a disc on three stripes.

python docs/flag.py
"""

import numpy as np
from PIL import Image

from matdesign.envs.drones import FLAG

STRIPES = [(32, 96, 176), (240, 240, 240), (208, 64, 48)]
DISC = (240, 192, 48)

if __name__ == "__main__":
    height, width = 48, 72
    y, x = np.mgrid[:height, :width]
    pixels = np.array(STRIPES, np.uint8)[y * len(STRIPES) // height]
    pixels[np.hypot(x - (width - 1) / 2, y - (height - 1) / 2) < height / 4] = DISC
    Image.fromarray(pixels).save(FLAG, optimize=True)
    print(FLAG)
