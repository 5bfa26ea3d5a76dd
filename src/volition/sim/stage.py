"""A Scene brought to life: world, robot, clock and cameras, and the truth about its things for referees and experts."""

from __future__ import annotations

import functools

import mujoco
import numpy as np

from volition.body.arms import Arms
from volition.robots.g1 import g1
from volition.sim.contacts import Contacts
from volition.sim.render import Renderer
from volition.sim.robot import SimClock, SimRobot
from volition.sim.scene import Scene
from volition.sim.session import VIEW, Session
from volition.sim.stains import Stains
from volition.sim.workbench import decorate, prepare
from volition.sim.world import World
from volition.transforms.rotation import IDENTITY, rotate_inverse, tilt
from volition.types import RobotSpec, RobotState

SIDES = ("left", "right")
FALLEN = 0.5  # m: the pelvis this low, or ...
TILTED = 0.8  # rad: ... leaning this far
# Where the hands wait, in the pelvis frame: above the table, clear of what stands on it.
READY = {"left": np.array([0.20, 0.20, 0.28]), "right": np.array([0.20, -0.20, 0.28])}


class Stage:
    """Build one a scene; a build takes about 50 ms, and 0.2 s with cameras."""

    def __init__(
        self,
        scene: Scene,
        robot: RobotSpec,
        *,
        cameras: bool = False,
        view: tuple[int, int] | None = None,
        shadows: bool = False,
    ) -> None:
        self.scene, self.spec = scene, robot
        self.world = World(robot, decorate(scene))
        prepare(self.world, scene, ready_posture(robot))
        sizes = {camera.name: (camera.height, camera.width) for camera in robot.cameras} if cameras else {}
        if view:
            sizes[VIEW] = view
        renderer = Renderer(self.world.model, self.world.data, sizes=sizes, shadows=shadows) if sizes else None
        self._contacts = Contacts(self.world.model, self.world.data)
        self.stains = Stains(scene, self.world.model, self.world.data, self._contacts.between)
        after = self.stains.update if self.stains.any else None
        sim = SimRobot(self.world, renderer=renderer if cameras else None, after=after)
        self.session = Session(world=self.world, robot=sim, clock=SimClock(sim, self.world), renderer=renderer)
        sim.advance(self.world.time + scene.start.stood_s)

    def close(self) -> None:
        """Free the pictures' memory now rather than when Python gets to it."""
        if self.session.renderer is not None:
            self.session.renderer.close()

    @property
    def time(self) -> float:
        return self.world.time

    def position(self, name: str) -> np.ndarray:
        """Of a thing's body: its foot; for the moving part of a button or drawer see `travel`."""
        return self.world.data.body(name).xpos.copy()

    def quaternion(self, name: str) -> np.ndarray:
        return self.world.data.body(name).xquat.copy()

    def speed(self, name: str) -> float:
        """m/s, of a loose thing."""
        return float(np.linalg.norm(self.world.data.joint(name).qvel[:3]))

    def travel(self, name: str) -> float:
        """How far a button is pressed or a drawer is open, m."""
        return float(self.world.data.joint(name).qpos[0])

    def upright(self, name: str) -> float:
        """How far a thing's axis leans from the vertical, rad."""
        return float(tilt(self.quaternion(name)))

    def hand(self, side: str) -> tuple[np.ndarray, np.ndarray]:
        """A hand's grasp centre: position and quaternion in the world."""
        data = self.world.data
        quaternion = np.empty(4)
        mujoco.mju_mat2Quat(quaternion, data.site(f"{side}_grasp").xmat)
        return data.site(f"{side}_grasp").xpos.copy(), quaternion

    def touches(self, first: str, second: str) -> float:
        """The force between two bodies with everything that moves with them, N; 0 when they are apart."""
        return self._contacts.between(first, second)

    def fallen(self, state: RobotState) -> bool:
        return bool(state.base_position[2] < FALLEN or tilt(state.base_quaternion) > TILTED)

    def in_pelvis(self, point: np.ndarray) -> np.ndarray:
        """A point of the world in the pelvis frame."""
        pelvis = self.world.data.body("pelvis")
        return rotate_inverse(pelvis.xquat, np.asarray(point) - pelvis.xpos)


@functools.lru_cache(maxsize=4)
def _ready(pixels: int) -> np.ndarray:
    spec = g1(pixels)
    arms = Arms(spec)
    slots = [spec.joint_names.index(joint.name) for joint in spec.commanded if joint.group.endswith("_arm")]
    position = spec.home_position.copy()
    poses = {side: (READY[side], IDENTITY) for side in SIDES}
    arms.reset(_standing(spec, position))
    for _ in range(150):
        position[slots] = arms.step(poses, _standing(spec, position))
    return position


def ready_posture(spec: RobotSpec) -> np.ndarray:
    """All joints with the hands at READY, (J,): how the robot stands at the table before it is told anything."""
    return _ready(spec.cameras[0].width).copy()


def _standing(spec: RobotSpec, position: np.ndarray) -> RobotState:
    still = np.zeros(len(spec.joints))
    return RobotState(
        stamp=0.0,
        position=position,
        velocity=still,
        effort=still,
        base_position=np.array([0.0, 0.0, 0.79]),
        base_quaternion=IDENTITY,
        base_velocity=np.zeros(3),
        base_angular_velocity=np.zeros(3),
    )
