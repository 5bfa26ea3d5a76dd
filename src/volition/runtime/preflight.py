"""Before a policy may move a robot: everything about the two that does not fit, each with what to do about it.

    what the checkpoint says (Taught) + a live Robot -> check papers, state, statistics, cameras, rate, motion, first step
                                                     -> Preflight (findings); empty is the only permission

It fails closed: a check that cannot be made is a finding. Nothing here needs torch; any Robot can be given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from volition.body.proprioception import Proprioception
from volition.errors import VolitionError
from volition.policy import Policy
from volition.robots.description import differences
from volition.robots.robot import Robot
from volition.runtime.clock import Clock
from volition.runtime.motion_test import move_a_little
from volition.transforms.rotation import between, from_rotvec
from volition.transforms.scale import Scale
from volition.types import ActionChunk, ActionSpec, Intervention, Observation, RobotSpec, RobotState

if TYPE_CHECKING:  # the guard is passed in; its module needs MuJoCo, which this one does without
    from volition.safety.guard import Guard

DEGREES = 6.3  # rad: no joint measures more than a full turn, so this is another unit
UNLIKE = {"mean_std": 12.0, "min_max": 3.0, "quantiles": 4.0, "identity": np.inf}  # in the scale's own unit
JUMP = {"m": 0.15, "rad": 0.8, "1": 1.1}  # how far the first action may be from where the robot is
BLACK = 4.0  # of 255
WATCH = 1.0  # s of the robot's clock that its rate is watched


@dataclass(frozen=True, kw_only=True)
class Taught:
    """What a checkpoint says of itself."""

    robot: Mapping[str, Any]  # robot.json
    action: str
    cameras: tuple[str, ...]
    states: Scale
    dt: float  # s a step


@dataclass(frozen=True, kw_only=True)
class Finding:
    check: str
    what: str
    todo: str


@dataclass
class Preflight:
    """`checks` were made; `findings` are what they found."""

    checks: list[str] = field(default_factory=list[str])
    findings: list[Finding] = field(default_factory=list[Finding])

    @property
    def passed(self) -> bool:
        return not self.findings

    def find(self, check: str, what: str, todo: str) -> None:
        self.findings.append(Finding(check=check, what=what, todo=todo))


def preflight(
    taught: Taught,
    robot: Robot,
    clock: Clock,
    guard: Guard,
    policy: Callable[[], Policy],
    *,
    instruction: str,
    motion: bool = True,
) -> Preflight:
    """All checks; `policy` is called once the papers agree. With `motion` the arms and hands move by a few degrees."""
    found = Preflight()
    _papers(found, taught, robot.spec)
    state = _state(found, robot, clock)
    if state is None:
        return found
    _statistics(found, taught, robot.spec, state)
    images = _cameras(found, taught, robot)
    _rate(found, robot, clock)
    if motion and not any(one.check == "state" for one in found.findings):
        found.checks.append("motion")
        for what, todo in move_a_little(robot, clock, guard):
            found.find("motion", what, todo)
        _frozen(found, images, robot)
    if not any(one.check in ("papers", "cameras", "state") for one in found.findings):
        _first_step(found, taught, robot, clock, guard, policy, instruction)
    else:
        found.find("first step", "the policy was not asked, because of the above", "mend the above and run it again")
    return found


def _papers(found: Preflight, taught: Taught, robot: RobotSpec) -> None:
    """Joint names, order, ranges (units); action space; cameras; rates."""
    found.checks.append("papers")
    try:
        wrong = differences(taught.robot, robot, action=taught.action, cameras=taught.cameras)
    except VolitionError as error:
        found.find("papers", str(error), "take a checkpoint with a whole robot.json")
        return
    for text in wrong:
        if text.startswith(("camera", "there is no camera")):
            todo = "mount and configure the camera as in training, or train with this one"
        elif "rate_hz" in text:
            todo = "run the robot's loop at the rate of training, or train at this one"
        elif "action" in text:
            todo = "train for this robot's action space: numbers of another meaning would be obeyed as these"
        elif "joint" in text or ":" in text:
            todo = "give the robot the spec that the policy was taught on, joint by joint, or train on this one"
        else:
            todo = "use a policy that was taught on this robot"
        found.find("papers", text, todo)
    period = 1.0 / robot.policy_rate_hz
    if abs(taught.dt - period) > 0.5 * period:
        found.find(
            "papers",
            f"a step of its chunks is {taught.dt:g} s, the robot asks every {period:g} s",
            "set the policy rate to the rate of training",
        )


def _state(found: Preflight, robot: Robot, clock: Clock) -> RobotState | None:
    """A measurement of every joint, finite, fresh, in radians, within range."""
    found.checks.append("state")
    spec = robot.spec
    try:
        state = robot.read()
    except Exception as error:  # whatever a robot's driver raises, it is a robot that cannot be read
        found.find("state", f"the robot cannot be read: {type(error).__name__}: {error}", "start its driver")
        return None
    if state.position.shape != (len(spec.joints),):
        what = f"it measures {state.position.shape[0]} joints; {spec.name} has {len(spec.joints)}"
        found.find("state", what, "use the driver of this robot; check which hands are mounted")
        return None
    if not state.is_finite():
        found.find("state", "a measurement is not a finite number", "look for a dead encoder or a lost bus")
        return None
    if abs(clock.now() - state.stamp) > 0.25:
        what = f"the measurement is stamped {state.stamp:.2f} s, the clock shows {clock.now():.2f} s"
        found.find("state", what, "stamp measurements by the clock that the loop is given")
    for joint, angle in zip(spec.joints, state.position.tolist(), strict=True):
        low, high = joint.position
        if abs(angle) > DEGREES:
            found.find("state", f"{joint.name} measures {angle:.1f} rad", "convert degrees (or ticks) to radians")
        elif not low - 0.1 <= angle <= high + 0.1:
            what = f"{joint.name} measures {angle:.2f} rad, outside {low:.2f} to {high:.2f}"
            found.find("state", what, "check its zero, its sign and its place in the order")
    return state


def _statistics(found: Preflight, taught: Taught, robot: RobotSpec, state: RobotState) -> None:
    """The state's numbers are those of training, and not far from all that training saw."""
    found.checks.append("statistics")
    senses = Proprioception(robot)
    if senses.names != taught.states.names:
        odd = sorted(set(senses.names) ^ set(taught.states.names))
        what = f"the state differs in {', '.join(odd[:6])}" if odd else "the state's numbers come in another order"
        found.find("statistics", what, "use statistics (stats.json) that were made with this robot's state")
        return
    scaled = taught.states.forward(senses.vector(state))
    most = UNLIKE[taught.states.kind]
    for at in np.flatnonzero(np.abs(scaled) > most).tolist():
        what = f"{senses.names[at]} is {scaled[at]:.0f} times its spread in training from its middle (allowed {most:g})"
        found.find("statistics", what, "bring the robot to where demonstrations began, or check unit, sign and zero")


