"""The one loop: its order, its two rates, how runs end, and that no failure above the shield stops it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import numpy as np
import pytest
from runtime_tools import ARMS, JOINT, ROBOT, block

from volition.errors import ContractError, InstructionError
from volition.robots.fake import FakePolicy, FakeRobot
from volition.runtime.clock import FakeClock, RealClock
from volition.runtime.inference import ThreadedInference
from volition.runtime.recorder import Recorder, load_run

ELBOW = ROBOT.joint_names.index("left_elbow_joint")


def test_a_clean_run(rig):
    run = rig(FakePolicy(JOINT, block(forward=0.3, elbow=0.4)))
    summary = run.run(3.0)
    assert summary.status == "time"
    assert summary.duration_s == pytest.approx(3.0, abs=0.021)
    assert (summary.misses, summary.worst_late_s, summary.on_time) == (0, 0.0, 1.0)
    assert (summary.refused, summary.errors, summary.late) == (0, 0, 0)
    assert summary.accepted == 30
    assert summary.latency_p50_s == summary.latency_max_s == 0.05
    assert summary.stops == 0, run.guard.summary()
    assert run.body.resets == 1
    state = run.robot.read()
    assert state.position[ELBOW] == pytest.approx(ROBOT.home_position[ELBOW] + 0.4, abs=1e-3)
    assert state.base_position[0] == pytest.approx(0.3 * 3.0, abs=0.1)


def test_two_rates(rig):
    run = rig()
    run.run(2.0)
    assert len(run.policy.seen) == 20 + 1  # at 0.0, 0.1 ... 2.0
    stamps = np.array([tick.stamp for tick in run.ticks])
    assert np.allclose(np.diff(stamps), 0.02)
    assert [round(seen.stamp, 3) for seen in run.policy.seen] == [round(0.1 * k, 3) for k in range(21)]
    assert set(run.policy.seen[3].images) == {"head", "left_wrist", "right_wrist"}
    assert run.policy.seen[3].instruction == "go"


def test_stepped_by_hand_it_does_the_same(rig):
    """`start` and `step` are `run` in pieces; after a step the robot has its command and no time has passed yet."""
    whole, stepped = rig(), rig()
    whole.run(1.0)
    with pytest.raises(ContractError, match="start"):
        stepped.loop.step()
    stepped.loop.start("go", limit_s=1.0)
    while stepped.loop.step():
        assert stepped.clock.now() == stepped.ticks[-1].stamp
    assert not stepped.loop.step()
    assert [tick.stamp for tick in stepped.ticks] == [tick.stamp for tick in whole.ticks]
    for ours, theirs in zip(stepped.robot.commands, whole.robot.commands, strict=True):
        assert np.array_equal(ours.position, theirs.position)
        assert np.array_equal(ours.base_velocity, theirs.base_velocity)


def test_order_within_a_tick(rig):
    """State, then pictures, then inference; what goes to the robot comes from this tick's state, through the shield."""
    calls = []

    class Watched(FakeRobot):
        def read(self):
            calls.append("read")
            return super().read()

        def look(self):
            calls.append("look")
            return super().look()

        def command(self, command):
            calls.append("command")
            super().command(command)

    clock = FakeClock()
    policy = FakePolicy(JOINT, lambda seen: calls.append("infer") or block())
    run = rig(
        policy, clock=clock, robot=Watched(ROBOT, clock), on_tick=lambda tick: calls.append("tick"), latency_s=0.0
    )
    guard_apply = run.guard.apply
    run.guard.apply = lambda *given: calls.append("shield") or guard_apply(*given)
    run.run(0.1)
    assert calls[:11] == [
        "read",
        "read",
        "look",
        "infer",
        "shield",
        "command",
        "tick",
        "read",
        "shield",
        "command",
        "tick",
    ]


