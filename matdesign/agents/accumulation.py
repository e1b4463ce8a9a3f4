"""Sums over the steps of a rollout in which each step discounts what came before it."""

from ctypes import c_int64, c_void_p

import torch
from torch import Tensor

from matdesign.native import LIBRARY

LIBRARY.accumulate.argtypes, LIBRARY.accumulate.restype = [*[c_int64] * 3, *[c_void_p] * 4], None


def accumulate(terms: Tensor, factors: Tensor, before: Tensor, *, backwards: bool) -> Tensor:
    """sums[t] = terms[t] + factors[t] * sums[t - 1].

    Args:
        terms: [steps, rows].
        factors: [steps, rows].
        before: [rows], stands for sums[-1].
        backwards: the last step comes first: sums[t] = terms[t] + factors[t] * sums[t + 1].

    Returns:
        sums [steps, rows].
    """
    sums = torch.empty_like(terms)
    if terms.device.type == "cpu" and terms.dtype == torch.float32:
        arrays = [array.to(torch.float32).contiguous() for array in (terms, factors, before)]
        addresses = (array.data_ptr() for array in (*arrays, sums))
        LIBRARY.accumulate(*terms.shape, backwards, *addresses)
        return sums
    steps = range(len(terms))
    for t in reversed(steps) if backwards else steps:
        torch.addcmul(terms[t], factors[t], before, out=sums[t])
        before = sums[t]
    return sums
