"""What a scene is, as plain data: the things in it, what is to be done with them, how it looks and how the robot starts.

    skill.layout(random, axes) -> Scene --workbench.build--> MuJoCo --Stage--> truth for referees and experts

A Scene is a value: equal scenes give equal physics. It can be written to JSON beside an episode and read back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from volition.errors import ContractError

Vector = tuple[float, float, float]
TABLE = 0.80  # m, the height of a table's top


@dataclass(frozen=True, kw_only=True)
class Thing:
    """One thing that words can name. `position` is where its foot stands in the world, for what hangs on the wall its middle."""

    name: str  # unique in its scene
    kind: str  # one of things.KINDS
    colour: str  # one of things.COLOURS
    rgb: Vector  # the shade it has here
    position: Vector  # m
    heading: float = 0.0  # rad
    size: tuple[float, ...] = ()  # m; what it means depends on the kind
    mass: float = 0.1  # kg, of what can be moved
    friction: float = 1.0
    load: float = 5.0  # N, what a button or drawer resists with
    part_of: str = ""  # drawers of one cabinet and buttons of one panel share this


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One step: a skill done with a thing, and where it needs one, a place (another thing). `what` names a movement."""

    skill: str
    thing: str = ""
    place: str = ""
    what: str = ""  # a primitive, for the skill that moves without a thing


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where the robot stands at first, how far off its joints are, and for how long."""

    position: tuple[float, float] = (0.0, 0.0)
    heading: float = 0.0
    joints: int = 0  # seed of what its joints are off by; 0: not at all
    joint_noise: float = 0.0  # rad, the most
    stood_s: float = 0.0  # how long it has stood there before it is told anything


@dataclass(frozen=True, kw_only=True)
class Looks:
    """What only the eye can tell. `cameras` moves a camera: metres along its body's axes, then a rotation vector."""

    table: Vector = (0.72, 0.62, 0.50)
    floor: tuple[Vector, Vector] = ((0.82, 0.83, 0.82), (0.75, 0.77, 0.77))
    wall: Vector = (0.80, 0.80, 0.78)
    light: Vector = (0.4, -0.25, -0.9)  # where it shines to: over the robot's shoulder onto table and wall
    brightness: float = 1.0
    warmth: float = 0.0  # above 0 redder, below 0 bluer
    cameras: Mapping[str, tuple[float, float, float, float, float, float]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Physics:
    """What only touch can tell, and how well the robot measures and how late it thinks."""

    floor_friction: float = 1.0
    link_masses: int = 0  # seed of what its links' masses are off by; 0: nothing
    link_noise: float = 0.0  # share, the most
    fixed_pelvis: bool = False  # for comparison: the pelvis is held and nothing can fall
    latency_s: float = 0.02
    joint_noise: float = 0.0  # rad, standard deviation of every measured joint
    pixel_noise: float = 0.0  # of 255, standard deviation


@dataclass(frozen=True, kw_only=True)
class Scene:
    seed: int
    things: tuple[Thing, ...]
    goals: tuple[Goal, ...]  # the steps of its instruction, in order
    table: float | None = TABLE  # m, the height of its top; None: there is no table
    start: Start = field(default_factory=Start)
    looks: Looks = field(default_factory=Looks)
    physics: Physics = field(default_factory=Physics)

    def __post_init__(self) -> None:
        names = [thing.name for thing in self.things]
        double = {name for name in names if names.count(name) > 1}
        if double:
            raise ContractError(f"Scene {self.seed}: two things are named {', '.join(sorted(double))}.")
        for goal in self.goals:
            for name in (goal.thing, goal.place):
                if name and name not in names:
                    raise ContractError(f"Scene {self.seed}: a goal names {name!r}; there are {', '.join(names)}.")

    def thing(self, name: str) -> Thing:
        for thing in self.things:
            if thing.name == name:
                return thing
        raise ContractError(f"There is no {name!r} in this scene; there are {', '.join(t.name for t in self.things)}.")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def scene_from_json(values: Mapping[str, Any]) -> Scene:
    """What `Scene.to_json` made, after a round through a file."""
    try:
        looks, start = dict(values["looks"]), dict(values["start"])
        looks = {name: _tuples(value) for name, value in looks.items()}
        looks["cameras"] = {name: _tuples(offset) for name, offset in looks["cameras"].items()}
        start["position"] = tuple(start["position"])
        return Scene(
            seed=values["seed"],
            things=tuple(
                Thing(**{name: _tuples(value) for name, value in thing.items()}) for thing in values["things"]
            ),
            goals=tuple(Goal(**goal) for goal in values["goals"]),
            table=values["table"],
            start=Start(**start),
            looks=Looks(**looks),
            physics=Physics(**values["physics"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ContractError(f"This is not a scene: {type(error).__name__}: {error}.") from error


def _tuples(value: Any) -> Any:
    """JSON's lists as the tuples they were."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value