def test_the_shield_is_in_it_always(rig):
    """A policy that wants the impossible gets a motion inside the limits."""
    values = block()
    values[::2, JOINT.index("left_elbow_joint")] = 2.0
    values[1::2, JOINT.index("left_elbow_joint")] = -1.0
    run = rig(FakePolicy(JOINT, values))
    summary = run.run(2.0)
    slot = [joint.name for joint in ROBOT.commanded].index("left_elbow_joint")
    sent = np.array([command.position[slot] for command in run.robot.commands])
    assert np.abs(np.diff(sent)).max() <= 4.0 * 0.02 + 1e-9
    assert sum(summary.interventions.values()) > 0
    assert sum(len(tick.interventions) for tick in run.ticks) == len(run.guard.events)


def test_every_run_ends_at_rest(rig):
    run = rig(FakePolicy(JOINT, block(forward=0.6)))
    run.run(1.0)
    assert run.robot.commands[-1].base_velocity == pytest.approx([0, 0, 0])
    speed = [command.base_velocity[0] for command in run.robot.commands]
    assert max(speed) == pytest.approx(0.6, abs=1e-3)
    assert np.abs(np.diff(speed)).max() <= 1.5 * 0.02 + 1e-9
    assert run.ticks[-1].shield == "clear"
    assert len(run.policy.seen) == 11, "nobody asks the policy while the robot comes to rest"


def test_stands_without_a_stop_until_the_first_chunk(rig):
    run = rig(latency_s=0.3)
    summary = run.run(0.28)
    assert summary.accepted == 0
    assert summary.stops == 0
    assert all(tick.action is None and tick.command is not None for tick in run.ticks)
    assert np.allclose(run.robot.read().position, ROBOT.home_position)


@pytest.mark.parametrize("verdict", ["done", "failed"])
def test_the_policy_ends_the_run_after_its_chunk(rig, verdict):
    run = rig(FakePolicy(JOINT, block(4), faults={5: verdict}), settle_s=0.2)
    summary = run.run(10.0)
    assert summary.status == verdict
    # observed at 0.5, its four steps end at 0.9, then it settles
    assert summary.duration_s == pytest.approx(1.1, abs=0.021)
    assert "the policy says" in summary.notes[-1][1]


def test_until_ends_the_run(rig):
    run = rig()
    summary = run.run(10.0, until=lambda state: state.base_position[0] > 0.5)
    assert summary.status == "reached"
    assert 1.5 < summary.duration_s < 2.5


def test_exceptions_of_the_policy_are_reported_and_the_loop_goes_on(rig):
    run = rig(FakePolicy(JOINT, block(forward=0.3), faults=dict.fromkeys(range(10, 20), "raise")))
    summary = run.run(4.0)
    assert summary.status == "time"
    assert summary.errors == 10
    assert summary.interventions["policy"] == 10
    assert summary.stops >= 1
    assert any("FakePolicy fails at inference 12" in text for _, text in summary.notes)
    held = next(tick for tick in run.ticks if tick.stamp > 1.95)
    assert held.shield.startswith("HOLD")
    assert run.ticks[150].shield in ("clear", "limiting: acceleration"), "it goes on once the policy does"
    assert run.robot.read().base_position[0] > 0.5


def test_nan_chunks_are_refused(rig):
    run = rig(FakePolicy(JOINT, block(forward=0.3), faults={3: "nan", 4: "nan"}))
    summary = run.run(1.5)
    assert summary.refused == 2
    assert summary.interventions["not_finite"] == 2
    assert summary.stops == 0, "two chunks short is no reason to stop"
    assert all(np.isfinite(command.position).all() for command in run.robot.commands)


def test_a_policy_later_than_its_own_horizon(rig):
    """Two steps of 0.1 s that come after 0.3 s: every step has passed. The robot stands, and the summary says why."""
    run = rig(FakePolicy(JOINT, block(2, forward=0.3)), latency_s=0.3)
    summary = run.run(3.0)
    assert summary.accepted == 0
    assert summary.late == summary.refused > 5
    assert "too late" in summary.notes[0][1]
    assert np.allclose(run.robot.read().base_position[0], 0.0)


def test_a_body_that_fails_leaves_the_robot_to_the_shield(rig):
    run = rig(FakePolicy(JOINT, block(forward=0.3)))
    run.body.fails_at = 1.0
    summary = run.run(2.0)
    assert summary.status == "time"
    assert summary.interventions["solver"] >= 4
    assert summary.stops == 1
    assert any("ArithmeticError: no solution" in text for _, text in summary.notes)


