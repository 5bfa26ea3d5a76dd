"""The balance study: what the body does when it reaches, waves, carries, is pushed and walks. `python -m volition.eval.body_study`.

Every trial goes through the whole stack (policy at 10 Hz, executor, body, shield, robot) on a robot varied by its seed:
floor friction, link masses, heading, joint angles. Writes docs/studies/body.json, body.md and body.svg.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial

import mujoco
import numpy as np

from volition.eval.rollout import Rig
from volition.eval.script import Script, ScriptPolicy
from volition.eval.study import Column, Row, Study, run_trials
from volition.robots.g1 import g1
from volition.robots.g1_assets import GRASP_CENTRE
from volition.robots.primitives import NAMES
from volition.runtime.report import Tick
from volition.sim.session import Session, session
from volition.transforms.rotation import from_rotvec, slerp, tilt, to_rotvec, wrap, yaw

SPEC = g1()
LEAD = 1.0  # s of standing before anything starts; sway and drift count from its end
Pose = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What one trial does: a script for the policy, and what the world does to the robot."""

    script: Script
    seconds: float
    pushes: tuple[tuple[float, np.ndarray], ...] = ()  # (from when on, newtons in the world), each 0.2 s
    load: tuple[str, float] | None = None  # (side, kg)
    goal: np.ndarray | None = None  # forward m, left m, turned rad from the start
    hands: Callable[[float], dict[str, np.ndarray] | None] | None = None  # where the hands should be at rest at t


@dataclass
class _Log:
    base: list[np.ndarray] = field(default_factory=list)
    tilts: list[float] = field(default_factory=list)
    hand_errors: list[float] = field(default_factory=list)
    targets_off: list[float] = field(default_factory=list)


def smooth(share: float) -> float:
    """The minimum-jerk curve from 0 to 1."""
    share = min(max(share, 0.0), 1.0)
    return share**3 * (10 - 15 * share + 6 * share**2)


def standing(random: np.random.Generator) -> Trial:
    return Trial(script=Script("joint", lambda t: _joint_values(_home_arms())), seconds=12)


def waving(random: np.random.Generator) -> Trial:
    wave, stop = float(NAMES.index("wave")), float(NAMES.index("stop"))
    return Trial(script=Script("primitive", lambda t: np.array([wave if LEAD <= t < 10 else stop])), seconds=12)


def reaching(random: np.random.Generator) -> Trial:
    script, hands = _reaches(random, 4)
    return Trial(script=script, seconds=LEAD + 10, hands=hands)


def random_arms(random: np.random.Generator) -> Trial:
    arms = _random_arms(random, 12)
    return Trial(script=Script("joint", lambda t: _joint_values(arms(t))), seconds=12)


def carrying(random: np.random.Generator) -> Trial:
    script, hands = _reaches(random, 4)
    side = str(random.choice(("left", "right")))
    return Trial(script=script, seconds=LEAD + 10, hands=hands, load=(side, random.uniform(0.5, 2.0)))


def pushed(random: np.random.Generator) -> Trial:
    pushes = []
    for number in range(4):
        angle, force = random.uniform(-math.pi, math.pi), random.uniform(20, 60)
        pushes.append((LEAD + 2.5 * number, force * np.array([math.cos(angle), math.sin(angle), 0.0])))
    return Trial(script=Script("joint", lambda t: _joint_values(_home_arms())), seconds=LEAD + 12, pushes=tuple(pushes))


def walking(random: np.random.Generator) -> Trial:
    angle = random.uniform(-math.pi, math.pi)
    velocity = random.uniform(0.5, 1.0) * np.array([0.5 * math.cos(angle), 0.3 * math.sin(angle), 0.0])
    return _walk(random, velocity, random.uniform(2, 5))


def turning(random: np.random.Generator) -> Trial:
    turn = random.uniform(0.25, 0.5) * random.choice((-1.0, 1.0))
    return _walk(random, np.array([0.0, 0.0, turn]), random.uniform(2, 5))


def one_metre(random: np.random.Generator) -> Trial:
    name = str(random.choice(("move_forward", "move_backward", "step_left", "step_right")))
    goal = {"move_forward": (1, 0), "move_backward": (-1, 0), "step_left": (0, 1), "step_right": (0, -1)}[name]
    return _primitive(name, 1.0 / (0.5 if name.startswith("move") else 0.3), np.array([*goal, 0.0]))


def quarter_turn(random: np.random.Generator) -> Trial:
    name = str(random.choice(("turn_left", "turn_right")))
    sign = 1.0 if name == "turn_left" else -1.0
    return _primitive(name, math.pi, np.array([0.0, 0.0, sign * math.pi / 2]))


