"""One scene, one policy, one errand, through the one loop: how it went. What studies, generation and evaluation share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from volition.eval.manner import Manner
from volition.eval.rollout import Rig
from volition.policy import Policy
from volition.runtime.report import RunSummary, Tick
from volition.safety.guard import Guard
from volition.sim.errand import Errand, Result
from volition.types import RobotState

HOLD_S = 1.5  # an episode goes on for so long after its last goal is reached, so that a policy sees how to stop


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of an episode. `why` is the last verdict's word, "stopped" if the shield took over, else "fell", "time" ..."""

    success: bool
    why: str
    done: int  # goals reached
    goals: int
    time_s: float  # until the last goal was decided
    fell: bool
    stops: int
    sway_m: float  # how far the base was from where it began, at most
    results: tuple[Result, ...]
    summary: RunSummary


def run_episode(
    rig: Rig,
    errand: Errand,
    policy: Policy,
    instruction: str,
    *,
    cameras: bool = False,
    hold_s: float = HOLD_S,
    guard: Guard | None = None,
    on_tick: Callable[[Tick], None] | None = None,
    manner: Manner | None = None,
) -> Outcome:
    """Run until the errand is over and `hold_s` more. The shield is in it, and the scene's latency."""
    stage = errand.stage
    begin = stage.time
    start = stage.session.robot.read().base_position[:2].copy()
    seen = {"sway": 0.0, "fell": 0.0}

    def tick(now: Tick) -> None:
        errand.watch(now.state)
        seen["sway"] = max(seen["sway"], float(np.linalg.norm(now.state.base_position[:2] - start)))
        seen["fell"] = max(seen["fell"], float(stage.fallen(now.state)))
        if on_tick is not None:
            on_tick(now)

    def until(state: RobotState) -> bool:
        return bool(seen["fell"]) or (errand.over and stage.time > errand.results[-1].ended + hold_s)

    summary = rig.rollout(
        stage.session,
        policy,
        instruction,
        limit_s=sum(errand.limit_s(goal) for goal in errand.goals) + hold_s + 1.0,
        latency_s=stage.scene.physics.latency_s,
        guard=guard,
        on_tick=tick,
        until=until,
        cameras=cameras,
        manner=manner,
        settle_s=1e6,  # a policy that says it is done is not believed: the referee ends the episode
    )
    fell, stops = bool(seen["fell"]), summary.stops
    why = "fell" if fell else "stopped" if stops else errand.results[-1].verdict.why if errand.results else "time"
    return Outcome(
        success=errand.succeeded and not fell and stops == 0,
        why=why,
        done=errand.done,
        goals=len(errand.goals),
        time_s=(errand.results[-1].ended if errand.results else stage.time) - begin,
        fell=fell,
        stops=stops,
        sway_m=seen["sway"],
        results=tuple(errand.results),
        summary=summary,
    )
