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

    def step(self, motion: Motion, raw: np.ndarray) -> Step:
        """The best next position towards `raw` (finite, (C,)) that keeps a way to stop."""
        dt = self._dt
        target = np.clip(raw, self.low, self.high)
        velocity = (motion.position - motion.previous) / dt
        acceleration = (velocity - (motion.previous - motion.before) / dt) / dt
        target_velocity = (target - motion.target) / dt
        new_velocity = (target - motion.position) / dt
        new_acceleration = (new_velocity - velocity) / dt
        ratios = np.stack([(new_acceleration - acceleration) / dt, new_acceleration, new_velocity]) * self._scale[:3]
        ratios = np.abs(ratios)
        # Whoever is still catching up must land: to touch a resting target at speed would be to shoot past it.
        usable = (ratios.max(axis=0) <= _FULL) & (motion.position == motion.target)
        # From rest a jump and the start of a ramp look alike: take at once only what could be halted on the next tick.
        resting = (motion.position == motion.previous) & (motion.previous == motion.before)
        usable &= ~(resting & (ratios[JERK] > 0.5))
        position, plan, outside = target.copy(), motion.plan.copy(), target != raw
        kinds = _first_broken(ratios)
        near = np.flatnonzero(usable)
        if near.size:
            worst, plan[:, near] = self._stop_plans(near, target[near], new_velocity[near], new_acceleration[near])
            stuck = np.flatnonzero(worst.max(axis=0) > _FULL)
            usable[near[stuck]] = False
            kinds[near[stuck]] = worst[:, stuck].argmax(axis=0)
        some = np.flatnonzero(~usable)
        if some.size:
            chase = self._chase(target_velocity, motion.target_velocity)[some]
            state = np.stack([motion.position[some], velocity[some], acceleration[some]])
            position[some], plan[:, some] = self._approach(some, state, target[some], chase, motion)
        kinds[outside] = POSITION
        changed = np.flatnonzero(position != raw)
        names = (_REASONS[kind] for kind in kinds[changed].tolist())
        trimmed = tuple(zip(changed.tolist(), names, strict=True))
        return Step(position=position, plan=plan, target=target, target_velocity=target_velocity, trimmed=trimmed)

    def _approach(
        self, some: np.ndarray, state: np.ndarray, target: np.ndarray, chase: np.ndarray, motion: Motion
    ) -> tuple[np.ndarray, np.ndarray]:
        """Land, else cruise, else brake: next positions and their stop plans for the joints `some`."""
        chosen = motion.plan[0, some]
        plan = np.concatenate([motion.plan[1:, some], motion.plan[-1:, some]])
        towards = np.sign(target - state[0])
        unavoidable = towards * (target - plan[-1]) < -_PASS  # the joint passes the target even if it brakes now
        jerk, possible = self._land(some, state, target, chase, unavoidable)
        lands = np.flatnonzero(possible)
        good, positions, plans = self._take(some[lands], state[:, lands], jerk[lands])
        lands = lands[good]
        chosen[lands], plan[:, lands] = positions[good], plans[:, good]

        others = np.delete(np.arange(len(some)), lands)
        if others.size:
            jerk, possible = self._cruise(some[others], state[:, others], towards[others])
            others, jerk = others[possible], jerk[possible]
            good, positions, plans = self._take(some[others], state[:, others], jerk)
            good &= towards[others] * (target[others] - plans[-1]) >= -_PASS
            others = others[good]
            chosen[others], plan[:, others] = positions[good], plans[:, good]
        chosen = np.where(np.abs(chosen - target) <= _SNAP, target, chosen)
        return np.clip(chosen, self.low[some], self.high[some]), plan

    def _chase(self, now: np.ndarray, before: np.ndarray) -> np.ndarray:
        """The velocity the target will keep: the smaller of its last two, or zero when they do not belong together."""
        smooth = (np.abs(now) <= self._velocity) & (np.abs(now - before) <= self._acceleration * self._dt)
        smooth &= now * before > 0  # one displacement is a jump until a second one follows
        return np.where(smooth, np.where(np.abs(now) < np.abs(before), now, before), 0.0)

    def _take(self, some: np.ndarray, state: np.ndarray, jerk: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which of these jerks leave a way to stop, the positions they lead to, and the stop plans from there."""
        acceleration = state[2] + jerk * self._dt
        velocity = state[1] + acceleration * self._dt
        position = state[0] + velocity * self._dt
        worst, plans = self._stop_plans(some, position, velocity, acceleration)
        return worst.max(axis=0) <= _FULL, position, plans

    def _land(
        self, some: np.ndarray, state: np.ndarray, target: np.ndarray, chase: np.ndarray, may_pass: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """First jerk of the shortest plan that meets the (moving) target inside the limits, and whether there is one."""
        error = (state[0] - target + chase * self._dt, state[1] - chase, state[2])
        table = self._landings
        rows = table.roll(error)
        most, least = table.extremes(rows)
        swing: np.ndarray = np.where(
            error[0] > 0, least[POSITION], -most[POSITION]
        )  # how far past the target, negative
        within: np.ndarray = self._within(most, least, chase, some) & ((swing >= -_PASS) | may_pass)
        return _first(within, table.first_jerks(rows))

    def _cruise(self, some: np.ndarray, state: np.ndarray, towards: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First jerk of the shortest plan that reaches top speed towards the target, and whether there is one."""
        top = towards * self._velocity[some]
        table = self._stops
        rows = table.roll((state[1] - top, state[2]))
        within = self._within(*table.extremes(rows), top, some)
        return _first(within, table.first_jerks(rows))

    def _within(self, most: np.ndarray, least: np.ndarray, velocity: np.ndarray, some: np.ndarray) -> np.ndarray:
        """Which plans, seen from a frame moving with `velocity`, keep jerk, acceleration and velocity: (plans, n)."""
        most[VELOCITY] += velocity
        least[VELOCITY] += velocity
        farthest = np.maximum(most[:POSITION], -least[:POSITION])
        return (farthest * self._scale[:POSITION, None, some]).max(axis=0) <= _FULL

    def _stop_plans(
        self, joints: np.ndarray, position: np.ndarray, velocity: np.ndarray, acceleration: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The shortest allowed stop plan from each motion, (T, n), and how near each limit it comes, (4, n); above 1: none."""
        table = self._stops
        rows = table.roll((velocity, acceleration))
        places = table.positions(rows)
        places += position - self._middle[joints]
        ratios = table.farthest(rows) * self._scale[:, None, joints]  # (4, plans, n)
        worst = ratios.max(axis=0)
        within = worst <= _FULL
        best = np.where(np.any(within, axis=0), np.argmax(within, axis=0), np.argmin(worst, axis=0)).astype(np.intp)
        column = np.arange(len(joints))
        plans = rows[table.places[best].T, column] + self._middle[joints]
        return ratios[:, best, column], np.clip(plans, self.low[joints], self.high[joints])


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
