"""A network ready to run: batch norms folded, pictures normalised, the precision that suits the device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from bottomup.core import Maps, Warp
from bottomup.errors import InputError, SettingsError
from bottomup.roads.fusion import fused

CHANNELS = ("rgb", "bgr")


class Normalisation(Protocol):
    """How channels come to a network."""

    @property
    def channels(self) -> str:
        """The order that the network takes, "rgb" or "bgr"."""

    @property
    def mean(self) -> tuple[float, float, float]:
        """Of the channels in that order, 0..255."""

    @property
    def std(self) -> tuple[float, float, float]:
        """As `mean`."""


class Engine:
    """Pictures of one size -> the network's last Maps, on the device. size: (height, width) to try it with."""

    def __init__(self, network: nn.Module, size: tuple[int, int], how: Normalisation, device: torch.device) -> None:
        self.device = device
        self.reversed = how.channels == "bgr"
        self.example = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)).to(device)
        network = fused(network, self.example).requires_grad_(False)
        # What runs it: itself, or the same in another runtime (see `roads/runtime.py`).
        self.network: Callable[[Tensor], list[Maps]] = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._mean = torch.tensor(how.mean, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(how.std, device=device).view(1, 3, 1, 1)

    def pixels(self, images: Sequence[np.ndarray]) -> Tensor:
        """RGB uint8 (H, W, 3) pictures as the network takes them, (B, 3, H, W)."""
        pixels = torch.from_numpy(np.stack(images)).to(self.device).permute(0, 3, 1, 2).float()
        if self.reversed:
            pixels = pixels.flip(1)
        return (pixels - self._mean) / self._std

    def maps(self, pixels: Tensor) -> Maps:
        """The network's answer in float32."""
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=self._fast_bfloat16()):
            maps = self.network(pixels.contiguous(memory_format=torch.channels_last))[-1]
        return maps.each(lambda values: values.float())

    def exact_convolutions(self) -> AbstractContextManager[None]:
        """On a GPU: full float32, so that a batch gives what its pictures give one by one."""
        if self.device.type == "cpu":
            return nullcontext()
        return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)

    def aside(self) -> AbstractContextManager[None]:
        """On a GPU: what is asked of it meanwhile does not queue behind the network's next batch."""
        return nullcontext() if self.device.type != "cuda" else torch.cuda.stream(self._beside)

    @cached_property
    def _beside(self) -> torch.cuda.Stream:
        return torch.cuda.Stream(self.device, priority=-1)

    def _fast_bfloat16(self) -> bool:
        """Only on a CPU with matrix tiles: on a GPU it would let batches differ from single pictures."""
        return self.device.type == "cpu" and getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()


def padded(
    image: np.ndarray, ratio: float, multiple: int, colour: tuple[int, int, int], full: tuple[int, int] | None = None
) -> np.ndarray:
    """The picture resized by the ratio and padded with RGB right and below, so that its sides are such multiples.

    full: (width, height) of the picture where `image` is it reduced by a whole number (see `read_reduced`).
    """
    full = full or (image.shape[1], image.shape[0])
    width, height = (max(1, round(side * ratio)) for side in full)
    size = (-(-width // multiple) * multiple, -(-height // multiple) * multiple)
    whole = Warp.resize(ratio * round(full[0] / image.shape[1])).image(image, size, border=sum(colour) // 3)
    whole[height:], whole[:, width:] = colour, colour
    return whole


def require(holds: bool, name: str, value: object, wanted: str) -> None:
    """Raises SettingsError that names the setting, its value and what it must be, unless it holds."""
    if not holds:
        raise SettingsError(f"{name} is {value}, it must be {wanted}")


def check_normalisation(how: Normalisation) -> None:
    """Raises SettingsError that names key and value."""
    require(how.channels in CHANNELS, "channels", how.channels, f"one of {', '.join(CHANNELS)}")
    require(len(how.mean) == 3, "mean", how.mean, "three numbers")
    require(len(how.std) == 3 and min(how.std) > 0, "std", how.std, "three positive numbers")


def check_image(image: Any, number: int) -> None:
    """Raises InputError that says what image `number` is if it is not RGB uint8."""
    is_rgb = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    if not is_rgb or image.size == 0:
        what = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise InputError(f"image {number} is {what}; give RGB uint8 (height, width, 3)")
