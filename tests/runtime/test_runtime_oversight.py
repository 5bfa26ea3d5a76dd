"""A person over the loop: pause, take over, resume, approve; and what else may go wrong beside the policy."""

from __future__ import annotations

import os
import pty
import time

import numpy as np
import pytest
from runtime_tools import HOME, JOINT, ROBOT, block

from volition.errors import ContractError
from volition.robots.fake import FakePolicy, FakeRobot
from volition.runtime.clock import FakeClock
from volition.runtime.drivers import DEAD_MAN, Follow, Walk
from volition.runtime.executor import Executor
from volition.runtime.inference import SimulatedInference
from volition.runtime.keyboard import Keyboard
from volition.runtime.oversight import Oversight
from volition.runtime.sight import Sight
from volition.safety import reasons
from volition.safety.estop import EStop
from volition.safety.watchdog import Watchdog


def at(when: dict[float, object]):
    """Calls each at its time, once."""
    left = dict(when)

    def on_tick(tick):
        for stamp in [stamp for stamp in left if tick.stamp >= stamp - 1e-6]:
            left.pop(stamp)()

    return on_tick


def forward(run, begin, end):
    return [tick.safe.base_velocity[0] for tick in run.ticks if begin <= tick.stamp < end]


def test_pause_rests_within_the_limits_and_resume_goes_on(rig):
    over = Oversight()
    run = rig(
        FakePolicy(JOINT, block(forward=0.3, elbow=0.4)),
        oversight=over,
        on_tick=at({1.0: lambda: over.pause("look"), 2.0: over.resume}),
    )
    summary = run.run(3.0)
    assert summary.status == "time"
    assert summary.stops == 0, "a pause is no fault"
    assert max(forward(run, 0.6, 1.0)) == pytest.approx(0.3, abs=0.01)
    assert max(np.abs(forward(run, 1.6, 2.0))) == 0
    assert max(forward(run, 2.4, 3.0)) == pytest.approx(0.3, abs=0.01)
    paused = np.array([tick.safe.position for tick in run.ticks if 1.5 <= tick.stamp < 2.0])
    assert np.ptp(paused, axis=0).max() == 0
    assert summary.interventions[reasons.PAUSED] == summary.interventions[reasons.RESUMED] == 1
    assert not [seen for seen in run.policy.seen if 1.05 < seen.stamp < 1.95], "a paused policy is not asked"
    assert any(text == "paused by a person: look" for _, text in summary.notes)


def test_a_person_walks_the_robot_and_lets_go(rig):
    over, walk = Oversight(), Walk(ROBOT)
    run = rig(
        FakePolicy(JOINT, block(elbow=0.4)),
        oversight=over,
        on_tick=at({1.0: lambda: over.take_over(walk), 1.2: lambda: walk.set(-0.2, 0.0, 0.0), 2.6: over.resume}),
    )
    summary = run.run(3.5)
    assert min(forward(run, 1.4, 1.2 + DEAD_MAN)) == pytest.approx(-0.2)
    assert max(np.abs(forward(run, 2.1, 2.6))) == 0, "the dead man's time is over"
    assert summary.stops == 0
    assert summary.interventions[reasons.TAKEN_OVER] == 1
    arms = np.array([tick.safe.position for tick in run.ticks if 1.4 < tick.stamp < 2.6])
    assert np.ptp(arms, axis=0).max() == 0
    assert over.status == "following the policy"


def test_a_person_is_behind_the_shield_too(rig):
    class Wild:
        def begin(self, state, sent):
            pass

        def command(self, state, now):
            if now > 1.5:
                raise RuntimeError("the remote control broke")
            return type(run.robot.commands[0])(stamp=now, position=HOME + 3.0, base_velocity=np.array([9.0, 0, 0]))

    over = Oversight()
    run = rig(oversight=over, on_tick=at({1.0: lambda: over.take_over(Wild())}))
    summary = run.run(2.0)
    assert max(forward(run, 1.0, 2.0)) <= 0.6
    sent = np.array([command.position for command in run.robot.commands])
    assert np.abs(np.diff(sent, axis=0)).max() <= 8.0 * 0.02 + 1e-9
    assert summary.interventions["policy"] > 5
    assert summary.stops >= 1


def test_a_person_may_hand_over_to_another_policy(rig):
    over, clock = Oversight(), FakeClock()
    robot = FakeRobot(ROBOT, clock)
    run = rig(FakePolicy(JOINT, block()), oversight=over, clock=clock, robot=robot)
    other = FakePolicy(JOINT, block(forward=-0.2))
    follow = Follow(robot, SimulatedInference(other, 0.0), Executor(JOINT), run.body, "back off")
    run.loop._on_tick = at({1.0: lambda: over.take_over(follow)})
    summary = run.run(2.0)
    assert other.instructions == ["back off"]
    assert robot.commands[-60].base_velocity[0] == pytest.approx(-0.2, abs=0.01)
    assert summary.stops == 0


def test_each_chunk_waits_for_a_yes(rig):
    over = Oversight("chunks")
    asked = []
    run = rig(
        FakePolicy(JOINT, block(forward=0.3)),
        oversight=over,
        on_tick=at({0.5: lambda: asked.append(over.question) or over.approve(), 2.0: over.refuse, 3.0: over.approve}),
    )
    summary = run.run(4.5)
    assert asked == ["0.8 s of joint actions: chunk 0"]
    assert max(np.abs(forward(run, 0.0, 0.5))) == 0
    assert max(forward(run, 0.8, 1.2)) == pytest.approx(0.3), "an approved chunk plays to its end"
    assert max(np.abs(forward(run, 2.0, 2.9))) == 0
    assert max(forward(run, 3.3, 3.7)) == pytest.approx(0.3)
    counts = summary.interventions
    assert (counts[reasons.APPROVED], counts[reasons.NOT_APPROVED]) == (2, 1)
    assert summary.stops == 0
    assert summary.accepted == 2


