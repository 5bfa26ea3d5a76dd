"""Language encoders: padding changes nothing, pooling, what is remembered, tokenizers, and errors before they hurt."""

import copy
import dataclasses
import json

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from torch.nn import functional

from volition.errors import AssetError, ContractError, InstructionError
from volition.model.inputs import Sentences
from volition.model.language.bpe import END, PAD, SPECIAL, START, bytes_only, train_bpe
from volition.model.language.families import FAMILIES, build
from volition.model.language.hub import DESIGNS, HubConfig

pytestmark = pytest.mark.usefixtures("one_thread")

SHORT, LONG = "wave", "put the red cube into the blue bowl"
HALF = 1e-3  # what float16, in which a frozen encoder remembers, is off at most
TINY = {name: {"source": None, "size": "tiny", "frozen": False} for name in DESIGNS} | {
    "small": {"width": 16, "layers": 2, "heads": 2}
}
CONTENT = [SHORT, LONG, "walk to the table", "put the blue cube into the red bowl", "wave with the left hand"]


def tiny(name, **settings):
    torch.manual_seed(0)
    return build(name, **{**TINY[name], **settings})


@pytest.fixture(scope="module")
def bpe():
    return train_bpe(CONTENT, 300)


@pytest.fixture(scope="module")
def minilm():
    return build()


def check_padding_changes_nothing(encoder):
    encoder.eval()
    alone, together = encoder(encoder.read([SHORT])), encoder(encoder.read([SHORT, LONG]))
    length = alone.tokens.shape[1]
    assert together.tokens.shape[1] > length
    assert together.mask.sum(1)[0] == length
    torch.testing.assert_close(together.tokens[:1, :length], alone.tokens, atol=1e-5, rtol=0)
    torch.testing.assert_close(together.pooled[:1], alone.pooled, atol=1e-5, rtol=0)
    assert not together.tokens[0, length:].any()
    assert (together.pooled[0] - together.pooled[1]).abs().max() > 1e-3  # and it does say something of the sentence
    return together


@pytest.mark.parametrize("name", FAMILIES)
def test_a_sentence_means_the_same_beside_a_longer_one(name):
    encoder = tiny(name)
    together = check_padding_changes_nothing(encoder)
    sentences = encoder.read([SHORT, LONG])
    garbage = torch.where(sentences.mask, sentences.ids, 7)  # another token in the padding's slots
    again = encoder(dataclasses.replace(sentences, ids=garbage))
    torch.testing.assert_close(again.tokens, together.tokens, atol=1e-5, rtol=0)
    torch.testing.assert_close(again.pooled, together.pooled, atol=1e-5, rtol=0)


def test_a_sentence_means_the_same_to_minilm_beside_a_longer_one(minilm):
    fresh = copy.deepcopy(minilm)
    fresh.forget()
    check_padding_changes_nothing(fresh)
    fresh.forget()
    together = fresh(fresh.read([SHORT, LONG]))
    fresh.forget()
    torch.testing.assert_close(fresh(fresh.read([SHORT])).pooled, together.pooled[:1], atol=HALF, rtol=0)


@pytest.mark.parametrize("pool", ["mean", "first", "end"])
def test_pooling_is_of_the_real_tokens_only(pool):
    encoder = tiny("small", pool=pool).eval()
    words = encoder(encoder.read([SHORT, LONG]))
    for row, count in enumerate(words.mask.sum(1).tolist()):
        real = words.tokens[row, :count]
        wanted = {"mean": real.mean(0), "first": real[0], "end": real[-1]}[pool]
        torch.testing.assert_close(words.pooled[row], wanted)


def test_clip_pools_at_the_end_of_the_text_and_t5_over_all_of_it():
    assert tiny("clip").config.pool == "end"
    assert tiny("t5").config.pool == "mean"


@pytest.mark.parametrize("name", FAMILIES)
def test_trainable_encoders_get_gradients(name):
    encoder = tiny(name)
    sentences = encoder.read([SHORT, LONG])
    assert sentences.embedded is None
    # Not the sum: after a layer norm it is the same whatever the weights are.
    (encoder(sentences).pooled ** 3).sum().backward()
    without = [key for key, value in encoder.named_parameters() if value.grad is None or not value.grad.any()]
    # Added to every key alike, a key's bias cancels in the softmax.
    assert [key for key in without if not key.endswith(("key.bias", "k_lin.bias", "k_proj.bias"))] == []


@pytest.mark.parametrize("name", FAMILIES)
def test_a_row_without_words_gives_zeros_and_no_nan(name):
    encoder = tiny(name)
    sentences = encoder.read([SHORT, LONG])
    mask = sentences.mask.clone()
    mask[0] = False
    words = encoder(dataclasses.replace(sentences, mask=mask))
    (words.pooled**2).sum().backward()
    assert not words.pooled[0].any()
    assert words.pooled.isfinite().all()
    assert all(value.grad is None or value.grad.isfinite().all() for value in encoder.parameters())


