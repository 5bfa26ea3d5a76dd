"""A trained model as a Policy: what the robot sees and is told, through the codec, to a chunk of actions in its units.

    Observation -> Memory: pictures, state (history) -> VLA.decide -> Memory: Codec.decode -> ActionChunk

The same preparation as in training: a test gives both the same frame and compares. Refuses a robot that differs from
the one it was taught on.
"""

from __future__ import annotations

import torch

from volition.body.memory import IMAGE, LONG, SURE, Arrays, Looks, Memory
from volition.errors import PolicyError
from volition.model.checkpoint import Checkpoint, Design
from volition.model.inputs import Inputs, Sentences, Shown, to
from volition.robots.description import differences
from volition.types import ActionChunk, ActionSpec, Observation, RobotSpec

__all__ = ["LONG", "SURE", "LearnedPolicy", "inputs_of", "looks_of"]


class LearnedPolicy:
    """`seed` is of heads that draw (diffusion, flow); the same seed gives the same run."""

    def __init__(
        self, checkpoint: Checkpoint, robot: RobotSpec, *, device: str | torch.device = "cpu", seed: int = 0
    ) -> None:
        self._design, self._codec, self._device, self._seed = checkpoint.design, checkpoint.codec, device, seed
        looks = looks_of(checkpoint.design)
        wrong = differences(checkpoint.robot, robot, action=self._codec.spec.name, cameras=looks.cameras)
        if wrong:
            raise PolicyError(f"This policy was taught on another robot: {'; '.join(wrong)}.")
        self._memory = Memory(robot, self._codec, looks, dt=checkpoint.design.dt)
        self._model = checkpoint.model.to(device).eval()
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
        self._told = to(self._model.read([instruction]), self._device)

    def infer(self, observation: Observation) -> ActionChunk:
        if self._told is None:
            raise PolicyError("LearnedPolicy has no instruction; call reset(instruction) before infer.")
        given = inputs_of(self._memory.see(observation), self._told, self._shown)
        inputs = self.given = to(given, self._device)
        with torch.inference_mode():
            values, finished = self._model.decide(inputs, rng=self._random)
        sure = None if finished is None else float(finished[0])
        return self._memory.chunk(observation.stamp, values[0].double().cpu().numpy(), sure)


def looks_of(design: Design) -> Looks:
    shapes = design.shapes
    return Looks(cameras=shapes.cameras, history=shapes.history, history_step=design.history_step, before=shapes.before)


def inputs_of(arrays: Arrays, told: Sentences, shown: Shown | None = None) -> Inputs:
    """What a Memory shows, as a model takes it."""
    images = {name.removeprefix(IMAGE): value for name, value in arrays.items() if name.startswith(IMAGE)}
    done, mask = arrays.get("done"), arrays.get("done_mask")
    return Inputs(
        images={camera: torch.from_numpy(value) for camera, value in images.items()},
        state=torch.from_numpy(arrays["state"]),
        seen=torch.from_numpy(arrays["seen"]),
        sentences=told,
        done=None if done is None else torch.from_numpy(done),
        done_mask=None if mask is None else torch.from_numpy(mask),
        shown=shown,
    )
