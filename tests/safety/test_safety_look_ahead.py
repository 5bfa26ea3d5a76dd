"""What the look-ahead leaves out to be quick: nothing that could have mattered; and its products are what they stand for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from safety_tools import DT, HIGH, HOME, LOW, ROBOT, command, state

from volition.robots.g1_assets import GRASP_CENTRE, light_g1
from volition.safety import reasons
from volition.safety.carried import Carried, Part
from volition.safety.collision import REACH, SIDES, CollisionModel
from volition.safety.config import ShieldConfig, careful
from volition.safety.frames import matrix
from volition.safety.obstacles import Obstacles, box, capsule
from volition.safety.shield import Shield
from volition.safety.survey import Survey
from volition.transforms.rotation import normalize, rotate

BOTH = frozenset(SIDES)
AROUND = Obstacles(
    stamp=0.0,
    shapes=(
        box("table", (0.55, 0.0, -0.02), (0.5, 1.2, 0.04)),
        capsule("pole", (0.45, 0.45, -0.8), (0.45, 0.45, 0.8), 0.04, velocity=(0.0, 0.1, 0.0)),
    ),
    frame="pelvis",
    lasting=True,
)


@pytest.fixture(scope="module")
def model() -> CollisionModel:
    return CollisionModel(ROBOT, light_g1())


def posture(commanded: np.ndarray) -> np.ndarray:
    found = ROBOT.home_position.copy()
    found[ROBOT.commanded_index] = commanded
    return found


def postures(count: int, share: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.array([posture(HOME + share * (rng.uniform(LOW, HIGH) - HOME)) for _ in range(count)])


def test_the_matrix_turns_as_the_quaternion_does():
    rng = np.random.default_rng(0)
    for quaternion in normalize(rng.normal(size=(20, 4))):
        vector = rng.normal(size=3)
        assert matrix(quaternion) @ vector == pytest.approx(rotate(quaternion, vector), abs=1e-12)


def test_carried_points_are_where_the_bodies_take_them(model):
    mj, data = model.compiled
    hands = [mj.body(f"{side}_wrist_yaw_link").id for side in SIDES]
    parts = [Part(column=at, body=hands[at], offset=np.array(GRASP_CENTRE[side])) for at, side in enumerate(SIDES)]
    parts += [Part(column=2, body=body, offset=mj.body_ipos[body], share=mj.body_mass[body]) for body in hands]
    carried, expected = Carried(model, parts), []
    for number, one in enumerate(postures(12)):  # more than there is room for at first
        model.place(one)
        carried.note(number)
        grasps = [data.xpos[body] + data.xmat[body].reshape(3, 3) @ parts[at].offset for at, body in enumerate(hands)]
        mass = sum(mj.body_mass[body] * (data.xipos[body] - data.xpos[1]) for body in hands)
        expected.append([*(grasp - data.xpos[1] for grasp in grasps), mass])
    assert carried.places(12) == pytest.approx(np.array(expected).swapaxes(1, 2), abs=1e-12)


def test_nothing_goes_farther_than_its_levers_say(model):
    survey = Survey(ROBOT, model, careful(ROBOT))
    levers, seen = survey.carried.levers(ROBOT), postures(60)
    for number, one in enumerate(seen):
        model.place(one)
        survey.carried.note(number)
    places = survey.carried.places(len(seen))
    turned = np.abs(np.diff(seen[:, ROBOT.commanded_index], axis=0))
    moved = np.linalg.norm(np.diff(places, axis=0), axis=1)
    assert (moved <= turned @ levers + 1e-9).all()
    one = np.zeros(len(HOME))
    one[0] = 0.5
    model.place(posture(HOME))
    survey.carried.note(0)
    model.place(posture(HOME + one))
    survey.carried.note(1)
    before, after = survey.carried.places(2)
    assert np.linalg.norm(after - before, axis=0).max() > 0.2 * (one @ levers).max(), "nor is the bound idle"


def test_an_arm_that_is_not_asked_for_is_left_out(model):
    for one in postures(40):
        everything = model.near(one)
        for sides in (BOTH, frozenset(["left"]), frozenset(["right"])):
            wanted = {pair: room for pair, room in everything.items() if model.sides(pair) & sides}
            assert model.near(one, sides=sides) == wanted
        close = {pair: room for pair, room in everything.items() if room < 0.01}
        assert model.near(one, 0.01) == close


def test_arms_that_do_not_cross_are_not_near_each_other(model):
    survey = Survey(ROBOT, model, ShieldConfig())
    seen = postures(300, share=0.5)
    near = set(survey.rooms(seen, survey.begin(state(), seen[0], None, 0.0), 0.005, known=len(seen))[1])
    assert 5 < len(near) < 280
    for number, one in enumerate(seen):
        pairs = [pair for pair, room in model.near(one).items() if room < 0.015 and model.sides(pair) == BOTH]
        assert number in near or not pairs


def test_several_postures_at_once_are_the_least_of_each(model):
    survey = Survey(ROBOT, model, careful(ROBOT))
    seen = postures(6, share=0.6)
    scene = survey.begin(state(), posture(HOME), AROUND, 0.0)
    survey.narrow(scene, 9.0, np.full(len(HOME), 9.0))
    singles = [survey.rooms(one[None], scene)[0] for one in seen]
    together = survey.rooms(seen, scene)[0]
    assert {key[0] for key in together} == {reasons.OBSTACLE, reasons.WORKSPACE, reasons.BALANCE}
    assert together == {key: pytest.approx(min(one[key] for one in singles), abs=1e-9) for key in together}
    low = survey.rooms(seen, scene, 0.05)[0]
    assert low == {key: room for key, room in together.items() if room < 0.05}
    assert low != together


def test_what_a_tick_does_not_look_at_has_room_in_all_postures_of_it(model):
    survey = Survey(ROBOT, model, careful(ROBOT))
    rng, left_out = np.random.default_rng(2), 0
    for _ in range(40):
        here = HOME + rng.uniform(0, 0.6) * (rng.uniform(LOW, HIGH) - HOME)
        ways = np.array([posture(here + rng.uniform(0, 0.15) * (rng.uniform(LOW, HIGH) - here)) for _ in range(4)])
        turns = np.abs(ways[:, ROBOT.commanded_index] - here).max(axis=0)
        whole, narrow = (survey.begin(state(), posture(here), AROUND, 0.0) for _ in range(2))
        survey.narrow(whole, 9.0, np.full(len(HOME), 9.0))
        survey.narrow(narrow, float(turns @ model.levers[ROBOT.commanded_index]), turns)
        everything, looked = survey.rooms(ways, whole)[0], survey.rooms(ways, narrow)[0]
        for key in everything.keys() - looked.keys():
            left_out += 1
            assert everything[key] >= survey.config.collision_release
    assert left_out > 20


def test_a_side_that_is_held_is_named_with_what_holds_it(model):
    """Once an arm is refused it is not asked what else it would meet; but there is always one thing, and its side."""
    shield, rng = Shield(ROBOT, config=careful(ROBOT), collision=model), np.random.default_rng(3)
    memory, at, held, wanted = shield.start(state()), ROBOT.home_position, 0, HOME
    ahead = (reasons.SELF_COLLISION, reasons.OBSTACLE, reasons.WORKSPACE, reasons.BALANCE)
    for tick in range(150):
        wanted = rng.uniform(LOW, HIGH) if tick % 25 == 0 else wanted
        now = tick * DT
        _, memory, found = shield.limit(
            command(wanted, now), replace(state(at, now), stamp=now), memory, now, around=AROUND
        )
        at = posture(memory.motion.position)
        told = " ".join(event.where for event in found if event.reason in ahead)
        for side in memory.held:
            held += 1
            assert side in told or "centre_of_mass" in told, (tick, side, told)
    assert held > 20
    assert shield.config.collision_margin + shield.config.collision_release < REACH
