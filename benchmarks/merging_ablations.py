"""What merging data sets is worth, choice by choice: `python benchmarks/merging_ablations.py --out runs/merging`.

COCO, MPII, LSP-extended and the frames of a video are merged from their own layouts, MPII's noses, eyes and ears filled
in by the default weights. Every variant then goes on from the same weights with equally many steps, pictures drawn and
varied alike. AP on the dev set with its 95 % interval, and the difference to the first variant with that of the paired
bootstrap. What is already in the folder is not made again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands import merge, run
from variants import trained

if TYPE_CHECKING:
    from bottomup.metrics.coco import Evaluation

COCO = "{labels: OUT/merged/merged.json, source: coco, weight: 0.6}"
MPII = "{labels: OUT/merged/merged.json, source: mpii, weight: 0.25}"
LSP = "{labels: OUT/merged/merged.json, source: lsp_extended, weight: 0.15}"
VIDEO = "{labels: OUT/video/merged.json, weight: 0.1}"
PSEUDO = (
    "{labels: DATA/voc/voc_train.json, weight: 0.15, unlabelled: unknown, confidence: 0.8}",
    "{labels: DATA/more/openimages_people_coco17.json, weight: 0.15, unlabelled: unknown, confidence: 0.8}",
)
VARIANTS: dict[str, tuple[str, ...]] = {  # the sets that each is trained on
    "merged, what a set lacks masked": (COCO, MPII, LSP),
    "COCO alone": (COCO,),
    "what a set lacks taught as absent": tuple(
        one.replace("merged.json", "unmasked.json") for one in (COCO, MPII, LSP)
    ),
    "MPII's faces filled in": (COCO, MPII.replace("OUT/merged/merged", "OUT/mpii/filled"), LSP),
    "pseudo-labelled pictures added": (COCO, MPII, LSP, *PSEUDO),
    "frames of a PoseTrack video added": (COCO, MPII, LSP, VIDEO),
}
PHASE = "{size: 256, batch: 12, share: 1.0}"


def main() -> None:
    """Merges, fills, trains, judges and prints."""
    options = _parser().parse_args()
    from bottomup.metrics.paired import paired_test

    make_labels(options)
    first: Evaluation | None = None
    print(f"| after {options.steps} steps on | AP | 95 % | difference | 95 % | p |\n|---|--:|--:|--:|--:|--:|")
    for name in VARIANTS:
        report = judged(weights_of(name, options), options)
        first = first or report.evaluation
        test = paired_test(first, report.evaluation)
        own, between = (f"{low:+.3f} to {high:+.3f}" for low, high in (report.interval, test.interval))
        print(f"| {name} | {report.numbers['AP']:.3f} | {own} | {test.difference:+.3f} | {between} | {test.p:.3f} |")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/merging"), help="folder of labels and runs")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="where the data sets are")
    parser.add_argument("--weights", type=Path, default=Path("bottomup/weights/default.safetensors"))
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--threads", type=int, default=1)
    return parser


def make_labels(options: argparse.Namespace) -> None:
    """Writes merged/merged.json, merged/unmasked.json, mpii/filled.json and video/merged.json below `out`."""
    sets = {
        "coco": options.data / "coco/train416.json",
        "mpii": options.data / "mpii/annot/mpii_train_coco.json",
        "lsp_extended": options.data / "lsp_extended/annot/lspe_train_coco.json",
    }
    merged = merge(options.out / "merged", sets)
    unmasked = merged.with_name("unmasked.json")
    if not unmasked.exists():
        unmasked.write_text(json.dumps(without_masks(json.loads(merged.read_text()))))
    merge(options.out / "video", {"posetrack18": options.data / "video/posetrack_bonn"}, "--split", "all")
    mpii, filled = merge(options.out / "mpii", {"mpii": sets["mpii"]}), options.out / "mpii/filled.json"
    if not filled.exists():
        run("annotate", "--data", str(mpii), "--out", str(filled), "--weights", str(options.weights))


def without_masks(content: dict[str, Any]) -> dict[str, Any]:
    """A merged file in which every joint counts as labelled, and one without label as absent."""
    for facts in content["info"]["sets"].values():
        del facts["labelled_joints"]
        facts["unlabelled"] = "absent"
    return content


def weights_of(name: str, options: argparse.Namespace) -> Path:
    """The weights of one variant."""
    sets = ", ".join(VARIANTS[name]).replace("OUT", str(options.out)).replace("DATA", str(options.data))
    changes = [f"sets=[{sets}]", f"steps={options.steps}", f"start={options.weights}", f"threads={options.threads}"]
    return trained(name, options.out, "configs/default.yaml", [*changes, f"phases=[{PHASE}]"])


def judged(weights: Path, options: argparse.Namespace) -> Any:
    """The report of these weights on the dev set."""
    from bottomup.roads.evaluation import evaluate
    from bottomup.roads.predictor import load

    return evaluate(load(weights, "cpu", long_side=448), options.data / "coco/dev.json")


if __name__ == "__main__":
    main()
