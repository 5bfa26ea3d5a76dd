"""Obstacles, people, workspace: what is near slows, what is too near stops, and nothing is touched that the shield saw."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest
from safety_tools import DT, HIGH, HOME, LOW, ROBOT, broken_limits, command, state

from volition.errors import ContractError
from volition.robots.g1_assets import light_g1
from volition.safety import reasons
from volition.safety.carried import Carried
from volition.safety.collision import CollisionModel
from volition.safety.config import ShieldConfig, careful, workspace_of
from volition.safety.cover import Cover
from volition.safety.field import Field, Shapes
from volition.safety.guard import Guard
from volition.safety.obstacles import Obstacle, Obstacles, Surroundings, box, capsule, person, plane, sphere
from volition.safety.shield import Shield

FORWARD = np.array([0.6, 0.0, 0.0])


@pytest.fixture(scope="module")
def model() -> CollisionModel:
    return CollisionModel(ROBOT, light_g1())


def around(*shapes: Obstacle, stamp: float = 0.0, frame="pelvis", lasting: bool = True) -> Obstacles:
    return Obstacles(stamp=stamp, shapes=shapes, frame=frame, lasting=lasting)


def field(*shapes: Obstacle) -> Field:
    return Field(Shapes(around(*shapes), ShieldConfig()), state(), 0.0)


@pytest.mark.parametrize(
    ("shape", "point", "distance"),
    [
        (sphere("", (0.0, 0, 0), 0.2), (1.0, 0, 0), 0.8),
        (sphere("", (0.0, 0, 0), 0.2), (0.1, 0, 0), -0.1),
        (box("", (0.0, 0, 0), (2.0, 2, 2)), (3.0, 0, 0), 2.0),
        (box("", (0.0, 0, 0), (2.0, 2, 2)), (0.0, 0, 0.7), -0.3),
        (box("", (0.0, 0, 0), (2.0, 2, 2), quaternion=(0.9238795, 0, 0, 0.3826834)), (2.0, 0, 0), 2 - 2**0.5),
        (capsule("", (0.0, 0, 0), (1.0, 0, 0), 0.1), (0.5, 0.5, 0), 0.4),
        (capsule("", (0.0, 0, 0), (1.0, 0, 0), 0.1), (1.3, 0.4, 0), 0.4),
        (plane("", (0.0, 0, 0.5), (0, 0, 1)), (0.2, 3, 0.9), 0.4),
        (plane("", (0.0, 0, 0), (-1, 0, 0)), (0.4, 0, 0), -0.4),
    ],
)
def test_distances_are_those_of_the_shapes(shape, point, distance):
    assert field(shape).distance(np.array([point], dtype=float).T)[0, 0] == pytest.approx(distance, abs=1e-6)


def test_the_world_frame_follows_the_robot():
    turned = replace(
        state(), base_position=np.array([1.0, 2.0, 0.8]), base_quaternion=np.array([0.70710678, 0, 0, 0.70710678])
    )
    ahead = around(sphere("", (1.0, 3.0, 0.8), 0.1), frame="world")  # one metre in front of a robot that looks along y
    assert Field(Shapes(ahead, ShieldConfig()), turned, 0.0).distance(np.array([[1.0, 0, 0]]).T)[0, 0] == pytest.approx(
        -0.1
    )


def test_a_moving_obstacle_is_expected_on_its_way():
    coming = around(sphere("", (1.0, 0, 0), 0.1, velocity=(-1.0, 0, 0)), stamp=2.0, lasting=False)
    seen = Field(Shapes(coming, ShieldConfig()), state(now=2.1), 2.1)
    assert seen.distance(np.zeros((3, 1))).min() == pytest.approx(1.0 - 0.1 - 0.1 - 0.4)


def test_the_balls_cover_the_arms(model):
    """No vertex of an arm's collision geometry lies outside, and the cover is not much larger."""
    cover, (mj, data) = Cover(model), model.compiled
    balls = Carried(model, cover.parts())
    rng = np.random.default_rng(0)
    out = []
    for _ in range(5):
        posture = ROBOT.home_position.copy()
        posture[ROBOT.commanded_index] = rng.uniform(LOW, HIGH)
        model.place(posture)
        balls.note(0)
        centres = balls.places(1)[0].T + data.xpos[1]
        for geom in range(mj.ngeom):
            if not model.body_sides[mj.geom_bodyid[geom]] or mj.geom_type[geom] != mujoco.mjtGeom.mjGEOM_MESH:
                continue
            mesh = mj.geom_dataid[geom]
            first, count = mj.mesh_vertadr[mesh], mj.mesh_vertnum[mesh]
            points = mj.mesh_vert[first : first + count] @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom]
            away = np.linalg.norm(points[:, None] - centres[None], axis=2) - cover.radius
            out.append(away.min(axis=1).max())
    assert max(out) < 1e-6
    assert cover.radius.max() < 0.07


