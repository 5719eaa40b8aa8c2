"""Plots as inline SVG: colours and text follow the page's variables, so that one drawing serves light and dark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH, HEIGHT = 360, 250
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 10, 40
DASHES = ("", "6 3", "2 3", "9 3 2 3")  # systems differ in more than colour
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axes:
    """The frame of a plot: what is at its ends, in data units, and what the axes are called."""

    x: tuple[float, float]
    y: tuple[float, float]
    x_name: str
    y_name: str
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Data units -> SVG units."""
        across = (x - self.x[0]) / ((self.x[1] - self.x[0]) or 1)
        up = (y - self.y[0]) / ((self.y[1] - self.y[0]) or 1)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    def drawn(self) -> str:
        """Grid, ticks and names."""
        parts = [f'<line class="axis" {_ends(self.place(self.x[0], self.y[0]), self.place(self.x[1], self.y[0]))}/>']
        for value, text in self.y_ticks:
            start, end = self.place(self.x[0], value), self.place(self.x[1], value)
            parts.append(f'<line class="grid" {_ends(start, end)}/>')
            parts.append(_text(start[0] - 5, start[1] + 4, text, "end"))
        for value, text in self.x_ticks:
            x, y = self.place(value, self.y[0])
            parts.append(_text(x, y + 15, text))
        middle = (HEIGHT - BOTTOM + TOP) / 2
        parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, self.x_name, kind="name"))
        parts.append(_text(11, middle, self.y_name, kind="name", turn=f"rotate(-90 11 {middle:g})"))
        return "".join(parts)


def bar_plot(
    title: str,
    groups: Sequence[str],
    values: Sequence[Sequence[float | None]],
    x_name: str,
    y_name: str = "AP",
) -> str:
    """Bars of 0..1: `values` holds a row a system with a value a group; None leaves a gap."""
    axes = Axes(
        (0, len(groups)), (0, 1), x_name, y_name,
        tuple((i + 0.5, name) for i, name in enumerate(groups)), _fractions(),
    )  # fmt: skip
    width = 0.8 / max(len(values), 1)
    bars = []
    for s, row in enumerate(values):
        for i, value in enumerate(row):
            if value is None:
                continue
            left, top = axes.place(i + 0.1 + s * width, max(value, 0))
            right, floor = axes.place(i + 0.1 + (s + 1) * width, 0)
            size = f'width="{max(right - left - 1, 1):.1f}" height="{floor - top:.1f}"'
            bars.append(f'<rect class="fill s{s}" x="{left:.1f}" y="{top:.1f}" {size}/>')
    return _svg(title, axes.drawn() + "".join(bars))


def curve_plot(title: str, curves: Sequence[Points], x_name: str, y_name: str) -> str:
    """Curves of 0..1 over 0..1, one a system."""
    axes = Axes((0, 1), (0, 1), x_name, y_name, _fractions(), _fractions())
    return _svg(title, axes.drawn() + "".join(_path(axes, points, s) for s, points in enumerate(curves)))


def scatter_plot(
    title: str, points: Sequence[Points | None], lines: Sequence[Callable[[float], float] | None], x_name: str,
    y_name: str,
) -> str:  # fmt: skip
    """Dots and a fitted line for each system; None for a system without them."""
    spots = [spot for row in points if row is not None for spot in row]
    right = max([x for x, _ in spots], default=1.0)
    top = (
        float(np.quantile([y for _, y in spots], 0.98)) * 1.15 if spots else 1.0
    )  # a few outliers do not set the scale
    axes = Axes((0, right * 1.02), (0, top), x_name, y_name, _round_ticks(right), _round_ticks(top))
    drawn = []
    for s, (row, line) in enumerate(zip(points, lines, strict=True)):
        if row is None:
            continue
        for x, y in row:
            across, down = axes.place(x, min(y, top))
            drawn.append(f'<circle class="fill s{s} dot" cx="{across:.1f}" cy="{down:.1f}" r="2.4"/>')
        if line is not None:
            ends = [(x, min(max(line(x), 0), top)) for x in np.linspace(0, right, 40)]
            drawn.append(_path(axes, ends, s))
    return _svg(title, axes.drawn() + "".join(drawn))


def share_bars(title: str, names: Sequence[str], parts: Sequence[Sequence[float]]) -> str:
    """One lying bar a system, cut into parts (a row of lengths each), in the order of the colours e0, e1 ..."""
    row, top = 40, 4
    longest = max([sum(lengths) for lengths in parts], default=0) or 1
    drawn = []
    for s, (name, lengths) in enumerate(zip(names, parts, strict=True)):
        y, x = top + s * row, 4.0
        drawn.append(_text(4, y + 11, name, "start"))
        for part, length in enumerate(lengths):
            width = length / longest * (WIDTH - 48)
            if width > 0:
                drawn.append(f'<rect class="e{part}" x="{x:.1f}" y="{y + 15}" width="{width:.1f}" height="16"/>')
            x += width
        drawn.append(_text(x + 4, y + 27, f"{sum(lengths):.3f}", "start"))
    return _svg(title, "".join(drawn), top + row * len(names) + 4)


def _path(axes: Axes, points: Points, system: int) -> str:
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in (axes.place(*point) for point in points))
    dash = DASHES[system % len(DASHES)]
    style = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline class="line s{system}" points="{places}"{style}/>'


def _svg(title: str, content: str, height: float = HEIGHT) -> str:
    label = escape(title, quote=True)
    return f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{label}">{content}</svg>'


def _ends(start: tuple[float, float], end: tuple[float, float]) -> str:
    return f'x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"'


def _text(x: float, y: float, text: str, anchor: str = "middle", kind: str = "tick", turn: str = "") -> str:
    more = f' transform="{turn}"' if turn else ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(text)}</text>'


def _fractions() -> tuple[tuple[float, str], ...]:
    return tuple((i / 5, f"{i / 5:g}") for i in range(6))


def _round_ticks(top: float) -> tuple[tuple[float, str], ...]:
    """About five round numbers from 0 up to `top`."""
    rough = max(top, 1e-9) / 5
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    return tuple((float(value), f"{value:g}") for value in np.round(np.arange(0, top + step / 100, step), 9))
