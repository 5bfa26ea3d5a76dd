"""The settings of `volition demo`, `volition run` and `volition sim`: read by the command line, checked when they are built.

Only the standard library is imported, so that `volition --help` is quick and needs no simulator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from volition.errors import ContractError

ROBOTS = ("sim",)
Way = Literal["wait", "switch", "blend", "ensemble", "continue"]  # as in runtime/ways.py
Response = Literal["watch", "slow", "hold", "ask"]  # as in runtime/doubt.py


def _check_seed(owner: str, seed: int, name: str = "seed") -> None:
    if not 0 <= seed < 2**32:
        raise ContractError(f"{owner}.{name} is {seed}; it must be 0 to {2**32 - 1}.")


def _check_seconds(owner: str, seconds: float) -> None:
    if not (math.isfinite(seconds) and 1 <= seconds <= 3600):
        raise ContractError(f"{owner}.seconds is {seconds}; it must be 1 to 3600.")


def _check_instruction(owner: str, name: str, text: str) -> None:
    if not text.strip() or len(text) > 500:
        raise ContractError(f"{owner}.{name} has {len(text.strip())} characters; it must have 1 to 500.")


@dataclass(frozen=True, kw_only=True)
class DemoConfig:
    """Run a showcase, or one instruction, on the simulated G1 and write a video of it.

    Example: volition demo --say "raise your left arm, then take two steps back"

    With a learned policy the G1 stands at a table: volition demo --policy out/quick/best --say "press the red button"
    """

    say: str | None = None
    """One instruction in plain English; without it a showcase of several is run, or what the scene is for."""
    policy: Path | None = None
    """Folder of a checkpoint, which does what is said with what it sees."""
    scene_seed: int | None = None
    """Which scene a learned policy gets; without it the first one in which the command is clear."""
    talk: bool = False
    """Then read one command after another from standard input, in the same scene, until `quit`."""
    way: Way = "blend"
    """How chunks become motion; docs/realtime.md says which to choose."""
    doubt: Response | None = None
    """What the robot does when a learned policy is unsure; without it slow if the policy is calibrated, else nothing."""
    out: Path = Path("out/demo")
    """Folder for the video and the summary; made when it is missing."""
    seed: int = 0
    """Seed of everything random; written into the summary."""
    seconds: float = 60.0
    """Longest simulated time in seconds, 1 to 3600, of a learned policy that of each command; it ends earlier when all is done."""
    video: bool = True
    """Write an mp4 of the third-person and head views."""
    width: int = 854
    """Width of the video in pixels, even, 64 to 3840."""
    height: int = 480
    """Height of the video in pixels, even, 64 to 2160."""
    fps: int = 20
    """Frames a second of the video, 1 to 50 (the control rate)."""

    def __post_init__(self) -> None:
        if self.say is not None:
            _check_instruction("DemoConfig", "say", self.say)
        _check_seed("DemoConfig", self.seed)
        if self.scene_seed is not None:
            _check_seed("DemoConfig", self.scene_seed, "scene_seed")
        _check_seconds("DemoConfig", self.seconds)
        for name, highest in (("width", 3840), ("height", 2160)):
            pixels = getattr(self, name)
            if not 64 <= pixels <= highest or pixels % 2:
                raise ContractError(
                    f"DemoConfig.{name} is {pixels}; it must be an even number, 64 to {highest} pixels."
                )
        if not 1 <= self.fps <= 50:
            raise ContractError(f"DemoConfig.fps is {self.fps}; it must be 1 to 50 frames a second.")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Give one instruction to one robot, through the same loop and shield that everything uses.

    Example: volition run "wave, then turn left" --out out/wave --video

    With a policy that runs on a server: volition run "press the red button" --policy ws://127.0.0.1:8000
    """

    instruction: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="INSTRUCTION")]
    """What the robot is told, in plain English and in quotes."""
    policy: str | None = None
    """Address of a policy server that speaks the openpi protocol; the robot then stands at a table."""
    schema: Path | None = None
    """What that server expects, as JSON, where it does not say so itself."""
    key_file: Path | None = None
    """File with that server's API key; without it the variable VOLITION_API_KEY counts."""
    answer_ms: float = 500.0
    """Longest wait for an answer of that server, 10 to 60000 ms; then the shield holds the robot."""
    way: Way = "blend"
    """How chunks become motion; docs/realtime.md says which to choose."""
    doubt: Response | None = None
    """What the robot does when a policy on a server is unsure; without it slow if that server says what its doubt means."""
    scene_seed: int | None = None
    """Which scene a policy on a server gets; without it the first one in which the command is clear."""
    robot: Literal["sim"] = "sim"
    """Which robot to run on; `sim` is the G1 in physics."""
    out: Path | None = None
    """Folder for the summary and the video; without it nothing is written."""
    seed: int = 0
    """Seed of everything random; written into the summary."""
    seconds: float = 60.0
    """Longest time in seconds of the robot's clock, 1 to 3600."""
    video: bool = False
    """Write an mp4 as well; needs `--out`."""
    latency_ms: float | None = None
    """Pretend that the policy takes this long, 0 to 5000 ms; without it the policy's own time counts."""

    def __post_init__(self) -> None:
        _check_instruction("RunConfig", "instruction", self.instruction)
        if self.robot not in ROBOTS:
            raise ContractError(f"RunConfig.robot is {self.robot!r}; it must be one of {', '.join(ROBOTS)}.")
        _check_seed("RunConfig", self.seed)
        _check_seconds("RunConfig", self.seconds)
        if self.video and self.out is None and self.policy is None:
            raise ContractError("RunConfig.video is True but RunConfig.out is None; say where to write with out.")
        if self.policy is not None:
            _check_remote(self)
        elif self.doubt is not None:
            raise ContractError("RunConfig.doubt is for a policy on a server (--policy); primitives are never unsure.")
        if self.latency_ms is not None and not 0 <= self.latency_ms <= 5000:
            raise ContractError(f"RunConfig.latency_ms is {self.latency_ms}; it must be 0 to 5000 ms, or none.")


