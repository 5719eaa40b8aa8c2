"""`bottomup models`: the networks with their size and cost."""

from __future__ import annotations

import argparse
import json

from bottomup.commands.common import FINE, Commands
from bottomup.errors import SettingsError


def add(commands: Commands) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser(
        "models",
        help="list the networks with their size and cost",
        description="Parameters and multiply-adds of every system, measured, beside what its source reports.",
    )
    parser.add_argument("--match", default="", metavar="TEXT", help="only those whose name contains this")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs it; the exit code."""
    from bottomup.nets.catalogue import find, measure, report, table

    rows = find(options.match)
    if not rows:
        raise SettingsError(f"no system's name contains {options.match!r}; leave --match out for all")
    measured = [measure(row) for row in rows]
    print(json.dumps(report(measured), indent=1) if options.json else table(measured))
    return FINE