@pytest.mark.parametrize(("yes", "status"), [(True, "time"), (False, "stopped")])
def test_the_instruction_waits_for_a_yes(rig, yes, status):
    over = Oversight("instructions")
    run = rig(oversight=over, on_tick=at({0.5: over.approve if yes else over.refuse}))
    summary = run.run(2.0)
    assert summary.status == status
    assert max(np.abs(forward(run, 0.0, 0.5))) == 0
    assert (max(forward(run, 1.0, 2.0), default=0) > 0.2) == yes


def test_oversight_refuses_what_it_does_not_know():
    with pytest.raises(ContractError, match="approve"):
        Oversight("everything")  # type: ignore[arg-type]
    assert not Oversight().approve()


def test_the_emergency_stop_wins_over_a_person(rig):
    over, walk = Oversight(), Walk(ROBOT)

    def stop():
        walk.set(0.4, 0, 0)
        run.guard.estop.press("button")

    run = rig(oversight=over, on_tick=at({0.5: lambda: over.take_over(walk), 0.8: stop}))
    assert run.run(2.0).status == "stopped"
    assert run.robot.commands[-1].base_velocity[0] == 0


class Jumping(FakeClock):
    """Goes back by a second, once."""

    jumped = False

    def sleep_until(self, time_: float, /) -> None:
        super().sleep_until(time_)
        if self._now >= 1.5 and not self.jumped:
            self.jumped = True
            self._now -= 1.0


def test_a_clock_that_goes_back_is_a_fault_and_work_goes_on(rig):
    run = rig(clock=Jumping())
    summary = run.run(3.0)
    assert summary.interventions[reasons.CLOCK] == 1
    stamps = [tick.stamp for tick in run.ticks]
    back = int(np.flatnonzero(np.diff(stamps) < 0)[0])
    later = [tick.safe.base_velocity[0] for tick in run.ticks[back + 20 : back + 60]]
    assert max(later) == pytest.approx(0.3), "within a second the policy is followed again"
    assert len(stamps) == pytest.approx(3.0 * 50 + 0.6 * 50, abs=4), "the run is as long as it was to be"


class Blind(FakeRobot):
    """From one second on the cameras give one old picture; from three seconds on new ones."""

    old = None

    def look(self):
        images = super().look()
        for image in images.values():
            image[0, 0, 0] = int(50 * self._clock.now()) % 256  # a sensor is never still
        if 1.0 <= self._clock.now() < 3.0:
            self.old = self.old or images
            return self.old
        return images


def test_frozen_pictures_stop_the_robot_until_they_move_again(rig):
    clock = FakeClock()
    run = rig(clock=clock, robot=Blind(ROBOT, clock), sight=Sight(("head",)))
    summary = run.run(4.0)
    assert max(np.abs(forward(run, 2.2, 3.0))) == 0
    assert max(forward(run, 3.5, 4.0)) == pytest.approx(0.3, abs=0.01)
    assert summary.interventions[reasons.SIGHT] > 40
    assert summary.stops == 1


def test_sight_says_what_is_wrong():
    sight, grey = Sight(("head",)), np.full((16, 16, 3), 90, dtype=np.uint8)
    assert sight.check({"head": grey}, 0.0) == ""
    assert "black" in sight.check({"head": grey * 0}, 0.1)
    assert "no picture" in sight.check({}, 0.2)
    assert sight.check({"head": grey + 1}, 0.3) == ""
    assert "not changed for 0.6 s" in sight.check({"head": grey + 1}, 0.9)


def wait(for_what, seconds=5.0):
    end = time.monotonic() + seconds
    while not for_what() and time.monotonic() < end:
        time.sleep(0.01)
    return for_what()


def test_the_watchdog_presses_the_stop_when_the_loop_hangs():
    estop, silent = EStop(), []
    dog = Watchdog(estop, limit_s=0.5, on_silence=lambda: silent.append(1))
    dog.start()
    try:
        for _ in range(20):
            dog.beat()
            time.sleep(0.01)
        assert not estop.pressed
        assert wait(lambda: estop.pressed)
        assert "watchdog" in estop.why
        assert silent == [1]
    finally:
        dog.stop()


def test_keys_on_a_terminal():
    person, terminal = pty.openpty()
    estop, over, walk = EStop(), Oversight(), Walk(ROBOT)
    with Keyboard(estop, over, walk, descriptor=terminal):
        os.write(person, b"p")
        assert wait(lambda: over.status == "paused")
        os.write(person, b"t")
        assert wait(lambda: over.status == "taken over")
        os.write(person, b"rzw ")
        assert wait(lambda: estop.pressed)
        assert over.status == "following the policy"
        os.write(person, b"R")
        assert wait(lambda: not estop.pressed)
    os.close(person)
    os.close(terminal)


def test_a_keyboard_that_is_gone_stops_the_robot():
    read, write = os.pipe()
    estop = EStop()
    with Keyboard(estop, descriptor=read):
        os.close(write)
        assert wait(lambda: estop.pressed)
    assert estop.why == "the keyboard is gone"
    os.close(read)
