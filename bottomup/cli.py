"""The command line. Nothing slow is imported before a command runs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bottomup import __version__
from bottomup.errors import DataError, InputError, SettingsError

if TYPE_CHECKING:
    from bottomup.roads.predictor import Predictor

FINE, NOTHING_DONE, SOME_FAILED, INTERRUPTED = 0, 2, 3, 130

Commands = Any  # argparse keeps the type of its subparsers to itself


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code. Errors of the library become one line on stderr and code 2."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except (SettingsError, DataError, InputError, OSError) as error:
        _say(f"error: {' '.join(str(error).splitlines())}")
        return NOTHING_DONE
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bottomup", description="Bottom-up multi-person pose estimation.")
    parser.add_argument("--version", action="version", version=f"bottomup {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        _add_infer,
        _add_evaluate,
        _add_train,
        _add_convert,
        _add_models,
    ):  # one function a command, its work beside it
        add(commands)
    return parser


def _add_road_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", metavar="FILE", help="weights file (default: the weights of the package)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: cuda if there is one")
    sides = parser.add_mutually_exclusive_group()
    sides.add_argument("--long-side", type=int, metavar="N", help="resize pictures to this longer side")
    sides.add_argument("--short-side", type=int, metavar="N", help="... to this shorter side")
    sides.add_argument("--height", type=int, metavar="N", help="... to this height")
    parser.add_argument("--flip", action="store_true", default=None, help="average with the mirrored picture")
    parser.add_argument("--scales", type=float, nargs="+", metavar="S", help="average over scales, such as 0.5 1 2")
    parser.add_argument("--evidence", choices=("both", "pafs", "tags"), help="what joins joints to people")


def _predictor(options: argparse.Namespace) -> Predictor:
    """The predictor that the road options ask for; says where it runs."""
    from bottomup.roads.predictor import load

    names = ("long_side", "short_side", "height", "flip", "scales", "evidence")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    predictor = load(options.weights, options.device, **given)
    _say(f"{predictor.weights} on {predictor.device}")
    return predictor


# ------------------------------------------------------------------------------------------ infer

_INFER = """\
Finds the people in photographs. OUT/results.json holds them as COCO results, with file_name and an
image_id: the number that a file's stem is (000000000139.jpg: 139; the first, if several are the same),
else the input's index, else counted on from the largest. OUT/records.jsonl holds one line an input.
The same command goes on where an interrupted run ended.
"""


def _add_infer(commands: Commands) -> None:
    parser = commands.add_parser(
        "infer",
        help="find the people in photographs",
        description=_INFER,
        epilog="Exit code 0: all fine; 3: some inputs failed (see records.jsonl); 2: nothing could be done.",
    )
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="pictures, folders (with all below), or globs")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write to")
    parser.add_argument("--draw", action="store_true", help="write pictures with skeletons to OUT/drawn")
    parser.add_argument("--batch", type=int, metavar="N", help="pictures in a network batch")
    parser.add_argument("--overwrite", action="store_true", help="forget what an earlier run left in OUT")
    _add_road_options(parser)
    parser.set_defaults(run=_infer)


def _infer(options: argparse.Namespace) -> int:
    if options.batch is not None and options.batch < 1:
        raise SettingsError(f"--batch is {options.batch}, it must be at least 1")
    from bottomup.roads.pipeline import run_folder

    predictor = _predictor(options)
    how = {"draw": options.draw, "batch": options.batch, "overwrite": options.overwrite, "progress": True}
    try:
        counts = run_folder(predictor, options.inputs, options.out, **how)
    except KeyboardInterrupt:
        _say("what is done is kept; the same command goes on from there")
        raise
    done = counts["ok"] + counts["empty"]
    _say(
        f"{done} pictures done: {counts['people']} people in {counts['ok']}, nobody in {counts['empty']}; "
        f"{counts['error']} failed; results in {options.out}"
    )
    if not counts["error"]:
        return FINE
    return SOME_FAILED if done else NOTHING_DONE


# --------------------------------------------------------------------------------------- evaluate


def _add_evaluate(commands: Commands) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="judge weights on a labelled set",
        description="Prints the ten COCO keypoint numbers of a system on a labelled set.",
    )
    parser.add_argument("--data", required=True, metavar="JSON", help="COCO keypoint file")
    parser.add_argument("--images", metavar="DIR", help="pictures or tar shards (default: beside the file)")
    parser.add_argument("--levels", nargs="+", default=(), metavar="LEVEL", help="only these annotation levels")
    parser.add_argument("--json", action="store_true", help="print JSON")
    _add_road_options(parser)
    parser.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from bottomup.roads.evaluation import evaluate

    report = evaluate(_predictor(options), options.data, options.images, levels=options.levels, progress=True)
    print(json.dumps(asdict(report)) if options.json else report)
    return FINE


# ------------------------------------------------------------------------------------------ train

_TRAIN = """\
Trains the system that a settings file describes, or goes on where a killed run stopped. Writes
snapshots, metrics.jsonl, TensorBoard files and, at the end, weights.safetensors into its `out`. With
several cores or GPUs: torchrun --nproc-per-node N train.py CONFIG.
"""


def _add_train(commands: Commands) -> None:
    parser = commands.add_parser("train", help="train a system", description=_TRAIN)
    parser.add_argument("config", metavar="CONFIG", help="YAML file, such as configs/default.yaml")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="settings in place of the file's")
    parser.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> int:
    import warnings
    from pathlib import Path

    from bottomup.roads.evaluation import dev_judge
    from bottomup.settings import load_settings
    from bottomup.training.config import TrainSettings
    from bottomup.training.loop import train
    from bottomup.training.parallel import process_leads
    from bottomup.training.report import Report
    from bottomup.training.weights import save_trained, weights_header

    warnings.filterwarnings("ignore", message=r"index_reduce\(\) is in beta")
    settings = load_settings(TrainSettings, options.config, options.overrides)
    judge = None
    if settings.dev.labels is not None:
        header = weights_header(settings, settings.steps)
        judge = dev_judge(header, settings.dev.labels, settings.dev.images)
    leads = process_leads()
    network = train(settings, Report(Path(settings.out), settings.steps) if leads else None, judge)
    if leads:
        path = Path(settings.out) / "weights.safetensors"
        save_trained(network, settings, settings.steps, path)
        _say(f"weights in {path}")
    return FINE


# ---------------------------------------------------------------------------------------- convert

_CONVERT = """\
Writes a published checkpoint of PyTorch as a weights file: its tensors with a header that says how to
build the network and how its authors run it (normalisation, size, flip). No code in the checkpoint is
run. Bottom-up systems then run by `infer --weights OUT`.
"""


def _add_convert(commands: Commands) -> None:
    parser = commands.add_parser("convert", help="make a weights file of a published checkpoint", description=_CONVERT)
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help=".pth file as published")
    parser.add_argument("out", metavar="OUT", help="weights file to write, such as w32.safetensors")
    parser.add_argument(
        "--as", dest="name", required=True, metavar="NAME", help="what it is: higherhrnet_w32, paf6, ..."
    )
    parser.set_defaults(run=_convert)


def _convert(options: argparse.Namespace) -> int:
    from bottomup.roads.published import convert

    method = convert(options.checkpoint, options.name, options.out)["method"]
    runs = "" if method == "bottomup" else f"; of method {method!r}, this version runs only bottom-up weights"
    _say(f"weights in {options.out}{runs}")
    return FINE


# ----------------------------------------------------------------------------------------- models


def _add_models(commands: Commands) -> None:
    parser = commands.add_parser(
        "models",
        help="list the networks with their size and cost",
        description="Parameters and multiply-adds of every system, measured, beside what its source reports.",
    )
    parser.add_argument("--match", default="", metavar="TEXT", help="only those whose name contains this")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_models)


def _models(options: argparse.Namespace) -> int:
    from bottomup.nets.catalogue import find, measure, report, table

    rows = find(options.match)
    if not rows:
        raise SettingsError(f"no system's name contains {options.match!r}; leave --match out for all")
    measured = [measure(row) for row in rows]
    print(json.dumps(report(measured), indent=1) if options.json else table(measured))
    return FINE


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
