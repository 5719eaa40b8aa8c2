"""Rounding to a grid, so that sums are exact and do not depend on their order or on mirroring."""

from __future__ import annotations

from bottomup.grouping.compile import jit_inside

CELLS = 8192.0  # grid steps a cell: differences of positions are exact in float32 on maps of up to 2048 cells
SUMMANDS = 65536.0  # grid steps a unit of tags, log densities, squared distances
PUSH = 1.5 * 2.0**52  # added and taken away again it rounds to whole numbers, alike for both signs


@jit_inside
def on_grid(value: float, steps: float) -> float:
    """The nearest multiple of 1 / steps."""
    return ((value * steps + PUSH) - PUSH) / steps
