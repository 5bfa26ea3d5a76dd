"""The shield: the last pure function before the robot. (command, state, memory, now) -> safe command, memory, reasons.

Every tick is one of two things. A *fault* (no usable command or state, the emergency stop) is answered with the
robot's safe action: every held joint follows its stored stop plan to rest, the base's velocity ramps to zero, the
balance controller stays on. Otherwise the command passes the limiters of joints and base and the self-collision
look-ahead, and what they trim is reported. The two share one memory, so that fault and recovery never jump.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from volition.errors import ContractError
from volition.safety import chunks, reasons
from volition.safety.base import AXES, BaseLimiter
from volition.safety.collision import SIDES, CollisionModel
from volition.safety.config import ShieldConfig
from volition.safety.force import HandForce
from volition.safety.foresight import Foresight
from volition.safety.limiter import Limiter, Motion, Step
from volition.safety.obstacles import Obstacles, Vector
from volition.safety.pace import Pace, Pacer
from volition.safety.survey import Scene, Survey
from volition.types import ActionChunk, Command, Intervention, RobotSpec, RobotState

__all__ = ["Shield", "ShieldConfig", "ShieldMemory"]

_SAG = 0.1  # rad: a joint this near to where it was sent last is held there


@dataclass(frozen=True, kw_only=True)
class ShieldMemory:
    """Everything carried from tick to tick; immutable."""

    motion: Motion
    base_velocity: np.ndarray  # (3,) as sent last
    posture: np.ndarray  # (J,) the last good measurement; the joints that balance are taken from it
    since: float = 0.0  # when the run, or the robot after an emergency stop, started
    held: frozenset[str] = frozenset()  # sides the look-ahead holds
    forces: Mapping[str, np.ndarray] = field(default_factory=dict[str, np.ndarray])  # N on each hand, as estimated
    fault: str | None = None  # why the robot is in its safe action


class Shield:
    """Checks and limits for one robot; holds no state of its own."""

    def __init__(
        self, robot: RobotSpec, *, config: ShieldConfig | None = None, collision: CollisionModel | None = None
    ) -> None:
        self.robot = robot
        self.config = config or ShieldConfig()
        dt = 1 / robot.control_rate_hz
        self._limiter = Limiter(robot.commanded, dt)
        self._base = BaseLimiter(robot.base, dt)
        self._names = tuple(joint.name for joint in robot.commanded)
        self._side = [next((side for side in SIDES if joint.group.startswith(side)), "") for joint in robot.commanded]
        self._foresight = self._force = None
        if collision is not None:
            self._foresight = Foresight(robot, Survey(robot, collision, self.config))
            if self.config.hand_force is not None:
                self._force = HandForce(robot, collision)
        else:
            for name in ("workspace", "hand_force", "balance_margin"):
                if getattr(self.config, name) is not None:
                    raise ContractError(
                        f"ShieldConfig.{name} needs the robot's model; give the shield a CollisionModel."
                    )
        self._pacer = Pacer(robot, self.config)
        self._efforts = np.array([joint.effort for joint in robot.commanded]) * (self.config.effort_share or 1.0)

    def start(self, state: RobotState, before: ShieldMemory | None = None) -> ShieldMemory:
        """At rest in the measured posture, moved inside the limits.

        A joint that rests where an earlier run left it goes on from what it was sent then: its motor still holds that,
        and the little that gravity pulls it away would otherwise be a jump.
        """
        problem = self._state_problem(state)
        if problem is not None:
            raise ContractError(
                f"The shield cannot start: {problem}; it needs one good measured state of {self.robot.name}."
            )
        position = state.position[self.robot.commanded_index]
        if before is not None and before.motion.resting:
            left = before.motion.position
            position = np.where(np.abs(left - position) < _SAG, left, position)
        motion = self._limiter.rest(position)
        return ShieldMemory(motion=motion, base_velocity=np.zeros(3), posture=state.position, since=state.stamp)

    def admit(
        self, chunk: ActionChunk, now: float, last_stamp: float | None
    ) -> tuple[ActionChunk | None, tuple[Intervention, ...]]:
        """The chunk to use (clipped to its bounds), or None; and why."""
        config = self.config
        return chunks.admit(self.robot, chunk, now, last_stamp, stale_after=config.stale_after, future=config.future)

    def limit(
        self,
        command: Command | None,
        state: RobotState,
        memory: ShieldMemory,
        now: float,
        *,
        stopped: bool = False,
        around: Obstacles | None = None,
        caution: float = 1.0,
    ) -> tuple[Command, ShieldMemory, tuple[Intervention, ...]]:
        """One tick, 1 / control_rate_hz after the one that made `memory`."""
        fault = self._fault(command, state, now, stopped, around)
        if fault is not None or command is None:
            return self.stop(memory, now, fault or Intervention(stamp=now, reason=reasons.MISSING))
        scene = self._scene(state, memory, around, now)
        pace = self._pacer.pace(scene, memory.since, now, caution)
        step = self._limiter.step(memory.motion, command.position, pace.speed)
        found: list[Intervention] = []
        forces, holding = self._press(memory, state, around, step, now, found)
        braking = self._strained(state, memory, command.position, now, found)
        held: frozenset[str] = frozenset()
        if self._foresight is not None or braking is not None:
            brake = self._limiter.brake(memory.motion)
            if braking is not None:
                step = self._limiter.merge(step, brake, braking)
            if self._foresight is not None:
                masks, held, blocks = self._foresight.look(memory.motion, step, brake, memory.held, scene, holding)
                if masks.any():
                    step = self._limiter.merge(step, brake, masks)
                for block in blocks:
                    found.append(
                        Intervention(
                            stamp=now, reason=block.reason, where=block.where, before=block.ahead, after=block.now
                        )
                    )
        base = self._trim(command, step, memory, pace, scene, now, found)
        made = self._remember(memory, step, base, state.position, held, forces, None)
        sent = Command(stamp=command.stamp, position=step.position, base_velocity=base, chunk_stamp=command.chunk_stamp)
        return sent, made, tuple(found)

    def stop(
        self, memory: ShieldMemory, now: float, why: Intervention
    ) -> tuple[Command, ShieldMemory, tuple[Intervention, ...]]:
        """The safe action, one tick of it: along the stored stop plans, the base towards rest."""
        step = self._limiter.brake(memory.motion)
        base, _ = self._base.step(np.zeros(3), memory.base_velocity)
        if why.reason == reasons.ESTOP:  # whoever stopped it wants it to begin slowly
            memory = replace(memory, since=now)
        made = self._remember(memory, step, base, memory.posture, memory.held, memory.forces, why.reason)
        return Command(stamp=now, position=step.position, base_velocity=base), made, (why,)

    def _scene(self, state: RobotState, memory: ShieldMemory, around: Obstacles | None, now: float) -> Scene:
        """What the robot is among, seen from where the arms were sent."""
        if self._foresight is None:
            return Scene(posture=state.position)
        posture = state.position.copy()
        posture[self.robot.commanded_index] = memory.motion.position
        return self._foresight.survey.begin(state, posture, around, now)

    def _press(
        self,
        memory: ShieldMemory,
        state: RobotState,
        around: Obstacles | None,
        step: Step,
        now: float,
        found: list[Intervention],
    ) -> tuple[Mapping[str, np.ndarray], frozenset[str]]:
        """The forces on the hands, and the sides that must not go on because theirs is too high."""
        most = self.config.hand_force
        if self._force is None or most is None:
            return memory.forces, frozenset()
        sensed: Mapping[str, Vector] = {} if around is None else around.forces
        forces, jacobians = self._force.estimate(state, sensed, memory.forces)
        change = step.plan[-1] - memory.motion.position
        holding: set[str] = set()
        for side, force in forces.items():
            size = math.sqrt(float(force @ force))
            if size > most and not self._force.gives_way(side, jacobians[side], change, force):
                holding.add(side)
                found.append(
                    Intervention(stamp=now, reason=reasons.FORCE, where=f"{side}_hand", before=size, after=most)
                )
        return forces, frozenset(holding)

    def _strained(
        self, state: RobotState, memory: ShieldMemory, target: np.ndarray, now: float, found: list[Intervention]
    ) -> np.ndarray | None:
        """The joints whose effort is at its limit and whose target would raise it, (C,); None: no joint."""
        if self.config.effort_share is None:
            return None
        effort = state.effort[self.robot.commanded_index]
        high = np.abs(effort) > self._efforts
        if not np.count_nonzero(high):
            return None
        braking = high & ((target - memory.motion.position) * effort > 0)
        if not braking.any():
            return None
        for at in np.flatnonzero(braking).tolist():
            before, after = float(effort[at]), float(self._efforts[at])
            found.append(
                Intervention(stamp=now, reason=reasons.EFFORT, where=self._names[at], before=before, after=after)
            )
        return braking

    def _trim(
        self,
        command: Command,
        step: Step,
        memory: ShieldMemory,
        pace: Pace,
        scene: Scene,
        now: float,
        found: list[Intervention],
    ) -> np.ndarray:
        """The base's velocity; says what the limiters changed."""
        walk, slowed = self._pacer.walk(command.base_velocity, pace, scene)
        base, base_trimmed = self._base.step(walk, memory.base_velocity)
        known = {axis for axis, _ in base_trimmed}
        base_trimmed = (*base_trimmed, *((axis, why) for axis, why in slowed if axis not in known))
        joints = tuple((at, self._slowed(at, reason, pace)) for at, reason in step.trimmed)
        trims = (
            (joints, self._names, command.position.tolist(), step.position.tolist()),
            (base_trimmed, AXES, command.base_velocity.tolist(), base.tolist()),
        )
        for trimmed, names, before, after in trims:
            for at, reason in trimmed:
                found.append(
                    Intervention(stamp=now, reason=reason, where=names[at], before=before[at], after=after[at])
                )
        return base

    def _slowed(self, at: int, reason: str, pace: Pace) -> str:
        """A joint that broke a lowered speed limit did so for what lowered it."""
        return pace.why.get(self._side[at], reason) if reason == reasons.VELOCITY else reason

    def _remember(
        self,
        memory: ShieldMemory,
        step: Step,
        base: np.ndarray,
        posture: np.ndarray,
        held: frozenset[str],
        forces: Mapping[str, np.ndarray],
        fault: str | None,
    ) -> ShieldMemory:
        return ShieldMemory(
            motion=self._limiter.advance(memory.motion, step),
            base_velocity=base,
            posture=posture,
            since=memory.since,
            held=held,
            forces=forces,
            fault=fault,
        )

    def _fault(
        self, command: Command | None, state: RobotState, now: float, stopped: bool, around: Obstacles | None
    ) -> Intervention | None:
        """The first thing that forbids using this command, if any."""

        def fault(reason: str, where: str, detail: str, before: float | None = None) -> Intervention:
            return Intervention(stamp=now, reason=reason, where=where, before=before, detail=detail)

        if stopped:
            return fault(reasons.ESTOP, "robot", "the emergency stop is pressed")
        problem = self._state_problem(state)
        if problem is not None:
            return fault(reasons.STATE, "state", problem)
        if not now - state.stamp <= self.config.state_stale_after:
            return fault(reasons.STATE, "state.stamp", f"measured at {state.stamp:.3f} s, now {now:.3f} s", state.stamp)
        if command is None:
            return fault(reasons.MISSING, "command", "no command for this tick")
        if command.position.shape != (len(self._names),):
            return fault(reasons.SHAPE, "position", f"shape {command.position.shape}; wanted ({len(self._names)},)")
        for values, names in ((command.position, self._names), (command.base_velocity, AXES)):
            if not np.isfinite(values).all():
                bad = np.flatnonzero(~np.isfinite(values)).tolist()
                more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
                return fault(reasons.NOT_FINITE, names[bad[0]], f"{values[bad[0]]}{more}")
        for name, stamp in (("command.stamp", command.stamp), ("command.chunk_stamp", command.chunk_stamp)):
            if stamp is not None and not -self.config.future <= now - stamp <= self.config.stale_after:
                detail = f"{now - stamp:.3f} s old; allowed is {self.config.stale_after:.3f} s"
                return fault(reasons.STALE, name, detail, stamp)
        if around is not None and around.shapes and self._foresight is None:
            return fault(
                reasons.SURROUNDINGS, "obstacles", "the shield has no model of the robot to keep them away from"
            )
        if around is not None and not around.lasting:
            most = self.config.surroundings_stale_after
            if not -self.config.future <= now - around.stamp <= most:
                detail = f"obstacles seen {now - around.stamp:.3f} s ago; allowed is {most:.3f} s"
                return fault(reasons.SURROUNDINGS, "obstacles", detail, around.stamp)
        return None

    def _state_problem(self, state: RobotState) -> str | None:
        joints = len(self.robot.joints)
        if state.position.shape != (joints,):
            return f"position has shape {state.position.shape}; {self.robot.name} has {joints} joints"
        if not state.is_finite():
            bad = np.flatnonzero(~np.isfinite(state.position) | ~np.isfinite(state.velocity)).tolist()
            where = self.robot.joint_names[bad[0]] if bad else "the base"
            return f"the measurement of {where} is not finite"
        return None