def test_a_chunk_of_another_action_space(rig):
    values = np.tile(0.5 * (ROBOT.action("ee").low + ROBOT.action("ee").high), (4, 1))
    summary = rig(FakePolicy(ROBOT.action("ee"), values)).run(1.0)
    assert summary.accepted == 0
    assert summary.refused == 10
    assert any("'joint' (19 dimensions) got a chunk of 'ee'" in text for _, text in summary.notes)


def test_counts_are_of_this_run(rig):
    run = rig(FakePolicy(JOINT, block(), faults={2: "raise"}))
    assert run.run(1.0).interventions["policy"] == 1
    second = run.run(1.0)
    assert "policy" not in second.interventions
    assert (second.stops, second.errors) == (0, 0)


def test_deterministic(rig):
    def once():
        run = rig(
            FakePolicy(JOINT, lambda seen: block(forward=0.1 + 0.1 * np.sin(seen.stamp), elbow=np.cos(seen.stamp)))
        )
        run.run(2.0)
        return np.array([[*command.position, *command.base_velocity] for command in run.robot.commands])

    assert np.array_equal(once(), once())


def test_without_cameras(rig):
    run = rig(cameras=False)
    run.run(0.5)
    assert run.policy.seen[0].images == {}


def test_the_instruction_is_refused_before_the_robot_is_touched(rig):
    run = rig()

    def refuse(instruction):
        raise InstructionError(f"cannot {instruction}")

    run.policy.reset = refuse
    with pytest.raises(InstructionError, match="cannot go"):
        run.run(1.0)
    assert run.robot.commands == []
    with pytest.raises(ContractError, match="limit_s"):
        run.run(0.0)


