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

from dataclasses import dataclass, replace

import numpy as np

from volition.safety import reasons
from volition.safety.plans import ACCELERATION, JERK, POSITION, VELOCITY, PlanTable, plan_lengths, plan_table
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
        self._full_pace = _Pace(scale=self._scale, velocity=self._velocity)
        # The fastest stop from top speed, in ticks; the cubic needs about 1.2 times that, entering and leaving included.
        stop = float(np.max(self._velocity / self._acceleration + self._acceleration / self._jerk)) / dt
        longest = max(4, int(np.ceil(1.5 * stop)) + 2)
        self._stops: PlanTable = plan_table(plan_lengths(2, longest), 2, dt)
        self._landings: PlanTable = plan_table(plan_lengths(3, longest, most=11), 3, dt)

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
        return replace(
            step,
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
        pace = self._pace(speed)
        target = np.minimum(np.maximum(raw, self.low), self.high)
        velocity = (motion.position - motion.previous) / dt
        acceleration = (velocity - (motion.previous - motion.before) / dt) / dt
        target_velocity = (target - motion.target) / dt
        new_velocity = (target - motion.position) / dt
        new_acceleration = (new_velocity - velocity) / dt
        ratios = np.abs(np.array([(new_acceleration - acceleration) / dt, new_acceleration, new_velocity]))
        ratios *= pace.scale[:3]
        # Whoever is still catching up must land: to touch a resting target at speed would be to shoot past it.
        usable = (ratios.max(axis=0) <= _FULL) & (motion.position == motion.target)
        # From rest a jump and the start of a ramp look alike: take at once only what could be halted on the next tick.
        resting = (motion.position == motion.previous) & (motion.previous == motion.before)
        usable &= ~(resting & (ratios[JERK] > 0.5))
        kinds, outside = _first_broken(ratios), target != raw
        # Where nothing better is found: the stored plan.
        position, plan = motion.plan[0].copy(), np.concatenate([motion.plan[1:], motion.plan[-1:]])
        state = np.array([motion.position, velocity, acceleration])
        direct = np.array([target, new_velocity, new_acceleration])
        chase = self._chase(target_velocity, motion.target_velocity)
        some = np.arange(len(target))
        while some.size:  # twice at most
            at, wanted, landing = self._aim(some, usable, pace, state, target, chase, direct, motion)
            worst, plans = self._stop_plans(at, pace, *wanted)
            good = worst.max(axis=0) <= _FULL
            if not landing.all():  # who cruises must not pass the target
                there = target[at]
                good &= landing | (np.sign(there - state[0, at]) * (there - plans[-1]) >= -_PASS)
            if at.size == len(target) and good.all():  # most often
                position, plan = wanted[0], plans
                break
            fine = good.nonzero()[0]
            position[at[fine]], plan[:, at[fine]] = wanted[0, fine], plans[:, fine]
            # A target from which the joint could not be halted is approached instead of taken.
            stuck = (usable[at] & ~good).nonzero()[0]
            kinds[at[stuck]] = worst[:, stuck].argmax(axis=0)
            some = at[stuck]
            usable[some] = False
        position = np.where(np.abs(position - target) <= _SNAP, target, position)
        position = np.minimum(np.maximum(position, self.low), self.high)
        kinds[outside] = POSITION
        changed = (position != raw).nonzero()[0]
        names = (_REASONS[kind] for kind in kinds[changed].tolist())
        trimmed = tuple(zip(changed.tolist(), names, strict=True))
        return Step(position=position, plan=plan, target=target, target_velocity=target_velocity, trimmed=trimmed)

    def _pace(self, speed: np.ndarray | None) -> _Pace:
        if speed is None:
            return self._full_pace
        scale = self._scale.copy()
        scale[VELOCITY] /= speed
        return _Pace(scale=scale, velocity=self._velocity * speed)

    def _aim(
        self,
        some: np.ndarray,
        usable: np.ndarray,
        pace: _Pace,
        state: np.ndarray,
        target: np.ndarray,
        chase: np.ndarray,
        direct: np.ndarray,
        motion: Motion,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where to try to go: the target where it is usable, else landing, else cruising.

        Of the joints `some` those that have an aim, position, velocity and acceleration there (3, n), and which of them
        do not cruise.
        """
        landing = np.ones(len(some), dtype=bool)
        if usable.all():
            return some, direct, landing
        wanted, aimed = direct[:, some], usable[some]
        rest = (~aimed).nonzero()[0]
        joints = some[rest]
        here, there = state[:, joints], target[joints]
        towards = np.sign(there - here[0])
        unavoidable = towards * (there - motion.plan[-1, joints]) < -_PASS  # it passes the target even if it brakes now
        jerk, possible = self._land(joints, pace, here, there, chase[joints], unavoidable)
        others = (~possible).nonzero()[0]
        if others.size:
            jerk[others], possible[others] = self._cruise(joints[others], pace, here[:, others], towards[others])
            landing[rest[others]] = False
        acceleration = here[2] + jerk * self._dt
        velocity = here[1] + acceleration * self._dt
        wanted[:, rest] = np.array([here[0] + velocity * self._dt, velocity, acceleration])
        aimed[rest] = possible
        at = aimed.nonzero()[0]
        return some[at], wanted[:, at], landing[at]

    def _chase(self, now: np.ndarray, before: np.ndarray) -> np.ndarray:
        """The velocity the target will keep: the smaller of its last two, or zero when they do not belong together."""
        smooth = (np.abs(now) <= self._velocity) & (np.abs(now - before) <= self._acceleration * self._dt)
        smooth &= now * before > 0  # one displacement is a jump until a second one follows
        return np.where(smooth, np.where(np.abs(now) < np.abs(before), now, before), 0.0)

    def _land(
        self,
        some: np.ndarray,
        pace: _Pace,
        state: np.ndarray,
        target: np.ndarray,
        chase: np.ndarray,
        may_pass: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """First jerk of the shortest plan that meets the (moving) target inside the limits, and whether there is one."""
        error = (state[0] - target + chase * self._dt, state[1] - chase, state[2])
        rows = self._landings.roll(error)
        most, least = rows.max(axis=0), rows.min(axis=0)  # (4, plans, n)
        # How far past the target, negative.
        swing: np.ndarray = np.where(error[0] > 0, least[POSITION], -most[POSITION])
        within: np.ndarray = _within(most, least, chase, pace.scale[:, some]) & ((swing >= -_PASS) | may_pass)
        return _first(within, rows[0, JERK])

    def _cruise(
        self, some: np.ndarray, pace: _Pace, state: np.ndarray, towards: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """First jerk of the shortest plan that reaches top speed towards the target, and whether there is one."""
        top = towards * pace.velocity[some]
        rows = self._stops.roll((state[1] - top, state[2]))
        return _first(_within(rows.max(axis=0), rows.min(axis=0), top, pace.scale[:, some]), rows[0, JERK])

    def _stop_plans(
        self, joints: np.ndarray, pace: _Pace, position: np.ndarray, velocity: np.ndarray, acceleration: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The shortest allowed stop plan from each motion, (T, n), and how near each limit it comes, (4, n); above 1: none."""
        middle = self._middle[joints]
        rows = self._stops.roll((velocity, acceleration))
        rows[:, POSITION] += position - middle
        farthest = np.abs(rows).max(axis=0)
        ratios = farthest * pace.scale[:, None, joints]  # (4, plans, n)
        worst = ratios.max(axis=0)
        within = worst <= _FULL
        best = within.argmax(axis=0)
        column = np.arange(len(joints))
        none = ~within[best, column]
        if none.any():
            best[none] = worst[:, none].argmin(axis=0)
        plans = rows[:, POSITION, best, column] + middle
        return ratios[:, best, column], np.minimum(np.maximum(plans, self.low[joints]), self.high[joints])


@dataclass(frozen=True, kw_only=True)
class _Pace:
    """The limits of one tick: 1 / (jerk, acceleration, velocity, half the range) and the velocity itself."""

    scale: np.ndarray  # (4, C)
    velocity: np.ndarray  # (C,)


def _within(most: np.ndarray, least: np.ndarray, velocity: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Which plans, seen from a frame moving with `velocity`, keep jerk, acceleration and velocity: (plans, n)."""
    most[VELOCITY] += velocity
    least[VELOCITY] += velocity
    farthest = np.maximum(most[:POSITION], -least[:POSITION])
    return (farthest * scale[:POSITION, None]).max(axis=0) <= _FULL


def _first_broken(ratios: np.ndarray) -> np.ndarray:
    """For each joint the first limit that its target breaks by itself (rows jerk, acceleration, velocity); else the nearest."""
    broken = ratios > _FULL
    kinds = np.argmax(ratios, axis=0)
    for kind in (JERK, ACCELERATION, VELOCITY):  # the last word is velocity's
        kinds[broken[kind]] = kind
    return kinds


def _first(within: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of (plans, n) values, for each joint that of the first plan that is within; and whether there is one."""
    joints = np.arange(values.shape[1])
    first = np.argmax(within, axis=0)
    return values[first, joints], within[first, joints]
