"""Of several things that fit, the one that stands as the words say: the left one, the big one, the one next to another."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from volition.model.fusion.standing import LANDMARK, Standing
from volition.model.inputs import PLACES, RELATIONS, SIZES, STANDS

SIDE = 16
# Five cans, and a box as a landmark; row and column of each. The fifth can is large and tall.
CANS = {"left": (8, 2), "right": (9, 13), "upper": (3, 9), "lower": (12, 8), "middle": (8, 7)}
BOX = (8, 10)


def cell(place: tuple[int, int]) -> int:
    return place[0] * SIDE + place[1]


def scene(cans: dict[str, tuple[int, int]]) -> Tensor:
    """The match of three spots: a can, a place that nobody speaks of, the box: (1, 3, P)"""
    match = torch.full((1, 3, SIDE * SIDE), -14.0)
    match[0, 0, [cell(place) for place in cans.values()]] = 8.0
    match[0, LANDMARK, cell(BOX)] = 8.0
    return match


def chosen(cans: dict[str, tuple[int, int]], *ways: str, cells: Tensor | None = None) -> str:
    standing = Standing(vision=3, cells=(SIDE, SIDE))
    with torch.no_grad():
        standing.size.weight.copy_(torch.eye(3))
        standing.size.bias.zero_()
        told = torch.zeros(1, 3, len(STANDS))
        told[0, 0, [STANDS.index(way) for way in ways]] = 1.0
        match = scene(cans)
        heat = match + standing(match, torch.zeros(1, SIDE * SIDE, 3) if cells is None else cells, told)
        assert torch.equal(heat[0, 1:], match[0, 1:]), "of these nothing was said"
        best = int(heat[0, 0].argmax())
    return next((name for name, place in cans.items() if cell(place) == best), f"no can but cell {best}")


@pytest.mark.parametrize("way", ["left", "right", "upper", "lower", "middle"])
def test_a_place_among_its_like(way: str) -> None:
    assert chosen(CANS, way) == way


def test_near_and_far_are_low_and_high_in_the_picture() -> None:
    assert chosen(CANS, "near you") == "lower"
    assert chosen(CANS, "far") == "upper"


def test_a_corner_is_two_places() -> None:
    wall = {
        f"{row} {side}": (r, c) for row, r in (("upper", 4), ("lower", 9)) for side, c in (("left", 4), ("right", 9))
    }
    for corner in wall:
        assert chosen(wall, *corner.split()) == corner


def test_how_it_stands_to_the_landmark() -> None:
    two = {"near": (8, 7), "far": (9, 2)}
    for way in ("beside", "near", "nearest"):
        assert chosen(two, way) == "near"
    sides = {"left of": (9, 6), "right of": (7, 14)}
    assert {chosen(sides, way) for way in sides} == set(sides)
    assert all(chosen(sides, way) == way for way in sides)
    column = {"above": (4, 10), "below": (12, 10), "aside": (3, 3)}
    assert all(chosen(column, way) == way for way in ("above", "below"))


def test_a_landmark_that_fits_itself_is_not_the_nearest_to_itself() -> None:
    assert chosen({"itself": BOX, "other": (8, 6), "third": (3, 3)}, "nearest") == "other"


def test_sizes_are_seen_in_the_cells_and_compared_with_those_that_fit() -> None:
    cells = torch.zeros(1, SIDE * SIDE, 3)
    cells[0, cell(CANS["middle"])] = 1.0
    cells[0, cell(CANS["left"]), 1] = -1.0
    cells[0, cell(CANS["right"]), 0] = -1.0
    cells[0, cell((0, 0))] = 9.0  # nothing that fits
    cells[0, cell(CANS["upper"]), 2], cells[0, cell(CANS["lower"]), 2] = 1.0, -1.0
    names = [chosen(CANS, way, cells=cells) for way in ("large", "tall", "small", "short", "carton", "cube")]
    assert names == ["middle", "middle", "right", "left", "upper", "lower"]


def test_all_that_words_can_say_of_how_things_stand_is_known() -> None:
    from volition.sim.language import words
    from volition.sim.language.reference import Reference

    assert (*words.SIZES, *words.SHAPES) == SIZES
    assert Reference(kinds=("box",), noun="cube").stands == ("cube",)
    assert tuple(words.RELATIONS) == RELATIONS
    said = {way for place in words.PLACES for way in Reference(kinds=("can",), noun="can", place=place).stands}
    assert said == set(PLACES)