CONDITIONS: dict[str, tuple[str, Callable[[np.random.Generator], Trial]]] = {
    "standing": ("stand for 12 s", standing),
    "reaching": ("both hands to 4 random places in front, 2.5 s each", reaching),
    "waving": ("the wave primitive for 9 s", waving),
    "random arms": ("both arms to random postures in the middle 45 % of their range, one every 1.2 s", random_arms),
    "carrying": ("as reaching, with an unknown 0.5 to 2 kg in one hand", carrying),
    "pushed": ("four pushes of 20 to 60 N for 0.2 s on the torso, any direction", pushed),
    "walking": (
        "2 to 5 s in any direction, at up to 0.5 m/s forward and 0.3 m/s sideways, arms moving at random",
        walking,
    ),
    "turning": ("2 to 5 s at 0.25 to 0.5 rad/s, arms moving at random", turning),
    "1 m": ("1 m forward, backward, left or right by primitives", one_metre),
    "90 degrees": ("a quarter turn left or right by primitives", quarter_turn),
}


@cache
def _parts() -> tuple[Rig, Session]:
    """One rig and one world a worker process."""
    return Rig(SPEC), session(SPEC, scene=_loads)


def _loads(spec: mujoco.MjSpec) -> None:
    """A ball in each hand that weighs nothing until a trial gives it a mass."""
    for side in ("left", "right"):
        wrist = spec.body(f"{side}_wrist_yaw_link")
        ball = wrist.add_body(name=f"{side}_load", pos=list(GRASP_CENTRE[side]))
        ball.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.035, 0, 0], mass=1e-6, contype=0, conaffinity=0)


def _load(scene: Session, load: tuple[str, float] | None) -> None:
    model = scene.world.model
    for side in ("left", "right"):
        mass = load[1] if load and load[0] == side else 1e-6
        body = model.body(f"{side}_load").id
        model.body_mass[body], model.body_inertia[body] = mass, 0.4 * mass * 0.035**2
    mujoco.mj_setConst(model, mujoco.MjData(model))
    mujoco.mj_forward(model, scene.world.data)


def trial(job: tuple[str, int]) -> Row:
    """One trial in a worker: condition and seed in, figures out."""
    name, seed = job
    rig, scene = _parts()
    random = np.random.default_rng([seed, list(CONDITIONS).index(name)])
    plan = CONDITIONS[name][1](random)
    scene.restart(seed)
    _load(scene, plan.load)
    log = _Log()

    def on_tick(tick: Tick) -> None:
        force = np.zeros(3)
        for begin, newtons in plan.pushes:
            if begin <= tick.stamp < begin + 0.2:
                force = newtons
        scene.world.push(force)
        state = tick.state
        log.base.append(np.array([*state.base_position, float(yaw(state.base_quaternion))]))
        log.tilts.append(float(tilt(state.base_quaternion)))
        targets = plan.hands(tick.stamp) if plan.hands else None
        for side, place in (targets or {}).items():
            log.hand_errors.append(float(np.linalg.norm(rig.body.arms.hand(side, state)[0] - place)))

    policy = ScriptPolicy(SPEC, plan.script)
    fallen = False

    def until(state: object) -> bool:
        nonlocal fallen
        fallen = log.base[-1][2] < 0.5 or log.tilts[-1] > math.radians(50)
        return fallen

    summary = rig.rollout(scene, policy, name, limit_s=plan.seconds, on_tick=on_tick, until=until)
    scene.world.push(np.zeros(3))
    return _figures(name, seed, plan, log, fallen, summary.stops, dict(summary.interventions))


def _figures(name: str, seed: int, plan: Trial, log: _Log, fallen: bool, stops: int, shield: dict[str, int]) -> Row:
    base = np.array(log.base)
    base[:, 3] = np.unwrap(base[:, 3])  # a mean over the seam at pi would point anywhere
    first = round(LEAD * SPEC.control_rate_hz)
    start, active = base[:first].mean(axis=0), base[first:]
    row: Row = {"condition": name, "seed": seed, "fell": fallen, "stops": stops, "shield": shield}
    row["tilt_deg"] = math.degrees(max(log.tilts))
    if fallen or not len(active):
        return row
    final = active[-25:].mean(axis=0)
    if plan.goal is None:
        row["sway_cm"] = 100 * float(np.linalg.norm(active[:, :2] - active[:, :2].mean(axis=0), axis=1).max())
        row["drift_cm"] = 100 * float(np.linalg.norm(final[:2] - start[:2]))
    else:
        heading, moved = start[3], final[:2] - start[:2]
        forward = math.cos(heading) * moved[0] + math.sin(heading) * moved[1]
        left = -math.sin(heading) * moved[0] + math.cos(heading) * moved[1]
        row["place_cm"] = 100 * math.hypot(forward - plan.goal[0], left - plan.goal[1])
        row["heading_deg"] = math.degrees(abs(float(wrap(final[3] - heading - plan.goal[2]))))
    if log.hand_errors:
        row["hand_mm"] = 1000 * float(np.mean(log.hand_errors))
        row["hand_max_mm"] = 1000 * float(np.max(log.hand_errors))
    return row


# The parts of scripts. All start at LEAD.


def _home_arms() -> np.ndarray:
    arms = [number for number, joint in enumerate(SPEC.commanded) if joint.group.endswith("_arm")]
    return SPEC.home_position[SPEC.commanded_index][arms]


