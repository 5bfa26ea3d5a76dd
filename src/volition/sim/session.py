"""A simulated G1 ready to be run: world, robot, clock and cameras put together from a spec, a scene and a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from volition.sim.render import Renderer
from volition.sim.robot import SimClock, SimRobot
from volition.sim.world import Decorate, World
from volition.types import RobotSpec

VIEW = "view"  # the free third-person view


@dataclass(frozen=True, kw_only=True)
class Session:
    world: World
    robot: SimRobot
    clock: SimClock
    renderer: Renderer | None


def session(
    spec: RobotSpec,
    *,
    scene: Decorate | None = None,
    seed: int = 0,
    cameras: bool = False,
    view: tuple[int, int] | None = None,
    shadows: bool = False,
) -> Session:
    """Seed 0 is the nominal robot; any other varies heading, joint angles at the start, floor friction and masses a little."""
    world = World(spec, scene)
    _vary(world, seed)
    renderer = None
    if cameras or view:
        sizes = {camera.name: (camera.height, camera.width) for camera in spec.cameras}
        if view:
            sizes[VIEW] = view
        renderer = Renderer(world.model, world.data, sizes=sizes, shadows=shadows)
    robot = SimRobot(world, renderer=renderer if cameras else None)
    return Session(world=world, robot=robot, clock=SimClock(robot, world), renderer=renderer)


def _vary(world: World, seed: int) -> None:
    """Floor friction 0.6 to 1.2, link masses within 3 %, any heading, joints off by up to 0.03 rad."""
    if seed == 0:
        return
    random = np.random.default_rng(seed)
    model, data = world.model, world.data
    model.geom("floor").friction[0] = random.uniform(0.6, 1.2)
    scale = random.uniform(0.97, 1.03, size=model.nbody)
    model.body_mass[:] *= scale
    model.body_inertia[:] *= scale[:, None]
    world.reset(heading=random.uniform(-np.pi, np.pi))
    data.qpos[world.qpos] += random.uniform(-0.03, 0.03, size=len(world.qpos))
    low, high = np.array([joint.position for joint in world.robot.joints]).T
    data.qpos[world.qpos] = np.clip(data.qpos[world.qpos], low, high)
    world.settle()
