"""What a learned policy is shown at each decision, and what its answer means: the same lines with torch and without.

Observation -> Memory.see -> pictures, state, what came before: arrays of a batch of one, for a model
a model's chunk, how sure it is to be done -> Memory.chunk -> ActionChunk in the robot's units
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from volition.body.proprioception import Proprioception
from volition.body.whereabouts import Whereabouts
from volition.errors import PolicyError
from volition.transforms.codec import Codec
from volition.types import ActionChunk, Observation, RobotSpec

IMAGE = "image."  # and the camera's name
SURE, LONG = 0.8, 5  # it is done when the model has been this sure of it for so many decisions in a row
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Looks:
    """What a policy was taught to look at: `history` pictures, so many decisions apart, and `before` actions."""

    cameras: tuple[str, ...]
    history: int = 1
    history_step: int = 1
    before: int = 0
    places: bool = False  # its hands go by where things are, and are told where these should be ...
    course: bool = False  # ... and how things went since the robot was told


@dataclass(frozen=True)
class _Seen:
    images: dict[str, np.ndarray]
    state: np.ndarray  # (S,) in units, float32 as data sets store it


class Memory:
    """Of one run; `reset` before the next."""

    def __init__(self, robot: RobotSpec, codec: Codec, looks: Looks, *, dt: float) -> None:
        self._codec, self._looks, self._dt = codec, looks, dt
        self._proprioception = Proprioception(robot)
        if self._proprioception.names != codec.states.names:
            raise PolicyError("This policy was taught with other numbers of the robot's state, or in another order.")
        self._seen: deque[_Seen] = deque(maxlen=(looks.history - 1) * looks.history_step + 1)
        self._done: deque[np.ndarray] = deque(maxlen=max(looks.before, 1))  # actions in units, of the steps before
        self._whereabouts = Whereabouts(codec.states.names) if looks.places else None
        self._at, self._sure = 0.0, 0

    def reset(self) -> None:
        self._seen.clear()
        self._done.clear()
        self._at, self._sure = 0.0, 0
        if self._whereabouts is not None:
            self._whereabouts.reset()

    def see(self, observation: Observation) -> Arrays:
        """`image.CAMERA` (1, T, H, W, 3) uint8, `state` (1, T, S), `seen` (1, T); with actions before, `done`
        (1, H, A) and `done_mask` (1, H); with places, `expected` (1, 2, 6), and of those that are told of it `course` (1, 37)."""
        missing = [camera for camera in self._looks.cameras if camera not in observation.images]
        if missing:
            raise PolicyError(f"The observation lacks pictures of {', '.join(missing)}, which this policy looks at.")
        return self.remember(observation.images, self._proprioception.vector(observation.state), observation.stamp)

    def remember(self, images: Mapping[str, np.ndarray], state: np.ndarray, stamp: float | None = None) -> Arrays:
        """As `see`, of a moment whose state (S,) is known already; without a stamp the next one, as in a data set."""
        self._at = self._at + self._dt if stamp is None else stamp
        looks, felt = self._looks, state.astype(np.float32)
        self._seen.append(_Seen({camera: images[camera] for camera in looks.cameras}, felt))
        places = [len(self._seen) - 1 - age * looks.history_step for age in range(looks.history - 1, -1, -1)]
        frames = [self._seen[max(place, 0)] for place in places]
        shown: Arrays = {
            IMAGE + camera: np.stack([frame.images[camera] for frame in frames])[None] for camera in looks.cameras
        }
        states = self._codec.state(np.stack([frame.state for frame in frames]))
        shown["state"] = states.astype(np.float32)[None]
        shown["seen"] = np.array([[place >= 0 for place in places]])
        if looks.before:
            shown |= self._before(felt)
        if self._whereabouts is not None:
            shown["expected"] = self._whereabouts.expect(state, self._at).astype(np.float32)[None]
            if looks.course:
                shown["course"] = self._whereabouts.course().astype(np.float32)[None]
        return shown

    def ahead(self, actions: np.ndarray) -> np.ndarray:
        """Actions (N, A) in units, as the model's chunk would say them at the moment seen last: (N, A) in its scale."""
        return self._codec.encode(actions, self._seen[-1].state).astype(np.float32)

    def chunk(
        self,
        stamp: float,
        values: np.ndarray,
        sure: float | None = None,
        places: np.ndarray | None = None,
        there: np.ndarray | None = None,
    ) -> ActionChunk:
        """`values` (K, A) in the model's scale; `sure`: how likely what was asked is done, if the model tells. `places` (2, 3):
        where it found the thing and the place in what it was shown last, m in the pelvis frame, and how sure it is of them, `there` (2,).
        """
        if not np.isfinite(values).all():  # before decoding, which would clip infinity to a bound
            raise PolicyError("The model gave numbers that are not finite.")
        if self._whereabouts is not None and places is not None and there is not None:
            self._whereabouts.found(places, there)
        actions = self._codec.decode(values.astype(np.float64), self._seen[-1].state)
        self._done.append(actions[0].astype(np.float32))
        self._sure = self._sure + 1 if sure is not None and sure > SURE else 0
        status: Literal["running", "done"] = "done" if self._sure >= LONG else "running"
        note = "" if sure is None else f"done {100 * sure:.0f} %"
        return ActionChunk(
            stamp=stamp, values=actions, dt=self._dt, spec=self._codec.spec.name, status=status, note=note
        )

    def _before(self, state: np.ndarray) -> Arrays:
        """The actions before, relative to where the hands are now."""
        count = self._looks.before
        # As in training: the episode's first action stands in for those before it, and is masked.
        known = list(self._done)
        filler = known[0] if known else np.zeros(len(self._codec.spec.names))
        rows = np.stack([*[filler] * (count - len(known)), *known])
        encoded = self._codec.encode(rows, state).astype(np.float32)
        mask = [False] * (count - len(known)) + [True] * len(known)
        return {"done": encoded[None], "done_mask": np.array([mask])}
