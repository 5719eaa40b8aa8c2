"""Converted models ready to run. A call takes as many threads as torch is set to when it comes.

So whoever shares out torch's threads among pictures that run side by side shares out these too.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bottomup.core import Maps
from bottomup.runtimes.flat import Reading


class Session:
    """images (B, 3, H, W) float32 -> [Maps] in torch. Threads may call it side by side."""

    def __init__(self, path: Path, form: Reading, precision: str = "float32") -> None:
        self.path, self.form, self.precision = path, form, precision
        self._ready: dict[int, Any] = {}  # by threads of a call
        self._lock = threading.Lock()

    def __call__(self, images: Tensor) -> list[Maps]:
        """Maps of a batch, in a list as networks give them."""
        threads = torch.get_num_threads()
        with self._lock:
            if threads not in self._ready:
                self._ready[threads] = self.prepared(threads)
        arrays = self.run(self._ready[threads], images.contiguous().numpy())
        return [self.form.maps([torch.from_numpy(array) for array in arrays])]

    def prepared(self, threads: int) -> Any:
        """The model for calls of this many threads."""
        raise NotImplementedError

    def run(self, model: Any, images: np.ndarray) -> Sequence[np.ndarray]:
        """The arrays of the answer, which are the caller's to keep."""
        raise NotImplementedError


class OnnxSession(Session):
    """A model in ONNX Runtime, on the CPU."""

    def prepared(self, threads: int) -> Any:
        """A session; calls from several threads each run in their own."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, 3
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # others need the cores too
        return onnxruntime.InferenceSession(str(self.path), options, providers=["CPUExecutionProvider"])

    def run(self, model: Any, images: np.ndarray) -> Sequence[np.ndarray]:
        """The arrays of the answer."""
        answer: list[np.ndarray] = model.run(list(self.form.names), {model.get_inputs()[0].name: images})
        return answer


class OpenVinoSession(Session):
    """A model in OpenVINO, on the CPU. precision: "float32", or "bfloat16" where the processor computes in it."""

    def __init__(self, path: Path, form: Reading, precision: str = "float32") -> None:
        super().__init__(path, form, precision)
        self._own = threading.local()  # requests, which serve one caller at a time

    def prepared(self, threads: int) -> Any:
        """A compiled model with a stream for every so many of the cores."""
        import openvino

        from bottomup.runtimes.cores import cores

        config = {
            "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[self.precision],
            "INFERENCE_NUM_THREADS": max(threads, cores()),
            "NUM_STREAMS": max(1, cores() // threads),
            "ENABLE_CPU_PINNING": False,  # two processes pinned to the same core would wait for each other
        }
        return openvino.Core().compile_model(str(self.path), "CPU", config)

    def run(self, model: Any, images: np.ndarray) -> Sequence[np.ndarray]:
        """The arrays of the answer."""
        requests = self._own.__dict__.setdefault("requests", {})
        if id(model) not in requests:
            requests[id(model)] = model.create_infer_request()
        found = requests[id(model)].infer({0: images}, share_inputs=True, share_outputs=False)
        return [np.asarray(found[number]) for number in range(len(self.form.names))]


SESSIONS: dict[str, type[Session]] = {"onnxruntime": OnnxSession, "openvino": OpenVinoSession}
