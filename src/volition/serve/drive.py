"""`volition run --policy ws://...`: our loop, executor and shield before a policy that somebody serves.

instruction -> RemotePolicy at a table in physics -> what came of it, and how the server behaved
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from volition.eval import demo
from volition.eval.configs import DemoConfig, RunConfig
from volition.eval.conversation import talk_to
from volition.robots.g1 import g1
from volition.runtime.doubt import doubt_for
from volition.runtime.ways import check_way
from volition.serve.client import Patience, RemotePolicy
from volition.serve.configs import read_key
from volition.serve.schema import Schema, read_schema
from volition.sim.skills import SKILLS
from volition.types import RobotSpec

MEANING = {
    "silent": "no answer in time",
    "lost": "no connection",
    "wrong": "wrong answers",
    "refused": "refusals",
    "changed": "another policy",
    "reconnected": "connected again",
}


def run(config: RunConfig) -> int:
    """Without --policy by primitives, as `volition demo` does; with it by the server."""
    return demo.run(config) if config.policy is None else _remote(config, config.policy)


def _remote(config: RunConfig, url: str) -> int:
    console = Console()
    schema = None if config.schema is None else read_schema(config.schema)
    policy = RemotePolicy(
        url,
        lambda told: seen_as(told, g1()),
        schema=schema,
        key=read_key(config.key_file),
        patience=Patience(answer_s=config.answer_ms / 1000),
    )
    try:
        check_way(config.way, continues=policy.continues, name=f"The policy at {url}")
        doubt = doubt_for(policy.calibration, policy.action_spec, config.doubt, f"The policy at {url}")
        unsure = "nothing acts on its doubt" if doubt is None else f"when it is unsure: {doubt.config.response}"
        console.print(
            f"Connected to {url}: {len(policy.schema.images)} cameras, actions {policy.schema.space}, {unsure}.",
            highlight=False,
        )
        told = DemoConfig(
            say=config.instruction,
            scene_seed=config.scene_seed,
            out=config.out or Path("out/run"),
            seed=config.seed,
            seconds=config.seconds,
            video=config.video,
            way=config.way,
        )
        return talk_to(policy, told, policy.robot, tuple(SKILLS), name=url, measured=True, doubt=doubt)
    finally:
        trouble = ", ".join(f"{MEANING[kind]} {number}" for kind, number in policy.trouble.items()) or "no trouble"
        console.print(f"The server: {policy.answered} answers, {trouble}.", highlight=False)
        policy.close()


def seen_as(schema: Schema, robot: RobotSpec) -> RobotSpec:
    """In simulation the cameras are as large as the policy looks."""
    sizes = {camera: {"height": one.height, "width": one.width} for camera, one in schema.images.items()}
    return replace(robot, cameras=tuple(replace(camera, **sizes.get(camera.name, {})) for camera in robot.cameras))
