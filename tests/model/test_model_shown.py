"""Demonstrations as context: what is shown matters, what is not there changes nothing, and a policy takes it or says why not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from recipe_tools import SENTENCES, act, built, inputs, shapes

from volition.errors import ContractError

pytestmark = pytest.mark.usefixtures("one_thread")


def test_what_is_shown_decides_with_the_rest() -> None:
    model, of = built("few-shot").eval(), shapes("few-shot")
    seen = inputs(model, of, list(SENTENCES))
    assert seen.shown is not None
    other = replace(seen, shown=replace(seen.shown, images=255 - seen.shown.images))
    with torch.no_grad():
        first, second = (model.think(one).context.pooled for one in (seen, other))
    assert not torch.allclose(first, second, atol=1e-4)


def test_a_demonstration_that_is_not_there_changes_nothing() -> None:
    model, of = built("few-shot").eval(), shapes("few-shot")
    seen = inputs(model, of, list(SENTENCES))
    assert seen.shown is not None
    shown = seen.shown
    assert not shown.mask[0, 1]
    garbage = shown.state.clone()
    garbage[0, 1] = float("nan")
    images = shown.images.clone()
    images[0, 1] = 7
    other = replace(seen, shown=replace(shown, state=garbage, images=images))
    torch.testing.assert_close(act(model, seen), act(model, other))
    nothing = replace(seen, shown=replace(shown, mask=torch.zeros_like(shown.mask)))
    torch.testing.assert_close(act(model, replace(seen, shown=None)), act(model, nothing))


def test_what_is_shown_must_fit() -> None:
    model, of = built("few-shot").eval(), shapes("few-shot")
    seen = inputs(model, of, list(SENTENCES))
    assert seen.shown is not None
    with pytest.raises(ContractError, match="this model takes \\(3, 2, 2\\) key frames"):
        act(model, replace(seen, shown=replace(seen.shown, images=seen.shown.images[:, :1])))
