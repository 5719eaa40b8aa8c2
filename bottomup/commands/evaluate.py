"""`bottomup evaluate`: a system, or people that any system wrote to a file, judged against labels."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from bottomup.commands.common import FINE, Commands
from bottomup.commands.road import add_road_options, chosen_predictor
from bottomup.errors import SettingsError

METRICS = ("coco", "crowdpose", "posetrack", "pckh")
TEXT = """\
With --data it runs a system on a labelled set and prints the ten COCO keypoint numbers. With --gt and
--results it judges people found elsewhere: COCO results (coco, crowdpose, pckh: labels with a bbox_head for
each person, or MPII's Matlab files), or PoseTrack JSON, a file or a folder of one file a video (posetrack).
"""


def add(commands: Commands) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser("evaluate", help="judge a system or its results", description=TEXT)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", metavar="JSON", help="COCO keypoint file to run a system on")
    what.add_argument("--gt", metavar="FILE", help="labels to judge --results against")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--levels", nargs="+", default=(), metavar="LEVEL", help="only these annotation levels")
    _add_files(parser.add_argument_group("people found elsewhere (with --gt)"))
    _add_system(parser)
    parser.set_defaults(run=run)


def _add_files(parser: Any) -> None:
    parser.add_argument("--results", metavar="FILE", help="the people found")
    parser.add_argument("--metric", choices=METRICS, help="default: coco")
    parser.add_argument("--errors", action="store_true", help="coco: what the lost AP is lost to")
    parser.add_argument("--interval", action="store_true", help="coco, crowdpose: 95 %% interval of AP, by bootstrap")


def _add_system(parser: Any) -> None:
    parser.add_argument("--images", metavar="DIR", help="pictures or tar shards (default: beside the file)")
    add_road_options(parser)


def run(options: argparse.Namespace) -> int:
    """Runs it; the exit code."""
    report, text = _of_files(options) if options.gt is not None else _of_a_system(options)
    print(json.dumps(report) if options.json else text)
    return FINE


def _of_files(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    _refuse(options, _defaults(_add_system), "runs a system, which goes with --data, not with --gt")
    if options.results is None:
        raise SettingsError("--gt needs --results: the file of the people found")
    from bottomup.commands.judge import judge, table

    metric = options.metric or "coco"
    chosen = {name: getattr(options, name) for name in ("errors", "interval", "levels") if getattr(options, name)}
    report = judge(options.gt, options.results, metric, **chosen)
    return report, table(report)


def _of_a_system(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    _refuse(options, _defaults(_add_files), "judges results that there are, which goes with --gt, not with --data")
    from bottomup.roads.evaluation import evaluate

    report = evaluate(chosen_predictor(options), options.data, options.images, levels=options.levels, progress=True)
    return {name: value for name, value in vars(report).items() if name != "evaluation"}, str(report)


def _defaults(add: Callable[[argparse.ArgumentParser], None]) -> dict[str, Any]:
    """What options that are not given come out as."""
    parser = argparse.ArgumentParser(add_help=False)
    add(parser)
    return vars(parser.parse_args([]))


def _refuse(options: argparse.Namespace, defaults: dict[str, Any], why: str) -> None:
    given = [name for name, default in defaults.items() if getattr(options, name) != default]
    if given:
        raise SettingsError(f"--{given[0].replace('_', '-')} {why}")
