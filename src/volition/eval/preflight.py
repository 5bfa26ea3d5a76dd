"""`volition preflight`: a checkpoint against the simulated G1 at a table, as it would be checked against a real one."""

from __future__ import annotations

from functools import partial

from rich.console import Console
from rich.table import Table

from volition.model.checkpoint import Checkpoint, load
from volition.model.policy import LearnedPolicy
from volition.policy import Policy
from volition.robots.g1 import g1
from volition.robots.g1_assets import light_g1
from volition.robots.robot import Robot
from volition.runtime.clock import Clock
from volition.runtime.preflight import Preflight, Taught, preflight
from volition.safety.collision import CollisionModel
from volition.safety.config import careful
from volition.safety.configs import PreflightConfig
from volition.safety.guard import Guard
from volition.safety.shield import Shield
from volition.sim.choices import layout
from volition.sim.randomise import Draw
from volition.sim.stage import Stage


def run(config: PreflightConfig) -> int:
    """0 when everything fits, 1 with a list of what does not."""
    checkpoint = load(config.checkpoint)
    spec = g1(checkpoint.design.shapes.picture[0])
    stage = Stage(layout(config.skill, Draw(config.seed)), spec, cameras=True)
    try:
        found = check(
            checkpoint,
            stage.session.robot,
            stage.session.clock,
            Guard(Shield(spec, config=careful(spec), collision=CollisionModel(spec, light_g1()))),
            instruction=config.instruction,
            motion=config.motion,
        )
    finally:
        stage.close()
    show(found)
    return 0 if found.passed else 1


def check(
    checkpoint: Checkpoint, robot: Robot, clock: Clock, guard: Guard, *, instruction: str, motion: bool = True
) -> Preflight:
    """A checkpoint against any robot."""
    taught = Taught(
        robot=checkpoint.robot,
        action=checkpoint.codec.spec.name,
        cameras=checkpoint.design.shapes.cameras,
        states=checkpoint.codec.states,
        dt=checkpoint.design.dt,
    )
    policy = partial(_policy, checkpoint, robot)
    return preflight(taught, robot, clock, guard, policy, instruction=instruction, motion=motion)


def show(found: Preflight) -> None:
    console = Console()
    if found.passed:
        console.print(f"[green]Ready.[/green] Checked: {', '.join(found.checks)}.")
        return
    table = Table(title="Refused: this does not fit")
    for name in ("check", "what is wrong", "what to do"):
        table.add_column(name, overflow="fold")
    for one in found.findings:
        table.add_row(one.check, one.what, one.todo)
    console.print(table)


def _policy(checkpoint: Checkpoint, robot: Robot) -> Policy:
    return LearnedPolicy(checkpoint, robot.spec)
