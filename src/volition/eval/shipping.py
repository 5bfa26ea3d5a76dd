"""The policy that comes with the package: put there with what it could do then, and tried again so that no change makes it worse unseen.

    python -m volition.eval.shipping CHECKPOINT --plan OUT/plan.json    checkpoint, trials -> assets/policy, its record.json
        --report OUT/report                                             trials that `volition eval` has made of it are not made again
    python -m volition.eval.shipping                                    the same trials -> 1 if fewer succeed than the record allows

The record has the trials, who made them and where, and the plan that made the weights: its commands, minutes and machine.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from volition.data.atomic import read_json, replacing_folder, write_json
from volition.errors import ContractError, said_plainly
from volition.eval.configs import EvalConfig
from volition.eval.report.manifest import manifest_of
from volition.eval.runner import TRIALS, run_jobs
from volition.eval.suites import TRIED, skills
from volition.eval.tables import table
from volition.eval.tried import MANIFEST
from volition.model import shipped
from volition.model.checkpoint import load
from volition.model.pretrained import WEIGHTS

RECORD = "record.json"
EPISODES = 10  # of each skill
LARGEST = 20e6  # bytes of weights
Line = dict[str, Any]


def ship(checkpoint: Path, plan: Path, *, workers: int, report: Path | None = None) -> list[Line]:
    """Try it and put it into the package, in place of the one before. `report`: a folder of `volition eval`, whose trials count."""
    size = (checkpoint / WEIGHTS).stat().st_size if (checkpoint / WEIGHTS).is_file() else 0
    if size > LARGEST:
        raise ContractError(
            f"The weights of {checkpoint} are {size / 1e6:.1f} MB; what is shipped has {LARGEST / 1e6:g} MB at most."
        )
    made = read_json(plan)
    manifest = manifest_of(EvalConfig(checkpoint=checkpoint, episodes=EPISODES, workers=workers), checkpoint)
    if report is not None and read_json(report / MANIFEST)["checkpoint"] != manifest["checkpoint"]:
        raise ContractError(f"{report} has trials of another checkpoint; give its own, or leave --report out.")
    lines = tried(checkpoint, EPISODES, workers=workers, known=report)
    record = {
        "checkpoint": manifest["checkpoint"],
        "episodes": EPISODES,
        "trials": [{key: one[key] for key in ("skill", "trials", "successes", "low", "high")} for one in lines],
        **{key: manifest[key] for key in ("made", "version", "versions", "commit", "machine")},
        "plan": made,
    }
    with replacing_folder(shipped.FOLDER) as beside:
        shutil.copytree(checkpoint, beside, dirs_exist_ok=True)
        write_json(beside / RECORD, record)
    return lines


def check(folder: Path, *, workers: int) -> list[str]:
    """What has become worse, a sentence each: a skill with fewer successes than its recorded interval begins with."""
    record = read_json(folder / RECORD)
    found = {one["skill"]: one for one in tried(folder, record["episodes"], workers=workers)}
    worse = []
    for then in record["trials"]:
        now = found[then["skill"]]
        if now["successes"] < then["low"] * now["trials"]:
            worse.append(
                f"{then['skill']}: {now['successes']} of {now['trials']} trials succeed; it was {then['successes']} of "
                f"{then['trials']} when it was shipped, at least {100 * then['low']:.0f} % are asked. {now['failures']}"
            )
        if now["falls"] or now["violations"]:
            worse.append(
                f"{then['skill']}: {now['falls']} falls and {now['violations']} limits broken; none is allowed."
            )
    return worse


def tried(checkpoint: Path, episodes: int, *, workers: int, known: Path | None = None) -> list[Line]:
    """A line for each skill that it was taught, and one for all. `known`: a folder of trials that need not be made again."""
    taught = load(checkpoint).design.shapes.tasks
    jobs = skills(episodes, [name for name in TRIED if name in taught])
    with tempfile.TemporaryDirectory() as scratch:
        if known is not None:
            shutil.copy(known / TRIALS, scratch)
        lines = table(run_jobs(checkpoint, jobs, Path(scratch), workers=workers))
    shown = Table(title=f"{checkpoint.name}: {len(jobs)} trials")
    for heading in ("skill", "successes", "95 %", "falls", "violations", "failures"):
        shown.add_column(heading)
    for one in lines:
        shown.add_row(
            one["skill"], f"{one['successes']} of {one['trials']}", f"{100 * one['low']:.0f}-{100 * one['high']:.0f} %",
            str(one["falls"]), str(one["violations"]), ", ".join(f"{count} {why}" for why, count in one["failures"].items()),
        )  # fmt: skip
    Console().print(shown)
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, nargs="?", help="to ship; without it, the shipped one is tried again")
    parser.add_argument("--plan", type=Path, help="plan.json of `volition follow`, which made it")
    parser.add_argument(
        "--report", type=Path, help="a folder of `volition eval` with trials of it, which are not made again"
    )
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.checkpoint is not None:
        if arguments.plan is None:
            parser.error("--plan is missing: the plan.json of what made the checkpoint")
        ship(arguments.checkpoint, arguments.plan, workers=arguments.workers, report=arguments.report)
        print(f"Shipped: {shipped.FOLDER}")
        return 0
    folder = shipped.checkpoint()
    if folder is None:
        raise ContractError("No policy is shipped with this version.")
    worse = check(folder, workers=arguments.workers)
    print("\n".join(worse) or "As good as when it was shipped.")
    return 1 if worse else 0


if __name__ == "__main__":
    with said_plainly():
        sys.exit(main())
