"""The options that say which system runs, and the predictor that they ask for."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from bottomup.commands.common import say
from bottomup.errors import SettingsError

if TYPE_CHECKING:
    from bottomup.roads.given import GivenBoxes
    from bottomup.roads.predictor import Predictor

LABELS = "gt"  # as `--boxes` of evaluate


def add_road_options(parser: argparse.ArgumentParser) -> None:
    """Which weights run, where and how."""
    parser.add_argument("--method", choices=("bottomup", "topdown"), help="default: what the weights are of")
    parser.add_argument(
        "--weights", metavar="FILE", action="append",
        help="weights file (default: the weights of the package); top-down ones given several times are averaged",
    )  # fmt: skip
    parser.add_argument("--detector", metavar="FILE", help="top-down: weights of the detector of people")
    parser.add_argument("--boxes", metavar="JSON", help="top-down: COCO detections in place of the detector")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: cuda if there is one")
    runtimes = parser.add_argument_group("runtime")
    runtimes.add_argument(
        "--runtime",
        choices=("auto", "torch", "onnxruntime", "openvino"),
        default="torch",
        help="what runs the network on a CPU; auto: the fastest that is installed, converted once",
    )
    runtimes.add_argument(
        "--precision", choices=("float32", "bfloat16"), default="float32",
        help="bfloat16: faster with openvino, joints move a little (see docs/deploy.md)",
    )  # fmt: skip
    sides = parser.add_mutually_exclusive_group()
    sides.add_argument("--long-side", type=int, metavar="N", help="resize pictures to this longer side")
    sides.add_argument("--short-side", type=int, metavar="N", help="... to this shorter side")
    sides.add_argument("--height", type=int, metavar="N", help="... to this height")
    parser.add_argument("--flip", action="store_true", default=None, help="average with the mirrored picture or crop")
    parser.add_argument("--scales", type=float, nargs="+", metavar="S", help="average over scales, such as 0.5 1 2")
    parser.add_argument("--evidence", choices=("both", "pafs", "tags"), help="what joins joints to people")
    switch = argparse.BooleanOptionalAction
    parser.add_argument("--prior", action=switch, help="join people by the body prior too")
    parser.add_argument("--fill", action=switch, help="look for joints without a peak where the prior expects them")


def chosen_predictor(options: argparse.Namespace) -> Predictor:
    """The predictor that the road options ask for; says where it runs."""
    from bottomup.roads.predictor import load

    predictor = load(**asked_of(options))
    say(str(predictor))
    return predictor


def asked_of(options: argparse.Namespace) -> dict[str, Any]:
    """What the road options ask `load` for."""
    names = ("long_side", "short_side", "height", "flip", "scales", "evidence", "prior", "fill")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    boxes = _boxes(options)
    where = {"method": options.method, "boxes": boxes, "detector": options.detector}
    where |= {"runtime": options.runtime, "precision": options.precision}
    return {"weights": options.weights, "device": options.device, **where, **given}


def _boxes(options: argparse.Namespace) -> str | GivenBoxes | None:
    """The file of boxes; those of the labels themselves where a labelled set is judged with `--boxes gt`."""
    if options.boxes != LABELS:
        return str(options.boxes) if options.boxes else None
    from bottomup.roads.given import labelled

    if getattr(options, "data", None) is None:
        raise SettingsError(f"--boxes {LABELS} means the boxes of labels; there are none here, name a file of boxes")
    return labelled(options.data)
