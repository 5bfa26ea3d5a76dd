"""The command line: reads a configuration, calls one function, turns errors into one sentence and an exit code.

Exit codes: 0 done, 1 the task was not done, 2 wrong input or a broken set-up, 130 stopped by Ctrl-C.
A command is imported when it is called, so that `--help` and `doctor` work before anything heavy is installed.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import tyro

import volition
from volition.benchmarks.metaworld import configs as metaworld
from volition.data.commands import CheckConfig, ConvertConfig, ShowConfig
from volition.doctor import DoctorConfig
from volition.errors import VolitionError
from volition.eval.configs import DemoConfig, EvalConfig, FollowConfig, RunConfig, SimConfig
from volition.eval.latency_config import LatencyConfig
from volition.export.command import CompressConfig, ExportConfig
from volition.model.command import ModelsCommand
from volition.ros.config import ListenConfig, McapConfig, Ros1Config, Ros2Config
from volition.safety.configs import FaultsConfig, PreflightConfig, ReportConfig, SafetyConfig
from volition.serve.configs import ServeConfig
from volition.teach.configs import GenerateConfig, LooksConfig, ScenesConfig
from volition.train.command import TrainCommand

DESCRIPTION = "Volition: from what a humanoid sees and is told to what it does, behind a shield."


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Generate, convert, check and show data sets.

    Example: volition data check data/skills
    """

    command: (
        Annotated[GenerateConfig, tyro.conf.subcommand("generate")]
        | Annotated[LooksConfig, tyro.conf.subcommand("looks")]
        | Annotated[ScenesConfig, tyro.conf.subcommand("scenes")]
        | Annotated[ConvertConfig, tyro.conf.subcommand("convert")]
        | Annotated[CheckConfig, tyro.conf.subcommand("check")]
        | Annotated[ShowConfig, tyro.conf.subcommand("show")]
        | Annotated[McapConfig, tyro.conf.subcommand("mcap")]
        | Annotated[ListenConfig, tyro.conf.subcommand("listen")]
    )


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """Measure: how long it takes here from the camera to the command, every recipe's decision, and suites of others.

    Example: volition bench latency
    """

    command: (
        Annotated[LatencyConfig, tyro.conf.subcommand("latency")]
        | Annotated[ModelsCommand, tyro.conf.subcommand("models")]
        | Annotated[metaworld.MetaWorldConfig, tyro.conf.subcommand("metaworld")]
    )


# name -> configuration, whose docstring is the help text; one with a `command` has commands of its own.
COMMANDS: dict[str, type] = {
    "demo": DemoConfig,
    "run": RunConfig,
    "sim": SimConfig,
    "data": DataConfig,
    "models": ModelsCommand,
    "train": TrainCommand,
    "eval": EvalConfig,
    "follow": FollowConfig,
    "export": ExportConfig,
    "compress": CompressConfig,
    "bench": BenchConfig,
    "ros1": Ros1Config,
    "ros2": Ros2Config,
    "serve": ServeConfig,
    "preflight": PreflightConfig,
    "safety": SafetyConfig,
    "doctor": DoctorConfig,
}

# configuration -> where the function that takes it is
FUNCTIONS: dict[type, str] = {
    EvalConfig: "volition.eval.evaluate:evaluate",
    FollowConfig: "volition.eval.plan:follow",
    ExportConfig: "volition.export.export:export",
    CompressConfig: "volition.eval.compression:compress",
    LatencyConfig: "volition.eval.latency:latency",
    DemoConfig: "volition.eval.demo:demo",
    RunConfig: "volition.serve.drive:run",
    ServeConfig: "volition.serve.command:serve",
    PreflightConfig: "volition.eval.preflight:run",
    ReportConfig: "volition.eval.safety_report:report",
    FaultsConfig: "volition.serve.killed:run",
    SimConfig: "volition.eval.scene_page:sim",
    DoctorConfig: "volition.doctor:doctor",
    GenerateConfig: "volition.teach.generate:generate",
    LooksConfig: "volition.teach.looks:looks",
    ScenesConfig: "volition.teach.scenes:scenes",
    ModelsCommand: "volition.model.table:models",
    McapConfig: "volition.ros.mcap:mcap",
    ListenConfig: "volition.ros.listen2:listen",
    Ros1Config: "volition.ros.run1:ros1",
    Ros2Config: "volition.ros.run2:ros2",
    TrainCommand: "volition.eval.training:train",
    ConvertConfig: "volition.data.commands:convert",
    CheckConfig: "volition.data.commands:check",
    ShowConfig: "volition.data.show:show",
    metaworld.GenerateConfig: "volition.benchmarks.metaworld.generate:generate",
    metaworld.TrainConfig: "volition.benchmarks.metaworld.train:train",
    metaworld.EvalConfig: "volition.benchmarks.metaworld.evaluate:evaluate",
    metaworld.ReportConfig: "volition.benchmarks.metaworld.report:report",
}


