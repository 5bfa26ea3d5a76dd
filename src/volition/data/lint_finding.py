"""What a check of a data set can find: one table of the kinds, with what each does to training and what to do.

lint.py -> Finding: which kind, at which episode and frame, what exactly is there
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, kw_only=True)
class Kind:
    severity: Severity
    effect: str  # on training
    advice: str


KINDS: Mapping[str, Kind] = {
    "unreadable": Kind(
        severity="error",
        effect="Training stops when it gets there.",
        advice="Copy the file again from where it came from, or leave the episode out.",
    ),
    "changed": Kind(
        severity="error",
        effect="What is learnt is not what was recorded, and a checkpoint's data hash is not this data's.",
        advice="Copy the data set again; if it was changed on purpose, record or convert it again.",
    ),
    "gap": Kind(
        severity="error",
        effect="A chunk of actions jumps over the hole as if no time had passed, and pictures stand at wrong frames.",
        advice="Cut the episode in two at this frame, or resample it.",
    ),
    "backwards": Kind(
        severity="error",
        effect="History and future are mixed up; pictures are looked up at wrong times.",
        advice="Put the frames in order of time, and drop the doubled ones.",
    ),
    "irregular": Kind(
        severity="warning",
        effect="Velocities that are learnt are wrong by as much as the steps differ.",
        advice="Resample to the rate of frames that the data set declares.",
    ),
    "not finite": Kind(
        severity="error",
        effect="The loss becomes NaN at the first batch that has this frame.",
        advice="Leave the episode out, or fill the values in from their neighbours.",
    ),
    "frozen": Kind(
        severity="warning",
        effect="The policy learns to act without looking: the picture says nothing of what the robot does.",
        advice="Look whether the camera hung; cut these frames out or leave the episode out.",
    ),
    "jump": Kind(
        severity="warning",
        effect="One such step outweighs thousands in the loss, and the policy may learn to jerk.",
        advice="Look for a lost message, a reset inside the episode or an angle that wraps; cut or repair it.",
    ),
    "limit": Kind(
        severity="warning",
        effect="The true wish is cut off, so the policy learns to push against the limit.",
        advice="Check the joint's zero and unit, and the retargeting or teleoperation that leads there.",
    ),
    "constant": Kind(
        severity="warning",
        effect="Normalising divides by almost nothing, so noise is blown up to the size of a motion.",
        advice="Leave this number out, leave it as it is, or record data in which it moves.",
    ),
    "statistics": Kind(
        severity="error",
        effect="Inputs and actions are normalised wrongly, in training and on the robot alike.",
        advice="Compute them again; `volition data convert` into a new folder does.",
    ),
    "text": Kind(
        severity="error",
        effect="The policy is told nothing that it can tell from other tasks, or learns garbled words.",
        advice="Write the instruction anew in plain words, in UTF-8.",
    ),
    "note": Kind(severity="note", effect="No harm to training is known.", advice="Nothing needs to be done."),
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """`episode` and `frame` are None where it is about all of them; `where` is a feature, a camera or a file."""

    kind: str
    where: str
    what: str
    episode: int | None = None
    frame: int | None = None

    @property
    def severity(self) -> Severity:
        return KINDS[self.kind].severity

    @property
    def effect(self) -> str:
        return KINDS[self.kind].effect

    @property
    def advice(self) -> str:
        return KINDS[self.kind].advice

    @property
    def place(self) -> str:
        """`episode 3, frame 17`, for people."""
        if self.episode is None:
            return "all episodes"
        return f"episode {self.episode}" + ("" if self.frame is None else f", frame {self.frame}")

    def to_json(self) -> dict[str, Any]:
        keys = ("severity", "kind", "episode", "frame", "where", "what", "effect", "advice")
        return {key: getattr(self, key) for key in keys}
