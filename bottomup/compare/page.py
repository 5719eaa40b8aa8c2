"""The report as one HTML file that needs no network."""

from __future__ import annotations

import json
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from bottomup.compare.plots import bar_plot, curve_plot, scatter_plot, share_bars
from bottomup.compare.table import Table
from bottomup.compare.tables import Report, about, headline, lost, tables

METHOD = (
    "Every system was judged on the same pictures with the same labels; of a picture its 20 surest people count.",
    "The number of people in a picture is that of its labelled people with at least one labelled joint.",
    "Disagreement: how far apart the systems' F1 on a picture are. F1 is averaged over the ten OKS thresholds and "
    "counts people with at least the score at which the system's F1 at OKS .50 over all pictures is best; the others "
    "are the unsure people that the page shows on request. Who is right at no threshold is drawn dotted.",
)


def page(report: Report, viewer: dict[str, Any] | None) -> str:
    """The whole page. viewer: what page.js takes, None where there are no pictures."""
    return _template("page.html").substitute(
        title=escape(headline(report)),
        style=_part("page.css"),
        script=_part("page.js") + ("" if viewer is None else _part("page_viewer.js")),
        sections=_sections(report),
        viewer="" if viewer is None else _viewer(report, viewer),
        method="" if viewer is None else _method(),
        data=_embedded(viewer),
    )


def _part(name: str) -> str:
    return files("bottomup.compare").joinpath(name).read_text(encoding="utf-8")


def _template(name: str) -> Template:
    return Template(_part(name))


def _viewer(report: Report, viewer: dict[str, Any]) -> str:
    heading = "Pictures on which they disagree most" if viewer["labelled"] else "Examples"
    return _template("page_viewer.html").substitute(heading=heading, note=escape(report["viewer"]["note"]))


def _embedded(content: dict[str, Any] | None) -> str:
    """JSON that no text in it can end the script element of."""
    return json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")


def _sections(report: Report) -> str:
    parts = [f"<p>{escape(about(report))}</p>"]
    first, *others = [_table(table) for table in tables(report)]
    return "\n".join([*parts, first, _plots(report), *others])


def _table(table: Table) -> str:
    if table.head == ("",):
        body = "".join(f"<p>{escape(row[0])}</p>" for row in table.rows)
        return f"<section><h2>{escape(table.title)}</h2>{body}</section>"
    head = "".join(f'<th scope="col"{_kind(table, i)}>{escape(cell)}</th>' for i, cell in enumerate(table.head))
    rows = "".join(f"<tr>{_row(table, row)}</tr>" for row in table.rows)
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in table.notes)
    label = escape(table.title, quote=True)
    return (
        f'<section><h2>{escape(table.title)}</h2><div class="wide" tabindex="0" role="region" aria-label="{label}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{notes}</section>"
    )


def _row(table: Table, row: tuple[str, ...]) -> str:
    first = f'<th scope="row">{escape(row[0])}</th>'
    return first + "".join(f"<td{_kind(table, i)}>{escape(cell)}</td>" for i, cell in enumerate(row[1:], 1))


def _kind(table: Table, column: int) -> str:
    return ' class="words"' if column < table.words else ""


def _plots(report: Report) -> str:
    systems = report["systems"]
    legend = _legend([(f"s{number}", system["name"]) for number, system in enumerate(systems)])
    figures = _video_figures(systems) if report["metric"] == "posetrack" else _picture_figures(report)
    return f'<section><h2>Plots</h2>{legend}<div class="plots">{"".join(figures)}</div></section>'


def _video_figures(systems: list[dict[str, Any]]) -> list[str]:
    parts = list(systems[0]["parts"])
    figures = []
    for name in ("AP", "MOTA"):
        percents = [[system["parts"][part].get(name) for part in parts] for system in systems]
        values = [[None if value is None else value / 100 for value in row] for row in percents]
        title = f"{name} by part of the body"
        figures.append(_figure(title, bar_plot(title, parts, values, "", name)))
    return figures


def _picture_figures(report: Report) -> list[str]:
    systems = report["systems"]
    figures = [_people_plot(systems), *(_recall_plot(systems, which) for which in ("OKS .50", "OKS .75"))]
    if any(system["errors"] for system in systems):
        figures.append(_error_plot(systems))
    if report["timing"]:
        figures.append(_time_plot(systems))
    return figures


def _people_plot(systems: list[dict[str, Any]]) -> str:
    bins = [row["people"] for row in systems[0]["by_people"]]
    values = [[row["AP"] for row in system["by_people"]] for system in systems]
    title = "AP by people in the picture"
    return _figure(title, bar_plot(title, bins, values, "labelled people in the picture"))


def _recall_plot(systems: list[dict[str, Any]], which: str) -> str:
    curves = []
    for system in systems:
        values = system["precision"][which]
        curves.append([(i / (len(values) - 1), max(value, 0.0)) for i, value in enumerate(values)])
    title = f"Precision and recall at {which}"
    return _figure(title, curve_plot(title, curves, "recall", "precision"))


def _error_plot(systems: list[dict[str, Any]]) -> str:
    names = list(lost(systems[0]["errors"]))
    title = "AP lost, by kind of error"
    parts = [[max(value, 0.0) for value in lost(system["errors"]).values()] for system in systems]
    legend = _legend([(f"e{number}", name) for number, name in enumerate(names)])
    return _figure(title, share_bars(title, [system["name"] for system in systems], parts) + legend)


def _time_plot(systems: list[dict[str, Any]]) -> str:
    points, lines = [], []
    for system in systems:
        time = system["time"]
        points.append(time and [(p, 1000 * s) for p, s in zip(time["people"], time["seconds"], strict=True)])
        lines.append(time and time["line"] and (lambda x, line=time["line"]: 1000 * (line["alone"] + line["each"] * x)))
    title = "Time by people in the picture"
    return _figure(title, scatter_plot(title, points, lines, "labelled people in the picture", "ms"))


def _figure(title: str, plot: str) -> str:
    return f"<figure><h3>{escape(title)}</h3>{plot}</figure>"


def _legend(items: list[tuple[str, str]]) -> str:
    entries = "".join(f'<li><span class="swatch {kind}"></span>{escape(name)}</li>' for kind, name in items)
    return f'<ul class="legend">{entries}</ul>'


def _method() -> str:
    lines = "".join(f"<p>{escape(line)}</p>" for line in METHOD)
    return f"<section><h2>How it was measured</h2>{lines}</section>"
