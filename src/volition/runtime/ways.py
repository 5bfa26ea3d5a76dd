"""The ways in which chunks become motion, by name; `docs/realtime.md` says which to choose.

WAYS[name](spec) -> Executor;  check_way refuses, before anything moves, a way that a policy cannot be run in
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


def check_way(way: Way, *, continues: bool, name: str) -> None:
    """`continues`: whether the policy goes on from Observation.ahead; `name`: the policy's, for the person who chose."""
    if way == "continue" and not continues:
        others = ", ".join(one for one in WAYS if one != "continue")
        raise ContractError(
            f"{name} cannot be run in the way 'continue': only a checkpoint whose head draws its chunks (flow, diffusion) "
            f"can, here or behind `volition serve`; take {others}."
        )
