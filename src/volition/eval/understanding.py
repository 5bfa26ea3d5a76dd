"""Measures how well the language policy understands held-out instructions, and prints the table and every miss.

python -m volition.eval.understanding --split test
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from volition.errors import ContractError, InstructionError, said_plainly
from volition.eval.intervals import wilson
from volition.model.primitives.classifier import AmbiguousInstruction
from volition.model.primitives.plan import Plan, PlanStep
from volition.model.primitives.policy import PrimitivePolicy
from volition.robots.primitives import NAMES, primitive

HELD_OUT = Path(__file__).parents[3] / "tests/model/data/instructions_heldout.jsonl"
TOLERANCE = 0.05  # of the amount

Split = Literal["dev", "test", "all"]


@dataclass(frozen=True)
class Result:
    """One held-out instruction, what was expected of it and what came."""

    text: str
    kind: str  # single, multi, refuse, ambiguous
    wanted: list[dict]
    got: str
    names_right: bool
    amounts: tuple[int, int]  # steps whose spoken amount came out within TOLERANCE, steps that have one
    label: str  # row of the table

    @property
    def right(self) -> bool:
        return self.names_right and self.amounts[0] == self.amounts[1]


def load(path: Path = HELD_OUT, split: Split = "test") -> list[dict]:
    """The rows of a held-out file that belong to a split."""
    if not path.is_file():
        raise ContractError(
            f"There is no held-out file {path}; give one with --file (it lies in the repository's tests)."
        )
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except json.JSONDecodeError as error:
        raise ContractError(f"{path} is not JSON lines: {error}.") from error
    return [row for row in rows if split in ("all", row["split"])]


def judge(policy: PrimitivePolicy, row: dict) -> Result:
    """One instruction put to the policy."""
    wanted, kind = row["plan"], row["kind"]
    label = wanted[0]["primitive"] if kind == "single" else kind
    try:
        understood = policy.understand(row["text"])
    except AmbiguousInstruction as error:
        return Result(row["text"], kind, wanted, f"asked: {error}", kind == "ambiguous", (0, 0), label)
    except InstructionError as error:
        return Result(row["text"], kind, wanted, f"refused: {error}", kind == "refuse", (0, 0), label)
    names = [step.primitive for step in understood.steps]
    same = bool(wanted) and names == [step["primitive"] for step in wanted]
    return Result(
        row["text"], kind, wanted, str(understood), same, _amounts(understood, wanted) if same else (0, 0), label
    )


def _amounts(understood: Plan, wanted: list[dict]) -> tuple[int, int]:
    pairs = [(s, w) for s, w in zip(understood.steps, wanted, strict=True) if "amount" in w]
    return sum(_amount_right(step, want) for step, want in pairs), len(pairs)


def _amount_right(step: PlanStep, want: dict) -> bool:
    forward, left, turn = (abs(velocity) * step.duration for velocity in primitive(step.primitive).base_velocity)
    got = {"m": forward or left, "deg": math.degrees(turn), "s": step.duration}[want["unit"]]
    return abs(got - want["amount"]) <= TOLERANCE * want["amount"]


def table(results: list[Result]) -> str:
    """Rates with 95 % Wilson intervals, as a Markdown table."""
    lines = ["| what | right | of | rate | 95 % interval |", "|---|---|---|---|---|"]

    def row(name: str, right: int, trials: int) -> None:
        low, high = wilson(right, trials)
        lines.append(f"| {name} | {right} | {trials} | {right / max(trials, 1):.1%} | {low:.1%} - {high:.1%} |")

    for name in NAMES:
        group = [result for result in results if result.label == name]
        row(name, sum(result.names_right for result in group), len(group))
    single = [result for result in results if result.kind == "single"]
    row("**one step: primitive**", sum(result.names_right for result in single), len(single))
    several = [result for result in results if result.kind == "multi"]
    row("**several steps: exact plan, amounts too**", sum(result.right for result in several), len(several))
    row(
        "**amounts within 5 %** (of plans right by name)",
        sum(result.amounts[0] for result in results),
        sum(result.amounts[1] for result in results),
    )
    refuse = [result for result in results if result.kind == "refuse"]
    row(
        "**out of scope: not done** (refused, or asked about)", sum(_not_done(result) for result in refuse), len(refuse)
    )
    row("... of these refused outright", sum(result.names_right for result in refuse), len(refuse))
    ask = [result for result in results if result.kind == "ambiguous"]
    row("**ambiguous: asked**", sum(result.names_right for result in ask), len(ask))
    row("**all: right**", sum(result.right for result in results), len(results))
    return "\n".join(lines)


def _not_done(result: Result) -> bool:
    return result.got.startswith(("refused", "asked"))


def misses(results: list[Result]) -> list[str]:
    """A line for every instruction that was not understood as written down."""
    found = []
    for result in results:
        if not result.right:
            wanted = ", ".join(
                f"{step['primitive']} {step['amount']:g} {step['unit']}" if "amount" in step else step["primitive"]
                for step in result.wanted
            )
            found.append(f"  {result.text!r}\n    wanted {wanted or result.kind}; got {result.got}")
    return found


def main(split: Split = "test", file: Path = HELD_OUT) -> None:
    """Print the table of understanding. Example: python -m volition.eval.understanding --split test

    Args:
        split: `dev` (what the policy was tuned on), `test` (only ever measured on) or `all`.
        file: JSON lines of {split, text, kind, plan}.
    """
    rows = load(file, split)
    start = time.perf_counter()
    policy = PrimitivePolicy()
    loaded = time.perf_counter()
    results = [judge(policy, row) for row in rows]
    each = (time.perf_counter() - loaded) / max(len(rows), 1)
    print(
        f"{len(rows)} instructions of split {split!r}, {file.name}; start {loaded - start:.1f} s, {each * 1e3:.0f} ms an instruction\n"
    )
    print(table(results))
    missed = misses(results)
    print(f"\nMisses ({len(missed)}):")
    print("\n".join(missed) or "  none")


if __name__ == "__main__":
    with said_plainly():
        tyro.cli(main)
