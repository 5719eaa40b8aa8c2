"""A network in another runtime: converted once, kept, and checked against torch before it is used."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bottomup.core import Maps
from bottomup.errors import SettingsError
from bottomup.runtimes.cache import cache_folder, key_of
from bottomup.runtimes.choice import PACKAGES
from bottomup.runtimes.export import SUFFIXES, export
from bottomup.runtimes.flat import AllButLast, FlatMaps, Form, LastInTorch, Reading, agree
from bottomup.runtimes.sessions import SESSIONS, Session

KINDS = {"onnxruntime": "onnx", "openvino": "openvino"}
TOLERANCES = {"float32": 1e-3, "bfloat16": 0.2}  # of the largest value of a map


def accelerated(network: nn.Module, example: Tensor, runtime: str, precision: str = "float32") -> Session:
    """The network (images -> [Maps]), in eval mode, as a session of the runtime, "onnxruntime" or "openvino".

    example: a batch of one that it takes, on the CPU. The converted model is kept in the user's cache and made anew
    when it does not answer as the network does, at this size and another. Raises SettingsError if it never does.
    """
    with torch.inference_mode(False), torch.no_grad():
        module, form = _exported(network, example, precision)
        name = f"{key_of(network, PACKAGES[runtime])}-{runtime}-{'-'.join(form.names)}"
        path = cache_folder() / f"{name}{SUFFIXES[KINDS[runtime]][-1]}"
        tries = [(example, network(example)[-1]), *_larger(network, example)]
        for fresh in (False, True):
            if fresh or not path.exists():
                logging.getLogger(__name__).warning("converting the network for %s, once: %s", runtime, path)
                multiple = _multiple(network, example)
                export(module, example, path, KINDS[runtime], names=form.names, multiple=multiple)
            session = SESSIONS[runtime](path, form, precision)
            if _right(session, tries, TOLERANCES[precision]):
                return session
    raise SettingsError(f"{path}: {runtime} does not answer as torch does; use --runtime torch")


def write_model(network: Any, example: Tensor, path: str | Path, kind: str) -> tuple[Form, int]:
    """Writes the network (images -> [Maps]) as "onnx" or "openvino"; what it gives, and what sides are multiples of."""
    with torch.inference_mode(False), torch.no_grad():
        form = Form.of(network(example)[-1])
        multiple = _multiple(network, example)
        export(FlatMaps(network, form).eval(), example, path, kind, names=form.names, multiple=multiple)
    return form, multiple


def _exported(network: nn.Module, example: Tensor, precision: str) -> tuple[nn.Module, Reading]:
    """What is converted and how its arrays are read; in bfloat16 without the last layer, if it stands alone."""
    if precision != "float32" and getattr(network, "last_layer", None) is not None:
        return AllButLast(network).eval(), LastInTorch(network)
    form = Form.of(network(example)[-1])
    return FlatMaps(network, form).eval(), form


def _multiple(network: nn.Module, example: Tensor) -> int:
    """What sides of inputs are multiples of."""
    return int(getattr(network, "multiple", None) or math.gcd(*example.shape[2:]))


def _larger(network: nn.Module, example: Tensor) -> list[tuple[Tensor, Maps]]:
    """Two pictures of another size: a model that holds the example's size or batch fixed is found out."""
    images = torch.cat((example, example.flip(3))).repeat(1, 1, 2, 3)
    return [(images, network(images)[-1])]


def _right(session: Session, tries: list[tuple[Tensor, Maps]], tolerance: float) -> bool:
    """Whether the session gives these maps for these images."""
    try:
        return all(agree(maps, session(images)[-1], tolerance) for images, maps in tries)
    except (RuntimeError, ValueError) as error:  # what a damaged file raises, in all runtimes
        logging.getLogger(__name__).warning("%s: cannot be run (%s)", Path(session.path), " ".join(str(error).split()))
        return False
