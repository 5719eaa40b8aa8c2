"""`bottomup annotate`: joints that a data set lacks, filled in by a trained model."""

from __future__ import annotations

import argparse

from bottomup.commands.common import FINE, Commands, say
from bottomup.commands.road import add_road_options, chosen_predictor

TEXT = """\
Fills the joints that the sets of a labelled file lack (noses on MPII, say) with what a trained model finds, wherever
its person agrees with the labels; scores are kept. Joints of people refused stay masked in training. Best on what
`bottomup merge` wrote. Top-down weights with --boxes gt look into the labelled boxes.
"""


def add(commands: Commands) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser("annotate", help="fill missing joints with a model", description=TEXT)
    parser.add_argument("--data", required=True, metavar="JSON", help="COCO keypoint file, such as merged.json")
    parser.add_argument("--images", metavar="DIR", help="pictures or tar shards (default: beside the file)")
    parser.add_argument("--out", required=True, metavar="JSON", help="file to write")
    add_road_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs it; the exit code."""
    import json

    from bottomup.files.atomic import replacing
    from bottomup.roads.annotate import annotate

    content, account = annotate(chosen_predictor(options), options.data, options.out, options.images, progress=True)
    with replacing(options.out) as file:
        file.write(json.dumps(content).encode())
    print(account)
    say(f"labels in {options.out}")
    return FINE
