"""What decides a report and where it was made: enough to run the same trials again, here or elsewhere.

EvalConfig, checkpoint -> manifest -> OUT/manifest.json and report.html -> agreement.py
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import subprocess
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import torch

import volition
from volition.eval.configs import EvalConfig
from volition.eval.contestants import exported_about, exported_hash, is_rival, rival_about, rival_hash
from volition.eval.suites import FIRST
from volition.export.folder import is_exported
from volition.model.checkpoint import load

_WAIT_S = 10.0  # for git


def manifest_of(config: EvalConfig, checkpoint: Path, *, reproduces: str = "") -> dict[str, Any]:
    """Loads the checkpoint, so that a wrong one is a sentence now rather than a worker's death.

    `reproduces`: when the report was made whose trials these are again.
    """
    return {
        "command": command_of(config),
        "checkpoint": hash_of(checkpoint),
        "policy": rival_about() if is_rival(checkpoint) else _about(checkpoint),
        "against": None
        if config.against is None
        else {"folder": str(config.against), "checkpoint": hash_of(config.against)},
        "suite": config.suite,
        "episodes": config.episodes,
        "skills": config.skills,
        "shown": str(config.shown or ""),
        "device": config.device,
        "workers": config.workers,
        "first_seed": FIRST,
        "made": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "reproduces": reproduces,
        "version": volition.__version__,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "mujoco": mujoco.__version__,
            "numpy": np.__version__,
        },
        "commit": commit(),
        "machine": f"{platform.platform()}, {os.cpu_count()} cores",
    }


def _about(checkpoint: Path) -> dict[str, Any]:
    if is_exported(checkpoint):
        return exported_about(checkpoint)
    found = load(checkpoint)
    return {
        "folder": str(checkpoint),
        "recipe": found.design.recipe,
        "size": found.design.size,
        "parameters": sum(one.numel() for one in found.model.parameters()),
        "step": found.about.get("step"),
    }


def command_of(config: EvalConfig) -> str:
    """As one would type it: what differs from the defaults."""
    words = ["volition", "eval", *([str(config.checkpoint)] if config.checkpoint is not None else [])]
    for one in fields(config):
        value = getattr(config, one.name)
        if one.name != "checkpoint" and value != one.default:
            words += [f"--{one.name}", str(value)]
    return shlex.join(words)


def hash_of(checkpoint: Path) -> str:
    """Of the weights and the statistics: what decides what the policy does."""
    if is_rival(checkpoint):
        return rival_hash()
    if is_exported(checkpoint):
        return exported_hash(checkpoint)
    digest = hashlib.sha256()
    for name in ("model.safetensors", "stats.json"):
        digest.update((checkpoint / name).read_bytes())
    return digest.hexdigest()


def commit() -> str:
    """Of the source, with a word if it has been changed since; empty where it is no checkout of git."""
    source = Path(volition.__file__).parent
    try:
        _git(source, "ls-files", "--error-unmatch", "__init__.py")  # an environment may lie inside another's checkout
        changed = bool(_git(source, "status", "--porcelain", "--untracked-files=no", "--", "."))
        return _git(source, "rev-parse", "HEAD") + (", changed since" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True, timeout=_WAIT_S
    )
    return done.stdout.strip()
