"""`volition demo` and `volition run`: an instruction in plain English, done by the G1 in physics, with a video of it.

Here it is carried out by primitives, without pictures; a learned policy at a table is `conversation.py`.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from volition.errors import ContractError
from volition.eval.configs import DemoConfig, RunConfig
from volition.eval.film import Mp4, Poster
from volition.eval.manner import Manner
from volition.eval.request import named
from volition.eval.rollout import Rig
from volition.model.primitives.plan import Plan
from volition.model.primitives.policy import PrimitivePolicy
from volition.model.shipped import checkpoint
from volition.robots.g1 import g1
from volition.runtime.recorder import Recorder
from volition.runtime.report import RunSummary, Tick
from volition.runtime.ways import Way, check_way
from volition.safety.guard import Guard
from volition.sim.scenes import plaza
from volition.sim.session import VIEW, Session, session
from volition.transforms.rotation import tilt, yaw

SHOWCASE = (
    "please wave hello",
    "raise your left arm, then take two steps back",
    "turn a quarter turn to the right and walk forward one metre",
    "sidestep half a metre to the left, then stop",
)
HEAD_PIXELS = 224
DEMO_LATENCY = 0.03  # s: fixed, so that the same seed gives the same demo


class Film:
    """Films a run from a camera that follows the robot; hand `on_tick` to the loop."""

    def __init__(self, mp4: Mp4, scene: Session, *, width: int, height: int, fps: int) -> None:
        assert scene.renderer is not None, "a session that is filmed has a renderer"
        self._mp4, self._scene, self._renderer = mp4, scene, scene.renderer
        self._poster = Poster(width, height)
        self._head, self._head_at = np.zeros((HEAD_PIXELS, HEAD_PIXELS, 3), dtype=np.uint8), -1.0
        self._period, self._next = 1.0 / fps, 0.0
        self._target = np.array([*scene.robot.read().base_position[:2], 0.72])
        self._azimuth = math.degrees(float(yaw(scene.robot.read().base_quaternion))) + 150.0
        self.instruction = ""
        self.still: np.ndarray | None = None

    def on_tick(self, tick: Tick) -> None:
        if tick.stamp < self._next - 1e-6:
            return
        self._next = max(self._next + self._period, tick.stamp)
        self._target[:2] += 0.06 * (tick.state.base_position[:2] - self._target[:2])
        view = self._renderer.view(VIEW, look_at=self._target, distance=2.7, azimuth=self._azimuth, elevation=-14)
        if tick.stamp > self._head_at + 0.099:  # at the camera's own 10 Hz
            self._head, self._head_at = self._renderer.camera("head"), tick.stamp
        self.still = self._poster.frame(
            view,
            self._head,
            instruction=self.instruction,
            running=tick.note,
            shield=tick.shield,
            time=tick.stamp,
        )
        self._mp4.add(self.still)


def demo(config: DemoConfig) -> int:
    """The showcase, or one instruction; prints what was understood and done, writes a video and a summary."""
    shipped = checkpoint()
    if shipped is not None and config.policy is None and config.say is None and not config.talk:
        from volition.eval.showcase import showcase  # built on this module, as what follows is

        return showcase(config, shipped)
    folder = config.policy or (shipped if _for_a_table(config) else None)
    if folder is not None:
        from volition.eval.conversation import converse

        return converse(config, folder)
    if config.talk or config.scene_seed is not None:
        raise ContractError("No policy is shipped with this version; give one with --policy FOLDER.")
    if config.doubt is not None:
        raise ContractError("DemoConfig.doubt is for a learned policy (--policy); primitives are never unsure.")
    sayings = (config.say,) if config.say else SHOWCASE
    return _perform(
        sayings,
        out=config.out,
        seed=config.seed,
        seconds=config.seconds,
        video=(config.width, config.height, config.fps) if config.video else None,
        latency_s=DEMO_LATENCY,
        way=config.way,
    )


def _for_a_table(config: DemoConfig) -> bool:
    """Whether it is for a policy that sees: all but what primitives alone can do."""
    return config.say is None or config.talk or bool(set(named(config.say)) - {"move"})


def run(config: RunConfig) -> int:
    """One instruction to one robot."""
    return _perform(
        (config.instruction,),
        out=config.out,
        seed=config.seed,
        seconds=config.seconds,
        video=(854, 480, 20) if config.video else None,
        latency_s=None if config.latency_ms is None else config.latency_ms / 1000,
        way=config.way,
    )


def _perform(
    sayings: tuple[str, ...],
    *,
    out: Path | None,
    seed: int,
    seconds: float,
    video: tuple[int, int, int] | None,
    latency_s: float | None,
    way: Way,
) -> int:
    check_way(way, continues=False, name="The policy of primitives")
    console = Console()
    began = time.perf_counter()
    policy = PrimitivePolicy()
    plans = [policy.understand(saying) for saying in sayings]  # a refusal comes before anything moves
    for saying, plan in zip(sayings, plans, strict=True):
        console.print(f"[bold]“{saying}”[/bold]")
        for number, step in enumerate(plan.steps, 1):
            console.print(f"  {number}. {step}")
    spec = g1(HEAD_PIXELS)
    poster = Poster(video[0], video[1]) if video else None
    scene = session(spec, scene=plaza, seed=seed, view=poster.view_size if poster else None, shadows=True)
    rig = Rig(spec)
    guard = rig.guard()
    rows: list[dict[str, object]] = []
    total = sum(plan.duration for plan in plans) + 1.1 * len(plans)
    with ExitStack() as stack:
        film = None
        if video and out is not None:
            width, height, fps = video
            mp4 = stack.enter_context(Mp4(out / "demo.mp4", width=width, height=height, fps=fps))
            film = Film(mp4, scene, width=width, height=height, fps=fps)
        shown = stack.enter_context(progress(console))
        bar = shown.add_task("simulating", total=total)
        for saying, plan in zip(sayings, plans, strict=True):
            if scene.world.time >= seconds:
                console.print(
                    f"[yellow]“{saying}” was left out: the limit of {seconds:g} s is used up (--seconds).[/yellow]"
                )
                break
            rows.append(
                _follow(
                    rig,
                    scene,
                    policy,
                    saying,
                    plan,
                    guard,
                    film,
                    out,
                    seconds,
                    latency_s,
                    Manner(way=way),
                    lambda: shown.advance(bar, 0.02),
                )
            )
    console.print(_table(rows))
    fell = any(row["fell"] for row in rows)
    _explain(console, guard, fell)
    if out is not None:
        write_summary(out, {"seed": seed, "instructions": rows, "wall_s": round(time.perf_counter() - began, 1)})
        console.print(f"Summary: {out / 'summary.json'}" + (f", video: {out / 'demo.mp4'}" if video else ""))
    console.print(f"{scene.world.time:.1f} s of physics in {time.perf_counter() - began:.1f} s.")
    return 1 if fell else 0


def _follow(
    rig: Rig,
    scene: Session,
    policy: PrimitivePolicy,
    saying: str,
    plan: Plan,
    guard: Guard,
    film: Film | None,
    out: Path | None,
    seconds: float,
    latency_s: float | None,
    manner: Manner,
    advance: Callable[[], None],
) -> dict[str, object]:
    """One instruction; what came of it as a row."""
    start = scene.robot.read()
    lowest, leaning = [start.base_position[2]], [0.0]

    def on_tick(tick: Tick) -> None:
        lowest.append(tick.state.base_position[2])
        leaning.append(float(tilt(tick.state.base_quaternion)))
        advance()
        if film is not None:
            film.on_tick(tick)

    if film is not None:
        film.instruction = saying
    recorder = Recorder(out / f"run-{start.stamp:05.1f}s") if out is not None else None
    summary: RunSummary = rig.rollout(
        scene,
        policy,
        saying,
        limit_s=max(0.1, seconds - scene.world.time),
        guard=guard,
        latency_s=latency_s,
        recorder=recorder,
        on_tick=on_tick,
        manner=manner,
    )
    end = scene.robot.read()
    heading = float(yaw(start.base_quaternion))
    moved = end.base_position[:2] - start.base_position[:2]
    turned = (float(yaw(end.base_quaternion)) - heading + math.pi) % (2 * math.pi) - math.pi
    return {
        "instruction": saying,
        "understood": [str(step) for step in plan.steps],
        "status": summary.status,
        "seconds": round(summary.duration_s, 2),
        "forward_m": round(float(math.cos(heading) * moved[0] + math.sin(heading) * moved[1]), 3),
        "left_m": round(float(-math.sin(heading) * moved[0] + math.cos(heading) * moved[1]), 3),
        "turned_deg": round(math.degrees(turned), 1),
        "max_tilt_deg": round(math.degrees(max(leaning)), 1),
        "fell": bool(min(lowest) < 0.5 or max(leaning) > 0.8),
        "shield": dict(summary.interventions),
        "shield_stops": summary.stops,
        "inference_p50_ms": None if summary.latency_p50_s is None else round(1000 * summary.latency_p50_s, 2),
    }


def progress(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.1f}/{task.total:.1f} s"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _table(rows: list[dict[str, object]]) -> Table:
    table = Table(title="What the robot did", caption="forward and left in m, turned and tilt in degrees")
    table.add_column("said", overflow="fold", ratio=1)
    for name in ("ended", "forward", "left", "turned", "tilt", "stops", "trims"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        shield = row["shield"]
        trims = sum(shield.values()) if isinstance(shield, dict) else 0
        keys = ("status", "forward_m", "left_m", "turned_deg", "max_tilt_deg", "shield_stops")
        table.add_row(str(row["instruction"]), *(str(row[key]) for key in keys), str(trims))
    return table


def _explain(console: Console, guard: Guard, fell: bool) -> None:
    if fell:
        console.print("[red]The robot fell.[/red]")
    console.print(f"Shield: {guard.summary()}", highlight=False)


def write_summary(out: Path, summary: dict[str, object]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    scratch = out / "summary.json.part"
    scratch.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    scratch.replace(out / "summary.json")