def _check_remote(config: RunConfig) -> None:
    if config.scene_seed is not None:
        _check_seed("RunConfig", config.scene_seed, "scene_seed")
    if config.latency_ms is not None:
        raise ContractError("RunConfig.latency_ms is for policies here; the time of one on a server is measured.")
    if not 10 <= config.answer_ms <= 60_000:
        raise ContractError(f"RunConfig.answer_ms is {config.answer_ms}; it must be 10 to 60000 ms.")


@dataclass(frozen=True, kw_only=True)
class SimConfig:
    """Show random scenes of the task suite with their instructions as a page of pictures, for a person to check.

    Example: volition sim --skill press_button,pour --scenes 12 --out out/scenes
    """

    skill: str = "all"
    """Skills with commas between, `chain`, or `all`."""
    scenes: int = 24
    """How many scenes over all skills, 1 to 500."""
    seed: int = 0
    """Seed of the first scene; the next ones count up."""
    axes: str = ""
    """Strengths of what varies, as `light=0,camera=2`: 0 is off, 1 (without a word) what training sees, up to 10."""
    out: Path = Path("out/scenes")
    """Folder for index.html and scenes.png; made when it is missing."""
    film: bool = False
    """Let the expert do it and write a film of each scene as well; takes about 20 s a scene."""

    def __post_init__(self) -> None:
        _check_seed("SimConfig", self.seed)
        if not 1 <= self.scenes <= 500:
            raise ContractError(f"SimConfig.scenes is {self.scenes}; it must be 1 to 500.")


@dataclass(frozen=True, kw_only=True)
class EvalConfig:
    """Try a policy in closed loop on scenes it has never seen, and say how often it succeeds.

    Example: volition eval out/quick/best --suite skills --episodes 100 --out out/report
    """

    checkpoint: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="CHECKPOINT")] = None
    """Folder of a checkpoint, or `rival`, the traditional pipeline; with --reproduce only if it is elsewhere now."""
    suite: str = "skills"
    """Suites with commas between, or `all`: skills, phrasings, pairs, swap, steps, chains, robustness."""
    episodes: int = 100
    """Trials of each skill and condition, 1 to 10000."""
    skills: str = ""
    """Only these skills, with commas between."""
    workers: int = 2
    """How many processes; they do not change what comes out."""
    out: Path | None = None
    """Folder of the report, out/report if nothing is said; the same command again goes on where it ended."""
    films: int = 3
    """Films of each skill, 0 to 20: a success and failures of different kinds; with them what the policy looked at."""
    reproduce: Path | None = None
    """A report (its folder, report.html or manifest.json): run its trials again and say whether they end as they did."""
    against: Path | None = None
    """Another checkpoint, tried on the same seeds and compared pair by pair."""
    shown: Path | None = None
    """Data set with demonstrations to show, for policies that take them (few-shot)."""
    device: str = "cpu"
    """Where the model computes."""

    def __post_init__(self) -> None:
        for name, most in (("episodes", 10_000), ("workers", 1024)):
            if not 1 <= getattr(self, name) <= most:
                raise ContractError(f"EvalConfig.{name} is {getattr(self, name)}; it must be 1 to {most}.")
        if not 0 <= self.films <= 20:
            raise ContractError(f"EvalConfig.films is {self.films}; it must be 0 to 20.")
        if self.checkpoint is None and self.reproduce is None:
            raise ContractError("CHECKPOINT is missing; give a checkpoint's folder, or a report with --reproduce")


@dataclass(frozen=True, kw_only=True)
class FollowConfig:
    """Make a policy from nothing by a plan: demonstrations, training, corrections, a report; the same command goes on.

    Example: volition follow quick --out out/quick
    """

    plan: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="PLAN")]
    """A plan of ours (quick), or the path of a .toml file."""
    out: Path
    """Folder for everything that comes out."""
    workers: int = 2
    """Processes that simulate, and threads that train."""
    dry: bool = False
    """Only print the plan, what is done of it, and how long the rest takes."""

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= 1024:
            raise ContractError(f"FollowConfig.workers is {self.workers}; it must be 1 to 1024.")
