"""`volition eval --reproduce`: the same command again from what a report recorded, and whether its trials end the same.

Recorded -> EvalConfig -> trials in a folder of their own -> Agreement of every line of the tables
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from volition.data.atomic import read_json
from volition.errors import ContractError
from volition.eval.configs import EvalConfig
from volition.eval.contestants import is_rival
from volition.eval.report.manifest import hash_of
from volition.eval.report.recorded import Recorded
from volition.eval.runner import Row
from volition.eval.suites import asked
from volition.eval.tried import MANIFEST
from volition.model.checkpoint import load


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """One line of the tables, then and now. It agrees if every trial ended in success or failure as it did."""

    suite: str
    condition: str
    skill: str
    trials: int
    then: int  # successes
    now: int
    same: int  # trials that ended as they did: success or not, and for the same reason
    timed: int  # trials that were also decided at the same time, so that probably nothing differed at all
    flipped: int  # trials in which success became failure or the other way

    @property
    def agrees(self) -> bool:
        return not self.flipped


def again(recorded: Recorded, config: EvalConfig) -> EvalConfig:
    """What the report was made with, with this command's checkpoint, folder, workers and device; and without films."""
    known = recorded.manifest
    checkpoint = config.checkpoint or Path(known["policy"]["folder"])
    _same(checkpoint, known["checkpoint"], "CHECKPOINT before --reproduce")
    other = known.get("against")
    against = None if not other else config.against or Path(other["folder"])
    if other and against is not None:
        _same(against, other["checkpoint"], "--against")
    out = config.out or _beside(config.reproduce or Path("report"))
    _fresh(out, recorded)
    wanted = [job.key for job in asked(known["suite"], known["episodes"], known["skills"])]
    missing = [key for key in wanted if key not in recorded.trials]
    if missing:
        raise ContractError(
            f"The report lacks {len(missing)} of its {len(wanted)} trials, {missing[0]} first; end it first."
        )
    return replace(
        config,
        checkpoint=checkpoint,
        suite=known["suite"],
        episodes=known["episodes"],
        skills=known["skills"],
        against=against,
        shown=config.shown or (Path(known["shown"]) if known.get("shown") else None),
        out=out,
        films=0,
        reproduce=None,
    )


def _same(checkpoint: Path, wanted: str, where: str) -> None:
    rival = is_rival(checkpoint)
    if not (rival or checkpoint.is_dir()):
        raise ContractError(
            f"The checkpoint {checkpoint} of the report is not there; say with {where} where it is now."
        )
    if not rival:
        load(checkpoint)  # says what is missing
    found = hash_of(checkpoint)
    if found != wanted:
        raise ContractError(
            f"{checkpoint} is not the checkpoint of the report: its hash is {found[:12]}, that of the report is {wanted[:12]}."
        )


def _beside(report: Path) -> Path:
    """A folder beside the report's, numbered where there is one already."""
    folder = (report if report.is_dir() else report.parent).resolve()
    number = 1
    while (found := folder.with_name(f"{folder.name}-again{'' if number == 1 else f'-{number}'}")).exists():
        number += 1
    return found


def _fresh(out: Path, recorded: Recorded) -> None:
    """A folder without a report, or with this one's reproduction, which then goes on where it was stopped."""
    path = out / MANIFEST
    if path.exists() and read_json(path).get("reproduces") != recorded.manifest["made"]:
        raise ContractError(f"{out} holds another report already; give a fresh folder with --out.")


def agreement(recorded: Recorded, rows: Sequence[Row]) -> list[Agreement]:
    """A line for each suite, condition and skill, as in the tables."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["suite"], row["condition"], row["skill"]), []).append(row)
    return [_line(key, [(recorded.trials[row["key"]], row) for row in found]) for key, found in groups.items()]


def _line(key: tuple[str, str, str], pairs: Sequence[tuple[Row, Row]]) -> Agreement:
    ended = ("success", "why", "done")
    same = [pair for pair in pairs if all(pair[0][name] == pair[1][name] for name in ended)]
    return Agreement(
        suite=key[0],
        condition=key[1],
        skill=key[2],
        trials=len(pairs),
        then=sum(bool(before["success"]) for before, _ in pairs),
        now=sum(bool(now["success"]) for _, now in pairs),
        same=len(same),
        timed=sum(before["time_s"] == now["time_s"] for before, now in same),
        flipped=sum(bool(before["success"]) != bool(now["success"]) for before, now in pairs),
    )
