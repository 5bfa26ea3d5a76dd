"""What a step, a label and a picture of Meta-World cost one core, beside the suite's own renderer: `python benchmarks/suites.py`.

Runs in the environment of `make setup-metaworld`. Times are of the processor, one thread; the best of three rounds counts.
Exits 1 when ours is not at least three times as fast as the suite's own pictures of 480 px, as the protocol draws them.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

os.environ.setdefault("LP_NUM_THREADS", "0")  # llvmpipe draws in the calling thread: one core
os.environ.setdefault("MUJOCO_GL", "egl")  # the suite's own renderer looks for a screen else

from rich.console import Console
from rich.table import Table

from volition.benchmarks.metaworld.errors import MetaWorldError
from volition.benchmarks.metaworld.expert import Expert
from volition.benchmarks.metaworld.world import World, suite

TASK = "pick-place"
ROUNDS, TIMES = 3, 20


def main() -> int:
    try:
        known = suite("env_dict").ALL_V3_ENVIRONMENTS
    except MetaWorldError as error:
        print(error)
        return 0
    rows: list[tuple[str, float]] = []
    world, expert = World(TASK), Expert(TASK)
    world.reset(1000)
    rows.append(("a step of physics", best(lambda: world.step(expert.action(world.raw)))))
    rows.append(("the expert's label", best(lambda: expert.action(world.raw))))
    world.close()
    for cameras in (("corner2",), ("corner2", "gripper")):
        drawn = World(TASK, cameras=cameras)
        drawn.reset(1000)
        rows.append((f"{' and '.join(cameras)}, 128 px", best(drawn.look)))
        drawn.close()
    own = known[f"{TASK}-v3"](render_mode="rgb_array", camera_name="corner2", width=480, height=480)
    own._freeze_rand_vec, own._set_task_called = False, True
    own.reset()
    rows.append(("corner2 as the suite draws it, 480 px", best(own.render)))
    own.close()
    ours, theirs = rows[2][1], rows[4][1]
    table = Table(title="Meta-World on one core")
    for heading in ("what", "ms", "a second", "of the suite's own picture"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for name, seconds in rows:
        table.add_row(name, f"{1000 * seconds:.2f}", f"{1 / seconds:.0f}", f"{100 * seconds / theirs:.1f} %")
    Console().print(table)
    return int(theirs < 3 * ours)


def best(work: Callable[[], object]) -> float:
    """Seconds of the processor, of one call."""
    work()
    rounds = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        for _ in range(TIMES):
            work()
        rounds.append((time.process_time() - begin) / TIMES)
    return min(rounds)


if __name__ == "__main__":
    sys.exit(main())
