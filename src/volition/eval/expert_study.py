"""Whether the teachers can do what they teach: `python -m volition.eval.expert_study`.

Every trial lays a scene out by its seed with all axes at strength 1, and lets the skill's expert do it through the
executor, the body and the shield, with the scene's latency. The referee judges by physics.
Writes docs/studies/experts.json, experts.md and experts.svg.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import cache

from volition.eval.episode import Outcome, run_episode
from volition.eval.rollout import Rig
from volition.eval.study import Column, Row, Study, run_trials
from volition.robots.g1 import g1
from volition.sim.chain import MOST
from volition.sim.choices import CHAIN, layout
from volition.sim.errand import Errand, expert_for
from volition.sim.randomise import Draw
from volition.sim.skills import SKILLS
from volition.sim.stage import Stage

SPEC = g1()


@cache
def _rig() -> Rig:
    return Rig(SPEC)


def trial(job: tuple[str, int, bool]) -> Row:
    """One expert in one scene."""
    condition, seed, fixed = job
    scene = layout(condition, Draw(seed), steps=MOST)
    if fixed:
        scene = replace(scene, physics=replace(scene.physics, fixed_pelvis=True))
    errand = Errand(Stage(scene, SPEC))
    outcome = run_episode(_rig(), errand, expert_for(errand), "demonstrate")
    return _row(condition, seed, outcome)


def _row(condition: str, seed: int, outcome: Outcome) -> Row:
    return {
        "condition": condition,
        "seed": seed,
        "passed": outcome.success,
        "why": outcome.why,
        "fell": outcome.fell,
        "stops": outcome.stops,
        "time_s": outcome.time_s,
        "sway_cm": 100 * outcome.sway_m,
        "done": outcome.done,
    }


def study(fixed: bool) -> Study:
    teach = {name: f"the expert of {name}, at most {skill.limit_s:g} s" for name, skill in SKILLS.items()}
    return Study(
        name="experts-fixed-pelvis" if fixed else "experts",
        title="The experts, pelvis held" if fixed else "The experts",
        columns=(
            Column("time_s", "time s", "until the last goal was decided"),
            Column("sway_cm", "base cm", "how far the base came from where it began; walking counts"),
            Column("done", "goals done", "goals reached one after another, of 1; of 5 in a chain"),
        ),
        conditions={**teach, CHAIN: f"{MOST} goals of two or three skills along one table, without a reset"},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=200, help="scenes of each skill (default 200)")
    parser.add_argument("--chains", type=int, default=60, help="chains of five steps (default 60: each takes a minute)")
    parser.add_argument("--seed", type=int, default=1000, help="the first seed (default 1000: none was used to tune)")
    parser.add_argument("--skills", nargs="+", default=[*SKILLS, CHAIN], choices=[*SKILLS, CHAIN])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--fixed-pelvis", action="store_true", help="hold the pelvis, for comparison")
    parser.add_argument("--dry", action="store_true", help="print the table only")
    arguments = parser.parse_args()
    first, fixed = arguments.seed, arguments.fixed_pelvis
    times = {name: arguments.chains if name == CHAIN else arguments.seeds for name in arguments.skills}
    jobs = [(name, first + number, fixed) for name, count in times.items() for number in range(count)]
    rows = run_trials(trial, jobs, workers=arguments.workers, label="experts")
    command = f"python -m volition.eval.expert_study --seeds {arguments.seeds} --chains {arguments.chains}"
    command += f" --seed {first}"
    study(fixed).report(rows, seed=first, command=command + " --fixed-pelvis" * fixed, write=not arguments.dry)
    for row in rows:
        if not row["passed"]:
            print(f"{row['condition']} seed {row['seed']}: {row['why']}")


if __name__ == "__main__":
    main()
