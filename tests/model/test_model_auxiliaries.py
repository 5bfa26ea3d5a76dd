"""Auxiliary losses: what they count, what they leave out, that they can be learnt, and that no truth is no loss."""

import dataclasses

import pytest

pytest.importorskip("torch")

import torch

from volition.errors import ContractError
from volition.model.auxiliaries.contrast import Contrast, ContrastConfig, same_sentence
from volition.model.auxiliaries.families import AuxiliariesConfig, build_auxiliaries
from volition.model.auxiliaries.finished import Finished, FinishedConfig
from volition.model.auxiliaries.grounding import Grounding, GroundingConfig
from volition.model.auxiliaries.parts import Sizes
from volition.model.auxiliaries.segmentation import Segmentation, SegmentationConfig
from volition.model.inputs import Context, Inputs, Sentences, Targets, Truth, Words

pytestmark = pytest.mark.usefixtures("one_thread", "known_seed")

SIZES = Sizes(vision=8, words=6, context=10, views=2, cells=(4, 5), history=2)
EVERYTHING = AuxiliariesConfig(
    grounding=GroundingConfig(things=2), contrast=ContrastConfig(), segmentation=SegmentationConfig()
)


def batch(size=6, truth=None, ids=None):
    """What an auxiliary is given: tokens, words, context, inputs, targets."""
    ids = torch.arange(size)[:, None] + 1 if ids is None else torch.tensor(ids)
    mask = ids > 0
    return (
        torch.randn(size, 2 * 2 * 20, 8),
        Words(tokens=torch.randn(size, ids.shape[1], 6), mask=mask, pooled=torch.randn(size, 6)),
        Context(
            tokens=torch.randn(size, 3, 10), mask=torch.ones(size, 3, dtype=torch.bool), pooled=torch.randn(size, 10)
        ),
        Inputs(
            images={},
            state=torch.zeros(size, 2, 1),
            seen=torch.ones(size, 2, dtype=torch.bool),
            sentences=Sentences(ids=ids, mask=mask),
        ),
        Targets(actions=torch.zeros(size, 1, 1), real=torch.ones(size, 1, dtype=torch.bool), truth=truth or Truth()),
    )


def learn(auxiliary, given, steps=150, rate=1e-2):
    """The sum of the losses after so many steps on one batch."""
    optimiser = torch.optim.Adam([one for one in auxiliary.parameters() if one.requires_grad], lr=rate)
    for _ in range(steps):
        loss = torch.stack(list(auxiliary.losses(*given).values())).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return float(loss.detach())


def full_truth(size=6):
    return Truth(
        positions=torch.randn(size, 2, 3),
        points=torch.rand(size, 2, 2, 2),
        present=torch.ones(size, 2, dtype=torch.bool),
        visible=torch.ones(size, 2, 2, dtype=torch.bool),
        masks=torch.rand(size, 2, 8, 10).round(),
        finished=torch.rand(size).round(),
    )


def test_contrast_is_lower_for_aligned_pairs_than_for_shuffled():
    """With the projections set to the same map, aligned pairs are equal vectors."""
    tokens, words, *rest = batch()
    auxiliary = Contrast(ContrastConfig(weight=1.0), sizes=dataclasses.replace(SIZES, words=8))
    auxiliary.sentence.load_state_dict(auxiliary.picture.state_dict())
    means = tokens[:, 40:].mean(1)  # the newest step's
    aligned = auxiliary.losses(tokens, dataclasses.replace(words, pooled=means), *rest)["contrast"]
    shuffled = auxiliary.losses(tokens, dataclasses.replace(words, pooled=means.roll(1, 0)), *rest)["contrast"]
    assert aligned < 0.2 < 2 < shuffled


