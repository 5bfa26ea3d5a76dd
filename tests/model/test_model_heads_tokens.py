"""Heads that speak in tokens: bins, the causal decoder and its shift."""

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from hypothesis.extra import numpy as arrays  # noqa: E402

from volition.errors import ContractError  # noqa: E402
from volition.model.heads.autoregressive import Autoregressive, AutoregressiveConfig  # noqa: E402
from volition.model.heads.bins import Bins, BinsConfig  # noqa: E402
from volition.model.heads.decoder import Decoder  # noqa: E402
from volition.model.heads.parallel_bins import ParallelBins, ParallelBinsConfig  # noqa: E402
from volition.model.inputs import Context, rows  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread", "known_seed")

SAMPLES, WIDTH, STEPS, ACTIONS, BINS = 3, 16, 2, 3, 16
SMALL = {"width": 16, "heads": 2, "layers": 2}
CHUNK = {"actions": ACTIONS, "steps": STEPS}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def context(samples=SAMPLES, *, blind=False):
    """With padding in the first sample; `blind`: and nothing but padding in the last."""
    mask = torch.ones(samples, 5, dtype=torch.bool)
    mask[0, -2:] = False
    mask[-1] &= not blind
    tokens = torch.randn(samples, 5, WIDTH, generator=seeded())
    return Context(tokens=tokens, mask=mask, pooled=torch.randn(samples, WIDTH, generator=seeded(1)))


# ---- bins

RANGES = ((-1.0, 1.0), (0.0, 0.01), (-3.2, 40.0))


@settings(deadline=None)
@given(
    bins=st.integers(1, 300),
    share=arrays.arrays(np.float32, (4, 3), elements=st.floats(0, 1, width=32)),
)
def test_bins_there_and_back_err_by_half_a_bin_at_most(bins, share):
    tokens = Bins(BinsConfig(actions=3, bins=bins, ranges=RANGES))
    low, high = torch.tensor(RANGES).T
    actions = low + torch.from_numpy(share) * (high - low)
    ids = tokens.encode(actions)
    assert ids.dtype == torch.long
    assert 0 <= int(ids.min()) <= int(ids.max()) < bins
    half = (high - low) / bins / 2
    assert bool(((tokens.decode(ids) - actions).abs() <= half * 1.001 + 1e-5 * (high - low)).all())
    assert torch.equal(tokens.encode(tokens.decode(ids)), ids)
    assert tokens.clipped.tolist() == [0, 0, 0]


def test_what_is_outside_its_range_goes_to_the_end_bins_and_is_counted():
    tokens = Bins(BinsConfig(actions=2, bins=4))
    actions = torch.tensor([[[-9.0, 1.0], [0.9, 1.1], [9.0, 9.0]]])
    assert tokens.encode(actions, torch.tensor([[True, True, False]])).tolist() == [[[0, 3], [3, 3], [3, 3]]]
    assert tokens.clipped.tolist() == [1, 1]
    assert tokens.encoded.tolist() == [2, 2]
    tokens.forget()
    assert tokens.encoded.tolist() == tokens.clipped.tolist() == [0, 0]
    torch.testing.assert_close(tokens.centres(), torch.tensor([[-0.75, -0.25, 0.25, 0.75]] * 2))
    with pytest.raises(ContractError, match="must be finite"):
        tokens.encode(torch.tensor([[float("nan"), 0.0]]))


def test_discrete_ids_are_exact_in_bins_of_their_own():
    tokens = Bins(BinsConfig(actions=1, bins=10, ranges=((-0.5, 9.5),)))
    ids = torch.arange(10.0).unsqueeze(-1)
    torch.testing.assert_close(tokens.decode(tokens.encode(ids)), ids)


def test_parallel_bins_give_the_likeliest_or_the_expectation():
    config = {**CHUNK, **SMALL, "bins": BINS}
    likeliest = ParallelBins(ParallelBinsConfig(**config), context=WIDTH)
    expected = ParallelBins(ParallelBinsConfig(**config, choose="expectation"), context=WIDTH)
    expected.load_state_dict(likeliest.state_dict())
    logits = likeliest.logits(context())
    assert logits.shape == (SAMPLES, STEPS, ACTIONS, BINS)
    centres = torch.linspace(-1 + 1 / BINS, 1 - 1 / BINS, BINS)
    torch.testing.assert_close(likeliest.act(context()), centres[logits.argmax(-1)])
    torch.testing.assert_close(expected.act(context()), (logits.softmax(-1) * centres).sum(-1))


