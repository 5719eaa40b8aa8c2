"""Forward times of networks that take turns in one run, and what the parts of the default network cost.

python benchmarks/network.py                      MSPAF against PAF at 368 x 368, then the default network
python benchmarks/network.py --device cuda --bf16

Networks run as roads run them: in eval, batch norms folded into convolutions, channels last. Medians
over rounds in which all take turns; the ratio is the median of the ratios within rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from bottomup.nets import build
from bottomup.roads.fusion import fused

SIZE, DEFAULT_SIZE = 368, 384
WARM_UP = 2


def main() -> None:
    """Measures and prints both tables."""
    options = _parser().parse_args()
    torch.set_num_threads(options.threads)
    print(f"{options.device}, {options.threads} threads, bf16 {options.bf16}, torch {torch.__version__}")
    with torch.inference_mode(), torch.autocast(options.device, torch.bfloat16, enabled=options.bf16):
        compare_pafs(options)
        split_default(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    parser.add_argument("--rounds", type=int, default=9, metavar="N")
    parser.add_argument("--bf16", action="store_true", help="bfloat16 arithmetic")
    return parser


def compare_pafs(options: argparse.Namespace) -> None:
    """PAF with six stages against MSPAF with three."""
    image = picture(SIZE, options.device)
    runs = [
        forward(made("paf", image, joints=18, limbs=19), image),
        forward(made("mspaf", image, joints=18, limbs=19), image),
    ]
    paf, mspaf = rounds(runs, options)
    print(f"PAF, 6 stages, {SIZE} x {SIZE}: {1e3 * statistics.median(paf):8.1f} ms")
    print(f"MSPAF, 3 stages:        {1e3 * statistics.median(mspaf):8.1f} ms")
    print(f"PAF / MSPAF: {statistics.median(a / b for a, b in zip(paf, mspaf, strict=True)):.2f}")


def split_default(options: argparse.Namespace) -> None:
    """The default network's backbone, and all that comes after it as a multiple of the backbone."""
    image = picture(DEFAULT_SIZE, options.device)
    network = made("mspaf_mobile", image)
    backbone, whole = rounds([forward(network.backbone, image), forward(network, image)], options)  # type: ignore[arg-type]
    print(f"default network, {DEFAULT_SIZE} x {DEFAULT_SIZE}: {1e3 * statistics.median(whole):.1f} ms, ", end="")
    print(f"of which backbone {1e3 * statistics.median(backbone):.1f} ms")
    rest = statistics.median((b - a) / a for a, b in zip(backbone, whole, strict=True))
    print(f"after the backbone / backbone: {rest:.2f}")


def picture(size: int, device: str) -> Tensor:
    """Noise as a picture (1, 3, size, size), channels last."""
    noise = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    return noise.to(device).contiguous(memory_format=torch.channels_last)


def made(name: str, image: Tensor, **options: int) -> nn.Module:
    """A network as roads run it, with random weights."""
    network = build(name, **options).to(image.device).eval()
    multiple = int(network.multiple)  # type: ignore[arg-type]
    network = fused(network, image[..., :multiple, :multiple].contiguous())
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def forward(network: nn.Module, image: Tensor) -> Callable[[], None]:
    """One pass, complete when it returns."""

    def run() -> None:
        network(image)
        if image.is_cuda:
            torch.cuda.synchronize()

    return run


def rounds(runs: list[Callable[[], None]], options: argparse.Namespace) -> list[list[float]]:
    """Seconds of every run in every round, in which they take turns."""
    times: list[list[float]] = [[] for _ in runs]
    for turn in range(WARM_UP + options.rounds):
        for run, spent in zip(runs, times, strict=True):
            begin = time.perf_counter()
            run()
            if turn >= WARM_UP:
                spent.append(time.perf_counter() - begin)
    return times


if __name__ == "__main__":
    main()
