"""In the suite's own simulator: what a seed decides, what the cameras see, and that the goal is visible from the first picture."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

pytestmark = [pytest.mark.metaworld, pytest.mark.timeout(900)]
pytest.importorskip("metaworld", reason="Meta-World is not in this environment; run `make test-metaworld`")

from volition.benchmarks.metaworld.camera import CAMERAS, project  # noqa: E402
from volition.benchmarks.metaworld.errors import MetaWorldError  # noqa: E402
from volition.benchmarks.metaworld.expert import Expert, Stray, StrayConfig  # noqa: E402
from volition.benchmarks.metaworld.robot import RATE, sawyer  # noqa: E402
from volition.benchmarks.metaworld.tasks import TASKS  # noqa: E402
from volition.benchmarks.metaworld.world import World, observed, suite  # noqa: E402

# Where the goal is a dot of its own on the table or in the air: a task that cannot be done without seeing it.
DOTS = {"reach": (1, 0, 0), "push": (0, 1, 0), "pick-place": (0, 0, 1)}


@pytest.fixture(scope="module")
def pushing() -> Iterator[World]:
    made = World("push", cameras=tuple(CAMERAS), pixels=64)
    yield made
    made.close()


def test_the_suite_has_exactly_these_tasks() -> None:
    assert {f"{task}-v3" for task in TASKS} == set(suite("env_dict").ALL_V3_ENVIRONMENTS)
    assert set(suite("policies").ENV_POLICY_MAP) >= {f"{task}-v3" for task in TASKS}
    with pytest.raises(MetaWorldError, match="no task 'juggle'"):
        World("juggle")


def test_a_seed_decides_everything_also_in_a_world_that_was_used(pushing: World) -> None:
    fresh = World("push")
    seen = []
    for world in (pushing, fresh):
        world.reset(5)  # something before
        world.step(np.ones(4))
        world.reset(1001)
        expert = Expert("push")
        for _ in range(30):
            world.step(expert.action(world.raw))
        seen.append(world.raw)
    fresh.close()
    assert np.array_equal(*seen)


def test_object_and_goal_are_drawn_anew_at_every_reset(pushing: World) -> None:
    places = []
    for seed in (1000, 1001, 1002):
        pushing.reset(seed)
        places.append(np.concatenate([pushing.truth.thing, pushing.truth.place]))
    assert all(np.abs(one - other).max() > 0.005 for one, other in pairwise(places))


@pytest.mark.parametrize("task", DOTS)
def test_the_goal_is_in_the_first_picture_where_it_is(task: str) -> None:
    world = World(task, cameras=("corner2",), pixels=128)
    for seed in (1000, 1003):
        world.reset(seed)
        picture = world.look()["corner2"]
        place, inside = world.project("corner2", world.truth.place)
        assert inside
        column, row = (place * 128).astype(int)
        colour = picture[row - 1 : row + 2, column - 1 : column + 2].reshape(-1, 3).mean(axis=0)
        assert int(np.argmax(colour)) == int(np.argmax(DOTS[task]))
        assert colour.max() > 2 * np.sort(colour)[1]
    world.close()


def test_things_and_goals_of_all_tasks_are_inside_the_picture() -> None:
    """Nothing that matters is in the part of the published picture that is left out."""
    outside = []
    for task in TASKS:
        world = World(task)
        camera = world.model.camera("corner2").id
        world.model.cam_pos[camera] = CAMERAS["corner2"].position
        for seed in (1000, 1001, 1002):
            world.reset(seed)
            for name, point in (("thing", world.truth.thing), ("place", world.truth.place)):
                place, inside = project(world.data, CAMERAS["corner2"], point)
                if not inside:
                    outside.append((task, name, place.round(2).tolist()))
        world.close()
    assert not outside


def test_the_cameras_are_as_the_robot_says(pushing: World) -> None:
    pushing.reset(1000)
    for spec in sawyer(tuple(CAMERAS), 64).cameras:
        eye = pushing.data.camera(CAMERAS[spec.name].name)
        forward = -eye.xmat.reshape(3, 3)[:, 2]
        assert np.arcsin(-forward[2]) == pytest.approx(spec.pitch, abs=0.01)
        assert np.arctan2(forward[1], forward[0]) == pytest.approx(spec.yaw, abs=0.01)
    assert pushing.data.camera("corner2").xpos == pytest.approx([0.75, 0.075, 0.7])
    assert all(picture.shape == (64, 64, 3) for picture in pushing.look().values())


def test_what_a_policy_is_given_does_not_tell_where_things_are(pushing: World) -> None:
    pushing.reset(1000)
    seen = pushing.observe("push the red puck to the green dot")
    assert seen.state.position.tolist() == pushing.raw[:4].tolist()
    seen.check(sawyer(tuple(CAMERAS), 64))
    other = pushing.raw.copy()
    other[4:] += 1.0
    again = observed(other, dict(seen.images), seen.instruction, seen.stamp)
    assert np.array_equal(again.state.position, seen.state.position)
    assert pushing.raw[-3:].tolist() == pytest.approx(pushing.truth.place.tolist())  # the expert does see it


@pytest.mark.parametrize("task", ["reach", "button-press", "pick-place"])
def test_experts_succeed_and_time_is_counted(task: str) -> None:
    world, expert = World(task), Expert(task)
    world.reset(1000)
    while not world.success and world.steps < 300:
        world.step(expert.action(world.raw))
    assert world.success
    assert world.observe("x").stamp == pytest.approx(world.steps / RATE)
    world.close()


def test_straying_leaves_the_gripper_alone_and_is_its_seeds() -> None:
    first, second = (Stray(StrayConfig(), np.random.default_rng(3)) for _ in range(2))
    rows = np.array([first.next() for _ in range(200)])
    assert np.array_equal(rows, np.array([second.next() for _ in range(200)]))
    assert rows[:, 3].tolist() == [0.0] * 200
    assert 0.2 < rows[:, :3].std() < 0.5
    assert not Stray(StrayConfig(spread=0.0), np.random.default_rng(3)).next().any()
