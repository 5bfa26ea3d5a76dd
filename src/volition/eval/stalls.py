"""Where a policy's failures happen, by what the expert would be doing then: `python -m volition.eval.stalls CHECKPOINT --skills open_drawer`.

    trial --every decision--> the expert's intent in the same state -> its phase, how far the hand is from where it would be
          --the last seconds of what failed--> a line for each skill, failure and phase

"Out of time" says nothing; "out of time while the expert would still step aside" says what to teach.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from volition.errors import said_plainly
from volition.eval.runner import Crew, spread, tester
from volition.eval.suites import seeds
from volition.eval.trials import Tester
from volition.model.checkpoint import load
from volition.runtime.report import Tick
from volition.sim.choices import layout
from volition.sim.expert import Plan
from volition.sim.language.say import say
from volition.sim.randomise import Draw
from volition.sim.skills import SKILLS
from volition.sim.stage import SIDES, Stage

EVERY = 5  # control ticks a decision
LAST_S = 3.0  # s before the end, that say where it failed
WALKS = 0.05  # m/s


@dataclass(frozen=True, kw_only=True)
class Moment:
    stamp: float
    phase: str  # of the expert
    off_m: (
        float  # between where policy and expert send the hand that they send farthest apart; nan: the expert sends none
    )
    walks: bool  # the expert would
    walking: bool  # the policy does


@dataclass(frozen=True, kw_only=True)
class Failure:
    skill: str
    seed: int
    why: str
    phase: str  # the commonest of the last moments
    off_m: float  # their median
    walks: float  # share of them
    walking: float


class Beside:
    """An Onlooker: asks an expert of the trial's own scene what it would do now."""

    view: tuple[int, int] = (16, 16)

    def __init__(self, skill: str) -> None:
        self._skill = skill
        self._plan: Plan | None = None
        self.moments: list[Moment] = []

    def tick(self, stage: Stage, now: Tick) -> None:
        if now.index % EVERY or now.action is None:
            return
        if self._plan is None:
            self._plan = SKILLS[self._skill].plan(stage, stage.scene.goals[0])
        intent = self._plan.decide(now.state)
        names = [dimension.name for dimension in stage.spec.action("ee").dimensions]
        base = now.action.values[[names.index("base.forward"), names.index("base.left")]]
        off = float("nan")
        acting = [side for side in SIDES if side in intent.hands]
        if acting:
            off = max(_away(now, names, side, intent.hands[side].position) for side in acting)
        self.moments.append(
            Moment(
                stamp=now.stamp,
                phase=intent.note,
                off_m=off,
                walks=bool(np.linalg.norm(intent.base[:2]) > WALKS),
                walking=bool(np.linalg.norm(base) > WALKS),
            )
        )


def _away(now: Tick, names: Sequence[str], side: str, position: np.ndarray) -> float:
    """From where the policy sends a hand to where the expert wants it."""
    assert now.action is not None
    sent = now.action.values[[names.index(f"{side}.{axis}") for axis in "xyz"]]
    return float(np.linalg.norm(sent - position))


def tried(
    checkpoint: Path, skills: Sequence[str], episodes: int, *, truth: bool = False, workers: int = 1
) -> Iterator[tuple[str, int, Failure | None]]:
    """Skill, seed and what failed, if anything did, of each trial as it ends."""
    Tester(load(checkpoint), truth=truth)  # who cannot be told is refused here, in one sentence, and not in a worker
    tasks = [(skill, seed) for skill in skills for seed in seeds(skill, episodes, "train")]
    crew = Crew(checkpoint=checkpoint, workers=workers, truth=truth)
    for (skill, seed), found in spread(_try, tasks, crew):
        yield skill, seed, found


def _try(task: tuple[str, int]) -> Failure | None:
    """In a worker."""
    skill, seed = task
    scene = layout(skill, Draw(seed))
    told = say(scene, scene.goals, np.random.default_rng([seed, 1]), "train").text
    beside = Beside(skill)
    outcome = tester().run(scene, told, onlooker=beside).outcome
    return None if outcome.success else failure(skill, seed, outcome.why, beside.moments)


def failure(skill: str, seed: int, why: str, moments: Sequence[Moment]) -> Failure:
    end = moments[-1].stamp if moments else 0.0
    last = [one for one in moments if one.stamp > end - LAST_S]
    phase = Counter(one.phase for one in last).most_common(1)[0][0] if last else ""
    off = [one.off_m for one in last if one.phase == phase and np.isfinite(one.off_m)]
    return Failure(
        skill=skill,
        seed=seed,
        why=why,
        phase=phase,
        off_m=float(np.median(off)) if off else float("nan"),
        walks=float(np.mean([one.walks for one in last])) if last else 0.0,
        walking=float(np.mean([one.walking for one in last])) if last else 0.0,
    )


def _millimetres(metres: Sequence[float]) -> str:
    known = [one for one in metres if np.isfinite(one)]
    return f"{1000 * np.median(known):.0f}" if known else ""


def main(
    checkpoint: Annotated[Path, tyro.conf.Positional],
    skills: tuple[str, ...] = ("press_button", "open_drawer", "pick_and_place"),
    episodes: int = 20,
    truth: bool = False,
    workers: int = 1,
) -> None:
    """Print what the expert would be doing where a policy fails.

    Example: python -m volition.eval.stalls out/quick/last --skills open_drawer

    Args:
        checkpoint: folder of a policy.
        skills: which to try.
        episodes: held-out scenes of each.
        truth: tell its hands where things truly are: what fails then is not for its eyes to mend (fusion.hands only).
        workers: processes that try at the same time.
    """
    ended: Counter[str] = Counter()
    found: list[Failure] = []
    try:
        for skill, seed, failed in tried(checkpoint, skills, episodes, truth=truth, workers=workers):
            ended[skill] += 1
            found += [failed] if failed else []
            how = f"{failed.why}, the expert would be {failed.phase or 'beginning'}" if failed else "done"
            print(f"{ended.total()} of {len(skills) * episodes}: {skill} {seed}: {how}", flush=True)
    except KeyboardInterrupt:
        print("Stopped; the tables are of the trials that had ended.")
    for skill in skills:
        if ended[skill]:
            Console().print(_table(skill, ended[skill], [one for one in found if one.skill == skill]))


def _table(skill: str, ended: int, found: Sequence[Failure]) -> Table:
    shown = Table(title=f"{skill}: {ended - len(found)} of {ended} succeed")
    for heading in ("failed by", "where the expert would be", "trials", "hand off, mm", "expert walks", "it walks", "seeds"):  # fmt: skip
        shown.add_column(heading)
    for (why, phase), count in Counter((one.why, one.phase) for one in found).most_common():
        these = [one for one in found if (one.why, one.phase) == (why, phase)]
        shown.add_row(
            why, phase, str(count), _millimetres([one.off_m for one in these]),
            f"{np.mean([one.walks for one in these]):.0%}", f"{np.mean([one.walking for one in these]):.0%}",
            " ".join(str(one.seed) for one in these[:3]),
        )  # fmt: skip
    return shown


if __name__ == "__main__":
    with said_plainly():
        tyro.cli(main)
