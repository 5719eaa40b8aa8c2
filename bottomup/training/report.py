"""Progress of a training run: a line on the screen, metrics.jsonl and TensorBoard files."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class Report:
    """Writes a record every `every` steps into folder/metrics.jsonl, and the same to TensorBoard if installed."""

    def __init__(self, folder: Path, steps: int, every: int = 50) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = open(folder / "metrics.jsonl", "a", encoding="utf-8")  # noqa: SIM115
        self.steps, self.every = steps, every
        self.board = _tensorboard(folder)
        self.sums: dict[str, Tensor | float] = {}
        self.count, self.since, self.first = 0, time.monotonic(), -1

    def step(self, step: int, losses: dict[str, Tensor], rate: float, seconds: float) -> None:
        """Takes note of one step; losses are averaged over `every` steps before they are written."""
        if self.first < 0:
            self.first, self.since = step, time.monotonic()
        for name, loss in (losses | {"seconds": seconds}).items():
            self.sums[name] = self.sums.get(name, 0.0) + loss  # not float(loss), which would wait for the device
        self.count += 1
        if (step + 1) % self.every == 0 or step + 1 == self.steps:
            means = {name: float(total) / self.count for name, total in self.sums.items()}
            self._write(step + 1, means | {"rate": rate})
            self.sums, self.count = {}, 0
            print(f"step {step + 1}/{self.steps}  loss {means['total']:.5f}  {self._left(step + 1)} left", flush=True)

    def judged(self, step: int, numbers: dict[str, float], kept: Path | None) -> None:
        """Takes note of an evaluation on the dev set; kept: where the weights are, if these are the best so far."""
        self._write(step, {f"dev_{name}": value for name, value in numbers.items()} | {"best": float(kept is not None)})
        best = f"  the best so far, kept as {kept}" if kept else ""
        print(f"step {step}: dev " + "  ".join(f"{n} {v:.3f}" for n, v in numbers.items()) + best, flush=True)

    def _write(self, step: int, numbers: dict[str, float]) -> None:
        self.file.write(json.dumps({"step": step, "time": round(time.time(), 1)} | numbers) + "\n")
        self.file.flush()
        if self.board:
            for name, value in numbers.items():
                self.board.add_scalar(name, value, step)

    def _left(self, step: int) -> str:
        per_step = (time.monotonic() - self.since) / max(1, step - self.first - 1)
        minutes = per_step * (self.steps - step) / 60
        return f"{int(minutes // 60)}:{int(minutes % 60):02d} h"


def _tensorboard(folder: Path) -> SummaryWriter | None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        print("TensorBoard files are not written; pip install 'bottomup[train]' brings them", flush=True)
        return None
    return SummaryWriter(str(folder))
