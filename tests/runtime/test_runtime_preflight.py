"""Pre-flight: a robot and a policy that fit pass; whatever does not fit is named, with what to do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from runtime_tools import HOME, JOINT, ROBOT, block

from volition.body.proprioception import Proprioception
from volition.robots.description import describe
from volition.robots.fake import FakePolicy, FakeRobot
from volition.runtime.clock import FakeClock
from volition.runtime.preflight import Taught, preflight
from volition.safety.guard import Guard
from volition.safety.shield import Shield
from volition.transforms.scale import Scale


class Odd(FakeRobot):
    """Measures what `change` makes of it; pictures differ from look to look, as a sensor's do."""

    def __init__(self, spec, clock, change=lambda state: state, pictures=lambda images: images):
        super().__init__(spec, clock)
        self.change, self.pictures = change, pictures

    def read(self):
        return self.change(super().read())

    def look(self):
        images = super().look()
        for image in images.values():
            image[0, 0, 0] = int(50 * self._clock.now()) % 256
        return self.pictures(images)


def taught(**changes) -> Taught:
    names = Proprioception(ROBOT).names
    scale = Scale(kind="mean_std", names=names, offset=np.zeros(len(names)), factor=np.ones(len(names)))
    return Taught(
        **{"robot": describe(ROBOT), "action": "joint", "cameras": ("head",), "states": scale, "dt": 0.1, **changes}
    )


def check(
    said=None, *, change=lambda state: state, pictures=lambda images: images, policy=None, clock=None, motion=True
):
    clock = clock or FakeClock()
    robot = Odd(ROBOT, clock, change, pictures)
    guard = Guard(Shield(ROBOT))
    policy = policy or FakePolicy(JOINT, block())
    return preflight(said or taught(), robot, clock, guard, lambda: policy, instruction="go", motion=motion)


def words(found) -> str:
    return "\n".join(f"{one.check}: {one.what} -> {one.todo}" for one in found.findings)


def test_what_fits_passes():
    found = check()
    assert found.passed, words(found)
    assert found.checks == ["papers", "state", "statistics", "cameras", "rate", "motion", "first step"]


def joint(number: int) -> str:
    return ROBOT.joint_names[number]


def shuffled(state):
    order = np.arange(len(ROBOT.joints))
    order[[15, 16]] = [16, 15]
    return replace(state, position=state.position[order])


def flipped(state):
    """Around home, so that only the motion test can see it."""
    home = ROBOT.home_position
    sign = np.ones(len(home))
    sign[18] = -1
    return replace(state, position=home + sign * (state.position - home))


def frozen_joint(state):
    position = state.position.copy()
    position[20] = ROBOT.home_position[20]
    return replace(state, position=position)


def halved(state):
    home = ROBOT.home_position
    return replace(state, position=home + 2.0 * (state.position - home))


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        (flipped, joint(18), "turns the other way"),
        (frozen_joint, joint(20), "moved 0 %"),
        (shuffled, joint(15), "order"),
        (halved, joint(17), "2.0 times as far"),
    ],
    ids=["sign", "dead", "order", "unit"],
)
def test_the_motion_test_finds_joints_that_do_not_do_as_told(change, where, what):
    text = words(check(change=change))
    assert any(where in line and what in line for line in text.splitlines()), text


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda state: replace(state, position=np.degrees(state.position)), "radians"),
        (lambda state: replace(state, position=state.position * np.nan), "not a finite number"),
        (lambda state: replace(state, position=np.zeros(29), velocity=np.zeros(29), effort=np.zeros(29)), "29 joints"),
        (lambda state: replace(state, stamp=state.stamp + 100.0), "clock"),
        (lambda state: (_ for _ in ()).throw(OSError("no bus")), "OSError: no bus"),
    ],
    ids=["degrees", "nan", "joints", "clock", "dead"],
)
def test_a_robot_that_measures_nonsense_is_refused(change, what):
    assert what in words(check(change=change))


def test_a_robot_that_measures_too_seldom():
    def slow(state):
        return replace(state, stamp=np.floor(state.stamp * 10) / 10)

    assert "Hz, not 50" in words(check(change=slow, motion=False))


@pytest.mark.parametrize(
    ("pictures", "what"),
    [
        (lambda images: {}, "no picture comes from head"),
        (lambda images: {name: image * 0 for name, image in images.items()}, "black"),
        (lambda images: {name: image[:8] for name, image in images.items()}, "not uint8 (16, 16, 3)"),
        (lambda images: {name: np.full_like(image, 99) for name, image in images.items()}, "has not changed"),
    ],
)
def test_cameras_that_cannot_be_believed(pictures, what):
    assert what in words(check(pictures=pictures))


def other(**changes):
    return {**describe(ROBOT), **changes}


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (taught(robot=other(name="another")), "the robot is"),
        (taught(robot=other(joints=list(reversed(describe(ROBOT)["joints"])))), "another order"),
        (taught(robot=other(policy_rate_hz=30.0)), "policy_rate_hz"),
        (taught(robot={}), "joints differ"),
        (taught(cameras=("head", "chest")), "no camera chest"),
        (taught(action="nonsense"), "takes no actions"),
        (taught(dt=0.4), "0.4 s"),
    ],
)
def test_papers_that_do_not_agree_keep_the_policy_from_being_asked(said, what):
    policy = FakePolicy(JOINT, block())
    found = check(said, policy=policy, motion=False)
    assert what in words(found)
    assert policy.seen == []
    assert found.findings[-1].check == "first step"


def test_statistics_of_another_robot():
    names = Proprioception(ROBOT).names
    far = Scale(kind="mean_std", names=names, offset=np.full(len(names), 5.0), factor=np.full(len(names), 0.1))
    text = words(check(taught(states=far), motion=False))
    assert f"{names[0]} is -" in text or f"{names[0]} is 5" in text
    less = Scale(kind="mean_std", names=names[1:], offset=np.zeros(len(names) - 1), factor=np.ones(len(names) - 1))
    assert f"differs in {names[0]}" in words(check(taught(states=less), motion=False))


@pytest.mark.parametrize(
    ("policy", "what"),
    [
        (FakePolicy(JOINT, block() + 0.9), "from where it is"),
        (FakePolicy(JOINT, block(forward=5.0)), "bounds: base.forward is 5"),
        (FakePolicy(JOINT, block(), faults={0: "nan"}), "not_finite"),
        (FakePolicy(JOINT, block(), faults={0: "raise"}), "the policy failed"),
        (FakePolicy(JOINT, np.zeros((4, 3))), "bad_chunk"),
    ],
    ids=["jump", "bounds", "nan", "raises", "shape"],
)
def test_the_first_step(policy, what):
    assert what in words(check(policy=policy, motion=False))


def test_everything_that_is_wrong_is_listed_at_once():
    found = check(
        taught(cameras=("head", "chest"), robot=other(control_rate_hz=200.0)),
        change=flipped,
        pictures=lambda images: {name: image * 0 for name, image in images.items()},
    )
    assert {one.check for one in found.findings} >= {"papers", "cameras", "motion", "first step"}
    assert all(one.todo for one in found.findings)


def test_it_ends_where_it_began():
    clock = FakeClock()
    robot = Odd(ROBOT, clock)
    preflight(
        taught(), robot, clock, Guard(Shield(ROBOT)), lambda: FakePolicy(JOINT, block()), instruction="go", motion=True
    )
    assert np.abs(robot.commands[-1].position - HOME).max() < 1e-6
