"""How much of a control tick the shield takes: `python benchmarks/shield.py`. Exits 1 when a p99 is above what is allowed.

Three kinds of command stream, each without and with the self-collision look-ahead, and with everything on: obstacles
in reach, a person, workspace, efforts, forces, balance. Allowed are 0.3 ms without the look-ahead and 1 ms with it.
The shield is pure, so the same stream is played `REPEATS` times and each tick counts with its least processor time:
that is the shield's own cost, and the verdict is on it. The wall clock of all plays, beside it, also has what other
programs on the machine took.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from volition.robots.g1 import g1
from volition.robots.g1_assets import light_g1
from volition.safety.collision import CollisionModel
from volition.safety.config import careful
from volition.safety.obstacles import Obstacles, box, capsule
from volition.safety.shield import Shield
from volition.types import Command, RobotSpec, RobotState

TICKS = 400
REPEATS = 25
ALLOWED = {"no": 0.3e-3, "yes": 1e-3, "everything": 1e-3}  # s
AROUND = Obstacles(
    stamp=0.0,
    shapes=(
        box("table", (0.55, 0.0, -0.02), (0.5, 1.2, 0.04)),
        capsule("pole", (0.45, 0.45, -0.8), (0.45, 0.45, 0.8), 0.04),
        capsule("person", (1.5, -0.8, -0.5), (1.5, -0.8, 0.7), 0.3, kind="person"),
    ),
    frame="pelvis",
    lasting=True,
)


def streams(robot: RobotSpec, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Joint targets, (TICKS, C): swaying near home; new random postures twice a second; noise far outside all limits."""
    low, high = np.array([joint.position for joint in robot.commanded]).T
    home = robot.home_position[robot.commanded_index]
    now = np.arange(TICKS)[:, None] / robot.control_rate_hz
    quiet = home + 0.15 * np.sin(2 * np.pi * 0.4 * now) * np.sign((low + high) / 2 - home)
    aggressive = np.repeat(rng.uniform(low, high, (TICKS // 25 + 1, len(home))), 25, axis=0)[:TICKS]
    adversarial = rng.normal(0, 3, (TICKS, len(home)))
    return {"quiet": quiet, "aggressive": aggressive, "adversarial": adversarial}


def measure(shield: Shield, targets: np.ndarray, around: Obstacles | None) -> tuple[np.ndarray, np.ndarray]:
    """Processor and wall seconds of each tick; the robot is where it was told to be."""
    robot = shield.robot
    zeros = np.zeros(len(robot.joints))
    posture, memory = robot.home_position.copy(), None
    took = np.zeros((2, len(targets)))
    for tick, target in enumerate(targets):
        now = tick / robot.control_rate_hz
        state = RobotState(
            stamp=now,
            position=posture,
            velocity=zeros,
            effort=zeros,
            base_position=np.zeros(3),
            base_quaternion=np.array([1.0, 0, 0, 0]),
            base_velocity=np.zeros(3),
            base_angular_velocity=np.zeros(3),
        )
        memory = memory or shield.start(state)
        command = Command(stamp=now, position=target, base_velocity=np.array([0.3, 0, 0]))
        own, wall = time.thread_time(), time.perf_counter()
        sent, memory, _ = shield.limit(command, state, memory, now, around=around)
        took[:, tick] = time.thread_time() - own, time.perf_counter() - wall
        posture = posture.copy()
        posture[robot.commanded_index] = sent.position
    return took[0, 20:], took[1, 20:]  # the first ticks warm caches


def main() -> int:
    robot = g1()
    collision = CollisionModel(robot, light_g1())
    tick = 1 / robot.control_rate_hz
    table = Table(
        title=f"Shield.limit, {len(robot.commanded)} joints, microseconds, p99 as share of the {tick * 1e3:.0f} ms tick"
    )
    for name in ("stream", "look-ahead", "p50", "p99", "max", "of tick", "wall 50", "wall 99"):
        table.add_column(name, justify="left" if name in ("stream", "look-ahead") else "right")
    shields = {
        "no": (Shield(robot), None),
        "yes": (Shield(robot, collision=collision), None),
        "everything": (Shield(robot, config=careful(robot), collision=collision), AROUND),
    }
    slow = list[str]()
    cases = [(name, on) for name in ("quiet", "aggressive", "adversarial") for on in shields]
    for name, on in track(cases, description="measuring", transient=True, console=Console(stderr=True)):
        targets = streams(robot, np.random.default_rng(0))[name]
        plays = [measure(shields[on][0], targets, shields[on][1]) for _ in range(REPEATS)]
        own, wall = np.min([play[0] for play in plays], axis=0), np.concatenate([play[1] for play in plays])
        p50, p99, most = np.percentile(own, [50, 99, 100])
        allowed = ALLOWED[on]
        if p99 > allowed:
            slow.append(f"{name}, look-ahead {on}: p99 is {p99 * 1e3:.2f} ms; allowed is {allowed * 1e3:.1f} ms.")
        figures = [f"{value * 1e6:.0f}" for value in (p50, p99, most)]
        walls = [f"{value * 1e6:.0f}" for value in np.percentile(wall, [50, 99])]
        table.add_row(name, on, *figures, f"{100 * p99 / tick:.1f} %", *walls)
    Console().print(table)
    if slow:
        print("\n".join(slow), file=sys.stderr)
    return int(bool(slow))


if __name__ == "__main__":
    sys.exit(main())
