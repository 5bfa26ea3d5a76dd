"""Draws every recipe as it is really built: `python docs/model_diagrams.py` writes docs/media/models/.

RECIPES -> model_parts.drawn -> an SVG a recipe, and family.json with the table that the page on the models shows. The
files are in the repository; tests/test_docs_models.py draws them again and compares, so they cannot go stale.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from pathlib import Path

from model_parts import Box, Drawn, drawn

OUT = Path(__file__).parent / "media" / "models"
HEADINGS = ("recipe", "parts", "gives", "sees", "parameters", "trained")
FONT = "Helvetica, Arial, 'DejaVu Sans', sans-serif"
WIDE, NAME, LINE = 0.56, 15, 12.5  # the mean width of a letter in its size; sizes of text
INK, SOFT, FAINT = "#102027", "#37474f", "#78909c"
COLOURS = {  # of kinds of boxes: fill, border
    "input": ("#ffffff", "#37474f"),
    "vision": ("#e3f2fd", "#1565c0"),
    "language": ("#f3e5f5", "#7b1fa2"),
    "state": ("#e8f5e9", "#2e7d32"),
    "fusion": ("#fff8e1", "#b28704"),
    "head": ("#fbe9e7", "#bf360c"),
    "side": ("#fafafa", "#78909c"),
}


@dataclass(frozen=True)
class Place:
    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


def family() -> dict[str, str]:
    """Every file by name."""
    from volition.model.recipes import RECIPES

    found = [drawn(one) for one in RECIPES.values()]
    files = {f"{one.name}.svg": svg(one) for one in found}
    files["vla.svg"] = svg(GENERAL, f"context tokens: {WORDS['context']}")
    table = {"headings": HEADINGS, "rows": [one.row for one in found]}
    files["family.json"] = json.dumps(table, indent=1) + "\n"
    return files


def svg(one: Drawn, about: str = "") -> str:
    tall = max(_tall(one.head), 90)
    side_top = 64 + tall + 46
    floor = max(412, side_top + 96 * len(one.auxiliaries) - 12)
    left = [Place(16, 64, 160, 124), Place(16, 212, 160, 88), Place(16, floor - 80, 160, 80)]
    encoders = [Place(218, 64, 250, 124), Place(218, 212, 250, 88), Place(218, floor - 80, 250, 80)]
    fusion, head = Place(572, 64, 222, floor - 64), Place(910, 64, 246, tall)
    gives = Place(1202, int(head.middle) - 32, 132, 64)
    parts = [
        _text(16, 32, one.name, 20, INK, bold=True),
        _text(16 + 20 * WIDE * len(one.name) * 1.1 + 18, 32, one.size, 13, SOFT),
        *(_box(place, box, "input") for place, box in zip(left, (one.pictures, one.sentence, one.body), strict=True)),
        _box(encoders[0], one.vision, "vision"),
        _box(encoders[1], one.language, "language"),
        _box(encoders[2], one.state, "state"),
        _box(fusion, one.fusion, "fusion"),
        _box(head, one.head, "head"),
        _box(gives, one.gives, "input"),
    ]
    for start, end in zip(left, encoders, strict=True):
        parts.append(_arrow((start.right, start.middle), (end.x, start.middle)))
    for start, label in zip(encoders, (one.seen, one.told, one.felt), strict=True):
        parts += [_arrow((start.right, start.middle), (fusion.x, start.middle)),
                  _text((start.right + fusion.x) / 2 - 3, start.middle - 8, label, 12, SOFT, middle=True)]  # fmt: skip
    parts += [_arrow((fusion.right, head.middle), (head.x, head.middle)),
              _text((fusion.right + head.x) / 2 - 3, head.middle - 10, "Context", 13, INK, middle=True, bold=True),
              _arrow((head.right, head.middle), (gives.x, head.middle))]  # fmt: skip
    for number, line in enumerate(_split(one.context)):
        parts.append(
            _text((fusion.right + head.x) / 2 - 3, head.middle + 18 + 15 * number, line, 12, SOFT, middle=True)
        )
    if one.film:
        parts += [_arrow((342, 212), (342, 188)), _text(352, 204, "FiLM: pooled words", 12, SOFT)]
    for number, box in enumerate(one.auxiliaries):
        place = Place(910, side_top + 96 * number, 246, 84)
        end = Place(1202, place.y + 16, 132, 52)
        finished = box.name == "Finished"
        answer = Box(name="done?" if finished else "a loss", lines=("0 to 1",) if finished else ("in training only",))
        parts += [_box(place, box, "side", dashed=True), _box(end, answer, "side", dashed=True),
                  _arrow((fusion.right, place.middle), (place.x, place.middle), dashed=True),
                  _arrow((place.right, place.middle), (end.x, end.middle), dashed=True)]  # fmt: skip
    if one.auxiliaries:
        parts.append(_text(910, side_top - 9, "auxiliaries: taught by what the simulator knows", 12, SOFT))
    height = floor + 20
    title = f"{one.name}: how its parts are joined. {about}".strip()
    head_lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1350 {height}" font-family="{FONT}" role="img">',
        f"<title>{escape(title)}</title>",
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 L10 5 L0 10 z" fill="{SOFT}"/></marker></defs>',
        f'<rect width="1350" height="{height}" fill="#ffffff"/>',
    ]
    return "\n".join([*head_lines, *parts, "</svg>"]) + "\n"


def _tall(box: Box) -> int:
    return 44 + 18 * (len(box.lines) + bool(box.size))


def _box(place: Place, box: Box, kind: str, *, dashed: bool = False) -> str:
    fill, border = COLOURS[kind]
    room = place.width - 12
    for text, size in ((box.name, NAME * 1.06), *((line, LINE) for line in (*box.lines, box.size))):
        if len(text) * size * WIDE > room:
            raise ValueError(f"{text!r} is too long for its box; say it shorter.")
    if _tall(box) - 28 > place.height:
        raise ValueError(f"{box.name} has too many lines for its box.")
    count = len(box.lines) + bool(box.size)
    top = place.middle - (NAME + 2 + 18 * count) / 2 + NAME - 3
    style = ' stroke-dasharray="5 4"' if dashed else ""
    radius = 20 if kind == "input" else 8
    lines = [f'<rect x="{place.x}" y="{place.y}" width="{place.width}" height="{place.height}" rx="{radius}" '
             f'fill="{fill}" stroke="{border}" stroke-width="1.5"{style}/>']  # fmt: skip
    middle = place.x + place.width / 2
    lines.append(_text(middle, top, box.name, NAME, INK, middle=True, bold=True))
    for number, line in enumerate(box.lines, 1):
        lines.append(_text(middle, top + 2 + 18 * number, line, LINE, SOFT, middle=True))
    if box.size:
        lines.append(_text(middle, top + 2 + 18 * count, box.size, LINE, border, middle=True))
    return "\n".join(lines)


def _split(text: str) -> list[str]:
    """A shape in two lines where it is long."""
    first, cut, last = text.rpartition(" x ")
    return [text] if len(text) < 13 or not cut else [first, f"x {last}"]


def _arrow(start: tuple[float, float], end: tuple[float, float], *, dashed: bool = False) -> str:
    style = ' stroke-dasharray="5 4"' if dashed else ""
    return (f'<path d="M{start[0]:g} {start[1]:g} L{end[0] - (0 if start[0] == end[0] else 2):g} {end[1]:g}" fill="none" '
            f'stroke="{SOFT}" stroke-width="1.5" marker-end="url(#tip)"{style}/>')  # fmt: skip


def _text(x: float, y: float, text: str, size: float, colour: str, *, middle: bool = False, bold: bool = False) -> str:
    style = (' text-anchor="middle"' if middle else "") + (' font-weight="bold"' if bold else "")
    return f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{colour}"{style}>{escape(text)}</text>'


# How vla.py joins whatever parts a recipe passes: the same picture with letters in place of numbers.
WORDS = {"context": "(N + M + L) x D"}
GENERAL = Drawn(
    name="VLA",
    size="the parts and the nouns between them; the batch B is left out",
    pictures=Box(name="Inputs.images", lines=("V cameras, T steps", "H x W x 3, uint8")),
    sentence=Box(name="Inputs.sentences", lines=("tokens and a mask",)),
    body=Box(name="Inputs.state", lines=("T x S, and H x A", "actions before")),
    vision=Box(
        name="Views", lines=("a Vision for each picture,", "which camera, which step,", "layers across the cameras")
    ),
    language=Box(name="Language", lines=("frozen or trained", "Words: tokens, mask, pooled")),
    state=Box(name="StateEncoder", lines=("an MLP a step",)),
    fusion=Box(
        name="Fusion", lines=("pooled, film, cross,", "grounding or joint", "gives a Context:", "tokens, mask, pooled")
    ),
    head=Box(name="Head", lines=("loss: Targets to named terms", "act: to a chunk")),
    auxiliaries=(
        Box(name="Auxiliary", lines=("reads tokens, Words, Context;", "Truth to named terms")),
        Box(name="Finished", lines=("asked when running too",)),
    ),
    gives=Box(name="actions", lines=("K x A",)),
    seen="N x D",
    told="L x D",
    felt="M x D",
    context=WORDS["context"],
    film=True,
)


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    files = family()
    for old in OUT.iterdir():
        if old.name not in files:
            old.unlink()
    for name, text in files.items():
        (OUT / name).write_text(text, encoding="utf-8")
    print(f"{OUT}: {len(files)} files")


if __name__ == "__main__":
    main()
