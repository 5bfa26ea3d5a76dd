"""How much room a posture leaves: to the robot itself, to obstacles, to the walls of the workspace, over the feet.

    CollisionModel (one posture's kinematics) + obstacles + the feet -> {what: metres beyond its margin}

Every entry is treated alike by the look-ahead: a step that would leave less than none, and less than there is now,
is refused for the arms that cause it. What no posture of a tick can come near to is left out of that tick's surveys:
the distance now, less the farthest that the joints can take each part of an arm, is still more than is looked at.
"""

# MuJoCo ships no type stubs: strict checking would report every use of it.
# pyright: basic, reportAttributeAccessIssue=false
from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from volition.errors import ContractError
from volition.robots.g1_assets import GRASP_CENTRE
from volition.safety import reasons
from volition.safety.balance import Feet, Support
from volition.safety.carried import Carried, Part
from volition.safety.collision import REACH, SIDES, CollisionModel, Pair
from volition.safety.config import ShieldConfig
from volition.safety.cover import Cover
from volition.safety.field import Field, Shapes
from volition.safety.frames import matrix
from volition.safety.obstacles import Obstacles
from volition.types import RobotSpec, RobotState

Key = tuple[str, int, int]  # reason, and two numbers that say between what
_ROUNDING = 1e-9  # m
# The walking robot as a column of balls in the pelvis frame: heights and radius, m; arms at its sides are inside.
COLUMN: np.ndarray = np.array([[0.0, 0.0, height] for height in np.arange(-0.65, 0.56, 0.15)]).T  # (3, S)
_GIRTH = 0.30


@dataclass
class Scene:
    """What is the same for all postures of a tick. Rooms and distances here are those now."""

    posture: np.ndarray  # (J,) commanded joints as sent, others as measured
    whole: Field | None = None  # all obstacles
    arms: np.ndarray | None = None  # distance of each place of `whole` to each side, (2, P)
    column: np.ndarray | None = None  # distance of each place of `whole` to each ball of the walking robot, (P, S)
    field: Field | None = None  # the obstacles that a step could meet
    met: np.ndarray | None = None  # as `arms`, of `field`
    walls: np.ndarray | None = None  # room of each hand to its workspace, (2,); None: it is not looked at
    support: Support | None = None  # None: balance is not looked at
    over: np.ndarray | None = None  # of what the arms do not move, its part in the centre of mass, (3,)
    balance: float = np.inf  # how far inside the feet the centre of mass is, m
    touching: dict[Pair, float] | None = None  # as the collision model says, once it was asked


