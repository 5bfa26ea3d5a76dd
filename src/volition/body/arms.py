"""Inverse kinematics of both arms with mink: one small step a control tick from the last solution, in the pelvis frame."""

from __future__ import annotations

import mink
import mujoco
import numpy as np

from volition.robots.g1_assets import light_g1
from volition.types import RobotSpec, RobotState

STEPS = 2  # solver iterations a tick
# s: the waist is taken where it was on average. Followed at once, it and the arms that make up for it swing each other up:
# the arms' limited acceleration is late by half of the waist's 2 Hz, and both hands oscillate by centimetres.
WAIST = 0.4
STRAY = 0.25  # rad: how far the solution may run ahead of the measured arm, so that a blocked arm does not wind up
# Weights against 1 for the hands' positions. Without enough posture and damping the elbows flip between solutions at
# up to 4 rad/s and 230 rad/s^2 on a smooth path; with these the path costs 1.3 mm and 27 rad/s^2.
_ORIENTATION = 0.1
_POSTURE = 0.005  # stay near home: picks the elbow where the hand leaves it open
_ELBOW_OUT = 0.6  # rad of shoulder roll in that posture: clear of the torso
_DAMPING = 0.05  # stay still


class Arms:
    """Hand poses (grasp centre and orientation in the pelvis frame) in, joint angles of both arms out."""

    def __init__(self, robot: RobotSpec) -> None:
        self._model = _arms_only()
        names = [self._model.joint(index).name for index in range(self._model.njnt)]
        self._waist = np.array([name.startswith("waist") for name in names])
        self._from = np.array([robot.joint_names.index(name) for name in names])  # where they stand in RobotState
        arms = [joint for joint in robot.commanded if joint.group.endswith("_arm")]
        self._to = np.array([names.index(joint.name) for joint in arms])
        self._configuration = mink.Configuration(self._model)
        self._tick = 1.0 / robot.control_rate_hz
        self._tasks = {
            side: mink.FrameTask(
                f"{side}_grasp", "site", position_cost=1.0, orientation_cost=_ORIENTATION, gain=0.6, lm_damping=1e-3
            )
            for side in ("left", "right")
        }
        self._posture = mink.PostureTask(self._model, cost=np.where(self._waist, 0.0, _POSTURE))
        at_ease = robot.home_position.copy()
        for side, outwards in (("left", 1.0), ("right", -1.0)):
            at_ease[robot.joint_names.index(f"{side}_shoulder_roll_joint")] = outwards * _ELBOW_OUT
        self._posture.set_target(at_ease[self._from])
        self._low, self._high = np.array([robot.joints[index].position for index in self._from]).T
        self._damping = mink.DampingTask(self._model, cost=_DAMPING)
        fixed = mink.DofFreezingTask(self._model, dof_indices=np.flatnonzero(self._waist).tolist())
        self._constraints = [fixed]
        fastest = {joint.name: joint.velocity for joint in arms}
        self._limits = [mink.ConfigurationLimit(self._model), mink.VelocityLimit(self._model, fastest)]

    def reset(self, state: RobotState) -> None:
        self._configuration.update(state.position[self._from])
        self._middle = state.position[self._from][self._waist]  # where the waist is on average

    def hand(self, side: str, state: RobotState) -> tuple[np.ndarray, np.ndarray]:
        """Where a hand's grasp centre is now: position and quaternion in the pelvis frame."""
        kept = self._configuration.q.copy()
        self._configuration.update(state.position[self._from])
        pose = self._configuration.get_transform_frame_to_world(f"{side}_grasp", "site")
        position, quaternion = pose.translation().copy(), pose.rotation().wxyz.copy()
        self._configuration.update(kept)
        return position, quaternion

    def step(self, poses: dict[str, tuple[np.ndarray, np.ndarray]], state: RobotState) -> np.ndarray:
        """One tick towards `poses` (side -> position, quaternion); angles in the robot's order of commanded arm joints."""
        measured = state.position[self._from]
        near = np.clip(self._configuration.q, measured - STRAY, measured + STRAY)
        self._middle = self._middle + self._tick / WAIST * (measured[self._waist] - self._middle)
        start = near.copy()
        start[self._waist] = self._middle
        self._configuration.update(np.clip(start, self._low, self._high))  # a hair outside, the solver finds no way
        for side, (position, quaternion) in poses.items():
            self._tasks[side].set_target(mink.SE3.from_rotation_and_translation(mink.SO3(quaternion), position))
        tasks = [self._tasks[side] for side in poses] + [self._posture, self._damping]
        for _ in range(STEPS):
            velocity = mink.solve_ik(
                self._configuration,
                tasks,
                self._tick / STEPS,
                solver="daqp",
                limits=self._limits,
                constraints=self._constraints,
            )
            self._configuration.integrate_inplace(velocity, self._tick / STEPS)
        return self._configuration.q[self._to].copy()


def _arms_only() -> mujoco.MjModel:
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