# ---- one token after the other


def writer(**more):
    config = AutoregressiveConfig(**{**CHUNK, **SMALL, "bins": BINS, **more})
    return Autoregressive(config, context=WIDTH)


def test_targets_are_shifted_a_token_changes_later_logits_only():
    """A decoder that reads its own answer learns to copy it, and can do nothing when it must write."""
    module = writer().eval()
    ids = torch.randint(0, BINS, (1, STEPS, ACTIONS), generator=seeded())
    before = module.logits(context(1), ids).flatten(1, 2)[0]
    for place in range(STEPS * ACTIONS):
        other = ids.flatten(1).clone()
        other[0, place] = (other[0, place] + 1) % BINS
        after = module.logits(context(1), other.view_as(ids)).flatten(1, 2)[0]
        changed = (after - before).abs().amax(-1) > 1e-6
        assert changed.tolist() == [index > place for index in range(STEPS * ACTIONS)]


@pytest.mark.parametrize(("steps", "actions"), [(1, 1), (1, 7), (4, 3)])
def test_the_causal_mask_is_as_large_as_the_flattened_tokens(steps, actions, monkeypatch):
    """All K * A tokens go through the decoder at once, never more than those before them are seen, at any size."""
    lengths = []
    forward = Decoder.forward
    monkeypatch.setattr(Decoder, "forward", lambda *a, **k: lengths.append((a[1].shape[1], k)) or forward(*a, **k))
    module = writer(steps=steps, actions=actions)
    ids = torch.zeros(SAMPLES, steps, actions, dtype=torch.long)
    assert module.logits(context(), ids).shape == (SAMPLES, steps, actions, BINS)
    assert lengths == [(steps * actions, {"causal": True})]
    assert module.act(context()).shape == (SAMPLES, steps, actions)


def test_what_is_written_is_what_teacher_forcing_says_of_it():
    """Generated tokens are read under the same causal mask as in training, whatever comes after them."""
    module = writer(layers=3).eval()
    for seen in (context(), context(blind=True)):
        ids = module.write(seen)
        assert ids.unique().numel() > 2
        torch.testing.assert_close(module.logits(seen, ids).argmax(-1), ids)
        torch.testing.assert_close(module.act(seen), module.bins.decode(ids))


def test_a_reader_gives_what_the_causal_decoder_gives():
    decoder = Decoder(16, 4, 3, cross=WIDTH).eval()
    x = torch.randn(SAMPLES, 7, 16, generator=seeded())
    for seen in (context(), context(blind=True)):
        read = decoder.reader(seen)
        alone = torch.stack([read(x[:, place]) for place in range(7)], dim=1)
        torch.testing.assert_close(alone, decoder(x, seen, causal=True), rtol=1e-4, atol=1e-5)


def test_each_dimension_has_words_and_an_output_layer_of_its_own():
    module = writer()
    assert len(module.outward) == ACTIONS
    assert module.words.num_embeddings == ACTIONS * BINS
    torch.nn.init.zeros_(module.outward[1].weight)
    torch.nn.init.zeros_(module.outward[1].bias)
    logits = module.logits(context(), torch.zeros(SAMPLES, STEPS, ACTIONS, dtype=torch.long))
    assert logits[:, :, 1].abs().max() == 0
    assert logits[:, :, [0, 2]].abs().min() > 0


def test_with_a_temperature_the_seed_decides_and_the_shares_are_those_of_the_softmax():
    module = writer(temperature=1.0, steps=1, actions=1, bins=4).eval()
    many = rows(context(1), torch.zeros(4000, dtype=torch.long))
    drawn = module.write(many, rng=seeded(1)).flatten()
    assert torch.equal(drawn, module.write(many, rng=seeded(1)).flatten())
    assert not torch.equal(drawn, module.write(many, rng=seeded(2)).flatten())
    share = torch.bincount(drawn, minlength=4) / 4000
    wanted = module.logits(context(1), torch.zeros(1, 1, 1, dtype=torch.long)).softmax(-1).flatten()
    torch.testing.assert_close(share, wanted.detach(), rtol=0, atol=0.04)