def _joint_values(arms: np.ndarray, base: np.ndarray | None = None) -> np.ndarray:
    """The `joint` action: left arm, left grasp, right arm, right grasp, base."""
    return np.concatenate([arms[:7], [0.0], arms[7:], [0.0], np.zeros(3) if base is None else base])


def _random_arms(random: np.random.Generator, seconds: float) -> Callable[[float], np.ndarray]:
    limits = np.array([joint.position for joint in SPEC.commanded if joint.group.endswith("_arm")])
    home = _home_arms()
    count = int(seconds / 1.2) + 2
    middle, half = limits.mean(axis=1), 0.45 * np.diff(limits, axis=1)[:, 0] / 2
    postures = [home, *(middle + random.uniform(-half, half) for _ in range(count))]

    def arms(t: float) -> np.ndarray:
        index, share = divmod(max(t - LEAD, 0.0), 1.2)
        before, after = postures[min(int(index), count)], postures[min(int(index) + 1, count)]
        return before + smooth(share / 1.2) * (after - before)

    return arms


def _reaches(random: np.random.Generator, count: int) -> tuple[Script, Callable[[float], dict[str, np.ndarray] | None]]:
    """Hands to random places in front of the pelvis: 1.5 s on the way, 1 s there."""
    rig, scene = _parts()
    home = SPEC.home_position
    state = scene.robot.read()
    state = type(state)(**{**vars(state), "position": home})
    poses: dict[str, list[Pose]] = {}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        poses[side] = [rig.body.arms.hand(side, state)]
        for _ in range(count):
            place = np.array([random.uniform(0.22, 0.38), sign * random.uniform(0.08, 0.28), random.uniform(0.0, 0.28)])
            poses[side].append((place, from_rotvec(np.array([0.0, 0.0, random.uniform(-0.4, 0.4)]))))

    def at(t: float) -> tuple[int, float]:
        index, share = divmod(max(t - LEAD, 0.0), 2.5)
        return (count, 0.0) if index >= count else (int(index), smooth(share / 1.5))

    def values(t: float) -> np.ndarray:
        index, share = at(t)
        parts = []
        for side in ("left", "right"):
            (p0, q0), (p1, q1) = poses[side][index], poses[side][min(index + 1, count)]
            parts.append(np.concatenate([p0 + share * (p1 - p0), to_rotvec(slerp(q0, q1, share)), [0.0]]))
        return np.concatenate([*parts, np.zeros(3)])

    def hands(t: float) -> dict[str, np.ndarray] | None:
        resting = (t - LEAD) % 2.5 > 2.1 and LEAD < t < LEAD + 2.5 * count
        return {side: poses[side][at(t)[0] + 1][0] for side in poses} if resting else None

    return Script("ee", values), hands


def _walk(random: np.random.Generator, velocity: np.ndarray, seconds: float) -> Trial:
    arms = _random_arms(random, seconds + 4)
    seconds = round(seconds, 1)

    def values(t: float) -> np.ndarray:
        moving = LEAD + 0.05 < t < LEAD + seconds + 0.05
        return _joint_values(arms(t), velocity if moving else None)

    turned = velocity[2] * seconds
    goal = np.array([velocity[0] * seconds, velocity[1] * seconds, turned])
    return Trial(script=Script("joint", values), seconds=LEAD + seconds + 5, goal=goal)


def _primitive(name: str, seconds: float, goal: np.ndarray) -> Trial:
    index, stop = float(NAMES.index(name)), float(NAMES.index("stop"))
    script = Script("primitive", lambda t: np.array([index if LEAD < t <= LEAD + seconds else stop]), dt=0.02)
    return Trial(script=script, seconds=LEAD + seconds + 4, goal=goal)


STUDY = Study(
    name="body",
    title="The body under load",
    columns=(
        Column("sway_cm", "sway cm", "largest distance of the pelvis from its mean place"),
        Column("drift_cm", "drift cm", "distance of the pelvis from where it began, at the end"),
        Column("tilt_deg", "tilt deg", "largest lean of the pelvis"),
        Column("hand_mm", "hand mm", "mean distance of the hands from where they should rest, in the pelvis frame"),
        Column("place_cm", "place cm", "distance from where the robot should be after walking"),
        Column("heading_deg", "heading deg", "angle from where it should look after walking"),
    ),
    conditions={name: text for name, (text, _) in CONDITIONS.items()},
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100, help="trials of each condition (default 100)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", nargs="*", choices=list(CONDITIONS), help="only these conditions; nothing is written")
    parser.add_argument("--seed", type=int, default=1, help="the first seed (default 1)")
    arguments = parser.parse_args()
    names = arguments.only or list(CONDITIONS)
    jobs = [(name, arguments.seed + number) for name in names for number in range(arguments.trials)]
    rows = run_trials(partial(trial), jobs, workers=arguments.workers, label="trials")
    STUDY.report(
        rows,
        seed=arguments.seed,
        command=f"python -m volition.eval.body_study --trials {arguments.trials}",
        write=not arguments.only,
    )


if __name__ == "__main__":
    main()
