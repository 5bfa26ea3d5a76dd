"""The balance controller: ONNX policies that keep the G1 on its legs and walk, 50 times a second. Runs inside the robot.

The policies were trained on the 29-joint G1 (package holosoma-inference). They drive legs and waist; the arms are
masked from their view (positions, velocities and last actions of the arms read as zero), so the arms may do anything.
Each sees, in this order: last action 29; angular velocity 3 x 0.25; turn command; forward and left command; cos
phase 2; joint position minus default 29; joint velocity 29 x 0.05; gravity in the pelvis frame 3; sin phase 2.

Two of them share the work, because each is weak where the other is strong (measured in `docs/body.md`): PPO stands
through pushes and reaching arms but walks backward at 0.3 m/s at most; FastSAC walks backward at 0.65 m/s but has
fallen while reaching. They have the same gains, default posture and action scale, so one takes over from the other
with the last action and the phase of the stride. A stride of 0.75 s instead of the trained 1 s falls less when pushed.
"""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import onnxruntime

from volition.errors import AssetError
from volition.transforms.rotation import rotate_inverse
from volition.types import RobotSpec, RobotState

PACKAGE = "holosoma_inference"
WHEEL = "holosoma-inference==0.1.3"
MODELS = Path("models/loco/g1_29dof")
STAND = "ppo_g1_29dof.onnx"
WALK = "fastsac_g1_29dof.onnx"
ACTION_SCALE = 0.25
STRIDE = 0.75  # s
HAND_OVER = 0.8  # rad of the first foot's phase: see `may_stand`
LEAN = 1.3  # rad a metre: see `step`
_DOWN = np.array([0.0, 0.0, -1.0])


class BalanceController:
    """Robot state and a velocity command in, targets for the balanced joints out. Call it once a control tick."""

    def __init__(self, robot: RobotSpec, *, stand: str = STAND, walk: str = WALK) -> None:
        self._stand, self._walk = _load(stand), _load(walk)
        metadata = self._stand.get_modelmeta().custom_metadata_map
        other = self._walk.get_modelmeta().custom_metadata_map
        for key in ("dof_names", "kp", "kd"):
            if metadata[key] != other[key]:
                raise AssetError(f"The balance policies {stand} and {walk} differ in {key}; they cannot share a robot.")
        names: list[str] = json.loads(metadata["dof_names"])
        unknown = sorted(set(names) - set(robot.joint_names))
        if unknown:
            raise AssetError(f"The balance policy moves {', '.join(unknown)}, which {robot.name} does not have.")
        self.gains = dict(
            zip(names, zip(json.loads(metadata["kp"]), json.loads(metadata["kd"]), strict=True), strict=True)
        )
        self._seen = np.array([robot.joint_names.index(name) for name in names])
        self._default = robot.home_position[self._seen]
        groups = {joint.name: joint.group for joint in robot.joints}
        self._driven = np.array([groups[name] not in robot.commanded_groups for name in names])
        self.joints = tuple(name for name, driven in zip(names, self._driven, strict=True) if driven)
        self.index = self._seen[self._driven]  # where the driven joints stand among all
        limits = [robot.joints[index].position for index in self.index]
        self._low, self._high = np.array(limits).T
        self._tick = 1.0 / robot.control_rate_hz
        self.reset()

    def reset(self) -> None:
        self._action = np.zeros(len(self._seen))
        self._phase = np.array([math.pi, math.pi])  # of the two feet; equal: standing
        self._observation = np.zeros((1, 100), dtype=np.float32)

    def step(self, state: RobotState, velocity: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """Targets in rad for `joints`, for a velocity command (forward, left, turn).

        `shift` is how far the arms have moved the centre of mass (m, pelvis frame). The policies cannot see the arms,
        and arms held forward pull a walking robot forward by metres; told that it leans that way, it leans back. Not
        while standing: there the feet's grip holds, and a changing lean would move the hands.
        """
        standing = not np.any(velocity)
        if standing:
            self._phase[:] = math.pi
        elif self._phase[0] == self._phase[1]:
            self._phase[:] = (0.0, math.pi)
        seen = self._observation[0]
        seen[0:29] = np.where(self._driven, self._action, 0.0)
        seen[29:32] = state.base_angular_velocity * 0.25
        seen[32] = velocity[2]
        seen[33:35] = velocity[:2]
        seen[35:37] = np.cos(self._phase)
        seen[37:66] = np.where(self._driven, state.position[self._seen] - self._default, 0.0)
        seen[66:95] = np.where(self._driven, state.velocity[self._seen] * 0.05, 0.0)
        seen[95:98] = rotate_inverse(state.base_quaternion, _DOWN)
        if not standing:
            seen[95:97] += LEAN * shift[:2]
        seen[98:100] = np.sin(self._phase)
        policy = self._stand if standing else self._walk
        self._action = np.asarray(policy.run(None, {"actor_obs": self._observation})[0])[0].astype(np.float64)
        if not standing:
            self._phase = (self._phase + 2 * math.pi * self._tick / STRIDE + math.pi) % (2 * math.pi) - math.pi
        targets = (self._default + ACTION_SCALE * self._action)[self._driven]
        return np.clip(targets, self._low, self._high)

    @property
    def may_stand(self) -> bool:
        """Whether now is the moment in the stride at which walking turns into standing without throwing the robot.

        Measured over the stride: handed over at a phase of 0.5 to 1.05 the pelvis moves by 1 to 3 cm, at -1.57 by 30.
        """
        walking = self._phase[0] != self._phase[1]
        return not walking or abs(self._phase[0] - HAND_OVER) < math.pi * self._tick / STRIDE


def _load(name: str) -> onnxruntime.InferenceSession:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise AssetError(
            f"The balance policies are not installed; they come in {WHEEL}: run `pip install --no-deps {WHEEL}`."
        )
    path = Path(next(iter(found.submodule_search_locations))) / MODELS / name
    if not path.is_file():
        raise AssetError(f"The installed {PACKAGE} has no {MODELS / name}; install {WHEEL}.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # 50 us an inference: threads only add jitter
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
