"""The goals of a scene in their order: which one is under way, how each ended. And the teacher that does them all."""

from __future__ import annotations

from dataclasses import dataclass, replace

from volition.sim.expert import Expert, Intent, Plan, base_pose
from volition.sim.scene import Goal
from volition.sim.search import Search
from volition.sim.skill import Referee, Verdict
from volition.sim.skills import SKILLS
from volition.sim.stage import Stage
from volition.types import RobotState

SEARCH_S = 15.0  # more for each of several goals


@dataclass(frozen=True, kw_only=True)
class Result:
    """How one goal ended, and when by the robot's clock."""

    goal: Goal
    verdict: Verdict
    began: float
    ended: float


class Errand:
    """`watch` it every control tick. A goal begins when the one before it has succeeded; the first failure ends it all."""

    def __init__(self, stage: Stage, goals: tuple[Goal, ...] | None = None, *, limit_s: float | None = None) -> None:
        """`limit_s`: of every goal, in place of its skill's own."""
        self.stage, self._limit_s = stage, limit_s
        self.goals = stage.scene.goals if goals is None else goals
        self.results: list[Result] = []
        self._begin()

    @property
    def current(self) -> Goal | None:
        """The goal under way; None when all are done or one has failed."""
        return None if self.over else self.goals[len(self.results)]

    @property
    def over(self) -> bool:
        return len(self.results) == len(self.goals) or self.failed

    @property
    def failed(self) -> bool:
        return bool(self.results) and not self.results[-1].verdict.success

    @property
    def succeeded(self) -> bool:
        return self.over and not self.failed

    @property
    def done(self) -> int:
        """How many goals have succeeded."""
        return sum(result.verdict.success for result in self.results)

    def limit_s(self, goal: Goal) -> float:
        """The time that there is for a goal; along a long table one has to look for its thing first."""
        search = SEARCH_S if len(self.goals) > 1 else 0.0
        return SKILLS[goal.skill].limit_s + search if self._limit_s is None else self._limit_s

    def watch(self, state: RobotState) -> None:
        goal = self.current
        if goal is None or self._referee is None:
            return
        verdict = self._referee.watch()
        if self.stage.fallen(state):
            verdict = Verdict(False, "fell")
        elif verdict is None and self.stage.time - self._began > self.limit_s(goal):
            verdict = Verdict(False, "time")
        if verdict is not None:
            self.results.append(Result(goal=goal, verdict=verdict, began=self._began, ended=self.stage.time))
            self._begin()

    def _begin(self) -> None:
        self._began = self.stage.time
        goal = self.current
        self._referee: Referee | None = None if goal is None else SKILLS[goal.skill].referee(self.stage, goal)


class ErrandPlan:
    """A Plan that does the goal under way: looks for its thing, then goes by its skill's own plan; after the last it rests."""

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._goal: Goal | None = None
        self._plan: Plan | None = None
        self._search: Search | None = None
        self._begun: tuple[float, float, float] | None = None
        self._last = Intent(status="done", note="done")

    def decide(self, state: RobotState) -> Intent:
        goal = self._errand.current
        if goal is not None and (goal is not self._goal or self._plan is None):
            self._goal, self._plan = goal, SKILLS[goal.skill].plan(self._errand.stage, goal)
            self._begun = self._begun or base_pose(state)
            self._search = Search(self._errand.stage, goal, self._begun)
        if self._plan is None or self._search is None:
            return self._last
        # After the last goal its plan goes on: it knows how to leave its thing.
        intent = self._search.decide(state) or self._plan.decide(state)
        status = "done" if self._errand.over else "running"
        return replace(intent, status=status)


def expert_for(errand: Errand) -> Expert:
    return Expert(errand.stage, ErrandPlan(errand))
