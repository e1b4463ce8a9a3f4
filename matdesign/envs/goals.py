"""Goals that people may drag: which of the spheres drawn they are, and putting them elsewhere."""

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from matdesign.native import LIBRARY

if TYPE_CHECKING:
    from matdesign.vector import Vector

_POINT = np.ctypeslib.ndpointer(np.float64, shape=(3,), flags="C")
_MOVERS = {"atoms": LIBRARY.atoms_move_goal, "drone_swarm": LIBRARY.drone_swarm_move_target}
for _move in _MOVERS.values():
    _move.argtypes = (ctypes.c_void_p, ctypes.c_int, _POINT)
# Spheres that an agent with a goal is drawn by, the goal last.
SPHERES = {"atoms": 2, "drone_swarm": 6}


def move_goal(vector: "Vector", index: int, agent: int, point: Sequence[float]) -> None:
    """Put the goal of an agent of environment `index` elsewhere; its reward does not count the move.

    Args:
        vector: environments whose name is in SPHERES; atoms without goals stay as they are.
        index: of the environment.
        agent: whose goal; with a common goal, that of all.
        point: as drawn.
    """
    _MOVERS[vector.environment.name](vector.pointer(index), agent, np.array(point, np.float64))
