"""Attention, the state's tokens and every fusion: masks, widths, and that each sense reaches the context."""

import dataclasses
import json
from types import SimpleNamespace

import pytest
import torch

from volition.errors import ContractError
from volition.model.attention import Attention, Block
from volition.model.auxiliaries.grounding import Grounding, GroundingConfig
from volition.model.auxiliaries.parts import Sizes as SideSizes
from volition.model.fusion.families import FAMILIES, build
from volition.model.fusion.film import FilmRound
from volition.model.fusion.pooled import PooledConfig
from volition.model.fusion.sizes import Sizes
from volition.model.inputs import Inputs, Sentences, Truth, Words
from volition.model.state import StateConfig, StateEncoder

pytestmark = pytest.mark.usefixtures("one_thread")

SIZES = Sizes(vision=12, words=10, pooled=10, state=6, patches=5, steps=2, cells=(1, 5))
TINY = {
    "pooled": {"width": 16, "vision": 8, "words": 8, "state": 8, "hidden": (16,)},
    "film": {"width": 16, "vision": 8, "words": 8, "state": 8, "hidden": (16,)},
    "cross": {"width": 16, "heads": 2},
    "grounding": {"width": 16, "heads": 2},
    "joint": {"width": 16, "heads": 2, "layers": 2},
    "spots": {"width": 16, "match": 8, "seen": 4, "glance": 4, "words": 8, "state": 8, "hidden": (16,)},
}


def tiny(name, **settings):
    torch.manual_seed(0)
    return build(name, SIZES, **{**TINY[name], **settings}).eval()


