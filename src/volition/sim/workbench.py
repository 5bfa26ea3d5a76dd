"""From a Scene to MuJoCo: the room, the table with its wall, the things, the looks. `decorate(scene)` goes to a World."""

from __future__ import annotations

import mujoco
import numpy as np

from volition.sim.scene import Scene
from volition.sim.things import add
from volition.sim.world import Decorate, World
from volition.transforms.rotation import from_rotvec, multiply

EDGE = 0.23  # m, the table's near edge from where the robot stands by rights
WALL = 0.47  # m, the front of the wall behind the table: what buttons sit on
WIDE = 1.1  # m, half the table's width
_SLAB = 0.02  # m, half the table top's thickness
HELD = "held_pelvis"  # the weld of a fixed pelvis
_SOLID = {
    "contype": 2,
    "conaffinity": 1,
}  # meets the robot and loose things, not the moving parts of fixtures (contype 4)


def decorate(scene: Scene) -> Decorate:
    def build(spec: mujoco.MjSpec) -> None:
        _look(spec, scene)
        if scene.table is not None:
            _table(spec, scene, scene.table)
        for thing in scene.things:
            add(spec, thing)
        if scene.physics.fixed_pelvis:
            weld = spec.add_equality(
                name=HELD, type=mujoco.mjtEq.mjEQ_WELD, objtype=mujoco.mjtObj.mjOBJ_BODY, name1="pelvis", name2="world"
            )
            weld.active = False

    return build


def _table(spec: mujoco.MjSpec, scene: Scene, top: float) -> None:
    """A table on a column set back from the edge, so that the robot's legs have room, and a wall behind."""
    looks = scene.looks
    table = spec.worldbody.add_body(name="table", pos=[0, 0, 0])
    box = mujoco.mjtGeom.mjGEOM_BOX
    depth = (WALL - EDGE) / 2
    table.add_geom(
        name="table",
        type=box,
        size=[depth, WIDE, _SLAB],
        pos=[EDGE + depth, 0, top - _SLAB],
        rgba=[*looks.table, 1],
        friction=[0.8, 0.01, 0.001],
        **_SOLID,
    )
    table.add_geom(
        name="wall",
        type=box,
        size=[0.02, WIDE, (top + 0.42) / 2],
        pos=[WALL + 0.02, 0, (top + 0.42) / 2],
        rgba=[*looks.wall, 1],
        **_SOLID,
    )


def _look(spec: mujoco.MjSpec, scene: Scene) -> None:
    looks = scene.looks
    floor = spec.texture("floor")
    floor.rgb1, floor.rgb2 = looks.floor
    floor.markrgb = [0.85 * value for value in looks.floor[1]]
    sun = spec.light("sun")
    sun.dir = list(looks.light)
    tint = np.array([1.0 + looks.warmth, 1.0, 1.0 - looks.warmth]) * looks.brightness
    sun.diffuse = list(np.clip(np.array(sun.diffuse) * tint, 0, 1))
    head = spec.visual.headlight
    head.ambient = list(np.clip(np.array(head.ambient) * tint, 0, 1))
    for name, offset in looks.cameras.items():
        camera = spec.camera(name)
        camera.pos = list(np.array(camera.pos) + np.array(offset[:3]))
        camera.quat = list(multiply(from_rotvec(np.array(offset[3:])), np.array(camera.quat)))


def prepare(world: World, scene: Scene, ready: np.ndarray) -> None:
    """Put the robot where the scene starts it, with joints at `ready` (J,), and give it the scene's physics."""
    world.nominal()
    model, physics, start = world.model, scene.physics, scene.start
    model.geom("floor").friction[0] = physics.floor_friction
    if physics.link_masses:
        random = np.random.default_rng(physics.link_masses)
        robot = np.arange(model.nbody) >= world.pelvis
        things = [model.body(thing.name).id for thing in scene.things]
        robot[min([*things, model.nbody]) :] = False
        scale = np.where(robot, random.uniform(1 - physics.link_noise, 1 + physics.link_noise, model.nbody), 1.0)
        model.body_mass[:] *= scale
        model.body_inertia[:] *= scale[:, None]
    world.reset(start.position, start.heading)
    world.data.qpos[world.qpos] = ready
    if start.joints:
        random = np.random.default_rng(start.joints)
        low, high = np.array([joint.position for joint in world.robot.joints]).T
        off = random.uniform(-start.joint_noise, start.joint_noise, len(ready))
        world.data.qpos[world.qpos] = np.clip(ready + off, low, high)
    world.settle()
    if physics.fixed_pelvis:
        weld = model.equality(HELD)
        pelvis = world.data.body("pelvis")
        # data: anchor (3), relative pose of body 2 in body 1 (3 + 4), torque scale
        inverse = np.array([1, -1, -1, -1]) * pelvis.xquat
        rotation = np.empty(9)
        mujoco.mju_quat2Mat(rotation, inverse)
        weld.data[:11] = [0, 0, 0, *(-rotation.reshape(3, 3) @ pelvis.xpos), *inverse, 1]
        world.data.eq_active[weld.id] = 1
