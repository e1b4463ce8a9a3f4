"""How a process that learns uses its processor and its memory."""

import ctypes

import torch

# Of mallopt, in glibc's malloc.h.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
LARGEST_MMAP_THRESHOLD = 32 << 20  # bytes; glibc takes no more


def prepare_processor() -> None:
    """Makes learning on the CPU faster in this process and changes no result but by rounding; call it again at will.

    Freed memory is kept: microbatches allocate the same megabytes again and again, and to take pages from the kernel
    anew costs as much as to compute what is written there. (glibc only.)

    Products of float32 matrices are oneDNN's in place of MKL's, which leaves half of a processor with AVX-512 idle that
    is not Intel's. Torch has no other name for this than to allow bfloat16; without AMX oneDNN makes no use of the
    permission, and with AMX it is not given.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(TRIM_THRESHOLD, 2**31 - 1)
        mallopt(MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD)
    features = torch.cpu.get_capabilities()
    if features.get("avx512_f") and not features.get("amx_tile"):
        torch.backends.mkldnn.matmul.fp32_precision = "bf16"  # type: ignore[attr-defined]  # torch hides it
