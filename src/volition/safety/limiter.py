"""Trims a stream of joint targets so that position, velocity, acceleration and jerk stay inside limits, always.

The heart of the shield. For each joint the memory holds a *stop plan*: future positions, checked against every limit,
that end at rest. Each tick a next position is taken only if from there a new stop plan passes the same check;
otherwise the stored plan's next position is used, which is allowed by construction. So whatever the targets are,
there is always a next step inside all limits, and a fault needs no new thought: follow the stored plan.

Next positions are tried in this order:
1. the target itself (a well-behaved stream passes unchanged, bit for bit);
2. landing: the shortest quintic that meets the target, and its velocity when the target itself moves smoothly;
3. cruising: towards top speed, if the joint can still stop before the target;
4. the stored stop plan.
Landing is preferred to cruising so that there is one decision to brake and no chatter; a constant target is met
exactly. Positions are kept and differences taken from them, so no error accumulates.
"""

# numpy's stubs lose the element type in np.where and fancy indexing; strict checking of the rest stays on.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from volition.safety import reasons
from volition.safety.plans import ACCELERATION, JERK, POSITION, VELOCITY, PlanTable, beside, plan_lengths, plan_table
from volition.types import JointSpec

_FULL = 1 + 1e-9  # of each limit; the rest is what floating point may add
_PASS = 2e-4  # rad: how far a landing may swing past its target
_SNAP = 1e-12  # rad: a landing's rounding; the jerk it costs is 1e-7 rad/s^3
_REASONS = (reasons.JERK, reasons.ACCELERATION, reasons.VELOCITY, reasons.POSITION)


@dataclass(frozen=True, kw_only=True)
class Motion:
    """The last three positions sent, the stop plan from the last one, and the last target with its velocity."""

    position: np.ndarray  # (C,) rad
    previous: np.ndarray  # (C,)
    before: np.ndarray  # (C,)
    plan: np.ndarray  # (T, C) future positions; the last is at rest
    target: np.ndarray  # (C,) inside the limits
    target_velocity: np.ndarray  # (C,) rad/s; what the last two targets amount to

    @property
    def resting(self) -> bool:
        return bool((self.plan == self.position).all())


@dataclass(frozen=True, kw_only=True)
class Step:
    """A proposal for one tick: where to go, the stop plan from there, and which limit trimmed which joint."""

    position: np.ndarray  # (C,)
    plan: np.ndarray  # (T, C)
    target: np.ndarray  # (C,)
    target_velocity: np.ndarray  # (C,)
    trimmed: tuple[tuple[int, str], ...] = ()  # joint, reason


