"""Everybody who watches over a run, as one: a person (Oversight) and the policy's own doubt (Doubt). Asked once a tick.

Oversight, Doubt -> Watch.look(now) -> Seen: who is followed, how fast the robot may be, what was answered, what to log
"""

from __future__ import annotations

from dataclasses import dataclass, field

from volition.errors import ContractError
from volition.runtime.doubt import Doubt
from volition.runtime.oversight import Driver, Oversight, Who
from volition.types import ActionChunk, Intervention


@dataclass(frozen=True, kw_only=True)
class Seen:
    who: Who = "policy"
    driver: Driver | None = None
    caution: float = 1.0  # share of all speeds
    agreed: ActionChunk | None = None  # a chunk that the person has just said yes to
    refused: str = ""  # what the person has just said no to, if that ends the run
    events: list[Intervention] = field(default_factory=list[Intervention])


class Watch:
    def __init__(self, oversight: Oversight | None, doubt: Doubt | None) -> None:
        if doubt is not None and doubt.config.response == "ask" and oversight is None:
            raise ContractError("DoubtConfig.response is 'ask' and there is nobody to ask; give the loop an Oversight.")
        self._oversight, self._doubt = oversight, doubt

    def begin(self, instruction: str) -> None:
        if self._oversight is not None:
            self._oversight.begin(instruction)
        if self._doubt is not None:
            self._doubt.begin()

    @property
    def asks_for_chunks(self) -> bool:
        return self._oversight is not None and self._oversight.asks_for_chunks

    def put(self, chunk: ActionChunk) -> None:
        """This chunk waits for a yes."""
        if self._oversight is not None:
            self._oversight.put(chunk)

    def hear(self, chunk: ActionChunk, now: float) -> None:
        """The shield has admitted it."""
        if self._doubt is not None:
            self._doubt.hear(chunk, now)

    def look(self, now: float) -> Seen:
        who: Who = "policy"
        agreed, refused, driver = None, "", None
        events: list[Intervention] = []
        doubt, person = self._doubt, self._oversight
        if doubt is not None:
            doubt.look(now)
            events += doubt.events()
        if person is not None:
            if (answer := person.answer()) is not None:
                asked = doubt is not None and doubt.state == "ask"
                yes, chunk = answer
                agreed = chunk if yes else None
                if not yes and chunk is None:
                    refused = "going on" if asked else "the instruction"
                if doubt is not None and yes and chunk is None:
                    doubt.answered(now)
            if doubt is not None and doubt.state == "ask" and not person.question and not refused:
                person.ask(doubt.question)
            who, driver = person.who, person.driver
            events += person.events(now)
        if who == "policy" and doubt is not None and doubt.holds:
            who = "nobody"
        caution = 1.0 if doubt is None or who == "person" else doubt.caution
        return Seen(who=who, driver=driver, caution=caution, agreed=agreed, refused=refused, events=events)
