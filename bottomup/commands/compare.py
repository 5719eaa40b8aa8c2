"""`bottomup compare`: systems head to head."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bottomup.commands.common import FINE, Commands, say
from bottomup.errors import SettingsError

TEXT = """\
Compares systems on the same labelled pictures: weights that are run here ("default", "topdown" or a file) and
COCO results files made elsewhere. Writes OUT/index.html, one page that needs no network, with the same numbers
in OUT/report.json and OUT/report.md. CONFIG is a YAML file; what the options name takes the place of its lines.
"""


def add(commands: Commands) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser("compare", help="judge systems head to head, on one page", description=TEXT)
    parser.add_argument("config", nargs="?", metavar="CONFIG", help="YAML file, such as configs/compare.yaml")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="settings in place of the file's")
    parser.add_argument("--gt", metavar="FILE", help="labelled pictures: a COCO keypoint file")
    parser.add_argument("--images", metavar="DIR", help="their pictures or tar shards (default: beside the file)")
    parser.add_argument("--levels", nargs="+", metavar="LEVEL", help="only these annotation levels")
    parser.add_argument("--systems", nargs="+", metavar="WEIGHTS", help="default, topdown, or weights files to run")
    parser.add_argument("--results", nargs="+", metavar="JSON", help="results files made elsewhere")
    parser.add_argument("--names", nargs="+", metavar="NAME", help="what they are called, systems first")
    parser.add_argument("--metric", choices=("coco", "crowdpose", "posetrack"), help="default: coco")
    parser.add_argument("--pictures", type=int, metavar="N", help="pictures on the page (default: 60)")
    parser.add_argument("--out", metavar="DIR", help="folder to write to")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs it; the exit code."""
    from bottomup.compare.comparison import compare
    from bottomup.compare.markdown import as_markdown

    settings = _settings(options)
    report = compare(settings, progress=True)
    print(as_markdown(report))
    say(f"the page is {Path(settings.out) / 'index.html'}")
    return FINE


def _settings(options: argparse.Namespace) -> Any:
    """The file's settings with those of the options in place."""
    import json

    from bottomup.compare.settings import CompareSettings
    from bottomup.settings import load_settings

    config, overrides = options.config, list(options.overrides)
    if config is not None and "=" in config:
        config, overrides = None, [config, *overrides]
    names = ("gt", "images", "levels", "metric", "pictures", "out")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if options.systems or options.results:
        given["systems"] = _systems(options.systems or (), options.results or (), options.names)
    elif options.names:
        raise SettingsError("--names are given without --systems or --results; name what they are of")
    overrides += [f"{name}={json.dumps(value)}" for name, value in given.items()]
    return load_settings(CompareSettings, config, overrides)


def _systems(weights: Sequence[str], results: Sequence[str], names: Sequence[str] | None) -> list[dict[str, str]]:
    """The systems of the command line; without names they are called as their files are."""
    files = [("weights", file) for file in weights] + [("results", file) for file in results]
    if names is None:
        names = _short_names([file for _, file in files])
    if len(names) != len(files):
        raise SettingsError(f"{len(names)} --names for {len(files)} systems; give each system one")
    return [{"name": name, kind: file} for name, (kind, file) in zip(names, files, strict=True)]


def _short_names(files: Sequence[str]) -> list[str]:
    """File names without suffix; the whole path where two are alike."""
    stems = [Path(file).stem for file in files]
    return [stem if stems.count(stem) == 1 else file for stem, file in zip(stems, files, strict=True)]