def _cameras(found: Preflight, taught: Taught, robot: Robot) -> Mapping[str, np.ndarray]:
    found.checks.append("cameras")
    try:
        images = robot.look()
    except Exception as error:  # as above
        found.find("cameras", f"the cameras cannot be read: {type(error).__name__}: {error}", "start their driver")
        return {}
    have = {camera.name: camera for camera in robot.spec.cameras}
    for name in taught.cameras:
        image, camera = images.get(name), have.get(name)
        if image is None:
            found.find("cameras", f"no picture comes from {name}", "connect it, or give it this name")
        elif camera is not None and (image.shape != (camera.height, camera.width, 3) or image.dtype != np.uint8):
            what = f"{name} gives {image.dtype} {image.shape}, not uint8 ({camera.height}, {camera.width}, 3)"
            found.find("cameras", what, "resize and convert its pictures as in training")
        elif np.percentile(image, 90) < BLACK:
            found.find("cameras", f"the picture of {name} is black", "take off the cap, switch on the light")
    return images


def _frozen(found: Preflight, before: Mapping[str, np.ndarray], robot: Robot) -> None:
    """After the arms have moved no camera shows, bit for bit, what it showed before."""
    for name, image in robot.look().items():
        if name in before and np.array_equal(image, before[name]):
            found.find(
                "cameras", f"the picture of {name} has not changed since before the motion", "restart the camera"
            )


