"""Part affinity fields: published sizes, stages, order of the heads, both forms of published names."""

from __future__ import annotations

import pytest
import torch

from bottomup.errors import DataError
from bottomup.nets.paf import PAF, own_names
from bottomup.nets.published import load_published
from bottomup.nets.vgg import CONVOLUTIONS, vgg19_cpm
from tests.nets.noise import noise

torch.set_num_threads(1)


def small(**options) -> PAF:
    """A network of two stages with weights of a strength that reaches its heads."""
    torch.manual_seed(0)
    network = PAF(**{"joints": 4, "limbs": 3, "stages": 2, **options})
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.kaiming_normal_(parameter)
    return network.eval()


def published_state(network: PAF) -> dict[str, torch.Tensor]:
    names = own_names(network)
    return {names[name]: value for name, value in network.state_dict().items()}


@pytest.mark.parametrize(
    ("stages", "count"),
    [(1, 8_387_321), (2, 17_172_146), (3, 25_956_971), (4, 34_741_796), (5, 43_526_621), (6, 52_311_446)],
)
def test_it_has_the_published_size_at_every_number_of_stages(parameters, stages, count):
    assert parameters(PAF, stages=stages) == count


def test_other_skeletons_change_heads_and_links_alone(parameters):
    assert parameters(PAF, joints=15, limbs=14) == 51_481_032


@pytest.mark.parametrize(("side", "giga"), [(224, 50.36), (368, 135.9)])
def test_it_takes_the_published_operations(operations, side, giga):
    assert operations(PAF, side, side) / 1e9 == pytest.approx(giga, abs=0.05)


def test_the_backbone_is_ten_convolutions_of_vgg_and_two_more():
    backbone = vgg19_cpm()
    sizes = {i: sum(p.numel() for p in layer.parameters()) for i, layer in enumerate(backbone)}
    assert [i for i, size in sizes.items() if size] == list(CONVOLUTIONS)
    assert sum(sizes[i] for i in CONVOLUTIONS[:10]) == 5_865_536
    assert sum(sizes[i] for i in CONVOLUTIONS[10:]) == 1_474_944


def test_heads_are_pafs_then_heatmaps_and_the_background_is_shown_to_nobody():
    network, images = small(), noise(1, 3, 16, 16)
    with torch.no_grad():
        pafs, heat = network.heads(images)
        maps = network(images)[-1]
    assert pafs.shape[1] == 6 and heat.shape[1] == 5
    assert torch.equal(maps.heatmaps, heat[:, :4])
    assert torch.equal(maps.pafs[:, 1, 0], pafs[:, 2]) and torch.equal(maps.pafs[:, 1, 1], pafs[:, 3])


def test_without_background_there_is_a_heatmap_a_joint():
    network = small(background=False)
    assert [head.shape[1] for head in network.heads(noise(1, 3, 8, 8))] == [6, 4]


def test_the_last_heatmaps_are_clipped_where_asked_and_no_others():
    plain, clipped = small(), small(relu_last=True)
    images = noise(1, 3, 16, 16)
    with torch.no_grad():
        first, again = plain.train().heads(images), clipped.train().heads(images)
    assert all(map(torch.equal, first[:3], again[:3])) and first[1].min() < 0
    assert first[3].min() < 0 and torch.equal(first[3].clamp(min=0), again[3])


def test_published_names_are_as_their_files_have_them():
    numbered, caffe = (own_names(small(relu_last=relu)) for relu in (False, True))
    pairs = {
        "backbone.25.bias": ("model0.25.bias", "conv4_4_CPM.bias"),
        "backbone.16.weight": ("model0.16.weight", "conv3_4.weight"),
        "pafs.0.8.weight": ("model1_1.8.weight", "conv5_5_CPM_L1.weight"),
        "heatmaps.0.0.weight": ("model1_2.0.weight", "conv5_1_CPM_L2.weight"),
        "heatmaps.1.12.bias": ("model2_2.12.bias", "Mconv7_stage2_L2.bias"),
    }
    assert {name: (numbered[name], caffe[name]) for name in pairs} == pairs
    assert len(set(numbered.values())) == len(set(caffe.values())) == len(numbered)


def test_a_file_with_other_stages_than_its_name_says_is_refused():
    with pytest.raises(DataError, match="left over: model2_1.0.weight"):
        load_published("paf1_rtpose", published_state(small()))
