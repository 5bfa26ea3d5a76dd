"""The small motion test: each commanded joint is moved by a few degrees, behind the shield, and has to be the one that moves.

It finds wrong signs, units, orders and dead motors before a policy does. One joint of each group at a time.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from volition.robots.robot import Robot
from volition.runtime.clock import Clock
from volition.types import Command, RobotSpec

if TYPE_CHECKING:  # as in preflight
    from volition.safety.guard import Guard

STEP, FINGER = 0.10, 0.50  # rad: arms; fingers, whose friction swallows a tenth of a radian
GO, STAY = 0.4, 0.3  # s: on the way, and there before it is measured
ENOUGH, TOO_MUCH = 0.5, 1.6  # of the step: what a joint may have moved
OTHERS = 0.5  # of the step: what no other joint may have moved

Problem = tuple[str, str]  # what is wrong, what to do


def move_a_little(robot: Robot, clock: Clock, guard: Guard) -> list[Problem]:
    """Everything that does not move as it is told. The robot ends where it began."""
    spec = robot.spec
    index = spec.commanded_index
    start = robot.read().position[index]
    low, high = np.array([joint.position for joint in spec.commanded]).T
    start = np.clip(start, low, high)
    step = np.array([FINGER if joint.group.endswith("_hand") else STEP for joint in spec.commanded])
    towards = np.where(start < (low + high) / 2, step, -step)
    found: list[Problem] = []
    guard.start(robot.read(), clock.now())
    for slots in _rounds(spec):
        before = _settle(robot, clock, guard, start, start)
        target = start.copy()
        target[slots] += towards[slots]
        moved = _settle(robot, clock, guard, start, target) - before
        _settle(robot, clock, guard, target, start)
        found += _judge(spec, slots, towards, moved)
        if len(found) > 12:  # nothing is where it should be; more would say no more
            break
    return found


def _rounds(spec: RobotSpec) -> list[list[int]]:
    """Slots of a Command that are moved together: one of each group."""
    groups = [
        [slot for slot, joint in enumerate(spec.commanded) if joint.group == name] for name in spec.commanded_groups
    ]
    return [[slot for slot in slots if slot is not None] for slots in zip_longest(*groups)]


def _settle(robot: Robot, clock: Clock, guard: Guard, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Move the commanded joints there smoothly, wait, and measure them."""
    period = 1.0 / robot.spec.control_rate_hz
    since = clock.now()
    for tick in range(1, round((GO + STAY) / period) + 1):
        share = min(1.0, tick * period / GO)
        share = share**3 * (10 - 15 * share + 6 * share**2)
        now = clock.now()
        wanted = Command(stamp=now, position=begin + share * (end - begin), base_velocity=np.zeros(3))
        robot.command(guard.apply(wanted, robot.read(), now))
        clock.sleep_until(since + tick * period)
    return robot.read().position[robot.spec.commanded_index]


def _judge(spec: RobotSpec, slots: list[int], towards: np.ndarray, moved: np.ndarray) -> list[Problem]:
    found: list[Problem] = []
    others = [
        slot for slot in range(len(moved)) if slot not in slots and abs(moved[slot]) > OTHERS * abs(towards[slot])
    ]
    for slot in slots:
        name, share = spec.commanded[slot].name, float(moved[slot] / towards[slot])
        if -TOO_MUCH < share < -ENOUGH:
            found.append((f"{name} turns the other way", "flip its sign in the driver"))
        elif abs(share) > TOO_MUCH:
            found.append((f"{name} moves {share:.1f} times as far as told", "check its unit: radians, not degrees"))
        elif share < ENOUGH:
            who = ", ".join(spec.commanded[other].name for other in others)
            instead = f"; {who} moved instead" if who else ""
            todo = "put the joints into the spec's order" if who else "check that its motor is on and nothing blocks it"
            found.append((f"{name} moved {abs(100 * max(share, 0.0)):.0f} % of the way{instead}", todo))
    if others and not found:
        who = ", ".join(spec.commanded[other].name for other in others)
        found.append((f"{who} moved without being told", "check the joints' order and what else commands them"))
    return found
