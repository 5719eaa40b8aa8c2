"""Time per photograph, split into read, network, grouping and write: `python benchmarks/infer.py examples`.

Medians over pictures run one after the other, after a warm-up; then the same pictures as a folder run,
where the stages overlap.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bottomup.roads.predictor import Predictor

STAGES = ("read", "network", "grouping", "write")
WARM_UP = 2  # pictures; the first ones also compile the grouping kernels


def main() -> None:
    """Measures and prints the table."""
    options = _parser().parse_args()
    import torch

    import bottomup
    from bottomup.files.images import find_images

    torch.set_num_threads(options.threads)
    paths = [image.path for image in find_images([options.folder])] * options.rounds
    predictor = bottomup.load(options.weights, options.device, long_side=options.long_side)
    with tempfile.TemporaryDirectory() as folder:
        for path in paths[:WARM_UP]:
            seconds_by_stage(predictor, path, Path(folder))
        runs = [seconds_by_stage(predictor, path, Path(folder)) for path in paths]
        overlapped = seconds_of_folder_run(predictor, options.folder, Path(folder) / "run")
    pictures = len(paths) // options.rounds
    print(f"{pictures} pictures x {options.rounds}, long side {options.long_side}, ", end="")
    print(f"{predictor.device}, {options.threads} threads, torch {torch.__version__}")
    print(table(runs))
    print(f"folder run, stages overlapping: {1000 * overlapped / pictures:.1f} ms a picture")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="pictures to run")
    parser.add_argument("--weights", metavar="FILE", help="weights file (default: the weights of the package)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="cpu")
    parser.add_argument("--long-side", type=int, default=512, metavar="N")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="threads of the network")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="how often every picture is run")
    return parser


def seconds_by_stage(predictor: Predictor, path: Path, folder: Path) -> dict[str, float]:
    """Seconds that one picture takes in each stage, from file to written results."""
    predictor.clock.seconds.clear()
    people = predictor(path)
    with predictor.clock("write"):
        (folder / "results.json").write_text(json.dumps(people.to_coco(0, file_name=path.name)), encoding="utf-8")
    return dict(predictor.clock.seconds)


def seconds_of_folder_run(predictor: Predictor, pictures: str, out: Path) -> float:
    """Wall seconds of a whole folder run, results written, nothing drawn."""
    from bottomup.roads.pipeline import run_folder

    start = time.perf_counter()
    run_folder(predictor, [pictures], out)
    return time.perf_counter() - start


def table(runs: Sequence[dict[str, float]]) -> str:
    """Rows of stage, median in milliseconds and share of the sum of medians."""
    medians = {stage: statistics.median(run.get(stage, 0.0) for run in runs) for stage in STAGES}
    total = sum(medians.values())
    rows = [f"{stage:10s} {1000 * s:8.1f} ms {100 * s / total:6.1f} %" for stage, s in medians.items()]
    return "\n".join([*rows, f"{'all':10s} {1000 * total:8.1f} ms"])


if __name__ == "__main__":
    main()
