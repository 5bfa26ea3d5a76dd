"""A million commands against the shield: `python benchmarks/shield_stream.py --commands 1000000`. Exits 1 when a limit is broken.

Random streams, adversarial ones (far outside all limits, not finite, missing, stale, e-stop pressed and reset) and
replays of the same with repeats and gaps. What is sent is judged by finite differences (`safety/check.py`), and so is
what would have been sent without the shield. With `--collision` the self-collision look-ahead is in it too.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass

import numpy as np
import tyro
from rich.progress import track

from volition.robots.g1 import g1
from volition.robots.g1_assets import light_g1
from volition.safety.check import broken_limits
from volition.safety.collision import CollisionModel
from volition.safety.guard import Guard
from volition.safety.shield import Shield
from volition.types import Command, RobotSpec, RobotState

LENGTH = 500  # ticks a stream
KINDS = ("random", "adversarial", "replayed")


@dataclass(frozen=True, kw_only=True)
class Config:
    """How many commands, from which seed."""

    commands: int = 1_000_000
    seed: int = 0
    collision: bool = False
    """Look ahead for self-collision too, which takes twice the time."""


def targets(kind: str, robot: RobotSpec, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Positions (LENGTH, C) and base velocities (LENGTH, 3)."""
    low, high = np.array([joint.position for joint in robot.commanded]).T
    count = len(low)
    steps = int(rng.integers(1, 40))
    held = np.repeat(rng.uniform(low, high, (LENGTH // steps + 1, count)), steps, axis=0)[:LENGTH]
    base = np.repeat(rng.uniform(-0.8, 0.8, (LENGTH // 20 + 1, 3)), 20, axis=0)[:LENGTH]
    if kind == "random":
        return held, base
    wild = rng.normal(0, 1, (LENGTH, count)) * 10 ** rng.uniform(-3, 6, (LENGTH, 1))
    wild[rng.random(LENGTH) < 0.05, rng.integers(count)] = rng.choice([np.nan, np.inf, -np.inf])
    if kind == "adversarial":
        return wild, base * 20
    smooth = held[0] + np.cumsum(rng.normal(0, 0.02, (LENGTH, count)), axis=0)
    order = np.sort(rng.integers(0, LENGTH, LENGTH))  # some repeated, some lost
    return np.where(rng.random((LENGTH, 1)) < 0.9, smooth, held)[order], base[order]


def play(shield: Shield, kind: str, rng: np.random.Generator) -> tuple[list[str], list[str], Counter[str]]:
    """What the sent commands break, what the wanted ones would have broken, and what the shield did."""
    robot, guard = shield.robot, Guard(shield)
    zeros, posture = np.zeros(len(robot.joints)), robot.home_position
    wanted, bases = targets(kind, robot, rng)
    hostile = kind == "adversarial"
    sent = [posture[robot.commanded_index]] * 3
    walked = [np.zeros(3)] * 3
    for tick in range(LENGTH):
        now = tick / robot.control_rate_hz
        state = RobotState(
            stamp=now,
            position=posture,
            velocity=zeros,
            effort=zeros,
            base_position=zeros[:3],
            base_quaternion=np.array([1.0, 0, 0, 0]),
            base_velocity=zeros[:3],
            base_angular_velocity=zeros[:3],
        )
        if tick == 0:
            guard.start(state, now)
        luck = rng.random()
        if hostile and luck < 0.01:
            guard.estop.press()
        elif hostile and luck < 0.05:
            guard.estop.reset()
        age = 1.0 if hostile and luck > 0.97 and now > 1 else 0.0
        command = Command(stamp=now - age, position=wanted[tick], base_velocity=bases[tick])
        safe = guard.apply(None if hostile and 0.9 < luck < 0.93 else command, state, now)
        sent.append(safe.position)
        walked.append(safe.base_velocity)
        posture = posture.copy()
        posture[robot.commanded_index] = safe.position
    broken = broken_limits(robot, np.array(sent), np.array(walked))
    return broken, broken_limits(robot, wanted, bases), Counter(guard.counts())


def main(config: Config) -> int:
    robot = g1()
    shield = Shield(robot, collision=CollisionModel(robot, light_g1()) if config.collision else None)
    rng, began = np.random.default_rng(config.seed), time.process_time()
    with_shield, without, did = Counter[str](), Counter[str](), Counter[str]()
    streams = -(-config.commands // LENGTH)
    for number in track(range(streams), description="playing", transient=True):
        broken, would, counts = play(shield, KINDS[number % len(KINDS)], rng)
        with_shield.update(_kind(text) for text in broken)
        without.update(_kind(text) for text in would)
        did.update(counts)
    took = time.process_time() - began
    print(f"{streams * LENGTH} commands in {streams} streams, {took:.0f} s of processor time, seed {config.seed}")
    print(f"streams that broke a limit, shield on:  {dict(with_shield) or 'none'}")
    print(f"streams that broke a limit, shield off: {dict(without)}")
    print(f"what the shield did: {dict(did.most_common())}")
    return int(bool(with_shield))


def _kind(text: str) -> str:
    """The words before the number."""
    return " ".join(word for word in text.split()[:2] if word.isalpha())


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Config)))
