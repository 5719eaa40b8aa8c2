"""`bottomup infer`: photographs in, people out."""

from __future__ import annotations

import argparse
from collections import Counter

from bottomup.commands.common import Commands, say, sum_up
from bottomup.commands.engine import add_engine_options, run_on_cluster
from bottomup.commands.road import add_road_options, chosen_predictor
from bottomup.errors import SettingsError

TEXT = """\
Finds the people in photographs. OUT/results.json holds them as COCO results, with file_name and an
image_id: the number that a file's stem is (000000000139.jpg: 139; the first, if several are the same),
else the input's index, else counted on from the largest; --boxes names pictures by it. OUT/records.jsonl
holds one line an input. The same command goes on where an interrupted run ended.

Videos (not together with pictures) are followed: OUT/NAME.json is PoseTrack 2018 JSON with track ids,
OUT/records.jsonl holds one line a frame, --draw writes OUT/drawn/NAME.mp4.
"""


def add(commands: Commands) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser(
        "infer",
        help="find the people in photographs",
        description=TEXT,
        epilog="Exit code 0: all fine; 3: some inputs failed (see records.jsonl); 2: nothing could be done.",
    )
    parser.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="pictures, folders (with all below), globs, or videos"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write to")
    parser.add_argument("--draw", action="store_true", help="write pictures with skeletons to OUT/drawn")
    parser.add_argument("--batch", type=int, metavar="N", help="pictures in a network batch")
    parser.add_argument("--overwrite", action="store_true", help="forget what an earlier run left in OUT")
    parser.add_argument("--global-links", action="store_true", help="videos: ids by all frames at once, at the end")
    add_engine_options(parser)
    add_road_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs it; the exit code."""
    if options.batch is not None and options.batch < 1:
        raise SettingsError(f"--batch is {options.batch}, it must be at least 1")
    from bottomup.files.video import is_video

    if any(is_video(text) for text in options.inputs):
        from bottomup.commands.video import infer_videos

        return infer_videos(options)
    try:
        counts = run_on_cluster(options) if options.engine == "ray" else _run_here(options)
    except KeyboardInterrupt:
        say("what is done is kept; the same command goes on from there")
        raise
    return sum_up(counts, "pictures", f"{counts['people']} people in {counts['ok']}", options.out)


def _run_here(options: argparse.Namespace) -> Counter[str]:
    from bottomup.roads.pipeline import run_folder

    how = {"batch": options.batch, "overwrite": options.overwrite, "rows": options.rows, "progress": True}
    return run_folder(chosen_predictor(options), options.inputs, options.out, draw=options.draw, **how)
