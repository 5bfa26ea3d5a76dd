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
from volition.safety.frames import matrix
from volition.safety.obstacles import Vector
from volition.types import RobotSpec, RobotState

_SMOOTH = 0.25  # of each new estimate in the running one: friction and acceleration make single ones jump
_DAMPED = 1e-3 * np.eye(3)  # m^2: along what the arm's joints cannot feel, the force is taken as none


class HandForce:
    """Pure but for MuJoCo's scratch data. The fingers' joints and whatever is held are not in the estimate."""

    def __init__(self, robot: RobotSpec, collision: CollisionModel) -> None:
        self._model = collision.compiled[0]
        self._data = mujoco.MjData(self._model)
        self._pull = self._model.opt.gravity  # a view
        self._gravity = self._pull.copy()
        dof = [int(self._model.joint(name).dofadr[0]) for name in robot.joint_names]
        self._dof, self._qpos = np.array(dof), collision.address
        names = [joint.name for joint in robot.joints]
        self._arms: dict[str, tuple[np.ndarray, np.ndarray]] = {}  # its joints in the model and among the commanded
        for side in SIDES:
            joints = np.array([names.index(joint.name) for joint in robot.group(f"{side}_arm")])
            slots = np.array([robot.commanded.index(robot.joints[joint]) for joint in joints])
            self._arms[side] = self._dof[joints], slots
        self._hand: dict[
            str, tuple[np.ndarray, np.ndarray, int]
        ] = {}  # views of its body's place and turn, and the body
        for side in SIDES:
            body = self._model.body(f"{side}_wrist_yaw_link").id
            self._hand[side] = self._data.xpos[body], self._data.xmat[body].reshape(3, 3), body
        self._grasp = {side: np.array(GRASP_CENTRE[side]) for side in SIDES}
        self._damping = self._model.dof_damping.copy()
        self._effort = np.zeros(self._model.nv)
        self._jacobian = np.zeros((3, self._model.nv))
        self._bias = np.zeros(self._model.nv)

    def estimate(
        self, state: RobotState, sensed: Mapping[str, Vector], before: Mapping[str, np.ndarray]
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """The force on each hand (3,) N in the pelvis frame, and the arms' Jacobians (3, 7) there."""
        model, data = self._model, self._data
        data.qpos[self._qpos] = state.position
        data.qvel[self._dof] = state.velocity
        self._effort[self._dof] = state.effort
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_comVel(model, data)
        self._pull[:] = self._gravity @ matrix(state.base_quaternion)
        mujoco.mj_rne(model, data, 0, self._bias)
        self._pull[:] = self._gravity
        outside = self._bias + self._damping * data.qvel - self._effort
        found: dict[str, np.ndarray] = {}
        jacobians: dict[str, np.ndarray] = {}
        square, pushed = np.empty((len(SIDES), 3, 3)), np.empty((len(SIDES), 3, 1))
        for number, side in enumerate(SIDES):
            at, turn, body = self._hand[side]
            mujoco.mj_jac(model, data, self._jacobian, None, at + turn @ self._grasp[side], body)
            dof = self._arms[side][0]
            jacobian = jacobians[side] = self._jacobian[:, dof]
            square[number], pushed[number, :, 0] = jacobian @ jacobian.T + _DAMPED, jacobian @ outside[dof]
        for side, force in zip(SIDES, np.linalg.solve(square, pushed)[..., 0], strict=True):
            if side in sensed:
                found[side] = np.array(sensed[side], dtype=float)
            else:
                found[side] = force if side not in before else before[side] + _SMOOTH * (force - before[side])
        return found, jacobians

    def gives_way(self, side: str, jacobian: np.ndarray, change: np.ndarray, force: np.ndarray) -> bool:
        """Whether a change of the commanded joints (C,) moves the hand the way it is pushed."""
        return float(jacobian @ change[self._arms[side][1]] @ force) > 0
