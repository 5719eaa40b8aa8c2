"""What each choice of the top-down road is worth: `python benchmarks/topdown_ablations.py --out runs/ablations`.

Every training variant goes on from the same weights with equally many steps on the same pictures, in crops of 96 x 128;
each is judged in the labelled boxes and in the detector's. Then the ways of reading maps, on the weights as they are.
AP with its 95 % interval (bootstrap over pictures). Variants that are already in the folder are not trained again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from variants import trained

if TYPE_CHECKING:
    from bottomup.roads.given import GivenBoxes

SMALL = (96, 128)  # width and height of crops
VARIANTS: dict[str, tuple[str, ...]] = {  # overrides of configs/topdown.yaml
    "labelled boxes": (),
    "detections": ("boxes",),
    "proposals": ("boxes",),
    "OHKM, 8 joints": ("topdown.hard=8",),
    "hard samples, OKS < 0.8": ("judge",),
}
READINGS: dict[str, dict[str, Any]] = {
    "highest cell": {"refine": "none"},
    "quarter offset": {"refine": "quarter"},
    "DARK": {"refine": "dark"},
    "DARK, flip": {"refine": "dark", "flip": True},
}


def main() -> None:
    """Trains, judges and prints."""
    options = _parser().parse_args()
    from bottomup.roads.given import detections, labelled

    options.out.mkdir(parents=True, exist_ok=True)
    boxes = {"labelled": labelled(options.dev), "detected": detections(written(options, "dev", options.dev, False))}
    print(f"{'':28s}" + "".join(f"{name + ' boxes':>28s}" for name in boxes))
    for name in VARIANTS:
        print(f"{name:28s}" + "".join(ap(weights_of(name, options), options, b, size=SMALL) for b in boxes.values()))
    for name, settings in READINGS.items():
        print(f"{name:28s}" + "".join(ap(options.weights, options, b, **settings) for b in boxes.values()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/ablations"), help="folder of runs and boxes")
    parser.add_argument("--weights", type=Path, default=Path("bottomup/weights/topdown.safetensors"))
    parser.add_argument("--detector", type=Path, default=Path("bottomup/weights/detector.safetensors"))
    parser.add_argument("--labels", default="../shared/data/coco/train416.json", help="pictures to train on")
    parser.add_argument("--dev", default="../shared/data/coco/dev.json", help="pictures to judge on")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--threads", type=int, default=1)
    return parser


def written(options: argparse.Namespace, name: str, labels: str, proposals: bool) -> Path:
    """The detector's boxes of labelled pictures, or its proposals, as a file."""
    from bottomup.data.coco import read_coco
    from bottomup.files.coco_results import write_coco_results
    from bottomup.roads.box_evaluation import detections_of
    from bottomup.roads.detector import load_detector

    path: Path = options.out / f"{name}-{'proposals' if proposals else 'detections'}.json"
    if not path.exists():
        detector = load_detector(options.detector)
        write_coco_results(path, detections_of(detector, read_coco(labels), proposals=proposals))
    return path


def weights_of(name: str, options: argparse.Namespace) -> Path:
    """The weights of one variant."""
    return trained(name, options.out, "configs/topdown.yaml", overrides(name, options))


def overrides(name: str, options: argparse.Namespace) -> Iterator[str]:
    """What the variant changes in the settings."""
    boxes = ""
    for change in VARIANTS[name]:
        if change == "boxes":
            boxes = f", boxes: {written(options, 'train', options.labels, name == 'proposals')}"
        elif change == "judge":
            yield f"topdown.judge={options.weights}"
        else:
            yield change
    yield f"sets=[{{labels: {options.labels}, weight: 1.0, least_joints: 4{boxes}}}]"
    yield f"phases=[{{size: {SMALL[1]}, batch: 32, share: 1.0}}]"
    yield f"road={{size: {list(SMALL)}, mean: [127, 127, 127], std: [128, 128, 128]}}"
    yield from (f"steps={options.steps}", f"start={options.weights}", "adopt=[]", f"threads={options.threads}")


def ap(weights: Path, options: argparse.Namespace, boxes: GivenBoxes, **settings: Any) -> str:
    """AP and its interval in these boxes."""
    from bottomup.roads.evaluation import evaluate
    from bottomup.roads.predictor import load

    report = evaluate(load(weights, "cpu", boxes=boxes, **settings), options.dev)
    low, high = report.interval
    return f"{report.numbers['AP']:10.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