class Replay:
    """The robot does exactly what is sent."""

    def __init__(self, model, config=None):
        self.shield = Shield(ROBOT, config=config, collision=model)
        self.posture, self.now = ROBOT.home_position.copy(), 0.0
        self.memory = self.shield.start(state())
        self.sent, self.bases, self.events, self.gaps = [HOME] * 3, [np.zeros(3)] * 3, [], []

    def go(self, wanted, ticks, obstacles, base=(0, 0, 0)):
        for _ in range(ticks):
            seen = obstacles(self.now) if callable(obstacles) else obstacles
            measured = state(self.posture, self.now)
            made = command(wanted, self.now, base)
            sent, self.memory, found = self.shield.limit(made, measured, self.memory, self.now, around=seen)
            self.posture = self.posture.copy()
            self.posture[ROBOT.commanded_index] = sent.position
            self.now += DT
            self.sent.append(sent.position)
            self.bases.append(sent.base_velocity)
            self.events.extend(found)
            self.gaps.append(self.gap(seen))

    def gap(self, seen):
        if not seen.shapes:
            return np.inf
        survey = self.shield._foresight.survey
        survey.collision.place(self.posture)
        survey.carried.note(0)
        centres = survey.carried.places(1)[0, :, : len(survey.cover.radius)]
        still = [replace(shape, velocity=(0.0, 0.0, 0.0)) for shape in seen.shapes]
        there = Field(
            Shapes(replace(seen, shapes=tuple(still)), self.shield.config), state(self.posture, self.now), self.now
        )
        return float((there.distance(centres) - survey.cover.radius).min())

    def reasons(self):
        return {event.reason for event in self.events}


def reach() -> np.ndarray:
    """Both arms straight ahead."""
    wanted = HOME.copy()
    for at, joint in enumerate(ROBOT.commanded):
        if joint.name.endswith("shoulder_pitch_joint"):
            wanted[at] = -1.3
        if joint.name.endswith("elbow_joint"):
            wanted[at] = 1.2
    return wanted


WALL = box("wall", (0.62, 0.0, 0.3), (0.2, 3.0, 2.0))


def test_the_arms_slow_and_stop_before_a_wall_and_may_leave(model):
    free, stopped = Replay(model), Replay(model)
    free.go(reach(), 100, around())
    assert free.gap(around(WALL)) < -0.05, "without the wall the hands go through where it is"
    stopped.go(reach(), 200, around(WALL))
    assert min(stopped.gaps) >= stopped.shield.config.thing_margin - 1e-4
    assert {reasons.OBSTACLE, reasons.NEAR} <= stopped.reasons()
    assert any(event.where == "left_arm/wall" for event in stopped.events)
    assert (stopped.sent[-1] == stopped.sent[-30]).all()
    stopped.go(HOME, 300, around(WALL))
    assert np.abs(stopped.sent[-1] - HOME).max() < 1e-6
    assert broken_limits(np.array(stopped.sent), np.zeros((2, 3))) == []


def test_the_nearer_the_slower(model):
    far, near = Replay(model), Replay(model)
    far.go(reach(), 12, around(WALL))
    near.go(reach(), 12, around(replace(WALL, centre=(0.50, 0.0, 0.3))))
    assert np.abs(near.sent[-1] - HOME).max() < 0.7 * np.abs(far.sent[-1] - HOME).max()


def test_moving_obstacles_are_not_driven_into(model):
    """A pole comes and goes where the hands reach. It may come to a resting arm, but no arm moves into it."""

    def pole(now: float) -> Obstacles:
        x, speed = 0.50 + 0.05 * np.sin(0.8 * now), 0.04 * np.cos(0.8 * now)
        return around(
            capsule("pole", (x, 0.15, -0.5), (x, 0.15, 1.0), 0.06, velocity=(speed, 0.0, 0.0)), stamp=now, lasting=False
        )

    def driven_into(shielded: bool) -> int:
        replay, count = Replay(model), 0
        for tick in range(200):
            before = replay.posture
            replay.go(reach() if tick % 100 < 60 else HOME, 1, pole if shielded else around())
            here, now = pole(replay.now), replay.posture
            gap = replay.gap(here)
            replay.posture = before
            count += gap < 0 and gap < replay.gap(here) - 1e-4
            replay.posture = now
        assert broken_limits(np.array(replay.sent), np.zeros((2, 3))) == []
        return count

    assert driven_into(shielded=True) == 0
    assert driven_into(shielded=False) > 5


