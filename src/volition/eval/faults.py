"""The fault harness: break one thing of a working simulated robot, many times, and see that it stays safe and comes back.

    volition safety faults --runs 200 -> trial (fault_trial.py) in workers -> OUT/runs.jsonl -> OUT/faults.md

Runs that are written down are not repeated. The command is `serve/killed.py`, which brings the server that is killed.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from volition.errors import ContractError
from volition.eval.fault_trial import FAULTS, HELD, KILLED, SOON, Row, Serve, trial
from volition.processes import pool
from volition.safety.configs import FaultsConfig

RUNS, TABLE = "runs.jsonl", "faults.md"


def jobs(runs: int, only: str = "") -> list[tuple[str, int]]:
    """All faults in turn, each with its own seeds from 1 on."""
    names = [name.strip() for name in only.split(",") if name.strip()] or list(FAULTS)
    unknown = sorted(set(names) - set(FAULTS))
    if unknown:
        raise ContractError(f"There is no fault {', '.join(unknown)}; there are {', '.join(FAULTS)}.")
    return [(names[number % len(names)], 1 + number // len(names)) for number in range(runs)]


def run(config: FaultsConfig, serve: Serve) -> int:
    """`serve` starts the server that is killed. Runs what is not written down yet; prints and writes the table. 1 if a run was not safe or not back in time."""
    wanted = jobs(config.runs, config.only)
    config.out.mkdir(parents=True, exist_ok=True)
    path = config.out / RUNS
    rows = {(row["fault"], row["seed"]): row for row in _known(path)}
    left = [job for job in wanted if job not in rows]
    if left:
        with pool(config.workers) as executor, path.open("a") as file:
            console = Console(stderr=True)
            for row in track(
                executor.map(partial(trial, serve=serve), left),
                "breaking things",
                len(left),
                console=console,
                transient=True,
            ):
                rows[row["fault"], row["seed"]] = row
                file.write(json.dumps(row) + "\n")
                file.flush()
    done = [rows[job] for job in wanted]
    text = markdown(done, config)
    (config.out / TABLE).write_text(text)
    print(text)
    return int(any(row["fell"] or row["broken"] or not row["as_hoped"] for row in done))


def _known(path: Path) -> list[Row]:
    """What was written before; a last line that a kill cut off is left out."""
    if not path.is_file():
        return []
    whole = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    path.write_text("".join(whole))
    return [json.loads(line) for line in whole]


def markdown(rows: list[Row], config: FaultsConfig) -> str:
    """The table for the docs."""
    lines = [
        "# When things fail",
        "",
        f"{len(rows)} runs by `volition safety faults --runs {config.runs}`; what a run is says `eval/fault_trial.py`. "
        f"Back means that the policy is followed again; wanted is within {SOON:g} s after the fault has ended. Two cores, no GPU.",
        *_server(rows),
        "",
        "| Fault | Runs | Fell | Broke a limit | Back in time | Back, median and longest (s) | Safe actions a run |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, fault in FAULTS.items():
        own = [row for row in rows if row["fault"] == name]
        if not own:
            continue
        back = [row["back_s"] for row in own if row["back_s"] is not None]
        times = f"{np.median(back):.2f}, {max(back):.2f}" if back else "–"
        hoped = sum(row["as_hoped"] for row in own)
        word = f"{hoped} of {len(own)}" if fault.recovers else f"never (held to the end: {hoped} of {len(own)})"
        fell, broken = sum(row["fell"] for row in own), sum(bool(row["broken"]) for row in own)
        stops = float(np.mean([row["stops"] for row in own]))
        lines.append(f"| **{name}**: {fault.what} | {len(own)} | {fell} | {broken} | {word} | {times} | {stops:.1f} |")
    total = sum(not (row["fell"] or row["broken"]) and row["as_hoped"] for row in rows)
    return "\n".join([*lines, "", f"As wanted in every respect: {total} of {len(rows)}.", ""])


def _server(rows: list[Row]) -> list[str]:
    """What is different about the runs with a server."""
    own = [row for row in rows if row["fault"] == KILLED]
    slowed = [row["back_robot_s"] for row in own if row["back_robot_s"] is not None]
    if not slowed:
        return []
    return [
        "",
        f"**{KILLED}** is in real time: `volition serve`'s server in another process, our client, and a thread for it. There the "
        "fault ends when the server answers again, and until then the robot has to be in its safe action, but for the first "
        f"{HELD:g} s (it was in {sum(row['held'] for row in own)} of {len(own)} runs). Its times are the machine's; by the robot's "
        f"clock, which a busy machine slows, it took {np.median(slowed):.2f} s (median), {max(slowed):.2f} s at most.",
    ]
