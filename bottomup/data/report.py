"""The account of a merge as Markdown: what was read, labelled, mapped, dropped, and what is there twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bottomup.core.layouts import correspondence, missing_joints
from bottomup.data.duplicates import Copy
from bottomup.data.merge import Merged

MOST = 20  # lines of a long list; the rest is counted
THINGS = (
    "pictures", "unlabelled frames", "people", "people with a track", "people with a head box", "ignore regions",
)  # fmt: skip


def report(merged: Merged, samples: Mapping[str, Sequence[str]]) -> str:
    """The report's text. samples: of each set the drawn pictures' paths beside it."""
    parts = (
        [f"# Merge into {merged.skeleton.name}", "", _summary(merged)],
        _section("Sets", _sets(merged)),
        _section("Labels of each joint", _joints(merged)),
        _section("Joint by joint", _mapping(merged)),
        _section("Dropped, and why", _dropped(merged)),
        _section("Broken items left out", _broken(merged)),
        _section("Files left out", _left_out(merged)),
        _section("Pictures in two sets", _copies(merged)),
        _section("Samples", _samples(samples)),
        _section("Training on it", _training(merged)),
    )
    return "\n".join(line for part in parts for line in part) + "\n"


def _section(title: str, lines: Iterable[str]) -> list[str]:
    return ["", f"## {title}", "", *lines]


def _table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> list[str]:
    def line(cells: Iterable[object]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"

    return [line(head), line(["---"] * len(head)), *map(line, rows)]


def _summary(merged: Merged) -> str:
    people = sum(counts.things["people"] for counts in merged.counts.values())
    joints = sum(int((counts.visible + counts.hidden).sum()) for counts in merged.counts.values())
    return (
        f"{len(merged.pictures):,} pictures, {people:,} people, {joints:,} labelled joints of "
        f"{len(merged.counts)} sets, in merged.json beside this page."
    )


def _sets(merged: Merged) -> list[str]:
    rows = []
    for name, reads in merged.sets.items():
        things = merged.counts[name].things
        files = [part.file.name for read in reads for part in read.parts]
        shown = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
        rows.append((name, reads[0].kind.skeleton.name, shown, *(f"{things[thing]:,}" for thing in THINGS)))
    terms = [f"- {name}: {reads[0].kind.terms} ({reads[0].kind.home})" for name, reads in merged.sets.items()]
    return [*_table(("set", "layout", "label files", *THINGS), rows), "", "Terms:", "", *terms]


def _joints(merged: Merged) -> list[str]:
    rows = []
    for k, joint in enumerate(merged.skeleton.joints):
        cells = []
        for name, counts in merged.counts.items():
            source = merged.sets[name][0].kind.skeleton
            if joint in missing_joints(source, merged.skeleton):
                cells.append("–")
            elif not counts.visible[k] + counts.hidden[k]:
                cells.append("0, masked")
            else:
                hidden = f" + {counts.hidden[k]:,}" if merged.sets[name][0].kind.hidden else ""
                cells.append(f"{counts.visible[k]:,}{hidden}")
        rows.append((joint, *cells))
    note = "Visible + hidden, or one number where the set does not tell. – no such joint: masked in training."
    return [note, "", *_table(("joint", *merged.counts), rows)]


def _mapping(merged: Merged) -> list[str]:
    target = merged.skeleton
    columns = []
    for reads in merged.sets.values():
        source = reads[0].kind.skeleton
        columns.append([source.joints[k] if k >= 0 else "–" for k in correspondence(source, target)])
    rows = [(joint, *(column[k] for column in columns)) for k, joint in enumerate(target.joints)]
    lost = []
    for name, reads in merged.sets.items():
        gone = missing_joints(target, reads[0].kind.skeleton)
        lost.append(
            f"- {name}: " + (f"{', '.join(gone)} have no place in {target.name}" if gone else "nothing is lost")
        )
    return [*_table((target.name, *merged.sets), rows), "", *lost]


def _dropped(merged: Merged) -> list[str]:
    rows = [
        (name, what, f"{number:,}") for name, counts in merged.counts.items() for what, number in counts.dropped.items()
    ]
    rows += [
        (name, what, f"{number:,}")
        for name, reads in merged.sets.items()
        for what, number in sum((part.notes for read in reads for part in read.parts), Counter()).items()
        if number
    ]
    return _table(("set", "what", "how many"), rows) if rows else ["Nothing."]


def _broken(merged: Merged) -> list[str]:
    alike: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for name, reads in merged.sets.items():
        for noted in (noted for read in reads for noted in read.problems.noted):
            alike[name, Path(noted["file"]).name, noted["problem"]].append(noted["item"])
    if not alike:
        return ["None."]
    rows = [(*key[:2], key[2], f"{len(names):,}", names[0]) for key, names in alike.items()]
    more = [f"\nand {len(rows) - MOST:,} more kinds."] if len(rows) > MOST else []
    head = ("set", "file", "problem", "how many", "the first")
    return ["Every one is in skipped.json.", "", *_table(head, rows[:MOST]), *more]


def _left_out(merged: Merged) -> list[str]:
    rows = [
        (name, Path(path).name, why)
        for name, reads in merged.sets.items()
        for read in reads
        for path, why in read.left_out.items()
    ]
    return _table(("set", "file", "why"), rows) if rows else ["None."]


def _copies(merged: Merged) -> list[str]:
    lines = [f"The same file in two sets: {len(merged.exact):,}.", ""]
    lines += _listed(merged, merged.exact)
    if merged.resized is None:
        return [*lines, "Resized copies were not looked for (--near-duplicates does)."]
    lines += [f"Alike but for size and compression, most likely copies: {len(merged.resized):,}.", ""]
    return [*lines, *_listed(merged, merged.resized)]


def _listed(merged: Merged, copies: Sequence[Copy]) -> list[str]:
    if not copies:
        return []
    images = merged.content["images"]
    pairs = Counter((images[copy.first]["source"], images[copy.second]["source"]) for copy in copies)
    lines = [f"- {first} and {second}: {number:,}" for (first, second), number in pairs.items()]
    rows = [
        (
            images[c.first]["file_name"],
            images[c.second]["file_name"],
            "same bytes" if c.distance is None else c.distance,
        )
        for c in copies[:MOST]
    ]
    more = [f"\nand {len(copies) - MOST:,} more; each second one says duplicate_of."] if len(copies) > MOST else []
    return [*lines, "", *_table(("picture", "is also", "bits of 256 that differ"), rows), *more, ""]


def _samples(samples: Mapping[str, Sequence[str]]) -> list[str]:
    lines = ["Left: as the set labels it. Right: as merged; ignore regions are shaded, hidden joints black.", ""]
    for name, paths in samples.items():
        lines += [f"### {name}", "", *(f"![{name}]({path})" for path in paths), ""]
    return lines


def _training(merged: Merged) -> list[str]:
    rows = [f"  - {{labels: merged.json, source: {name}, weight: 1.0}}" for name in merged.sets]
    return ["Each set with its own sampling weight, in the settings of a training run:", "", "```yaml"] + [
        f"skeleton: {merged.skeleton.name}",
        "sets:",
        *rows,
        "```",
    ]
