"""Many environments of one kind in flat shared buffers, stepped by one C call."""

from matdesign.vector.vector import Vector

__all__ = ["Vector"]
