"""The whole road from label files of several data sets to AP, on few pictures: `python benchmarks/overfit.py`.

The native samples of MPII, PoseTrack, CrowdPose and JHMDB are merged, learned by heart as `configs/overfit.yaml` says,
and looked for again: AP on all pictures, and PCKh on people who are labelled with a head box. Both must come near 1.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from commands import merge, run

SETS = ("mpii", "posetrack18", "crowdpose", "jhmdb")


def main() -> None:
    """Merges, trains and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=Path, default=Path("../shared/data/native"), help="folder of native samples")
    parser.add_argument("--config", default="configs/overfit.yaml")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="settings in place of the file's")
    options = parser.parse_args()
    labels = merge(Path("runs/native"), {name: options.samples / name for name in SETS}, "--split", "all", "--skip-bad")
    run("train", options.config, *options.overrides)
    weights = next((text[4:] for text in options.overrides if text.startswith("out=")), "runs/overfit")
    print_numbers(Path(weights) / "weights.safetensors", labels)


def print_numbers(weights: Path, labels: Path) -> None:
    """AP on all pictures of the labels, PCKh on those whose people all have head boxes."""
    from bottomup.data.coco import read_coco
    from bottomup.metrics.coco import coco_keypoint_numbers
    from bottomup.metrics.mpii import evaluate_pckh
    from bottomup.roads.predictor import load

    predictor, truth = load(weights, "cpu"), json.loads(labels.read_text())
    results: list[dict[str, Any]] = []
    for sample in read_coco(labels):
        results += predictor(sample.load()).to_coco(sample.image_id)
    numbers = coco_keypoint_numbers(truth, results)
    print(f"AP {numbers['AP']:.3f}, AP50 {numbers['AP50']:.3f} on {len(truth['images'])} pictures")
    headed = with_heads(truth)
    seen = {image["id"] for image in headed["images"]}
    pckh = evaluate_pckh(headed, [entry for entry in results if entry["image_id"] in seen])
    means = ", ".join(f"{name} {pckh.mean[name]:.1f}" for name in ("PCKh@0.5", "PCKh@0.1"))
    print(f"{means} on {len(headed['annotations'])} people of {len(seen)} pictures")


def with_heads(truth: dict[str, Any]) -> dict[str, Any]:
    """The pictures of which somebody has a head box, and those people."""
    people = [a for a in truth["annotations"] if "bbox_head" in a and not a.get("ignore")]
    seen = {a["image_id"] for a in people}
    return truth | {"images": [image for image in truth["images"] if image["id"] in seen], "annotations": people}


if __name__ == "__main__":
    main()