def test_equal_sentences_are_not_each_others_negatives():
    ids = [[5, 7, 0], [5, 7, 9], [5, 7, 0]]
    sentences = Sentences(ids=torch.tensor(ids), mask=torch.tensor(ids) > 0)
    assert same_sentence(sentences).tolist() == [[True, False, True], [False, True, False], [True, False, True]]
    auxiliary = Contrast(ContrastConfig(weight=1.0), sizes=SIZES)
    tokens, words, context, inputs, targets = batch(3, ids=ids)
    # What stands beyond the mask is no part of a sentence.
    inputs = dataclasses.replace(
        inputs, sentences=dataclasses.replace(sentences, ids=torch.tensor([[5, 7, 3], *ids[1:]]))
    )
    loss = auxiliary.losses(tokens, words, context, inputs, targets)["contrast"]
    pictures = torch.nn.functional.normalize(auxiliary.picture(tokens[:, 40:].mean(1)), dim=-1)
    read = torch.nn.functional.normalize(auxiliary.sentence(words.pooled), dim=-1)
    alike = (pictures @ read.T / 0.07).exp()
    kept = alike * torch.tensor([[1, 1, 0], [1, 1, 1], [0, 1, 1]])
    by_hand = -(alike.diag() / kept.sum(1)).log().mean() / 2 - (alike.diag() / kept.sum(0)).log().mean() / 2
    torch.testing.assert_close(loss, by_hand)
    alone = batch(3, ids=[[4], [4], [4]])
    assert auxiliary.losses(*alone)["contrast"].abs() < 1e-6


def test_contrast_learns_to_match_and_its_temperature_only_if_asked():
    given = batch()
    auxiliary = Contrast(ContrastConfig(weight=1.0), sizes=SIZES)
    assert learn(auxiliary, given, steps=60) < 0.05
    assert float((-auxiliary.log_scale).exp()) == pytest.approx(0.07)
    learnt = Contrast(ContrastConfig(learn_temperature=True), sizes=SIZES)
    learnt.losses(*given)["contrast"].backward()
    assert learnt.log_scale.grad is not None


def test_grounding_learns_positions_and_points():
    truth = full_truth()
    given = batch(truth=truth)
    auxiliary = Grounding(GroundingConfig(things=2, hidden=32), sizes=SIZES)
    learn(auxiliary, given)
    tokens, words, context, *_ = given
    assert (auxiliary.positions(context) - truth.positions).abs().mean() < 0.05
    points = auxiliary.points(tokens, words)
    cell = torch.tensor([1 / 5, 1 / 4])
    reachable = truth.points.clamp(cell / 2, 1 - cell / 2)  # a mean of cells' middles goes no farther
    assert (points - reachable).abs().mean() < 0.06
    assert auxiliary.heatmaps(tokens, words).shape == (6, 2, 2, 4, 5)


def test_a_heat_on_one_cell_gives_the_middle_of_that_cell():
    """Right before down, row by row."""
    auxiliary = Grounding(GroundingConfig(things=2, hidden=8), sizes=SIZES)
    logits = torch.full((1, 2, 2, 20), -50.0)
    logits[0, 0, 0, 1 * 5 + 3] = 50  # the second row, the fourth column
    logits[0, 1, 1, 3 * 5 + 0] = 50
    auxiliary.heat.forward = lambda tokens, words: logits
    points = auxiliary.points(*batch(1)[:2])
    torch.testing.assert_close(points[0, 0, 0], torch.tensor([3.5 / 5, 1.5 / 4]))
    torch.testing.assert_close(points[0, 1, 1], torch.tensor([0.5 / 5, 3.5 / 4]))


def test_the_best_heat_for_a_point_has_the_point_as_its_mean():
    """Found by descent on the loss itself, for points between the middles of cells."""
    auxiliary = Grounding(GroundingConfig(things=2, hidden=8), sizes=SIZES)
    aim = torch.tensor([0.37, 0.6]).expand(1, 2, 2, 2)
    logits = torch.zeros(1, 2, 2, 20, requires_grad=True)
    auxiliary.heat.forward = lambda tokens, words: logits
    given = batch(1, truth=Truth(points=aim))
    optimiser = torch.optim.Adam([logits], lr=0.3)
    for _ in range(150):
        optimiser.zero_grad()
        auxiliary.losses(*given)["point"].backward()
        optimiser.step()
    torch.testing.assert_close(auxiliary.points(*given[:2]).detach(), aim, atol=0.01, rtol=0)


def test_only_the_newest_step_is_asked_where_things_are():
    auxiliary = Grounding(GroundingConfig(things=2, hidden=8), sizes=SIZES)
    tokens, words, *_ = batch()
    old = tokens.clone()
    old[:, :40] = 0
    torch.testing.assert_close(auxiliary.points(old, words), auxiliary.points(tokens, words), rtol=0, atol=0)
    with pytest.raises(ContractError, match="tokens of pictures"):
        auxiliary.points(tokens[:, 1:], words)


