"""Teachers: closed-loop policies that know the truth. They decide in the world and act in `ee`, ten times a second.

    Stage + Goal -> Skill's plan.decide(Scene truth) -> Intent -> Expert.infer -> ActionChunk -> the same loop as any policy

A plan decides from what is the case now, not from what it did before, wherever it can: so an expert can take over
any state, and label it, from the first call.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from volition.sim.stage import READY, SIDES, Stage
from volition.transforms.rotation import (
    IDENTITY,
    between,
    conjugate,
    from_rotvec,
    multiply,
    rotate,
    rotate_inverse,
    slerp,
    to_rotvec,
    wrap,
    yaw,
)
from volition.types import ActionChunk, ActionSpec, Observation, RobotState

STEPS = 10  # of a chunk
DT = 0.1  # s
TURNING = 2.0  # rad/s, of a hand
CLOSING = 1.6  # 1/s, of a grasp
STRAY = 0.06  # m: a hand that waits this far from where it was sent waits where it is
LEAD, FIRM = (
    0.08,
    0.25,
)  # s: how far hands follow behind where they are sent, and fingers, which are to hold firmly, too
NUDGE = (0.012, 0.04)  # m, rad: a hand that is sent less far than this may not move at all
STALE = 0.25  # s: after a longer silence the robot may be anywhere
WALK = (0.35, 0.30, 0.5)  # m/s, m/s, rad/s: the fastest an expert walks
NEAR = (0.035, 0.035, 0.06)  # m, m, rad: close enough to stop walking
WALK_GAIN = 1.5  # 1/s
LAG = 0.7  # s: so long the robot goes on as it is felt to, when it is asked to stop
STILL, MOVING = 0.06, 0.15  # m/s, smoothed, of the base: reaching sways it by 0.05, steps move it by 0.1 to 0.4
SMOOTH = 0.3  # s
BEGIN = 0.8  # s: so long walking takes to begin
SPOT = (0.32, 0.17)  # m: forward and outwards from the robot's middle, where a hand works best ...
SLACK = (0.085, 0.11)  # m: ... and how far from there it still works well
ASKEW = 0.2  # rad: turned this far from the table, the robot turns back
CLOSEST = 0.03  # m: how far towards the table the robot may stand
_TIMES = DT * np.arange(1, STEPS + 1)  # s: of a chunk's steps

Hand = tuple[np.ndarray, np.ndarray, float]  # its grasp centre's position and orientation, and how closed it is


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Where a hand is to go: position of its grasp centre and orientation, both in the pelvis frame; and how fast.

    `steady`: its path begins where it was last sent, not where it is. A hand that is led by where it is swings with the base, which
    no cup bears that is to be poured from; one that is stuck goes on being sent further.
    """

    position: np.ndarray
    quaternion: np.ndarray = field(default_factory=lambda: IDENTITY)
    grasp: float = 0.0
    speed: float = 0.25  # m/s
    turning: float = TURNING  # rad/s
    steady: bool = False


@dataclass(frozen=True, kw_only=True)
class Intent:
    """What the whole robot is to do now. A hand that is not named goes to READY as it is, or stays where it is if `wait`."""

    hands: Mapping[str, Reach] = field(default_factory=dict)
    base: np.ndarray = field(default_factory=lambda: np.zeros(3))
    wait: bool = False
    status: Literal["running", "done", "failed"] = "running"
    note: str = ""


def stepping(base: np.ndarray, note: str = "stepping") -> Intent:
    """What a Stepper asks for while nothing is held: walk with the hands at READY, or wait until the feet are still."""
    return Intent(base=base, wait=not np.any(base), note=note if np.any(base) else "waiting")


class Plan(Protocol):
    """What a skill teaches: one decision from the state of the robot and, through its stage, the truth."""

    def decide(self, state: RobotState) -> Intent: ...


