"""The few pieces of HTML that the page is built of. Text is escaped here, cells and titles too."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from html import escape

_SECTION = re.compile(r'<section id="([^"]+)"><h2>(.*?)</h2>')


def section(title: str, body: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    return f'<section id="{name}"><h2>{escape(title)}</h2>{body}</section>\n'


def contents(body: str) -> str:
    """Links to the sections in `body`."""
    links = "".join(f'<a href="#{name}">{title}</a>' for name, title in _SECTION.findall(body))
    return f'<nav class="contents" aria-label="Contents">{links}</nav>'


def paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def definitions(parts: Mapping[str, str]) -> str:
    """Names and what they are, which is HTML already; what is empty is left out."""
    return (
        "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in parts.items() if value) + "</dl>"
    )


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: Collection[int] = (),
    bold: Collection[int] = (),
    caption: str = "",
) -> str:
    """`left`: columns of words; `bold`: rows that stand for several."""
    side = ["l" if number in left else "" for number in range(len(headings))]
    if side[-1]:
        side[-1] = "l wrap"  # a list of words may have several lines
    head = "".join(
        f'<th scope="col" class="{kind}">{escape(text)}</th>' for kind, text in zip(side, headings, strict=True)
    )
    body = "".join(
        f'<tr class="{"all" if number in bold else ""}">'
        + "".join(f'<td class="{kind}">{escape(text)}</td>' for kind, text in zip(side, row, strict=True))
        + "</tr>"
        for number, row in enumerate(rows)
    )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<div class="scroll"><table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
