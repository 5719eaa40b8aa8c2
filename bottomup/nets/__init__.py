"""Networks by name. Each maps images (B, 3, H, W) to a list of Maps; the last is the answer."""

from __future__ import annotations

import importlib
from typing import Any

from torch import nn

from bottomup.nets.published import from_published

__all__ = ["NETWORKS", "build", "description", "from_published", "network_class"]

NETWORKS: dict[str, str] = {  # name -> module in this folder and class, imported when built
    "mspaf_mobile": "mspaf_mobile:MspafMobile",
    "cpn_mobile": "cpn_mobile:CpnMobile",
    "detector_mobile": "detector_mobile:DetectorMobile",
    "mspaf": "mspaf:MSPAF",
    "paf": "paf:PAF",
    "lightweight_openpose": "lightweight:LightweightOpenPose",
    "ae_hourglass": "ae_hourglass:AEHourglass",
    "higherhrnet": "higherhrnet:HigherHRNet",
    "hrnet": "hrnet:HRNetPose",
    "simplebaseline": "simplebaseline:SimpleBaseline",
    "cpn": "cpn:CPN",
    "mspn": "mspn:MSPN",
    "hourglass": "hourglass:Hourglass",
    "keypoint_rcnn": "keypoint_rcnn:KeypointRCNN",
}


def network_class(name: str) -> type[nn.Module]:
    """The class of this name; raises ValueError that lists the names."""
    if name not in NETWORKS:
        raise ValueError(f"no network is called {name!r}; there are: {', '.join(sorted(NETWORKS))}")
    module, _, kind = NETWORKS[name].partition(":")
    found: type[nn.Module] = getattr(importlib.import_module(f"bottomup.nets.{module}"), kind)
    return found


def build(name: str, **options: Any) -> nn.Module:
    """The network of this name with untrained weights; options go to its class.

    Raises ValueError that lists the names, or names the option that the network does not take.
    """
    kind = network_class(name)
    try:
        return kind(**options)
    except TypeError as error:
        raise ValueError(f"network {name}: {error}") from error


def description(network: nn.Module) -> dict[str, Any]:
    """What `build` takes to make a network like this one: its name and all its options.

    Raises ValueError for a network that has no name, or does not keep its options.
    """
    place = f"{type(network).__module__.removeprefix('bottomup.nets.')}:{type(network).__name__}"
    names = [name for name, known in NETWORKS.items() if known == place]
    options = getattr(network, "options", None)
    if not names or not isinstance(options, dict):
        raise ValueError(f"{place} is not a network that can be built by name")
    return {"name": names[0], **options}