def senses(*lengths, length=None, seed=1):
    """Random vision, words of these lengths and state; alike in the rows that two calls have in common."""
    rng = torch.Generator().manual_seed(seed)
    rows = []
    for _ in lengths:
        rows.append(
            (torch.randn(5, 12, generator=rng), torch.randn(9, 10, generator=rng), torch.randn(2, 6, generator=rng))
        )
    vision, told, state = (torch.stack(one) for one in zip(*rows, strict=True))
    told = told[:, : length or max(lengths)]
    mask = torch.arange(told.shape[1]) < torch.tensor(lengths)[:, None]
    pooled = (told * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
    return vision, Words(tokens=told, mask=mask, pooled=pooled), state


def test_the_fast_attention_and_its_weights_agree():
    torch.manual_seed(0)
    attention = Attention(16, 4, context=10)
    x, context = torch.randn(2, 3, 16), torch.randn(2, 5, 10)
    mask = torch.tensor([[True] * 5, [True, False, True, False, False]])
    weights = attention.weights(x, context, mask=mask)  # (B, heads, N, M)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, 3))
    assert not weights[1, :, :, [1, 3, 4]].any()
    mixed = weights @ attention.value(context).unflatten(-1, (4, 4)).transpose(1, 2)
    torch.testing.assert_close(attention(x, context, mask=mask), attention.out(mixed.transpose(1, 2).flatten(2)))


@pytest.mark.parametrize("masked", [False, True])
def test_causal_attention_looks_at_nothing_later(masked):
    torch.manual_seed(0)
    block = Block(16, 2)
    x = torch.randn(1, 4, 16)
    later = torch.cat([x[:, :2], torch.randn(1, 2, 16)], dim=1)
    mask = torch.ones(1, 4, dtype=torch.bool) if masked else None
    one, two = (block(value, mask=mask, causal=True) for value in (x, later))
    torch.testing.assert_close(one[:, :2], two[:, :2])
    assert not torch.allclose(block(x, mask=mask)[:, :2], block(later, mask=mask)[:, :2])


def test_who_may_look_at_nothing_is_given_zero_and_no_nan():
    torch.manual_seed(0)
    block = Block(16, 2, cross=10)
    x, context = torch.randn(2, 3, 16, requires_grad=True), torch.randn(2, 4, 10, requires_grad=True)
    nothing = torch.zeros(2, 4, dtype=torch.bool)
    seen = block(x, context=context, context_mask=nothing)
    seen.sum().backward()
    assert seen.isfinite().all()
    assert x.grad.isfinite().all()
    assert not context.grad.any()
    assert not block.cross_attention(x, context, mask=nothing).any()
    assert not block.cross_attention.weights(x, context, mask=nothing).any()
    blind = block(x, mask=torch.zeros(2, 3, dtype=torch.bool), context=context, context_mask=nothing)
    torch.testing.assert_close(blind, x + block.feed(block.feed_norm(x)))


def test_attention_refuses_wrong_widths_and_masks():
    attention, x = Attention(16, 2, context=10), torch.randn(2, 3, 16)
    with pytest.raises(ContractError, match="10"):
        attention(x, torch.randn(2, 4, 1))  # a width of one would broadcast in a plain sum
    with pytest.raises(ContractError, match="mask"):
        attention(x, torch.randn(2, 4, 10), mask=torch.ones(2, 1, dtype=torch.bool))
    with pytest.raises(ContractError, match="bool"):
        attention(x, torch.randn(2, 4, 10), mask=torch.ones(2, 4))  # a float mask would be added, not obeyed
    with pytest.raises(ContractError, match="needs its context"):
        attention(x)
    with pytest.raises(ContractError, match="no cross-attention"):
        Block(16, 2)(x, context=x)
    with pytest.raises(ContractError, match="heads"):
        Attention(16, 3)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_context_is_the_same_beside_a_longer_sentence(name):
    fusion = tiny(name)
    alone, together = fusion(*senses(3)), fusion(*senses(3, 7))
    assert alone.tokens.shape[2] == alone.pooled.shape[1] == fusion.width
    torch.testing.assert_close(together.pooled[:1], alone.pooled, atol=1e-5, rtol=0)
    torch.testing.assert_close(together.tokens[0][together.mask[0]], alone.tokens[0][alone.mask[0]], atol=1e-5, rtol=0)
    assert not together.tokens[~together.mask].any()
    assert not torch.allclose(together.pooled[0], together.pooled[1], atol=1e-3)


@pytest.mark.parametrize("name", FAMILIES)
def test_garbage_in_the_padding_of_words_changes_nothing(name):
    fusion = tiny(name)
    vision, words, state = senses(3, 7)
    context = fusion(vision, words, state)
    for garbage in (1e6, float("nan")):
        tokens = words.tokens.masked_fill(~words.mask.unsqueeze(-1), garbage)
        again = fusion(vision, dataclasses.replace(words, tokens=tokens), state)
        torch.testing.assert_close(again.pooled, context.pooled, atol=1e-5, rtol=0)
        torch.testing.assert_close(again.tokens, context.tokens, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_sense_and_every_parameter_reaches_the_context(name):
    fusion = tiny(name)
    vision, words, state = senses(3, 7)
    told = torch.randn(2, 7, 10, requires_grad=True)
    words = Words(
        tokens=told, mask=words.mask, pooled=(told * words.mask.unsqueeze(-1)).sum(1) / words.mask.sum(1, True)
    )
    context = fusion(vision.requires_grad_(True), words, state.requires_grad_(True))
    # Not the sum: after a layer norm it is the same whatever came in.
    for value in (context.pooled**3, context.tokens**3):
        vision.grad = told.grad = state.grad = None
        value.sum().backward(retain_graph=True)
        assert all(sense.grad.flatten(1).abs().sum(1).min() > 1e-6 for sense in (vision, told, state))
        assert told.grad[words.mask].any(-1).all()
        assert not told.grad[~words.mask].any()
        assert vision.grad.any(-1).all()  # each picture token counts
        assert state.grad.any(-1).all()
    without = [key for key, value in fusion.named_parameters() if value.grad is None or not value.grad.any()]
    # Added to every key alike, a key's bias cancels in the softmax.
    assert [key for key in without if not key.endswith("key.bias")] == []


@pytest.mark.parametrize("name", FAMILIES)
def test_no_words_at_all_give_a_context_without_nan(name):
    fusion = tiny(name)
    vision, words, state = senses(0, 7)
    context = fusion(vision.requires_grad_(True), words, state)
    context.pooled.sum().backward()
    assert context.pooled.isfinite().all()
    assert context.tokens.isfinite().all()
    assert vision.grad.isfinite().all()
    assert not torch.allclose(context.pooled[0], context.pooled[1], atol=1e-3)


@pytest.mark.parametrize("name", FAMILIES)
def test_fusions_refuse_what_they_were_not_built_for(name):
    fusion = tiny(name)
    vision, words, state = senses(3, 7)
    one_wide = Words(tokens=torch.randn(2, 7, 1), mask=words.mask, pooled=torch.randn(2, 1))
    for wrong in (
        (vision[..., :1], words, state),  # one wide: what would broadcast
        (vision, one_wide, state),
        (vision, words, state[..., :1]),
        (vision[:, :1], words, state),  # one token for five places
        (vision, words, state[:, :1]),
        (vision[:1], words, state),  # one row for two
        (vision, dataclasses.replace(words, mask=words.mask[:, :1]), state),
    ):
        with pytest.raises(ContractError):
            fusion(*wrong)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_fusions_config_goes_through_json(name):
    fusion = tiny(name)
    settings = json.loads(json.dumps(dataclasses.asdict(fusion.config)))
    again = build(name, SIZES, **settings).eval()
    again.load_state_dict(fusion.state_dict())
    torch.testing.assert_close(again(*senses(3)).pooled, fusion(*senses(3)).pooled)


def test_flattened_pictures_know_where_and_their_mean_does_not():
    vision, words, state = senses(3)
    elsewhere = vision.flip(1)
    mean, flat = tiny("pooled", flatten=False), tiny("pooled", flatten=True)
    torch.testing.assert_close(mean(vision, words, state).pooled, mean(elsewhere, words, state).pooled)
    assert not torch.allclose(flat(vision, words, state).pooled, flat(elsewhere, words, state).pooled, atol=1e-3)


@pytest.mark.parametrize("name", ["cross", "grounding", "joint"])
def test_attending_fusions_know_where_in_the_picture_something_is(name):
    fusion = tiny(name)
    vision, words, state = senses(3)
    assert not torch.allclose(
        fusion(vision, words, state).pooled, fusion(vision.flip(1), words, state).pooled, atol=1e-5
    )


def test_film_begins_by_changing_nothing_and_then_listens():
    torch.manual_seed(0)
    film = FilmRound(12, words=10, feed=24)
    tokens, words = torch.randn(2, 5, 12), torch.randn(2, 10)
    torch.testing.assert_close(film(tokens, words), tokens + film.feed(film.norm(tokens)))
    film(tokens, words).pow(2).sum().backward()
    assert film.change.weight.grad.any()
    with torch.no_grad():
        film.change.weight -= 0.1 * film.change.weight.grad
    assert not torch.allclose(film(tokens, words), film(tokens, words.flip(0)), atol=1e-4)


def test_grounding_tells_where_each_word_looks():
    fusion = tiny("grounding", rounds=3)
    looks = fusion.attention(*senses(3, 7))
    assert looks.shape == (2, 3, 2, 7, 5)  # (B, rounds, heads, L, N)
    real = senses(3, 7)[1].mask[:, None, None, :].expand(looks.shape[:-1])
    torch.testing.assert_close(looks.sum(-1), real.float())
    beside = fusion.attention(*senses(3))
    torch.testing.assert_close(looks[:1, :, :, :3], beside, atol=1e-5, rtol=0)
    # They are the weights that the context was made with: without the pictures they point to, the words change.
    first = fusion.rounds[0]
    seen, told, _ = fusion.entrance(*senses(3))
    by_hand = first.told_to_seen.weights(first.told_norm(told), first.seen_norm(seen))
    torch.testing.assert_close(looks[:1, 0, :, :3], by_hand)


def inputs(*, seen=((True, True), (False, True)), done=None):
    rng = torch.Generator().manual_seed(0)
    return Inputs(
        images={},
        state=torch.randn(2, 2, 4, generator=rng),
        seen=torch.tensor(seen),
        sentences=Sentences(ids=torch.zeros(2, 1, dtype=torch.long), mask=torch.ones(2, 1, dtype=torch.bool)),
        done=torch.randn(2, 3, 5, generator=rng) if done is not None else None,
        done_mask=torch.tensor(done) if done is not None else None,
    )


def test_what_was_not_seen_or_not_done_changes_nothing():
    torch.manual_seed(0)
    encoder = StateEncoder(StateConfig(state=4, history=2, actions=5, done=3, width=8, hidden=8))
    given = inputs(done=[[True] * 3, [False, False, True]])
    tokens = encoder(given)
    assert tokens.shape == (2, encoder.tokens, encoder.width) == (2, 5, 8)
    assert not tokens[1, [0, 2, 3]].any()
    assert tokens[0].any(-1).all()
    for garbage in (1e6, float("nan")):
        again = dataclasses.replace(
            given,
            state=given.state.masked_fill(~given.seen.unsqueeze(-1), garbage),
            done=given.done.masked_fill(~given.done_mask.unsqueeze(-1), garbage),
        )
        torch.testing.assert_close(encoder(again), tokens)


def test_the_same_state_earlier_is_another_token_and_nan_does_not_reach_gradients():
    torch.manual_seed(0)
    encoder = StateEncoder(StateConfig(state=4, history=2, width=8))
    given = inputs()
    same = dataclasses.replace(given, state=given.state[:, :1].expand(-1, 2, -1))
    tokens = encoder(same)
    assert not torch.allclose(tokens[0, 0], tokens[0, 1], atol=1e-4)
    broken = dataclasses.replace(given, state=given.state.masked_fill(~given.seen.unsqueeze(-1), float("nan")))
    encoder(broken).pow(2).sum().backward()
    assert all(value.grad.isfinite().all() and value.grad.any() for value in encoder.parameters())


def test_a_state_is_dropped_whole_and_only_in_training():
    torch.manual_seed(0)
    encoder = StateEncoder(StateConfig(state=4, history=2, actions=5, done=3, width=8, dropout_state=0.5))
    given = inputs(seen=((True, True),) * 2, done=[[True] * 3] * 2)
    kept = [encoder(given).any(-1) for _ in range(40)]
    assert all((row.all(-1) | ~row.any(-1)).all() for row in kept)  # the actions before with it
    share = torch.cat([row[:, 0] for row in kept]).float().mean()
    assert 0.25 < share < 0.75
    assert encoder.eval()(given).any(-1).all()


def test_states_of_another_size_are_refused():
    given = inputs(done=[[True] * 3] * 2)
    for settings, words in (
        ({"state": 1, "history": 2}, "built for"),
        ({"state": 4, "history": 1}, "built for"),
        ({"state": 4, "history": 2, "actions": 5, "done": 2}, "built for"),
        ({"state": 4, "history": 2, "actions": 5}, "give both"),
        ({"state": 4, "history": 2, "dropout_state": 1.0}, "below 1"),
    ):
        with pytest.raises(ContractError, match=words):
            StateEncoder(StateConfig(**settings))(given)
    with pytest.raises(ContractError, match="was given none"):
        StateEncoder(StateConfig(state=4, history=2, actions=5, done=3))(inputs())


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("sum", {}, "choose|fusions are"),
        ("cross", {"depth": 2}, "cannot be built with depth"),
        ("cross", {"heads": 7}, "divide the width"),
        ("joint", {"layers": 0}, "at least 1"),
        ("grounding", {"rounds": 0}, "at least 1"),
        ("film", {"rounds": 0}, "at least 1"),
        ("pooled", {"hidden": (0,)}, "at least 1"),
    ],
)
def test_fusions_that_cannot_be_built_say_why(name, settings, words):
    with pytest.raises(ContractError, match=words):
        build(name, SIZES, **settings)


