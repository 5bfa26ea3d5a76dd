"""Self-collision of the robot with itself: how far the arms and hands are from the rest and from each other. Asked by the shield.

How the geometry is simplified. The collision geoms of the robot's own MJCF are kept (everything else is dropped: visual
meshes, actuators, the free joint) and each mesh is replaced by the convex hull of at most `HULL_VERTICES` of its own
vertices, which MuJoCo picks. A hull of fewer vertices lies inside the full one, so it can only under-estimate; the
shield's margin pays for that (tests/safety measure it against the full meshes). MuJoCo's broad phase and convex
collider then do the work in C, tens of microseconds a posture.

Which pairs are looked at: links of an arm and its hand against torso, head, pelvis and legs, and against the other
arm and hand. Not looked at: an arm against itself (fingers touch each other and their palm when they grasp), bodies
within two joints of each other, and pairs that touch at home and nearly everywhere else (they are built that close).
"""

# MuJoCo ships no type stubs: strict checking would report every use of it.
# pyright: basic, reportAttributeAccessIssue=false
from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import mujoco
import numpy as np

from volition.errors import AssetError
from volition.types import RobotSpec

HULL_VERTICES = 32
REACH = 0.02  # m: nearer than this a distance is measured, farther it is only known to be farther
SIDES = ("left", "right")
_BITS = {"": (1, 0), "left": (2, 1), "right": (4, 3)}  # contype, conaffinity: body-left, body-right, left-right
_NEIGHBOUR = 2  # bodies this many joints apart, or fewer, meet at the joint by design
_ALWAYS = 0.9  # a pair near at home and in this share of random postures is near by design


Pair = tuple[int, int]  # two bodies, by number, the smaller first


class CollisionModel:
    """Distances between the robot's links at a posture; `position` is all joints, (J,), in the order of the spec."""

    def __init__(self, robot: RobotSpec, model_path: Path, *, hull_vertices: int = HULL_VERTICES) -> None:
        if not model_path.is_file():
            raise AssetError(f"The collision model {model_path} does not exist; give the MJCF of {robot.name}.")
        self._robot = robot
        sides = {joint.name: side for side in SIDES for joint in robot.commanded if joint.group.startswith(f"{side}_")}
        spec = _reduce(model_path, sides, hull_vertices)
        side_of = _sides(spec, sides)
        self._compile(spec, side_of)
        self._ignored = _neighbours(self._model)
        self._ignored |= self._near_by_design()
        for first, second in self._ignored:  # from here on MuJoCo does not even look at them
            spec.add_exclude(bodyname1=self._body[first], bodyname2=self._body[second])
        self._compile(spec, side_of)

    def _compile(self, spec: mujoco.MjSpec, side_of: Mapping[str, str]) -> None:
        model = self._model = spec.compile()
        self._data = mujoco.MjData(model)
        self.address = np.array([self._qpos(name) for name in self._robot.joint_names], dtype=np.intp)
        self._body = [model.body(number).name for number in range(model.nbody)]
        self._side = [side_of[name] for name in self._body]
        self._body_of_geom: list[int] = model.geom_bodyid.tolist()
        self._ignored: frozenset[Pair] = frozenset()
        self._looking = frozenset(SIDES)

    def place(self, position: np.ndarray) -> None:
        """Put the bodies where they are at a posture."""
        self._data.qpos[self.address] = position
        mujoco.mj_kinematics(self._model, self._data)

    def near(
        self, position: np.ndarray, below: float = REACH, sides: frozenset[str] = frozenset(SIDES)
    ) -> dict[Pair, float]:
        """The body pairs nearer than `below`, at most REACH, each with its smallest distance in metres, negative in
        penetration. Pairs that no arm of `sides` is in are left out. Leaves the bodies placed."""
        data = self._data
        self.place(position)
        if sides != self._looking:
            self._look(sides)
        mujoco.mj_collision(self._model, data)
        found: dict[Pair, float] = {}
        if data.ncon == 0:
            return found
        contact = data.contact
        distances = contact.dist
        close = (distances < below).nonzero()[0]
        if close.size == 0:
            return found
        of = self._body_of_geom
        for (geom, other), distance in zip(contact.geom[close].tolist(), distances[close].tolist(), strict=True):
            first, second = of[geom], of[other]
            key = (first, second) if first < second else (second, first)
            if distance < found.get(key, below) and key not in self._ignored:
                found[key] = distance
        return found

    def _look(self, sides: frozenset[str]) -> None:
        """From here on MuJoCo looks only at pairs that an arm of these sides is in."""
        self._looking = sides
        left, right = (side in sides for side in SIDES)
        affinities = {"": 0, "left": int(left), "right": int(right) + 2 * int(left or right)}
        self._model.geom_conaffinity[:] = [affinities[self._side[body]] for body in self._body_of_geom]

    @property
    def compiled(self) -> tuple[mujoco.MjModel, mujoco.MjData]:
        """The reduced robot, its pelvis fixed, and its state at the posture where its bodies were placed last."""
        return self._model, self._data

    @property
    def body_sides(self) -> tuple[str, ...]:
        """Of each body by number: left, right or the empty word."""
        return tuple(self._side)

    def name(self, pair: Pair) -> str:
        return f"{self._body[pair[0]]}/{self._body[pair[1]]}"

    def sides(self, pair: Pair) -> frozenset[str]:
        """Whose arms could take the pair apart."""
        return frozenset(side for side in (self._side[pair[0]], self._side[pair[1]]) if side)

    def distance(self, position: np.ndarray) -> tuple[float, str]:
        """The smallest distance in metres and its two bodies; (REACH, "") when nothing is nearer than that."""
        pairs = self.near(position)
        if not pairs:
            return REACH, ""
        nearest = min(pairs, key=lambda pair: pairs[pair])
        return pairs[nearest], self.name(nearest)

    @functools.cached_property
    def levers(self) -> np.ndarray:
        """How far from each joint's axis the farthest part it moves can be, m, (J,): bounds what a turn displaces."""
        model, data = self._model, self._data
        generator, levers = np.random.default_rng(0), np.zeros(model.njnt)
        for _ in range(20):
            data.qpos[:] = generator.uniform(*model.jnt_range.T)
            mujoco.mj_kinematics(model, data)
            for geom in range(model.ngeom):
                body = int(model.geom_bodyid[geom])
                while body:
                    for joint in range(model.body_jntadr[body], model.body_jntadr[body] + model.body_jntnum[body]):
                        reach = np.linalg.norm(data.geom_xpos[geom] - data.xanchor[joint]) + model.geom_rbound[geom]
                        levers[joint] = max(levers[joint], reach)
                    body = int(model.body_parentid[body])
        return np.array([levers[model.joint(name).id] for name in self._robot.joint_names])

    def checks(self, first: str, second: str) -> bool:
        """Whether the pair of bodies is looked at; for tests that compare with the full meshes."""
        numbers = (self._body.index(first), self._body.index(second))
        sides = {self._side[number] for number in numbers}
        return len(sides) == 2 and (min(numbers), max(numbers)) not in self._ignored

    def _qpos(self, joint: str) -> int:
        number = mujoco.mj_name2id(self._model, mujoco.mjtObj.mjOBJ_JOINT, joint)
        if number < 0:
            raise AssetError(f"The collision model has no joint {joint!r}; it must be the MJCF of {self._robot.name}.")
        return int(self._model.jnt_qposadr[number])

    def _near_by_design(self) -> frozenset[Pair]:
        home, index = self._robot.home_position, self._robot.commanded_index
        low, high = np.array([joint.position for joint in self._robot.commanded]).T
        generator = np.random.default_rng(0)
        samples, counts = 200, dict[Pair, int]()
        for _ in range(samples):
            posture = home.copy()
            posture[index] = generator.uniform(low, high)
            for key in self.near(posture):
                counts[key] = counts.get(key, 0) + 1
        return frozenset(key for key in self.near(home) if counts.get(key, 0) >= _ALWAYS * samples)


