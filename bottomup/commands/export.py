"""`bottomup export`: a system's network as ONNX or OpenVINO, for other programs."""

from __future__ import annotations

import argparse

from bottomup.commands.common import FINE, Commands, say
from bottomup.errors import SettingsError

TEXT = """\
Writes the network of a weights file for other programs: ONNX (OUT.onnx) or OpenVINO (OUT.xml and OUT.bin).
Its input is "images" (batch, 3, height, width) float32, any batch and any sides that are multiples of what the
command says, normalised as it says; its outputs are heatmaps, pafs and tags as far as the network has them.
"""


def add(commands: Commands) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser("export", help="write a network as ONNX or OpenVINO", description=TEXT)
    parser.add_argument("weights", metavar="WEIGHTS", help='weights file, or "default" for those of the package')
    parser.add_argument("out", metavar="OUT", help="file to write: .onnx, or .xml for OpenVINO")
    parser.add_argument("--format", choices=("onnx", "openvino"), required=True, help="what to write")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs it; the exit code."""
    from bottomup.roads.predictor import load
    from bottomup.roads.runtime import engines_of
    from bottomup.runtimes.accelerate import write_model

    weights = None if options.weights == "default" else options.weights
    # Boxes are found by a detector or given: neither is part of a top-down network.
    predictor = load(weights, "cpu")
    engines = engines_of(predictor.road)
    if not engines:
        raise SettingsError(f"{options.weights}: a system of this method cannot be exported")
    form, multiple = write_model(engines[0].network, engines[0].example, options.out, options.format)
    how = predictor.road.settings.to_dict()
    say(f"{options.out}: images (batch, 3, height, width), sides multiples of {multiple}")
    say(f"channels {how['channels']}, (pixel - mean) / std of 0..255 with mean {how['mean']}, std {how['std']}")
    say(f"outputs {', '.join(form.names)} with a cell for every {form.stride:g} pixels")
    return FINE
