"""`bottomup merge`: several data sets as one file in one layout, with a report to audit it by."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bottomup.commands.common import FINE, SOME_FAILED, Commands, say

if TYPE_CHECKING:
    from pathlib import Path

    from bottomup.data.merge import Merged

TEXT = """\
Reads data sets in their own formats and writes DIR/merged.json, a COCO file in one layout that training reads, and
DIR/report.md with what became of every set and joint and pictures with the labels drawn. Pictures stay where they are.
A joint that a set does not label is masked in training. NAME is one of the known sets (docs/data.md); the folder is as
released, or holds label files; a label file may be named in its place. Exit code 3: broken items were left out.
"""
DRAWN = 6  # pictures of each set


def add(commands: Commands) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser("merge", help="merge data sets into one layout", description=TEXT)
    parser.add_argument(
        "--set", dest="sets", action="append", required=True, metavar="NAME=FOLDER", help="a data set; may be repeated"
    )
    parser.add_argument(
        "--layout", required=True, choices=("coco17", "posetrack15", "union"), help="joints to merge into"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of merged.json and report.md")
    parser.add_argument("--split", default="train", choices=("train", "val", "test", "all"), help="default: train")
    parser.add_argument("--skip-bad", action="store_true", help="leave broken items out and list them")
    parser.add_argument("--near-duplicates", action="store_true", help="look for resized copies between sets too")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs it; the exit code."""
    import json
    from pathlib import Path

    from bottomup.data.catalogue import data_set
    from bottomup.data.merge import merge
    from bottomup.data.reading import read_set
    from bottomup.data.report import report
    from bottomup.files.atomic import replacing

    named = [_named(text) for text in options.sets]
    kinds = [data_set(name) for name, _ in named]
    read = [
        read_set(kind, folder, split=options.split, skip_bad=options.skip_bad)
        for kind, (_, folder) in zip(kinds, named, strict=True)
    ]
    out = Path(options.out)
    merged = merge(read, options.layout, out, near_duplicates=options.near_duplicates)
    skipped = [noted | {"set": one.kind.name} for one in read for noted in one.problems.noted]
    drawn = draw_samples(merged, out)
    for name, content in (("merged.json", merged.content), ("skipped.json", skipped)):
        with replacing(out / name) as file:
            file.write(json.dumps(content).encode())
    with replacing(out / "report.md") as file:
        file.write(report(merged, drawn).encode())
    for one in read:
        for path, why in one.left_out.items():
            say(f"left out {path}: {why}")
    say(f"{len(merged.pictures)} pictures in {out / 'merged.json'}, report in {out / 'report.md'}")
    if skipped:
        say(f"{len(skipped)} broken items were left out, listed in {out / 'skipped.json'}")
    return SOME_FAILED if skipped else FINE


def _named(text: str) -> tuple[str, str]:
    from bottomup.errors import SettingsError

    name, equals, folder = text.partition("=")
    if not equals or not name or not folder:
        raise SettingsError(f"--set {text}: write NAME=FOLDER, such as mpii=data/mpii")
    return name, folder


def draw_samples(merged: Merged, out: Path) -> dict[str, list[str]]:
    """Draws some pictures of each set, before and after; their paths relative to the folder."""
    import cv2

    from bottomup.commands.sheet import before_and_after, chosen_images
    from bottomup.files.atomic import replacing

    drawn: dict[str, list[str]] = {}
    for name, numbers in chosen_images(merged, DRAWN).items():
        for place, number in enumerate(numbers, 1):
            path = f"samples/{name}-{place}.jpg"
            picture = before_and_after(merged, number)
            with replacing(out / path) as file:
                file.write(cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes())
            drawn.setdefault(name, []).append(path)
    return drawn
