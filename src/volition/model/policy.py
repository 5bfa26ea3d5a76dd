"""A trained model as a Policy: what the robot sees and is told, through the codec, to a chunk of actions in its units.

    Observation -> pictures, state (history) -> VLA.decide -> Codec.decode -> ActionChunk

The same preparation as in training: a test gives both the same frame and compares. Refuses a robot that differs from
the one it was taught on.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from volition.body.proprioception import Proprioception
from volition.errors import PolicyError
from volition.model.checkpoint import Checkpoint
from volition.model.inputs import Inputs, Sentences, Shown, to
from volition.robots.description import differences
from volition.types import ActionChunk, ActionSpec, Observation, RobotSpec

SURE, LONG = 0.8, 5  # it is done when the model has been this sure of it for so many decisions in a row


@dataclass(frozen=True)
class _Seen:
    stamp: float
    images: dict[str, np.ndarray]
    state: np.ndarray  # (S,) in units


class LearnedPolicy:
    """`seed` is of heads that draw (diffusion, flow); the same seed gives the same run."""

    def __init__(
        self, checkpoint: Checkpoint, robot: RobotSpec, *, device: str | torch.device = "cpu", seed: int = 0
    ) -> None:
        self._design, self._codec, self._device, self._seed = checkpoint.design, checkpoint.codec, device, seed
        self._cameras = checkpoint.design.shapes.cameras
        wrong = differences(checkpoint.robot, robot, action=self._codec.spec.name, cameras=self._cameras)
        if wrong:
            raise PolicyError(f"This policy was taught on another robot: {'; '.join(wrong)}.")
        self._proprioception = Proprioception(robot)
        if self._proprioception.names != self._codec.states.names:
            raise PolicyError("This policy was taught with other numbers of the robot's state, or in another order.")
        self._model = checkpoint.model.to(device).eval()
        shapes = checkpoint.design.shapes
        self._back = (shapes.history - 1) * checkpoint.design.history_step
        self._seen: deque[_Seen] = deque(maxlen=self._back + 1)
        self._done: deque[np.ndarray] = deque(maxlen=max(shapes.before, 1))  # actions in units, of the steps before
        self._told: Sentences | None = None
        self._shown: Shown | None = None
        self._sure = 0
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
        self._seen.clear()
        self._done.clear()
        self._sure, self._told, self.said, self.given = 0, None, instruction, None
        self._random = torch.Generator(device=self._device).manual_seed(self._seed)
        self._told = to(self._model.read([instruction]), self._device)

    def infer(self, observation: Observation) -> ActionChunk:
        if self._told is None:
            raise PolicyError("LearnedPolicy has no instruction; call reset(instruction) before infer.")
        inputs = self.given = self._inputs(observation)
        with torch.inference_mode():
            values, finished = self._model.decide(inputs, rng=self._random)
        chunk = values[0].double().cpu().numpy()
        if not np.isfinite(chunk).all():  # before decoding, which would clip infinity to a bound
            raise PolicyError("The model gave numbers that are not finite.")
        actions = self._codec.decode(chunk, self._seen[-1].state)
        self._done.append(actions[0].astype(np.float32))
        share = 0.0 if finished is None else float(finished[0])
        self._sure = self._sure + 1 if share > SURE else 0
        status: Literal["running", "done"] = "done" if self._sure >= LONG else "running"
        return ActionChunk(
            stamp=observation.stamp,
            values=actions,
            dt=self._design.dt,
            spec=self._codec.spec.name,
            status=status,
            note=f"done {100 * share:.0f} %" if finished is not None else "",
        )

    def _inputs(self, observation: Observation) -> Inputs:
        missing = [camera for camera in self._cameras if camera not in observation.images]
        if missing:
            raise PolicyError(f"The observation lacks pictures of {', '.join(missing)}, which this policy looks at.")
        state = self._proprioception.vector(observation.state).astype(np.float32)  # as data sets store it
        images = {camera: observation.images[camera] for camera in self._cameras}
        self._seen.append(_Seen(observation.stamp, images, state))
        shapes, step = self._design.shapes, self._design.history_step
        places = [len(self._seen) - 1 - age * step for age in range(shapes.history - 1, -1, -1)]
        frames = [self._seen[max(place, 0)] for place in places]
        pictures = {
            camera: torch.from_numpy(np.stack([frame.images[camera] for frame in frames]))[None]
            for camera in self._cameras
        }
        states = self._codec.state(np.stack([frame.state for frame in frames]))
        inputs = Inputs(
            images=pictures,
            state=torch.from_numpy(states.astype(np.float32))[None],
            seen=torch.tensor([[place >= 0 for place in places]]),
            sentences=self._told or self._model.read([""]),
            shown=self._shown,
        )
        if shapes.before:
            inputs = self._with_actions(inputs, state)
        return to(inputs, self._device)

    def _with_actions(self, inputs: Inputs, state: np.ndarray) -> Inputs:
        """The actions before, relative to where the hands are now."""
        count = self._design.shapes.before
        # As in training: the episode's first action stands in for those before it, and is masked.
        known = list(self._done)
        filler = known[0] if known else np.zeros(len(self._codec.spec.names))
        rows = np.stack([*[filler] * (count - len(known)), *known])
        encoded = self._codec.encode(rows, state).astype(np.float32)
        mask = [False] * (count - len(known)) + [True] * len(known)
        return replace(inputs, done=torch.from_numpy(encoded)[None], done_mask=torch.tensor([mask]))
