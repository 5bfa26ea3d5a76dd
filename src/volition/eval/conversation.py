"""`volition demo --policy`: a person tells a learned policy what to do in a scene, once or sentence after sentence.

    command --request.read--> Request --> Steps(policy) behind the scene's senses --the one loop--> referee --> what came of it

The scene goes on: a command finds things where the one before has left them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from volition.eval.configs import DemoConfig
from volition.eval.demo import progress, write_summary
from volition.eval.episode import HOLD_S
from volition.eval.film import Mp4, Poster
from volition.eval.manner import Manner
from volition.eval.request import Refusal, Request, inventory, read, scene_for, suggestion, taught
from volition.eval.rollout import Rig
from volition.eval.skill_film import look
from volition.eval.trials import Sensing
from volition.export.folder import is_exported
from volition.export.folder import read as read_exported
from volition.export.policy import ExportedPolicy, calibration_of
from volition.model.checkpoint import load
from volition.model.policy import LearnedPolicy
from volition.model.steps.policy import Steps
from volition.model.uncertainty import doubts_beside
from volition.policy import Policy
from volition.robots.g1 import g1
from volition.runtime.doubt import Doubt, doubt_for
from volition.runtime.oversight import Oversight
from volition.runtime.recorder import Recorder
from volition.runtime.report import RunSummary, Tick
from volition.runtime.ways import Way, check_way
from volition.safety.calibration import read_calibration, weights_of
from volition.sim.errand import Errand
from volition.sim.scene import Scene, Thing
from volition.sim.skills import SKILLS
from volition.sim.stage import Stage
from volition.sim.tasks.wipe_surface import COVERED
from volition.types import RobotSpec, RobotState

Row = dict[str, Any]
QUIT = ("quit", "exit", "bye", "q")
SPARE_S = 2.0  # a command may take as long as its goals together, and this

# What the referees' words mean to a person.
WHY = {
    "time": "out of time",
    "wrong_thing": "another thing was meant",
    "wrong_place": "another place was meant",
    "dropped": "it was dropped",
    "spilt": "it was spilt",
    "fell": "the robot fell",
}


class Conversation:
    """One stage on which one command follows another; `policy` is told one step at a time. `measured`: its own wall time
    counts, as for one that is elsewhere, and not the scene's latency."""

    def __init__(
        self,
        stage: Stage,
        rig: Rig,
        policy: Policy,
        *,
        out: Path | None = None,
        measured: bool = False,
        manner: Manner | None = None,
    ) -> None:
        self._stage, self._rig, self._out = stage, rig, out
        self._latency = None if measured else stage.scene.physics.latency_s
        self._policy = Sensing(Steps(policy), stage.scene)
        self._guard = rig.guard()
        self._manner = manner
        self.over = False  # the robot has fallen, or somebody stopped it

    @property
    def scene(self) -> Scene:
        """As it is now: what can be moved where it stands, without the stains that are gone."""
        things: list[Thing] = []
        for thing in self._stage.scene.things:
            if thing.kind == "patch" and self._stage.stains.wiped(thing.name) >= COVERED:
                continue
            if self._loose(thing.name):
                x, y, z = (float(value) for value in self._stage.position(thing.name))
                thing = replace(thing, position=(x, y, z))
            things.append(thing)
        return replace(self._stage.scene, things=tuple(things), goals=())

    def _loose(self, name: str) -> bool:
        return int(self._stage.world.model.body(name).dofnum[0]) == 6

    def carry_out(self, request: Request, *, seconds: float, on_tick: Callable[[Tick], None] | None = None) -> Row:
        """Until the policy says that it is done, or the referee that it is over; what came of it."""
        stage, errand = self._stage, Errand(self._stage, request.goals)
        begin, fell = stage.time, False

        def tick(now: Tick) -> None:
            nonlocal fell
            errand.watch(now.state)
            fell = fell or stage.fallen(now.state)
            if on_tick is not None:
                on_tick(now)

        def until(state: RobotState) -> bool:
            return fell or (errand.over and stage.time > errand.results[-1].ended + HOLD_S)

        limit = sum(SKILLS[goal.skill].limit_s for goal in request.goals) + SPARE_S
        summary = self._rig.rollout(
            stage.session,
            self._policy,
            request.text,
            limit_s=min(limit, seconds),
            latency_s=self._latency,
            guard=self._guard,
            recorder=None if self._out is None else Recorder(self._out / f"run-{begin:05.1f}s"),
            on_tick=tick,
            until=until,
            cameras=True,
            manner=self._manner,
        )
        self.over = fell or summary.status in ("stopped", "error")
        return _row(request, errand, summary, fell)


