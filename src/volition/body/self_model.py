"""The robot's own model of itself: the torque that holds its arms up, and how far their posture shifts its centre of mass.

The model is the nominal robot: it does not know what the hands hold, as a real robot would not. Runs inside the robot.
"""

from __future__ import annotations

import mujoco
import numpy as np

from volition.robots.g1_assets import light_g1
from volition.transforms.rotation import rotate_inverse
from volition.types import RobotSpec, RobotState


class SelfModel:
    """Call `update` once a control tick, then read."""

    def __init__(self, robot: RobotSpec) -> None:
        self._model = mujoco.MjModel.from_xml_path(str(light_g1()))
        self._data = mujoco.MjData(self._model)
        joints = [self._model.joint(name) for name in robot.joint_names]
        self._qpos = np.array([joint.qposadr[0] for joint in joints])
        self._dof = np.array([joint.dofadr[0] for joint in joints])[robot.commanded_index]
        commanded = {joint.name for joint in robot.commanded}
        moved = {int(self._model.jnt_bodyid[joint.id]) for joint in joints if joint.name in commanded}
        self._bodies = np.array(sorted(moved))
        self._share = self._model.body_mass[self._bodies] / self._model.body_mass.sum()
        self._force = np.zeros(self._model.nv)
        self._home = np.zeros(3)
        self._data.qpos[self._qpos] = robot.home_position
        self._data.qpos[3] = 1.0
        self._compute()
        self._home = self.shift

    def update(self, state: RobotState) -> None:
        self._data.qpos[3:7] = state.base_quaternion
        self._data.qpos[self._qpos] = state.position
        self._compute()

    def _compute(self) -> None:
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_rne(self._model, self._data, 0, self._force)
        away = self._data.xipos[self._bodies] - self._data.xpos[1]
        self.shift = rotate_inverse(self._data.qpos[3:7], self._share @ away) - self._home

    @property
    def gravity(self) -> np.ndarray:
        """N m that hold the commanded joints, (C,)."""
        return self._force[self._dof]

    shift: np.ndarray  # m: where the arms have moved the centre of mass from where it is at home, pelvis frame
