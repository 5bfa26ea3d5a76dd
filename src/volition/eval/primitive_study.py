"""What each of the ten primitives must do, checked in physics: `python -m volition.eval.primitive_study`.

Every trial tells the robot one sentence and runs the language policy, executor, body, shield and robot on a robot
varied by its seed. Writes docs/studies/primitives.json, primitives.md and primitives.svg.
"""

from __future__ import annotations

import argparse
import math
from functools import cache

import numpy as np

from volition.eval.rollout import Rig
from volition.eval.script import Script, ScriptPolicy
from volition.eval.study import Column, Row, Study, run_trials
from volition.robots.g1 import g1
from volition.robots.primitives import NAMES, PRIMITIVES, primitive
from volition.runtime.report import Tick
from volition.sim.session import Session, session
from volition.transforms.rotation import tilt, wrap, yaw

SPEC = g1()
LEAD = 1.0  # s of standing first
SETTLE = 3.0  # s after the primitive, in which `stop` runs for those that move

MOST_OFF = 0.10  # m
MOST_TURNED_OFF = math.radians(5)
RAISED = 0.25  # m above the shoulder
WAVES = 3  # times the hand must pass its middle in 4 s at 1 Hz (it passes it 8 times in full swing)

MUST = {
    "stop": "stays within 10 cm and 5 degrees, hands below the shoulders",
    "move_forward": "1 m forward within 10 cm, heading kept within 5 degrees",
    "move_backward": "1 m backward within 10 cm, heading kept within 5 degrees",
    "turn_left": "90 degrees left within 5, place kept within 10 cm",
    "turn_right": "90 degrees right within 5, place kept within 10 cm",
    "raise_left_arm": "left hand at least 25 cm above the shoulder, right hand below it, place kept within 10 cm",
    "raise_right_arm": "right hand at least 25 cm above the shoulder, left hand below it, place kept within 10 cm",
    "wave": "right hand above the shoulder, swinging at least 10 cm to and fro 3 times or more, place kept within 10 cm",
    "step_left": "0.6 m to the left within 10 cm, heading kept within 5 degrees",
    "step_right": "0.6 m to the right within 10 cm, heading kept within 5 degrees",
}


@cache
def _parts() -> tuple[Rig, Session]:
    return Rig(SPEC), session(SPEC)


def trial(job: tuple[str, int]) -> Row:
    """One primitive for its default duration, on the robot of one seed."""
    name, seed = job
    rig, scene = _parts()
    scene.restart(seed)
    chosen = primitive(name)
    after = "stop" if chosen.moves else name
    duration = chosen.default_duration

    def values(t: float) -> np.ndarray:
        running = "stop" if t <= LEAD else name if t <= LEAD + duration else after
        return np.array([float(NAMES.index(running))])

    bases: list[np.ndarray] = []
    hands: list[np.ndarray] = []  # left and right: height over the shoulder, and the right hand's place sideways
    tilts: list[float] = []

    def on_tick(tick: Tick) -> None:
        state, data = tick.state, scene.world.data
        heading = float(yaw(state.base_quaternion))
        bases.append(np.array([*state.base_position, heading]))
        tilts.append(float(tilt(state.base_quaternion)))
        height = [
            data.site(f"{side}_grasp").xpos[2] - data.body(f"{side}_shoulder_pitch_link").xpos[2]
            for side in ("left", "right")
        ]
        away = data.site("right_grasp").xpos - state.base_position
        hands.append(np.array([*height, -math.sin(heading) * away[0] + math.cos(heading) * away[1]]))

    fallen = False

    def until(state: object) -> bool:
        nonlocal fallen
        fallen = bases[-1][2] < 0.5 or tilts[-1] > math.radians(50)
        return fallen

    policy = ScriptPolicy(SPEC, Script("primitive", values, dt=0.02))
    summary = rig.rollout(scene, policy, name, limit_s=LEAD + duration + SETTLE, on_tick=on_tick, until=until)
    row: Row = {
        "condition": name,
        "seed": seed,
        "fell": fallen,
        "stops": summary.stops,
        "shield": dict(summary.interventions),
    }
    row["tilt_deg"] = math.degrees(max(tilts))
    if fallen:
        return row | {"passed": False}
    rate = SPEC.control_rate_hz
    base, hand = np.array(bases), np.array(hands)
    base[:, 3] = np.unwrap(base[:, 3])  # a mean over the seam at pi would point anywhere
    start, end = base[: round(LEAD * rate)].mean(axis=0), base[-25:].mean(axis=0)
    goal = np.array(chosen.base_velocity) * (duration if chosen.moves else 0.0)
    moved = end[:2] - start[:2]
    forward = math.cos(start[3]) * moved[0] + math.sin(start[3]) * moved[1]
    left = -math.sin(start[3]) * moved[0] + math.cos(start[3]) * moved[1]
    row["place_cm"] = 100 * math.hypot(forward - goal[0], left - goal[1])
    row["heading_deg"] = math.degrees(abs(float(wrap(end[3] - start[3] - goal[2]))))
    active = hand[round((LEAD + 0.5 * duration) * rate) : round((LEAD + duration) * rate)]
    row["left_hand_cm"], row["right_hand_cm"] = (100 * float(np.median(active[:, side])) for side in (0, 1))
    row["passed"] = bool(
        row["place_cm"] <= 100 * MOST_OFF
        and row["heading_deg"] <= math.degrees(MOST_TURNED_OFF)
        and _hands_right(name, row, active)
    )
    return row


def _hands_right(name: str, row: Row, active: np.ndarray) -> bool:
    left, right = row["left_hand_cm"] / 100, row["right_hand_cm"] / 100
    if name == "wave":
        sideways = active[:, 2] - active[:, 2].mean()
        row["wave_cm"] = 100 * float(np.ptp(sideways))
        passes = int(np.sum(np.diff(np.sign(sideways)) != 0))
        return right > 0 and left < 0 and row["wave_cm"] >= 10 and passes >= WAVES
    if name == "raise_left_arm":
        return left >= RAISED and right < 0
    if name == "raise_right_arm":
        return right >= RAISED and left < 0
    return left < 0 and right < 0


STUDY = Study(
    name="primitives",
    title="The ten primitives",
    columns=(
        Column("place_cm", "place cm", "distance from where the robot should be at the end"),
        Column("heading_deg", "heading deg", "angle from where it should look at the end"),
        Column("tilt_deg", "tilt deg", "largest lean of the pelvis"),
        Column(
            "left_hand_cm",
            "left hand cm",
            "height of the left hand over its shoulder in the second half of the primitive",
        ),
        Column("right_hand_cm", "right hand cm", "the same of the right hand"),
        Column("wave_cm", "wave cm", "how far the waving hand swings from side to side"),
    ),
    conditions=MUST,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="seeds of each primitive (default 20)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1, help="the first seed (default 1)")
    arguments = parser.parse_args()
    jobs = [(chosen.name, arguments.seed + number) for chosen in PRIMITIVES for number in range(arguments.seeds)]
    rows = run_trials(trial, jobs, workers=arguments.workers, label="trials")
    command = f"python -m volition.eval.primitive_study --seeds {arguments.seeds}"
    STUDY.report(rows, seed=arguments.seed, command=command, write=True)


if __name__ == "__main__":
    main()
