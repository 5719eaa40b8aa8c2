"""Learning rate and phase of every training step."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bottomup.training.config import Optimiser, Phase


def rate_factor(step: int, steps: int, settings: Optimiser) -> float:
    """Factor on the learning rate: linear warm-up, then half a cosine down to `settings.last`."""
    if step < settings.warmup:
        return (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(1, steps - settings.warmup)
    return settings.last + (1 - settings.last) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def batch_factor(phase: Phase, settings: Optimiser) -> float:
    """Factor on the learning rate for the phase's batch. Source: Goyal et al., "Large Minibatch SGD" (2017)."""
    return phase.batch / settings.batch if settings.batch else 1.0


def phase_bounds(phases: Sequence[Phase], steps: int) -> list[tuple[int, int]]:
    """First step and the step after the last of every phase; together they cover 0 .. steps."""
    total, shares = sum(p.share for p in phases), 0.0
    edges = [0]
    for phase in phases:
        shares += phase.share
        edges.append(round(steps * shares / total))
    return list(zip(edges[:-1], edges[1:], strict=True))
