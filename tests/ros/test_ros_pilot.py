"""The pilot under a fake robot in real time: tasks, standing by, the emergency stop, refusals and faults."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from ros_tools import SPEC, wait_for

from volition.body.whole_body import WholeBody
from volition.errors import InstructionError
from volition.robots.fake import FakePolicy, FakeRobot
from volition.robots.primitives import NAMES, PRIMITIVE_ACTION
from volition.ros.pilot import Parts, Pilot
from volition.runtime.clock import RealClock
from volition.runtime.inference import ThreadedInference
from volition.runtime.recorder import load_run
from volition.safety.estop import EStop
from volition.safety.guard import Guard
from volition.safety.shield import Shield
from volition.types import Command

FORWARD = np.full((20, 1), float(NAMES.index("move_forward")))
BODY = WholeBody(SPEC)


class Robot(FakeRobot):
    """Breaks when it is told to."""

    broken = False

    def command(self, command: Command) -> None:
        if self.broken:
            raise OSError("the wire is cut")
        super().command(command)


class Pedant(FakePolicy):
    """Understands one word."""

    def reset(self, instruction: str) -> None:
        if "walk" not in instruction:
            raise InstructionError(f"{instruction!r} is not walking.")
        super().reset(instruction)


@contextmanager
def piloted(faults: dict[int, str] | None = None, record: Path | None = None) -> Iterator[tuple[Pilot, Robot, EStop]]:
    clock, estop = RealClock(), EStop()
    robot = Robot(SPEC, clock)
    inference = ThreadedInference(Pedant(PRIMITIVE_ACTION, FORWARD, faults=faults))
    pilot = Pilot(
        Parts(
            robot=robot,
            inference=inference,
            action_spec=PRIMITIVE_ACTION,
            body=BODY,
            guard=Guard(Shield(SPEC), estop=estop),
            clock=clock,
            task_limit_s=20.0,
            record=record,
        )
    )
    pilot.start()
    try:
        yield pilot, robot, estop
    finally:
        assert pilot.stop()
        inference.close()


def speed(robot: Robot) -> float:
    return float(robot.commands[-1].base_velocity[0])


def test_it_stands_by_does_what_it_is_told_and_stands_again(tmp_path: Path) -> None:
    with piloted({6: "done"}, record=tmp_path) as (pilot, robot, _):
        wait_for(lambda: len(robot.commands) > 20, 5, "commands while standing by")
        assert pilot.report.state == "standing"
        assert not any(command.base_velocity.any() for command in robot.commands)
        pilot.tell("walk")
        wait_for(lambda: speed(robot) > 0.45, 5, "walking")
        assert (pilot.report.state, pilot.report.instruction) == ("running", "walk")
        wait_for(lambda: pilot.report.ended == "done", 10, "the end")
        wait_for(lambda: pilot.report.state == "standing", 5, "standing by")
        assert speed(robot) == 0.0
    assert pilot.report.state == "inactive"
    recorded = load_run(tmp_path / "task-0000")
    assert recorded.about["instruction"] == "walk"
    assert recorded.arrays["safe_base_velocity"].max() == pytest.approx(0.5)


def test_another_instruction_replaces_the_first_and_halt_ends_it() -> None:
    with piloted() as (pilot, robot, _):
        pilot.tell("walk")
        wait_for(lambda: speed(robot) > 0.45 if robot.commands else False, 5, "walking")
        pilot.tell("walk on")
        wait_for(lambda: pilot.report.instruction == "walk on" and speed(robot) > 0.45, 5, "walking again")
        pilot.halt()
        wait_for(lambda: pilot.report.ended == "halted", 5, "the end")
        wait_for(lambda: pilot.report.state == "standing", 5, "standing by")
        assert speed(robot) == 0.0


def test_what_the_policy_refuses_is_told_and_moves_nothing() -> None:
    with piloted() as (pilot, robot, _):
        pilot.tell("dance")
        wait_for(lambda: pilot.report.ended == "refused", 5, "the refusal")
        assert pilot.report.note == "'dance' is not walking."
        wait_for(lambda: pilot.report.state == "standing" and len(robot.commands) > 20, 5, "standing by")
        assert not any(command.base_velocity.any() for command in robot.commands)


def test_the_emergency_stop_is_latched() -> None:
    with piloted() as (pilot, robot, estop):
        pilot.tell("walk")
        wait_for(lambda: speed(robot) > 0.45 if robot.commands else False, 5, "walking")
        estop.press("a person")
        wait_for(lambda: speed(robot) == 0.0, 5, "standing still")
        wait_for(lambda: pilot.report.state == "stopped", 5, "the report")
        assert pilot.report.note == "a person"
        before = len(robot.commands)
        pilot.tell("walk")  # it does not help
        wait_for(lambda: len(robot.commands) > before + 50, 5, "a second of commands")
        assert not any(command.base_velocity.any() for command in robot.commands[before:])
        assert pilot.report.state == "stopped"
        estop.reset()
        pilot.tell("walk")
        wait_for(lambda: speed(robot) > 0.45, 5, "walking again")


def test_a_robot_that_cannot_be_commanded_is_a_fault() -> None:
    with piloted() as (pilot, robot, _):
        wait_for(lambda: pilot.report.state == "standing", 5, "standing by")
        robot.broken = True
        wait_for(lambda: pilot.report.state == "fault", 5, "the fault")
        assert "the wire is cut" in pilot.report.note


def test_a_policy_that_fails_is_held_by_the_shield_and_the_task_ends_in_time() -> None:
    with piloted(dict.fromkeys(range(3, 1000), "raise")) as (pilot, robot, _):
        pilot.tell("walk")
        wait_for(lambda: pilot.report.shield.startswith("HOLD: policy"), 5, "the shield")
        wait_for(lambda: speed(robot) == 0.0, 5, "standing still")
        pilot.halt()
        wait_for(lambda: pilot.report.ended == "halted", 5, "the end")
        assert pilot.report.stops >= 1
