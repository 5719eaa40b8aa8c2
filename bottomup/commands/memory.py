"""Memory that is freed and asked for again at once, as activations are, kept by the process in between.

glibc gives large blocks back to the system when they are freed, and every page of the next one is faulted in and
cleared anew: a tenth of the time of a training step on a CPU, whose activations have 75 MB each.
"""

from __future__ import annotations

import ctypes
import platform

TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4  # names of mallopt(3)
PAD = 256 * 2**20  # bytes that the heap grows by at a time


def keep_freed_memory() -> bool:
    """Has this process keep freed memory for its next allocations; whether it could, which needs glibc.

    The process then holds what it once needed at most. It goes for the main thread, which trains; threads with heaps
    of their own go on as before.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all([mallopt(MMAP_MAX, 0), mallopt(TRIM_THRESHOLD, -1), mallopt(TOP_PAD, PAD)])
