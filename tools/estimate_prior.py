"""Estimates a skeleton's body prior from a COCO keypoint file and writes the table that the package ships.

python tools/estimate_prior.py coco_train_labels.json.gz --out bottomup/core/priors/coco17.npy
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from bottomup.core import SKELETONS
from bottomup.data.coco import is_region, load_json


def main() -> None:
    """Estimates and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path, help="COCO keypoint file, gzipped or not")
    parser.add_argument("--skeleton", choices=sorted(SKELETONS), default="coco17")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    people = [a["keypoints"] for a in load_json(options.labels)["annotations"] if not is_region(a)]
    joints = np.array(people, np.float64).reshape(len(people), -1, 3)
    prior = SKELETONS[options.skeleton].with_prior(joints).prior
    options.out.parent.mkdir(parents=True, exist_ok=True)
    np.save(options.out, prior)
    print(f"{len(joints)} people -> {options.out}, {options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
