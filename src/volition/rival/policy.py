"""The rival as a Policy: look for half a second, find what the words mean, then the skill's script on what is believed.

    Observation -> Odometry, Kinematics -> TableView (edge, things) -> Belief -> the skill's plan -> ActionChunk in `ee`

It is given what a learned policy is given. It knows what an engineer would: the robot's spec with its nominal cameras,
the table's height, the kinds, colours and usual sizes of things, and the skills' scripts. It never sees a Stage.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np

from volition.body.proprioception import SIDES
from volition.errors import PolicyError
from volition.rival.belief import Belief
from volition.rival.emptied import Emptied
from volition.rival.floor import FloorView, floor_colours
from volition.rival.kinematics import Eye, Kinematics, Odometry
from volition.rival.map import things_of
from volition.rival.parse import Told, pick, told
from volition.rival.search import Search
from volition.rival.table import Found, TableView
from volition.sim.expert import Expert, Intent
from volition.sim.scene import TABLE
from volition.sim.skills import SKILLS
from volition.sim.tasks.pour import PourPlan
from volition.sim.workbench import WALL
from volition.types import ActionChunk, ActionSpec, Observation, RobotSpec, RobotState

if TYPE_CHECKING:
    from volition.sim.stage import Stage

LOOKS = 5  # pictures before it begins
EVERY = 3  # pictures: as often it looks again where it stands
FOLLOW = 0.4  # of what a picture says of the robot's place is believed at once
HEAD = "head"
# Skill -> the kinds of things that are looked for.
KINDS: dict[str, tuple[str, ...]] = {
    "press_button": ("button",),
    "open_drawer": ("drawer",),
    "pick_and_place": ("can", "box", "plate", "tray", "bowl"),
    "pour": ("cup", "bowl"),
    "wipe_surface": ("patch", "wiper"),
}


class RivalPolicy:
    """`reset` refuses what it cannot read; what it cannot do it answers with the status "failed"."""

    def __init__(self, robot: RobotSpec) -> None:
        self._robot, self._spec = robot, robot.action("ee")
        self._kinematics = Kinematics(robot)
        self._steps: tuple[Told, ...] | None = None

    @property
    def action_spec(self) -> ActionSpec:
        return self._spec

    def reset(self, instruction: str) -> None:
        self._steps = None
        steps = told(instruction)
        self._odometry = Odometry()
        self._pictures: list[list[Found]] = []
        self._belief = Belief(self._robot, self._kinematics, (), table=TABLE)
        self._expert = Expert(cast("Stage", self._belief), _Waiting())
        self._search: Search | None = None
        self._found, self._count = False, 0
        self._steps = steps

    def infer(self, observation: Observation) -> ActionChunk:
        if self._steps is None:
            raise PolicyError("RivalPolicy has no instruction; call reset(instruction) before infer.")
        if HEAD not in observation.images:
            raise PolicyError("The observation lacks the head camera's picture, which this policy looks at.")
        step = self._steps[0]
        state = self._odometry.believe(observation.state)
        self._kinematics.at(state)
        if step.skill == "go_to" and len(self._steps) == 1:
            return self._go(observation, state, step)
        if len(self._steps) > 1 or step.skill not in KINDS:
            return self._act(observation, state, "failed", f"cannot {step.skill}")
        state = self._see(observation, state, step)
        return self._act(observation, state)

    def _go(self, observation: Observation, state: RobotState, step: Told) -> ActionChunk:
        if self._search is None:
            self._search = Search(self._robot, self._kinematics, step)
            self._floor = floor_colours(observation.images[HEAD])
            self._expert = Expert(cast("Stage", self._belief), self._search)
        self._count += 1
        if self._count % 2:
            view = FloorView(observation.images[HEAD], self._eye(), self._hidden(), self._floor)
            self._search.map.add(view.look())
        return self._act(observation, state)

    def _see(self, observation: Observation, state: RobotState, step: Told) -> RobotState:
        """Look at the picture; find where the robot stands, and at first what there is."""
        self._count += 1
        if self._found and self._count % EVERY:
            return state
        view = TableView(observation.images[HEAD], self._eye(), self._hidden())
        state = self._stand(observation, view.edge())
        if self._found:
            return self._aside(observation, view)
        view = TableView(observation.images[HEAD], self._eye(), self._hidden())
        self._pictures.append(view.look(KINDS[step.skill]))
        if len(self._pictures) >= LOOKS:
            self._begin(step)
        return state

    def _begin(self, step: Told) -> None:
        """All things by all pictures so far, and the plan for what is meant among them."""
        things = things_of(self._pictures)
        belief = Belief(self._robot, self._kinematics, things, table=TABLE)
        goal = pick(belief.scene, step)
        if goal is None:
            return
        self._found, self._belief = True, belief
        stage = cast("Stage", belief)  # it answers what the scripts ask of a Stage, and nothing else
        pouring = step.skill == "pour"
        plan = PourPlan(stage, goal, Emptied(belief).count) if pouring else SKILLS[step.skill].plan(stage, goal)
        self._expert = Expert(stage, plan)

    def _stand(self, observation: Observation, edge: tuple[float, float] | None) -> RobotState:
        """Correct heading and distance by the line in which table and wall meet."""
        if edge is not None:
            start, slope = edge
            place, heading = self._odometry.place, self._odometry.heading
            away = (start + slope * place[1] - place[0]) / np.hypot(1.0, slope)
            share = FOLLOW if self._found else 1.0 / (len(self._pictures) + 1)
            x = place[0] + share * (WALL - away - place[0])
            self._odometry.correct(np.array([x, place[1]]), heading + share * float(np.arctan(slope)))
        state = self._odometry.pose(observation.state)
        self._kinematics.at(state)
        return state

    def _aside(self, observation: Observation, view: TableView) -> RobotState:
        """Correct the place along the table by the things that are seen where they were."""
        belief, y = self._belief, []
        for thing in belief.scene.things:
            off = None if belief.holds(thing.name) else view.track(thing, belief.position(thing.name))
            if off is not None:
                y.append(off[1])
        if y:
            self._odometry.correct(self._odometry.place - [0.0, FOLLOW * float(np.median(y))], self._odometry.heading)
        state = self._odometry.pose(observation.state)
        self._kinematics.at(state)
        return state

    def _act(self, observation: Observation, state: RobotState, status: str = "", note: str = "") -> ActionChunk:
        self._belief.feel(state)
        chunk = self._expert.infer(replace(observation, state=state))
        self._belief.sent(chunk)
        return replace(chunk, status=status, note=note) if status else chunk

    def _eye(self) -> Eye:
        return self._kinematics.eye(HEAD)

    def _hidden(self) -> np.ndarray:
        """The pixels where the robot's own hands and forearms are."""
        eye = self._eye()
        hidden = np.zeros((eye.height, eye.width), dtype=bool)
        columns, rows = np.meshgrid(np.arange(eye.width) + 0.5, np.arange(eye.height) + 0.5)
        for side in SIDES:
            spots, radii = self._kinematics.arm(side)
            flat, ahead = eye.project(spots)
            for (column, row), far, radius in zip(flat, ahead, radii, strict=True):
                if far > 0.05:
                    hidden |= np.hypot(columns - column, rows - row) < eye.focal * radius / far
        return hidden


class _Waiting:
    """The plan while it still looks: stand still, hands where they are."""

    def decide(self, state: RobotState) -> Intent:
        return Intent(wait=True, note="looking")
