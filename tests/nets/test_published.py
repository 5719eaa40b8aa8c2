"""Published checkpoints: every network computes what its published code computes, and what does not fit is named."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from bottomup.errors import DataError
from bottomup.nets import build, published
from bottomup.nets.network import PoseNetwork
from bottomup.nets.published import Family, Published, from_published, load_published

torch.set_num_threads(1)

CARDS = Path(__file__).resolve().parents[3] / "shared" / "checkpoints"
HEAVY = 30_000_000  # parameters; those of larger networks take seconds to draw


def card_names() -> list:
    """Every card whose network takes nothing but images; one skipped case where the folder is missing."""
    if not CARDS.is_dir():
        return [pytest.param("", marks=pytest.mark.skip(reason=f"no cards of published networks at {CARDS}"))]
    cards = [json.loads(path.read_text()) for path in sorted(CARDS.glob("*.json"))]
    return [
        pytest.param(card["name"], marks=pytest.mark.slow if card["params"] > HEAVY else ())
        for card in cards
        if "extra_inputs" not in card
    ]


@pytest.fixture(scope="module")
def fixtures() -> ModuleType:
    """The formula that fills tensors, and the comparison."""
    spec = importlib.util.spec_from_file_location("checkpoint_fixtures", CARDS / "fixtures.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", card_names())
def test_networks_compute_what_their_published_code_computes(fixtures, name):
    network = from_published(name, fixtures.state_dict(name))
    assert not network.training
    with torch.no_grad():
        outputs = network(fixtures.inputs(name))
    assert isinstance(outputs, tuple)
    fixtures.check(name, outputs)


class Tiny(PoseNetwork):
    """Two convolutions, the second on the answer's way alone."""

    def __init__(self, joints: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 1)
        self.norm = nn.BatchNorm2d(4)
        self.last = nn.Conv2d(4, joints, 1)

    def heads(self, images: Tensor) -> list[Tensor]:
        x = self.norm(self.stem(images))
        return [x, self.last(x)] if self.supervised else [self.last(x)]


def of_published(match: re.Match[str], tensors: Mapping[str, Tensor]) -> Tiny:
    assert match[1] == "1"
    return Tiny(len(tensors["out.weight"]))


def own_names(network: nn.Module) -> dict[str, str]:
    return {name: name.replace("last.", "out.") for name in network.state_dict()}


@pytest.fixture
def tiny(monkeypatch) -> dict[str, Tensor]:
    """The state of a published network "tiny1", of a family with one unused tensor."""
    module = SimpleNamespace(of_published=of_published, own_names=own_names)
    monkeypatch.setitem(sys.modules, "bottomup.nets.tiny", module)
    monkeypatch.setattr(published, "FAMILIES", (Family(r"tiny(\d)", "tiny", "stem.weight", r"ghost\..*"),))
    torch.manual_seed(0)
    return {name.replace("last.", "out."): value for name, value in Tiny(5).state_dict().items()}


def test_counts_come_from_shapes_and_heads_are_all_given(tiny):
    network = from_published("tiny1", tiny)
    outputs = network(torch.zeros(2, 3, 4, 6))
    assert isinstance(network, Published) and [tuple(o.shape) for o in outputs] == [(2, 4, 4, 6), (2, 5, 4, 6)]
    assert torch.equal(network.network.last.weight, tiny["out.weight"])


def test_without_the_wrapper_the_answer_alone_is_computed(tiny):
    maps = load_published("tiny1", tiny)(torch.zeros(1, 3, 4, 4))
    assert len(maps) == 1 and maps[0].heatmaps.shape == (1, 5, 4, 4)


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module.", "model.module.", "model."])
def test_wrappers_and_prefixes_are_removed(tiny, wrapper, prefix):
    state = {prefix + name: value for name, value in tiny.items()}
    network = load_published("tiny1", {wrapper: state, "epoch": 3} if wrapper else state)
    assert torch.equal(network.stem.weight, tiny["stem.weight"])


def test_files_of_old_versions_lack_counters(tiny):
    old = {name: value for name, value in tiny.items() if "num_batches" not in name}
    load_published("tiny1", old)


def test_tensors_known_to_be_unused_are_let_by(tiny):
    load_published("tiny1", tiny | {"ghost.weight": torch.zeros(3)})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stem.bias": None}, "1 missing: stem.bias"),
        ({"extra.bias": torch.zeros(1)}, "1 left over: extra.bias"),
        ({"norm.weight": torch.zeros(3)}, r"1 misshapen: norm.weight \(3,\) instead of \(4,\)"),
        ({"stem.bias": None, "extra.bias": torch.zeros(1)}, "missing: stem.bias; 1 left over"),
        ({"out.weight": None}, "no tensor out.weight"),
        ({"stem.weight": None}, "no tensor stem.weight; is it of another network"),
    ],
)
def test_what_does_not_fit_is_named(tiny, change, words):
    state = {name: value for name, value in (tiny | change).items() if value is not None}
    with pytest.raises(DataError, match=f"checkpoint for tiny1.*{words}"):
        load_published("tiny1", state)


