"""Copies between the environments' memory and the device of the policy."""

import torch
from torch import Tensor


class Staging:
    """Rows of one array of the environments, on their way to the policy's device or back.

    On the CPU nothing is copied. On a GPU two page-locked buffers take turns, so that a copy to the device goes on
    while the environments already write the next rows; only an action has to be waited for.

    Args:
        array: the environments' own memory, [rows, ...].
        device: of the policy.
    """

    def __init__(self, array: Tensor, device: torch.device) -> None:
        self._array, self._device = array, device
        self._turn = 0
        self._pinned: list[Tensor] = []
        if device.type == "cuda":
            self._pinned = [torch.empty_like(array, pin_memory=True) for _ in range(2)]
            self._copied = [torch.cuda.Event() for _ in range(2)]  # type: ignore[no-untyped-call]  # torch's

    def to_device(self, rows: slice) -> Tensor:
        """These rows on the device; on the CPU the environments' own memory."""
        if not self._pinned:
            return self._array[rows]
        staged, copied = self._next(rows)
        staged.copy_(self._array[rows])
        moved = staged.to(self._device, non_blocking=True)
        copied.record()
        return moved

    def to_environments(self, rows: slice, values: Tensor) -> None:
        """Writes `values` into these rows of the environments; returns when they are there."""
        if not self._pinned:
            self._array[rows].copy_(values)
            return
        staged, copied = self._next(rows)
        staged.copy_(values, non_blocking=True)
        copied.record()
        copied.synchronize()
        self._array[rows].copy_(staged)

    def _next(self, rows: slice) -> tuple[Tensor, torch.cuda.Event]:
        self._turn ^= 1
        self._copied[self._turn].synchronize()  # of the last copy but one: long done
        return self._pinned[self._turn][rows], self._copied[self._turn]
