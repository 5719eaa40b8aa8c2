"""The losses of 50 steps are those that are stored: nothing between pictures and weights has changed unnoticed.

After a change that is meant to change them: python -m tests.training.test_stored_losses
"""

from __future__ import annotations

import json
import platform
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from bottomup.training.loop import train
from tests.training.small import Losses, settings, write_set

STORED = Path(__file__).with_suffix(".json")
STEPS = 50
HERE, ELSEWHERE = 1e-6, 1e-4  # relative; between vector instruction sets of one CPU 2.5e-6 were measured


def made_with() -> dict[str, str]:
    """What the last digits depend on."""
    return {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "machine": platform.machine(),
    }


def found(folder: Path) -> list[dict[str, float]]:
    """Losses of 50 steps in float32 on one thread."""
    log = Losses()
    train(settings(folder / "out", write_set(folder), steps=STEPS, save_every=STEPS), log)
    return [log.found[step] for step in range(STEPS)]


def test_fifty_steps_have_the_stored_losses(tmp_path):
    """To 1e-6 with the versions and instructions that they were stored with; others round sums in other orders."""
    stored = json.loads(STORED.read_text())
    losses = found(tmp_path)
    assert len(losses) == len(stored["losses"]) == STEPS
    allowed = HERE if stored["made_with"] == made_with() else ELSEWHERE
    for step, (now, before) in enumerate(zip(losses, stored["losses"], strict=True)):
        assert now == pytest.approx(before, rel=allowed, abs=allowed * 1e-2), f"step {step}"
    assert losses[-1]["total"] < losses[0]["total"]


def main() -> None:
    """Stores the losses anew."""
    with tempfile.TemporaryDirectory() as folder:
        content = {"made_with": made_with(), "losses": found(Path(folder))}
    STORED.write_text(json.dumps(content, indent=1) + "\n")
    print(f"{STORED}: {STEPS} steps, total {content['losses'][0]['total']:.6f} to {content['losses'][-1]['total']:.6f}")


if __name__ == "__main__":
    main()
