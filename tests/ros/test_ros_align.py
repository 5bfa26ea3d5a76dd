"""Alignment by header stamps: the state of the picture's moment, pictures of one moment, and none where parts are far apart."""

from __future__ import annotations

import numpy as np
from ros_tools import SPEC, state

from volition.robots.fake import FakePolicy
from volition.robots.primitives import PRIMITIVE_ACTION
from volition.ros.align import Aligner, between
from volition.ros.arrivals import OnArrival
from volition.ros.patient import LATENCY, Patient
from volition.runtime.inference import Answer, ThreadedInference
from volition.types import Observation


def picture(value: int) -> np.ndarray:
    return np.full((16, 16, 3), value, dtype=np.uint8)


def filled(cameras: tuple[str, ...] = ("head",)) -> Aligner:
    aligner = Aligner(cameras, tolerance_s=0.05)
    for number in range(11):  # 50 Hz, the angle is the time
        aligner.add_state(state(1.0 + 0.02 * number, angle=1.0 + 0.02 * number))
    return aligner


def test_the_state_is_that_of_the_pictures_moment() -> None:
    aligner = filled()
    aligner.add_image("head", 1.105, lambda: picture(7))
    sight = aligner.sight()
    assert sight is not None
    assert sight.stamp == sight.state.stamp == 1.105
    assert np.allclose(sight.state.position, 1.105)
    assert sight.images["head"][0, 0, 0] == 7


def test_a_picture_beyond_the_last_state_waits_for_none_but_not_for_long() -> None:
    aligner = filled()
    aligner.add_image("head", 1.24, lambda: picture(0))  # 40 ms after the last state
    sight = aligner.sight()
    assert sight is not None
    assert np.allclose(sight.state.position, 1.2)
    aligner.add_image("head", 1.26, lambda: picture(0))
    assert aligner.sight() is None
    assert "0.05 s apart" in aligner.problem()


def test_pictures_of_several_cameras_are_of_one_moment() -> None:
    aligner = filled(("head", "left_wrist"))
    assert aligner.problem() == "no picture of head, left_wrist has come"
    for number in range(3):
        aligner.add_image("head", 1.0 + 0.033 * number, lambda number=number: picture(number))
    assert aligner.sight() is None
    aligner.add_image("left_wrist", 1.036, lambda: picture(100))
    sight = aligner.sight()
    assert sight is not None
    assert (sight.stamp, sight.images["head"][0, 0, 0]) == (1.033, 1)  # the second, nearest to 1.036
    assert aligner.problem() == ""


def test_pictures_that_are_far_apart_make_no_sight() -> None:
    aligner = filled(("head", "left_wrist"))
    aligner.add_image("head", 1.1, lambda: picture(0))
    aligner.add_image("left_wrist", 1.16, lambda: picture(0))
    assert aligner.sight() is None


def test_what_is_older_than_the_last_is_left_out() -> None:
    aligner = filled()
    aligner.add_state(state(1.1, angle=50.0))
    aligner.add_image("head", 1.1, lambda: picture(1))
    aligner.add_image("head", 1.0, lambda: picture(2))
    sight = aligner.sight()
    assert sight is not None
    assert sight.images["head"][0, 0, 0] == 1
    assert np.allclose(sight.state.position, 1.1)


def test_between_two_states_the_rotation_takes_the_short_way() -> None:
    before, after = state(0.0, x=0.0), state(1.0, x=2.0)
    turned = state(1.0, x=2.0)
    object.__setattr__(turned, "base_quaternion", -after.base_quaternion)  # the same rotation
    for other in (after, turned):
        middle = between(before, other, 0.25)
        assert np.allclose(middle.base_position, [0.5, 0.0, 0.79])
        assert np.allclose(np.abs(middle.base_quaternion), [1.0, 0.0, 0.0, 0.0])


class Sink:
    """An Inference that keeps what it is given."""

    busy = False

    def __init__(self) -> None:
        self.seen: list[Observation] = []

    def start(self, instruction: str) -> None: ...

    def submit(self, observation: Observation) -> None:
        self.seen.append(observation)

    def poll(self, now: float) -> Answer | None:
        return None

    def close(self) -> None: ...


def feed(rate: float, seconds: float = 2.0, jitter: float = 0.0) -> list[float]:
    """Stamps of the pictures that a 10 Hz policy is given, of a camera at `rate` and a loop at 50 Hz."""
    random, sink = np.random.default_rng(0), Sink()
    aligner = Aligner(("head",))
    inference = OnArrival(sink, aligner, 0.1)
    inference.start("go")
    frames = 10.0 + np.arange(round(rate * seconds)) / rate + random.uniform(-jitter, jitter, round(rate * seconds))
    ticks = 10.0 + np.arange(round(50 * seconds)) / 50
    for time, is_frame in sorted([*((one, True) for one in frames), *((one, False) for one in ticks)]):
        if is_frame:
            aligner.add_image("head", time, lambda: picture(0))
            inference.arrived()
        else:
            aligner.add_state(state(time))
            if round(time * 50) % 5 == 0:
                inference.submit(Observation(stamp=time, state=state(time), images={}, instruction="go"))
    assert all(one.instruction == "go" and set(one.images) == {"head"} for one in sink.seen)
    return [one.stamp for one in sink.seen]


def test_a_policy_gets_every_picture_of_a_slow_camera_and_a_third_of_a_fast_one() -> None:
    for rate, jitter in ((10.0, 0.0), (10.0, 0.01), (30.0, 0.0), (30.0, 0.005)):
        stamps = feed(rate, jitter=jitter)
        assert 19 <= len(stamps) <= 21, (rate, jitter, len(stamps))
        assert np.diff(stamps).min() >= 0.075
    assert len(feed(5.0)) == 10  # no picture is given twice


def test_nothing_is_given_before_a_task_and_after_it() -> None:
    aligner, sink = filled(), Sink()
    inference = OnArrival(sink, aligner, 0.1)
    inference.start("go")
    aligner.add_image("head", 1.1, lambda: picture(0))
    inference.arrived()
    assert sink.seen == []  # the loop has not asked
    inference.submit(Observation(stamp=1.12, state=state(1.12), images={}, instruction="go"))
    assert [one.stamp for one in sink.seen] == [1.1]
    for number in range(40):  # the loop asks no more
        aligner.add_state(state(1.2 + 0.1 * number))
        aligner.add_image("head", 1.2 + 0.1 * number, lambda: picture(0))
        inference.arrived()
    assert len(sink.seen) == 4
    assert SPEC.policy_rate_hz == 10.0


def test_in_simulated_time_a_slow_policy_is_waited_for() -> None:
    policy = FakePolicy(PRIMITIVE_ACTION, np.zeros((5, 1)), delay_s=0.3)
    inference = Patient(ThreadedInference(policy))
    inference.start("go")
    try:
        inference.submit(Observation(stamp=10.0, state=state(10.0), images={}, instruction="go"))
        assert inference.poll(10.02) is None  # not due yet: it does not wait
        answer = inference.poll(10.0 + LATENCY)
        assert answer is not None
        assert answer.stamp == 10.0
    finally:
        inference.close()
