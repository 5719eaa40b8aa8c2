"""`bottomup convert`: a published checkpoint as a weights file."""

from __future__ import annotations

import argparse

from bottomup.commands.common import FINE, Commands, say

TEXT = """\
Writes a published checkpoint of PyTorch as a weights file: its tensors with a header that says how to
build the network and how its authors run it (normalisation, size, flip). No code in the checkpoint is
run. The system then runs by `infer --weights OUT`; top-down ones need boxes around people (--boxes).
"""


def add(commands: Commands) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser("convert", help="make a weights file of a published checkpoint", description=TEXT)
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help=".pth file as published")
    parser.add_argument("out", metavar="OUT", help="weights file to write, such as w32.safetensors")
    parser.add_argument(
        "--as", dest="name", required=True, metavar="NAME", help="what it is: higherhrnet_w32, paf6, ..."
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs it; the exit code."""
    from bottomup.roads.published import convert

    method = convert(options.checkpoint, options.name, options.out)["method"]
    say(f"weights of method {method!r} in {options.out}")
    return FINE
