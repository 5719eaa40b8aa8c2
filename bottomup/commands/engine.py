"""The options that say which engine moves the pictures, and a run on a cluster."""

from __future__ import annotations

import argparse
from collections import Counter
from functools import partial

from bottomup.commands.road import asked_of
from bottomup.errors import SettingsError


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """This process or Ray, and with how many workers."""
    engines = parser.add_argument_group("engine")
    engines.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="ray: on a cluster, also over lists (.txt), tar shards and Parquet files",
    )
    engines.add_argument("--workers", type=int, metavar="N", help="ray: workers (default: one a core, or a GPU)")
    engines.add_argument("--address", metavar="HOST:PORT", help="ray: cluster (default: RAY_ADDRESS, or a local one)")
    engines.add_argument("--rows", choices=("jsonl", "parquet"), help="also write OUT/rows.*, one row a picture")


def run_on_cluster(options: argparse.Namespace) -> Counter[str]:
    """Runs `infer --engine ray`; the counts of ok, empty, error and people."""
    if options.draw:
        raise SettingsError("--draw is for --engine local; leave it out")
    if options.workers is not None and options.workers < 1:
        raise SettingsError(f"--workers is {options.workers}, it must be at least 1")
    from bottomup.roads.predictor import Predictor, load
    from bottomup.roads.ray_engine import run_ray

    asked = asked_of(options)
    here = load(**asked | {"runtime": "torch", "precision": "float32"})
    described = Predictor(here.road, *here.files, runtime=asked["runtime"], precision=asked["precision"])
    how = {"workers": options.workers, "address": options.address, "rows": options.rows}
    make = partial(load, **asked)
    return run_ray(make, described, options.inputs, options.out, overwrite=options.overwrite, progress=True, **how)
