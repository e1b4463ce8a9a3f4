"""What may be chosen: which species sits where, or where the atoms are. Each is a `Space` with the same methods."""

from matdesign.design.spaces.arrangements import Arrangements
from matdesign.design.spaces.decorations import Decorations, layers
from matdesign.design.spaces.space import Design, Space

__all__ = ["Arrangements", "Decorations", "Design", "Space", "layers"]
