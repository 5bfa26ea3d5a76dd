"""Inverse kinematics of both arms: a few small steps (`reaching.py`) a control tick from the last solution, in the pelvis frame."""

from __future__ import annotations

import mujoco
import numpy as np

from volition.body.reaching import Joints, Reaching
from volition.robots.g1_assets import light_g1
from volition.types import RobotSpec, RobotState

SIDES = ("left", "right")
TORSO = "torso_link"
STEPS = 2  # of the solver, a tick
# s: the waist is taken where it was on average. Followed at once, it and the arms that make up for it swing each other up:
# the arms' limited acceleration is late by half of the waist's 2 Hz, and both hands oscillate by centimetres.
WAIST = 0.4
STRAY = 0.25  # rad: how far the solution may run ahead of the measured arm, so that a blocked arm does not wind up
_ELBOW_OUT = 0.6  # rad of shoulder roll in the posture at rest: clear of the torso


class Arms:
    """Hand poses (grasp centre and orientation in the pelvis frame) in, joint angles of both arms out."""

    def __init__(self, robot: RobotSpec) -> None:
        model = arms_only()
        names = [model.joint(index).name for index in range(model.njnt)]
        self._waist = np.array([name.startswith("waist") for name in names])
        self._from = np.array([robot.joint_names.index(name) for name in names])  # where they stand in RobotState
        arms = [joint for joint in robot.commanded if joint.group.endswith("_arm")]
        self._to = np.array([names.index(joint.name) for joint in arms])
        self._tick = 1.0 / robot.control_rate_hz
        self._low, self._high = np.array([robot.joints[index].position for index in self._from]).T
        at_ease = robot.home_position.copy()
        for side, outwards in (("left", 1.0), ("right", -1.0)):
            at_ease[robot.joint_names.index(f"{side}_shoulder_roll_joint")] = outwards * _ELBOW_OUT
        moved = np.flatnonzero(~self._waist)
        joints = Joints(
            columns=moved,
            low=self._low[moved],
            high=self._high[moved],
            fastest=np.array([robot.joints[index].velocity for index in self._from[moved]]),
            rest=at_ease[self._from[moved]],
        )
        self._reaching = Reaching(model, {side: f"{side}_grasp" for side in SIDES}, joints, self._tick / STEPS)

    def reset(self, state: RobotState) -> None:
        self._solution = state.position[self._from]
        self._middle = self._solution[self._waist]  # where the waist is on average

    def hand(self, side: str, state: RobotState) -> tuple[np.ndarray, np.ndarray]:
        """Where a hand's grasp centre is now: position and quaternion in the pelvis frame."""
        return self._reaching.pose(side, state.position[self._from])

    def torso(self, state: RobotState) -> tuple[np.ndarray, np.ndarray]:
        """Where the waist has the torso, which carries the arms and the head: the same of it."""
        return self._reaching.body(TORSO, state.position[self._from])

    def step(self, poses: dict[str, tuple[np.ndarray, np.ndarray]], state: RobotState) -> np.ndarray:
        """One tick towards `poses` (side -> position, quaternion); angles in the robot's order of commanded arm joints."""
        measured = state.position[self._from]
        start = np.clip(self._solution, measured - STRAY, measured + STRAY)
        self._middle = self._middle + self._tick / WAIST * (measured[self._waist] - self._middle)
        start[self._waist] = self._middle
        angles = np.clip(start, self._low, self._high)  # a hair outside, the solver finds no way
        for _ in range(STEPS):
            angles = self._reaching.step(poses, angles)
        self._solution = angles
        return angles[self._to]


def arms_only() -> mujoco.MjModel:
    """The G1 without legs, fingers and meshes, its pelvis fixed at the origin: 17 joints."""
    spec = mujoco.MjSpec.from_file(str(light_g1()))
    for actuator in list(spec.actuators):
        spec.delete(actuator)
    for sensor in list(spec.sensors):
        spec.delete(sensor)
    for name in ("left_hip_pitch_link", "right_hip_pitch_link"):
        spec.delete(spec.body(name))
    for side in ("left", "right"):
        for finger in ("thumb_0", "middle_0", "index_0"):
            spec.delete(spec.body(f"{side}_hand_{finger}_link"))
    for geom in list(spec.geoms):
        spec.delete(geom)
    for mesh in list(spec.meshes):
        spec.delete(mesh)
    spec.delete(spec.joint("floating_base_joint"))
    pelvis = spec.body("pelvis")
    pelvis.pos = [0.0, 0.0, 0.0]
    return spec.compile()
