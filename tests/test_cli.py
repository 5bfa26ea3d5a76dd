"""The command line: help with an example for every command, one sentence and exit code 2 for wrong input."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from importlib import metadata

import pytest

from volition import cli
from volition.doctor import DoctorConfig, _floors, _numbers
from volition.errors import ContractError
from volition.eval.configs import DemoConfig, RunConfig

WRONG = [
    ([], "Expected one of"),
    (["fly"], "fly"),
    (["demo", "--sayy", "hello"], "--say?"),
    (["demo", "--seed", "abc"], "--seed must be a whole number, not 'abc'"),
    (["demo", "--seed", "-1"], "seed is -1"),
    (["demo", "--seconds", "nan"], "seconds is nan"),
    (["demo", "--seconds"], "--seconds"),
    (["demo", "--width", "99"], "even number"),
    (["demo", "--say", " "], "say has 0 characters"),
    (["run"], "INSTRUCTION"),
    (["run", "wave", "--robot", "toaster"], "toaster"),
    (["run", "wave", "--video"], "out"),
    (["run", "wave", "--latency-ms", "99999"], "latency_ms is 99999"),
    (["doctor", "--role", "cook"], "cook"),
]


def volition(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "volition.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([name, "--help"])
    assert stop.value.code in (0, None)
    shown = capsys.readouterr().out
    assert f"Example: volition {name}" in shown
    assert "-h, --help" in shown


def test_help_is_fast_and_lists_every_command() -> None:
    times = []  # of the processor: others may share the machine
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = volition("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert result.returncode == 0
        assert all(f"• {name}" in result.stdout for name in cli.COMMANDS)
    assert min(times) < 0.5


def test_help_needs_nothing_heavy() -> None:
    code = "import sys, volition.cli; print(sorted({'numpy', 'torch', 'mujoco', 'av'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize(("arguments", "named"), WRONG)
def test_wrong_input_gives_one_sentence_and_code_2(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1
    assert named in lines[0]
    assert lines[0].endswith("--help`.")
    assert "Traceback" not in lines[0]
    assert ". " not in lines[0]


def test_the_process_itself_exits_with_2() -> None:
    result = volition("demo", "--seed", "x")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ContractError("Sleeve.length is -1; it must be above 0."), 2, "volition: Sleeve.length is -1"),
        (KeyboardInterrupt(), 130, "Stopped."),
        (PermissionError(13, "Permission denied", "/locked"), 2, "/locked: Permission denied."),
        (ModuleNotFoundError("No module named 'mujoco'", name="mujoco"), 2, "'mujoco' is not installed"),
    ],
)
def test_errors_become_a_sentence_and_a_code(
    error: BaseException, code: int, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> int:
        raise error

    monkeypatch.setattr(cli, "function_for", lambda config: broken)
    assert cli.main(["demo"]) == code
    shown = capsys.readouterr().err
    assert text in shown
    assert shown.count("\n") == 1


def test_a_programming_error_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "function_for", lambda config: broken)
    with pytest.raises(ZeroDivisionError):
        cli.main(["demo"])


def test_arguments_reach_the_configuration() -> None:
    assert cli.parse(["demo", "--say", "wave", "--no-video", "--fps", "10"]) == DemoConfig(
        say="wave", video=False, fps=10
    )
    assert cli.parse(["run", "turn left", "--latency-ms", "80"]) == RunConfig(instruction="turn left", latency_ms=80.0)
    assert cli.parse(["doctor"]) == DoctorConfig()


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("volition ")


def test_an_unknown_box_still_gives_a_sentence() -> None:
    assert cli.sentence("", "volition --help") == "The command line could not be read; see `volition --help`."


def test_doctor_json_parses_and_agrees_with_its_exit_code() -> None:
    result = volition("doctor", "--json", "--quick")
    report = json.loads(result.stdout)
    failed = [check for check in report["checks"] if check["status"] == "fail"]
    assert result.returncode == (2 if failed else 0)
    assert report["ok"] is not bool(failed)
    assert {"Python", "numpy", "mujoco", "torch", "light G1", "cache"} <= {check["name"] for check in report["checks"]}
    assert all(check["advice"] for check in failed)


def test_doctor_needs_no_package_but_its_own() -> None:
    """With everything heavy blocked it still answers, and a robot without torch is only told about it."""
    code = (
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('numpy', 'torch', 'mujoco', 'av', 'PIL'): raise ImportError(name)\n"
        "sys.meta_path.insert(0, Block())\n"
        "from volition.cli import main\n"
        "sys.exit(main(['doctor', '--json', '--quick', '--role', 'robot']))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode in (0, 2), result.stderr
    assert json.loads(result.stdout)["role"] == "robot"


def test_versions_compare_as_numbers() -> None:
    assert _numbers("2.13.0+cpu") == (2, 13, 0)
    assert _numbers("1.9") < _numbers("1.12.0rc1") < _numbers("1.12.1")


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_terminals_with_and_without_utf_8(encoding: str) -> None:
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "volition.cli"]
    shown = subprocess.run([*command, "--help"], capture_output=True, env=environment, check=True).stdout
    assert b"doctor" in shown
    wrong = subprocess.run([*command, "demo", "--sayy", "x"], capture_output=True, env=environment, check=False)
    assert wrong.stderr.decode() == (
        "volition: Unrecognized options: --sayy, x (did you mean --say?); see `volition demo --help`.\n"
    )


@pytest.mark.slow
def test_doctor_asks_for_no_extra_that_was_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "numpy>=1.24",
        'mujoco>=3.3; extra == "robot"',
        "cyclonedds>=11; extra == 'ros2-peer'",
        'ray; extra == "ray"',
    ]
    monkeypatch.setattr(metadata, "requires", lambda _: lines)
    assert _floors() == {"base": [("numpy", "1.24")], "robot": [("mujoco", "3.3")], "sim": [], "learn": []}


def test_doctor_tries_rendering_and_video() -> None:
    report = json.loads(volition("doctor", "--json").stdout)
    status = {check["name"]: check["status"] for check in report["checks"]}
    assert status["rendering"] == "ok"
    assert status["video"] == "ok"
