"""Pictures per second of every runtime, side by side in one run, and how far each moves the joints.

python benchmarks/runtimes.py examples                    speed, and joints compared with torch
python benchmarks/runtimes.py examples --data dev.json    also AP on a labelled set

The base is the network as training leaves it, in eager torch: float32, batch norms not folded, one picture after the
other on all cores. The others run as folder runs do: pictures side by side, a core each. Pictures are in memory;
resizing, network and grouping count. All take turns; each one's best round counts, since other work only slows.
Core-ms: time of all cores for a picture, which work of others hardly changes where `--threads` is 1.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

import bottomup
from bottomup import People
from bottomup.errors import SettingsError
from bottomup.files.images import find_images, read_image
from bottomup.files.weights import default_weights, read_weights
from bottomup.nets import build
from bottomup.roads.predictor import Predictor
from bottomup.roads.streams import in_order, one_thread_a_stream

WAYS = (("torch", "float32"), ("onnxruntime", "float32"), ("openvino", "float32"), ("openvino", "bfloat16"))
BASE = "torch, eager"


def main() -> None:
    """Measures and prints the tables."""
    options = _parser().parse_args()
    torch.set_num_threads(options.threads)
    images = [read_image(image.path) for image in find_images([options.folder])]
    predictors = loaded(options)
    runs = {name: side_by_side(predictor, images) for name, predictor in predictors.items()}
    runs = {BASE: one_by_one(eager(options), images)} | runs
    best = rounds(runs, len(images), options.rounds)
    print(
        f"{len(images)} pictures, long side {options.long_side}, {options.threads} threads, torch {torch.__version__}"
    )
    truth = predictors["torch"]
    for name, (speed, work) in best.items():
        moved = displacement(truth, predictors[name], images) if name in predictors else ""
        ratio, less = speed / best[BASE][0], best[BASE][1] / work
        print(f"{name:20s} {speed:6.1f} pictures/s x{ratio:.2f}  {1e3 * work:6.1f} core-ms x{less:.2f}  {moved}")
    for name, predictor in predictors.items() if options.data else ():
        print(f"{name:20s} AP {average_precision(predictor, options):.4f}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="pictures to run")
    parser.add_argument("--data", metavar="JSON", help="COCO keypoint file to judge on")
    parser.add_argument("--long-side", type=int, default=512, metavar="N")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    return parser


def loaded(options: argparse.Namespace) -> dict[str, Predictor]:
    """A predictor of every runtime that is installed; those that are not are named."""
    found = {}
    for runtime, precision in WAYS:
        name = runtime if precision == "float32" else f"{runtime} {precision}"
        try:
            found[name] = bottomup.load(device="cpu", runtime=runtime, precision=precision, long_side=options.long_side)
        except SettingsError as error:
            print(f"{name}: {error}")
    return found


def eager(options: argparse.Namespace) -> Predictor:
    """The default system with its network as training leaves it."""
    predictor = bottomup.load(device="cpu", long_side=options.long_side)
    tensors, header = read_weights(default_weights())
    network = build(**header["network"]).eval()
    network.load_state_dict(tensors, strict=False)
    predictor.road.engine.network = lambda images: network(images.contiguous())  # type: ignore[attr-defined]
    return predictor


def one_by_one(predictor: Predictor, images: Sequence[np.ndarray]) -> Callable[[], None]:
    """What runs all pictures one after the other, each on all cores."""
    return lambda: [predictor(image) for image in images] and None


def side_by_side(predictor: Predictor, images: Sequence[np.ndarray]) -> Callable[[], None]:
    """What runs all pictures as a folder run does."""

    def run() -> None:
        with one_thread_a_stream(predictor.device, len(images)) as streams, ThreadPoolExecutor(streams) as pool:
            list(in_order(pool, predictor, images, streams))

    return run


def rounds(runs: dict[str, Callable[[], None]], pictures: int, number: int) -> dict[str, tuple[float, float]]:
    """Pictures per second and core-seconds a picture of every run, each in its best round; the first warms up."""
    best = dict.fromkeys(runs, (0.0, float("inf")))
    for turn in range(number + 1):
        for name, run in runs.items():
            start, busy = time.perf_counter(), time.process_time()
            run()
            speed = pictures / (time.perf_counter() - start)
            work = (time.process_time() - busy) / pictures
            if turn:
                best[name] = (max(best[name][0], speed), min(best[name][1], work))
    return best


def displacement(one: Predictor, other: Predictor, images: Sequence[np.ndarray]) -> str:
    """How far the other's joints lie from the same joints of the one, in pixels."""
    far: list[float] = []
    lost = 0
    for image in images:
        mine, theirs = one(image), other(image)
        moved = joint_distances(mine, theirs)
        lost += (mine.joints[..., 2] > 0).sum() - len(moved)
        far.extend(moved)
    worst = f"median {np.median(far):.4f}, 99 % {np.quantile(far, 0.99):.3f}, most {max(far):.3f} px"
    return f"joints moved: {worst}; {lost} of {len(far) + lost} lost"


def joint_distances(one: People, other: People) -> np.ndarray:
    """Pixels from every joint of the one to the other's same joint of the person that is nearest as a whole."""
    distances: list[np.ndarray] = []
    for person in one.joints:
        seen = (person[:, 2] > 0) & (other.joints[..., 2] > 0)
        apart = np.linalg.norm(other.joints[..., :2] - person[:, :2], axis=-1)
        shared = np.where(seen, apart, np.inf)
        if shared.size:
            nearest = np.where(seen, np.minimum(apart, 1e3), 1e3).mean(1).argmin()
            distances.append(shared[nearest][np.isfinite(shared[nearest])])
    return np.concatenate([np.zeros(0), *distances])


def average_precision(predictor: Predictor, options: argparse.Namespace) -> float:
    """AP on the labelled set."""
    from bottomup.roads.evaluation import evaluate

    return evaluate(predictor, options.data).numbers["AP"]


if __name__ == "__main__":
    main()
