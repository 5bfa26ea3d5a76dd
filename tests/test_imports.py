"""Imports go one way, torch and ROS stay where they belong, and every module says what it is for.

The source is parsed, not imported: an import hidden inside a function counts too.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import volition

SOURCE = Path(volition.__file__).parent

# A part may import parts of lower levels only. A part is a package or a module directly under volition/.
LEVELS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("specs", "cache", "processes"),
    ("types",),
    ("policy", "transforms"),
    ("robots",),
    ("body",),
    ("data", "safety", "sim"),
    ("model", "rival"),
    ("train",),
    ("export",),
)
LEVEL = {part: level for level, parts in enumerate(LEVELS) for part in parts}
LOOP = {part for part, level in LEVEL.items() if level <= LEVEL["sim"]}
BELOW = {part: {other for other in LEVEL if LEVEL[other] < LEVEL[part]} for part in LEVEL}
# Beside the levels: the loop, what runs it, and the command line on top of all.
ALLOWED: dict[str, set[str]] = {
    **BELOW,
    "runtime": LOOP,
    "eval": {*LEVEL, "runtime"},
    "serve": {*LEVEL, "runtime", "eval"},
    "ros": {*LEVEL, "runtime", "serve"},
    "teach": {*LEVEL, "runtime", "eval"},
    "envs": {*LEVEL, "runtime", "eval", "teach"},
    "benchmarks": {*LEVEL, "runtime", "eval", "teach"},
    "probes": set(),
    "doctor": {*LEVEL, "runtime", "eval", "serve", "ros", "benchmarks", "probes"},
    "cli": {*LEVEL, "runtime", "eval", "serve", "ros", "teach", "benchmarks", "doctor"},
}
# Heavy or foreign packages, and the only parts that may name them at all.
ONLY_IN: dict[str, set[str]] = {
    "torch": {"model", "train", "export", "serve", "eval"},
    "transformers": {"model", "train", "serve"},
    "safetensors": {"model", "train", "serve"},
    "tokenizers": {"model", "train", "export", "serve"},
    "gymnasium": {"envs"},
    "rerun": {"data"},
    "rclpy": {"ros"},
    "rospy": {"ros"},
    "pickle": set(),
    "cloudpickle": set(),
}
ROBOT_SIDE = ("types", "policy", "transforms", "robots", "body", "safety", "runtime")
LEARNING = ("torch", "transformers", "safetensors", "tokenizers")
PICTURES = ("av", "matplotlib", "PIL", "fast_simplification")

FILES = sorted(SOURCE.rglob("*.py"))


def module_name(path: Path) -> str:
    """volition/body/arms.py -> volition.body.arms"""
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")


def part_of(module: str) -> str:
    """volition.body.arms -> body; volition itself -> the empty name."""
    return module.split(".")[1] if "." in module else ""


def imported(path: Path) -> list[tuple[int, str]]:
    """Every module that a file imports anywhere in it, by its absolute name, with the line."""
    found: list[tuple[int, str]] = []
    package = module_name(path) if path.name == "__init__.py" else module_name(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
                base = f"{above}.{base}".rstrip(".")
            # `from volition import types` imports volition.types
            found += [(node.lineno, f"{base}.{alias.name}" if base == "volition" else base) for alias in node.names]
    return found


def test_every_part_has_its_place_in_the_order() -> None:
    parts = {part_of(module_name(path)) for path in FILES} - {""}
    assert parts <= set(ALLOWED), f"Add {sorted(parts - set(ALLOWED))} to LEVELS or ALLOWED."


def test_imports_go_one_way() -> None:
    wrong = []
    for path in FILES:
        part = part_of(module_name(path))
        for line, module in imported(path):
            other = part_of(module) if module.partition(".")[0] == "volition" else ""
            if other in ALLOWED and other != part and other not in ALLOWED.get(part, set()):
                wrong.append(
                    f"{path.relative_to(SOURCE)}:{line} imports {module}: {part or 'volition'} may not use {other}"
                )
    assert not wrong, "\n".join(wrong)


def test_heavy_and_foreign_packages_stay_in_their_parts() -> None:
    wrong = []
    for path in FILES:
        part = part_of(module_name(path))
        for line, module in imported(path):
            allowed = ONLY_IN.get(module.partition(".")[0])
            if allowed is not None and part not in allowed:
                wrong.append(
                    f"{path.relative_to(SOURCE)}:{line} imports {module}; only {sorted(allowed) or 'nobody'} may"
                )
    assert not wrong, "\n".join(wrong)


def test_the_parser_sees_every_form_of_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "volition" / "body"
    folder.mkdir(parents=True)
    file = folder / "arms.py"
    file.write_text(
        "import torch.nn\nfrom volition import types\nfrom .hands import grip\nfrom ..safety.shield import Shield\n"
        "def late():\n    from volition.model import vla\n    import volition.train.trainer as t\n"
    )
    monkeypatch.setattr(sys.modules[__name__], "SOURCE", tmp_path / "volition")
    assert [module for _, module in imported(file)] == [
        "torch.nn",
        "volition.types",
        "volition.body.hands",
        "volition.safety.shield",
        "volition.model",
        "volition.train.trainer",
    ]


@pytest.mark.parametrize(
    "blocked", [LEARNING, LEARNING + PICTURES], ids=["without torch", "without torch and pictures"]
)
def test_the_robot_side_imports_without(blocked: tuple[str, ...]) -> None:
    modules = [module_name(path) for path in FILES if part_of(module_name(path)) in ROBOT_SIDE]
    code = (
        "import importlib, sys\n"
        f"blocked, modules = {blocked!r}, {modules!r}\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in blocked:\n"
        "            raise ModuleNotFoundError(f'{name} is blocked by this test', name=name)\n"
        "sys.meta_path.insert(0, Block())\n"
        "for module in modules:\n"
        "    importlib.import_module(module)\n"
        "assert not set(blocked) & set(sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(SOURCE)) for path in FILES])
def test_every_module_opens_with_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring, f"{path.relative_to(SOURCE)} needs a docstring: one sentence and its place in the flow."
    assert len(docstring.splitlines()[0]) > 20
