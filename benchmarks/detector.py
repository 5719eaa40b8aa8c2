"""How well and how fast the person detector finds boxes: `python benchmarks/detector.py ../shared/data/coco/dev.json`.

Box AP, recall of people over 64 pixels, milliseconds a picture (median, one by one, read excluded). With --write the
boxes go to a file that `infer --boxes` and `boxes:` of a training set take; with --proposals before suppression.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bottomup.core import Sample
    from bottomup.roads.detector import Detector

MOST = 40  # pictures that are timed


def main() -> None:
    """Measures and prints."""
    options = _parser().parse_args()
    import torch

    from bottomup.data.coco import read_coco
    from bottomup.files.coco_results import write_coco_results
    from bottomup.files.weights import default_weights
    from bottomup.roads.box_evaluation import detections_of, evaluate_boxes
    from bottomup.roads.detector import load_detector

    torch.set_num_threads(options.threads)
    settings = {"long_side": options.long_side} if options.long_side else {}
    detector = load_detector(options.weights or default_weights("detector"), settings=settings)
    samples = read_coco(options.labels, options.images)
    if options.write:
        entries = detections_of(detector, samples, proposals=options.proposals)
        write_coco_results(options.write, entries)
        print(f"{len(entries)} boxes in {len(samples)} pictures: {options.write}")
        return
    for name, levels in (("all pictures", ()), *([(", ".join(options.level), options.level)] if options.level else [])):
        numbers = evaluate_boxes(detector, options.labels, options.images, levels=levels)
        print(f"{name}: " + "  ".join(f"{key} {value:.3f}" for key, value in numbers.items()))
    print(f"{milliseconds(detector, samples[:MOST]):.1f} ms a picture, {options.threads} threads, {detector.settings}")


def milliseconds(detector: Detector, samples: Sequence[Sample]) -> float:
    """Median time of a picture."""
    times = []
    for image in [sample.load() for sample in samples]:
        start = time.perf_counter()
        detector([image])
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", help="COCO file with boxes of people")
    parser.add_argument("--images", metavar="DIR", help="pictures or shards (default: beside the labels)")
    parser.add_argument("--weights", metavar="FILE", help="weights file (default: the package's)")
    parser.add_argument("--level", action="append", default=[], help="also the pictures of this annotation_level alone")
    parser.add_argument("--long-side", type=int, metavar="N", help="of the input (default: as stored in the weights)")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    parser.add_argument("--write", metavar="FILE", help="write the boxes found, and judge nothing")
    parser.add_argument("--proposals", action="store_true", help="write boxes before suppression")
    return parser


if __name__ == "__main__":
    main()