# Python's and tyro's words -> ours.
REWORDED = {
    r"^Error parsing \w+Config: ": "",
    r"^Error parsing (\S+): invalid literal for int\(\) with base 10: ": r"\1 must be a whole number, not ",
    r"^Error parsing (\S+): could not convert string to float: ": r"\1 must be a number, not ",
    r"'(?:command\.)+(\w+)'": r"\1",
    r"\. Expected one of": "; it must be one of",
    r"\. Expected \d+ values?": "",
}


class UsageError(VolitionError):
    """The command line asks for something that does not exist."""


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without UTF-8 shows ? instead of ending the program
            stream.reconfigure(errors="replace")
    if given in (["--version"], ["-V"]):
        print(f"volition {volition.__version__}")
        return 0
    try:
        config = parse(given)
        while hasattr(config, "command"):
            config = config.command
        return function_for(config)(config)
    except VolitionError as error:
        return fail(str(error))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "volition":
            raise
        return fail(f"The package {error.name!r} is not installed; `volition doctor` says what to install.")
    except BrokenPipeError:  # the reader (`| head`) has gone; nothing is left to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.filename is None:
            raise
        return fail(f"{error.filename}: {error.strerror}.")
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


def fail(sentence: str) -> int:
    print(f"volition: {sentence}", file=sys.stderr)
    return 2


def parse(arguments: list[str]) -> Any:
    """One of the configurations in COMMANDS. tyro's boxed errors become one sentence."""
    shown = io.StringIO()
    try:
        with redirect_stderr(shown):
            return tyro.extras.subcommand_cli_from_dict(
                COMMANDS,
                prog="volition",
                description=DESCRIPTION,
                args=arguments,
                config=(tyro.conf.OmitSubcommandPrefixes,),
            )
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        command = f" {arguments[0]}" if arguments and arguments[0] in COMMANDS else ""
        raise UsageError(sentence(shown.getvalue(), f"volition{command} --help")) from None


def sentence(box: str, help_command: str) -> str:
    """The message inside tyro's box: its first paragraph, and the nearest flag where it suggests one."""
    paragraphs = _paragraphs(box)
    if len(paragraphs) < 2 or not paragraphs[1]:
        return f"The command line could not be read; see `{help_command}`."
    first, *more = paragraphs[1]
    # An argument's own description is indented deeper than its name; the name is enough here.
    more = [line for line in more if _indent(line) <= _indent(first) + 4]
    message = " ".join(line.strip() for line in (first, *more))
    for pattern, better in REWORDED.items():
        message = re.sub(pattern, better, message)
    message = message.rstrip(".")
    near = next((line.split()[0] for lines in paragraphs[2:] for line in lines if re.match(r"\s+--\w", line)), None)
    if near and message.startswith("Unrecognized"):
        message += f" (did you mean {near}?)"
    return f"{message}; see `{help_command}`."


def _paragraphs(box: str) -> list[list[str]]:
    """The lines between the rules of a box, drawn with lines or, on a terminal without UTF-8, with dashes."""
    paragraphs: list[list[str]] = [[]]
    for line in box.splitlines():
        inside = line.strip("│").rstrip()
        if line.startswith(("╭", "╰")) or re.fullmatch(r"\s*[─-]{5,}\s*", inside):
            paragraphs.append([])
        elif inside:
            paragraphs[-1].append(inside)
    return paragraphs


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def function_for(config: object) -> Callable[[Any], int]:
    module, _, name = FUNCTIONS[type(config)].partition(":")
    return getattr(import_module(module), name)


if __name__ == "__main__":
    sys.exit(main())
