"""How long judging takes: COCO keypoint numbers of generated people, ours beside pycocotools alone.

python benchmarks/evaluation.py --images 5000 --people 20 --plain 200

`--plain` pictures are also judged by pycocotools without our OKS and matching, and the numbers compared.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bottomup.metrics.coco import coco_keypoint_numbers

Entry = dict[str, Any]


def main() -> None:
    """Makes people, judges them, and prints seconds of processor time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--people", type=int, default=20, help="in a picture, true and found")
    parser.add_argument("--plain", type=int, default=200, help="pictures for pycocotools alone")
    options = parser.parse_args()
    truth, results = made(options.images, options.people)
    numbers, seconds = timed(lambda: coco_keypoint_numbers(truth, results))
    print(f"{options.images} pictures x {options.people} people: {seconds:.2f} s, AP {numbers['AP']:.4f}")
    few, found = made(options.plain, options.people)
    ours, seconds = timed(lambda: list(coco_keypoint_numbers(few, found).values()))
    theirs, plain_seconds = timed(lambda: plain(few, found))
    difference = np.abs(np.array(ours) - theirs).max()
    print(f"{options.plain} pictures: {seconds:.2f} s, pycocotools alone {plain_seconds:.2f} s ", end="")
    print(f"(x {plain_seconds / seconds:.1f}); numbers differ by at most {difference:.1e}")


def timed(work: Any) -> tuple[Any, float]:
    """What the work gives, and its processor time: others on the machine do not count."""
    start = time.process_time()
    return work(), time.process_time() - start


def made(images: int, people: int) -> tuple[Entry, list[Entry]]:
    """Pictures of labelled people, four of five joints labelled, and of people found at them more or less well."""
    random = np.random.default_rng(0)
    shape = random.uniform(0, 1, (17, 2))
    annotations, results = [], []
    for image in range(images):
        for _ in range(people):
            corner, size = random.uniform(0, 1000, 2), random.uniform(30, 300)
            joints = corner + size * (shape + random.normal(0, 0.05, (17, 2)))
            flags = np.where(random.random(17) < 0.8, 2.0, 0.0)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": 1,
                    "iscrowd": 0,
                    "num_keypoints": int(np.count_nonzero(flags)),
                    "keypoints": np.column_stack([joints, flags]).ravel().tolist(),
                    "bbox": [*corner.tolist(), size, size],
                    "area": 0.6 * size**2,
                }
            )
            found = joints + random.normal(0, 0.06, (17, 2)) * size * random.uniform(0.2, 1.2)
            keypoints = np.column_stack([found, np.ones(17)]).ravel().tolist()
            results.append({"image_id": image, "category_id": 1, "keypoints": keypoints, "score": random.random()})
    return {
        "images": [{"id": n} for n in range(images)],
        "annotations": annotations,
        "categories": [{"id": 1}],
    }, results


def plain(truth: Entry, results: list[Entry]) -> np.ndarray:
    """The ten numbers by pycocotools alone."""
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = truth
        reference.createIndex()
        run = COCOeval(reference, reference.loadRes(results), "keypoints")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run.stats


if __name__ == "__main__":
    main()
