"""The shield: the last pure function before the robot. (command, state, memory, now) -> safe command, memory, reasons.

Every tick is one of two things. A *fault* (no usable command or state, the emergency stop) is answered with the
robot's safe action: every held joint follows its stored stop plan to rest, the base's velocity ramps to zero, the
balance controller stays on. Otherwise the command passes the limiters of joints and base and the self-collision
look-ahead, and what they trim is reported. The two share one memory, so that fault and recovery never jump.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from volition.errors import ContractError
from volition.safety import chunks, reasons
from volition.safety.base import AXES, BaseLimiter
from volition.safety.collision import REACH, CollisionModel
from volition.safety.foresight import Foresight
from volition.safety.limiter import Limiter, Motion, Step
from volition.types import ActionChunk, Command, Intervention, RobotSpec, RobotState


@dataclass(frozen=True, kw_only=True)
class ShieldConfig:
    """What the shield does not learn from the robot's spec: ages in seconds, distances in metres."""

    stale_after: float = 0.5  # s: age of the observation behind a command or a chunk; of the command itself
    state_stale_after: float = 0.25  # s: age of the measured state
    future: float = 0.05  # s: how far ahead of the clock a stamp may be
    collision_margin: float = 0.01  # m: nearer than this an arm may only move away
    collision_release: float = 0.005  # m beyond the margin, before an arm that was held may come nearer again

    def __post_init__(self) -> None:
        for name in ("stale_after", "state_stale_after", "future", "collision_margin", "collision_release"):
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0:
                raise ContractError(f"ShieldConfig.{name} is {value}; it must be a finite number, at least 0.")
        if self.collision_margin + self.collision_release > REACH:
            raise ContractError(
                f"ShieldConfig.collision_margin + collision_release is "
                f"{self.collision_margin + self.collision_release} m; the collision model sees {REACH} m."
            )


@dataclass(frozen=True, kw_only=True)
class ShieldMemory:
    """Everything carried from tick to tick; immutable."""

    motion: Motion
    base_velocity: np.ndarray  # (3,) as sent last
    posture: np.ndarray  # (J,) the last good measurement; the joints that balance are taken from it
    held: frozenset[str] = frozenset()  # sides the collision look-ahead holds
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
        self._foresight = None
        if collision is not None:
            margin, release = self.config.collision_margin, self.config.collision_release
            self._foresight = Foresight(robot, collision, margin=margin, release=release)

    def start(self, state: RobotState) -> ShieldMemory:
        """At rest in the measured posture, moved inside the limits."""
        problem = self._state_problem(state)
        if problem is not None:
            raise ContractError(
                f"The shield cannot start: {problem}; it needs one good measured state of {self.robot.name}."
            )
        motion = self._limiter.rest(state.position[self.robot.commanded_index])
        return ShieldMemory(motion=motion, base_velocity=np.zeros(3), posture=state.position)

    def admit(
        self, chunk: ActionChunk, now: float, last_stamp: float | None
    ) -> tuple[ActionChunk | None, tuple[Intervention, ...]]:
        """The chunk to use (clipped to its bounds), or None; and why."""
        config = self.config
        return chunks.admit(self.robot, chunk, now, last_stamp, stale_after=config.stale_after, future=config.future)

    def limit(
        self, command: Command | None, state: RobotState, memory: ShieldMemory, now: float, *, stopped: bool = False
    ) -> tuple[Command, ShieldMemory, tuple[Intervention, ...]]:
        """One tick, 1 / control_rate_hz after the one that made `memory`."""
        fault = self._fault(command, state, now, stopped)
        if fault is not None or command is None:
            return self.stop(memory, now, fault or Intervention(stamp=now, reason=reasons.MISSING))
        posture = state.position
        step = self._limiter.step(memory.motion, command.position)
        found: list[Intervention] = []
        held: frozenset[str] = frozenset()
        if self._foresight is not None:
            brake = self._limiter.brake(memory.motion)
            braking, held, blocks = self._foresight.look(memory.motion, step, brake, posture, memory.held)
            if braking.any():
                step = self._limiter.merge(step, brake, braking)
            for pair, distance, current in blocks:
                found.append(
                    Intervention(stamp=now, reason=reasons.SELF_COLLISION, where=pair, before=distance, after=current)
                )
        base, base_trimmed = self._base.step(command.base_velocity, memory.base_velocity)
        trims = (
            (step.trimmed, self._names, command.position.tolist(), step.position.tolist()),
            (base_trimmed, AXES, command.base_velocity.tolist(), base.tolist()),
        )
        for trimmed, names, before, after in trims:
            for at, reason in trimmed:
                found.append(
                    Intervention(stamp=now, reason=reason, where=names[at], before=before[at], after=after[at])
                )
        made = self._remember(memory, step, base, posture, held, None)
        sent = Command(stamp=command.stamp, position=step.position, base_velocity=base, chunk_stamp=command.chunk_stamp)
        return sent, made, tuple(found)

    def stop(
        self, memory: ShieldMemory, now: float, why: Intervention
    ) -> tuple[Command, ShieldMemory, tuple[Intervention, ...]]:
        """The safe action, one tick of it: along the stored stop plans, the base towards rest."""
        step = self._limiter.brake(memory.motion)
        base, _ = self._base.step(np.zeros(3), memory.base_velocity)
        made = self._remember(memory, step, base, memory.posture, memory.held, why.reason)
        return Command(stamp=now, position=step.position, base_velocity=base), made, (why,)

    def _remember(
        self,
        memory: ShieldMemory,
        step: Step,
        base: np.ndarray,
        posture: np.ndarray,
        held: frozenset[str],
        fault: str | None,
    ) -> ShieldMemory:
        motion = self._limiter.advance(memory.motion, step)
        return ShieldMemory(motion=motion, base_velocity=base, posture=posture, held=held, fault=fault)

    def _fault(self, command: Command | None, state: RobotState, now: float, stopped: bool) -> Intervention | None:
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
            bad = np.flatnonzero(~np.isfinite(values)).tolist()
            if bad:
                more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
                return fault(reasons.NOT_FINITE, names[bad[0]], f"{values[bad[0]]}{more}")
        for name, stamp in (("command.stamp", command.stamp), ("command.chunk_stamp", command.chunk_stamp)):
            if stamp is not None and not -self.config.future <= now - stamp <= self.config.stale_after:
                detail = f"{now - stamp:.3f} s old; allowed is {self.config.stale_after:.3f} s"
                return fault(reasons.STALE, name, detail, stamp)
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