def _row(request: Request, errand: Errand, summary: RunSummary, fell: bool) -> Row:
    steps = []
    for number, (sentence, goal) in enumerate(zip(request.sentences, request.goals, strict=True)):
        ended = errand.results[number] if number < len(errand.results) else None
        begun = number <= len(errand.results) and not errand.failed
        why = ended.verdict.why if ended else "not done" if begun else "not begun"
        step: Row = {
            "told": sentence,
            "goal": asdict(goal),
            "success": bool(ended and ended.verdict.success),
            "why": why,
        }
        step["seconds"] = round(ended.ended - ended.began, 2) if ended else None
        steps.append(step)
    return {
        "instruction": request.text,
        "steps": steps,
        "success": errand.succeeded and not fell and summary.stops == 0,
        "status": summary.status,
        "seconds": round(summary.duration_s, 2),
        "fell": fell,
        "errors": summary.errors,
        "shield": dict(summary.interventions),
        "shield_stops": summary.stops,
        "inference_p50_ms": None if summary.latency_p50_s is None else round(1000 * summary.latency_p50_s, 2),
    }


class TableFilm:
    """Films a stage; hand `tick` to the loop."""

    def __init__(self, mp4: Mp4, poster: Poster, stage: Stage, fps: int) -> None:
        self._mp4, self._poster, self._stage = mp4, poster, stage
        self._period, self._next = 1.0 / fps, 0.0
        self.instruction = ""

    @property
    def frames(self) -> int:
        return self._mp4.frames

    def tick(self, now: Tick) -> None:
        if now.stamp < self._next - 1e-6:
            return
        self._next = max(self._next + self._period, now.stamp)
        self._mp4.add(
            self._poster.frame(
                look(self._stage),
                now.images.get("head"),
                instruction=self.instruction,
                running=now.note,
                shield=now.shield,
                time=now.stamp,
            )
        )


@dataclass(frozen=True, kw_only=True)
class Taught:
    """A policy ready to be told something, and what it was taught."""

    policy: Policy
    spec: RobotSpec
    skills: tuple[str, ...]
    doubt: Doubt | None

    @property
    def asks(self) -> bool:
        """Whether it asks a person when it is unsure."""
        return self.doubt is not None and self.doubt.config.response == "ask"

    def manner(self, way: Way) -> Manner:
        doubt = self.doubt
        return Manner(
            way=way,
            doubt=None if doubt is None else lambda spec: doubt,
            oversight=Oversight() if self.asks else None,
        )


def policy_of(config: DemoConfig, folder: Path) -> Taught:
    """From a checkpoint's folder or an exported policy's."""
    if is_exported(folder):
        found = read_exported(folder)
        check_way(config.way, continues=False, name=f"The exported policy {folder}")
        spec = g1(found.manifest.picture[0])
        exported = ExportedPolicy(found, spec, seed=config.seed)
        doubt = doubt_for(calibration_of(found), exported.action_spec, config.doubt, str(folder))
        return Taught(policy=exported, spec=spec, skills=taught(found.manifest.tasks), doubt=doubt)
    checkpoint = load(folder)
    check_way(config.way, continues=checkpoint.model.continues, name=f"The checkpoint {folder}")
    spec = g1(checkpoint.design.shapes.picture[0])
    policy = LearnedPolicy(checkpoint, spec, seed=config.seed, doubts=doubts_beside(folder))
    calibration = read_calibration(folder, weights_of(folder))
    doubt = doubt_for(calibration, policy.action_spec, config.doubt, str(folder))
    return Taught(policy=policy, spec=spec, skills=taught(checkpoint.design.shapes.tasks), doubt=doubt)


def converse(config: DemoConfig, folder: Path) -> int:
    """Exit code 0: every command was reached, by the referee; 1: one was not. Refused at once: an InstructionError."""
    found = policy_of(config, folder)
    return talk_to(found.policy, config, found.spec, found.skills, name=str(folder), doubt=found.doubt)


