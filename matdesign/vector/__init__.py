"""Many environments of one kind in flat shared buffers, stepped by one C call or in worker processes."""

from matdesign.vector.batch import Batch
from matdesign.vector.vector import Vector

__all__ = ["Batch", "Vector"]