class Expert:
    """A Policy. `resume` forgets what it commanded, for a robot that somebody else has moved.

    A path begins where the hand is, not where it was sent: a learner feels the one and cannot know the other, and a hand that
    is stuck would be sent ever the same way on.
    """

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self._stage, self.plan = stage, plan
        self._spec = stage.spec.action("ee")
        self._first = {side: self._spec.index(f"{side}.x") for side in SIDES}
        self.resume()

    @property
    def action_spec(self) -> ActionSpec:
        return self._spec

    def reset(self, instruction: str) -> None:
        self.resume()

    def resume(self) -> None:
        self._sent: dict[str, Hand] = {}
        self._at = -math.inf

    def follow(self, chunk: ActionChunk) -> None:
        """The hands were sent where this chunk says, by somebody else: the next path begins there."""
        for side, first in self._first.items():
            row = chunk.values[0, first : first + 7]
            self._sent[side] = (row[:3].copy(), from_rotvec(row[3:6]), float(row[6]))
        self._at = chunk.stamp

    def infer(self, observation: Observation) -> ActionChunk:
        state = observation.state
        intent = self.plan.decide(state)
        values = np.zeros((STEPS, len(self._spec.dimensions)))
        for side, first in self._first.items():
            here, reach = self._here(side, state), intent.hands.get(side)
            held = self._held(side, observation.stamp, here)
            if reach is None and intent.wait:
                reach = Reach(position=held[0], quaternion=held[1], grasp=held[2])
            elif reach is None:
                reach = Reach(position=READY[side], grasp=held[2])
            path = _path(held if reach.steady else here, reach)
            values[:, first : first + 7] = path
            self._sent[side] = (path[0, :3], from_rotvec(path[0, 3:6]), float(path[0, 6]))
        values[:, -3:] = intent.base
        self._at = observation.stamp
        values = np.clip(values, self._spec.low, self._spec.high)
        return ActionChunk(
            stamp=observation.stamp,
            values=values,
            dt=DT,
            spec=self._spec.name,
            status=intent.status,
            note=intent.note,
        )

    def _here(self, side: str, state: RobotState) -> Hand:
        """Where the hand is, in the pelvis frame."""
        position, quaternion = self._stage.hand(side)
        back = conjugate(state.base_quaternion)
        here, turned = rotate(back, position - state.base_position), multiply(back, quaternion)
        return here, turned, closed(self._stage.spec.joint_names, state, side)

    def _held(self, side: str, now: float, here: Hand) -> Hand:
        """Where a hand stays that is to wait: where it was last sent, if it is near there, or it would sink by and by."""
        sent = self._sent.get(side)
        if sent is None or now - self._at > STALE:
            return here
        away = sent[0] - here[0]
        distance = np.linalg.norm(away)
        return (here[0] + away * (STRAY / distance), sent[1], sent[2]) if distance > STRAY else sent


def _path(start: Hand, reach: Reach) -> np.ndarray:
    """STEPS poses on the straight way to `reach`, (STEPS, 7)."""
    position, quaternion, grasp = start
    ahead = reach.position - position
    way, turn = np.linalg.norm(ahead), np.linalg.norm(between(quaternion, reach.quaternion))
    far, round_ = max(way / reach.speed, 1e-6), max(turn / reach.turning, 1e-6)  # s
    if reach.steady:  # what it lags behind is in where it was sent; it is kept in its place while it leans
        gone, turned = np.minimum(_TIMES / far, 1.0), np.minimum(_TIMES / round_, 1.0)
    else:  # hands arrive and have turned together
        both = max(far, round_)
        lead = max(LEAD / both, min(NUDGE[0] / max(way, 1e-6), NUDGE[1] / max(turn, 1e-6)))
        gone = turned = np.minimum(_TIMES / both + lead, 1.0)
    rows = np.empty((STEPS, 7))
    rows[:, :3] = position + gone[:, None] * ahead
    rows[:, 3:6] = to_rotvec(slerp(quaternion, reach.quaternion, turned))
    most = CLOSING * (_TIMES + FIRM)
    rows[:, 6] = grasp + np.clip(reach.grasp - grasp, -most, most)
    return rows


def closed(names: tuple[str, ...], state: RobotState, side: str) -> float:
    """How closed a hand is, 0 to 1, by its index finger's first joint."""
    angle = state.position[names.index(f"{side}_hand_index_0_joint")]
    return float(np.clip(abs(angle) / 1.3, 0.0, 1.0))


def side_of(point: np.ndarray) -> str:
    """The hand for a point in the pelvis frame: the left one where it works well without a step, else the right one.

    Not simply the nearer one: before the middle neither works well, and which way to step aside would hang on a centimetre
    that nobody sees. A learner shown both ways learns to stand.
    """
    return "left" if point[1] > SPOT[1] - SLACK[1] else "right"


