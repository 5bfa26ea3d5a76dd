"""What decides which thing is meant from where the other things stand, and from the words that say so."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from volition.errors import ContractError
from volition.model.fusion.relations import Relations, RelationsConfig
from volition.model.inputs import Words
from volition.model.language.reader import Reader, ReaderConfig

SIDE = 6


def marks(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Pictures with three marks each in different columns, (B, 1, P, 1), and their columns' order as cells (B, 3)."""
    random = torch.Generator().manual_seed(seed)
    columns = torch.stack([torch.randperm(SIDE, generator=random)[:3].sort().values for _ in range(count)])
    rows = torch.randint(SIDE, (count, 3), generator=random)
    cells = rows * SIDE + columns
    return torch.zeros(count, SIDE**2).scatter_(1, cells, 1.0)[:, None, :, None], cells


def test_the_left_and_the_right_one_are_told_apart_by_the_words() -> None:
    torch.manual_seed(0)
    part = Relations(RelationsConfig(width=8), vision=1, words=2, cells=(SIDE, SIDE))
    answer = nn.Linear(8, 1)
    optimiser = torch.optim.Adam([*part.parameters(), *answer.parameters()], 1e-2)

    def heat(pictures: Tensor, right: Tensor) -> Tensor:
        words = nn.functional.one_hot(right, 2).float()
        return answer(part(pictures, words))[:, 0, :, 0]

    for step in range(250):
        pictures, cells = marks(64, step)
        right = torch.arange(64) % 2
        loss = nn.functional.cross_entropy(heat(pictures, right), cells[torch.arange(64), 2 * right])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    pictures, cells = marks(200, 10_000)
    with torch.no_grad():
        for right in (0, 1):
            found = heat(pictures, torch.full((200,), right)).argmax(1)
            assert (found == cells[:, 2 * right]).float().mean() > 0.9


def test_what_is_far_away_matters_and_other_pictures_do_not() -> None:
    part = Relations(RelationsConfig(width=8), vision=4, words=3, cells=(SIDE, SIDE))
    cells, words = torch.randn(2, 2, SIDE**2, 4), torch.randn(2, 3)
    other = cells.clone()
    other[0, 0, 0] += 1  # a corner of the first picture
    with torch.no_grad():
        change = (part(other, words) - part(cells, words)).abs().sum(-1)
    assert change[0, 0, -1] > 1e-6  # the opposite corner
    assert change[0, 1].max() == change[1].max() == 0


def test_relations_that_cannot_be_built_are_refused() -> None:
    with pytest.raises(ContractError, match="width is at least 1"):
        RelationsConfig(width=0)


def words_of(tokens: Tensor, real: list[int]) -> Words:
    mask = torch.arange(tokens.shape[1])[None] < torch.tensor(real)[:, None]
    return Words(tokens=tokens, mask=mask, pooled=torch.ones(len(real), tokens.shape[-1]))


def test_a_reader_sees_no_padding_and_keeps_what_the_encoder_said() -> None:
    torch.manual_seed(0)
    reader = Reader(ReaderConfig(width=8, heads=2, questions=3, lexicon=0), words=16).eval()
    tokens = torch.randn(2, 5, 16)
    padded = torch.cat([tokens, torch.full((2, 3, 16), 7.0)], dim=1)
    ids = torch.arange(16).reshape(2, 8)
    with torch.no_grad():
        plain, more = reader(words_of(tokens, [5, 4]), ids[:, :5]), reader(words_of(padded, [5, 4]), ids)
    assert plain.pooled.shape == (2, 16 + 3 * 8) == (2, reader.width)
    assert torch.allclose(plain.pooled, more.pooled, atol=1e-6)
    assert torch.equal(plain.tokens, tokens)
    assert torch.equal(plain.pooled[:, :16], torch.ones(2, 16))


def test_a_reader_hears_the_order_of_words_that_pooling_loses() -> None:
    torch.manual_seed(0)
    reader = Reader(ReaderConfig(width=8, heads=2), words=16).eval()
    place = torch.randn(4, 16)  # an encoder's tokens know where they stand
    a, b = torch.randn(16), torch.randn(16)
    one, other = (torch.stack(rows) + place[:2] for rows in ((a, b), (b, a)))
    ids = torch.zeros(1, 2, dtype=torch.long)
    with torch.no_grad():
        first, second = reader(words_of(one[None], [2]), ids), reader(words_of(other[None], [2]), ids)
    assert torch.allclose(one.mean(0), other.mean(0), atol=1e-6)
    assert (first.pooled - second.pooled).abs().max() > 1e-3


def test_a_reader_looks_up_what_it_was_taught_and_nothing_else() -> None:
    """Two words that the encoder cannot tell apart get different meanings; a word that was never taught adds nothing."""
    torch.manual_seed(0)
    reader = Reader(ReaderConfig(width=8, heads=2, lexicon=50), words=16)
    plain = Reader(ReaderConfig(width=8, heads=2, lexicon=0), words=16)
    plain.load_state_dict({name: value for name, value in reader.state_dict().items() if "lexicon" not in name})
    alike = words_of(torch.randn(1, 1, 16).expand(2, 3, 16), [3, 3])
    left, right, unknown = (torch.tensor([[5, 6, word]]) for word in (7, 8, 9))
    taught = torch.cat([left, right])
    assert torch.equal(reader(alike, taught).pooled, plain(alike, taught).pooled)
    # One step with a large rate: from words that are exactly alike, many small ones get anywhere or nowhere, by rounding.
    assert reader.lexicon is not None
    pooled = reader(alike, taught).pooled
    (pooled[1, 16:] * torch.arange(len(pooled[1, 16:]))).sum().backward()
    with torch.no_grad():
        for parameter in reader.lexicon.parameters():
            assert parameter.grad is not None
            parameter -= parameter.grad.sign()
    with torch.no_grad():
        apart = reader(alike, taught).pooled
        assert (apart[0] - apart[1]).abs().max() > 0.1
        assert reader.lexicon is not None
        assert not reader.lexicon(unknown[:, 2:]).any()


def test_a_reader_without_questions_is_refused() -> None:
    with pytest.raises(ContractError, match="questions are at least 1"):
        ReaderConfig(questions=0)
    with pytest.raises(ContractError, match="lexicon at least 0"):
        ReaderConfig(lexicon=-1)
