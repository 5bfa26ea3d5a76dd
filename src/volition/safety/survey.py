"""How much room a posture leaves: to the robot itself, to obstacles, to the walls of the workspace, over the feet.

    CollisionModel (one posture's kinematics) + obstacles + the feet -> {what: metres beyond its margin}

Every entry is treated alike by the look-ahead: a step that would leave less than none, and less than there is now,
is refused for the arms that cause it.
"""

# MuJoCo ships no type stubs: strict checking would report every use of it.
# pyright: basic, reportAttributeAccessIssue=false
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import mujoco
import numpy as np

from volition.errors import ContractError
from volition.robots.g1_assets import GRASP_CENTRE
from volition.safety import reasons
from volition.safety.collision import REACH, SIDES, CollisionModel
from volition.safety.config import ShieldConfig
from volition.safety.cover import Cover
from volition.safety.field import Field, Shapes
from volition.safety.obstacles import Obstacles
from volition.transforms.rotation import rotate
from volition.types import RobotSpec, RobotState

Key = tuple[str, int, int]  # reason, and two numbers that say between what


@dataclass
class Scene:
    """What is the same for all postures of a tick."""

    whole: Field | None = None  # all obstacles
    field: Field | None = None  # those that a step could meet
    arms: dict[str, np.ndarray] | None = None  # distance of each place to each side now, (P,), of `whole`
    quaternion: np.ndarray | None = None
    normals: np.ndarray | None = None  # of the support polygon, (E, 2)
    edges: np.ndarray | None = None  # (E,)


