"""Plots are well-formed SVG whose places are those of the data."""

from xml.etree import ElementTree

import pytest

from bottomup.compare import plots

AXES = plots.Axes((0, 10), (0, 1), "people", "AP", (), ())


def svg(text):
    return ElementTree.fromstring(text)


def of_class(root, name):
    return [e for e in root.iter() if name in e.get("class", "").split()]


def test_corners_of_the_data_are_corners_of_the_frame():
    assert AXES.place(0, 0) == (plots.LEFT, plots.HEIGHT - plots.BOTTOM)
    assert AXES.place(10, 1) == (plots.WIDTH - plots.RIGHT, plots.TOP)


def test_bars_are_as_high_as_their_values_and_gaps_stay_gaps():
    root = svg(bar := plots.bar_plot("AP <by> people", ["1", "2+"], [[1.0, 0.5], [0.25, None]], "people"))
    heights = [float(rect.get("height")) for rect in of_class(root, "fill")]
    full = plots.HEIGHT - plots.TOP - plots.BOTTOM
    assert heights == pytest.approx([full, full / 2, full / 4], abs=0.06)
    assert root.get("role") == "img" and root.get("aria-label") == "AP <by> people" and "&lt;by&gt;" in bar


def test_every_system_has_its_own_line_in_colour_and_dashes():
    root = svg(plots.curve_plot("pr", [[(0, 1), (1, 0)], [(0, 0.5), (1, 0.5)]], "recall", "precision"))
    first, second = of_class(root, "line")
    assert first.get("class") == "line s0" and second.get("class") == "line s1"
    assert first.get("stroke-dasharray") != second.get("stroke-dasharray")


def test_points_far_out_do_not_set_the_scale_but_are_drawn():
    points = [(1.0, 10.0)] * 100 + [(2.0, 9000.0)]
    root = svg(plots.scatter_plot("time", [points, None], [lambda x: 10.0, None], "people", "ms"))
    dots = of_class(root, "dot")
    assert len(dots) == 101 and min(float(dot.get("cy")) for dot in dots) == pytest.approx(plots.TOP)
    assert float(dots[0].get("cy")) < plots.HEIGHT / 2  # ten of about twelve


def test_a_plot_without_any_point_is_an_empty_frame():
    root = svg(plots.scatter_plot("time", [None, None], [None, None], "people", "ms"))
    assert not of_class(root, "dot") and not of_class(root, "line") and of_class(root, "axis")


def test_lying_bars_are_cut_in_proportion():
    root = svg(plots.share_bars("lost", ["a", "b"], [[0.3, 0.1], [0.0, 0.2]]))
    widths = {(e.get("class"), e.get("y")): float(e.get("width")) for e in root.iter() if e.tag == "rect"}
    longest, other, last = widths.values()
    assert longest == pytest.approx(3 * other, rel=0.01) and last == pytest.approx(2 * other, rel=0.01)


@pytest.mark.parametrize(("top", "last"), [(1, 1), (12, 10), (830, 800), (0.07, 0.06)])
def test_ticks_are_round_and_within(top, last):
    ticks = plots._round_ticks(top)
    assert ticks[0][0] == 0 and ticks[-1][0] == pytest.approx(last) and 3 <= len(ticks) <= 7
