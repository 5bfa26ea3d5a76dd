"""Where cameras sit on what carries them: a hand or the torso, whose poses the robot feels (`proprioception.py`).

RobotSpec --mounts--> {camera: Mount}
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from volition.body.arms import SIDES, TORSO, arms_only
from volition.transforms.rotation import from_rotvec, multiply, rotate
from volition.types import RobotSpec


@dataclass(frozen=True, kw_only=True)
class Mount:
    """`rotation` and `position` lead from the camera's axes (forward, left, up) to the carrier's."""

    carrier: str  # as the numbers of its pose begin: "left", "right" (the grasp centre), "torso"
    rotation: np.ndarray  # (3, 3)
    position: np.ndarray  # (3,), m
    field_of_view: float  # rad


def mounts(robot: RobotSpec) -> dict[str, Mount]:
    """Of the cameras that are on something whose pose is felt; none of a robot without the two arms that we know."""
    if not robot.group("left_arm"):
        return {}
    model = arms_only()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    found: dict[str, Mount] = {}
    for camera in robot.cameras:
        hand = next((side for side in SIDES if camera.body.startswith(f"{side}_wrist")), "")
        if not hand and camera.body != TORSO:
            continue
        body = data.body(camera.body)
        turned = multiply(from_rotvec(np.array([0, 0, camera.yaw])), from_rotvec(np.array([0, camera.pitch, 0])))
        axes = body.xmat.reshape(3, 3)
        rotation = axes @ rotate(np.broadcast_to(turned, (3, 4)), np.eye(3)).T
        position = body.xpos + axes @ np.array(camera.position)
        place, turn = (
            (data.site(f"{hand}_grasp").xpos, data.site(f"{hand}_grasp").xmat) if hand else (body.xpos, body.xmat)
        )
        back = turn.reshape(3, 3).T
        found[camera.name] = Mount(
            carrier=hand or "torso",
            rotation=back @ rotation,
            position=back @ (position - place),
            field_of_view=camera.field_of_view,
        )
    return found
