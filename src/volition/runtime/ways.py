"""The ways in which chunks become motion, by name; `docs/realtime.md` says which to choose.

WAYS[name](spec) -> Executor
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from volition.errors import ContractError
from volition.runtime.ensemble import Ensemble
from volition.runtime.executor import Executor
from volition.types import ActionSpec

Way = Literal["wait", "switch", "blend", "ensemble", "continue"]

WAYS: dict[Way, Callable[[ActionSpec], Executor]] = {
    "wait": lambda spec: Executor(spec, waits=0.5),
    "switch": lambda spec: Executor(spec, blend=0.01),
    "blend": Executor,
    "ensemble": lambda spec: Executor(spec, ensemble=Ensemble(spec)),
    "continue": lambda spec: Executor(spec, continues=True),
}
MEANING: dict[Way, str] = {
    "wait": "synchronous: half of a chunk is played, then the robot stands until the next is there",
    "switch": "the next chunk replaces the running one at once",
    "blend": "the difference between the two fades within 0.15 s",
    "ensemble": "the mean of all chunks that say something about a moment, weights exp(-0.01 i) from the oldest on",
    "continue": "real-time chunking: the policy is told what will be done meanwhile, and goes on from there",
}


def executor_of(way: Way, spec: ActionSpec) -> Executor:
    if way not in WAYS:
        raise ContractError(f"There is no way {way!r} to execute chunks; there are {', '.join(WAYS)}.")
    return WAYS[way](spec)