def _neighbours(model: mujoco.MjModel) -> frozenset[Pair]:
    bodies = range(1, model.nbody)
    pairs = ((first, second) for first in bodies for second in bodies if first < second)
    return frozenset(pair for pair in pairs if _joints_between(model, *pair) <= _NEIGHBOUR)


def _joints_between(model: mujoco.MjModel, first: int, second: int) -> int:
    """Joints on the way from one body to the other through the tree."""

    def chain(body: int) -> list[int]:
        found = [body]
        while body:
            body = int(model.body_parentid[body])
            found.append(body)
        return found

    ours, theirs = chain(first), chain(second)
    return len(set(ours) ^ set(theirs))


def _sides(spec: mujoco.MjSpec, sides: Mapping[str, str]) -> dict[str, str]:
    """Each body's side: "left" or "right" from the first joint of that arm outwards, else ""."""
    found: dict[str, str] = {}
    for body in spec.bodies:  # parents come before children
        own = next((sides[joint.name] for joint in body.joints if joint.name in sides), "")
        found[body.name] = own or (found[body.parent.name] if body.parent is not None else "")
    return found


def _reduce(path: Path, sides: Mapping[str, str], hull_vertices: int) -> mujoco.MjSpec:
    """The robot reduced to its collision geoms, with collision bits by side."""
    try:
        spec = mujoco.MjSpec.from_file(str(path))
    except ValueError as error:
        raise AssetError(f"{path} cannot be read as an MJCF: {error}") from error
    for name in ("keys", "sensors", "actuators", "equalities", "tendons", "lights", "cameras", "sites"):
        for element in list(getattr(spec, name)):
            spec.delete(element)
    for joint in list(spec.joints):
        if joint.type == mujoco.mjtJoint.mjJNT_FREE:  # distances between links do not depend on where the base is
            spec.delete(joint)
    side_of = _sides(spec, sides)
    meshes: set[str] = set()
    for geom in list(spec.geoms):
        if not (geom.contype or geom.conaffinity):
            spec.delete(geom)
            continue
        geom.contype, geom.conaffinity = _BITS[side_of[geom.parent.name]]
        geom.condim, geom.priority, geom.margin, geom.gap = 1, 0, REACH, 0.0
        meshes.add(geom.meshname)
    for mesh in list(spec.meshes):
        if (mesh.name or Path(mesh.file).stem) in meshes:
            mesh.maxhullvert = hull_vertices
        else:
            spec.delete(mesh)
    return spec
