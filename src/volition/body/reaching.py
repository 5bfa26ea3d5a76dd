"""One step of inverse kinematics, as the quadratic program it is: hands' goals and joint angles in, better angles out.

    q, goals -> Reaching.step -> q + dq, where dq minimises, over the joints that move,

      sum over hands |K dq - g w e|^2 + (m + least) |dq|^2    the hands go to their goals
      + posture^2 |dq - (rest - q)|^2 + damping^2 |dq|^2      the joints stay near their rest, and still

    within   -0.95 (q - low) <= dq <= 0.95 (high - q)   and   |dq| <= fastest dt

Of a hand, e is the twist that leads from its pose to its goal in unit time, in its own frame (`transforms/pose.py`); K is
w times the rate of -e with the joints, J(e) J_hand; w weighs positions 1 and rotations `ORIENTATION`; g is the gain, and m
the sum over hands of `FAR` |g w e|^2, which calms goals that are far away or out of reach. It is the program that mink
(Zakka) builds of a FrameTask a hand, a PostureTask, a DampingTask, a ConfigurationLimit and a VelocityLimit, with the
waist's columns left out instead of held at zero; the tests compare the two. DAQP solves it (Arnstrom et al. 2022).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import daqp
import mujoco
import numpy as np

from volition.errors import ContractError
from volition.transforms import pose

Array = np.ndarray

# Weights against 1 for the hands' positions. Without enough posture and damping the elbows flip between solutions at
# up to 4 rad/s and 230 rad/s^2 on a smooth path; with these the path costs 1.3 mm and 27 rad/s^2.
ORIENTATION = 0.1
POSTURE = 0.005  # stay near home: picks the elbow where the hand leaves it open
DAMPING = 0.05  # stay still
GAIN = 0.6  # share of the way that one step asks for
FAR = 1e-3
SHY = 0.95  # share of the way to its limit that a joint may go in one step
_LEAST = 1e-12


@dataclass(frozen=True, kw_only=True)
class Joints:
    """Those that move, in the model's order."""

    columns: Array  # where they stand in the model
    low: Array  # rad
    high: Array
    fastest: Array  # rad/s
    rest: Array  # rad


class Reaching:
    """Of one model, all of whose joints are hinges. `sites`: a name for each hand, and its site in the model."""

    def __init__(self, model: mujoco.MjModel, sites: Mapping[str, str], joints: Joints, dt: float) -> None:
        self._model, self._data = model, mujoco.MjData(model)
        self._sites = {name: int(model.site(site).id) for name, site in sites.items()}
        self._joints, self._most = joints, joints.fastest * dt
        self._forward, self._turning = np.zeros((3, model.nv)), np.zeros((3, model.nv))
        self._here, self._turn = np.empty(4), np.empty(3)
        self._no_rows = np.zeros((0, len(joints.columns)))  # limits of single joints need no matrix

    def pose(self, hand: str, angles: Array) -> tuple[Array, Array]:
        """Where a hand is with these angles of all joints: position and quaternion."""
        self._move_to(angles)
        quaternion, site = np.empty(4), self._sites[hand]
        mujoco.mju_mat2Quat(quaternion, self._data.site_xmat[site])
        return self._data.site_xpos[site].copy(), quaternion

    def body(self, name: str, angles: Array) -> tuple[Array, Array]:
        """The same of a body."""
        self._move_to(angles)
        body = self._data.body(name)
        return body.xpos.copy(), body.xquat.copy()

    def step(self, goals: Mapping[str, tuple[Array, Array]], angles: Array) -> Array:
        """All joints' angles after one step towards the goals (hand -> position, quaternion)."""
        self._move_to(angles)
        joints = self._joints
        moved = angles[joints.columns]
        rows, wanted = self._rows(goals)
        far = FAR * float(wanted @ wanted)
        square = rows.T @ rows
        square.flat[:: len(moved) + 1] += far + _LEAST + POSTURE**2 + DAMPING**2
        linear = -(wanted @ rows) - POSTURE**2 * (joints.rest - moved)
        least = np.maximum(SHY * (joints.low - moved), -self._most)
        most = np.minimum(SHY * (joints.high - moved), self._most)
        change, _, found, _ = daqp.solve(square, linear, self._no_rows, most, least)
        if found < 1:
            raise ContractError(
                f"The inverse kinematics found no step (DAQP ended with {found}); every joint must be within its limits."
            )
        reached = angles.copy()
        reached[joints.columns] += change
        return reached

    def _move_to(self, angles: Array) -> None:
        self._data.qpos[:] = angles
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)

    def _rows(self, goals: Mapping[str, tuple[Array, Array]]) -> tuple[Array, Array]:
        """K and g w e of all hands, one below the other: (6 H, D) and (6 H,)."""
        rows = np.empty((6 * len(goals), self._model.nv))
        wanted = np.empty(6 * len(goals))
        for first, (hand, (place, turn)) in zip(range(0, len(wanted), 6), goals.items(), strict=True):
            site = self._sites[hand]
            axes = self._data.site_xmat[site].reshape(3, 3)
            mujoco.mj_jacSite(self._model, self._data, self._forward, self._turning, site)
            mujoco.mju_mat2Quat(self._here, self._data.site_xmat[site])
            mujoco.mju_subQuat(self._turn, turn, self._here)
            way, inverse, coupling = pose.log(self._turn, (place - self._data.site_xpos[site]) @ axes)
            rate = inverse @ axes.T
            turning = rate @ self._turning
            rows[first : first + 3] = rate @ self._forward - (inverse @ coupling) @ turning
            rows[first + 3 : first + 6] = ORIENTATION * turning
            wanted[first : first + 3] = GAIN * way
            wanted[first + 3 : first + 6] = (GAIN * ORIENTATION) * self._turn
        return rows.take(self._joints.columns, axis=1), wanted