def test_the_textbooks_sizes_can_be_built():
    with torch.device("meta"):
        sizes = Sizes(vision=768, words=512, pooled=512, state=64, patches=50)
        clip = build("pooled", sizes, **dataclasses.asdict(PooledConfig(vision=1024, words=1024, flatten=False)))
        assert (clip.vision.out_features, clip.words.out_features) == (1024, 1024)
        grounding = build("grounding", sizes)
        assert (len(grounding.rounds), grounding.width, grounding.rounds[0].told_to_seen.heads) == (4, 512, 8)


def test_spots_need_a_grid_and_give_points_inside_the_picture():
    with pytest.raises(ContractError, match="grid"):
        build("spots", dataclasses.replace(SIZES, cells=None))
    with pytest.raises(ContractError, match="grid"):
        build("spots", dataclasses.replace(SIZES, cells=(2, 2)))
    spots = tiny("spots")(*senses(3, 7)).spots
    assert spots.heat.shape == (2, 1, 3, 6)  # rows, pictures, things, "not here" and five cells
    assert spots.points.shape == (2, 1, 3, 2)
    assert ((spots.points > -0.5) & (spots.points < 1.5)).all()


def test_spots_learn_where_the_word_is_meant_and_that_it_is_not_there():
    """Two sorts of marked cells in a picture of 4 x 4; the word says which sort is meant, or one that is not shown."""
    torch.manual_seed(0)
    sizes = Sizes(vision=8, words=3, pooled=3, state=2, patches=16, cells=(4, 4))
    fusion = build("spots", sizes, things=1, free=0, width=8, match=16, hidden=(8,))
    auxiliary = Grounding(GroundingConfig(things=1, position_weight=0), sizes=side_sizes(spots=True))

    def batch(size, rng):
        cells = torch.stack([torch.randperm(16, generator=rng)[:2] for _ in range(size)])  # of sorts 0 and 1
        asked = torch.randint(3, (size,), generator=rng)
        vision = 0.1 * torch.randn(size, 16, 8, generator=rng)
        for sort in (0, 1):
            vision[torch.arange(size), cells[:, sort], sort] += 2.0
        one_hot = torch.nn.functional.one_hot(asked, 3).float()
        words = Words(tokens=one_hot[:, None], mask=torch.ones(size, 1, dtype=torch.bool), pooled=one_hot)
        meant = cells.gather(1, asked.clamp(max=1)[:, None])[:, 0]
        points = torch.stack([(meant % 4 + 0.5) / 4, (meant // 4 + 0.5) / 4], dim=-1)[:, None, None]
        truth = Truth(points=points, visible=(asked < 2)[:, None, None])
        return vision, words, torch.zeros(size, 1, 2), truth

    rng = torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam([*fusion.parameters(), *auxiliary.parameters()], 3e-3)
    for _ in range(300):
        vision, words, state, truth = batch(64, rng)
        context = fusion(vision, words, state)
        inputs = SimpleNamespace(size=64)
        losses = auxiliary.losses(vision, words, context, inputs, SimpleNamespace(truth=truth))
        assert set(losses) == {"spot", "spot_point"}
        optimiser.zero_grad()
        sum(losses.values()).backward()
        optimiser.step()
    vision, words, state, truth = batch(256, rng)
    spots = fusion(vision, words, state).spots
    shown = truth.visible[:, 0, 0]
    off = (spots.points[:, 0, 0] - truth.points[:, 0, 0]).norm(dim=-1)
    assert off[shown].median() < 0.02
    absent = spots.heat.softmax(-1)[:, 0, 0, 0]
    assert ((absent > 0.5) == ~shown).float().mean() > 0.97


def side_sizes(**changes):
    return SideSizes(**{"vision": 8, "words": 3, "context": 8, "views": 1, "cells": (4, 4), **changes})
