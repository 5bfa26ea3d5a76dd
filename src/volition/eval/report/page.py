"""One page that tells how a policy did: everything is in the file, nothing is fetched, and it needs no scripts.

Report -> sections, in the order in which one asks -> report.html
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np

from volition.eval.report import figures, plots
from volition.eval.report.figures import Share
from volition.eval.report.films import Film
from volition.eval.report.html import contents, definitions, paragraph, section, table
from volition.eval.report.recorded import ELEMENT, against, embedded
from volition.eval.report.style import STYLE
from volition.eval.runner import Row
from volition.eval.tables import HEADINGS, cells

TRIED = {
    "skills": "scenes that no data set has, asked for as in training",
    "phrasings": "the same scenes, asked for with held-out sentences",
    "pairs": "colours on kinds of things, and places on the table, that training never had",
    "swap": "the same scenes, asked for another thing in them",
    "steps": "commands of one to four steps along a long table",
    "chains": "commands of five steps without a reset",
    "robustness": "one axis of randomisation at twice its strength, and longer latencies",
}
TEXT = (0, 1, 11)  # columns of words, without the suite
LONG = 14  # lines: of a longer table the lines that pool skills come first


@dataclass(frozen=True, kw_only=True)
class Report:
    manifest: dict[str, Any]
    rows: Sequence[Row]
    lines: Sequence[dict[str, Any]]
    films: Sequence[Film] = ()
    compared: Sequence[dict[str, Any]] = ()
    others: Sequence[Row] = field(default=())  # trials of the other checkpoint


def page(report: Report) -> str:
    known = report.manifest
    title = f"{known['policy']['recipe']}, {len(report.rows)} trials"
    body = "".join(one(report) for one in SECTIONS)
    head = _tried(report)
    data = embedded(known, [*report.rows, *against(report.others)])
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>{head}{contents(body)}{body}\n"
        f'<script type="application/json" id="{ELEMENT}">{data}</script>\n</body></html>\n'
    )


def _tried(report: Report) -> str:
    known, policy = report.manifest, report.manifest["policy"]
    found = {name: len(rows) for name, rows in figures.by(report.rows, "suite").items()}
    parts = {
        "checkpoint": f"<code>{escape(policy['folder'])}</code>",
        "recipe": escape(f"{policy['recipe']}, size {policy['size']}"),
        "parameters": "" if policy["parameters"] is None else f"{policy['parameters']:,}".replace(",", " "),
        "trained": "" if policy.get("step") is None else f"{policy['step']} steps",
        "tried": "<br>".join(escape(f"{name}: {TRIED.get(name, '')}; {count} trials") for name, count in found.items()),
        "made": escape(known["made"]),
    }
    told = paragraph(
        "In closed loop and in physics: the policy sees what sensors give it, with the scene's latency, on its own legs, behind "
        "the shield. A referee that reads the physics says what came of each trial; the policy's own word counts for nothing."
    )
    return f"<h1>How “{escape(policy['recipe'])}” did in {len(report.rows)} trials</h1>{told}{definitions(parts)}"


def _headline(report: Report) -> str:
    rows = report.rows
    cards = [(one.percent, f"{one.name}: {one.count} of {one.of}\n{one.between}", "") for one in figures.suites(rows)]
    length = figures.chain_length(rows)
    if length is not None:
        cards.append((f"{length[0]:.2f}", f"steps of five in a chain, ± {length[1]:.2f}", ""))
    falls, broken = sum(row["fell"] for row in rows), sum(row["violations"] for row in rows)
    cards.append((str(falls), "falls", "bad" if falls else "good"))
    cards.append((str(broken), "ticks in which a command broke a limit", "bad" if broken else "good"))
    times = [row["time_s"] for row in rows if row["success"]]
    if times:
        cards.append((f"{np.median(times):.1f} s", "to success, median", ""))
    took = [row["inference_ms"] for row in rows if row.get("inference_ms") is not None]
    if took:
        cards.append((f"{np.median(took):.0f} ms", "a decision, median, on this machine", ""))
    shown = "".join(
        f'<div class="card {kind}"><b>{escape(big)}</b><span>{escape(small)}</span></div>' for big, small, kind in cards
    )
    return section(
        "In short", f'<div class="cards">{shown}</div>{paragraph("Successes are with their 95 % interval (Wilson).")}'
    )


def _tables(report: Report) -> str:
    parts = []
    for suite, lines in figures.by(report.lines, "suite").items():
        parts.append(f"<h3>{escape(suite)}</h3>")
        pooled = [one for one in lines if one["skill"] == "all"]
        if len(lines) > LONG and pooled:
            parts.append(_lines(pooled, TRIED.get(suite, "")))
            parts.append(f"<details><summary>Skill by skill</summary>{_lines(lines, '')}</details>")
        else:
            parts.append(_lines(lines, TRIED.get(suite, "")))
        parts.append(_shield([row for row in report.rows if row["suite"] == suite]))
    told = paragraph(
        "time: median until success; hands: how far both went, median; jerk: root mean square of the arms' joints, rad/s³; inference: "
        "median wall time of a decision on this machine; violations: ticks in which a command to the robot broke a limit; shield: "
        "how often it changed a command."
    )
    return section("Suite by suite", told + "".join(parts))


def _lines(lines: Sequence[dict[str, Any]], caption: str) -> str:
    body = [cells(one)[1:] for one in lines]
    bold = {number for number, one in enumerate(lines) if one["skill"] == "all"}
    return table(HEADINGS[1:], body, left=TEXT, bold=bold, caption=caption)


def _shield(rows: Sequence[Row]) -> str:
    """What it did, by reason."""
    found = figures.reasons(rows)
    names = sorted({reason for one in found.values() for reason in one})
    if not names:
        return paragraph("The shield changed nothing.")
    body = [[skill, *(str(one[reason]) for reason in names)] for skill, one in found.items()]
    return table(
        ["skill", *names], body, left={0}, caption="What the shield did, by reason: how often it changed a command"
    )


def _words(report: Report) -> str:
    found = figures.words(report.rows)
    if not found:
        return ""
    told = paragraph(
        "In the scenes of “skills”, told another thing than the scene was made for. A policy that follows the words does what the "
        "new ones say; one that has learned what one usually does with such a scene does what the old ones said."
    )
    return section(
        "Do the words decide?", told + _plot(plots.bars(found, title="What was done when the words were swapped"))
    )


def _chains(report: Report) -> str:
    length = figures.chain_length(report.rows)
    if length is None:
        return ""
    reached = figures.chain_steps(report.rows)
    told = paragraph(
        f"Commands of five steps, without a reset between them; the first failure ends a chain. On average {length[0]:.2f} ± "
        f"{length[1]:.2f} steps are done over {reached[0].of} chains. The plot: how many chains have at least so many steps done."
    )
    return section("Chains", told + _plot(plots.bars(reached, title="Chains that have at least so many steps done")))


def _complexity(report: Report) -> str:
    found = figures.complexity(report.rows)
    if not found:
        return ""
    told = paragraph("Whole commands done, by how many steps they ask for.")
    body = [[one.name, f"{one.count} of {one.of}", one.between, f"{done:.2f}"] for one, done in found]
    shown = table(["command", "successes", "95 %", "steps done, mean"], body, left={0})
    return section(
        "By complexity of the command",
        told + _plot(plots.bars([one for one, _ in found], title="Successes by steps")) + shown,
    )


def _robustness(report: Report) -> str:
    plain, found = figures.axes(report.rows)
    if not found:
        return ""
    told = paragraph(
        "One axis at a time at twice the strength that training sees, and longer latencies."
        + (f" The dashed line: the same scenes with nothing changed, {plain.percent}." if plain is not None else "")
    )
    return section("Robustness", told + _plot(plots.bars(found, title="Successes by what was made harder", line=plain)))


def _failures(report: Report) -> str:
    told = paragraph("How trials ended, by skill; without those of “swap” and “robustness”, where there are others.")
    return section(
        "What failures are",
        told + _plot(plots.stacked(figures.failures(report.rows), title="How trials ended, by skill")),
    )


def _films(report: Report) -> str:
    if not report.films:
        return ""
    told = paragraph(
        "The first success of each skill and its first failures of different kinds, from outside and through the head camera. They "
        "are run again for the film, as their seeds decide."
    )
    return section("Films", f'{told}<div class="films">{"".join(_film(one) for one in report.films)}</div>')


def _film(film: Film) -> str:
    row = film.row
    data = base64.b64encode(film.path.read_bytes()).decode()
    again = "" if film.about["same"] else " It ended differently when it was run again for the film."
    shown = (
        f"{row['suite']}, seed {row['seed']}, decided after {row['time_s']:.1f} s; {film.about['speed']} times as fast."
    )
    return (
        f'<figure><video controls muted playsinline preload="metadata" poster="data:image/jpeg;base64,{film.about["poster"]}" src="data:video/mp4;base64,{data}"></video>'
        f"<figcaption><b>{escape(row['skill'])}</b> {_tag(row)} “{escape(row['instruction'])}”<br>{escape(shown)}{again}</figcaption></figure>"
    )


def _tag(row: Row) -> str:
    return f'<span class="tag{" yes" if row["success"] else ""}">{escape(row["why"])}</span>'


def _looks(report: Report) -> str:
    found = [(film, moment) for film in report.films for moment in film.about["moments"]]
    if not found:
        return ""
    hows = dict.fromkeys(moment["how"] for _, moment in found)
    told = paragraph(
        f"What the cameras ({', '.join(found[0][0].about['cameras'])}) give the policy, from the same trials. Warm colour, or points: {'; '.join(hows)}. Words: "
        f"{found[0][0].about['words']}; the strongest colour is the word that matters most."
    )
    return section(
        "What the policy looks at", f'{told}<div class="looks">{"".join(_look(*one) for one in found)}</div>'
    )


def _look(film: Film, moment: dict[str, Any]) -> str:
    words = " ".join(
        f'<span style="--w:{share:.2f}" title="{100 * share:.0f} %">{escape(word)}</span>'
        for word, share in moment["words"]
    )
    row = film.row
    return (
        f'<figure><img alt="{escape(moment["how"])}" src="data:image/jpeg;base64,{moment["picture"]}"><figcaption>'
        f'<b>{escape(row["skill"])}</b> {_tag(row)} at {moment["time_s"]:.1f} s, seed {row["seed"]}<div class="words">{words}</div>'
        "</figcaption></figure>"
    )


def _against(report: Report) -> str:
    other = report.manifest.get("against")
    if not report.compared or not other:
        return ""
    body = [
        [
            one["suite"], str(one["trials"]), str(one["better"]), str(one["worse"]), f"{100 * one['difference']:+.1f} %",
            f"{100 * one['low']:+.1f} to {100 * one['high']:+.1f} %", f"{one['p']:.3g}",
        ]
        for one in report.compared
    ]  # fmt: skip
    headings = ["suite", "pairs", "only this one", "only the other", "difference", "95 %", "McNemar p"]
    told = paragraph(
        f"Pair by pair on the same seeds; the other is {other['folder']}. McNemar's test is exact and two-sided."
    )
    rates = [
        Share(name=f"{which}: {one.name}", count=one.count, of=one.of)
        for pair in zip(figures.suites(report.rows), figures.suites(report.others), strict=False)
        for which, one in zip(("this", "other"), pair, strict=True)
    ]
    plot = _plot(plots.bars(rates, title="Successes of both")) if rates else ""
    return section("Against another policy", told + table(headings, body, left={0}) + plot)


def _manifest(report: Report) -> str:
    known = report.manifest
    versions = ", ".join(f"{name} {version}" for name, version in known["versions"].items())
    parts = {
        "checkpoint": f"sha256 <code>{known['checkpoint']}</code>",
        "against": f"sha256 <code>{known['against']['checkpoint']}</code>" if known.get("against") else "",
        "demonstrations": f"<code>{escape(known['shown'])}</code>" if known["shown"] else "",
        "seeds": escape(
            f"{known['first_seed']} and on, {known['episodes']} of each skill and condition; a trial is decided by its seed, which "
            "is in trials.jsonl and in this page"
        ),
        "versions": escape(f"volition {known['version']}, {versions}"),
        "git": f"<code>{escape(known['commit'])}</code>" if known["commit"] else "not a checkout of git",
        "machine": escape(
            f"{known['machine']}; {known['workers']} process{'es' * (known['workers'] != 1)}, {known['device']}"
        ),
        "reproduces": escape(f"the report of {known['reproduces']}") if known["reproduces"] else "",
    }
    told = paragraph(
        "This page holds how every trial ended; both lines below run the trials again, the second compares them too."
    )
    lines = f"<pre>{escape(known['command'])}\nvolition eval --reproduce report.html</pre>"
    return section("To make it again", told + lines + definitions(parts))


SECTIONS: tuple[Callable[[Report], str], ...] = (
    _headline, _tables, _words, _chains, _complexity, _robustness, _failures, _films, _looks, _against, _manifest,
)  # fmt: skip


def _plot(svg: str) -> str:
    return f'<figure class="plot">{svg}</figure>'
