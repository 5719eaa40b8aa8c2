"""Weights files: safetensors whose header says how to build and run the system. Checkpoints of PyTorch are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bottomup.errors import InputError
from bottomup.files.atomic import replacing

if TYPE_CHECKING:
    from torch import Tensor, nn

FORMAT = 1
_KEY = "bottomup"  # safetensors metadata is text to text: the whole header is JSON under this one key


def save_weights(
    path: str | Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any], *, half: bool = False
) -> None:
    """Writes tensors and header (nested dict that JSON can hold), replacing `path` as a whole.

    half: store floating tensors as float16. Raises ValueError for a tensor that float16 cannot hold
    and for a header without `format`, TypeError for a header that JSON cannot hold.
    """
    from safetensors.torch import save

    if header.get("format") != FORMAT:
        raise ValueError(f"the header's format is {header.get('format')!r}, this version writes {FORMAT}")
    stored = {name: _stored(name, tensor, half) for name, tensor in tensors.items()}
    content = save(stored, {_KEY: json.dumps(header)})
    with replacing(path) as file:
        file.write(content)


def tensors_to_keep(network: nn.Module) -> dict[str, Tensor]:
    """A network's tensors but those of use in training alone: batch norms' counters."""
    counters = "num_batches_tracked"
    return {name: tensor for name, tensor in network.state_dict().items() if not name.endswith(counters)}


def _stored(name: str, tensor: Tensor, half: bool) -> Tensor:
    tensor = tensor.detach().cpu()
    if half and tensor.is_floating_point():
        largest = tensor.abs().max().item() if tensor.numel() else 0.0
        if not largest <= 65504:
            raise ValueError(f"tensor {name} reaches {largest}, float16 holds at most 65504; save it with half=False")
        tensor = tensor.half()
    return tensor.contiguous().clone()  # tensors that share memory cannot be stored


def read_weights(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors (floating ones as float32, on the CPU) and header of a weights file.

    Raises InputError that names the file: missing, broken, without header, or of a newer format.
    """
    from safetensors import SafetensorError
    from safetensors.torch import safe_open

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such weights file; check the path")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path}: not a complete safetensors file ({error}); name a file that training wrote, or fetch it again"
        ) from error
    return {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}, _header(path, metadata)


def _header(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    if _KEY not in metadata:
        raise InputError(f"{path}: weights without a {_KEY!r} header; name a file that training wrote")
    try:
        header = json.loads(metadata[_KEY])
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: its header is not JSON ({error}); fetch the file again") from error
    version = header.get("format") if isinstance(header, dict) else None
    if version != FORMAT:
        raise InputError(f"{path}: weights of format {version!r}, this version reads {FORMAT}; update bottomup")
    return header


def read_checkpoint(path: str | Path) -> Mapping[str, Any]:
    """What a checkpoint of PyTorch (.pth, .pt, .tar) holds, on the CPU. No code in it is run.

    Raises InputError that names the file: missing, broken, or not to be read without running code.
    """
    import pickle

    import torch

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint; check the path")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "Unsupported" not in str(error):
            raise _broken(path, error) from error
        raise InputError(
            f"{path}: holds more than tensors, and reading it would run code from it; save its state dict alone"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise _broken(path, error) from error
    if not isinstance(content, Mapping):
        raise InputError(f"{path}: holds a {type(content).__name__}, not tensors by name; save its state dict alone")
    return content


def _broken(path: Path, error: Exception) -> InputError:
    first = str(error).strip().splitlines()[:1]
    return InputError(f"{path}: not a complete checkpoint of PyTorch ({' '.join(first)}); fetch it again")


def default_weights(name: str = "default") -> Path:
    """The file of weights that come with the package; raises InputError if it is absent."""
    from importlib.resources import files

    path = Path(str(files("bottomup") / "weights" / f"{name}.safetensors"))
    if not path.is_file():
        raise InputError(f"{path}: the {name} weights are missing; install the package again, or name a weights file")
    return path
