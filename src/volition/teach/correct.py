"""Corrections (DAgger, Ross et al. 2011): a learned policy acts, and at every frame the expert says what it would do there.

    Observation -> LearnedPolicy -> what is carried out;  the same moment -> Expert -> what is written down

Where a policy goes wrong, demonstrations have nothing to say: there was never an expert in such a state. The expert
leads now and then, so that the frames behind a mistake are seen too.
"""

from __future__ import annotations

import numpy as np

from volition.policy import Policy
from volition.sim.errand import Errand, expert_for
from volition.teach.notes import Notes
from volition.types import ActionChunk, ActionSpec, Observation

TURN_S = 1.5  # how long one of the two leads before it is drawn again


class Lead:
    """Whether the expert leads at a moment: drawn for each turn, a function of time alone."""

    def __init__(self, share: float, seed: tuple[int, ...]) -> None:
        self._share, self._seed = share, seed

    def expert(self, stamp: float) -> bool:
        return float(np.random.default_rng([*self._seed, int(stamp / TURN_S)]).random()) < self._share


class Corrector:
    """A Policy: the learned one, watched by the expert."""

    def __init__(self, errand: Errand, policy: Policy, notes: Notes, lead: Lead) -> None:
        self._expert, self._errand = expert_for(errand), errand
        self._policy, self._notes, self._lead = policy, notes, lead
        self._carried: ActionChunk | None = None

    @property
    def action_spec(self) -> ActionSpec:
        return self._expert.action_spec

    def reset(self, instruction: str) -> None:
        self._expert.reset(instruction)
        self._policy.reset(instruction)
        self._carried = None

    def infer(self, observation: Observation) -> ActionChunk:
        try:
            return self._correct(observation)
        except Exception as error:
            self._notes.fault = error
            raise

    def _correct(self, observation: Observation) -> ActionChunk:
        seen = self._notes.senses.observe(observation)
        chunk = self._policy.infer(seen)
        if self._carried is not None:
            self._expert.follow(self._carried)
        label = self._expert.infer(observation)
        if not self._errand.failed:  # after that there is nothing right to do
            self._notes.write(observation, seen, label.values[0])
        self._carried = label if self._lead.expert(observation.stamp) else chunk
        return self._carried