def test_the_base_stops_before_a_wall_and_may_leave(model):
    """The base moves as it is sent, with the walking robot's own delay of half a second."""
    shield = Shield(ROBOT, collision=model)
    memory, ahead, speed, now = shield.start(state()), 2.0, 0.0, 0.0
    lag, events = [np.zeros(3)] * 25, []
    for tick in range(600):
        wanted = FORWARD if tick < 400 else -FORWARD
        seen = around(plane("wall", (ahead, 0.0, 0.0), (-1.0, 0.0, 0.0)))
        made = command(HOME, now, wanted)
        sent, memory, found = shield.limit(made, state(now=now), memory, now, around=seen)
        lag.append(sent.base_velocity)
        speed = float(lag[-25][0])
        ahead -= speed * DT
        now += DT
        events += found
        assert ahead > 0.3, "the body's girth"
        if tick == 399:
            assert ahead < 0.6, "it goes near"
            assert abs(speed) < 0.02
    assert ahead > 0.8, "it may leave"
    assert reasons.OBSTACLE in {event.reason for event in events}


@pytest.mark.parametrize(("away", "share"), [(1.0, 0.2), (1.6, 0.6), (4.0, 1.0)])
def test_near_people_the_base_is_slow(model, away, share):
    shield = Shield(ROBOT, collision=model)
    memory, now = shield.start(state()), 0.0
    seen = around(person("somebody", (0.0, away)), frame="world")
    events = []
    for _ in range(60):
        made = command(HOME, now, (0.6, 0.0, 0.0))
        sent, memory, found = shield.limit(made, state(now=now), memory, now, around=seen)
        events += found
        now += DT
    assert sent.base_velocity[0] <= share * 0.6 + 1e-9
    assert sent.base_velocity[0] > 0.05, "past a person, slowly"
    assert (reasons.PERSON in {event.reason for event in events}) == (share < 1)


def test_old_news_of_the_surroundings_is_a_fault(model):
    guard = Guard(Shield(ROBOT, collision=model), surroundings=Surroundings())
    guard.start(state(), 0.0)
    guard.apply(command(HOME, 5.0), state(now=5.0), 5.0)
    assert not guard.holding, "until somebody tells of obstacles there are none"
    guard.surroundings.update(around(WALL, stamp=5.0, lasting=False))
    guard.apply(command(HOME, 5.2), state(now=5.2), 5.2)
    assert not guard.holding
    guard.apply(command(HOME, 5.8), state(now=5.8), 5.8)
    assert guard.status == "HOLD: surroundings"


def test_obstacles_without_a_model_of_the_robot_are_a_fault():
    shield = Shield(ROBOT)
    _, memory, found = shield.limit(command(HOME), state(), shield.start(state()), 0.0, around=around(WALL))
    assert memory.fault == found[0].reason == reasons.SURROUNDINGS


def test_a_hand_stays_in_its_workspace(model):
    spec = workspace_of(ROBOT)
    small = {side: (low, (0.38, high[1], high[2])) for side, (low, high) in spec.items()}
    replay = Replay(model, ShieldConfig(workspace=small))
    replay.go(reach(), 150, around())
    survey = replay.shield._foresight.survey
    room, _ = survey.rooms(replay.posture[None], survey.begin(state(), replay.posture, None, 0.0))
    assert 0 <= room[reasons.WORKSPACE, 0, 0] < 0.05
    assert reasons.WORKSPACE in replay.reasons()
    replay.go(HOME, 150, around())
    assert (replay.sent[-1] == HOME).all()


def test_wrong_numbers_are_refused():
    with pytest.raises(ContractError, match="thing_slow"):
        ShieldConfig(thing_margin=0.5)
    with pytest.raises(ContractError, match="low below high"):
        ShieldConfig(workspace={"left": ((0.0, 0, 0), (0.0, 1, 1))})
    with pytest.raises(ContractError, match="CollisionModel"):
        Shield(ROBOT, config=careful(ROBOT))
    with pytest.raises(ContractError, match="not finite"):
        sphere("ball", (np.nan, 0, 0), 0.1)
    with pytest.raises(ContractError, match="frame"):
        Obstacles(stamp=0.0, frame="table")  # type: ignore[arg-type]