def test_absent_and_invisible_things_teach_nothing():
    """Not even when their places are NaN, and a batch without any is zero with a gradient."""
    truth = full_truth()
    auxiliary = Grounding(GroundingConfig(things=2, hidden=8), sizes=SIZES)
    present = torch.tensor([[True, False]]).expand(6, 2)
    positions, points = truth.positions.clone(), truth.points.clone()
    positions[:, 1], points[:, :, 1] = float("nan"), float("nan")
    hidden = dataclasses.replace(truth, positions=positions, points=points, present=present)
    other = dataclasses.replace(hidden, positions=positions.nan_to_num(9.0), points=points.nan_to_num(0.1))
    given, again = batch(truth=hidden), None
    again = (*given[:4], dataclasses.replace(given[4], truth=other))
    for name, loss in auxiliary.losses(*given).items():
        assert loss.isfinite(), name
        torch.testing.assert_close(auxiliary.losses(*again)[name], loss)
    unseen = dataclasses.replace(truth, visible=torch.zeros(6, 2, 2, dtype=torch.bool), present=present & False)
    losses = auxiliary.losses(*given[:4], dataclasses.replace(given[4], truth=unseen))
    assert {name: float(loss.detach()) for name, loss in losses.items()} == {"position": 0.0, "point": 0.0}
    sum(losses.values()).backward()
    assert all(weight.grad is not None and weight.grad.abs().max() == 0 for weight in auxiliary.parameters())


def test_segmentation_learns_masks_finer_than_the_cells():
    masks = torch.zeros(6, 2, 4, 5).bernoulli_(0.3)
    given = batch(truth=Truth(masks=masks.repeat_interleave(2, 2).repeat_interleave(2, 3)))
    auxiliary = Segmentation(SegmentationConfig(weight=1.0), sizes=SIZES)
    before = float(auxiliary.losses(*given)["segmentation"].detach())
    after = learn(auxiliary, given, steps=100)
    assert after < before / 3
    tokens, words, *_ = given
    right = (auxiliary.logits(tokens, words) > 0) == (masks > 0.5)
    assert right.float().mean() > 0.95
    with pytest.raises(ContractError, match="grid"):
        Segmentation(SegmentationConfig(), sizes=dataclasses.replace(SIZES, cells=None))


def test_finished_learns_and_gives_a_probability_at_run_time():
    finished = torch.tensor([0.0, 1, 0, 1, 1, 0])
    given = batch(truth=Truth(finished=finished))
    auxiliary = Finished(FinishedConfig(weight=1.0), sizes=SIZES)
    assert learn(auxiliary, given, steps=60) < 0.1
    share = auxiliary.share(given[2])
    assert share.shape == (6,)
    torch.testing.assert_close(share, finished, atol=0.15, rtol=0)


def test_no_truth_is_no_loss():
    given = batch()
    for name, auxiliary in build_auxiliaries(EVERYTHING, sizes=SIZES).items():
        assert set(auxiliary.losses(*given)) == ({"contrast"} if name == "contrast" else set()), name


def test_the_chosen_auxiliaries_are_built_and_weighted():
    parts = build_auxiliaries(EVERYTHING, sizes=SIZES)
    given = batch(truth=full_truth())
    names = {name for part in parts.values() for name in part.losses(*given)}
    assert names == {"contrast", "position", "point", "segmentation", "finished"}
    assert set(build_auxiliaries(AuxiliariesConfig(), sizes=SIZES)) == {"grounding", "finished"}
    for kind, config in ((Contrast, ContrastConfig), (Segmentation, SegmentationConfig), (Finished, FinishedConfig)):
        one = kind(config(weight=1.0), sizes=SIZES)
        (loss,) = one.losses(*given).values()
        one.config = config(weight=3.0)
        (thrice,) = one.losses(*given).values()
        torch.testing.assert_close(thrice, 3 * loss)


def test_without_a_grid_only_positions_are_learnt():
    sizes = dataclasses.replace(SIZES, cells=None)
    auxiliary = Grounding(GroundingConfig(things=2), sizes=sizes)
    given = batch(truth=full_truth())
    assert set(auxiliary.losses(*given)) == {"position"}
    with pytest.raises(ContractError, match="no points"):
        auxiliary.points(*given[:2])


def test_truth_of_another_shape_is_refused():
    auxiliary = Grounding(GroundingConfig(things=3), sizes=SIZES)
    with pytest.raises(ContractError, match=r"positions are \(6, 2, 3\).*\(6, 3, 3\)"):
        auxiliary.losses(*batch(truth=full_truth()))
