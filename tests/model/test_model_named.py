"""Eyes that name what they see: learned from all things of a picture without a word, and words that mean the same names."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from recipe_tools import SENTENCES, built, fit, inputs, shapes, targets

from volition.errors import ContractError
from volition.model.fusion.named import Named
from volition.model.fusion.spots import SpotsConfig, SpotsFusion
from volition.model.inputs import Names, Scenery, Targets

pytestmark = pytest.mark.usefixtures("one_thread", "known_seed")


def scenery(rows: int, cameras: int, many: int = 4) -> Scenery:
    """The last thing of the first row is not there, the first of the second in no picture."""
    visible = torch.ones(rows, cameras, many, dtype=torch.bool)
    kinds, colours = torch.randint(0, 6, (rows, many)), torch.randint(0, 6, (rows, many))
    kinds[0, -1] = colours[0, -1] = -1
    visible[0, :, -1] = visible[1, :, 0] = False
    return Scenery(points=torch.rand(rows, cameras, many, 2), visible=visible, kinds=kinds, colours=colours)


def taught(rows: int = 2) -> tuple[Targets, Scenery]:
    of = shapes("places")
    model = built("places")
    known = scenery(rows, len(of.cameras))
    wanted = targets(model, of, rows)
    kinds = torch.tensor([[3, 5, -1], [2, -1, -1]])
    truth = replace(wanted.truth, scenery=known, kinds=kinds, colours=kinds)
    return replace(wanted, truth=truth), known


def test_a_cell_agrees_with_words_that_mean_what_is_in_it_and_with_no_others() -> None:
    named = Named(vision=4, words=4, spots=1, kinds=3, colours=2)
    sure = 12.0
    there = torch.tensor([[[sure, sure, -sure, sure]]])  # nothing in the third cell
    kinds = sure * torch.nn.functional.one_hot(torch.tensor([[[0, 1, 1, 1]]]), 3).float()
    colours = sure * torch.nn.functional.one_hot(torch.tensor([[[1, 1, 1, 0]]]), 2).float()
    red_one = Names(kinds=sure * torch.tensor([[[[0.0, 1, 0]]]]), colours=sure * torch.tensor([[[[0.0, 1]]]]))
    any_one = Names(kinds=sure * torch.tensor([[[[0.0, 1, 0]]]]), colours=torch.zeros(1, 1, 1, 2))
    match = named.match(there, Names(kinds=kinds, colours=colours), red_one)[0, 0, :, 0]
    assert match.argmax() == 1
    assert match[1] > -0.1 > -4 > match[[0, 2, 3]].max()
    match = named.match(there, Names(kinds=kinds, colours=colours), any_one)[0, 0, :, 0]
    assert abs(match[1] - match[3]) < 1e-3, "a colour that is not named decides nothing"


def test_questions_are_matched_as_if_each_were_asked_alone() -> None:
    named = Named(vision=4, words=5, spots=2, kinds=3, colours=2)
    there, names = named.seen(torch.randn(2, 3, 6, 4))
    meant = named.meant(torch.randn(2 * 3, 5))
    together = named.match(
        there, names, Names(kinds=meant.kinds.view(2, 3, 2, 3), colours=meant.colours.view(2, 3, 2, 2))
    )
    for question in range(3):
        one = Names(kinds=meant.kinds[question::3, None], colours=meant.colours[question::3, None])
        alone = named.match(there, names, one)
        torch.testing.assert_close(together[..., 2 * question : 2 * question + 2], alone)


def test_the_lesson_of_the_eyes_needs_no_words_and_teaches_nothing_but_eyes() -> None:
    model, of = built("places"), shapes("places")
    seen, (wanted, known) = inputs(model, of, list(SENTENCES[:2])), taught()
    assert model.names
    model.lesson = "eyes"
    terms = model.losses(seen, wanted)
    assert set(terms) == {"scenery"}
    terms["scenery"].backward()
    moved = {name for name, one in model.named_parameters() if one.grad is not None and one.grad.any()}
    assert {name.split(".")[0] for name in moved} == {"views", "fusion"}
    assert {name.split(".")[1] for name in moved if name.startswith("fusion")} == {"norm", "named"}
    losses = fit(model, seen, wanted, updates=150)
    assert losses[-1] < 0.3 * losses[0]
    fusion = model.fusion
    assert isinstance(fusion, SpotsFusion)
    with torch.no_grad():
        _, names = fusion.name(model.views(seen.images, seen.seen))
    assert names is not None
    rows, columns = fusion.sizes.cells or (0, 0)
    right = 0
    for row, view, thing in torch.nonzero(known.visible).tolist():
        x, y = known.points[row, view, thing].tolist()
        cell = int(y * rows) * columns + int(x * columns)
        right += int(names.kinds[row, view, cell].argmax() == known.kinds[row, thing])
    assert right > 0.8 * int(known.visible.sum())


def test_words_learn_what_kind_and_colour_they_mean_where_anything_is_meant() -> None:
    model, of = built("places"), shapes("places")
    seen, (wanted, _) = inputs(model, of, list(SENTENCES[:2])), taught()
    assert {"scenery", "meant", "spot", "spot_place"} <= set(model.losses(seen, wanted))
    fit(model, seen, wanted, updates=150)
    with torch.no_grad():
        spots = model.eval().think(seen).context.spots
    assert spots is not None
    assert spots.meant is not None
    assert wanted.truth.kinds is not None
    known = wanted.truth.kinds >= 0
    assert torch.equal(spots.meant.kinds.argmax(-1)[known], wanted.truth.kinds[known])
    assert torch.equal(spots.meant.colours.argmax(-1)[known], wanted.truth.kinds[known])


def test_models_without_names_have_no_lesson_for_eyes_and_lose_nothing_by_a_scenery() -> None:
    model, of = built("quick"), shapes("quick")
    wanted, _ = taught()
    assert not model.names
    assert "scenery" not in model.losses(inputs(model, of, list(SENTENCES[:2])), wanted)


def test_kinds_without_colours_are_refused() -> None:
    with pytest.raises(ContractError, match="both named, or neither"):
        SpotsConfig(kinds=5)
