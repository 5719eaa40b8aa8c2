"""The options that say which system runs, and the predictor that they ask for."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bottomup.commands.common import say

if TYPE_CHECKING:
    from bottomup.roads.predictor import Predictor


def add_road_options(parser: argparse.ArgumentParser) -> None:
    """Which weights run, where and how."""
    parser.add_argument("--weights", metavar="FILE", help="weights file (default: the weights of the package)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: cuda if there is one")
    sides = parser.add_mutually_exclusive_group()
    sides.add_argument("--long-side", type=int, metavar="N", help="resize pictures to this longer side")
    sides.add_argument("--short-side", type=int, metavar="N", help="... to this shorter side")
    sides.add_argument("--height", type=int, metavar="N", help="... to this height")
    parser.add_argument("--flip", action="store_true", default=None, help="average with the mirrored picture")
    parser.add_argument("--scales", type=float, nargs="+", metavar="S", help="average over scales, such as 0.5 1 2")
    parser.add_argument("--evidence", choices=("both", "pafs", "tags"), help="what joins joints to people")


def chosen_predictor(options: argparse.Namespace) -> Predictor:
    """The predictor that the road options ask for; says where it runs."""
    from bottomup.roads.predictor import load

    names = ("long_side", "short_side", "height", "flip", "scales", "evidence")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    predictor = load(options.weights, options.device, **given)
    say(f"{predictor.weights} on {predictor.device}")
    return predictor
