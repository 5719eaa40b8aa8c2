"""The report as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from bottomup.compare.table import Table
from bottomup.compare.tables import Report, about, headline, tables

SHOWN = 10  # pictures that are listed


def as_markdown(report: Report) -> str:
    """Title, tables with their notes, and the pictures on which the systems differ most."""
    parts = [f"# {headline(report)}", about(report)]
    parts += [_section(table) for table in tables(report)]
    if "pictures" in report:
        parts.append(_section(_pictures(report)))
    return "\n\n".join(parts) + "\n"


def _section(table: Table) -> str:
    if table.head == ("",):  # sentences
        body = "\n".join(f"- {row[0]}" for row in table.rows)
    else:
        rule = ["---"] * table.words + ["---:"] * (len(table.head) - table.words)
        body = "\n".join(_line(row) for row in (table.head, rule, *table.rows))
    return "\n\n".join([f"## {table.title}", body, *table.notes])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _pictures(report: Report) -> Table:
    names = [system["name"] for system in report["systems"]]
    rows = tuple(
        (
            str(picture["id"]),
            str(picture["people"]),
            f"{picture['disagreement']:.2f}",
            *(f"{picture['F1'][name]:.2f}" for name in names),
        )
        for picture in report["pictures"][:SHOWN]
    )
    note = "F1 of each system, averaged over the OKS thresholds, of people with at least its best score."
    return Table(
        "Pictures on which they disagree most", ("picture", "people", "disagreement", *names), rows, 1, (note,)
    )
