"""Gravity feed-forward: the torque that holds the arms and hands up, from the robot's own model of itself. Runs inside the robot.

The model is the nominal robot: it does not know what the hand holds, as a real robot would not.
"""

from __future__ import annotations

import mujoco
import numpy as np

from volition.robots.g1_assets import light_g1
from volition.types import RobotSpec, RobotState


class Gravity:
    def __init__(self, robot: RobotSpec) -> None:
        self._model = mujoco.MjModel.from_xml_path(str(light_g1()))
        self._data = mujoco.MjData(self._model)
        joints = [self._model.joint(name) for name in robot.joint_names]
        self._qpos = np.array([joint.qposadr[0] for joint in joints])
        self._dof = np.array([joint.dofadr[0] for joint in joints])[robot.commanded_index]
        self._force = np.zeros(self._model.nv)

    def torque(self, state: RobotState) -> np.ndarray:
        """N m for the commanded joints, (C,)."""
        self._data.qpos[3:7] = state.base_quaternion
        self._data.qpos[self._qpos] = state.position
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_rne(self._model, self._data, 0, self._force)
        return self._force[self._dof]
