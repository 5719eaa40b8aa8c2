"""How well perfect maps of real arrangements are grouped: AP by PAFs, by tags and by both.

python benchmarks/real_layouts.py --labels coco_train_labels.json.gz --images 2000

The labelled joints of random pictures, scaled to a long side of 640, are encoded at stride 4 as
training does; whatever AP is missing was lost by encoding (joints of several people in one cell) or
by grouping.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from bottomup.core import COCO17, People, Warp
from bottomup.data.coco import is_region, load_json
from bottomup.grouping import group
from bottomup.metrics.coco import coco_keypoint_numbers
from bottomup.targets.encode import encode_people

Record = dict[str, Any]
LONG_SIDE, STRIDE, SIGMA = 640, 4, 1.75
EVIDENCE = {"pafs": (True, False), "tags": (False, True), "both": (True, True)}


def main() -> None:
    """Encodes, groups, judges, and prints one line an evidence."""
    options = _parser().parse_args()
    truth = load_json(options.labels)
    images, annotations = chosen(truth, options.images, options.seed)
    skeleton = COCO17 if options.no_prior else COCO17.with_shipped_prior()
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in EVIDENCE}
    for image in tqdm(images, unit="picture", leave=False):
        to_cells, size = cells_of(image)
        maps = encode_people([people_of(annotations[image["id"]]).warp(to_cells)], size, sigma=SIGMA)[0]
        for name, (pafs, tags) in EVIDENCE.items():
            evidence = {"pafs": maps.pafs if pafs else None, "tags": maps.tags if tags else None}
            found = group(maps.heatmaps, **evidence, skeleton=skeleton, sigma=SIGMA).warp(to_cells.inverse())
            results[name] += found.to_coco(image["id"])
    kept = {"images": images, "annotations": [a for image in images for a in annotations[image["id"]]]}
    for name, entries in results.items():
        numbers = coco_keypoint_numbers(truth | kept, entries)
        print(f"{name} AP {numbers['AP']:.3f}   AP50 {numbers['AP50']:.3f} AR {numbers['AR']:.3f}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True, help="COCO keypoint file, gzipped or not")
    parser.add_argument("--images", type=int, default=2000, metavar="N", help="random pictures with people")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-prior", action="store_true", help="group without the body prior")
    return parser


def chosen(
    truth: dict[str, Any], count: int, seed: int
) -> tuple[list[dict[str, Any]], dict[int, list[dict[str, Any]]]]:
    """Random images that have labelled people, and the annotations of people by image."""
    annotations = defaultdict(list)
    for annotation in truth["annotations"]:
        if not is_region(annotation):
            annotations[annotation["image_id"]].append(annotation)
    images = [image for image in truth["images"] if image["id"] in annotations]
    order = np.random.default_rng(seed).permutation(len(images))[:count]
    return [images[i] for i in sorted(order)], annotations


def cells_of(image: dict[str, Any]) -> tuple[Warp, tuple[int, int]]:
    """From a picture's pixels to map cells, and the map's size (height, width)."""
    ratio = LONG_SIDE / max(image["width"], image["height"])
    size = (int(np.ceil(image[side] * ratio / STRIDE)) for side in ("height", "width"))
    return Warp.cells(STRIDE) @ Warp.resize(ratio), tuple(size)  # type: ignore[return-value]


def people_of(annotations: Sequence[dict[str, Any]]) -> People:
    """The labelled joints of the people, score 1 where labelled."""
    joints = np.array([a["keypoints"] for a in annotations], np.float32).reshape(-1, len(COCO17), 3)
    joints[..., 2] = joints[..., 2] > 0
    return People(joints, np.ones(len(joints), np.float32), COCO17)


if __name__ == "__main__":
    main()
