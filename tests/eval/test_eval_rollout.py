"""Closed loop: policy, executor, body, shield and robot in physics, with what can go wrong put into it."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from volition.eval.script import Script, ScriptPolicy
from volition.robots.primitives import NAMES
from volition.transforms.rotation import tilt, wrap, yaw
from volition.types import ActionChunk

SEEDS = [0, 1, 2]


@pytest.fixture
def start(shared_scene):
    """The scene of a seed, after a second of standing: falling onto its own feet shifts the pelvis by 3 cm."""

    def begin(seed: int = 0):
        shared_scene.world.push(np.zeros(3))
        shared_scene.restart(seed)
        shared_scene.clock.sleep_until(1.0)
        return shared_scene

    return begin


class Watch:
    """What the robot did, tick by tick; `each` may meddle."""

    def __init__(self, scene, each=None) -> None:
        self.scene, self.each = scene, each
        self.begin = scene.robot.read()
        self.states, self.shield = [], []

    def __call__(self, tick) -> None:
        self.states.append(tick.state)
        self.shield.append(tick.shield)
        if self.each is not None:
            self.each(tick)

    def stand_on(self, seconds: float) -> None:
        """Let time pass without a loop: the watchdog and the balance controller are alone with the robot."""
        until = self.scene.clock.now() + seconds
        while self.scene.clock.now() < until - 1e-6:
            self.scene.clock.sleep_until(self.scene.clock.now() + 0.02)
            self.states.append(self.scene.robot.read())

    @property
    def fell(self) -> bool:
        states = [*self.states, self.scene.robot.read()]
        return any(state.base_position[2] < 0.6 or tilt(state.base_quaternion) > 0.6 for state in states)

    @property
    def moved(self) -> np.ndarray:
        """Forward m, left m, turned rad since the beginning, in the beginning's frame."""
        end, heading = self.scene.robot.read(), float(yaw(self.begin.base_quaternion))
        x, y = end.base_position[:2] - self.begin.base_position[:2]
        cosine, sine = math.cos(heading), math.sin(heading)
        turned = float(wrap(float(yaw(end.base_quaternion)) - heading))
        return np.array([cosine * x + sine * y, -sine * x + cosine * y, turned])

    def still(self, seconds: float = 1.0) -> bool:
        """Whether the pelvis has stayed within 8 cm lately."""
        places = np.array([state.base_position[:2] for state in self.states[-round(seconds * 50) :]])
        return float(np.ptp(places, axis=0).max()) < 0.08


def walking(spec, *, forward: float = 0.0):
    """A scripted policy: walks forward by the primitive, or stands."""
    index = float(NAMES.index("move_forward" if forward else "stop"))
    return ScriptPolicy(spec, Script("primitive", lambda t: np.array([index]), dt=0.02))


class Breaks:
    """A policy that is right until some time and then does what `how` says."""

    def __init__(self, inner, at: float, how) -> None:
        self._inner, self._at, self._how = inner, at, how

    @property
    def action_spec(self):
        return self._inner.action_spec

    def reset(self, instruction: str) -> None:
        self._inner.reset(instruction)

    def infer(self, observation) -> ActionChunk:
        chunk = self._inner.infer(observation)
        return chunk if observation.stamp < self._at else self._how(chunk)


def test_a_short_run_ends_with_its_reason(rig, start):
    scene = start()
    watch = Watch(scene)
    summary = rig.rollout(scene, walking(rig.spec), "stand", limit_s=0.6, on_tick=watch)
    assert (summary.status, summary.stops, summary.refused, summary.errors) == ("time", 0, 0, 0)
    assert summary.duration_s == pytest.approx(0.6, abs=0.03)
    assert len(watch.states) == summary.ticks
    assert not watch.fell
    scene = start()
    summary = rig.rollout(scene, walking(rig.spec), "stand", limit_s=5, until=lambda state: state.stamp > 1.3)
    assert summary.status == "reached"
    assert summary.duration_s == pytest.approx(0.32, abs=0.03)


def test_the_same_seed_and_a_fixed_latency_give_the_same_run(rig, start):
    ends = []
    for _ in range(2):
        scene = start(3)
        rig.rollout(scene, walking(rig.spec, forward=0.5), "walk", limit_s=1.0, latency_s=0.03)
        ends.append(scene.world.data.qpos.copy())
    assert np.array_equal(*ends)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("said", "goal"),
    [
        ("walk forward one metre", (1.0, 0.0, 0.0)),
        ("walk back one metre", (-1.0, 0.0, 0.0)),
        ("turn left 90 degrees", (0.0, 0.0, math.pi / 2)),
        ("turn right 90 degrees", (0.0, 0.0, -math.pi / 2)),
        ("sidestep half a metre to the left", (0.0, 0.5, 0.0)),
    ],
)
def test_what_is_said_in_metres_and_degrees_is_done(rig, start, language, said, goal, seed):
    scene = start(seed)
    watch = Watch(scene)
    summary = rig.rollout(scene, language, said, limit_s=15, on_tick=watch)
    assert summary.status == "done"
    assert summary.stops == 0
    watch.stand_on(2.0)
    assert not watch.fell
    assert np.linalg.norm(watch.moved[:2] - goal[:2]) < 0.10
    assert abs(float(wrap(watch.moved[2] - goal[2]))) < math.radians(5)
    assert watch.still()


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_an_arm_is_raised_and_stays_up_on_the_way_back(rig, start, language, seed):
    scene = start(seed)
    data = scene.world.data
    heights = []

    def measure(tick) -> None:
        heights.append(data.site("left_grasp").xpos[2] - data.body("left_shoulder_pitch_link").xpos[2])

    watch = Watch(scene, measure)
    summary = rig.rollout(scene, language, "raise your left arm, then take two steps back", limit_s=15, on_tick=watch)
    assert (summary.status, summary.stops) == ("done", 0)
    assert not watch.fell
    assert min(heights[100:]) > 0.1  # from 2 s on, while it walks too
    assert heights[-1] > 0.2
    assert data.site("right_grasp").xpos[2] < data.body("right_shoulder_pitch_link").xpos[2]
    assert watch.moved[0] == pytest.approx(-0.5, abs=0.1)
    assert watch.moved[1] == pytest.approx(0.0, abs=0.1)


