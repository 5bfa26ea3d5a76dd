"""One page with everything in it: tables, plots that take their colours from the page, and the films.

Tables, rows, films -> report.html; bars by tier alone -> tiers.svg
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import Any

from volition.benchmarks.metaworld.films import Film
from volition.benchmarks.metaworld.results import Scores, failures, of_suite
from volition.benchmarks.metaworld.tables import Table
from volition.benchmarks.metaworld.trial import Row
from volition.eval.report import html, plots
from volition.eval.report.figures import Share
from volition.eval.report.style import STYLE

_PLAIN = (
    "svg{background:#fff;font:12px system-ui,sans-serif}.name{text-anchor:end}.tick{text-anchor:middle;fill:#6a727d}"
    ".grid{stroke:#e2e0da}.bar{fill:#7ea6cb}.whisker{stroke:#1d232b;stroke-width:1.3;fill:none}"
)


def page(
    title: str,
    sentences: Sequence[str],
    tables: Sequence[Table],
    score: Scores,
    rows: Sequence[Row],
    films: Sequence[Film],
) -> str:
    head = f"<h1>{escape(title)}</h1>" + "".join(html.paragraph(text) for text in sentences)
    figures = {one.title: html.table(one.headings, one.rows, left=one.left, bold=one.bold) for one in tables}
    body = html.section("By tier", _figure(bars(score)) + figures.pop("By tier", ""))
    by_task = _figure(plots.bars(score.tasks, title="Success by task, 95 % intervals"))
    body += html.section("By task", by_task + figures.pop("By task", ""))
    ends = failures(of_suite(rows, "plain"))
    body += html.section("How trials ended", _figure(plots.stacked(ends, title="How trials ended, by task")))
    if films:
        body += html.section("The worst tasks", f'<div class="films">{"".join(map(_film, films))}</div>')
    for name, table in figures.items():
        body += html.section(name, table)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>{head}{html.contents(body)}{body}</body></html>\n"
    )


def bars(score: Scores) -> str:
    shares: list[Share] = [*score.tiers, score.all]
    return plots.bars(shares, title=f"Success by tier within {score.limit} steps, 95 % intervals")


def alone(svg: str) -> str:
    """A plot of a page as a file of its own."""
    begin, rest = svg.split(">", 1)
    return f"{begin.replace('<svg ', '<svg xmlns=' + chr(34) + 'http://www.w3.org/2000/svg' + chr(34) + ' ', 1)}><style>{_PLAIN}</style>{rest}\n"


def _figure(svg: str) -> str:
    return f'<figure class="plot">{svg}</figure>'


def _film(film: Film) -> str:
    row: dict[str, Any] = film.row
    data = base64.b64encode(film.path.read_bytes()).decode()
    ended = "success" if row["success"] else row["why"]
    kind = "tag yes" if row["success"] else "tag"
    return (
        f'<figure><video controls muted loop preload="metadata" src="data:video/mp4;base64,{data}"></video><figcaption>'
        f'<b>{escape(row["task"])}</b> “{escape(row["sentence"])}” <span class="{kind}">{escape(ended)}</span> '
        f"seed {row['seed']}, {row['steps']} steps</figcaption></figure>"
    )
