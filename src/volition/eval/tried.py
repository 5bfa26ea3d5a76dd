"""Trials of one checkpoint in a folder of their own: goes on with those that are there, refuses those of another.

manifest, Jobs -> OUT/manifest.json, run_jobs -> OUT/trials.jsonl -> rows
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from volition.data.atomic import read_json, write_json
from volition.errors import ContractError
from volition.eval.runner import Crew, Row, run_jobs
from volition.eval.suites import Job

MANIFEST = "manifest.json"
AGAINST = "against"  # folder of the other checkpoint's trials


def try_all(manifest: dict[str, Any], jobs: Sequence[Job], out: Path, crew: Crew) -> list[Row]:
    path = out / MANIFEST
    if path.exists() and read_json(path).get("checkpoint") != manifest["checkpoint"]:
        raise ContractError(f"{out} holds trials of another checkpoint; give another folder with --out.")
    out.mkdir(parents=True, exist_ok=True)
    write_json(path, manifest)
    return run_jobs(crew.checkpoint, jobs, out, workers=crew.workers, device=crew.device, shown=crew.shown)
