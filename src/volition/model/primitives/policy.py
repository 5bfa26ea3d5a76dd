"""The language policy of the first slice: an instruction to a timed sequence of the ten primitives.

    reset("raise your left arm, then take two steps back") -> plan; infer(observation) -> ActionChunk of primitive ids

It sees nothing: pictures and joints are ignored, progress is the robot's own clock. A chunk is one second ahead in
control ticks (K = 50, dt = 0.02 s) rather than in tenths, so that a metre is exactly 2.00 s of walking.
"""

from __future__ import annotations

import numpy as np

from volition.errors import PolicyError
from volition.model.primitives.classifier import Encoder, PrimitiveClassifier
from volition.model.primitives.instructions import split
from volition.model.primitives.plan import TICK, Plan, plan, plan_step
from volition.model.sentence import SentenceEncoder
from volition.robots.primitives import NAMES, PRIMITIVE_ACTION
from volition.types import ActionChunk, ActionSpec, Observation

STEPS = 50  # K: one second ahead, ten times the policy's period, so that a late chunk is not missed


class PrimitivePolicy:
    """Understands an instruction once, at `reset`; `infer` then reads the plan by the observation's stamp."""

    def __init__(self, encoder: Encoder | None = None) -> None:
        self._encoder = encoder or SentenceEncoder()
        self._classifier = PrimitiveClassifier(self._encoder)
        self._plan: Plan | None = None
        self._start: float | None = None

    @property
    def action_spec(self) -> ActionSpec:
        return PRIMITIVE_ACTION

    @property
    def plan(self) -> Plan | None:
        """What the current instruction was understood as."""
        return self._plan

    def understand(self, instruction: str) -> Plan:
        """The plan for an instruction. Raises InstructionError (its kind AmbiguousInstruction asks) for the whole
        instruction if any step of it is not understood: half of a wish is never carried out."""
        steps = []
        for step in split(instruction, self._encoder.is_word):
            match = self._classifier.classify(step)
            steps.append(plan_step(step, match.primitive, match.confidence))
        return plan(instruction, steps)

    def reset(self, instruction: str) -> None:
        self._plan = self._start = None  # a refused instruction must not leave the last one running
        self._plan = self.understand(instruction)

    def infer(self, observation: Observation) -> ActionChunk:
        if self._plan is None:
            raise PolicyError("PrimitivePolicy has no instruction; call reset(instruction) before infer.")
        if self._start is None:
            self._start = observation.stamp
        # Step k acts at stamp + (k + 1) * dt, so the plan's first tick is the first step of the first chunk.
        tick = round((observation.stamp - self._start) / TICK)
        if tick < 0:
            raise PolicyError(
                f"Observation.stamp went back from {self._start:.3f} s to {observation.stamp:.3f} s; call reset for a new run."
            )
        ids = [NAMES.index(self._plan.primitive_at(tick + ahead)) for ahead in range(STEPS)]
        done = tick * TICK >= self._plan.duration - 1e-9
        return ActionChunk(
            stamp=observation.stamp,
            values=np.array(ids, dtype=np.float64)[:, None],  # (K, 1)
            dt=TICK,
            spec=PRIMITIVE_ACTION.name,
            status="done" if done else "running",
            note=_note(self._plan, tick, done),
        )


def _note(plan: Plan, tick: int, done: bool) -> str:
    index, steps = plan.step_at(tick), plan.steps
    if index < len(steps):
        return f"{index + 1}/{len(steps)} {steps[index]}"
    return f"done, {plan.hold}" if done else f"settling, {plan.hold}"