@pytest.mark.slow
def test_several_instructions_follow_each_other_in_one_world(rig, start, language):
    scene, guard = start(1), rig.guard()
    for said in ("wave hello", "turn left 90 degrees", "take two steps forward"):
        watch = Watch(scene)
        assert rig.rollout(scene, language, said, limit_s=15, guard=guard, on_tick=watch).status == "done"
        assert not watch.fell
    assert guard.faults() == 0
    assert watch.moved[0] == pytest.approx(0.5, abs=0.1)


def nothing(chunk):
    raise RuntimeError("out of memory")


WRONG = {
    "nan": lambda chunk: dataclasses.replace(chunk, values=np.full_like(chunk.values, np.nan)),
    "one nan": lambda chunk: dataclasses.replace(
        chunk, values=np.where(np.arange(50)[:, None] == 20, np.nan, chunk.values)
    ),
    "unknown id": lambda chunk: dataclasses.replace(chunk, values=np.full_like(chunk.values, 10.0)),
    "other space": lambda chunk: dataclasses.replace(chunk, spec="dance"),
    "other width": lambda chunk: dataclasses.replace(chunk, values=np.zeros((50, 2))),
    "old stamp": lambda chunk: dataclasses.replace(chunk, stamp=0.5),
    "future stamp": lambda chunk: dataclasses.replace(chunk, stamp=chunk.stamp + 5),
    "not a chunk": lambda chunk: None,
    "raises": nothing,
}


@pytest.mark.slow
@pytest.mark.parametrize("how", list(WRONG))
def test_a_policy_that_goes_wrong_while_walking_is_held_and_the_robot_stands(rig, start, how):
    scene = start(2)
    guard, watch = rig.guard(), Watch(scene)
    policy = Breaks(walking(rig.spec, forward=0.5), 3.0, WRONG[how])
    summary = rig.rollout(scene, policy, "walk", limit_s=5.0, guard=guard, on_tick=watch)
    assert summary.status == "time"
    assert summary.refused + summary.errors > 10
    assert any(status.startswith("HOLD") for status in watch.shield), set(watch.shield)
    assert not any(status.startswith("HOLD") for status in watch.shield[: round(1.9 * 50)])
    watch.stand_on(3.0)
    assert not watch.fell
    assert 0.4 < watch.moved[0] < 2.2  # it walked for 2 s, and stopped
    assert watch.still()


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_the_emergency_stop_while_walking(rig, start, seed):
    scene, guard = start(seed), rig.guard()
    places = []

    def press(tick) -> None:
        if tick.stamp >= 3.0 and not guard.estop.pressed:
            guard.estop.press("test")
            places.append(tick.state.base_position[:2])

    watch = Watch(scene, press)
    summary = rig.rollout(scene, walking(rig.spec, forward=0.5), "walk", limit_s=10, guard=guard, on_tick=watch)
    assert summary.status == "stopped"
    assert summary.duration_s < 2.2
    assert guard.holding
    watch.stand_on(3.0)
    assert not watch.fell
    assert np.linalg.norm(scene.robot.read().base_position[:2] - places[0]) < 0.5
    assert watch.still()


@pytest.mark.slow
def test_a_pressed_emergency_stop_lets_nothing_begin(rig, start):
    scene, guard = start(), rig.guard()
    guard.estop.press("before")
    watch = Watch(scene)
    summary = rig.rollout(scene, walking(rig.spec, forward=0.5), "walk", limit_s=3, guard=guard, on_tick=watch)
    assert summary.status == "stopped"
    watch.stand_on(1.0)
    assert np.linalg.norm(watch.moved[:2]) < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("latency_s", [0.3, 1.0, 30.0])
def test_a_late_policy_does_not_make_the_robot_fall(rig, start, latency_s):
    scene = start(1)
    watch = Watch(scene)
    summary = rig.rollout(
        scene, walking(rig.spec, forward=0.5), "walk", limit_s=5.0, latency_s=latency_s, on_tick=watch
    )
    assert summary.status == "time"
    watch.stand_on(3.0)
    assert not watch.fell
    assert -0.2 < watch.moved[0] < 2.6
    assert watch.still()


@pytest.mark.slow
@pytest.mark.parametrize("forward", [0.0, 0.5], ids=["standing", "walking"])
@pytest.mark.parametrize("direction", [(1, 0), (-1, 0), (0, 1), (0, -1)], ids=["ahead", "behind", "left", "right"])
def test_pushes_of_40_newtons_do_not_make_the_robot_fall(rig, start, direction, forward):
    scene = start(1)
    heading = float(yaw(scene.robot.read().base_quaternion))
    x, y = direction
    force = 40.0 * np.array(
        [math.cos(heading) * x - math.sin(heading) * y, math.sin(heading) * x + math.cos(heading) * y, 0]
    )

    def push(tick) -> None:
        on = any(begin <= tick.stamp < begin + 0.2 for begin in (2.0, 3.3, 4.6))
        scene.world.push(force if on else np.zeros(3))

    watch = Watch(scene, push)
    summary = rig.rollout(scene, walking(rig.spec, forward=forward), "", limit_s=6.0, on_tick=watch)
    assert summary.stops == 0
    scene.world.push(np.zeros(3))
    watch.stand_on(2.0)
    assert not watch.fell
