"""The Unitree G1 with three-finger hands: 43 joints, their limits and sources, cameras, safe action, action spaces.

Order of joints is the order of the kinematic tree in the model (legs, waist, left arm and hand, right arm and
hand). The arms' and hands' velocity, acceleration and jerk are *operating* limits of the shield, far under what
the motors could do: a hand at the end of a 0.6 m arm stays near 2 m/s. The legs and the waist belong to the
balance controller, which must be free to catch a fall, so theirs are the motors' own ceilings.
"""

from __future__ import annotations

import math

from volition.robots.primitives import PRIMITIVE_ACTION
from volition.types import (
    ActionDimension,
    ActionSpec,
    BaseLimits,
    CameraSpec,
    JointSpec,
    RobotSpec,
    SafeAction,
)

_RANGES = "position and effort: MuJoCo Menagerie unitree_g1/g1_with_hands.xml; "
_BALANCE = (
    _RANGES
    + "velocity: Unitree g1_29dof.urdf; acceleration: effort / 0.01 kg m^2 rotor inertia; jerk: that within one 20 ms tick"
)
_ARM = (
    _RANGES + "velocity, acceleration, jerk: Volition's operating limits (motors: 37 rad/s, wrists 22, g1_29dof.urdf)"
)
_HAND = _RANGES + "velocity, acceleration, jerk: Volition's operating limits (a hand closes in about 0.5 s)"

# name, low, high, effort; velocity of the motor for joints that balance
_LEG = (
    ("hip_pitch", -2.5307, 2.8798, 88, 32),
    ("hip_roll", -0.5236, 2.9671, 139, 20),
    ("hip_yaw", -2.7576, 2.7576, 88, 32),
    ("knee", -0.087267, 2.8798, 139, 20),
    ("ankle_pitch", -0.87267, 0.5236, 50, 37),
    ("ankle_roll", -0.2618, 0.2618, 50, 37),
)
_WAIST = (("yaw", -2.618, 2.618, 88, 32), ("roll", -0.52, 0.52, 50, 37), ("pitch", -0.52, 0.52, 50, 37))
_ARM_JOINTS = (
    ("shoulder_pitch", -3.0892, 2.6704, 25),
    ("shoulder_roll", -1.5882, 2.2515, 25),
    ("shoulder_yaw", -2.618, 2.618, 25),
    ("elbow", -1.0472, 2.0944, 25),
    ("wrist_roll", -1.97222, 1.97222, 25),
    ("wrist_pitch", -1.61443, 1.61443, 5),
    ("wrist_yaw", -1.61443, 1.61443, 5),
)
_HAND_JOINTS = (
    ("thumb_0", -1.0472, 1.0472, 2.45),
    ("thumb_1", -0.724312, 1.0472, 1.4),
    ("thumb_2", 0.0, 1.74533, 1.4),
    ("middle_0", -1.5708, 0.0, 1.4),
    ("middle_1", -1.74533, 0.0, 1.4),
    ("index_0", -1.5708, 0.0, 1.4),
    ("index_1", -1.74533, 0.0, 1.4),
)
# The right side mirrors the left: these joints turn the other way, so their range flips sign.
_MIRRORED = {"hip_roll", "hip_yaw", "ankle_roll", "shoulder_roll", "shoulder_yaw", "wrist_roll", "wrist_yaw"} | {
    name for name, *_ in _HAND_JOINTS if name != "thumb_0"
}

# Where the balance policy stands at ease (its own default posture), left side; fingers open.
_HOME_LEG = (-0.312, 0.0, 0.0, 0.669, -0.363, 0.0)
_HOME_ARM = (0.2, 0.2, 0.0, 0.6, 0.0, 0.0, 0.0)
_HOME_HAND = (0.0,) * 7


def _range(side: str, name: str, low: float, high: float) -> tuple[float, float]:
    return (-high, -low) if side == "right" and name in _MIRRORED else (low, high)


def _balance_joint(name: str, group: str, limits: tuple[float, float], effort: float, velocity: float) -> JointSpec:
    acceleration = effort / 0.01
    return JointSpec(
        name=name,
        group=group,
        position=limits,
        velocity=velocity,
        acceleration=acceleration,
        jerk=acceleration / 0.02,
        effort=effort,
        source=_BALANCE,
    )


def _joints() -> tuple[JointSpec, ...]:
    joints: list[JointSpec] = []
    for side in ("left", "right"):
        for name, low, high, effort, velocity in _LEG:
            joints.append(
                _balance_joint(f"{side}_{name}_joint", "legs", _range(side, name, low, high), effort, velocity)
            )
    for name, low, high, effort, velocity in _WAIST:
        joints.append(_balance_joint(f"waist_{name}_joint", "waist", (low, high), effort, velocity))
    for side in ("left", "right"):
        for name, low, high, effort in _ARM_JOINTS:
            joints.append(
                JointSpec(
                    name=f"{side}_{name}_joint",
                    group=f"{side}_arm",
                    position=_range(side, name, low, high),
                    velocity=4.0,
                    acceleration=40.0,
                    jerk=1000.0,
                    effort=effort,
                    source=_ARM,
                )
            )
        for name, low, high, effort in _HAND_JOINTS:
            joints.append(
                JointSpec(
                    name=f"{side}_hand_{name}_joint",
                    group=f"{side}_hand",
                    position=_range(side, name, low, high),
                    velocity=8.0,
                    acceleration=120.0,
                    jerk=4000.0,
                    effort=effort,
                    source=_HAND,
                )
            )
    return tuple(joints)


