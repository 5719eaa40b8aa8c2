"""`bottomup evaluate`: a system judged on a labelled set."""

from __future__ import annotations

import argparse
import json

from bottomup.commands.common import FINE, Commands
from bottomup.commands.road import add_road_options, chosen_predictor


def add(commands: Commands) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser(
        "evaluate",
        help="judge weights on a labelled set",
        description="Prints the ten COCO keypoint numbers of a system on a labelled set.",
    )
    parser.add_argument("--data", required=True, metavar="JSON", help="COCO keypoint file")
    parser.add_argument("--images", metavar="DIR", help="pictures or tar shards (default: beside the file)")
    parser.add_argument("--levels", nargs="+", default=(), metavar="LEVEL", help="only these annotation levels")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_road_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs it; the exit code."""
    from dataclasses import asdict

    from bottomup.roads.evaluation import evaluate

    report = evaluate(chosen_predictor(options), options.data, options.images, levels=options.levels, progress=True)
    print(json.dumps(asdict(report)) if options.json else report)
    return FINE
