"""Networks as files that other programs run: ONNX and OpenVINO, of any batch and size."""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bottomup.errors import SettingsError
from bottomup.runtimes.choice import require_packages

INPUT = "images"
SUFFIXES = {"onnx": (".onnx",), "openvino": (".bin", ".xml")}  # the file that is named last is written last
LARGEST = 512  # cells of the coarsest map along a side, and pictures in a batch: what exported models are bounded by


def export(
    module: nn.Module, example: Tensor, path: str | Path, kind: str, *, names: Sequence[str], multiple: int = 32
) -> Path:
    """Writes a module that maps images (B, 3, H, W) to a flat tuple of arrays (B, ...); the file written.

    example: a batch that it takes. kind: "onnx" or "openvino" (an .xml beside which a .bin lies). names: of the
    outputs. multiple: what H and W are multiples of. Raises SettingsError where a package is missing, the file's
    suffix is another, or the module cannot be converted.
    """
    path = Path(path)
    if path.suffix != SUFFIXES[kind][-1]:
        raise SettingsError(f"{path}: a model of kind {kind} is a file that ends in {SUFFIXES[kind][-1]}")
    require_packages("onnx" if kind == "onnx" else "openvino")
    path.parent.mkdir(parents=True, exist_ok=True)
    write = _write_onnx if kind == "onnx" else _write_openvino
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export") as folder, _quiet(), torch.no_grad():
        part = Path(folder) / path.name
        try:
            write(module, example, part, names, multiple)
        except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:  # torch raises all of these
            first = " ".join(str(error).split())[:300]
            raise SettingsError(
                f"{path}: this network cannot be written as {kind} ({first}); run it by torch"
            ) from error
        for suffix in SUFFIXES[kind]:
            os.replace(part.with_suffix(suffix), path.with_suffix(suffix))
    return path


def _write_onnx(module: nn.Module, example: Tensor, path: Path, names: Sequence[str], multiple: int) -> None:
    batch, rows, columns = (torch.export.Dim(name, min=1, max=LARGEST) for name in ("batch", "rows", "columns"))
    shapes: Any = ({0: batch, 2: multiple * rows, 3: multiple * columns},)
    several = torch.cat([example] * (2 if len(example) == 1 else 1))  # a batch of 1 would be taken for a constant
    large = several.repeat(1, 1, *(2 if side == multiple else 1 for side in several.shape[2:]))
    torch.onnx.export(
        module, (large,), str(path), dynamo=True, dynamic_shapes=shapes, input_names=[INPUT],
        output_names=list(names), external_data=False, verbose=False,
    )  # fmt: skip


def _write_openvino(module: nn.Module, example: Tensor, path: Path, names: Sequence[str], multiple: int) -> None:
    import openvino

    model = openvino.convert_model(module, example_input=example)
    model.inputs[0].get_tensor().set_names({INPUT})
    for output, name in zip(model.outputs, names, strict=True):
        output.get_tensor().set_names({name})
    model.reshape({INPUT: openvino.PartialShape([-1, 3, -1, -1])})
    openvino.save_model(model, str(path), compress_to_fp16=False)  # halves would move joints


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what exporters say about their own progress."""
    loud = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loud]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loud:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loud, levels, strict=True):
                logger.setLevel(level)
