"""How long the body takes a tick, how fast physics runs and how fast the cameras draw: `python benchmarks/body.py`.

Exits 1 when a promise is broken: balance and both arms in 2 ms a tick, 80 frames/s of the head camera at 128 px.
Times are of one thread; the best of three rounds counts, because others may share the machine.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

os.environ.setdefault("LP_NUM_THREADS", "0")  # llvmpipe draws in the calling thread: one core

import numpy as np
from rich.console import Console
from rich.table import Table

from volition.body.whole_body import WholeBody
from volition.robots.g1 import g1
from volition.sim.session import Session, session
from volition.transforms.rotation import to_rotvec
from volition.types import ActionPoint

SPEC = g1()
ROUNDS, TICKS = 3, 300


def main() -> int:
    scene = session(SPEC, cameras=True)
    assert scene.renderer is not None
    body = WholeBody(SPEC)
    state = scene.robot.read()
    body.reset(state)
    hands = {side: body.arms.hand(side, state) for side in ("left", "right")}

    def action(tick: int) -> ActionPoint:
        parts = []
        for position, quaternion in hands.values():
            ahead = np.array([0.06, 0.0, 0.12]) * (1 - np.cos(0.06 * tick))
            parts.append(np.concatenate([position + ahead, to_rotvec(quaternion), [0.5]]))
        return ActionPoint(stamp=0.02 * tick, values=np.concatenate([*parts, np.zeros(3)]), spec="ee", chunk_stamp=0.0)

    walking = np.array([0.4, 0.0, 0.1])
    robot = scene.robot
    rows = [
        ("arms by inverse kinematics, both", _times(lambda tick: body.resolve(action(tick), state))),
        ("balance controller", _times(lambda tick: robot.balance.step(state, walking, np.zeros(3)))),
        (
            "walker and self-model",
            _times(lambda tick: (robot.walker.step(walking, state), robot.self_model.update(state))),
        ),
    ]
    table = Table(title="The body, ms a tick of 20 ms")
    for heading in ("part", "median", "99 %"):
        table.add_column(heading, justify="left" if heading == "part" else "right")
    for name, times in rows:
        table.add_row(name, f"{np.median(times):.3f}", f"{np.percentile(times, 99):.3f}")
    together = np.median(rows[0][1]) + np.median(rows[1][1])
    table.add_row("arms and balance together", f"{together:.3f}", "")
    console = Console()
    console.print(table)

    scene.restart(0)
    pace = max(_physics(scene) for _ in range(ROUNDS))
    frames = {camera.name: max(_frames(scene, camera.name) for _ in range(ROUNDS)) for camera in SPEC.cameras}
    console.print(f"Physics, balance and motors: {pace:.1f} times real time.")
    for name, rate in frames.items():
        console.print(f"Camera {name}, 128 x 128: {rate:.0f} frames/s on one core.")
    broken = []
    if together > 2.0:
        broken.append(f"arms and balance take {together:.2f} ms a tick; promised are 2 ms")
    if frames["head"] < 80:
        broken.append(f"the head camera draws {frames['head']:.0f} frames/s; promised are 80")
    for line in broken:
        console.print(f"[red]{line}[/red]")
    return 1 if broken else 0


def _times(step: Callable[[int], object]) -> np.ndarray:
    """ms of each tick, of the fastest round."""
    rounds = []
    for _ in range(ROUNDS):
        times = []
        for tick in range(TICKS):
            begin = time.perf_counter()
            step(tick)
            times.append(1000 * (time.perf_counter() - begin))
        rounds.append(np.array(times))
    return min(rounds, key=lambda times: float(np.median(times)))


def _physics(scene: Session) -> float:
    begin, until = time.perf_counter(), scene.world.time + 4.0
    scene.clock.sleep_until(until)
    return 4.0 / (time.perf_counter() - begin)


def _frames(scene: Session, camera: str) -> float:
    assert scene.renderer is not None
    begin, count = time.perf_counter(), 60
    for _ in range(count):
        scene.renderer.camera(camera)
    return count / (time.perf_counter() - begin)


if __name__ == "__main__":
    sys.exit(main())
