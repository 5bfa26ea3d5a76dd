"""Hands that go by places: the same decision from what eyes found and from numbers alone, learned without pictures."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from recipe_tools import SENTENCES, built, inputs, shapes, targets

from volition.body.course import COURSE
from volition.errors import ContractError
from volition.model.fusion.spots import SpotsFusion
from volition.model.fusion.spots_parts import believed
from volition.model.inputs import Felt, Inputs
from volition.model.vla import VLA

pytestmark = pytest.mark.usefixtures("one_thread")
LED = {"fusion": {"places": True, "hands": True}}
AWAY = 3 * 2 * 2 + 7  # x, y, z from two carriers to the thing and the place, and the state


def led() -> VLA:
    return built("quick", options=LED)


def told(model: VLA, count: int = 2) -> Inputs:
    return inputs(model, shapes("quick"), list(SENTENCES[:count]))


def moments(rows: int = 2, count: int = 4, *, seed: int = 3) -> Felt:
    rng, of = torch.Generator().manual_seed(seed), shapes("quick")
    return Felt(
        state=torch.randn(rows, count, of.state, generator=rng),
        positions=torch.rand(rows, count, 2, 3, generator=rng),
        present=torch.ones(rows, count, 2, dtype=torch.bool),
        actions=torch.randn(rows, count, of.chunk, of.actions, generator=rng),
        real=torch.ones(rows, count, of.chunk, dtype=torch.bool),
        course=torch.zeros(rows, count, COURSE),
    )


def fusion_of(model: VLA) -> SpotsFusion:
    assert isinstance(model.fusion, SpotsFusion)
    return model.fusion


def test_what_eyes_find_and_what_is_known_lead_hands_alike() -> None:
    model = led().eval()
    seen = told(model)
    with torch.no_grad():
        thought = model.think(seen)
        spots, fusion = thought.context.spots, fusion_of(model)
        assert spots is not None
        assert spots.places is not None
        there = 1 - spots.heat.float().softmax(-1)[..., 0].prod(dim=1)
        known = fusion.feel(spots.places, there, fusion.told(thought.words), thought.state, seen.state[:, -1])
    torch.testing.assert_close(known.pooled, thought.context.pooled, rtol=0, atol=1e-4)
    assert known.direct is not None
    assert thought.context.direct is not None
    torch.testing.assert_close(known.direct, thought.context.direct, rtol=0, atol=1e-4)
    assert known.direct.shape == (2, AWAY) == (2, fusion.direct)


def test_hands_learn_from_moments_without_pictures_and_eyes_do_not() -> None:
    model = led()
    seen, wanted = told(model), replace(targets(model, shapes("quick"), 2), felt=moments())
    assert "felt_huber" in model.losses(seen, wanted)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    first = last = 0.0
    for update in range(80):
        optimiser.zero_grad()
        loss = model.losses(seen, wanted)["felt_huber"]
        loss.backward()
        if not update:
            first = float(loss)
            grads = {name: one.grad for name, one in model.named_parameters()}
            assert not any(one is not None and one.any() for name, one in grads.items() if name.startswith("views"))
            assert any(one is not None and one.any() for name, one in grads.items() if name.startswith("fusion.hands"))
        optimiser.step()
        last = float(loss)
    assert last < 0.5 * first


def test_a_place_that_is_not_meant_leads_nowhere() -> None:
    model = led().eval()
    seen, fusion = told(model), fusion_of(model)
    thought, felt = model.think(seen), moments()
    places, state = felt.positions[:, 0], seen.state[:, -1]
    moved = places.clone()
    moved[:, 1] += 0.2
    for place, same in ((0.0, True), (1.0, False)):
        present = torch.tensor([[1.0, place]] * 2)
        one, other = (
            fusion.feel(at, present, fusion.told(thought.words), thought.state, state) for at in (places, moved)
        )
        assert torch.equal(one.pooled, other.pooled) == same


def test_moments_that_are_not_real_teach_nothing() -> None:
    model = led()
    wanted = targets(model, shapes("quick"), 2)
    none = moments()
    none = replace(none, real=torch.zeros_like(none.real), actions=torch.full_like(none.actions, torch.nan))
    assert float(model.losses(told(model), replace(wanted, felt=none))["felt_huber"]) == 0.0


def test_models_whose_hands_see_pictures_leave_moments_alone() -> None:
    model = built("quick")
    assert not model.feels
    wanted = replace(targets(model, shapes("quick"), 2), felt=moments())
    assert "felt_huber" not in model.losses(told(model), wanted)


@pytest.mark.parametrize("wrong", [{"places": False}, {"things": 1}, {"vague": -0.1}])
def test_hands_without_what_they_go_by_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ContractError, match="`hands` go by `places`"):
        built("quick", options={"fusion": {**LED["fusion"], **wrong}})


def expecting(places: torch.Tensor, *, known: float, share: float = 0.25, gate: float = 0.05) -> torch.Tensor:
    rest = torch.tensor([share, gate, known]).expand(*places.shape[:2], 3)
    return torch.cat([places, rest], dim=-1)


def test_hands_go_where_things_should_be_if_eyes_find_them_elsewhere_for_a_moment() -> None:
    model = led().eval()
    seen = told(model)
    fusion = fusion_of(model)
    with torch.no_grad():
        thought = model.think(seen)
        assert thought.context.spots is not None
        assert thought.context.spots.places is not None
        away = thought.context.spots.places[:, :2] + 0.3
        sure = torch.ones(2, 2)
        known = fusion.feel(away, sure, fusion.told(thought.words), thought.state, seen.state[:, -1])
        expecting_it = model.think(replace(seen, expected=expecting(away, known=1.0))).context
        settling = model.think(replace(seen, expected=expecting(away, known=0.0))).context
    torch.testing.assert_close(expecting_it.pooled, known.pooled, rtol=0, atol=1e-4)
    assert expecting_it.spots is not None
    torch.testing.assert_close(
        expecting_it.spots.places, thought.context.spots.places
    )  # what eyes found is said as it is
    torch.testing.assert_close(settling.pooled, thought.context.pooled, rtol=0, atol=1e-4)


def test_a_look_near_to_what_is_expected_counts_by_its_share_if_it_is_sure() -> None:
    places = torch.tensor([[[0.42, 0.0, 0.0], [0.9, 0.0, 0.0], [1.0, 0.0, 0.0]]])
    at = torch.tensor([[[0.40, 0.0, 0.0], [0.4, 0.0, 0.0]]])
    there = torch.tensor([[0.9, 0.9, 0.1]])
    found, sure = believed(places, there, expecting(at, known=1.0))
    torch.testing.assert_close(found[0, :, 0], torch.tensor([0.405, 0.4, 1.0]))  # near, far off, and not asked about
    torch.testing.assert_close(sure, torch.tensor([[1.0, 1.0, 0.1]]))
    unsure, _ = believed(places, torch.zeros(1, 3), expecting(at, known=1.0))
    torch.testing.assert_close(unsure[0, :2, 0], torch.tensor([0.4, 0.4]))


def test_hands_that_are_told_how_things_went_act_by_it_and_others_do_not() -> None:
    seen = told(led())
    went = torch.zeros(2, COURSE)
    went[0, :4] = torch.tensor([-0.4, 0.1, 0.2, -0.1])
    for knows in (False, True):
        model = built("quick", options={"fusion": {**LED["fusion"], "course": knows}}).eval()
        with torch.no_grad():
            still = model.think(replace(seen, course=torch.zeros(2, COURSE))).context.pooled
            turned = model.think(replace(seen, course=went)).context.pooled
            silent = model.think(seen).context.pooled
        assert model.remembers == knows
        torch.testing.assert_close(silent, still)
        assert bool((turned[0] != still[0]).any()) == knows
        torch.testing.assert_close(turned[1], still[1])