def _rate(found: Preflight, robot: Robot, clock: Clock) -> None:
    """Measurements come as often as the control rate promises."""
    found.checks.append("rate")
    period, begin = 1.0 / robot.spec.control_rate_hz, clock.now()
    stamps: set[float] = set()
    for tick in range(round(WATCH / period)):
        clock.sleep_until(begin + (tick + 1) * period)
        stamps.add(robot.read().stamp)
    rate, wanted = len(stamps) / max(clock.now() - begin, 1e-6), robot.spec.control_rate_hz
    if rate < 0.8 * wanted:
        found.find("rate", f"new measurements come at {rate:.0f} Hz, not {wanted:g}", "look for a slow bus or driver")


def _first_step(
    found: Preflight,
    taught: Taught,
    robot: Robot,
    clock: Clock,
    guard: Guard,
    policy: Callable[[], Policy],
    instruction: str,
) -> None:
    """What the policy does first: a chunk that the shield takes as it is, that begins where the robot is."""
    found.checks.append("first step")
    todo = "do not run this policy on this robot"
    state = robot.read()
    try:
        asked = policy()
        asked.reset(instruction)
        images = {name: image for name, image in robot.look().items() if name in taught.cameras}
        chunk = asked.infer(Observation(stamp=state.stamp, state=state, images=images, instruction=instruction))
    except Exception as error:  # a policy that fails here would fail there
        found.find("first step", f"the policy failed: {type(error).__name__}: {error}", todo)
        return
    admitted, events = guard.shield.admit(chunk, clock.now(), None)
    for event in events:
        found.find("first step", _words(event), "check statistics and action space: it asks for what is out of bounds")
    if admitted is not None:
        for what in jumps(admitted, robot.spec, state):
            found.find("first step", what, "start where demonstrations began; check frames, units and statistics")


def jumps(chunk: ActionChunk, robot: RobotSpec, state: RobotState) -> list[str]:
    """How the first action is far from where the robot is."""
    spec = robot.action(chunk.spec)
    here, known = present(spec, robot, state)
    first, found = chunk.values[0], list[str]()
    for at in spec.rotations:
        if known[at : at + 3].all():
            turn = float(np.linalg.norm(between(from_rotvec(here[at : at + 3]), from_rotvec(first[at : at + 3]))))
            if turn > JUMP["rad"]:
                found.append(f"its first {spec.names[at].rpartition('.')[0]} hand is turned by {turn:.2f} rad at once")
    turning = {at + axis for at in spec.rotations for axis in range(3)}
    for at, dimension in enumerate(spec.dimensions):
        if at in turning or not known[at] or dimension.meaning != "absolute":
            continue
        away = abs(float(first[at] - here[at]))
        if away > JUMP.get(dimension.unit, np.inf):
            found.append(f"its first {dimension.name} is {away:.2f} {dimension.unit} from where it is")
    return found


def present(spec: ActionSpec, robot: RobotSpec, state: RobotState) -> tuple[np.ndarray, np.ndarray]:
    """Where the robot is in an action space, (A,), and for which dimensions that is known, (A,)."""
    senses = Proprioception(robot)
    felt = dict(zip(senses.names, senses.vector(state).tolist(), strict=True))
    names = [name.replace(".grasp", ".closed") for name in spec.names]
    return np.array([felt.get(name, 0.0) for name in names]), np.array([name in felt for name in names])


def _words(event: Intervention) -> str:
    value = "" if event.before is None else f" is {event.before:g}"
    return f"{event.reason}: {event.where}{value} {event.detail}".rstrip()
