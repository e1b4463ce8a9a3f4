"""Draws the pictures of the documentation into docs/images, from a run of the default job.

python docs/figures.py RUN    # the folder of a finished `matdesign design`
"""

import sys
from pathlib import Path

from matdesign.config import load_stored
from matdesign.design.export import best_structure
from matdesign.design.picture import draw_search

IMAGES = Path(__file__).parent / "images"


def main() -> None:
    """Draws every picture."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    run = Path(sys.argv[1])
    IMAGES.mkdir(exist_ok=True)
    config = load_stored(run / "config.yaml", ["render.width=1000", "render.height=420"])
    print(draw_search(config, best_structure(run), IMAGES / "lj13.png"))


if __name__ == "__main__":
    main()
