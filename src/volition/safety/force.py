"""How hard each hand is pressed: from a sensor where there is one, else from what the arm's motors do beyond holding it.

RobotState.effort - gravity and motion's part of it -> least squares over the arm's joints -> force on the hand, N
"""

# MuJoCo ships no type stubs: strict checking would report every use of it.
# pyright: basic, reportAttributeAccessIssue=false
from __future__ import annotations

from collections.abc import Mapping

import mujoco
import numpy as np

from volition.robots.g1_assets import GRASP_CENTRE
from volition.safety.collision import SIDES, CollisionModel
from volition.safety.obstacles import Vector
from volition.transforms.rotation import rotate_inverse
from volition.types import RobotSpec, RobotState

_SMOOTH = 0.25  # of each new estimate in the running one: friction and acceleration make single ones jump
_DAMPING = 1e-3  # m^2: along what the arm's joints cannot feel, the force is taken as none


class HandForce:
    """Pure but for MuJoCo's scratch data. The fingers' joints and whatever is held are not in the estimate."""

    def __init__(self, robot: RobotSpec, collision: CollisionModel) -> None:
        self._model = collision.compiled[0]
        self._data = mujoco.MjData(self._model)
        self._gravity = self._model.opt.gravity.copy()
        dof = [int(self._model.joint(name).dofadr[0]) for name in robot.joint_names]
        self._dof, self._qpos = np.array(dof), collision.address
        names = [joint.name for joint in robot.joints]
        self._arms: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for side in SIDES:
            joints = np.array([names.index(joint.name) for joint in robot.group(f"{side}_arm")])
            slots = np.array([robot.commanded.index(robot.joints[joint]) for joint in joints])
            self._arms[side] = joints, slots
        self._body = {side: self._model.body(f"{side}_wrist_yaw_link").id for side in SIDES}
        self._jacobian = np.zeros((3, self._model.nv))
        self._bias = np.zeros(self._model.nv)

    def estimate(
        self, state: RobotState, sensed: Mapping[str, Vector], before: Mapping[str, np.ndarray]
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """The force on each hand (3,) N in the pelvis frame, and the arms' Jacobians (3, 7) there."""
        model, data = self._model, self._data
        data.qpos[self._qpos] = state.position
        data.qvel[self._dof] = state.velocity
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_comVel(model, data)
        model.opt.gravity[:] = rotate_inverse(state.base_quaternion, self._gravity)
        mujoco.mj_rne(model, data, 0, self._bias)
        model.opt.gravity[:] = self._gravity
        found: dict[str, np.ndarray] = {}
        jacobians: dict[str, np.ndarray] = {}
        for side, (joints, _) in self._arms.items():
            body = self._body[side]
            point = data.xpos[body] + data.xmat[body].reshape(3, 3) @ np.array(GRASP_CENTRE[side])
            mujoco.mj_jac(model, data, self._jacobian, None, point, body)
            dof = self._dof[joints]
            jacobian = jacobians[side] = self._jacobian[:, dof].copy()
            if side in sensed:
                found[side] = np.array(sensed[side], dtype=float)
                continue
            damping = model.dof_damping[dof] * state.velocity[joints]
            outside = self._bias[dof] + damping - state.effort[joints]
            force = np.linalg.solve(jacobian @ jacobian.T + _DAMPING * np.eye(3), jacobian @ outside)
            found[side] = force if side not in before else before[side] + _SMOOTH * (force - before[side])
        return found, jacobians

    def gives_way(self, side: str, jacobian: np.ndarray, change: np.ndarray, force: np.ndarray) -> bool:
        """Whether a change of the commanded joints (C,) moves the hand the way it is pushed."""
        return float(jacobian @ change[self._arms[side][1]] @ force) > 0
