"""A simulated G1 ready to be run: world, robot, clock and cameras put together from a spec, a scene and a seed."""

from __future__ import annotations

from dataclasses import dataclass

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

    def restart(self, seed: int) -> None:
        """Time zero again, with another seed, without building the world anew."""
        self.world.vary(seed)
        self.robot.reset()


def session(
    spec: RobotSpec,
    *,
    scene: Decorate | None = None,
    seed: int = 0,
    cameras: bool = False,
    view: tuple[int, int] | None = None,
    shadows: bool = False,
) -> Session:
    """`view` is the size (height, width) of the free view; the seed varies the start as `World.vary` says."""
    world = World(spec, scene)
    world.vary(seed)
    renderer = None
    if cameras or view:
        sizes = {camera.name: (camera.height, camera.width) for camera in spec.cameras}
        if view:
            sizes[VIEW] = view
        renderer = Renderer(world.model, world.data, sizes=sizes, shadows=shadows)
    robot = SimRobot(world, renderer=renderer if cameras else None)
    return Session(world=world, robot=robot, clock=SimClock(robot, world), renderer=renderer)