def mirror(side: str) -> float:
    """+1 for the left hand, -1 for the right: the sign of what is outwards along y."""
    return 1.0 if side == "left" else -1.0


def about_z(angle: float) -> np.ndarray:
    return from_rotvec(np.array([0.0, 0.0, angle]))


def up(height: float) -> np.ndarray:
    return np.array([0.0, 0.0, height])


class Frame:
    """Between the world and the pelvis, for one state."""

    def __init__(self, state: RobotState) -> None:
        self.position, self.quaternion = state.base_position, state.base_quaternion
        self.heading = float(yaw(state.base_quaternion))

    def point(self, world: np.ndarray) -> np.ndarray:
        return rotate_inverse(self.quaternion, np.asarray(world) - self.position)

    def turn(self, world: np.ndarray) -> np.ndarray:
        return multiply(conjugate(self.quaternion), world)

    def world(self, point: np.ndarray) -> np.ndarray:
        return self.position + rotate(self.quaternion, point)

    def reach(
        self, point: np.ndarray, heading: float, *, grasp: float, speed: float = 0.25, steady: bool = False
    ) -> Reach:
        """A hand at a point of the world, upright, pointing along a heading of the world."""
        turn = self.turn(about_z(heading))
        return Reach(position=self.point(point), quaternion=turn, grasp=grasp, speed=speed, steady=steady)


class Stepper:
    """Steps the robot to where a hand can work at a point, and tells when it stands there. Once it steps it goes all the way.

    Ask it every time: it also watches whether the base moves, because no hand can work while the feet do. All that it goes by
    is what a learner feels too: what only the teacher knows (how restless the legs are, what it asked for before) would make
    two lessons of one moment, and a learner shown both does neither.
    """

    def __init__(self, spot: tuple[float, float] = SPOT, slack: tuple[float, float] = SLACK) -> None:
        """`spot`: forward and outwards from the robot's middle, where the hand works best; `slack`: how far off is still good."""
        self._spot, self._slack = spot, slack
        self._walking = self._waiting = False
        self._began = self._at = -math.inf
        self._velocity = np.zeros(3)  # forward, left, turn; smoothed

    def step(self, state: RobotState, point: np.ndarray, side: str) -> np.ndarray | None:
        """The base velocity to walk with; zeros while it comes to stand; None when it stands where it should."""
        self._feel(state)
        speed = float(np.hypot(*self._velocity[:2]))
        x, y = min(point[0] - self._spot[0], CLOSEST), point[1] - mirror(side) * self._spot[1]
        error = base_error(state, x, y, 0.0)
        far = bool(np.any(np.abs(error) > (*self._slack, ASKEW)))
        if self._walking and not far and speed < STILL and state.stamp > self._began + BEGIN:
            self._walking = False  # it was asked to and stands: where it is will do
        if not self._walking:
            self._waiting = speed > (STILL if self._waiting else MOVING)
            if not far:
                return np.zeros(3) if self._waiting else None
            self._walking, self._began = True, state.stamp
        error = error - LAG * self._velocity  # it goes on for so long
        if np.any(np.abs(error) > np.array(NEAR)):
            return np.clip(WALK_GAIN * error, -np.array(WALK), np.array(WALK))
        self._walking, self._waiting = False, True
        return np.zeros(3)

    def _feel(self, state: RobotState) -> None:
        passed = min(max(state.stamp - self._at, 0.0), SMOOTH)
        self._at = state.stamp
        now = np.array([*state.base_velocity[:2], state.base_angular_velocity[2]])
        self._velocity += passed / SMOOTH * (now - self._velocity)


def base_pose(state: RobotState) -> tuple[float, float, float]:
    """x, y and heading in the world."""
    return float(state.base_position[0]), float(state.base_position[1]), float(yaw(state.base_quaternion))


def base_error(state: RobotState, x: float, y: float, heading: float) -> np.ndarray:
    """Forward, left and turn still to go, in the heading frame."""
    here = float(yaw(state.base_quaternion))
    away = np.array([x, y]) - state.base_position[:2]
    cosine, sine = math.cos(here), math.sin(here)
    return np.array(
        [cosine * away[0] + sine * away[1], -sine * away[0] + cosine * away[1], float(wrap(heading - here))]
    )
