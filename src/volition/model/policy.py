"""A trained model as a Policy: what the robot sees and is told, through the codec, to a chunk of actions in its units.

    Observation -> Memory: pictures, state (history) -> VLA.decide -> Memory: Codec.decode -> ActionChunk

The same preparation as in training: a test gives both the same frame and compares. Refuses a robot that differs from
the one it was taught on. What will be done anyway (Observation.ahead) goes the way of training's actions, through
Codec.encode, and guides the heads that sample.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from volition.body.course import felt_by
from volition.body.memory import IMAGE, LONG, SURE, Arrays, Looks, Memory
from volition.body.whereabouts import ROLES
from volition.errors import PolicyError
from volition.model.checkpoint import Checkpoint
from volition.model.heads.guide import Guide, guide
from volition.model.inputs import Context, Inputs, Sentences, Shown, to
from volition.model.uncertainty import Doubts
from volition.robots.description import differences
from volition.types import ActionChunk, ActionSpec, Ahead, Observation, RobotSpec

__all__ = ["LONG", "SURE", "LearnedPolicy", "inputs_of", "looks_of"]


class LearnedPolicy:
    """`seed` is of heads that draw (diffusion, flow); the same seed gives the same run. `doubts`: say with each chunk
    how unsure it is."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        robot: RobotSpec,
        *,
        device: str | torch.device = "cpu",
        seed: int = 0,
        doubts: Doubts | None = None,
    ) -> None:
        self._design, self._codec, self._device, self._seed = checkpoint.design, checkpoint.codec, device, seed
        looks = looks_of(checkpoint)
        wrong = differences(checkpoint.robot, robot, action=self._codec.spec.name, cameras=looks.cameras)
        if wrong:
            raise PolicyError(f"This policy was taught on another robot: {'; '.join(wrong)}.")
        self._memory = Memory(robot, self._codec, looks, dt=checkpoint.design.dt)
        self._model = checkpoint.model.to(device).eval()
        self._doubts = doubts
        self._told: Sentences | None = None
        self._shown: Shown | None = None
        # For those who ask what it looked at: what it was told, and what it decided on last.
        self.said = ""
        self.given: Inputs | None = None

    @property
    def action_spec(self) -> ActionSpec:
        return self._codec.spec

    def show(self, shown: Shown | None) -> None:
        """Demonstrations of what will be asked for, until others are shown; None: no more."""
        if shown is not None and not self._design.shapes.shown:
            raise PolicyError(f"The recipe {self._design.recipe} takes no demonstrations; train few-shot.")
        self._shown = None if shown is None else to(shown, self._device)

    def reset(self, instruction: str) -> None:
        self._memory.reset()
        self._told, self.said, self.given = None, instruction, None
        self._random = torch.Generator(device=self._device).manual_seed(self._seed)
        if self._doubts is not None:
            self._doubts.reset()
        self._told = to(self._model.read([instruction]), self._device)

    def infer(self, observation: Observation) -> ActionChunk:
        if self._told is None:
            raise PolicyError("LearnedPolicy has no instruction; call reset(instruction) before infer.")
        given = inputs_of(self._memory.see(observation), self._told, self._shown)
        inputs = self.given = to(given, self._device)
        leading = self._guide(observation.ahead)
        more: dict[str, Any] = {} if leading is None else {"guide": leading}
        doubt = None
        with torch.inference_mode():
            context = self._context(inputs)
            values, finished = self._model.conclude(context, inputs, rng=self._random, **more)
            if self._doubts is not None:
                doubt = self._doubts.measure(self._model, context, inputs)
        sure = None if finished is None else float(finished[0])
        places = [one[0].double().cpu().numpy() for one in found_in(context)]
        chunk = self._memory.chunk(observation.stamp, values[0].double().cpu().numpy(), sure, *places)
        return chunk if doubt is None else replace(chunk, doubt=doubt)

    def _context(self, inputs: Inputs) -> Context:
        return self._model.think(inputs).context

    def _guide(self, ahead: Ahead | None) -> Guide | None:
        """None where the model, or what is ahead, is not such that the one could go on from the other."""
        same = ahead is not None and ahead.spec == self._codec.spec.name and abs(ahead.dt - self._design.dt) < 1e-9
        if ahead is None or not same or not self._model.continues:
            return None
        known = torch.from_numpy(self._memory.ahead(ahead.values)).to(self._device)
        return guide(known, ahead.fixed, self._design.shapes.chunk)


def found_in(context: Context) -> tuple[Tensor, Tensor] | tuple[()]:
    """Where eyes found the thing and the place, whatever was expected, (B, 2, 3), and how sure they are that these are there (B, 2)."""
    found = context.spots
    if found is None or found.places is None or found.there is None:
        return ()
    return found.places[:, :ROLES], found.there[:, :ROLES]


def looks_of(checkpoint: Checkpoint) -> Looks:
    design = checkpoint.design
    shapes = design.shapes
    places = checkpoint.model.feels and felt_by(checkpoint.codec.states.names)
    return Looks(
        cameras=shapes.cameras, history=shapes.history, history_step=design.history_step, before=shapes.before,
        places=places, course=places and checkpoint.model.remembers,
    )  # fmt: skip


def inputs_of(arrays: Arrays, told: Sentences, shown: Shown | None = None) -> Inputs:
    """What a Memory shows, as a model takes it."""
    images = {name.removeprefix(IMAGE): value for name, value in arrays.items() if name.startswith(IMAGE)}
    more: dict[str, Any] = {
        name: torch.from_numpy(arrays[name]) for name in ("done", "done_mask", "expected", "course") if name in arrays
    }
    return Inputs(
        images={camera: torch.from_numpy(value) for camera, value in images.items()},
        state=torch.from_numpy(arrays["state"]),
        seen=torch.from_numpy(arrays["seen"]),
        sentences=told,
        shown=shown,
        **more,
    )
