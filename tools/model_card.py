"""Writes the model card of a weights file beside it: what it is, what it saw, how good it is.

    python tools/model_card.py bottomup/weights/default.safetensors --data dev.json --levels official panoptic

Every figure is measured while the card is written, and put into the README too, between the marks
`<!-- figures -->` and `<!-- end of figures -->`; the words about weaknesses come from --weak.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

VARIANTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("single scale, no flip", {}),
    ("flip and scales 0.75, 1, 1.5", {"flip": True, "scales": (0.75, 1.0, 1.5)}),
    ("grouped by PAFs alone", {"evidence": "pafs"}),
    ("grouped by tags alone", {"evidence": "tags"}),
    ("grouped without the body prior", {"prior": False}),
    ("joints without a peak left out", {"fill": False}),
)
MARKS = ("<!-- figures -->", "<!-- end of figures -->")
OPTIONS = {
    "flip": lambda value: "--flip",
    "scales": lambda value: "--scales " + " ".join(f"{s:g}" for s in value),
    "evidence": lambda value: f"--evidence {value}",
    "prior": lambda value: "--no-prior",
    "fill": lambda value: "--no-fill",
}


def main() -> None:
    """Measures and writes the card."""
    options = _parser().parse_args()
    from bottomup.files.weights import read_weights

    path = Path(options.weights)
    tensors, header = read_weights(path)
    figures = _figures(path, options)
    text = "\n\n".join(
        (
            f"# {path.name}: bottom-up, {header['network']['name']}, {header['skeleton']['name']}",
            _what(path, tensors, header),
            "## What it was trained on\n\n" + _sources(header) + "\n\n" + Path(options.licences).read_text().strip(),
            "## Recipe\n\n" + _recipe(header),
            "## How good it is\n\n" + figures,
            "## What it is bad at\n\n" + Path(options.weak).read_text().strip(),
        )
    )
    path.with_suffix(".md").write_text(text + "\n", encoding="utf-8")
    print(text)
    _put_between_marks(Path(options.readme), figures)


def _put_between_marks(path: Path, figures: str) -> None:
    before, rest = path.read_text(encoding="utf-8").split(MARKS[0])
    _, after = rest.split(MARKS[1])
    path.write_text(f"{before}{MARKS[0]}\n{figures}\n{MARKS[1]}{after}", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("--data", required=True, help="COCO keypoint file to judge on")
    parser.add_argument("--levels", nargs="*", default=[], help="annotation levels of the headline")
    parser.add_argument("--licences", default="docs/data-licences.md", help="text about the data's licences")
    parser.add_argument("--weak", default="docs/weaknesses.md", help="text about what it is bad at")
    parser.add_argument("--readme", default="README.md", help="file whose figures are replaced")
    return parser


def _what(path: Path, tensors: dict[str, Any], header: dict[str, Any]) -> str:
    counted = sum(t.numel() for name, t in tensors.items() if "running" not in name)
    size = path.stat().st_size / 1e6
    road = header["road"]
    return (
        f"{counted / 1e6:.2f} M parameters, {size:.1f} MB in half precision. Heatmaps of "
        f"{len(header['skeleton']['joints'])} joints, PAFs of {len(header['skeleton']['limbs'])} limbs and tags at "
        f"stride 4; pictures are run at long side {road['long_side']}. Settings travel in the file's header."
    )


def _sources(header: dict[str, Any]) -> str:
    rows = ["| labels | share of draws | v = 0 means | confidence |", "| --- | --- | --- | --- |"]
    sets = header["training"]["settings"]["sets"]
    total = sum(s["weight"] for s in sets)
    for s in sets:
        share = f"{s['weight'] / total:.2f}"
        rows.append(f"| {Path(s['labels']).name} | {share} | {s['unlabelled']} | {s['confidence']:g} |")
    return "\n".join(rows)


def _recipe(header: dict[str, Any]) -> str:
    training = header["training"]
    settings = training["settings"]
    phases = ", then ".join(f"{p['size']} px in batches of {p['batch']}" for p in settings["phases"])
    start = settings["start"] if settings["start"] in ("imagenet", "random") else "the weights of an earlier run"
    ran = "`python train.py` with the settings in the header of the file, a stage of `configs/default.yaml`"
    movers = "AdamW, with Muon for kernels" if settings["optimiser"].get("kernels") else "AdamW"
    lines = [f"Start: {start}. {training['steps']} steps of {movers}: {phases}. {ran}."]
    lines += [f"Before that: {source}." for source in training["sources"]]
    return "\n".join(lines)


def _figures(path: Path, options: argparse.Namespace) -> str:
    rows = ["| pictures | way | AP | 95 % interval | AP50 | APm | APl | AR |", "| --- " * 8 + "|"]
    for levels in (options.levels, []):
        for name, changes in VARIANTS:
            rows.append(_figure_row(path, options.data, levels, name, changes))
    flags = " ".join(f"`{OPTIONS[key](value)}`" for _, changes in VARIANTS for key, value in changes.items())
    command = f"python -m bottomup evaluate --data {Path(options.data).name}"
    chosen = f" --levels {' '.join(options.levels)}" if options.levels else ""
    return "\n".join(rows) + f"\n\nBy `{command}{chosen}`, with {flags} for the other rows."


def _figure_row(path: Path, data: str, levels: list[str], name: str, changes: dict[str, Any]) -> str:
    from bottomup.roads.evaluation import evaluate
    from bottomup.roads.predictor import load

    report = evaluate(load(path, "auto", **changes), data, levels=levels)
    n, (low, high) = report.numbers, report.interval
    figures = " | ".join(f"{n[key]:.3f}" for key in ("AP50", "APm", "APl", "AR"))
    chosen = f"{report.pictures} of {', '.join(levels)}" if levels else f"all {report.pictures}"
    return f"| {chosen} | {name} | {n['AP']:.3f} | {low:.3f} to {high:.3f} | {figures} |"


if __name__ == "__main__":
    main()