@pytest.mark.parametrize("name", FAMILIES)
def test_a_config_and_a_state_rebuild_an_encoder_without_its_source(name, bpe):
    encoder = tiny(name, tokenizer=bpe.to_str()).eval()
    settings = json.loads(json.dumps(dataclasses.asdict(encoder.alone)))
    torch.manual_seed(1)
    again = build(**settings).eval()
    sentences = encoder.read([LONG])
    assert (again(sentences).pooled - encoder(sentences).pooled).abs().max() > 1e-3
    again.load_state_dict(encoder.state_dict())
    torch.testing.assert_close(again(again.read([LONG])).pooled, encoder(sentences).pooled)


def test_minilm_is_frozen_and_its_mean_is_the_sentence_encoders_before_normalisation(minilm, encoder):
    texts = [LONG, SHORT, LONG]
    words = minilm(minilm.read(texts))
    assert minilm.frozen
    assert minilm.width == 384
    np.testing.assert_allclose(functional.normalize(words.pooled, dim=-1).numpy(), encoder.encode(texts), atol=HALF)
    assert abs(float(words.pooled[0].norm()) - 1) > 0.01  # itself it is as long as it came out


def test_minilm_rebuilds_from_its_config_without_the_package(minilm, monkeypatch):
    words = minilm(minilm.read([LONG]))
    monkeypatch.setattr("volition.model.sentence.PACKAGE", "no_such_package_at_all")
    again = build(**dataclasses.asdict(minilm.alone))
    again.load_state_dict(minilm.state_dict())
    # remembered in half precision, where the last bit of 0.5 is 0.0005
    torch.testing.assert_close(again(again.read([LONG])).pooled, words.pooled, atol=5e-4, rtol=0)


def counted(encoder):
    """How many sentences the transformer itself was asked, call by call."""
    calls = []
    encoder.encoder.register_forward_pre_hook(
        lambda _, __, given: calls.append(len(given["input_ids"])), with_kwargs=True
    )
    return calls


def test_a_frozen_encoder_is_asked_once_a_sentence():
    encoder = tiny("bert", frozen=True)
    calls = counted(encoder)
    first = encoder.read([SHORT, LONG, SHORT])
    second = encoder.read([LONG, "wave at me"])
    assert calls == [2, 1]
    words = encoder(second)
    assert calls == [2, 1]
    assert not words.tokens.requires_grad
    torch.testing.assert_close(words.tokens[0], first.embedded[1, : words.tokens.shape[1]])
    assert (first.embedded[0] == first.embedded[2]).all()


def test_a_frozen_encoder_says_the_same_embedded_or_not():
    encoder = tiny("bert", frozen=True).train()
    sentences = encoder.read([SHORT, LONG])
    embedded, direct = encoder(sentences), encoder(dataclasses.replace(sentences, embedded=None))
    torch.testing.assert_close(direct.tokens, embedded.tokens, atol=HALF, rtol=0)  # and without dropout, both
    torch.testing.assert_close(direct.pooled, embedded.pooled, atol=HALF, rtol=0)


def test_an_encoder_remembers_no_more_than_it_may():
    encoder = tiny("bert", frozen=True, cached=2)
    calls = counted(encoder)
    sentences = encoder.read(CONTENT)  # more in one batch than are kept
    assert sentences.embedded.shape[0] == len(CONTENT)
    torch.testing.assert_close(encoder.read(CONTENT).embedded, sentences.embedded, atol=1e-5, rtol=0)
    assert sum(calls) == 2 * len(CONTENT) - 2


def test_unfreezing_by_name_makes_it_train_and_forget():
    encoder = tiny("bert", frozen=True).eval()
    before = encoder.read([LONG])
    weight = dict(encoder.named_parameters())["encoder.encoder.layer.1.output.dense.weight"].requires_grad_(True)
    words = encoder(before)  # embedded while it was frozen: not used now
    assert encoder.read([LONG]).embedded is None
    (words.pooled**3).sum().backward()
    assert weight.grad.any()
    with torch.no_grad():
        weight += torch.randn_like(weight)
    encoder.requires_grad_(False)
    assert (encoder.read([LONG]).embedded - before.embedded).abs().max() > 1e-3


def test_loading_a_state_forgets_what_the_old_weights_said():
    encoder, other = tiny("bert", frozen=True), tiny("bert", frozen=True)
    old = encoder.read([LONG]).embedded
    with torch.no_grad():
        other.encoder.embeddings.word_embeddings.weight += torch.randn(32)
    torch.nn.Sequential(encoder).load_state_dict(torch.nn.Sequential(other).state_dict())  # as part of a model, too
    torch.testing.assert_close(encoder.read([LONG]).embedded, other.read([LONG]).embedded)
    assert (encoder.read([LONG]).embedded - old).abs().max() > 1e-3