class Limiter:
    """Pure: (motion, target) -> step; `advance` turns the accepted step into the next motion."""

    def __init__(self, joints: tuple[JointSpec, ...], dt: float) -> None:
        self._dt = dt
        self.low, self.high = np.array([joint.position for joint in joints]).T
        self._velocity = np.array([joint.velocity for joint in joints])
        self._acceleration = np.array([joint.acceleration for joint in joints])
        self._jerk = np.array([joint.jerk for joint in joints])
        self._middle, self._half = (self.low + self.high) / 2, (self.high - self.low) / 2
        self._scale = 1 / np.stack([self._jerk, self._acceleration, self._velocity, self._half])  # (4, C)
        self._change = self._acceleration * dt
        self._joints = np.arange(len(joints))
        # The fastest stop from top speed, in ticks; the cubic needs about 1.2 times that, entering and leaving included.
        stop = float(np.max(self._velocity / self._acceleration + self._acceleration / self._jerk)) / dt
        longest = max(4, int(np.ceil(1.5 * stop)) + 2)
        self._stops: PlanTable = plan_table(plan_lengths(2, longest), 2, dt)
        landings = plan_table(plan_lengths(3, longest, most=11), 3, dt)
        self._aims, self._land = beside(landings, self._stops), len(landings.ticks)
        self._frames = np.repeat([0, 1], [self._land, len(self._stops.ticks)])  # of each of these plans

    def rest(self, position: np.ndarray) -> Motion:
        """At rest at a posture, moved inside the limits."""
        held = np.clip(position, self.low, self.high)
        plan = np.repeat(held[None], self._stops.ticks[-1], axis=0)
        return Motion(
            position=held, previous=held, before=held, plan=plan, target=held, target_velocity=np.zeros_like(held)
        )

    def brake(self, motion: Motion) -> Step:
        """One tick along the stored stop plan."""
        plan = np.concatenate([motion.plan[1:], motion.plan[-1:]])
        still = np.zeros_like(motion.position)
        return Step(position=motion.plan[0], plan=plan, target=motion.plan[-1], target_velocity=still)

    def advance(self, motion: Motion, step: Step) -> Motion:
        return Motion(
            position=step.position,
            previous=motion.position,
            before=motion.previous,
            plan=step.plan,
            target=step.target,
            target_velocity=step.target_velocity,
        )

    def merge(self, step: Step, brake: Step, braking: np.ndarray) -> Step:
        """The step, with the joints in `braking` (C,) following the stored plan instead."""
        return Step(
            position=np.where(braking, brake.position, step.position),
            plan=np.where(braking, brake.plan, step.plan),
            target=np.where(braking, brake.target, step.target),
            target_velocity=np.where(braking, 0.0, step.target_velocity),
            trimmed=tuple((joint, reason) for joint, reason in step.trimmed if not braking[joint]),
        )

    def step(self, motion: Motion, raw: np.ndarray, speed: np.ndarray | None = None) -> Step:
        """The best next position towards `raw` (finite, (C,)) that keeps a way to stop.

        `speed` (C,), above 0 to 1, is the share of its velocity limit that each joint may use now; a joint that is
        faster brakes along its stored stop plan until it is not.
        """
        dt = self._dt
        scale, top = self._scale, self._velocity
        if speed is not None:
            scale, top = scale.copy(), top * speed
            scale[VELOCITY] /= speed
        target = np.minimum(np.maximum(raw, self.low), self.high)
        places = np.array([target, motion.position, motion.previous, motion.before])
        velocities = (places[:-1] - places[1:]) / dt
        accelerations = (velocities[:-1] - velocities[1:]) / dt
        direct = np.array([target, velocities[0], accelerations[0]])
        state = np.array([motion.position, velocities[1], accelerations[1]])
        ratios = np.array([(accelerations[0] - accelerations[1]) / dt, accelerations[0], velocities[0]])
        ratios = np.abs(ratios, out=ratios)
        ratios *= scale[:3]
        # Whoever is still catching up must land: to touch a resting target at speed would be to shoot past it.
        usable = (np.maximum.reduce(ratios, axis=0) <= _FULL) & (motion.position == motion.target)
        # From rest a jump and the start of a ramp look alike: take at once only what could be halted on the next tick.
        usable &= (velocities[1] != 0.0) | (velocities[2] != 0.0) | (ratios[JERK] <= 0.5)
        target_velocity = (target - motion.target) / dt
        # Where nothing better is found: the stored plan.
        position, plan = motion.plan[0], np.concatenate([motion.plan[1:], motion.plan[-1:]])
        stuck, hard = np.zeros(len(target), dtype=bool), None
        while True:  # twice at most
            wanted, aimed, landing = direct, usable, None
            if np.count_nonzero(usable) < usable.size:
                chase = self._chase(target_velocity, motion.target_velocity)
                wanted, aimed, landing = self._aim(usable, scale, top, state, direct, chase, motion.plan[-1])
            worst, plans = self._stop_plans(scale, wanted)
            good = (np.maximum.reduce(worst, axis=0) <= _FULL) & aimed
            if landing is not None:  # who cruises must not pass the target
                good &= landing | (np.sign(target - state[0]) * (target - plans[-1]) >= -_PASS)
            if hard is not None:  # the second time only those that were stuck
                good &= stuck
            if np.count_nonzero(good) == good.size:  # most often
                position, plan = wanted[0], plans
                break
            position, plan = np.where(good, wanted[0], position), np.where(good, plans, plan)
            # A target from which the joint could not be halted is approached instead of taken.
            if hard is not None or not (usable & ~good).any():
                break
            stuck, hard = usable & ~good, worst
            usable = usable & good
        position = np.where(np.abs(position - target) <= _SNAP, target, position)
        position = np.minimum(np.maximum(position, self.low), self.high)
        trimmed: tuple[tuple[int, str], ...] = ()
        changed = (position != raw).nonzero()[0]
        if changed.size:
            kinds = _first_broken(ratios)
            if hard is not None:
                kinds[stuck] = hard.argmax(axis=0)[stuck]
            kinds[target != raw] = POSITION
            names = (_REASONS[kind] for kind in kinds[changed].tolist())
            trimmed = tuple(zip(changed.tolist(), names, strict=True))
        return Step(position=position, plan=plan, target=target, target_velocity=target_velocity, trimmed=trimmed)

    def _aim(
        self,
        usable: np.ndarray,
        scale: np.ndarray,
        top: np.ndarray,
        state: np.ndarray,
        direct: np.ndarray,
        chase: np.ndarray | None,
        halt: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where to try to go: the target where it is usable, else landing, else cruising.

        Position, velocity and acceleration there (3, C), which joints have an aim, and which of them do not cruise.
        Every plan ends at rest in a frame of its own: one that moves with the target, or with top speed towards it.
        """
        target = direct[0]
        towards = np.sign(target - state[0])
        passing = towards * (target - halt) < -_PASS  # it passes the target even if it brakes now
        frame = np.empty((2, self._joints.size))  # what moves with the target, and with top speed: its velocity
        frame[0], frame[1] = 0.0 if chase is None else chase, towards * top
        motion = np.empty((5, self._joints.size))
        motion[:3] = state
        motion[0] -= target
        motion[0] += frame[0] * self._dt
        motion[1] -= frame[0]
        motion[3:] = state[1:]
        motion[3] -= frame[1]
        rows = self._aims.roll(motion)
        most, least = np.maximum.reduce(rows, axis=0), np.minimum.reduce(rows, axis=0)  # (4, plans, C)
        speeds = frame[self._frames]
        most[VELOCITY] += speeds
        least[VELOCITY] += speeds
        # How far past the target, negative.
        swing: np.ndarray = np.where(motion[0] > 0, least[POSITION, : self._land], -most[POSITION, : self._land])
        farthest = np.maximum(most[:POSITION], np.negative(least[:POSITION], out=least[:POSITION]))
        farthest *= scale[:POSITION, None]
        within = np.maximum.reduce(farthest, axis=0) <= _FULL
        within[: self._land] &= (swing >= -_PASS) | passing
        first = within.argmax(axis=0)  # landing before cruising, the shortest before others
        landing = usable | (first < self._land)
        aimed = usable | within[first, self._joints]
        acceleration = state[2] + rows[0, JERK, first, self._joints] * self._dt
        velocity = state[1] + acceleration * self._dt
        wanted = np.array([state[0] + velocity * self._dt, velocity, acceleration])
        return np.where(usable, direct, wanted), aimed, landing

    def _chase(self, now: np.ndarray, before: np.ndarray) -> np.ndarray | None:
        """The velocity the target will keep: the smaller of its last two, or zero when they do not belong together."""
        smooth = now * before > 0  # one displacement is a jump until a second one follows
        if not np.count_nonzero(smooth):
            return None
        size = np.abs(now)
        smooth &= (size <= self._velocity) & (np.abs(now - before) <= self._change)
        return np.where(smooth, np.where(size < np.abs(before), now, before), 0.0)

    def _stop_plans(self, scale: np.ndarray, motion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The shortest allowed stop plan from each position, velocity and acceleration (3, C): (T, C); and how near
        each limit it comes, (4, C); above 1: none."""
        rows = self._stops.roll(motion[1:])
        rows[:, POSITION] += motion[0] - self._middle
        farthest = np.maximum.reduce(np.abs(rows), axis=0)
        ratios = farthest * scale[:, None]  # (4, plans, C)
        worst = np.maximum.reduce(ratios, axis=0)
        within = worst <= _FULL
        best = within.argmax(axis=0)
        none = ~within[best, self._joints]
        if np.count_nonzero(none):
            best[none] = worst[:, none].argmin(axis=0)
        plans = rows[:, POSITION, best, self._joints] + self._middle
        return ratios[:, best, self._joints], np.minimum(np.maximum(plans, self.low), self.high)


def _first_broken(ratios: np.ndarray) -> np.ndarray:
    """For each joint the first limit that its target breaks by itself (rows jerk, acceleration, velocity); else the nearest."""
    broken = ratios > _FULL
    kinds = np.argmax(ratios, axis=0)
    for kind in (JERK, ACCELERATION, VELOCITY):  # the last word is velocity's
        kinds[broken[kind]] = kind
    return kinds
