"""What is told of the surroundings over ROS, without ROS: markers to shapes, who has to go on telling, and what is refused."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ros_tools import SPEC, state

from volition.robots.g1_assets import light_g1
from volition.ros.align import Aligner
from volition.ros.around import MOST, Around
from volition.ros.markers import ADD, CUBE, CYLINDER, DELETE, DELETEALL, SPHERE, shape_of
from volition.ros.stamps import SimulatedTime
from volition.safety import reasons
from volition.safety.collision import CollisionModel
from volition.safety.config import ShieldConfig
from volition.safety.field import Field, Shapes
from volition.safety.guard import Guard
from volition.safety.obstacles import Obstacles, Surroundings
from volition.safety.shield import Shield
from volition.transforms.rotation import from_rotvec, rotate
from volition.types import Command

BEGIN = 10.0  # s of the loop's clock when a header says 0
TURNED = from_rotvec(np.array([0.3, -0.7, 1.1]))


def time_of(seconds: float) -> SimpleNamespace:
    whole = math.floor(seconds)
    return SimpleNamespace(sec=whole, nanosec=round((seconds - whole) * 1e9))


def vector(x: float, y: float, z: float) -> SimpleNamespace:
    return SimpleNamespace(x=x, y=y, z=z)


def marker(
    seconds: float = 5.0,
    at: tuple[float, float, float] = (2.0, 0.0, 0.9),
    size: tuple[float, float, float] = (0.6, 0.6, 1.8),
    *,
    ns: str = "obstacles",
    number: int = 0,
    kind: int = CUBE,
    action: int = ADD,
    frame: str = "odom",
    lifetime: float = 0.0,
    wxyz: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0),
) -> Any:
    """What a node gets as a Marker, of ROS 2."""
    w, x, y, z = wxyz
    turned = SimpleNamespace(x=x, y=y, z=z, w=w)
    return SimpleNamespace(
        header=SimpleNamespace(stamp=time_of(seconds), frame_id=frame),
        ns=ns, id=number, type=kind, action=action, lifetime=time_of(lifetime),
        pose=SimpleNamespace(position=vector(*at), orientation=turned), scale=vector(*size),
    )  # fmt: skip


class Told:
    """An Around with a clock that is set, and what it makes of markers."""

    def __init__(self, *, placed: bool = True) -> None:
        self.clock, self.surroundings, self.aligner = SimulatedTime(), Surroundings(), Aligner(())
        self.complaints: list[str] = []
        place = self.aligner.at if placed else None
        self.around = Around(self.surroundings, self.clock, place=place, complain=self.complaints.append)

    def __call__(self, now: float, *markers: Any) -> Obstacles:
        self.clock.tick(now)
        self.around.hear(SimpleNamespace(markers=markers))
        return self.surroundings.latest

    @property
    def names(self) -> set[str]:
        return {shape.name for shape in self.surroundings.latest.shapes}


# ---- one marker


@pytest.mark.parametrize(
    ("kind", "size", "most"),
    [
        (CUBE, (0.4, 1.2, 0.1), 1e-9),
        (SPHERE, (0.5, 0.5, 0.5), 1e-9),
        (SPHERE, (0.3, 0.9, 0.5), 0.25),
        (CYLINDER, (0.6, 0.6, 1.8), 0.3),  # its round ends go beyond
        (CYLINDER, (1.0, 1.0, 0.04), 0.21),  # a table: corners go beyond
        (CYLINDER, (0.3, 0.8, 1.5), 0.21),
    ],
)
def test_a_shape_holds_its_whole_marker_and_little_more(
    kind: int, size: tuple[float, float, float], most: float
) -> None:
    shape = shape_of(marker(kind=kind, size=size, at=(1.0, -2.0, 0.5), wxyz=tuple(TURNED.tolist())))
    obstacles = Obstacles(stamp=0.0, shapes=(shape,), frame="pelvis")
    field = Field(Shapes(obstacles, ShieldConfig()), state(0.0), 0.0)
    random = np.random.default_rng(0)
    inside = random.uniform(-1, 1, (4000, 3))
    if kind == SPHERE:
        inside = inside[np.linalg.norm(inside, axis=1) <= 1]
    elif kind == CYLINDER:
        inside = inside[np.hypot(inside[:, 0], inside[:, 1]) <= 1]

    def world(points: np.ndarray) -> np.ndarray:
        return rotate(np.broadcast_to(TURNED, (len(points), 4)), points) + np.array([1.0, -2.0, 0.5])

    def distance(points: np.ndarray) -> np.ndarray:
        return field.distance(world(points).T)

    assert distance(inside * np.array(size) / 2).max() <= 1e-9
    beyond = (1.0 + 2 * (most + 1e-6) / np.array(size)) * np.eye(3)  # on each axis, so far outside the marker
    assert distance(beyond * np.array(size) / 2).min() > 0


def test_people_are_those_in_the_namespace_people() -> None:
    assert shape_of(marker(ns="people")).kind == "person"
    assert shape_of(marker(ns="people/front")).kind == "person"
    assert shape_of(marker(ns="people_of_clay")).kind == "thing"
    assert shape_of(marker(ns="people", number=7)).name == "people 7"


BAD = [
    (marker(at=(float("nan"), 0.0, 0.0)), "finite"),
    (marker(at=(float("inf"), 0.0, 0.0)), "finite"),
    (marker(size=(0.5, float("nan"), 0.5)), "finite"),
    (marker(size=(0.5, 1e30, 0.5)), "at most 1000 m"),
    (marker(size=(0.5, 0.0, 0.5)), "above 0"),
    (marker(size=(0.5, -1.0, 0.5)), "above 0"),
    (marker(wxyz=(0.0, 0.0, 0.0, 0.0)), "has the length 0"),
    (marker(wxyz=(float("nan"), 0.0, 0.0, 0.0)), "has the length nan"),
    (marker(kind=9), "the type 9"),
    (marker(action=1), "the action 1"),
    (marker(frame="map"), "known here is odom and pelvis"),
    (marker(lifetime=-1.0), "lifetime of -1 s"),
    (marker(0.0, lifetime=1.0), "has no stamp"),
    (marker(9.0, lifetime=1.0), "4.0 s in the future"),
    (marker(2.0, frame="pelvis"), "no state of the robot"),
]


@pytest.mark.parametrize(("bad", "why"), BAD, ids=[why for _, why in BAD])
def test_what_cannot_be_used_is_refused_in_words_once_and_holds_until_it_is_right(bad: Any, why: str) -> None:
    told = Told()
    for _ in range(3):
        latest = told(5.0, bad, marker(ns="walls", number=1))
    assert why in told.around.problem
    assert "obstacles 0" in told.around.problem
    assert told.complaints == [told.around.problem]
    assert (latest.lasting, latest.stamp) == (False, 0.0), "older than the shield allows"
    assert told.names == {"walls 1"}, "what others say is used"
    latest = told(5.1, marker(5.1))
    assert told.around.problem == ""
    assert latest.lasting
    assert told.names == {"walls 1", "obstacles 0"}


def test_a_source_that_told_rightly_before_is_as_it_was_when_it_talks_nonsense() -> None:
    told = Told()
    told(5.0, marker(5.0, ns="people", lifetime=1.0))
    latest = told(
        5.2, marker(5.2, ns="people", action=DELETEALL), marker(5.2, ns="people", at=(float("nan"), 0.0, 0.0))
    )
    assert "finite" in told.around.problem
    assert told.names == {"people 0"}
    assert latest.stamp == BEGIN + 5.0, "it was not told of"


# ---- who has to go on telling


def test_things_without_a_lifetime_are_told_once() -> None:
    told = Told()
    assert told.surroundings.latest.lasting
    assert told(5.0, marker(0.0)).lasting, "with no stamp too, as many are sent"
    assert told(5.0, marker(5.0, number=1, frame="/odom")).lasting
    assert told.names == {"obstacles 0", "obstacles 1"}
    assert told.around.summary == "told of 0 people and 2 things"


@pytest.mark.parametrize("living", [{"ns": "people"}, {"lifetime": 2.0}], ids=["people", "lifetime"])
def test_what_may_move_has_to_be_told_again(living: dict[str, Any]) -> None:
    told = Told()
    told(5.0, marker(5.0, **living))
    latest = told(5.4, marker(0.0, ns="walls"))
    assert (latest.lasting, latest.stamp) == (False, BEGIN + 5.0), "another source does not speak for it"
    assert told(5.5, marker(5.5, **living)).stamp == BEGIN + 5.5
    nobody = marker(5.7, action=DELETEALL, ns=living.get("ns", "obstacles"))
    assert told(5.7, nobody).stamp == BEGIN + 5.7
    assert told.names == {"walls 0"}
    assert not told(6.9).lasting, "who has told of people once goes on, even that nobody is there"
    assert told.surroundings.latest.stamp == BEGIN + 5.7


def test_a_source_of_both_kinds_is_heard_by_either() -> None:
    told = Told()
    told(5.0, marker(5.0, lifetime=0.2))
    assert told(5.3, marker(5.3, number=1)).stamp == BEGIN + 5.3
    assert told.names == {"obstacles 1"}
    assert told(5.4, marker(0.0, number=1)).stamp == BEGIN + 5.3, "it does not say when"


def test_what_never_moves_may_be_told_before_the_simulators_time_is_known() -> None:
    told = Told()
    told.around.hear(SimpleNamespace(markers=[marker(5.0)]))
    assert (told.names, told.around.problem, told.surroundings.latest.lasting) == ({"obstacles 0"}, "", True)


def test_a_stamp_a_little_ahead_is_now() -> None:
    assert Told()(5.0, marker(5.3, ns="people")).stamp == BEGIN + 5.0


def test_a_lifetime_ends_when_its_source_goes_on_without_it() -> None:
    told = Told()
    told(5.0, marker(5.0, number=1, lifetime=0.3), marker(5.0, number=2, lifetime=0.3))
    told(5.2, marker(5.2, number=2, lifetime=0.3))
    assert told.names == {"obstacles 1", "obstacles 2"}
    told(5.4, marker(5.4, number=2, lifetime=0.01))
    assert told.names == {"obstacles 2"}
    told(9.0, marker(9.0, ns="people"))
    assert told.names == {"obstacles 2", "people 0"}, "silence does not make a way free"
    told(9.1, marker(8.5, number=2, at=(9.0, 0.0, 0.0), lifetime=0.3), marker(9.1, number=3, lifetime=0.01))
    assert told.names == {"obstacles 2", "obstacles 3", "people 0"}, "told in the same message"


def test_what_is_older_than_what_is_known_is_left_out() -> None:
    told = Told()
    told(5.0, marker(5.0, ns="people", at=(3.0, 0.0, 0.9)))
    latest = told(5.1, marker(4.9, ns="people", at=(2.0, 0.0, 0.9)))
    assert latest.shapes[0].centre[0] == 3.0
    assert latest.stamp == BEGIN + 5.0


def test_markers_are_deleted_one_by_one_by_source_and_all() -> None:
    told = Told()
    told(5.0, *(marker(5.0, ns=ns, number=number) for ns in ("walls", "tables") for number in (1, 2)))
    told(5.1, marker(5.1, ns="walls", number=1, action=DELETE), marker(5.1, ns="walls", number=9, action=DELETE))
    assert told.names == {"walls 2", "tables 1", "tables 2"}
    told(5.2, marker(0.0, ns="tables", action=DELETEALL, frame=""))
    assert told.names == {"walls 2"}
    told(5.3, marker(5.3, ns="junk", kind=9))
    assert told.surroundings.latest.stamp == 0.0
    latest = told(5.4, marker(0.0, ns="", action=DELETEALL, frame=""))
    assert (told.names, told.around.problem, latest.lasting) == (set(), "", True)


def test_there_are_no_more_than_the_shield_can_look_at() -> None:
    told = Told()
    told(5.0, *(marker(5.0, number=number) for number in range(MOST)))
    told(5.1, marker(5.1, number=3), marker(5.1, ns="walls"))
    assert len(told.surroundings.latest.shapes) == MOST
    assert f"more than {MOST} markers" in told.around.problem


# ---- where it is


def test_what_is_seen_from_the_pelvis_is_put_where_the_pelvis_was_then() -> None:
    told = Told()
    for step in range(50):  # it walks at 0.5 m/s
        told.aligner.add_state(state(BEGIN + 5.0 + 0.02 * step, x=0.01 * step))
    latest = told(6.0, marker(5.5, ns="people", frame="pelvis", at=(2.0, 0.3, 0.1), wxyz=tuple(TURNED.tolist())))
    assert latest.frame == "world"
    assert latest.shapes[0].centre == pytest.approx((2.25, 0.3, 0.89), abs=1e-6)
    assert latest.shapes[0].quaternion == pytest.approx(TURNED)


def test_where_nobody_measures_only_the_pelvis_frame_counts_and_everything_has_to_be_told_again() -> None:
    told = Told(placed=False)
    told(5.0, marker(5.0))
    assert "known here is pelvis" in told.around.problem
    latest = told(5.1, marker(5.1, frame="pelvis", at=(2.0, 0.0, 0.1)))
    assert (latest.frame, latest.lasting, latest.stamp) == ("pelvis", False, BEGIN + 5.1)
    assert latest.shapes[0].centre == (2.0, 0.0, 0.1)


def test_messages_of_ros_1_are_understood() -> None:
    old = marker(ns="people", kind=CYLINDER)
    old.header.stamp, old.lifetime = SimpleNamespace(to_sec=lambda: 4.5), SimpleNamespace(to_sec=lambda: 1.0)
    assert Told()(5.0, old).stamp == BEGIN + 4.5


# ---- in front of the shield


def test_the_walking_robot_stops_for_a_person_a_silent_source_and_one_that_talks_nonsense() -> None:
    told = Told()
    guard = Guard(Shield(SPEC, collision=CollisionModel(SPEC, light_g1())), surroundings=told.surroundings)
    wanted = np.array([0.5, 0.0, 0.0])
    guard.start(state(BEGIN + 5.0), BEGIN + 5.0)

    def walk(begin: float, seconds: float, *markers: Any) -> float:
        """The velocity at the end of so many seconds in which these markers come ten times a second."""
        sent = np.zeros(3)
        for tick in range(round(seconds * 50)):
            now = begin + 0.02 * tick
            told.clock.tick(now)
            if markers and tick % 5 == 0:
                for one in markers:
                    one.header.stamp = time_of(now)
                told(now, *markers)
            here = state(BEGIN + now)
            target = Command(stamp=here.stamp, position=SPEC.home_position[SPEC.commanded_index], base_velocity=wanted)
            sent = guard.apply(target, here, here.stamp).base_velocity
        return float(sent[0])

    assert walk(5.0, 1.0) == 0.5, "nothing was told"
    assert 0.0 < walk(6.0, 1.0, marker(at=(1.6, 0.0, 0.9), ns="people", kind=CYLINDER)) < 0.5
    assert guard.counts()[reasons.PERSON] > 0
    assert walk(7.0, 1.0, marker(at=(1.0, 0.0, 0.9), ns="people", kind=CYLINDER)) == 0.0
    assert walk(8.0, 1.0, marker(at=(1.0, 3.0, 0.9), ns="people", kind=CYLINDER)) == 0.5
    assert guard.status == "clear"
    assert walk(9.0, 1.0) == 0.0
    assert guard.status == "HOLD: surroundings"
    assert walk(10.0, 1.0, marker(ns="people", action=DELETEALL)) == 0.5
    assert walk(11.0, 1.0, marker(ns="people", at=(float("nan"), 0.0, 0.0))) == 0.0
    assert guard.status == "HOLD: surroundings"
    assert walk(12.0, 0.3, marker(ns="people", action=DELETEALL), marker(0.0, ns="labels", kind=9)) == 0.0