def test_embeddings_of_another_encoder_are_refused():
    encoder = tiny("bert", frozen=True)
    sentences = encoder.read([SHORT])
    with pytest.raises(ContractError, match="32"):
        encoder(dataclasses.replace(sentences, embedded=torch.zeros(1, sentences.ids.shape[1], 1)))


def test_reading_leaves_torch_threads_as_they_were_and_takes_no_sentences_too(minilm):
    before = torch.get_num_threads()
    assert minilm.read(["a sentence not read before"]).embedded is not None
    assert torch.get_num_threads() == before
    assert minilm.read([]).ids.shape == (0, 0)
    with pytest.raises(ContractError, match="list"):
        minilm.read("wave")


def test_bpe_round_trips_any_text_and_learns_words(bpe):
    exact = train_bpe(CONTENT, 300, fold=False)
    for text in ["Put the RED cube,  now!", "größer – 杯 🙂", ""]:
        assert exact.decode(exact.encode(text).ids) == text
    assert bpe.decode(bpe.encode("  Put the RED cube").ids) == "put the red cube"
    ids = bpe.encode("put the red cube").ids
    assert (ids[0], ids[-1]) == (START, END)
    assert len(ids) < len(bytes_only().encode("put the red cube").ids)
    assert [bpe.token_to_id(name) for name in SPECIAL] == [PAD, START, END]


def test_a_tokenizer_is_the_same_after_json_and_when_trained_again(bpe):
    text = bpe.to_str()
    assert Tokenizer.from_str(text).encode(LONG).ids == bpe.encode(LONG).ids
    assert train_bpe(CONTENT, 300).to_str() == text
    assert train_bpe(CONTENT, 270).get_vocab_size() == 270
    with pytest.raises(ContractError, match="too small"):
        train_bpe(CONTENT, 100)


def test_a_sentence_too_long_is_refused_or_cut():
    with pytest.raises(InstructionError, match="37 tokens and this encoder reads 20"):
        tiny("small", longest=20).read([LONG])
    ids = tiny("small", longest=20, cut=True).read([LONG]).ids
    assert ids.shape == (1, 20)
    assert ids[0, -1] == END


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"family": "word2vec"}, "choose from"),
        ({"family": "bert", "size": "huge"}, "no size 'huge'"),
        ({"family": "bert", "source": "somewhere", "size": "tiny"}, "own size"),
        ({"family": "clip", "size": "tiny", "longest": 128}, "places for 77"),
        ({"family": "bert", "size": "tiny", "shape": {"num_attention_heads": 5}}, "cannot be built"),
        ({"family": "bert", "size": "tiny", "shape": {"vocab_size": 100}}, "tokenizer has 259"),
        ({"family": "small", "heads": 3}, "heads must divide"),
        ({"family": "small", "pool": "max"}, "pooled by 'max'"),
        ({"family": "small", "tokenizer": "{}"}, "cannot be read"),
        ({"family": "small", "depth": 3}, "does not take"),
    ],
)
def test_encoders_that_cannot_be_built_say_why(settings, words):
    with pytest.raises(ContractError, match=words):
        build(**settings)


def test_pretrained_weights_and_tokenizer_come_from_a_folder_or_are_asset_errors(tmp_path, bpe):
    made = tiny("distilbert", tokenizer=bpe.to_str()).eval()
    made.encoder.save_pretrained(tmp_path)
    with pytest.raises(AssetError, match=r"tokenizer\.json"):
        build("distilbert", source=str(tmp_path))
    bpe.save(str(tmp_path / "tokenizer.json"))
    loaded = build("distilbert", source=str(tmp_path), frozen=True)
    torch.testing.assert_close(loaded(loaded.read([LONG])).pooled, made(made.read([LONG])).pooled, atol=HALF, rtol=0)
    with pytest.raises(AssetError):
        build("t5", source=str(tmp_path))  # another network's weights
    (tmp_path / "tokenizer.json").write_text("not a tokenizer")
    with pytest.raises(AssetError, match="tokenizer"):
        build("distilbert", source=str(tmp_path))


def test_every_standard_size_is_of_the_width_it_is_known_by():
    known = {"minilm": 384, "bert": 768, "distilbert": 768, "t5": 512, "clip": 512}
    for name, width in known.items():
        with torch.device("meta"):
            encoder = build(name, source=None, frozen=False)
        words = encoder.encoder.get_input_embeddings()
        assert (encoder.width, words.embedding_dim) == (width, width)


def test_configs_are_json_and_sentences_stay_on_the_cpu():
    config = HubConfig(family="t5", size="tiny")
    assert HubConfig(**json.loads(json.dumps(dataclasses.asdict(config)))) == config
    sentences = tiny("t5").read([SHORT])
    assert isinstance(sentences, Sentences)
    assert sentences.ids.device.type == "cpu"
    assert (sentences.ids.dtype, sentences.mask.dtype) == (torch.int64, torch.bool)