def _home() -> dict[str, float]:
    home = {f"waist_{name}_joint": 0.0 for name, *_ in _WAIST}
    for side in ("left", "right"):
        for table, values, prefix in (
            (_LEG, _HOME_LEG, ""),
            (_ARM_JOINTS, _HOME_ARM, ""),
            (_HAND_JOINTS, _HOME_HAND, "hand_"),
        ):
            for (name, *_), angle in zip(table, values, strict=True):
                sign = -1.0 if side == "right" and name in _MIRRORED else 1.0
                home[f"{side}_{prefix}{name}_joint"] = sign * angle
    return home


def _cameras(pixels: int) -> tuple[CameraSpec, ...]:
    head = CameraSpec(
        name="head",
        body="torso_link",
        position=(0.0576, 0.0175, 0.4299),
        pitch=0.8308,
        yaw=0.0,
        field_of_view=math.radians(69),
        height=pixels,
        width=pixels,
        rate_hz=10.0,
        source="d435_joint of Unitree's g1_29dof.urdf (47.6 degrees down); square crop of the D435's 69 degree colour picture",
    )
    wrists = tuple(
        CameraSpec(
            name=f"{side}_wrist",
            body=f"{side}_wrist_yaw_link",
            position=(0.0, 0.06 if side == "right" else -0.06, 0.085),
            pitch=0.6,
            yaw=-0.15 if side == "right" else 0.15,
            field_of_view=math.radians(75),
            height=pixels,
            width=pixels,
            rate_hz=10.0,
            source="Volition's choice: on the palm's side of the wrist, looking at the grasp centre between thumb and fingers",
        )
        for side in ("left", "right")
    )
    return (head, *wrists)


_BASE_LIMITS = BaseLimits(
    velocity=(0.6, 0.4, 0.8),
    acceleration=(1.5, 1.5, 3.0),
    source="Volition's choice, inside the balance policy's training range of 1 m/s and 1 rad/s",
)

_BASE_DIMENSIONS = (
    ActionDimension(name="base.forward", unit="m/s", meaning="velocity", low=-0.6, high=0.6),
    ActionDimension(name="base.left", unit="m/s", meaning="velocity", low=-0.4, high=0.4),
    ActionDimension(name="base.turn", unit="rad/s", meaning="velocity", low=-0.8, high=0.8),
)


def _ee_action() -> ActionSpec:
    """Per hand: grasp centre and rotation vector in the pelvis frame, grasp 0 (open) to 1 (closed); and the base."""
    dimensions: list[ActionDimension] = []
    for side in ("left", "right"):
        for axis, low, high in (("x", -0.3, 0.7), ("y", -0.7, 0.7), ("z", -0.4, 0.9)):
            dimensions.append(ActionDimension(name=f"{side}.{axis}", unit="m", meaning="absolute", low=low, high=high))
        for axis in ("rx", "ry", "rz"):
            dimensions.append(
                ActionDimension(name=f"{side}.{axis}", unit="rad", meaning="absolute", low=-math.pi, high=math.pi)
            )
        dimensions.append(ActionDimension(name=f"{side}.grasp", unit="1", meaning="absolute", low=0.0, high=1.0))
    return ActionSpec(name="ee", dimensions=(*dimensions, *_BASE_DIMENSIONS), rotations=(3, 10))


def _joint_action(joints: tuple[JointSpec, ...]) -> ActionSpec:
    """The arms' 14 joint angles, a grasp scalar per hand, and the base."""
    dimensions: list[ActionDimension] = []
    for side in ("left", "right"):
        for joint in joints:
            if joint.group == f"{side}_arm":
                low, high = joint.position
                dimensions.append(ActionDimension(name=joint.name, unit="rad", meaning="absolute", low=low, high=high))
        dimensions.append(ActionDimension(name=f"{side}.grasp", unit="1", meaning="absolute", low=0.0, high=1.0))
    return ActionSpec(name="joint", dimensions=(*dimensions, *_BASE_DIMENSIONS))


def g1(pixels: int = 128) -> RobotSpec:
    """The G1's spec, with square cameras of `pixels`."""
    joints = _joints()
    return RobotSpec(
        name="unitree_g1",
        joints=joints,
        commanded_groups=("left_arm", "right_arm", "left_hand", "right_hand"),
        home=_home(),
        base=_BASE_LIMITS,
        cameras=_cameras(pixels),
        actions=(_ee_action(), _joint_action(joints), PRIMITIVE_ACTION),
        safe_action=SafeAction(hold=("left_arm", "right_arm", "left_hand", "right_hand")),
    )
