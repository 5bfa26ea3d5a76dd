"""Plots as inline SVG that take their colours from the page, so that they are readable in the light and in the dark.

Shares -> bars with intervals; counts by kind -> stacked bars
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

from volition.eval.report.figures import Share

WIDTH, LABEL, ROW, BAR = 980, 215, 26, 15  # px; of the plot, its labels, a line, a bar
_END = 190  # px right of the bars, for figures
_KINDS = ("success", "time", "wrong_thing", "wrong_place", "dropped", "spilt", "bumped", "fell", "stopped")


def bars(shares: Sequence[Share], *, title: str, line: Share | None = None) -> str:
    """Successes in per cent with their 95 % intervals; `line`: what they are to be compared with."""
    height = ROW * len(shares) + 30
    parts = _begin(height, title)
    parts += [_grid(height)]
    for number, one in enumerate(shares):
        top, (low, high) = ROW * number + 6, one.interval
        middle = top + BAR / 2
        parts += [
            _label(one.name, middle),
            f'<rect class="bar" x="{LABEL}" y="{top}" width="{_x(one.rate) - LABEL:.1f}" height="{BAR}" rx="2"/>',
            f'<path class="whisker" d="M{_x(low):.1f} {middle}H{_x(high):.1f}M{_x(low):.1f} {middle - 4}v8M{_x(high):.1f} '
            f'{middle - 4}v8"/>',
            f'<text class="end" x="{WIDTH - _END + 10}" y="{middle + 4}">{one.percent} ({one.between}), {one.count} of {one.of}</text>',
        ]
    if line is not None:  # over the bars
        x = _x(line.rate)
        parts.append(f'<line class="than" x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{height - 26}"/>')
    return "".join([*parts, "</svg>"])


def stacked(groups: Mapping[str, Counter[str]], *, title: str) -> str:
    """A bar a group, as long as its share of each kind; the legend above it."""
    known = [kind for kind in _KINDS if any(group[kind] for group in groups.values())]
    known += sorted({kind for group in groups.values() for kind in group} - set(_KINDS))
    height = ROW * len(groups) + 30
    parts = [_legend(known), *_begin(height, title), _grid(height)]
    for number, (name, group) in enumerate(groups.items()):
        top, total, x = ROW * number + 6, sum(group.values()), float(LABEL)
        parts.append(_label(name, top + BAR / 2))
        for kind in known:
            if group[kind]:
                wide = (WIDTH - _END - LABEL) * group[kind] / total
                parts.append(
                    f'<rect class="{_colour(kind, known)}" x="{x:.1f}" y="{top}" width="{wide:.1f}" height="{BAR}">'
                    f"<title>{escape(kind)}: {group[kind]} of {total}</title></rect>"
                )
                if wide > 8 * len(str(group[kind])) + 4:
                    parts.append(f'<text class="in" x="{x + wide / 2:.1f}" y="{top + BAR - 3.5}">{group[kind]}</text>')
                x += wide
        parts.append(
            f'<text class="end" x="{WIDTH - _END + 10}" y="{top + BAR - 3}">{total} trial{"s" * (total != 1)}</text>'
        )
    return "".join([*parts, "</svg>"])


def _begin(height: int, title: str) -> list[str]:
    return [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>'
    ]


def _x(rate: float) -> float:
    return LABEL + (WIDTH - _END - LABEL) * rate


def _label(name: str, middle: float) -> str:
    return f'<text class="name" x="{LABEL - 10}" y="{middle + 4}">{escape(name)}</text>'


def _grid(height: int) -> str:
    lines = []
    for percent in (0, 25, 50, 75, 100):
        x = _x(percent / 100)
        lines.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height - 24}"/>')
        lines.append(f'<text class="tick" x="{x:.1f}" y="{height - 8}">{percent} %</text>')
    return "".join(lines)


def _legend(kinds: Sequence[str]) -> str:
    items = "".join(f'<li><i class="{_colour(kind, kinds)}"></i>{escape(kind)}</li>' for kind in kinds)
    return f'<ul class="legend">{items}</ul>'


def _colour(kind: str, known: Sequence[str]) -> str:
    """A class of style.py: the same kind has the same colour in every report."""
    number = _KINDS.index(kind) if kind in _KINDS else len(_KINDS) + known.index(kind) % 2
    return f"k{number}"
