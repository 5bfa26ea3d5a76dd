"""A command of several steps for a policy that was taught one at a time: `Steps(policy)` is a policy too.

reset(command) --split--> sentences; infer -> the inner policy, told the sentence of the step under way
    its chunk says "done", or the step's time is up --> the next sentence
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from volition.errors import ContractError, PolicyError
from volition.model.steps.split import split
from volition.policy import Policy
from volition.types import ActionChunk, ActionSpec, Observation

STEP_S = 60.0  # as long as the longest skill of the task suite may take


class Steps:
    """ "done" only after the last step, and then for good; "failed" if the last one's time is up or the inner policy says so.

    A step whose time is up is left for the next one. Between two steps the inner policy is reset: what it remembers is
    of the step before. `cut`: how a command becomes sentences."""

    def __init__(
        self, policy: Policy, *, limit_s: float = STEP_S, cut: Callable[[str], tuple[str, ...]] = split
    ) -> None:
        if not (math.isfinite(limit_s) and limit_s > 0):
            raise ContractError(f"Steps.limit_s is {limit_s}; it must be seconds a step, above 0.")
        self._policy, self._limit, self._cut = policy, limit_s, cut
        self._sentences: tuple[str, ...] = ()

    @property
    def action_spec(self) -> ActionSpec:
        return self._policy.action_spec

    @property
    def sentences(self) -> tuple[str, ...]:
        """The steps of the command under way."""
        return self._sentences

    def reset(self, instruction: str) -> None:
        self._sentences = ()  # a refused command must not leave the last one running
        sentences = self._cut(instruction)
        self._policy.reset(sentences[0])
        self._sentences, self._at, self._ended = sentences, 0, False
        self._begun: float | None = None

    def infer(self, observation: Observation) -> ActionChunk:
        if not self._sentences:
            raise PolicyError("Steps has no command; call reset(command) before infer.")
        if self._begun is None:
            self._begun = observation.stamp
        sentence = self._sentences[self._at]
        chunk = self._policy.infer(replace(observation, instruction=sentence))
        late = observation.stamp - self._begun >= self._limit
        last = self._at == len(self._sentences) - 1
        self._ended = self._ended or (last and chunk.status == "done")
        status = "done" if self._ended else "failed" if chunk.status == "failed" or (last and late) else "running"
        note = self._note(sentence, chunk.note, late=late and chunk.status == "running" and not self._ended)
        if not last and (chunk.status == "done" or late) and status != "failed":
            self._policy.reset(self._sentences[self._at + 1])  # before counting on: if it refuses, this step goes on
            self._at, self._begun = self._at + 1, None
        return replace(chunk, status=status, note=note)

    def _note(self, sentence: str, note: str, *, late: bool) -> str:
        """ "2/3 open the drawer (done 12 %)"; of a single step what the policy itself says."""
        rest = ", ".join(filter(None, (note, "out of time" if late else "")))
        if len(self._sentences) == 1:
            return rest
        return f"{self._at + 1}/{len(self._sentences)} {sentence}" + (f" ({rest})" if rest else "")