def test_ctrl_c_presses_the_stop_and_ends_gracefully(rig, tmp_path):
    def interrupt(tick):
        if tick.index == 50:
            os.kill(os.getpid(), signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    run = rig(FakePolicy(JOINT, block(forward=0.6)), on_tick=interrupt, recorder=Recorder(tmp_path))
    summary = run.run(10.0)
    assert summary.status == "stopped"
    assert summary.duration_s == pytest.approx(1.0, abs=0.05)
    assert run.guard.estop.pressed
    assert run.ticks[-1].shield == "HOLD: estop"
    assert run.robot.commands[-1].base_velocity == pytest.approx([0, 0, 0])
    assert signal.getsignal(signal.SIGINT) is handler
    assert load_run(tmp_path).about["summary"]["status"] == "stopped"


def test_a_viewer_that_is_closed_is_ctrl_c(rig):
    def close(tick):
        if tick.index == 20:
            raise KeyboardInterrupt

    assert rig(on_tick=close).run(10.0).status == "stopped"


def test_the_second_ctrl_c_does_not_wait(rig):
    def insist(tick):
        if tick.index in (20, 22):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        rig(on_tick=insist).run(10.0)


def test_a_pressed_stop_ends_the_run(rig):
    def press(tick):
        if tick.index == 30:
            run.guard.estop.press("red button")

    run = rig(on_tick=press)
    summary = run.run(10.0)
    assert summary.status == "stopped"
    assert "red button" in summary.notes[-1][1]


def test_when_the_loop_itself_fails_the_robot_is_brought_to_rest(rig, tmp_path):
    def fail(tick):
        if tick.index == 60:
            raise OSError("disk full")

    run = rig(FakePolicy(JOINT, block(forward=0.6)), on_tick=fail, recorder=Recorder(tmp_path))
    with pytest.raises(OSError, match="disk full"):
        run.run(10.0)
    assert run.robot.commands[60].base_velocity[0] > 0.5
    assert run.robot.commands[-1].base_velocity == pytest.approx([0, 0, 0])
    about = load_run(tmp_path).about
    assert about["summary"]["status"] == "error"
    assert "disk full" in about["summary"]["notes"][-1][1]


# Real time. Other work may run on this machine, so one bad stretch is forgiven: the best of three runs counts. If
# none is good, a bare loop that only sleeps is timed beside the same load: where that is late too, nothing is learnt.


def compute(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(100))


def bare_loop_on_time(load: str) -> float:
    sys.setswitchinterval(0.001)
    if load == "computes in Python":
        threading.Thread(target=compute, args=(1.0,), daemon=True).start()
    clock, late = RealClock(), []
    for k in range(1, 50):
        clock.sleep_until(0.02 * k)
        late.append(clock.now() - 0.02 * k)
    return float(np.mean(np.array(late) < 0.005))


@pytest.mark.parametrize("load", ["sleeps", "computes in Python", "hangs"])
def test_real_time_is_kept_beside_a_slow_policy(rig, load):
    interval, shares = sys.getswitchinterval(), []
    for _ in range(6):
        faults = {1: "hang"} if load == "hangs" else {}
        delay = 0.0 if load == "hangs" else 1.0
        sleep = compute if load == "computes in Python" else time.sleep
        policy = FakePolicy(JOINT, block(16, forward=0.3), delay_s=delay, faults=faults, sleep=sleep)
        inference = ThreadedInference(policy, close_deadline_s=0.05)
        run = rig(policy, inference=inference, clock=RealClock(), rest_s=0.1)
        summary = run.run(1.5)
        policy.release()
        inference.close()
        assert summary.status == "time"
        if load == "hangs":
            assert summary.accepted == 1
            assert any(tick.shield == "HOLD: stale" for tick in run.ticks)
        else:
            assert summary.accepted == 0, "older than the shield allows"
            assert summary.interventions["late"] >= 1
        shares.append(summary.on_time)
        if shares[-1] >= 0.97:
            break
    else:
        bare = bare_loop_on_time(load)
        if bare < 0.97:
            pytest.skip(f"this machine is too busy: a loop that only sleeps is on time in {bare:.0%}")
    sys.setswitchinterval(interval)
    assert max(shares) >= 0.97


def test_real_time_misses_are_counted_and_not_made_up(rig):
    stalled = []

    def stall(tick):
        if tick.index >= 10 and not stalled:  # a busy machine may leave the tenth out
            stalled.append(tick.index)
            time.sleep(0.15)

    run = rig(clock=RealClock(), on_tick=stall, rest_s=0.0)
    summary = run.run(0.6)
    assert summary.misses >= 6
    assert summary.worst_late_s < 0.15, "ticks are left out, not sent in a burst"
    gaps = np.diff([tick.stamp for tick in run.ticks])
    assert gaps.max() > 0.14
    assert sorted(gaps)[len(gaps) // 10] > 0.01
    assert summary.ticks == pytest.approx(31, abs=2)


def test_it_runs_outside_the_main_thread(rig):
    found = []
    run = rig()
    thread = threading.Thread(target=lambda: found.append(run.run(0.5)))
    thread.start()
    thread.join(10)
    assert found[0].status == "time"


def test_with_the_whole_body(rig):
    """The real body in place of the small one, in the primitive space: discrete actions become walking and gestures."""
    whole_body = pytest.importorskip("volition.body.whole_body")
    from volition.robots.primitives import NAMES, PRIMITIVE_ACTION
    from volition.runtime.executor import Executor
    from volition.runtime.inference import SimulatedInference
    from volition.runtime.loop import Loop
    from volition.safety.guard import Guard
    from volition.safety.shield import Shield

    clock = FakeClock()
    robot = FakeRobot(ROBOT, clock)
    policy = FakePolicy(PRIMITIVE_ACTION, np.full((5, 1), NAMES.index("move_forward")))
    loop = Loop(
        robot=robot,
        inference=SimulatedInference(policy, 0.05),
        executor=Executor(PRIMITIVE_ACTION),
        body=whole_body.WholeBody(ROBOT),
        guard=Guard(Shield(ROBOT)),
        clock=clock,
    )
    summary = loop.run("forward", limit_s=2.0)
    assert summary.stops == 0
    assert robot.read().base_position[0] == pytest.approx(0.5 * 2.0, abs=0.15)
    assert len(ARMS) == 14
