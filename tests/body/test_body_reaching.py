"""The inverse kinematics' quadratic program, assembled by hand, has the solution of the one that mink assembles."""

from __future__ import annotations

import numpy as np
import pytest
from body_tools import ROBOT, TICK, smooth, state

from volition.body import arms as ours
from volition.body.arms import SIDES, STEPS, STRAY, WAIST, Arms
from volition.body.reaching import DAMPING, GAIN, ORIENTATION, POSTURE
from volition.transforms.rotation import from_rotvec, slerp

mink = pytest.importorskip("mink", reason="mink, which the tests compare with, is in the extra dev")
pytest.importorskip("qpsolvers")

ARMS = [number for number, joint in enumerate(ROBOT.joints) if joint.group.endswith("_arm")]
LOW, HIGH = np.array([joint.position for joint in ROBOT.joints]).T
SAME = 1e-8  # rad


class Reference:
    """Arms, with the program built and solved by mink."""

    def __init__(self) -> None:
        model = ours.arms_only()
        names = [model.joint(index).name for index in range(model.njnt)]
        self._waist = np.array([name.startswith("waist") for name in names])
        self._from = np.array([ROBOT.joint_names.index(name) for name in names])
        self._to = np.array([names.index(ROBOT.joints[number].name) for number in ARMS])
        self._configuration = mink.Configuration(model)
        self._tasks = {
            side: mink.FrameTask(
                f"{side}_grasp", "site", position_cost=1.0, orientation_cost=ORIENTATION, gain=GAIN, lm_damping=1e-3
            )
            for side in SIDES
        }
        posture = mink.PostureTask(model, cost=np.where(self._waist, 0.0, POSTURE))
        at_ease = ROBOT.home_position.copy()
        at_ease[ROBOT.joint_names.index("left_shoulder_roll_joint")] = 0.6
        at_ease[ROBOT.joint_names.index("right_shoulder_roll_joint")] = -0.6
        posture.set_target(at_ease[self._from])
        self._always = [posture, mink.DampingTask(model, cost=DAMPING)]
        self._fixed = [mink.DofFreezingTask(model, dof_indices=np.flatnonzero(self._waist).tolist())]
        fastest = {ROBOT.joints[number].name: ROBOT.joints[number].velocity for number in ARMS}
        self._limits = [mink.ConfigurationLimit(model), mink.VelocityLimit(model, fastest)]

    def reset(self, now) -> None:
        self._configuration.update(now.position[self._from])
        self._middle = now.position[self._from][self._waist]

    def step(self, poses, now) -> np.ndarray:
        measured = now.position[self._from]
        start = np.clip(self._configuration.q, measured - STRAY, measured + STRAY)
        self._middle = self._middle + TICK / WAIST * (measured[self._waist] - self._middle)
        start[self._waist] = self._middle
        self._configuration.update(np.clip(start, LOW[self._from], HIGH[self._from]))
        for side, (place, turn) in poses.items():
            self._tasks[side].set_target(mink.SE3.from_rotation_and_translation(mink.SO3(turn), place))
        tasks = [*(self._tasks[side] for side in poses), *self._always]
        for _ in range(STEPS):
            velocity = mink.solve_ik(
                self._configuration, tasks, TICK / STEPS, "daqp", limits=self._limits, constraints=self._fixed
            )
            self._configuration.integrate_inplace(velocity, TICK / STEPS)
        return self._configuration.q[self._to]


@pytest.fixture(scope="module")
def both() -> tuple[Arms, Reference]:
    return Arms(ROBOT), Reference()


def compare(both, poses, now) -> np.ndarray:
    mine, theirs = (arms.step(poses, now) for arms in both)
    np.testing.assert_allclose(mine, theirs, rtol=0, atol=SAME)
    return mine


def test_random_steps_are_the_ones_that_mink_takes(both) -> None:
    """From anywhere to goals near and far, for one hand and for both, with joints at their limits and at full speed."""
    random = np.random.default_rng(1)
    fast = at_end = 0
    for trial in range(300):
        wide = random.uniform(LOW, HIGH) if trial % 2 else ROBOT.home_position + random.normal(0.0, 0.3, len(LOW))
        now = state(position=np.clip(wide, LOW, HIGH))
        for arms in both:
            arms.reset(now)
        sides = SIDES[: 1 + trial % 3 % 2]
        far = random.choice([0.01, 0.1, 0.5, 2.0])
        before = now.position[ARMS]
        for _ in range(4):
            poses = {
                side: (both[0].hand(side, now)[0] + random.normal(0.0, far, 3), from_rotvec(random.normal(0.0, far, 3)))
                for side in sides
            }
            angles = compare(both, poses, now)
            fast += bool((np.abs(angles - before) > 0.999 * 4.0 * TICK).any())
            at_end += bool((np.minimum(angles - LOW[ARMS], HIGH[ARMS] - angles) < 1e-3).any())
            before = angles
    assert fast > 100
    assert at_end > 50


def test_a_smooth_reach_is_the_one_that_mink_makes(both) -> None:
    """Each goes on from its own last solution for 4 s; the measured arm follows by a tick, the waist sways."""
    position = ROBOT.home_position.copy()
    for arms in both:
        arms.reset(state(position=position))
    start = {side: both[0].hand(side, state(position=position)) for side in SIDES}
    goal = {
        "left": (np.array([0.33, 0.12, 0.2]), from_rotvec(np.array([0.2, -0.3, -0.4]))),
        "right": (np.array([0.28, -0.25, 0.05]), from_rotvec(np.array([0.0, 0.5, 0.3]))),
    }
    waist = ROBOT.joint_names.index("waist_yaw_joint")
    for tick in range(200):
        share = smooth(tick / 120)
        poses = {
            side: (
                start[side][0] + share * (goal[side][0] - start[side][0]),
                slerp(start[side][1], goal[side][1], share),
            )
            for side in SIDES
        }
        position[waist] = 0.1 * np.sin(0.2 * tick)
        position[ARMS] = compare(both, poses, state(position=position))
    hand = both[0].hand("right", state(position=position))[0]
    assert np.linalg.norm(hand - goal["right"][0]) < 0.03
