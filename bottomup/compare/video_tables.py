"""The tables of a comparison on labelled video: AP and MOTA as PoseTrack has them."""

from __future__ import annotations

from typing import Any

from bottomup.compare.table import Table

TOTALS = ("AP", "precision", "recall", "MOTA", "MOTP", "switches", "misses", "false_positives")


def video_tables(report: dict[str, Any]) -> list[Table]:
    """All joints together, then AP and MOTA of the parts of the body."""
    return [_totals(report), *(_parts(report, name) for name in ("AP", "MOTA"))]


def _totals(report: dict[str, Any]) -> Table:
    rows = []
    for system in report["systems"]:
        official = [_percent(system["official"].get(name)) for name in ("AP", "MOTA")]
        rows.append((system["name"], system["boxes"], *(_cell(system, name) for name in TOTALS), *official))
    notes = (
        "In percent, means over the 15 joints; switches, misses and false positives are counted over all joints. "
        "Official: as the public tool prints them, which leaves out each video's last frame in tracking.",
        "MOTA needs track ids in the results; without them it is –.",
    )
    head = ("system", "boxes", *(name.replace("_", " ") for name in TOTALS), "official AP", "official MOTA")
    return Table("Accuracy and tracking", head, tuple(rows), 2, notes)


def _cell(system: dict[str, Any], name: str) -> str:
    value = system["numbers"].get(name)
    return str(value) if isinstance(value, int) else _percent(value)


def _parts(report: dict[str, Any], name: str) -> Table:
    parts = list(report["systems"][0]["parts"])
    rows = tuple(
        (system["name"], *(_percent(system["parts"][part].get(name)) for part in parts)) for system in report["systems"]
    )
    return Table(f"{name} by part of the body", ("system", *parts), rows)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
