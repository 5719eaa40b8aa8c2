"""A batch whose loss is no number, kept for a look at it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from bottomup.errors import DataError
from bottomup.files.atomic import replacing
from bottomup.training.parallel import Group
from bottomup.training.state import Run


def keep_broken_batch(
    error: FloatingPointError, folder: Path, run: Run, pictures: Sequence[int], pieces: Sequence[Any], group: Group
) -> DataError:
    """Writes this process's share of the batch, and the network that saw it; the error that names them.

    The file holds step, pictures (numbers of the examples), batch (tensors of every piece) and network.
    """
    path = folder / ("broken_batch.pt" if group.leads else f"broken_batch_{group.rank}.pt")
    batch = [{name: tensor.cpu() for name, tensor in vars(piece).items()} for piece in pieces]
    content = {"step": run.step, "pictures": list(pictures), "batch": batch, "network": run.network.state_dict()}
    with replacing(path) as file:
        torch.save(content, file)
    return DataError(
        f"{path}: at step {run.step} {error}; the file holds the batch (pictures {pictures[0]} to {pictures[-1]}) and "
        f"the network. Look at its pictures and labels; if they are right, lower optimiser.rate or optimiser.clip, "
        f"or set bf16=false, and start afresh with another `out`"
    )
