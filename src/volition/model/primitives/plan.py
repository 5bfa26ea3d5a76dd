"""What an instruction was understood as: primitives in order, each with a duration in whole control ticks."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from volition.errors import InstructionError
from volition.model.primitives.amounts import Amount
from volition.model.primitives.instructions import Step
from volition.robots.primitives import STEP_LENGTH, primitive

TICK = 0.02  # s: the control period; amounts come out exact to one tick (1 cm of walking, 0.6 degrees of turning)
SETTLE = 1.5  # s: after a last step that moves or waves the policy waits this long before it says done

A_LITTLE = {"metres": STEP_LENGTH, "radians": math.radians(20)}  # "a bit to the left"
MOST = {
    "metres": 20.0,
    "radians": 8 * math.pi,
    "seconds": 120.0,
}  # a step beyond these is more likely a slip than a wish

_RAISED = ("raise_left_arm", "raise_right_arm")


@dataclass(frozen=True, kw_only=True)
class PlanStep:
    """One primitive for `ticks` control ticks; `confidence` is the cosine to the nearest known phrase."""

    primitive: str
    ticks: int
    amount: Amount | None
    confidence: float
    text: str

    @property
    def duration(self) -> float:
        return self.ticks * TICK

    def __str__(self) -> str:
        spec = primitive(self.primitive)
        forward, left, turn = (abs(velocity) * self.duration for velocity in spec.base_velocity)
        if forward or left:
            return f"{self.primitive} {forward or left:.2g} m"
        return (
            f"{self.primitive} {math.degrees(turn):.0f} degrees" if turn else f"{self.primitive} {self.duration:.2g} s"
        )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The steps, the primitive that is held after them, and the seconds it is held before the task counts as done."""

    instruction: str
    steps: tuple[PlanStep, ...]
    hold: str
    settle: float

    @property
    def ticks(self) -> int:
        return sum(step.ticks for step in self.steps)

    @property
    def duration(self) -> float:
        """Seconds of all steps and the settling."""
        return self.ticks * TICK + self.settle

    def step_at(self, tick: int) -> int:
        """Index of the step at a tick since the start; len(steps) once all are over."""
        for index, step in enumerate(self.steps):
            tick -= step.ticks
            if tick < 0:
                return index
        return len(self.steps)

    def primitive_at(self, tick: int) -> str:
        index = self.step_at(tick)
        return self.steps[index].primitive if index < len(self.steps) else self.hold

    def __str__(self) -> str:
        return ", then ".join(map(str, self.steps))


def plan_step(step: Step, name: str, confidence: float) -> PlanStep:
    """The step's duration: amount / speed of the primitive, the seconds given, or the primitive's default."""
    spec = primitive(name)
    forward, left, turn = map(abs, spec.base_velocity)
    speed, rate = forward or left, turn
    amount = step.amount
    if amount is None:
        seconds = spec.default_duration
    elif amount.kind == "small":
        seconds = A_LITTLE["radians"] / rate if rate else A_LITTLE["metres"] / speed if speed else spec.default_duration
    elif amount.kind == "seconds":
        seconds = _within(step, "seconds", amount.value, "s")
    elif amount.kind == "radians" and rate:
        seconds = _within(step, "radians", amount.value, "rad") / rate
    elif amount.kind == "number" and rate and amount.value >= 10:  # "turn left 90": nobody means radians
        seconds = _within(step, "radians", math.radians(amount.value), "rad") / rate
    elif amount.kind in ("metres", "steps") and speed:
        metres = amount.value * STEP_LENGTH if amount.kind == "steps" else amount.value
        seconds = _within(step, "metres", metres, "m") / speed
    else:
        takes = "degrees or seconds" if rate else "metres, steps or seconds" if speed else "seconds"
        raise InstructionError(f"{step.text!r}: {name} does not take {amount}; it takes {takes}.")
    return PlanStep(
        primitive=name, ticks=max(1, round(seconds / TICK)), amount=amount, confidence=confidence, text=step.text
    )


def plan(instruction: str, steps: list[PlanStep]) -> Plan:
    """Steps joined to a plan: repeated stops merged, and a raised arm kept up through waits and to the end.

    No `stop` is put between steps, because it would lower an arm that is up; and "raise your arm, wait two
    seconds, walk back" waits with the arm up for the same reason. Only a spoken stop or lowering brings it down.
    """
    joined: list[PlanStep] = []
    raised: list[str] = []  # primitives of the arms that are up, the latest last
    for step in steps:
        if raised and step.primitive == "stop" and re.match(r"(?:wait|pause|hold|stay|stand)\b", step.text):
            step = replace(step, primitive=raised[-1])
        if joined and step.primitive == joined[-1].primitive == "stop" and step.amount is None:
            continue  # "stop. stand still." is one wish
        joined.append(step)
        if step.primitive == "stop":
            raised = []
        elif step.primitive in (*_RAISED, "wave"):
            gone = "raise_right_arm" if step.primitive == "wave" else step.primitive  # waving uses the right arm
            raised = [name for name in raised if name != gone]
            raised += [step.primitive] if step.primitive in _RAISED else []
    last = joined[-1].primitive
    settle = SETTLE if primitive(last).moves or last == "wave" else 0.0
    return Plan(instruction=instruction, steps=tuple(joined), hold=raised[-1] if raised else "stop", settle=settle)


def _within(step: Step, kind: str, value: float, unit: str) -> float:
    if not 0 < value <= MOST[kind] + 1e-9:
        raise InstructionError(
            f"{step.text!r} asks for {value:.4g} {unit}; above 0 and at most {MOST[kind]:.4g} {unit} a step is allowed."
        )
    return value