class Survey:
    """Pure but for scratch data, MuJoCo's inside the collision model and that of the carried points."""

    def __init__(self, robot: RobotSpec, collision: CollisionModel, config: ShieldConfig) -> None:
        self.collision, self.config = collision, config
        self.cover = Cover(collision)
        self._model, self._data = collision.compiled
        self._balls = len(self.cover.bodies)
        boxes = [(config.workspace or {}).get(side, ((-np.inf,) * 3, (np.inf,) * 3)) for side in SIDES]
        self._low, self._high = np.array(boxes).transpose(1, 2, 0)  # (3, 2) each
        self._mass = self._model.body_mass / self._model.body_mass.sum()
        self._feet = Feet(robot, collision) if config.balance_margin is not None else None
        self.carried = Carried(collision, self._parts())
        self._levers = self.carried.levers(robot)[:, self._balls :]  # (C, 3)
        self._points = np.concatenate([np.zeros((3, self._balls)), COLUMN], axis=1)
        self._radii = np.concatenate([self.cover.radius, np.full(COLUMN.shape[1], _GIRTH)])
        self._shapes: Shapes | None = None

    def begin(self, state: RobotState, posture: np.ndarray, obstacles: Obstacles | None, now: float) -> Scene:
        """`posture`: where the commanded joints were sent and the others are."""
        scene = Scene(posture=posture)
        some = obstacles is not None and bool(obstacles.shapes)
        if not some and self._feet is None and self.config.workspace is None:
            return scene
        self.collision.place(posture)
        self.carried.note(0)
        places = self.carried.places(1)
        if self.config.workspace is not None:
            scene.walls = self._walls(places)
        if self._feet is not None:
            scene.support = self._feet.support(matrix(state.base_quaternion))
            mass = self._mass @ self._data.xipos - self._data.xpos[1]
            scene.over = mass - places[0, :, -1]
            scene.balance = scene.support.room(mass[None])
        if obstacles is not None and some:
            if self._shapes is None or self._shapes.obstacles is not obstacles:
                self._shapes = Shapes(obstacles, self.config)
            scene.whole = Field(self._shapes, state, now)
            self._points[:, : self._balls] = places[0, :, : self._balls]
            distances = scene.whole.distance(self._points) - self._radii
            scene.arms, scene.column = self._of_sides(distances[:, : self._balls]), distances[:, self._balls :]
        return scene

    def narrow(self, scene: Scene, travel: float, turns: np.ndarray) -> None:
        """Look only at what a step could come near to: no part of an arm goes farther than `travel`, m, and no
        commanded joint turns farther than `turns`, rad, (C,)."""
        release = self.config.collision_release
        scene.field = scene.met = None
        if scene.whole is not None and scene.arms is not None:
            near = (np.minimum.reduce(scene.arms, axis=0) < travel + release + scene.whole.margins).nonzero()[0]
            if near.size:
                scene.field, scene.met = scene.whole.only(near), scene.arms[:, near]
        if scene.walls is not None or scene.support is not None:
            left, right, mass = (turns @ self._levers + release + _ROUNDING).tolist()
            if scene.walls is not None and scene.walls[0] >= left and scene.walls[1] >= right:
                scene.walls = None
            if scene.balance - (self.config.balance_margin or 0.0) >= mass:
                scene.support = None

    def rooms(
        self, postures: np.ndarray, scene: Scene, below: float = np.inf, known: int = 0
    ) -> tuple[dict[Key, float], list[int]]:
        """Of all but the robot itself: the least room beyond the margin over these postures (P, J), m; what has less
        than `below`. And the postures in which the robot may have less to itself, which `touching` tells.

        Of the first `known` postures only what both arms have a part in is asked.
        """
        found: dict[Key, float] = {}
        if not known and scene.field is None and scene.walls is None and scene.support is None:
            return found, list(range(len(postures)))
        for number, posture in enumerate(postures):
            self.collision.place(posture)
            self.carried.note(number)
        places = self.carried.places(len(postures))  # (P, 3, N)
        near = self._crossing(places[:known], below) + list(range(known, len(postures)))
        if scene.support is not None:
            room = scene.support.room(places[:, :, -1] + scene.over) - (self.config.balance_margin or 0.0)
            if room < below:
                found[reasons.BALANCE, 0, 0] = room
        if known == len(postures):
            return found, near
        places = places[known:]
        if scene.walls is not None:
            for number, room in enumerate(self._walls(places).tolist()):
                if room < below:
                    found[reasons.WORKSPACE, number, 0] = room
        if scene.field is not None:
            distances = scene.field.distance(places[:, :, : self._balls])  # (P, places, S)
            distances = np.minimum.reduce(distances, axis=0) - self.cover.radius
            rooms = self._of_sides(distances) - scene.field.margins
            for number, place in np.argwhere(rooms < below).tolist():
                _least(found, (reasons.OBSTACLE, number, int(scene.field.of[place])), float(rooms[number, place]))
        return found, near

    def touching(self, posture: np.ndarray, sides: frozenset[str], below: float) -> dict[Key, float]:
        """The room of arms of these sides to the robot itself, where it has less than `below`."""
        margin = self.config.collision_margin
        pairs = self.collision.near(posture, min(REACH, below + margin + _ROUNDING), sides)
        return {(reasons.SELF_COLLISION, *pair): distance - margin for pair, distance in pairs.items()}

    def room_now(self, key: Key, scene: Scene) -> float:
        """As `rooms`, of one entry, where the arms were sent; the most that is looked at when it has more."""
        reason, first, second = key
        if reason == reasons.SELF_COLLISION:
            if scene.touching is None:
                scene.touching = self.collision.near(scene.posture)
            return scene.touching.get((first, second), REACH) - self.config.collision_margin
        if reason == reasons.WORKSPACE and scene.walls is not None:
            return float(scene.walls[first])
        if reason == reasons.BALANCE:
            return scene.balance - (self.config.balance_margin or 0.0)
        assert scene.field is not None
        assert scene.met is not None
        places = scene.field.of == second
        return float((scene.met[first, places] - scene.field.margins[places]).min())

    def sides(self, key: Key) -> frozenset[str]:
        """Whose arms could make more room."""
        reason, first, second = key
        if reason == reasons.SELF_COLLISION:
            return self.collision.sides((first, second))
        if reason == reasons.BALANCE:
            return frozenset(SIDES)
        return frozenset((SIDES[first],))

    def tell(self, key: Key, scene: Scene) -> tuple[str, float]:
        """Between what it is, for people, and the margin that was taken off."""
        reason, first, second = key
        if reason == reasons.SELF_COLLISION:
            return self.collision.name((first, second)), self.config.collision_margin
        if reason == reasons.WORKSPACE:
            return f"{SIDES[first]}_hand", 0.0
        if reason == reasons.BALANCE:
            return "centre_of_mass", self.config.balance_margin or 0.0
        assert scene.field is not None
        margin = float(scene.field.margins[scene.field.of == second][0])
        return f"{SIDES[first]}_arm/{scene.field.names[second]}", margin

    def _crossing(self, places: np.ndarray, below: float) -> list[int]:
        """The postures (P, 3, N) in which the arms may have less than `below` to each other: not seen side by side."""
        if len(places) == 0:
            return []
        across, lefts = places[:, 1, : self._balls], self.cover.lefts  # y is to the left
        gap = (across - self.cover.radius)[:, :lefts].min(axis=1)
        gap -= (across + self.cover.radius)[:, lefts:].max(axis=1)
        return (gap < below + self.config.collision_margin + _ROUNDING).nonzero()[0].tolist()

    def _of_sides(self, balls: np.ndarray) -> np.ndarray:
        """Each side's least of values of the balls: (P, S) -> (2, P)."""
        return np.minimum.reduceat(balls, (0, self.cover.lefts), axis=1).T

    def _walls(self, places: np.ndarray) -> np.ndarray:
        """The least room of each hand to the walls of its workspace, (2,)."""
        hands = places[:, :, self._balls : -1]
        room = np.minimum(hands - self._low, self._high - hands)  # (P, 3, 2)
        return np.minimum.reduce(room.reshape(-1, len(SIDES)), axis=0)

    def _parts(self) -> list[Part]:
        """The columns that are looked at: the balls, the hands' grasp centres, the arms' part in the centre of mass."""
        parts = self.cover.parts()
        for number, side in enumerate(SIDES):
            if side in (self.config.workspace or {}):
                body = mujoco.mj_name2id(self._model, mujoco.mjtObj.mjOBJ_BODY, f"{side}_wrist_yaw_link")
                if body < 0:
                    raise ContractError(
                        f"The collision model has no body {side}_wrist_yaw_link, whose workspace was given."
                    )
                parts.append(Part(column=self._balls + number, body=body, offset=np.array(GRASP_CENTRE[side])))
        for body, side in enumerate(self.collision.body_sides):
            if side:
                offset, share = self._model.body_ipos[body].copy(), float(self._mass[body])
                parts.append(Part(column=self._balls + len(SIDES), body=body, offset=offset, share=share))
        return parts


def _least(found: dict[Key, float], key: Key, room: float) -> None:
    if room < found.get(key, np.inf):
        found[key] = room
