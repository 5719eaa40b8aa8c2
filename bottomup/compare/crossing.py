"""Time against the number of people in the picture, and where one system becomes faster than another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Line:
    """seconds = alone + each * people, by least squares; of each the 95 % interval, by bootstrap over pictures."""

    alone: float
    each: float
    alone_interval: tuple[float, float]
    each_interval: tuple[float, float]


@dataclass(frozen=True)
class Crossing:
    """At how many people in the picture `faster` (of the steeper line `slower`) becomes the faster system.

    people: where the two lines meet, None where they are parallel. interval: 95 %, by bootstrap over pictures;
    an end is None where it is unbounded. share: of the draws in which `faster` does have the flatter line.
    """

    faster: str
    slower: str
    people: float | None
    interval: tuple[float | None, float | None]
    share: float


def fit_line(people: np.ndarray, seconds: np.ndarray, *, draws: int = 2000, seed: int = 0) -> Line | None:
    """The line through times (I,) over numbers of people (I,); None where these are all equal."""
    if not np.ptp(people):
        return None
    alone, each = _lines(people, seconds[None], np.ones((1, len(people))))[0, 0]
    random = np.random.default_rng(seed)
    drawn = _lines(people, seconds[None], _weights(random, len(people), draws))[:, 0]
    low, high = np.nanquantile(drawn, [0.025, 0.975], axis=0)
    return Line(float(alone), float(each), (float(low[0]), float(high[0])), (float(low[1]), float(high[1])))


def find_crossing(
    names: tuple[str, str],
    people: np.ndarray,
    seconds: tuple[np.ndarray, np.ndarray],
    *,
    draws: int = 2000,
    seed: int = 0,
) -> Crossing:
    """Where the lines of two systems, timed on the same pictures, meet. people and seconds: (I,)."""
    both = np.stack(seconds)
    (first, second) = _lines(people, both, np.ones((1, len(people))))[0]
    flat, steep = (0, 1) if first[1] <= second[1] else (1, 0)
    drawn = _lines(people, both, _weights(np.random.default_rng(seed), len(people), draws))
    drawn = drawn[np.isfinite(drawn).all(axis=(1, 2))]
    gain = drawn[:, steep, 1] - drawn[:, flat, 1]  # seconds saved a person more
    head_start = drawn[:, flat, 0] - drawn[:, steep, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        meet = np.where(gain > 0, head_start / gain, np.where(head_start > 0, np.inf, -np.inf))
    ends = np.quantile(meet, [0.025, 0.975], method="nearest") if len(meet) else (-np.inf, np.inf)
    lines = (first, second)
    slope = lines[steep][1] - lines[flat][1]
    where = (lines[flat][0] - lines[steep][0]) / slope if slope > 0 else None
    low, high = (float(end) if np.isfinite(end) else None for end in ends)
    share = float((gain > 0).mean()) if len(gain) else 0.0
    return Crossing(names[flat], names[steep], None if where is None else float(where), (low, high), share)


def _weights(random: np.random.Generator, pictures: int, draws: int) -> np.ndarray:
    """(draws, pictures): how often each picture was drawn."""
    return random.multinomial(pictures, np.full(pictures, 1 / pictures), size=draws).astype(float)


def _lines(people: np.ndarray, seconds: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted least squares: (draws, S, 2) of seconds at nobody and seconds a person; seconds (S, I).

    nan where all pictures drawn have equally many people.
    """
    count = people.astype(float)
    total = weights.sum(axis=1)[:, None]
    mean_x = weights @ count[:, None] / total
    mean_y = weights @ seconds.T / total
    spread = weights @ (count**2)[:, None] / total - mean_x**2
    shared = weights @ (count[:, None] * seconds.T) / total - mean_x * mean_y
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(spread > 1e-12, shared / spread, np.nan)
    return np.stack([mean_y - each * mean_x, each], axis=-1)
