"""Time of the top-down road, split into detector, crops, network and decoding: `python benchmarks/topdown.py`.

Medians over rounds on one photograph, for 1, 5 and 20 people: the detector runs on the photograph, then that many
boxes of people, spread over it, take the place of those it found. Where weights are not named and the package has
none, networks with random weights stand in (times are the same, people are not).
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from bottomup.core import Boxes
    from bottomup.roads.topdown import Detector, TopDown

STAGES = ("detector", "crops", "network", "decoding")
WARM_UP = 2  # rounds
SHAPE = 2.5  # height of a person's box in widths


def main() -> None:
    """Measures and prints the table."""
    options = _parser().parse_args()
    import torch

    from bottomup.files.images import read_image
    from bottomup.roads.runtime import run_by

    torch.set_num_threads(options.threads)
    road, what = road_and_name(options.weights, options.detector)
    road.crops_at_once = options.crops or road.crops_at_once
    runtime = run_by(road, options.runtime)
    image = read_image(options.picture)
    print(f"{what}; picture of {image.shape[1]} x {image.shape[0]} pixels, ", end="")
    print(f"crops of {road.settings.size[0]} x {road.settings.size[1]}, {road.crops_at_once} at once, ", end="")
    print(f"{road.device} by {runtime}, {options.threads} threads, torch {torch.__version__}")
    print(f"{'people':>8s}" + "".join(f"{stage:>12s}" for stage in (*STAGES, "all")) + "   ms a picture")
    for people in options.people:
        print(row(people, medians(road, image, spread(people, image.shape[1], image.shape[0]), options.rounds)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", default=str(Path(__file__).parent.parent / "examples" / "classroom.jpg"))
    parser.add_argument("--weights", metavar="FILE", help="top-down weights (default: the package's)")
    parser.add_argument("--detector", metavar="FILE", help="detector's weights (default: the package's)")
    parser.add_argument("--runtime", choices=("auto", "torch", "onnxruntime", "openvino"), default="torch")
    parser.add_argument("--people", type=int, nargs="+", default=(1, 5, 20), metavar="N")
    parser.add_argument("--crops", type=int, metavar="N", help="crops in a network batch (default: the road's)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="threads of the network")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="how often each number of people is run")
    return parser


def road_and_name(weights: str | None, detector: str | None) -> tuple[TopDown, str]:
    """The road on the CPU, and what runs in it."""
    from bottomup.errors import InputError
    from bottomup.files.weights import default_weights
    from bottomup.roads.predictor import load

    try:
        files = weights or default_weights("topdown"), detector or default_weights("detector")
    except InputError:
        return random_road(), "random weights"
    predictor = load(files[0], "cpu", detector=files[1])
    return predictor.road, str(predictor)  # type: ignore[return-value]


def random_road() -> TopDown:
    """The default networks as they are before training."""
    from bottomup.core import COCO17
    from bottomup.nets import build
    from bottomup.roads.crops import CropNetwork, TopDownSettings
    from bottomup.roads.detector import Detector, DetectorSettings
    from bottomup.roads.topdown import TopDown

    settings = TopDownSettings(least=None, same=1.0)
    finder = Detector(build("detector_mobile"), DetectorSettings())  # type: ignore[arg-type]
    return TopDown([CropNetwork(build("cpn_mobile"), COCO17, settings)], detector=finder)


def spread(people: int, width: int, height: int) -> Boxes:
    """Boxes of people side by side in as many rows as keep them large."""
    from bottomup.core import Boxes

    rows = max(1, round((people * height / (SHAPE * width)) ** 0.5))
    columns = -(-people // rows)
    tall = min(height / rows, SHAPE * width / columns)
    place = np.arange(people)
    middle = np.stack(((place % columns + 0.5) * width / columns, (place // columns + 0.5) * height / rows), 1)
    half = np.array([tall / SHAPE, tall]) / 2
    return Boxes(np.hstack((middle - half, middle + half)), np.ones(people))


def medians(road: TopDown, image: np.ndarray, boxes: Boxes, rounds: int) -> dict[str, float]:
    """Seconds in each stage."""
    finder = road.detector
    road.detector = replaced(finder, boxes)
    runs = []
    for _ in range(WARM_UP + rounds):
        road.clock.seconds.clear()
        road([image])
        runs.append(dict(road.clock.seconds))
    road.detector = finder
    return {stage: statistics.median(run.get(stage, 0.0) for run in runs[WARM_UP:]) for stage in STAGES}


def replaced(detector: Detector | None, boxes: Boxes) -> Detector:
    """A detector that does its work and says something else."""

    def detect(images: Sequence[np.ndarray]) -> list[Boxes]:
        if detector is not None:
            detector(images)
        return [boxes] * len(images)

    return detect


def row(people: int, seconds: dict[str, float]) -> str:
    """One line of the table, in milliseconds."""
    return f"{people:8d}" + "".join(f"{1000 * value:12.1f}" for value in (*seconds.values(), sum(seconds.values())))


if __name__ == "__main__":
    main()