def talk_to(
    policy: Policy,
    config: DemoConfig,
    spec: RobotSpec,
    skills: tuple[str, ...],
    *,
    name: str,
    measured: bool = False,
    doubt: Doubt | None = None,
) -> int:
    """The same with any policy that can do these skills; `name` is for the summary. `doubt`: what is done when it is unsure."""
    console, began = Console(), time.perf_counter()
    manner = Taught(policy=policy, spec=spec, skills=skills, doubt=doubt).manner(config.way)
    text = config.say or ""
    scene = scene_for(text, config.scene_seed, skills)
    first = read(scene, text or suggestion(scene), skills) if text or not config.talk else None
    poster = Poster(config.width, config.height) if config.video else None
    stage = Stage(scene, spec, cameras=True, view=poster.view_size if poster else None, shadows=poster is not None)
    rows: list[Row] = []
    with ExitStack() as stack:
        stack.callback(stage.close)
        film = None
        if poster is not None:
            mp4 = Mp4(config.out / "demo.mp4", width=config.width, height=config.height, fps=config.fps)
            film = TableFilm(stack.enter_context(mp4), poster, stage, config.fps)
        talk = Conversation(stage, Rig(spec), policy, out=config.out, measured=measured, manner=manner)
        console.print(f"Here are: {inventory(scene)}.", highlight=False)
        for request in _requests(console, talk, first, skills, listen=config.talk):
            rows.append(carry(console, talk, request, config, film, manner.oversight))
            if talk.over:
                break
    summary = {"policy": name, "scene": scene.to_json(), "seed": config.seed, "instructions": rows}
    write_summary(config.out, {**summary, "wall_s": round(time.perf_counter() - began, 1)})
    video = f", video: {config.out / 'demo.mp4'}" if film is not None and film.frames else ""
    console.print(f"Summary: {config.out / 'summary.json'}{video}", highlight=False)
    return 0 if all(row["success"] for row in rows) else 1


def _requests(
    console: Console, talk: Conversation, first: Request | None, skills: tuple[str, ...], *, listen: bool
) -> Iterator[Request]:
    """The first one, then a line of standard input each, until "quit" or its end. A refusal is said, and nothing moves."""
    if first is not None:
        yield first
    asks = sys.stdin.isatty()
    while listen:
        if asks:
            console.print("Say what to do (quit ends): ", end="")
        line = sys.stdin.readline()
        text = line.strip()
        if not line or text.lower() in QUIT:
            return
        if not text:
            continue
        try:
            request = read(talk.scene, text, skills)
        except Refusal as refusal:
            console.print(f"[bold]“{escape(text)}”[/bold]\n  {escape(str(refusal))}", highlight=False)
        else:
            yield request


def carry(
    console: Console,
    talk: Conversation,
    request: Request,
    config: DemoConfig,
    film: TableFilm | None,
    person: Oversight | None,
) -> Row:
    """One request, with a bar while it runs and a word for each of its steps after."""
    console.print(f"[bold]“{escape(request.text)}”[/bold]", highlight=False)
    for number, (sentence, goal) in enumerate(zip(request.sentences, request.goals, strict=True), 1):
        console.print(f"  {number}. {escape(sentence)}  ({_said(asdict(goal))})", highlight=False)
    if film is not None:
        film.instruction = request.text
    with progress(console) as bar:
        task = bar.add_task("simulating", total=config.seconds)

        def tick(now: Tick) -> None:
            bar.advance(task, 0.02)
            if film is not None:
                film.tick(now)
            if person is not None and person.question:
                bar.stop()
                _ask(console, person)
                bar.start()

        row = talk.carry_out(request, seconds=config.seconds, on_tick=tick)
    for number, step in enumerate(row["steps"], 1):
        colour, word = (
            ("green", f"done in {step['seconds']} s")
            if step["success"]
            else ("red", WHY.get(step["why"], step["why"].replace("_", " ")))
        )
        console.print(f"  [{colour}]{number}. {word}[/{colour}]", highlight=False)
    console.print(f"  {_ended(row)}", highlight=False)
    return row


def _ask(console: Console, person: Oversight) -> None:
    """Whoever is at the terminal says yes or no; the simulated world waits. The end of the input is a no."""
    console.print(f"  Shall it {escape(person.question)}? (y/n) ", end="", highlight=False)
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        person.approve()
    else:
        person.refuse()


def _said(goal: Row) -> str:
    return " ".join(str(value).replace("_", " ") for value in goal.values() if value)


def _ended(row: Row) -> str:
    reached = sum(step["success"] for step in row["steps"])
    how = {
        "done": "the policy said that it was done",
        "failed": "the policy gave up",
        "reached": "the referee ended it",
        "time": "the time was up",
        "stopped": "it was stopped",
    }.get(row["status"], row["status"])
    fell = " The robot fell; this scene is over." if row["fell"] else ""
    stops = f" The shield took over {row['shield_stops']} times." if row["shield_stops"] else ""
    return f"{reached} of {len(row['steps'])} reached in {row['seconds']} s: {how}.{stops}{fell}"
