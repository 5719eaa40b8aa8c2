"""Networks by name. Each maps images (B, 3, H, W) to a list of Maps; the last is the answer."""

from __future__ import annotations

from typing import Any

from torch import nn

from bottomup.nets.mspaf_mobile import MspafMobile

NETWORKS: dict[str, type[nn.Module]] = {"mspaf_mobile": MspafMobile}


def build(name: str, **options: Any) -> nn.Module:
    """The network of this name with untrained weights; options go to its class.

    Raises ValueError that lists the names, or names the option that the network does not take.
    """
    if name not in NETWORKS:
        raise ValueError(f"no network is called {name!r}; there are: {', '.join(sorted(NETWORKS))}")
    try:
        return NETWORKS[name](**options)
    except TypeError as error:
        raise ValueError(f"network {name}: {error}") from error
