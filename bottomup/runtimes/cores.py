"""How many cores this process may use."""

from __future__ import annotations

import os


def cores() -> int:
    """Cores of the process: what OMP_NUM_THREADS says, else those that it may run on."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdigit() and int(told) > 0:
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
