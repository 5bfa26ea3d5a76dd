"""Meta-World's arm as a RobotSpec: what a policy may read and what it commands, as for any robot of ours.

first four numbers of the raw observation -> RobotState.position; an action of the suite = ActionSpec `hand`

A mocap body drags the hand, so the arm's seven joints are nobody's to read or to command. The four numbers that the
protocol allows stand in their place: the hand's x, y and z (metres, where a joint of ours has radians) and how far
the gripper is open (0 to 1). The shield does not drive this arm; its limits say what the simulator does.
"""

from __future__ import annotations

from collections.abc import Sequence

from volition.benchmarks.metaworld.camera import CAMERAS, camera_of
from volition.specs import ActionDimension, ActionSpec, BaseLimits, JointSpec, RobotSpec, SafeAction

NAME = "metaworld_sawyer"
RATE = 80.0  # Hz: five steps of 2.5 ms
STATE = ("hand.x", "hand.y", "hand.z", "gripper")
_SOURCE = "metaworld 3.1.1, sawyer_xyz_env.py: _HAND_SPACE, action_scale 0.01 m a step; the rest is not limited there"
_RANGES = ((-0.525, 0.525), (0.348, 1.025), (-0.0525, 0.7), (0.0, 1.0))
_AT_REST = (0.0, 0.6, 0.2, 1.0)
_FREE = 1000.0  # not limited
_ANY = (_FREE, _FREE, _FREE)

HAND = ActionSpec(
    name="hand",
    dimensions=(
        *(ActionDimension(name=f"hand.d{axis}", unit="cm", meaning="delta", low=-1.0, high=1.0) for axis in "xyz"),
        ActionDimension(name="grip", unit="effort", meaning="absolute", low=-1.0, high=1.0),  # -1 opens, 1 closes
    ),
)


def sawyer(cameras: Sequence[str] = tuple(CAMERAS), pixels: int = 128) -> RobotSpec:
    """With square pictures of this side from each camera."""
    joints = tuple(
        JointSpec(
            name=name,
            group="right_hand" if name == "gripper" else "right_arm",
            position=limits,
            velocity=0.01 * RATE,
            acceleration=_FREE,
            jerk=_FREE,
            effort=_FREE,
            source=_SOURCE,
        )
        for name, limits in zip(STATE, _RANGES, strict=True)
    )
    return RobotSpec(
        name=NAME,
        joints=joints,
        commanded_groups=("right_arm", "right_hand"),
        home=dict(zip(STATE, _AT_REST, strict=True)),
        base=BaseLimits(velocity=_ANY, acceleration=_ANY, source="bolted to the floor"),
        cameras=tuple(camera_of(name, pixels, RATE) for name in cameras),
        actions=(HAND,),
        safe_action=SafeAction(hold=("right_arm", "right_hand"), balance=False),
        control_rate_hz=RATE,
        policy_rate_hz=RATE,
    )
