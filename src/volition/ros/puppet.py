"""The simulated G1 as a robot on the other side of topics: it keeps real time, does what it was told last, and is measured.

    commands (names, angles; velocity) -> Puppet -> advance(real time) -> RobotState, pictures

Everything that is inside a real G1 is inside here: motors, the balance controller that moves legs and waist, sensors.
Shared by ROS 1 and ROS 2, and knows nothing of either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from volition.ros.errors import RosError
from volition.sim.choices import layout
from volition.sim.errand import Errand
from volition.sim.language.say import say
from volition.sim.randomise import Draw
from volition.sim.scenes import plaza
from volition.sim.session import Session, session
from volition.sim.skills import SKILLS
from volition.sim.stage import Stage
from volition.types import Command, RobotSpec, RobotState

BEHIND = 0.2  # s: a simulation that is later than this lets the time go rather than run after it


def sized(spec: RobotSpec, width: int, height: int) -> RobotSpec:
    """The robot with cameras of this size; the vertical angle of view stays."""
    return replace(spec, cameras=tuple(replace(one, width=width, height=height) for one in spec.cameras))


class Puppet:
    """`skill`: the scene and the referee of one skill, laid out by `seed`; empty: an open place to walk in.

    `wish` is what somebody could tell the robot to do in that scene.
    """

    def __init__(self, spec: RobotSpec, *, skill: str = "", seed: int = 0, cameras: bool = True) -> None:
        self.spec, self.wish = spec, ""
        self.errand: Errand | None = None
        self._stage: Stage | None = None
        if skill:
            if skill not in SKILLS:
                raise RosError(f"There is no skill {skill!r}; there are {', '.join(SKILLS)}.")
            scene = layout(skill, Draw(seed))
            self.wish = say(scene, scene.goals, np.random.default_rng([seed, 1])).text
            self._stage = Stage(scene, spec, cameras=cameras)
            self._session: Session = self._stage.session
        else:
            self._session = session(spec, scene=plaza, seed=seed, cameras=cameras)
        index = spec.commanded_index
        self._slots = {spec.joint_names[place]: number for number, place in enumerate(index)}
        self._targets = self._session.robot.read().position[index].copy()
        self._velocity = np.zeros(3)
        self._begin: float | None = None
        self.commands, self.slipped_s = 0, 0.0

    def joints(self, names: Sequence[str], position: Sequence[float]) -> None:
        """Targets by name; a name that is not a commanded joint is refused, as a driver would."""
        unknown = [name for name in names if name not in self._slots]
        if unknown or len(names) != len(position):
            raise RosError(f"The simulated robot got targets for {', '.join(unknown[:3]) or 'other than its joints'}.")
        for name, value in zip(names, position, strict=True):
            self._targets[self._slots[name]] = value
        self.commands += 1
        self._send()

    def walk(self, forward: float, left: float, turn: float) -> None:
        self._velocity = np.array([forward, left, turn])
        self._send()

    def watch(self) -> None:
        """From now on the referee watches, and the time that the skill may take begins."""
        if self._stage is not None:
            self.errand = Errand(self._stage)

    def advance(self, now: float) -> RobotState:
        """Let physics go on to real time `now`, in ticks of the balance controller; what is measured then."""
        world, robot = self._session.world, self._session.robot
        if self._begin is None:
            self._begin = now - world.time
        late = now - self._begin - world.time
        if late > BEHIND:
            self.slipped_s += late
            self._begin += late
        robot.advance(now - self._begin)
        state = robot.read()
        if self.errand is not None:
            self.errand.watch(state)
        return state

    @property
    def fell(self) -> bool:
        state = self._session.robot.read()
        return bool(state.base_position[2] < 0.5)

    def look(self, camera: str) -> np.ndarray:
        assert self._session.renderer is not None, "this puppet was made without cameras"
        return self._session.renderer.camera(camera)

    def _send(self) -> None:
        """Joints and velocity come on topics of their own; the robot takes them together."""
        self._session.robot.command(
            Command(stamp=self._session.world.time, position=self._targets, base_velocity=self._velocity)
        )
