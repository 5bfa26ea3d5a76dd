"""Eyes that name what they see: learned from all things of a picture without a word, and words that mean the same names."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from recipe_tools import SENTENCES, built, fit, inputs, shapes, targets
from torch import Tensor

from volition.errors import ContractError
from volition.model.fusion.meaning import Meaning
from volition.model.fusion.named import Named
from volition.model.fusion.spots import SpotsFusion
from volition.model.fusion.spots_config import SpotsConfig
from volition.model.inputs import STANDS, TOLD, Names, Scenery, Spots, Targets, Words

pytestmark = pytest.mark.usefixtures("one_thread", "known_seed")


def scenery(rows: int, cameras: int, many: int = 4) -> Scenery:
    """The last thing of the first row is not there, the first of the second in no picture."""
    visible = torch.ones(rows, cameras, many, dtype=torch.bool)
    kinds, colours = torch.randint(0, 6, (rows, many)), torch.randint(0, 6, (rows, many))
    kinds[0, -1] = colours[0, -1] = -1
    visible[0, :, -1] = visible[1, :, 0] = False
    positions = torch.rand(rows, many, 3) + torch.tensor([0.3, -0.5, 0.0])
    positions[0, -1] = torch.nan
    return Scenery(
        points=torch.rand(rows, cameras, many, 2), visible=visible, kinds=kinds, colours=colours, positions=positions
    )


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
    there = torch.tensor([[[[sure, sure, -sure, sure]]]])  # nothing in the third cell
    kinds = sure * torch.nn.functional.one_hot(torch.tensor([[[[0, 1, 1, 1]]]]), 3).float()
    colours = sure * torch.nn.functional.one_hot(torch.tensor([[[[1, 1, 1, 0]]]]), 2).float()
    kind, colour = torch.tensor([[[[0.0, 1, 0]]]]), torch.tensor([[[[0.0, 1]]]])

    def match(*said: float) -> Tensor:
        seen = Names(kinds=kinds, colours=colours)
        return named.match(there, seen, kind, colour, torch.tensor([[[said]]]))[0, 0, 0, 0]

    red_one = match(1.0, 1.0)
    assert red_one.argmax() == 1
    assert red_one[1] > -0.1
    assert red_one[[0, 2, 3]].max() < -4
    any_one = match(1.0, 0.0)
    assert any_one[1] == any_one[3], "a colour that is not said decides nothing"
    assert any_one[[0, 2]].max() < -4


def a_sentence(first: int, second: int, colours: Tensor, marks: Tensor) -> Words:
    """Two words of a colour each, which an encoder has marked as the one's and the other's, in any order, and two others."""
    order = torch.randperm(4)
    tokens = torch.stack([colours[first] + marks[0], colours[second] + marks[1], marks[2], marks[3]])[order]
    return Words(tokens=tokens[None], mask=torch.ones(1, 4, dtype=torch.bool), pooled=tokens.mean(0, keepdim=True))


def test_whose_colour_a_word_is_is_read_in_pairs_that_were_never_said_together() -> None:
    colours, marks, meaning = torch.randn(6, 32), torch.randn(4, 32), Meaning(words=32, spots=2, numbers=6)
    pairs = [(a, b) for a in range(6) for b in range(6)]
    said, never = [pair for pair in pairs if sum(pair) % 3], [pair for pair in pairs if not sum(pair) % 3]
    optimiser = torch.optim.AdamW(meaning.parameters(), lr=3e-3)
    for _ in range(80):
        sentences = [a_sentence(*pair, colours, marks) for pair in said]
        words = Words(
            **{name: torch.cat([getattr(one, name) for one in sentences]) for name in ("tokens", "mask", "pooled")}
        )
        loss = torch.nn.functional.cross_entropy(meaning(words).flatten(0, 1), torch.tensor(said).flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        read = [meaning(a_sentence(*pair, colours, marks))[0].argmax(-1).tolist() for pair in never]
    assert sum(tuple(one) == pair for one, pair in zip(read, never, strict=True)) >= len(never) - 1


def test_what_a_sentence_means_does_not_depend_on_its_padding() -> None:
    meaning, words = Meaning(words=8, spots=3, numbers=5), torch.randn(2, 4, 8)
    mask = torch.tensor([[True, True, True, True], [True, True, False, False]])
    whole = meaning(Words(tokens=words, mask=mask, pooled=words[:, 0]))
    alone = meaning(Words(tokens=words[1:, :2], mask=mask[1:, :2], pooled=words[1:, 0]))
    torch.testing.assert_close(whole[1:], alone)


def test_questions_are_found_as_if_each_were_asked_alone() -> None:
    model, of = built("places").eval(), shapes("places")
    seen = inputs(model, of, list(SENTENCES[:2]))
    fusion = model.fusion
    assert isinstance(fusion, SpotsFusion)
    told = [[SENTENCES[0], SENTENCES[2]], [SENTENCES[1], SENTENCES[0]]]
    with torch.no_grad():
        vision, state = model.views(seen.images, seen.seen), model.state(seen)

        def sought(sentences: list[str]) -> Spots:
            read = model.read(sentences)
            return fusion.seek_all(vision, model.language(read), state, seen.state[:, -1])

        together = sought([sentence for row in told for sentence in row])
        for question in (0, 1):
            alone = sought([row[question] for row in told])
            torch.testing.assert_close(together.heat[question::2], alone.heat)
            torch.testing.assert_close(together.points[question::2], alone.points)


def test_of_two_things_that_may_be_meant_one_is_pointed_at_and_never_the_middle_between_them() -> None:
    fusion = built("places").fusion
    assert isinstance(fusion, SpotsFusion)
    middles = fusion.get_buffer("middles")
    left, right = (int((middles - torch.tensor(at)).norm(dim=-1).argmin()) for at in ((0.2, 0.5), (0.8, 0.5)))
    heat = torch.full((1, 1, 1, 1 + len(middles)), -20.0)
    heat[..., 1 + left], heat[..., 1 + right] = 5.0, 4.9
    points, sure, looked = fusion._where(heat, torch.zeros(1, 1, len(middles), 2))
    assert torch.allclose(points[0, 0, 0], middles[left], atol=1e-3)
    assert sure.item() > 0.99, "that it is in the picture is as sure as before"
    assert abs(looked.sum().item() - 1) < 1e-5


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
    assert {name.split(".")[1] for name in moved if name.startswith("fusion")} == {"norm", "named", "answer", "far"}
    losses = fit(model, seen, wanted, updates=150)
    assert losses[-1] < 0.3 * losses[0]
    fusion = model.fusion
    assert isinstance(fusion, SpotsFusion)
    with torch.no_grad():
        sighted = fusion.name(model.views(seen.images, seen.seen), seen.state[:, -1])
    assert sighted is not None
    assert sighted.far is not None
    assert sighted.centres is not None
    assert known.positions is not None
    names = sighted.names
    rows, columns = fusion.sizes.cells or (0, 0)
    right = near = 0
    for row, view, thing in torch.nonzero(known.visible).tolist():
        x, y = known.points[row, view, thing].tolist()
        cell = int(y * rows) * columns + int(x * columns)
        right += int(names.kinds[row, view, cell].argmax() == known.kinds[row, thing])
        far = (known.positions[row, thing] - sighted.centres[row, view]).norm()
        near += int((sighted.far[row, view, cell] / far).log().abs() < 0.2)
    assert min(right, near) > 0.8 * int(known.visible.sum())


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


def test_the_lesson_of_the_words_needs_no_pictures_and_teaches_nothing_but_words() -> None:
    model, of = built("places"), shapes("places")
    seen, (wanted, _) = inputs(model, of, list(SENTENCES[:2])), taught()
    told = torch.full(
        (2, 3, TOLD), torch.nan
    )  # the first sentence names two things, the second one, without its colour
    told[:, :, 0] = torch.tensor([[1.0, 1, 0], [1, 0, 0]])
    told[0, :2, 1:], told[1, 0, 1:] = 0.0, 0.0
    told[0, :2, 1:3] = told[1, 0, 1] = 1.0
    told[1, 0, 3 + STANDS.index("left")] = 1.0
    wanted = replace(wanted, truth=replace(wanted.truth, told=told))
    model.lesson = "words"
    blind = replace(seen, images={})
    terms = model.losses(blind, wanted)
    assert set(terms) == {"meant"}
    terms["meant"].backward()
    moved = {name for name, one in model.named_parameters() if one.grad is not None and one.grad.any()}
    assert {name.split(".")[0] for name in moved} <= {"language", "reader", "fusion"}
    assert all(name.startswith("fusion.named.mean.") for name in moved if name.startswith("fusion"))
    losses = fit(model, blind, wanted, updates=200)
    assert losses[-1] < 0.1 * losses[0]
    with torch.no_grad():
        meant = model.eval().think(seen).context.spots.meant
    known = told.isfinite()
    assert torch.equal(meant.told[known] > 0, told[known] == 1)
    assert torch.equal(meant.kinds.argmax(-1)[0, :2], wanted.truth.kinds[0, :2])


def test_models_without_names_have_no_lesson_for_eyes_and_lose_nothing_by_a_scenery() -> None:
    model, of = built("quick"), shapes("quick")
    wanted, _ = taught()
    assert not model.names
    assert "scenery" not in model.losses(inputs(model, of, list(SENTENCES[:2])), wanted)


def test_kinds_without_colours_are_refused() -> None:
    with pytest.raises(ContractError, match="both named, or neither"):
        SpotsConfig(kinds=5)