def test_an_unknown_name_is_answered_with_the_patterns(tiny):
    with pytest.raises(DataError, match=r"'small1'.*tiny\(\\d\)"):
        load_published("small1", tiny)


@pytest.mark.parametrize("family", published.FAMILIES, ids=lambda family: family.pattern)
def test_every_family_has_its_two_functions(family):
    module = importlib.import_module(f"bottomup.nets.{family.module}")
    assert callable(module.of_published) and callable(module.own_names)


MEMBERS = [
    ("simplebaseline_r18", "simplebaseline", {"joints": 14, "depth": 18, "width": 32}, 1),
    ("simplebaseline_r34", "simplebaseline", {"joints": 16, "depth": 34, "width": 256}, 1),
    ("simplebaseline_r152", "simplebaseline", {"joints": 14, "depth": 152, "width": 128}, 1),
    ("hrnet_w18", "hrnet", {"joints": 14, "width": 18}, 1),
    ("hrnet_w48", "hrnet", {"joints": 16, "width": 48}, 1),
    ("higherhrnet_w8", "higherhrnet", {"joints": 14, "width": 8, "tags": 2, "blocks": 1}, 2),
    ("higherhrnet_w48", "higherhrnet", {"joints": 14, "width": 48}, 2),
    ("cpn_r34", "cpn", {"joints": 14, "depth": 34}, 5),
    ("cpn_r101", "cpn", {"joints": 16, "depth": 101}, 5),
    ("mspn1", "mspn", {"joints": 14, "stages": 1}, 4),
    ("mspn3", "mspn", {"joints": 16, "stages": 3}, 12),
    ("hourglass1", "hourglass", {"joints": 14, "stacks": 1}, 1),
    ("hourglass4", "hourglass", {"joints": 16, "stacks": 4}, 4),
    ("hg_s8_b1", "hourglass", {"joints": 16, "stacks": 8, "widen_early": True}, 8),
    ("hg_s4_b2", "hourglass", {"joints": 14, "stacks": 4, "blocks": 2, "widen_early": True}, 4),
    ("ae_hourglass3", "ae_hourglass", {"joints": 14, "stacks": 3, "channels": 56}, 3),
    ("ae_hourglass4", "ae_hourglass", {"joints": 16, "stacks": 4, "channels": 64}, 4),
    ("paf4", "paf", {"joints": 15, "limbs": 14, "stages": 4, "relu_last": True}, 8),
    ("paf2_rtpose", "paf", {"joints": 15, "limbs": 14, "stages": 2}, 4),
    ("lightweight_openpose", "lightweight_openpose", {"joints": 14, "limbs": 15, "refinements": 3}, 8),
    ("keypointrcnn_r101_fpn", "keypoint_rcnn", {"joints": 14, "depth": 101, "per_class": False}, 15),
    ("keypointrcnn_r18_fpn", "keypoint_rcnn", {"joints": 16, "depth": 18, "width": 64}, 15),
]


@pytest.mark.parametrize(("name", "network", "options", "heads"), MEMBERS)
def test_other_members_of_a_family_are_known_by_their_tensors(name, network, options, heads):
    with torch.device("meta"):
        made = build(network, **options)
        names = importlib.import_module(type(made).__module__).own_names(made)
        found = from_published(name, {names[key]: value for key, value in made.state_dict().items()})
        assert found.network.options == made.options
        for batch, high, wide in ((1, 3, 1), (5, 1, 2)):
            shapes = [head.shape for head in found(torch.empty(batch, 3, high * made.multiple, wide * made.multiple))]
            assert len(shapes) == heads and all(shape[0] == batch for shape in shapes)
            assert shapes[0][2] * wide == shapes[0][3] * high


@pytest.mark.slow
@pytest.mark.parametrize(("name", "network", "options", "heads"), [m for m in MEMBERS if m[0] in ("mspn3", "cpn_r101")])
def test_heavy_members_give_back_what_they_were_made_of(name, network, options, heads):
    torch.manual_seed(0)
    made = build(network, **options).eval()
    names = importlib.import_module(type(made).__module__).own_names(made)
    again = from_published(name, {names[key]: value for key, value in made.state_dict().items()})
    made.every_head = True
    images = torch.randn(3, 3, 64, 96)
    with torch.no_grad():
        assert all(map(torch.equal, again(images), made.heads(images)))
