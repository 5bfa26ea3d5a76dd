"""Where the robot's parts are by its encoders: hands and cameras at their nominal mounts, and where it has walked to.

    Observation.state --Odometry.believe--> RobotState in the rival's own world --Kinematics--> hands, Eyes

Of the state it uses what a real G1 measures well: encoders, roll and pitch, height, the velocity of the base. Position and
heading in the simulator's world are never read: the rival's world begins where the robot stands when it is told its task.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import mujoco
import numpy as np

from volition.body.proprioception import roll_and_pitch
from volition.robots.g1_assets import light_g1
from volition.transforms.rotation import from_rotvec, multiply, rotate, yaw
from volition.types import CameraSpec, RobotSpec, RobotState


@dataclass(frozen=True)
class Eye:
    """One camera at one instant: where it is in the rival's world, and how points fall on its picture."""

    position: np.ndarray  # (3,) m
    turn: np.ndarray  # (3, 3), columns: forward, left, up
    focal: float  # pixels
    height: int
    width: int

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, 3) to columns and rows (N, 2), pixel centres at halves, and how far ahead each is (N,)."""
        ahead, left, up = ((np.asarray(points) - self.position) @ self.turn).T
        scale = self.focal / np.maximum(ahead, 1e-3)
        return np.stack([self.width / 2 - scale * left, self.height / 2 - scale * up], axis=1), ahead

    def rays(self, pixels: np.ndarray) -> np.ndarray:
        """(N, 2) columns and rows to directions in the world, (N, 3), one metre ahead each."""
        column, row = np.asarray(pixels, dtype=np.float64).T
        ahead = np.ones(len(column))
        away = np.stack([ahead, (self.width / 2 - column) / self.focal, (self.height / 2 - row) / self.focal], axis=1)
        return away @ self.turn.T

    def on_level(self, pixels: np.ndarray, height: float) -> np.ndarray:
        """Where the rays through these pixels meet a level plane, (N, 3); not finite where they never do."""
        rays = self.rays(pixels)
        with np.errstate(divide="ignore"):
            share = (height - self.position[2]) / rays[:, 2]
        return self.position + np.where(share > 0, share, np.nan)[:, None] * rays


class Kinematics:
    """Forward kinematics of the spec's robot. `at` first; then hands and eyes are those of that state."""

    def __init__(self, robot: RobotSpec) -> None:
        self._robot = robot
        spec = mujoco.MjSpec.from_file(str(light_g1()))
        self._model = spec.compile()
        self._data = mujoco.MjData(self._model)
        self._slots = np.array([self._model.joint(name).qposadr[0] for name in robot.joint_names])
        self._base = int(self._model.joint("floating_base_joint").qposadr[0])

    def at(self, state: RobotState) -> None:
        qpos = self._data.qpos
        qpos[self._slots] = state.position
        qpos[self._base : self._base + 7] = [*state.base_position, *state.base_quaternion]
        mujoco.mj_kinematics(self._model, self._data)

    def hand(self, side: str) -> tuple[np.ndarray, np.ndarray]:
        """A hand's grasp centre: position and quaternion."""
        site, quaternion = self._data.site(f"{side}_grasp"), np.empty(4)
        mujoco.mju_mat2Quat(quaternion, site.xmat)
        return site.xpos.copy(), quaternion

    def arm(self, side: str) -> tuple[np.ndarray, np.ndarray]:
        """Points along a forearm and its hand, (N, 3), and how thick it is there, (N,), m."""
        elbow, wrist = (self._data.body(f"{side}_{part}_link").xpos for part in ("elbow", "wrist_yaw"))
        site = self._data.site(f"{side}_grasp")
        tips = site.xpos + site.xmat.reshape(3, 3)[:, 0] * np.array([[0.0], [0.03], [0.06], [0.08]])
        shares = np.linspace(0.0, 1.0, 6)[:, None]
        radii = [0.05] * 7 + [0.045, 0.035, 0.03, 0.025]
        return np.vstack([elbow + shares * (wrist - elbow), (wrist + site.xpos) / 2, tips]), np.array(radii)

    def eye(self, name: str) -> Eye:
        camera: CameraSpec = self._robot.camera(name)
        body = self._data.body(camera.body)
        mount = multiply(from_rotvec(np.array([0, 0, camera.yaw])), from_rotvec(np.array([0, camera.pitch, 0])))
        turn = np.empty(9)
        mujoco.mju_quat2Mat(turn, multiply(body.xquat, mount))
        return Eye(
            position=body.xpos + rotate(body.xquat, np.array(camera.position)),
            turn=turn.reshape(3, 3),
            focal=camera.height / 2 / math.tan(camera.field_of_view / 2),
            height=camera.height,
            width=camera.width,
        )


class Odometry:
    """Adds up where the base has gone. The world's height is the robot's own; x and y begin at 0, heading too."""

    def __init__(self) -> None:
        self.place, self.heading = np.zeros(2), 0.0
        self._before: tuple[float, np.ndarray, float] | None = None  # stamp, velocity in the world, rate of turn

    def believe(self, state: RobotState) -> RobotState:
        """The same state with a base pose that was felt, not known."""
        roll, pitch = roll_and_pitch(state.base_quaternion)
        rate = float(state.base_angular_velocity[2])
        now, passed = state.stamp, 0.0
        if self._before is not None:
            passed = now - self._before[0]
            self.heading += passed * (rate + self._before[2]) / 2
        quaternion = _leaning(roll, pitch, self.heading)
        velocity = rotate(quaternion, state.base_velocity)[:2]
        if self._before is not None:
            self.place = self.place + passed * (velocity + self._before[1]) / 2
        self._before = (now, velocity, rate)
        return self.pose(state)

    def pose(self, state: RobotState) -> RobotState:
        """The state at the place and heading that are believed now."""
        quaternion = _leaning(*roll_and_pitch(state.base_quaternion), self.heading)
        position = np.array([*self.place, state.base_position[2]])
        return replace(state, base_position=position, base_quaternion=quaternion)

    def correct(self, place: np.ndarray, heading: float) -> None:
        """The robot turns out to be elsewhere."""
        if self._before is not None:
            stamp, velocity, rate = self._before
            turn = from_rotvec(np.array([0.0, 0.0, heading - self.heading]))
            self._before = (stamp, rotate(turn, np.array([*velocity, 0.0]))[:2], rate)
        self.place, self.heading = np.array(place, dtype=np.float64), heading


def _leaning(roll: float, pitch: float, heading: float) -> np.ndarray:
    turned = multiply(from_rotvec(np.array([0.0, pitch, 0.0])), from_rotvec(np.array([roll, 0.0, 0.0])))
    return multiply(from_rotvec(np.array([0.0, 0.0, heading - float(yaw(turned))])), turned)
