"""What the shield's tests share: states, commands, streams and the check of every limit by finite differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from volition.robots.g1 import g1
from volition.types import Command, RobotSpec, RobotState

ROBOT = g1()
DT = 1 / ROBOT.control_rate_hz
LOW, HIGH = np.array([joint.position for joint in ROBOT.commanded]).T
HOME = ROBOT.home_position[ROBOT.commanded_index]
COUNT = len(ROBOT.commanded)
KINDS = ("quiet", "sine", "jumps", "noise", "wild", "nan", "gaps", "stale", "estop", "base", "mixed")


def state(position: np.ndarray | None = None, now: float = 0.0, robot: RobotSpec = ROBOT) -> RobotState:
    joints = len(robot.joints)
    return RobotState(
        stamp=now,
        position=robot.home_position if position is None else position,
        velocity=np.zeros(joints),
        effort=np.zeros(joints),
        base_position=np.array([0.0, 0.0, 0.79]),
        base_quaternion=np.array([1.0, 0.0, 0.0, 0.0]),
        base_velocity=np.zeros(3),
        base_angular_velocity=np.zeros(3),
    )


def command(position: np.ndarray = HOME, now: float = 0.0, base=(0.0, 0.0, 0.0), chunk_stamp=None) -> Command:
    return Command(stamp=now, position=position, base_velocity=np.array(base, dtype=float), chunk_stamp=chunk_stamp)


@dataclass
class Tick:
    """What a stream gives at one tick."""

    command: Command | None
    press: bool = False
    reset: bool = False


def stream(kind: str, ticks: int, rng: np.random.Generator) -> list[Tick]:
    """A seeded command stream; every kind but `quiet` and `sine` breaks limits or contracts on purpose."""
    time = np.arange(ticks) * DT
    rate, phase = rng.uniform(0.1, 4, COUNT), rng.uniform(0, 6.3, COUNT)
    swing = rng.uniform(0, 1, COUNT) * (HIGH - LOW) / 2
    sine = (LOW + HIGH) / 2 + swing * np.sin(6.28 * rate * time[:, None] + phase)
    held = np.repeat(rng.uniform(LOW - 0.5, HIGH + 0.5, (ticks // 7 + 1, COUNT)), 7, axis=0)[:ticks]
    walk = HOME + np.cumsum(rng.normal(0, rng.choice([0.002, 0.02, 0.2]), (ticks, COUNT)), axis=0)
    wild = rng.normal(0, 1, (ticks, COUNT)) * 10 ** rng.uniform(-3, 6, (ticks, 1))
    positions = {
        "quiet": HOME + 0.05 * np.sin(6.28 * 0.3 * time)[:, None],
        "sine": sine,
        "jumps": held,
        "noise": walk,
    }.get(kind, wild)
    if kind == "mixed":
        pick = rng.integers(0, 4, (ticks // 10 + 1, COUNT)).repeat(10, axis=0)[:ticks]
        positions = np.choose(pick, [sine, held, walk, wild])
    if kind in ("gaps", "stale", "estop", "base"):
        positions = held if rng.random() < 0.5 else sine
    base = (
        rng.normal(0, 2, (ticks, 3))
        if kind in ("base", "wild", "mixed")
        else np.tile(rng.uniform(-0.3, 0.3, 3), (ticks, 1))
    )
    found: list[Tick] = []
    for number in range(ticks):
        position, velocity, now, chunk = positions[number].copy(), base[number].copy(), number * DT, number * DT
        if kind in ("nan", "mixed") and rng.random() < 0.15:
            position[rng.integers(COUNT)] = rng.choice([np.nan, np.inf, -np.inf])
            velocity[rng.integers(3)] = rng.choice([0.0, np.nan])
        if kind in ("stale", "mixed") and rng.random() < 0.3:
            chunk = max(0.0, now - rng.uniform(0, 2))
        missing = kind in ("gaps", "mixed") and rng.random() < 0.3
        made = None if missing else Command(stamp=now, position=position, base_velocity=velocity, chunk_stamp=chunk)
        pressing = kind in ("estop", "mixed")
        found.append(Tick(made, press=pressing and rng.random() < 0.05, reset=pressing and rng.random() < 0.1))
    return found


def broken_limits(positions: np.ndarray, bases: np.ndarray) -> list[str]:
    """Every limit that a sequence of sent commands breaks; the first three rows are the rest it started from."""
    velocity = np.diff(positions, axis=0) / DT
    acceleration = np.diff(velocity, axis=0) / DT
    jerk = np.diff(acceleration, axis=0) / DT
    found = []
    if not (np.isfinite(positions).all() and np.isfinite(bases).all()):
        found.append("not finite")
    if (positions < LOW).any() or (positions > HIGH).any():
        found.append("position")
    for name, values in (("velocity", velocity), ("acceleration", acceleration), ("jerk", jerk)):
        limit = np.array([getattr(joint, name) for joint in ROBOT.commanded])
        worst = float((np.abs(values) / limit).max())
        if not worst <= 1 + 1e-6:
            found.append(f"{name} {worst}")
    top, change = np.array(ROBOT.base.velocity), np.array(ROBOT.base.acceleration) * DT
    if (np.abs(bases) > top * (1 + 1e-9)).any():
        found.append("base velocity")
    if (np.abs(np.diff(bases, axis=0)) > change * (1 + 1e-6)).any():
        found.append("base acceleration")
    return found