class Survey:
    """Pure but for MuJoCo's scratch data inside the collision model."""

    def __init__(self, robot: RobotSpec, collision: CollisionModel, config: ShieldConfig) -> None:
        self.collision, self.config = collision, config
        self.cover = Cover(collision)
        self._model, self._data = collision.compiled
        self._workspace = [
            (number, self._hand(side), *np.array(config.workspace[side]))
            for number, side in enumerate(SIDES)
            if config.workspace is not None and side in config.workspace
        ]
        self._mass = self._model.body_mass / self._model.body_mass.sum()
        self._feet = self._sole_points(robot)
        self._shapes: Shapes | None = None

    def begin(self, state: RobotState, posture: np.ndarray, obstacles: Obstacles | None, now: float) -> Scene:
        """`posture`: where the commanded joints were sent and the others are. Leaves its kinematics in the model."""
        scene = Scene(quaternion=state.base_quaternion)
        some = obstacles is not None and bool(obstacles.shapes)
        if not some and self.config.balance_margin is None:
            return scene
        self._data.qpos[self.collision.address] = posture
        mujoco.mj_kinematics(self._model, self._data)
        if self.config.balance_margin is not None:
            scene.normals, scene.edges = self._support(state.base_quaternion)
        if obstacles is not None and some:
            if self._shapes is None or self._shapes.obstacles is not obstacles:
                self._shapes = Shapes(obstacles)
            whole = scene.whole = Field(self._shapes, state, now)
            scene.arms = dict(zip(SIDES, self._nearest(whole, [self.cover.centres()]), strict=True))
        return scene

    def narrow(self, scene: Scene, travel: float) -> None:
        """Look only at obstacles that an arm could come near to when no part of it goes farther than `travel`, m."""
        scene.field = None
        if scene.whole is not None and scene.arms is not None:
            margins = np.array([self.margin(scene.whole, obstacle) for obstacle in range(len(scene.whole.names))])
            reached = travel + self.config.collision_release + margins[scene.whole.of]
            near = np.flatnonzero(np.minimum(*scene.arms.values()) < reached)
            scene.field = scene.whole.only(near) if near.size else None

    def rooms(self, postures: Iterable[np.ndarray], scene: Scene) -> dict[Key, float]:
        """For whatever is near: the least room beyond the margin over these postures, m."""
        config = self.config
        found: dict[Key, float] = {}
        centres: list[np.ndarray] = []
        for posture in postures:
            for pair, distance in self.collision.near(posture).items():
                _least(found, (reasons.SELF_COLLISION, *pair), distance - config.collision_margin)
            if scene.field is not None:
                centres.append(self.cover.centres())
            for number, hand, low, high in self._workspace:
                body, offset = hand
                at = self._data.xpos[body] + self._data.xmat[body].reshape(3, 3) @ offset - self._data.xpos[1]
                _least(found, (reasons.WORKSPACE, number, 0), float(min((at - low).min(), (high - at).min())))
            if config.balance_margin is not None and scene.normals is not None:
                _least(found, (reasons.BALANCE, 0, 0), self.balance(scene) - config.balance_margin)
        if scene.field is not None:
            for number, nearest in enumerate(self._nearest(scene.field, centres)):
                for obstacle, distance in zip(scene.field.of.tolist(), nearest.tolist(), strict=True):
                    key = (reasons.OBSTACLE, number, obstacle)
                    _least(found, key, distance - self.margin(scene.field, obstacle))
        return found

    def balance(self, scene: Scene) -> float:
        """How far inside the feet the centre of mass is, m, at the posture asked for last."""
        assert scene.quaternion is not None
        assert scene.normals is not None
        assert scene.edges is not None
        mass = rotate(scene.quaternion, self._mass @ self._data.xipos - self._data.xpos[1])[:2]
        return float((scene.edges - scene.normals @ mass).min())

    def margin(self, field: Field, obstacle: int) -> float:
        own = field.margins[obstacle]
        if own == own:
            return float(own)
        return self.config.person_margin if field.people[obstacle] else self.config.thing_margin

    def beyond(self, key: Key) -> float:
        """What a room of this kind is less than its largest that is looked at: rooms larger are left out."""
        return REACH - self.config.collision_margin if key[0] == reasons.SELF_COLLISION else np.inf

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
        assert scene.whole is not None
        return f"{SIDES[first]}_arm/{scene.whole.names[second]}", self.margin(scene.whole, second)

    def _nearest(self, field: Field, centres: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """From each arm, over all postures of the balls, to each place, (P,): left and right."""
        distance = field.distance(np.concatenate(centres)).reshape(len(field.of), len(centres), -1)
        distance = distance.min(axis=1) - self.cover.radius  # (P, S)
        return distance[:, : self.cover.lefts].min(axis=1), distance[:, self.cover.lefts :].min(axis=1)

    def _support(self, quaternion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Normals and offsets of lines that bound both feet seen from above; among them all edges of their hull."""
        bodies, offsets = self._feet
        turn = self._data.xmat.reshape(-1, 3, 3)[bodies]
        points = self._data.xpos[bodies] + np.einsum("sij,sj->si", turn, offsets) - self._data.xpos[1]
        flat = rotate(quaternion, points)[:, :2]
        ways = (flat[:, None] - flat[None]).reshape(-1, 2)
        length = np.hypot(*ways.T)
        ways = ways[length > 1e-6] / length[length > 1e-6, None]
        normals = np.stack([ways[:, 1], -ways[:, 0]], axis=1)
        return normals, (normals @ flat.T).max(axis=1)

    def _hand(self, side: str) -> tuple[int, np.ndarray]:
        """The body that carries the hand, and its grasp centre in that body's frame."""
        body = mujoco.mj_name2id(self._model, mujoco.mjtObj.mjOBJ_BODY, f"{side}_wrist_yaw_link")
        if body < 0:
            raise ContractError(f"The collision model has no body {side}_wrist_yaw_link, whose workspace was given.")
        return body, np.array(GRASP_CENTRE[side])

    def _sole_points(self, robot: RobotSpec) -> tuple[np.ndarray, np.ndarray]:
        """The lowest collision geoms of the last bodies of the legs: bodies, places in their frames."""
        model = self._model
        legs = {int(model.jnt_bodyid[model.joint(joint.name).id]) for joint in robot.group("legs")}
        ends = [body for body in legs if not any(model.body_parentid[other] == body for other in legs)]
        geoms = [geom for geom in range(model.ngeom) if model.geom_bodyid[geom] in ends]
        if self.config.balance_margin is not None and len(geoms) < 3:
            raise ContractError(f"{robot.name}'s model has no feet that a centre of mass could be kept over.")
        return model.geom_bodyid[geoms].astype(np.intp), model.geom_pos[geoms].copy()


def _least(found: dict[Key, float], key: Key, room: float) -> None:
    if room < found.get(key, np.inf):
        found[key] = room
